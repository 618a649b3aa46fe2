#include "io/progress.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

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

std::string time_left(double seconds_left) {
  const auto all = static_cast<std::uint64_t>(std::ceil(seconds_left));
  if (all >= 3600) return fmt::format("{}h {:02}m", all / 3600, all % 3600 / 60);
  if (all >= 60) return fmt::format("{}m {:02}s", all / 60, all % 60);
  return fmt::format("{}s", all);
}

}  // namespace

struct Progress::View {
  std::uint64_t placed, rejected, in_doubt, before, done, total;
  double rate;   // settled a second
  double limit;  // 0: unlimited
  std::optional<double> seconds_left;
  double elapsed;
  bool throttled;

  [[nodiscard]] std::string limit_text() const {
    return limit > 0 ? fmt::format("{:.4g}/s", limit) : "unlimited";
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
  [[nodiscard]] std::string pace() const {
    std::string text = fmt::format("{:.1f}/s, limit {}", rate, limit_text());
    if (seconds_left) text += ", " + time_left(*seconds_left) + " left";
    if (throttled) text += ", throttled";
    return text;
  }

  [[nodiscard]] std::string bar(std::size_t width) const {
    const std::size_t full =
        total == 0 ? kBarCells
                   : static_cast<std::size_t>(std::min(done, total) * kBarCells / total);
    const std::string cells = std::string(full, '#') + std::string(kBarCells - full, '.');
    std::string text = fmt::format("{}/{}  {}  {}", done, total, counts(), pace());
    // On a narrow terminal what is nought goes first, then the bar itself.
    if (text.size() + kBarCells + 3 >= width) {
      text = fmt::format("{}/{}  {}  {}", done, total, counts_that_matter(), pace());
    }
    if (text.size() + kBarCells + 3 < width) text = "[" + cells + "] " + text;
    // A line that fills the last column would wrap, and could not be redrawn.
    return text.substr(0, width > 1 ? width - 1 : 0);
  }
  [[nodiscard]] std::string plain() const {
    return fmt::format("{} of {} rows: {}; {}", done, total, counts(), pace());
  }
  [[nodiscard]] std::string json() const {
    nlohmann::ordered_json object = {
        {"event", "progress"},  {"placed", placed},         {"rejected", rejected},
        {"in_doubt", in_doubt}, {"settled_before", before}, {"done", done},
        {"total", total}};
    object["elapsed_s"] = std::round(elapsed * 1000) / 1000;
    object["rate"] = std::round(rate * 10) / 10;
    object["limit"] = limit > 0 ? nlohmann::ordered_json(limit) : nlohmann::ordered_json();
    object["eta_s"] =
        seconds_left ? nlohmann::ordered_json(std::ceil(*seconds_left)) : nlohmann::ordered_json();
    object["throttled"] = throttled;
    return object.dump() + "\n";
  }
};

Progress::Progress(ProgressMode mode, bool is_terminal, std::function<int()> width, std::FILE* out)
    : mode_(chosen(mode, is_terminal)), width_(std::move(width)), out_(out) {}

milliseconds Progress::every() const {
  if (mode_ == ProgressMode::bar) return kBarEvery;
  return mode_ == ProgressMode::json ? kJsonEvery : kPlainEvery;
}

void Progress::update(const Tally& tally, const Pacer& pacer, std::uint64_t total_rows,
                      SteadyTime now) {
  if (finished_) return;
  // For `line`, which may be asked for in any mode.
  if (mode_ == ProgressMode::none) {
    return measure(tally.placed + tally.rejected + tally.in_doubt, now);
  }
  if (started_ && now - shown_ < every()) return;
  show(view_of(tally, pacer, total_rows, now));
  shown_ = now;
}

std::string Progress::line(const Tally& tally, const Pacer& pacer, std::uint64_t total_rows,
                           SteadyTime now) {
  return view_of(tally, pacer, total_rows, now).plain();
}

Progress::View Progress::view_of(const Tally& tally, const Pacer& pacer, std::uint64_t total_rows,
                                 SteadyTime now) {
  const std::uint64_t settled = tally.placed + tally.rejected + tally.in_doubt;
  measure(settled, now);
  View view{};
  view.placed = tally.placed;
  view.rejected = tally.rejected;
  view.in_doubt = tally.in_doubt;
  view.before = tally.settled_before;
  view.done = tally.settled_before + settled;
  view.total = total_rows;
  const double since = std::chrono::duration<double>(now - *started_).count();
  const double so_far = since > 0 ? static_cast<double>(settled) / since : 0;
  view.rate = rate_.value_or(so_far);  // before the first sample: over the whole time
  view.limit = pacer.current_rate();
  view.throttled = pacer.lowered() || pacer.paused_until() > now;
  view.elapsed = since;
  if (view.done < total_rows && view.rate > 0) {
    const double left = static_cast<double>(total_rows - view.done) / view.rate;
    if (left < kEtaMax) view.seconds_left = left;
  }
  return view;
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
  if (mode_ == ProgressMode::plain) write(view.plain() + "\n");
  if (mode_ == ProgressMode::json) write(view.json());
  if (mode_ != ProgressMode::bar) return;
  write(std::string(kWipe) + view.bar(static_cast<std::size_t>(std::max(width_(), 0))));
  visible_ = true;
}

void Progress::hide() {
  if (visible_) write(std::string(kWipe));
  visible_ = false;
}

void Progress::finish(const Tally& tally, const Pacer& pacer, std::uint64_t total_rows,
                      SteadyTime now) {
  if (finished_) return;
  hide();
  const bool lines = mode_ == ProgressMode::plain || mode_ == ProgressMode::json;
  if (lines) show(view_of(tally, pacer, total_rows, now));
  finished_ = true;
}

void Progress::write(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), out_);
  std::fflush(out_);
}

}  // namespace sagorder::io
