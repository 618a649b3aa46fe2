// How far a run has come, on standard error: the one line that a person watches.
//
//   bar    one line, redrawn at most 10 times a second
//   plain  one line every 5 s
//   json   one JSON object a line, every second
//   none   nothing
//
// `automatic` is a bar on a terminal that can redraw a line, else plain. NO_COLOR and TERM=dumb
// make a bar plain. Counts of rows are the batch's, whichever run settled them; what is this run's
// alone is said to be so. Nothing here reads a clock: the moment is an argument.
#pragma once

#include <cstdint>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "engine/moment.hpp"
#include "io/run_view.hpp"

namespace sagorder::io {

enum class ProgressMode : std::uint8_t { automatic, bar, plain, json, none };

class Progress {
 public:
  static constexpr milliseconds kBarEvery{100};
  static constexpr milliseconds kJsonEvery{1'000};
  static constexpr milliseconds kPlainEvery{5'000};
  /// What is done before the first order is told of if it takes longer.
  static constexpr milliseconds kWorkToldAfter{50};

  /// Writes a line in another's form. @param message the line for people  @param members JSON
  using Teller = std::function<void(const std::string& message, const std::string& members)>;
  /// Writes a line of text, which has no end.
  using Sayer = std::function<void(const std::string& line)>;

  /// @param width columns of the terminal, asked at each redraw
  /// @param out stays open as long as this
  Progress(ProgressMode mode, bool is_terminal, std::function<int()> width,
           std::FILE* out = stderr);

  /// From now on whatever is shown is JSON, and goes through `teller`: as an event of a log.
  void tell_through(Teller teller);

  /// From now on `plain` lines go through `sayer`, as a log's for people, and `json` names the run.
  void say_through(Sayer sayer, std::string run);

  /// Before the first order: `done` of `of` bytes or records. If it goes on for a moment, or `of`
  /// is 0 because nobody knows how long it takes, it is shown as updates are.
  void work(std::string_view what, std::uint64_t done, std::uint64_t of, SteadyTime now);

  /// The orders that this run places at most, which is then what its time left is for.
  void expect_at_most(std::optional<std::uint64_t> orders) { most_ = orders; }

  /// Shows the state if it is time to. Cheap otherwise; call it after each event.
  void update(const RunView& run, SteadyTime now);

  /// The state in one line, without its end, whatever the mode.
  [[nodiscard]] std::string line(const RunView& run, SteadyTime now);

  /// Wipes the bar until the next update, so that a line of text can stand there.
  void hide();

  /// Shows the last state (plain, json) or wipes the bar. Nothing is shown after it.
  void finish(const RunView& run, SteadyTime now);

  /// What `automatic` and the environment came to.
  [[nodiscard]] ProgressMode mode() const { return mode_; }

 private:
  struct View;  // the numbers of one redraw
  View view_of(const RunView& run, SteadyTime now);
  [[nodiscard]] std::optional<double> seconds_left(const RunView& run, const View& view) const;
  void measure(std::uint64_t settled, SteadyTime now);
  void show(const View& view);
  void show_json(const std::string& message, const std::string& members);
  void show_bar(const std::string& text);
  void write_plain(const std::string& line);
  void write(const std::string& text);

  ProgressMode mode_;
  milliseconds every_;
  std::function<int()> width_;
  std::FILE* out_;
  Teller teller_;
  Sayer sayer_;
  std::string run_;
  std::string work_;  // what is being done before the first order
  SteadyTime work_begun_{};
  bool work_shown_ = false;
  std::optional<SteadyTime> started_;
  SteadyTime shown_{};
  bool visible_ = false;  // a bar stands on the terminal's line
  bool finished_ = false;
  // Rows settled a second, smoothed over a few seconds: the last sample and what came of it.
  SteadyTime mark_{};
  std::uint64_t mark_settled_ = 0;
  std::optional<double> rate_;
  std::optional<std::uint64_t> most_;
};

}  // namespace sagorder::io
