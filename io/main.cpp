// Arguments to settings to run to exit code; nothing else.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <exception>
#include <optional>
#include <variant>

#include "io/commands.hpp"
#include "io/driver.hpp"
#include "io/ending.hpp"
#include "io/journal.hpp"
#include "io/process.hpp"
#include "io/refused_run.hpp"

namespace sagorder::io {
namespace {

/// How errors are to be said, whatever else is wrong with the arguments.
LogFormat format_asked(int argc, const char* const* argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const bool next = argument == "--log-format" && i + 1 < argc;
    if (argument == "--log-format=json" || (next && std::string_view(argv[i + 1]) == "json")) {
      return LogFormat::json;
    }
  }
  return LogFormat::text;
}

/// @param advice lines; may be empty
ExitCode fail(Log& log, ExitCode code, std::string_view what, std::string_view advice = {}) {
  if (log.format() == LogFormat::json) {
    const std::string number = std::to_string(static_cast<int>(code));
    log.line(LogLevel::error, what, what, {{"advice", advice}, {"exit_code", number, true}});
    return code;
  }
  log.line(LogLevel::error, "sagorder: error: " + std::string(what));
  while (!advice.empty()) {
    const std::string_view line = advice.substr(0, advice.find('\n'));
    log.line(LogLevel::error, "  " + std::string(line));
    advice.remove_prefix(std::min(line.size() + 1, advice.size()));
  }
  return code;
}

ExitCode perform(const Settings& settings, Log& log) {
  if (settings.quiet) log.be_quiet();
  switch (settings.command) {
    case Command::run:
      return run_command(settings, log);
    case Command::check:
      return check_command(settings, log);
    case Command::status:
      return status_command(settings, log);
    case Command::resolve:
      return resolve_command(settings, log);
    case Command::report:
      return report_command(settings, log);
    case Command::rows:
      return rows_command(settings, log);
    case Command::doctor:
      return doctor_command(settings, log);
    case Command::reconcile:
      return reconcile_command(settings, log);
    case Command::results:
      return results_command(settings, log);
    case Command::config:
      return config_command(settings, log);
  }
  return ExitCode::internal;
}

LogReader reader_of_log() {
  if (is_journal(STDERR_FILENO)) return LogReader::journal;
  return is_terminal(STDERR_FILENO) ? LogReader::terminal : LogReader::stream;
}

ExitCode run(int argc, const char* const* argv) {
  const LogReader reader = reader_of_log();
  std::optional<Log> log;
  log.emplace(format_asked(argc, argv), false, reader);
  bool understood = false;
  try {
    Surroundings around = surroundings_of_process();
    if (is_terminal(STDOUT_FILENO)) around.columns = terminal_width(STDOUT_FILENO);
    const auto parsed = parse_settings(argc, argv, around);
    if (const auto* plain = std::get_if<PlainText>(&parsed)) {
      fmt::print("{}", plain->text);
      return ExitCode::all_placed;
    }
    const Settings& settings = std::get<Settings>(parsed);
    understood = true;
    // A file or a variable may have asked for another form than the arguments.
    if (settings.log_format != log->format()) log.emplace(settings.log_format, false, reader);
    return perform(settings, *log);
  } catch (...) {
    const Ending ending = ending_of(std::current_exception());
    if (!understood) leave_word(argc, argv, ending, now().wall);
    return fail(*log, ending.code, ending.what, ending.advice);
  }
}

}  // namespace
}  // namespace sagorder::io

int main(int argc, char** argv) {
  if (!sagorder::io::fill_standard_streams())
    return static_cast<int>(sagorder::io::ExitCode::internal);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a file size limit is an error to report, not a death
  sagorder::io::listen_for_status();
  sagorder::io::harden_process();
  return static_cast<int>(sagorder::io::run(argc, argv));
}
