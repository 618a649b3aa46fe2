// How far a run has come, on standard error: the one line that a person watches.
//
//   bar    one line, redrawn at most 10 times a second
//   plain  one line every 5 s
//   json   one JSON object a line, every second
//   none   nothing
//
// `automatic` is a bar on a terminal that can redraw a line, else plain. NO_COLOR and TERM=dumb
// make a bar plain. Nothing here reads a clock: the moment is an argument.
#pragma once

#include <cstdint>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>

#include "engine/moment.hpp"
#include "engine/rate.hpp"
#include "engine/tally.hpp"

namespace sagorder::io {

enum class ProgressMode : std::uint8_t { automatic, bar, plain, json, none };

class Progress {
 public:
  static constexpr milliseconds kBarEvery{100};
  static constexpr milliseconds kJsonEvery{1'000};
  static constexpr milliseconds kPlainEvery{5'000};

  /// @param width columns of the terminal, asked at each redraw
  /// @param out stays open as long as this
  Progress(ProgressMode mode, bool is_terminal, std::function<int()> width,
           std::FILE* out = stderr);

  /// Shows the state if it is time to. Cheap otherwise; call it after each event.
  /// @param total_rows rows of the batch, invalid ones not counted
  void update(const Tally& tally, const Pacer& pacer, std::uint64_t total_rows, SteadyTime now);

  /// The state in one line, without its end, whatever the mode.
  [[nodiscard]] std::string line(const Tally& tally, const Pacer& pacer, std::uint64_t total_rows,
                                 SteadyTime now);

  /// Wipes the bar until the next update, so that a line of text can stand there.
  void hide();

  /// Shows the last state (plain, json) or wipes the bar. Nothing is shown after it.
  void finish(const Tally& tally, const Pacer& pacer, std::uint64_t total_rows, SteadyTime now);

  /// What `automatic` and the environment came to.
  [[nodiscard]] ProgressMode mode() const { return mode_; }

 private:
  struct View;  // the numbers of one redraw
  [[nodiscard]] milliseconds every() const;
  View view_of(const Tally& tally, const Pacer& pacer, std::uint64_t total_rows, SteadyTime now);
  void measure(std::uint64_t settled, SteadyTime now);
  void show(const View& view);
  void write(const std::string& text);

  ProgressMode mode_;
  std::function<int()> width_;
  std::FILE* out_;
  std::optional<SteadyTime> started_;
  SteadyTime shown_{};
  bool visible_ = false;  // a bar stands on the terminal's line
  bool finished_ = false;
  // Rows settled a second, smoothed over a few seconds: the last sample and what came of it.
  SteadyTime mark_{};
  std::uint64_t mark_settled_ = 0;
  std::optional<double> rate_;
};

}  // namespace sagorder::io
