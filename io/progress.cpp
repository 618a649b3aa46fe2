#include "io/progress.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "io/log.hpp"

namespace sagorder::io {
namespace {

constexpr milliseconds kSampleEvery{1'000};
constexpr double kSmoothing = 0.3;  // weight of the newest sample
constexpr double kEtaMax = 100.0 * 86'400;
constexpr std::size_t kBarCells = 20;
constexpr std::string_view kWipe = "\r\x1b[K";

bool can_redraw() {
  const char* const no_color = std::getenv("NO_COLOR");
  const char* const terminal = std::getenv("TERM");
  const bool dumb = terminal == nullptr || std::string_view(terminal) == "dumb";
  return !dumb && (no_color == nullptr || *no_color == '\0');
}

ProgressMode chosen(ProgressMode asked, bool is_terminal) {
  const bool drawn =
      asked == ProgressMode::bar || (asked == ProgressMode::automatic && is_terminal);
  if (drawn) return can_redraw() ? ProgressMode::bar : ProgressMode::plain;
  return asked == ProgressMode::automatic ? ProgressMode::plain : asked;
}

milliseconds every_of(ProgressMode mode) {
  if (mode == ProgressMode::bar) return Progress::kBarEvery;
  return mode == ProgressMode::json ? Progress::kJsonEvery : Progress::kPlainEvery;
}

std::string time_left(double seconds_left) {
  const auto all = static_cast<std::uint64_t>(std::ceil(seconds_left));
  if (all >= 3600) return fmt::format("{}h {:02}m", all / 3600, all % 3600 / 60);
  if (all >= 60) return fmt::format("{}m {:02}s", all / 60, all % 60);
  return fmt::format("{}s", all);
}

}  // namespace

struct Progress::View {
  std::uint64_t placed, rejected, in_doubt, total;  // rows of the batch
  std::uint64_t done_in_run, seats, seat_months, requests;
  double rate;   // settled a second
  double limit;  // 0: unlimited
  double asked;  // the limit, but for throttling
  std::optional<double> seconds_left;
  double elapsed;
  double paused;  // seconds for which the gateway asked to wait
  bool lowered;

  [[nodiscard]] std::uint64_t done() const { return placed + rejected + in_doubt; }
  [[nodiscard]] bool throttled() const { return lowered || paused > 0; }

  [[nodiscard]] static std::string rate_text(double per_second) {
    return per_second > 0 ? fmt::format("{:.4g}/s", per_second) : "unlimited";
  }
  [[nodiscard]] std::string counts() const {
    return fmt::format("placed {}, rejected {}, in doubt {}", placed, rejected, in_doubt);
  }
  [[nodiscard]] std::string counts_that_matter() const {
    std::string text = fmt::format("placed {}", placed);
    if (rejected > 0) text += fmt::format(", rejected {}", rejected);
    if (in_doubt > 0) text += fmt::format(", in doubt {}", in_doubt);
    return text;
  }
  /// What this run bought; its rows too, where others settled some.
  [[nodiscard]] std::string this_run() const {
    if (done() == done_in_run) return fmt::format("{} seats", seats);
    return fmt::format("this run: {} rows, {} seats", done_in_run, seats);
  }
  [[nodiscard]] std::string pace() const {
    std::string text = fmt::format("{:.1f}/s, limit {}", rate, rate_text(limit));
    if (throttled()) text += " (throttled";
    if (lowered) text += ", asked for " + rate_text(asked);
    if (paused > 0) text += ", paused " + time_left(paused);
    if (throttled()) text += ")";
    if (seconds_left) text += ", " + time_left(*seconds_left) + " left";
    return text;
  }

  [[nodiscard]] std::string pace_in_short() const {
    return fmt::format("{:.1f}/s{}{}", rate, throttled() ? ", throttled" : "",
                       seconds_left ? ", " + time_left(*seconds_left) + " left" : "");
  }

  [[nodiscard]] std::string bar(std::size_t width) const {
    const std::size_t full =
        total == 0 ? kBarCells
                   : static_cast<std::size_t>(std::min(done(), total) * kBarCells / total);
    const std::string cells =
        "[" + std::string(full, '#') + std::string(kBarCells - full, '.') + "] ";
    const std::string head = fmt::format("{}/{}  ", done(), total);
    // On a narrow terminal what is nought goes first, then the seats, the bar itself, the limit,
    // and last what became of the rows.
    const std::string forms[] = {
        cells + head + counts() + "  " + this_run() + "  " + pace(),
        cells + head + counts_that_matter() + "  " + this_run() + "  " + pace(),
        cells + head + counts_that_matter() + "  " + pace(),
        head + counts_that_matter() + "  " + pace(),
        head + counts_that_matter() + "  " + pace_in_short(),
        head + pace_in_short(),
    };
    // A line that fills the last column would wrap, and could not be redrawn.
    const std::size_t room = width > 1 ? width - 1 : 0;
    for (const std::string& form : forms) {
      if (form.size() <= room) return form;
    }
    return std::end(forms)[-1].substr(0, room);
  }
  [[nodiscard]] std::string plain() const {
    return fmt::format("{} of {} rows: {}; {}; {}", done(), total, counts(), this_run(), pace());
  }
  [[nodiscard]] std::string json() const {
    using nlohmann::ordered_json;
    ordered_json object = {{"done", done()},
                           {"total", total},
                           {"placed", placed},
                           {"rejected", rejected},
                           {"in_doubt", in_doubt}};
    object["run"] = {{"done", done_in_run},
                     {"seats", seats},
                     {"seat_months", seat_months},
                     {"requests", requests}};
    object["elapsed_s"] = std::round(elapsed * 1000) / 1000;
    object["rate"] = std::round(rate * 10) / 10;
    object["limit"] = limit > 0 ? ordered_json(limit) : ordered_json();
    object["eta_s"] = seconds_left ? ordered_json(std::ceil(*seconds_left)) : ordered_json();
    object["throttled"] = throttled();
    object["paused_s"] = std::round(paused * 1000) / 1000;
    return object.dump();
  }
};

Progress::Progress(ProgressMode mode, bool is_terminal, std::function<int()> width, std::FILE* out)
    : mode_(chosen(mode, is_terminal)),
      every_(every_of(mode_)),
      width_(std::move(width)),
      out_(out) {}

void Progress::tell_through(Teller teller) {
  teller_ = std::move(teller);
  if (mode_ == ProgressMode::none || mode_ == ProgressMode::json) return;
  mode_ = ProgressMode::json;
  every_ = kPlainEvery;  // it was to be a log for people: no more lines than they would get
}

void Progress::say_through(Sayer sayer, std::string run) {
  sayer_ = std::move(sayer);
  run_ = std::move(run);
}

void Progress::work(std::string_view what, std::uint64_t done, std::uint64_t of, SteadyTime now) {
  if (mode_ == ProgressMode::none) return;
  if (work_ != what || (done == 0 && of > 0)) {
    work_ = what;
    work_begun_ = now;
    work_shown_ = false;
  }
  if (work_shown_ ? now - shown_ < every_ : of > 0 && now - work_begun_ < kWorkToldAfter) return;
  work_shown_ = true;
  shown_ = now;
  const std::uint64_t percent = of == 0 ? 0 : std::min(done, of) * 100 / of;
  const std::string text =
      of == 0 ? printable(what) : fmt::format("{}: {} %", printable(what), percent);
  if (mode_ == ProgressMode::plain) write_plain(text);
  if (mode_ == ProgressMode::bar) show_bar(text);
  if (mode_ != ProgressMode::json) return;
  nlohmann::ordered_json object = {{"work", printable(what)}};
  object["percent"] = of == 0 ? nlohmann::ordered_json() : nlohmann::ordered_json(percent);
  show_json(text, object.dump());
}

void Progress::update(const RunView& run, SteadyTime now) {
  if (finished_) return;
  // For `line`, which may be asked for in any mode.
  if (mode_ == ProgressMode::none) return measure(run.settled_in_run(), now);
  if (started_ && now - shown_ < every_) return;
  show(view_of(run, now));
  shown_ = now;
}

std::string Progress::line(const RunView& run, SteadyTime now) { return view_of(run, now).plain(); }

Progress::View Progress::view_of(const RunView& run, SteadyTime now) {
  const std::uint64_t settled = run.settled_in_run();
  measure(settled, now);
  View view{};
  view.placed = run.rows.count_of(State::placed);
  view.rejected = run.rows.count_of(State::rejected);
  view.in_doubt = run.rows.count_of(State::in_doubt);
  view.total = run.total;
  view.done_in_run = settled;
  view.seats = run.tally.seats_placed;
  view.seat_months = run.tally.seat_months_placed;
  view.requests = run.tally.sent;
  const double since = std::chrono::duration<double>(now - *started_).count();
  const double so_far = since > 0 ? static_cast<double>(settled) / since : 0;
  view.rate = rate_.value_or(so_far);  // before the first sample: over the whole time
  view.limit = run.pacer.current_rate();
  view.asked = run.pacer.asked_rate();
  view.lowered = run.pacer.lowered();
  const auto paused = run.pacer.paused_until() - now;
  view.paused = std::max(0.0, std::chrono::duration<double>(paused).count());
  view.elapsed = since;
  view.seconds_left = seconds_left(run, view);
  return view;
}

/// By the pace so far, but no sooner than the rate allows; of what this run may still place.
std::optional<double> Progress::seconds_left(const RunView& run, const View& view) const {
  std::uint64_t orders = run.total - std::min(view.done(), run.total);
  const std::uint64_t bought = run.tally.placed + run.tally.in_doubt;
  if (most_) orders = std::min(orders, *most_ - std::min(bought, *most_));
  const double rate = view.limit > 0 ? std::min(view.rate, view.limit) : view.rate;
  if (finished_ || orders == 0 || rate <= 0) return std::nullopt;
  const double left = static_cast<double>(orders) / rate;
  return left < kEtaMax ? std::optional(left) : std::nullopt;
}

void Progress::measure(std::uint64_t settled, SteadyTime now) {
  if (!started_) {
    started_ = mark_ = now;
    mark_settled_ = settled;
  }
  if (now - mark_ < kSampleEvery) return;
  const double elapsed = std::chrono::duration<double>(now - mark_).count();
  const double sample = static_cast<double>(settled - mark_settled_) / elapsed;
  rate_ = rate_ ? *rate_ + kSmoothing * (sample - *rate_) : sample;
  mark_ = now;
  mark_settled_ = settled;
}

void Progress::show(const View& view) {
  if (mode_ == ProgressMode::plain) write_plain(view.plain());
  if (mode_ == ProgressMode::json) show_json(view.plain(), view.json());
  if (mode_ != ProgressMode::bar) return;
  show_bar(view.bar(static_cast<std::size_t>(std::max(width_(), 0))));
}

/// @param members a JSON object
void Progress::show_json(const std::string& message, const std::string& members) {
  if (teller_) return teller_(message, members);
  const std::string run = run_.empty() ? "" : R"("run_id":")" + run_ + R"(",)";
  write(R"({"event":"progress",)" + run + members.substr(1) + "\n");
}

void Progress::show_bar(const std::string& text) {
  const auto width = static_cast<std::size_t>(std::max(width_(), 1));
  write(std::string(kWipe) + text.substr(0, width - 1));
  visible_ = true;
}

void Progress::hide() {
  if (visible_) write(std::string(kWipe));
  visible_ = false;
}

void Progress::finish(const RunView& run, SteadyTime now) {
  if (finished_) return;
  hide();
  finished_ = true;  // no time is left, whatever is
  const bool lines = mode_ == ProgressMode::plain || mode_ == ProgressMode::json;
  if (lines) show(view_of(run, now));
}

void Progress::write_plain(const std::string& line) {
  if (sayer_) return sayer_(line);
  write(line + "\n");
}

void Progress::write(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), out_);
  std::fflush(out_);
}

}  // namespace sagorder::io
