#include "io/going_on.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "io/choices.hpp"
#include "io/commands.hpp"
#include "io/log.hpp"
#include "io/plan.hpp"
#include "io/postgres_timeline.hpp"

namespace sagorder::io {
namespace {

using nlohmann::json;

constexpr const char* kCanary = "canary";
constexpr const char* kWithoutCanary = "without_canary";
constexpr const char* kPlanPath = "plan";
constexpr const char* kNewPlan = "new_plan";
constexpr const char* kNewPlanWithoutCanary = "new_plan_without_canary";

/// A command that grows word by word.
class CommandLine {
 public:
  explicit CommandLine(std::string begin) : text_(std::move(begin)) {}

  void add(std::string_view option, const std::string& value) {
    text_.append(" ").append(option).append(" ").append(shell_quoted(value));
  }
  void add_path(std::string_view option, const std::string& path) {
    text_.append(" ").append(option).append(" ").append(operand_quoted(path));
  }
  void add(std::string_view option, const std::optional<std::uint64_t>& value) {
    if (value) add(option, std::to_string(*value));
  }
  void add(std::string_view flag) { text_.append(" ").append(flag); }

  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

void add_limits(CommandLine& line, const Limits& limits, std::uint64_t canary) {
  const Limits usual;
  line.add("--max-orders", limits.max_orders);
  line.add("--max-seats", limits.max_seats);
  line.add("--max-seat-months", limits.max_seat_months);
  const std::string failures = to_string(limits.max_failures);
  if (failures != to_string(usual.max_failures)) line.add("--max-failures", failures);
  if (limits.max_doubts != usual.max_doubts) {
    line.add("--max-doubts", std::to_string(limits.max_doubts));
  }
  if (canary > 0) line.add("--canary", std::to_string(canary));
}

void add_reading(CommandLine& line, const Settings& settings) {
  for (const auto& [name, value] : settings.intake.set)
    line.add("--set", fmt::format("{}={}", name, value));
  for (const std::string& column : settings.intake.carry) line.add("--carry", column);
  if (settings.intake.strict) line.add("--strict");
  if (settings.skip_invalid) line.add("--skip-invalid");
  if (settings.allow_repeated_references) line.add("--allow-repeated-references");
  if (!settings.encoding.empty()) line.add("--encoding", settings.encoding);
  if (settings.delimiter) {
    line.add("--delimiter", std::string(delimiter_name(settings.delimiter)));
  }
}

Settings without_limit(Settings settings, Stop stop) {
  if (stop == Stop::max_orders) settings.limits.max_orders.reset();
  if (stop == Stop::max_seats) settings.limits.max_seats.reset();
  if (stop == Stop::max_seat_months) settings.limits.max_seat_months.reset();
  return settings;
}

/// Half as many orders in the same time, or as many in twice the time.
RateLimit half_of(const RateLimit& rate) {
  if (rate.unlimited()) return RateLimit{};
  if (rate.count > 1) return {rate.count / 2, rate.window};
  return {1, std::min<nanoseconds>(2 * rate.window, kRateWindowMax)};
}

/// The command that does what the advice of the stop says (io/summary), where that is not the same.
std::string mended(const Settings& settings, Stop stop, const ByPlan& plan) {
  if (stop == Stop::not_after && !plan.from_now) return command_without(settings, "--not-after");
  if (stop != Stop::max_attempts) return settings.command_line;
  return command_of(settings, words_with(words_without(settings.words, "--rate"), "--rate",
                                         to_string(half_of(settings.rate))));
}

/// One that is gone, damaged or expired cannot be kept to.
bool is_of_use(const std::string& plan, WallTime today) {
  try {
    return Plan::read(plan).expires_at() > today;
  } catch (const Refusal&) {
    return false;
  }
}

constexpr std::string_view kCanaryLost =
    "rows were rejected, so the canary holds the rest: look at them; it goes on without it";
constexpr std::string_view kCanaryWaits = "the canary waits for the rows in doubt: settle them";
constexpr std::string_view kOverPlan = "the plan has expired, or is not there";

json fact_of(const Facts& facts) {
  const auto found = facts.find(kFactGoingOn);
  if (found == facts.end()) return json::object();
  json parsed = json::parse(found->second, nullptr, false);
  return parsed.is_object() ? parsed : json::object();
}

std::string text_in(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

/// The command with --again, before what may end its options.
std::string said_again(std::string command) {
  constexpr std::string_view kRun = " run ";
  if (command.find(" --again") != std::string::npos) return command;
  const std::size_t run = command.find(kRun);
  const std::size_t place = run == std::string::npos ? command.size() : run + kRun.size() - 1;
  return command.insert(place, " --again");
}

std::uint64_t number_in(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

}  // namespace

std::string plan_command(const Settings& settings, std::uint64_t canary) {
  if (settings.plan.empty()) return {};
  CommandLine line(settings.program + " check " + operand_quoted(settings.input));
  line.add_path("--plan", settings.plan);
  const bool configured =
      std::ranges::any_of(settings.configuration.values,
                          [](const ConfiguredValue& value) { return value.layer != Layer::flag; });
  if (configured) line.add("--no-config");
  line.add("--rate", to_string(settings.rate));
  if (settings.endpoint) line.add("--endpoint", "https://" + endpoint_text(settings.endpoint));
  if (settings.profile) line.add("--profile", *settings.profile);
  add_limits(line, settings.limits, canary);
  if (settings.replay == Replay::same_bytes) line.add("--replay", "same-bytes");
  add_reading(line, settings);
  return line.text();
}

std::string limit_option(Stop stop) {
  switch (stop) {
    case Stop::max_orders:
      return "--max-orders";
    case Stop::max_seats:
      return "--max-seats";
    case Stop::max_seat_months:
      return "--max-seat-months";
    default:
      return {};
  }
}

std::string going_on_fact(const Settings& settings) {
  const json fact = {{kCanary, settings.limits.canary},
                     {kWithoutCanary, settings.without_canary},
                     {kPlanPath, settings.plan.empty() ? "" : absolute(settings.plan)},
                     {kNewPlan, plan_command(settings, settings.limits.canary)},
                     {kNewPlanWithoutCanary, plan_command(settings, 0)}};
  return fact.dump(-1, ' ', false, json::error_handler_t::replace);
}

bool canary_is_lost(std::uint64_t canary, const Rows& rows) {
  return canary > 0 && rows.count_of(State::rejected) > 0;
}

GoingOn going_on(const Facts& facts, const Rows& rows, const std::string& ledger,
                 std::string_view here, WallTime today) {
  const json kept = fact_of(facts);
  const std::uint64_t canary = number_in(kept, kCanary);
  const std::string plan = text_in(kept, kPlanPath);
  const std::uint64_t doubts = rows.count_of(State::in_doubt) + rows.count_of(State::intended);
  GoingOn going_on;
  if (canary_is_lost(canary, rows)) {
    going_on = {std::string(kCanaryLost), text_in(kept, kNewPlanWithoutCanary),
                text_in(kept, kWithoutCanary)};
  } else {
    going_on.command = fact(facts, kFactCommand, ledger);
    if (canary > 0 && doubts > 0) going_on.why = kCanaryWaits;
    if (!plan.empty() && !is_of_use(plan, today)) {
      going_on.why = kOverPlan;
      going_on.new_plan = text_in(kept, kNewPlan);
    }
  }
  if (const std::string missing = commits_missing(facts); !missing.empty()) {
    going_on.why = fmt::format(
        "{}: the last orders may be forgotten, and no run sends anything:\n{}{}{}",
        printable(missing), kAfterFailover, going_on.why.empty() ? "" : "\n", going_on.why);
    going_on.command = said_again(going_on.command);
    going_on.once_looked = true;
  }
  const auto directory = facts.find(kFactDirectory);
  if (directory != facts.end() && directory->second != here) {
    const std::string go_there = "cd " + shell_quoted(directory->second) + " && ";
    going_on.command.insert(0, go_there);
    if (!going_on.new_plan.empty()) going_on.new_plan.insert(0, go_there);
  }
  return going_on;
}

GoingOn going_on(const Settings& settings, Stop stop, const Rows& rows, const ByPlan& plan) {
  if (canary_is_lost(settings.limits.canary, rows)) {
    return {"", plan_command(settings, 0), settings.without_canary};
  }
  const std::string option = limit_option(stop);
  const bool too_small = !plan.again && !option.empty();
  const bool left_out = too_small && plan.limit_at.empty();
  GoingOn next{"", "", settings.command_line};
  if (too_small || plan.expired) {
    next.new_plan =
        plan_command(left_out ? without_limit(settings, stop) : settings, settings.limits.canary);
  }
  if (left_out) {
    next.command = command_without(settings, option);
  } else if (!plan.planned) {
    next.command = mended(settings, stop, plan);
  }
  return next;
}

std::string to_text(const GoingOn& going_on, std::string_view intent) {
  std::string text;
  if (!going_on.why.empty()) text += going_on.why + "\n";
  if (going_on.once_looked) text += "only if there is none: ";
  if (!going_on.new_plan.empty()) {
    text += fmt::format("first, make a new plan:\n  {}\n", printable(going_on.new_plan));
  }
  return text + fmt::format("{}:\n  {}\n", intent, printable(going_on.command));
}

}  // namespace sagorder::io
