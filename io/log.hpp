// What is said on standard error while a run goes on: lines of text, or JSON objects.
//
//   text  `2019-05-20 08:01:02Z  warning  message  row=3 code=Throttling run=3f09c2d1`
//   json  `{"time":"2019-05-20T08:01:02.003Z","level":"warning","run":"3f09c2d1",
//         "message":"...","row":3}`, on one line
//
// Where the journal reads standard error (io/journal), a line begins with its priority, `<4>`, and
// a text line has no time, for the journal has one. In json nothing else is ever written.
//
// What is written for people (`line`) stands on a terminal as it is. Elsewhere it ends as the other
// lines do, with `row=3 run=3f09c2d1`; behind a line that is indented, such as a command to be
// pasted, they are a comment to a shell: `  sagorder status out.csv  # run=3f09c2d1`.
//
// Whatever text comes from outside (answers, file names, cells) is made harmless: no control
// character reaches a terminal, and no line can pretend to be another. Secrets have a type that
// cannot be given to it.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <cstdio>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace sagorder::io {

enum class LogFormat : std::uint8_t { text, json };

/// Formats to standard error. A reader that is gone, or a full disk behind it, is no reason to end.
template <class... Arguments>
void tell(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  const std::string text = fmt::format(format, std::forward<Arguments>(arguments)...);
  std::fwrite(text.data(), 1, text.size(), stderr);
}

/// Control characters, escape sequences, line and paragraph separators, direction marks and invalid
/// UTF-8 shown as \n, \t, \x1b, \u202e; a backslash as it is.
std::string printable(std::string_view text);

struct LogField {
  std::string_view name;
  std::string_view value;
  bool is_number = false;  ///< the value is an unsigned number, and JSON has it as one
};

enum class LogReader : std::uint8_t {
  terminal,  ///< somebody watches
  stream,    ///< a file or a pipe
  journal,
};

enum class LogLevel : std::uint8_t { info, warning, error };

class Log {
 public:
  using Fields = std::initializer_list<LogField>;

  /// @param quiet warnings and errors only  @param reader who reads `out`
  /// @param out stays open as long as this
  Log(LogFormat format, bool quiet, LogReader reader = LogReader::terminal,
      std::FILE* out = stderr);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  void info(std::string_view message, Fields fields = {});
  /// Said also when quiet: somebody asked for it.
  void asked(std::string_view message, Fields fields = {});
  void warning(std::string_view message, Fields fields = {});
  void error(std::string_view message, Fields fields = {});

  /// A line that people get as it is: no time, no level, and of the fields `row` alone, where
  /// nobody watches. JSON has it as `message`.
  void line(LogLevel level, std::string_view text, std::string_view message, Fields fields = {});
  void line(LogLevel level, std::string_view text) { line(level, text, text); }
  /// A question: the line is not ended.
  void question(std::string_view text);
  /// JSON only, text is the caller's: `"event": NAME, "message": ..., NAME: members`.
  /// @param members a JSON object
  void event(LogLevel level, std::string_view name, std::string_view message,
             const std::string& members);

  /// Warnings and errors only, from now on.
  void be_quiet();
  /// Every line carries it from now on.
  void set_run(std::string run);
  [[nodiscard]] const std::string& run() const;
  [[nodiscard]] LogFormat format() const;
  /// Whether it is text that a person sees as it comes.
  [[nodiscard]] bool is_watched() const;

  /// Called before each line is written: a progress bar gives way.
  void before_line(std::function<void()> act);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sagorder::io
