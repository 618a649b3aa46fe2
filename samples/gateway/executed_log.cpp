#include "executed_log.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <stdexcept>
#include <system_error>

namespace gateway {
namespace {

void append_text(std::string_view name, std::string_view value, std::string& out) {
  out.append(",\"").append(name).append("\":");
  append_json_string(value, out);
}

void append_number(std::string_view name, std::int64_t value, std::string& out) {
  out.append(",\"").append(name).append("\":").append(std::to_string(value));
}

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

void append_iso_time(WallTime at, std::string& out) {
  const auto day = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(std::chrono::floor<std::chrono::milliseconds>(at - day));
  char text[64];
  const int length = std::snprintf(
      text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
      static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
      static_cast<int>(time.seconds().count()), static_cast<int>(time.subseconds().count()));
  out.append(text, static_cast<std::size_t>(length));
}

ExecutedLog::ExecutedLog(const std::string& path) {
  if (path.empty()) return;
  file_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (file_ < 0) fail("cannot open the executed log");
  count_lines();
}

ExecutedLog::~ExecutedLog() {
  if (file_ >= 0) ::close(file_);
}

void ExecutedLog::count_lines() {
  std::array<char, 65536> bytes;
  char last = '\n';
  while (true) {
    const ssize_t got = ::read(file_, bytes.data(), bytes.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("cannot read the executed log");
    if (got == 0) break;
    for (ssize_t i = 0; i < got; ++i) lines_ += bytes[static_cast<std::size_t>(i)] == '\n';
    last = bytes[static_cast<std::size_t>(got - 1)];
  }
  if (last != '\n') throw std::runtime_error("the executed log ends in a torn line");
}

void ExecutedLog::append(const ExecutedOrder& executed) {
  ++lines_;
  if (file_ < 0) return;
  line_.assign("{\"seq\":").append(std::to_string(executed.placed.sequence));
  append_text("order_id", executed.placed.order_id, line_);
  append_text("sag_id", executed.placed.sag_id, line_);
  append_text("request_id", executed.placed.request_id, line_);
  append_text("nonce", executed.nonce, line_);
  append_text("scheme", executed.scheme, line_);
  append_text("format", executed.format, line_);
  append_text("region_id", executed.order.region_id, line_);
  append_number("user_count", executed.order.user_count, line_);
  append_number("period", executed.order.period, line_);
  append_number("data_plan", executed.order.data_plan, line_);
  line_.append(executed.order.auto_pay ? ",\"auto_pay\":true" : ",\"auto_pay\":false");
  append_text("charge_type", executed.order.charge_type, line_);
  if (!executed.order.resource_group_id.empty())
    append_text("resource_group_id", executed.order.resource_group_id, line_);
  append_text("fault", executed.fault, line_);
  line_.append(",\"at\":\"");
  append_iso_time(executed.at, line_);
  line_.push_back('"');
  append_number("connection", static_cast<std::int64_t>(executed.connection), line_);
  line_.append("}\n");

  ssize_t written;
  do {
    written = ::write(file_, line_.data(), line_.size());
  } while (written < 0 && errno == EINTR);
  if (written < 0) fail("cannot write the executed log");
  if (static_cast<std::size_t>(written) != line_.size())
    throw std::runtime_error("the executed log took only part of a line");
}

}  // namespace gateway
