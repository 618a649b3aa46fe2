#include "io/log.hpp"

#include <spdlog/details/log_msg.h>
#include <spdlog/formatter.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "engine/csv.hpp"

namespace sagorder::io {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";

void append_byte(std::string& out, unsigned char byte) {
  out += "\\x";
  out += kDigits[byte >> 4U];
  out += kDigits[byte & 15U];
}

void append_code_point(std::string& out, std::uint32_t code) {
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += kDigits[(code >> shift) & 15U];
}

/// Code points of two and three bytes that move, hide or split text on a terminal.
bool is_harmful(std::uint32_t code) {
  return (code >= 0x80 && code <= 0x9f) ||                        // C1 controls
         code == 0x061c || (code >= 0x200b && code <= 0x200f) ||  // marks without width
         (code >= 0x2028 && code <= 0x202e) ||                    // separators, embeddings
         (code >= 0x2060 && code <= 0x206f) || code == 0xfeff;    // isolates, BOM
}

std::uint32_t decode(std::string_view sequence) {
  const auto byte = [&](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(sequence[i]));
  };
  if (sequence.size() == 2) return ((byte(0) & 0x1fU) << 6U) | (byte(1) & 0x3fU);
  if (sequence.size() == 3) {
    return ((byte(0) & 0x0fU) << 12U) | ((byte(1) & 0x3fU) << 6U) | (byte(2) & 0x3fU);
  }
  return 0x10000;
}

std::size_t length_by_lead(unsigned char lead) {
  return lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

void append_ascii(std::string& out, char each) {
  if (each == '\n') {
    out += "\\n";
  } else if (each == '\r') {
    out += "\\r";
  } else if (each == '\t') {
    out += "\\t";
  } else if (static_cast<unsigned char>(each) < 0x20 || each == 0x7f) {
    append_byte(out, static_cast<unsigned char>(each));
  } else {
    out += each;
  }
}

void append_valid(std::string& out, std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = length_by_lead(static_cast<unsigned char>(text[at]));
    const std::string_view sequence = text.substr(at, length);
    if (length == 1) {
      append_ascii(out, text[at]);
    } else if (const std::uint32_t code = decode(sequence); is_harmful(code)) {
      append_code_point(out, code);
    } else {
      out += sequence;
    }
    at += length;
  }
}

using Point = spdlog::log_clock::time_point;
using Level = spdlog::level::level_enum;

std::string stamp_of(Point at, bool with_ms) {
  using namespace std::chrono;
  const auto since = duration_cast<milliseconds>(at.time_since_epoch());
  const auto whole = floor<seconds>(since);
  const std::time_t when = whole.count();
  std::tm utc{};
  ::gmtime_r(&when, &utc);
  char text[40];
  const std::size_t size =
      std::strftime(text, sizeof text, with_ms ? "%Y-%m-%dT%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &utc);
  std::string stamp(text, size);
  if (with_ms) {
    const std::string ms = std::to_string((since - whole).count());
    stamp += "." + std::string(3 - ms.size(), '0') + ms;
  }
  return stamp + "Z";
}

std::string_view word_of(Level level) {
  if (level == Level::err) return "error";
  return level == Level::warn ? "warning" : "info";
}

/// As sd-daemon(3) has them: syslog's numbers.
std::string_view priority_of(Level level) {
  if (level == Level::err) return "<3>";
  return level == Level::warn ? "<4>" : "<6>";
}

Level level_of(LogLevel level) {
  if (level == LogLevel::error) return Level::err;
  return level == LogLevel::warning ? Level::warn : Level::info;
}

/// Hands whole lines to a stream, after whoever else draws there has given way.
class LineSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit LineSink(std::FILE* out) : out_(out) {}
  std::function<void()> before;

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    if (before) before();
    std::fwrite(message.payload.data(), 1, message.payload.size(), out_);
    std::fflush(out_);
  }
  void flush_() override { std::fflush(out_); }
  std::FILE* out_;
};

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t valid = csv::utf8_prefix(text);
    append_valid(out, text.substr(0, valid));
    text.remove_prefix(valid);
    if (text.empty()) break;
    append_byte(out, static_cast<unsigned char>(text.front()));
    text.remove_prefix(1);
  }
  return out;
}

namespace {

/// A value that could be taken for more than one stands in quotes.
std::string field_text(std::string_view value) {
  std::string text = printable(value);
  if (!text.empty() && text.find_first_of(" \"=") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char each : text) {
    if (each == '"') quoted += '\\';
    quoted += each;
  }
  return quoted + "\"";
}

/// `row=3 run=3f09c2d1`, behind a line.
class FieldsText {
 public:
  FieldsText(std::string& line, const char* gap) : line_(line), gap_(gap) {}
  void add(std::string_view name, std::string_view value) {
    line_.append(std::exchange(gap_, " ")).append(name).append("=").append(field_text(value));
  }

 private:
  std::string& line_;
  const char* gap_;
};

}  // namespace

struct Log::State {
  State(LogFormat chosen, LogReader its_reader, std::FILE* out)
      : format(chosen),
        reader(its_reader),
        sink(std::make_shared<LineSink>(out)),
        logger("sagorder", sink) {}

  void say(Level level, std::string_view message, Fields fields) {
    if (logger.should_log(level)) write(level, message, fields);
  }

  void write(Level level, std::string_view message, Fields fields) {
    if (format == LogFormat::json) {
      put(level, json_line(level, {}, message, fields, {}));
    } else {
      put(level, text_line(level, message, fields));
    }
  }

  /// @param line with its end, unless somebody answers on it
  void put(Level level, const std::string& line) {
    const std::string whole = is_journal() ? std::string(priority_of(level)) + line : line;
    sink->log({spdlog::log_clock::now(),
               {},
               logger.name(),
               level,
               spdlog::string_view_t(whole.data(), whole.size())});
  }

  [[nodiscard]] bool is_journal() const { return reader == LogReader::journal; }

  [[nodiscard]] std::string text_line(Level level, std::string_view message, Fields fields) const {
    std::string line = is_journal() ? "" : stamp_of(spdlog::log_clock::now(), false) + "  ";
    line.append(word_of(level)).append("  ").append(printable(message));
    FieldsText behind(line, "  ");
    for (const LogField& field : fields) behind.add(field.name, field.value);
    if (!run.empty()) behind.add("run", run);
    return line + "\n";
  }

  /// The text names file and place by itself.
  [[nodiscard]] std::string line_for_people(std::string_view text, Fields fields) const {
    std::string line = printable(text);
    if (reader == LogReader::terminal) return line + "\n";
    FieldsText behind(line, text.starts_with("  ") ? "  # " : "  ");
    for (const LogField& field : fields) {
      const bool of_a_row = field.name == "row" && field.value != "0";
      if (of_a_row) behind.add(field.name, field.value);
    }
    if (!run.empty()) behind.add("run", run);
    return line + "\n";
  }

  [[nodiscard]] std::string json_line(Level level, std::string_view event, std::string_view message,
                                      Fields fields, const std::string& members) const {
    using nlohmann::ordered_json;
    ordered_json object;
    object["time"] = stamp_of(spdlog::log_clock::now(), true);
    object["level"] = std::string(word_of(level));
    if (!run.empty()) object["run"] = run;
    if (!event.empty()) object["event"] = std::string(event);
    object["message"] = printable(message);
    for (const LogField& field : fields) {
      object[std::string(field.name)] =
          field.is_number ? ordered_json::parse(field.value) : ordered_json(printable(field.value));
    }
    if (!event.empty() && !members.empty()) {
      object[std::string(event)] = ordered_json::parse(members);
    }
    return object.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
  }

  LogFormat format;
  LogReader reader;
  std::string run;
  std::shared_ptr<LineSink> sink;
  spdlog::logger logger;
};

Log::Log(LogFormat format, bool quiet, LogReader reader, std::FILE* out)
    : state_(std::make_unique<State>(format, reader, out)) {
  if (quiet) be_quiet();
}

Log::~Log() = default;

void Log::info(std::string_view message, Fields fields) {
  state_->say(Level::info, message, fields);
}

void Log::asked(std::string_view message, Fields fields) {
  state_->write(Level::info, message, fields);
}

void Log::warning(std::string_view message, Fields fields) {
  state_->say(Level::warn, message, fields);
}

void Log::error(std::string_view message, Fields fields) {
  state_->say(Level::err, message, fields);
}

void Log::line(LogLevel level, std::string_view text, std::string_view message, Fields fields) {
  const Level at = level_of(level);
  if (state_->format == LogFormat::json) {
    state_->put(at, state_->json_line(at, {}, message, fields, {}));
  } else {
    state_->put(at, state_->line_for_people(text, fields));
  }
}

void Log::question(std::string_view text) {
  if (state_->format == LogFormat::json) {
    return state_->put(Level::info, state_->json_line(Level::info, "question", text, {}, {}));
  }
  state_->put(Level::info, printable(text));
}

void Log::event(LogLevel level, std::string_view name, std::string_view message,
                const std::string& members) {
  const Level at = level_of(level);
  state_->put(at, state_->json_line(at, name, message, {}, members));
}

void Log::be_quiet() { state_->logger.set_level(Level::warn); }
void Log::set_run(std::string run) { state_->run = std::move(run); }
const std::string& Log::run() const { return state_->run; }
LogFormat Log::format() const { return state_->format; }
bool Log::is_watched() const {
  return state_->format == LogFormat::text && state_->reader == LogReader::terminal;
}

void Log::before_line(std::function<void()> act) { state_->sink->before = std::move(act); }

}  // namespace sagorder::io
