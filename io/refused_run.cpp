#include "io/refused_run.hpp"

#include <fcntl.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "io/driver.hpp"
#include "io/file.hpp"
#include "io/metrics.hpp"
#include "io/own_file.hpp"
#include "io/summary.hpp"

namespace sagorder::io {
namespace {

constexpr std::string_view kRefused = "refused";

/// Whether another process writes these results, or nobody can tell.
bool is_at_work(const std::string& output) {
  try {
    FileIdentity identity;
    if (!identity_of(output, identity)) return false;
    const Fd file = open_private(output, O_RDONLY);
    return !io::try_lock(file, output);
  } catch (const FileError&) {
    return true;
  }
}

std::string summary_of(const RefusedRun& refused) {
  const Rows rows(0);
  const Tally tally;
  const Validation validation;
  Summary summary{rows,
                  tally,
                  validation,
                  {},
                  Stop::none,
                  refused.ending.what,
                  refused.ending.code,
                  nanoseconds(0),
                  0,
                  refused.output,
                  refused.ledger,
                  "",
                  "",
                  "",
                  "",
                  refused.rate,
                  refused.run,
                  refused.begun,
                  refused.ended};
  auto json = nlohmann::ordered_json::parse(to_json(summary));
  json["stop"] = kRefused;
  return json.dump(2) + "\n";
}

std::string metrics_of(const RefusedRun& refused) {
  const Rows rows(0);
  const Tally tally;
  const Pacer pacer(refused.rate, 1);
  MetricsView view{RunView{rows, tally, pacer, 0},
                   0,
                   0,
                   refused.run,
                   refused.begun,
                   MetricsView::Over{refused.ended, static_cast<int>(refused.ending.code)},
                   std::nullopt};
  view.refused = true;
  return metrics_text(view);
}

/// @return why it could not be done; empty: it was
std::string written(const std::function<void()>& write) {
  try {
    write();
    return {};
  } catch (const std::runtime_error& error) {
    return error.what();
  }
}

/// `--name VALUE` or `--name=VALUE`; the last one counts.
std::string value_of(std::string_view name, int argc, const char* const* argv) {
  std::string value;
  for (int i = 2; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--") break;
    if (argument == name && i + 1 < argc && argv[i + 1][0] != '-') value = argv[i + 1];
    const bool joined = argument.starts_with(name) && argument.substr(name.size()).starts_with('=');
    if (joined) value = argument.substr(name.size() + 1);
  }
  return value;
}

/// Arguments that were not understood may name anything.
std::string if_it_is(OwnFile kind, const std::string& path) {
  try {
    FileIdentity identity;
    if (path.empty() || !identity_of(path, identity)) return {};
    return is_own(kind, beginning_of(path)) ? path : "";
  } catch (const FileError&) {
    return {};
  }
}

}  // namespace

std::vector<std::string> leave_word(const RefusedRun& refused) {
  std::vector<std::string> troubles;
  // Who is at work tells of itself.
  if (refused.ending.code == ExitCode::busy || is_at_work(refused.output)) return troubles;
  const auto leave = [&](OwnFile kind, const std::string& path,
                         const std::function<void()>& write) {
    if (path.empty()) return;
    const std::string trouble = written([&] {
      refuse_bad_place(kind, path);
      write();
    });
    if (!trouble.empty()) troubles.push_back(trouble);
  };
  leave(OwnFile::summary, refused.summary, [&] {
    replace_file(refused.summary,
                 [&](const Fd& file) { write_all(file, summary_of(refused), refused.summary); });
  });
  leave(OwnFile::metrics, refused.metrics,
        [&] { write_metrics(refused.metrics, metrics_of(refused)); });
  return troubles;
}

void leave_word(int argc, const char* const* argv, const Ending& ending, WallTime now) {
  if (argc < 2 || std::string_view(argv[1]) != "run") return;
  RefusedRun refused;
  refused.output = value_of("--output", argc, argv);
  if (refused.output.empty()) return;  // nobody knows who is at work
  refused.summary = if_it_is(OwnFile::summary, value_of("--summary", argc, argv));
  refused.metrics = if_it_is(OwnFile::metrics, value_of("--metrics", argc, argv));
  refused.run = random_hex().substr(0, kRunIdDigits);
  refused.begun = refused.ended = now;
  refused.ending = ending;
  leave_word(refused);
}

}  // namespace sagorder::io
