#include "io/summary.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <span>
#include <vector>

#include "io/commands.hpp"
#include "io/log.hpp"
#include "io/table.hpp"

namespace sagorder::io {
namespace {

double seconds_of(nanoseconds span) { return static_cast<double>(span.count()) / 1e9; }
double ms_of(nanoseconds span) { return static_cast<double>(span.count()) / 1e6; }

double rate_of(const Summary& summary) {
  const double span = seconds_of(summary.elapsed);
  return span > 0 ? static_cast<double>(summary.tally.sent) / span : 0;
}

using nlohmann::ordered_json;

constexpr std::size_t kIndent = 2;  // of tables

std::uint64_t all_of(const Breakdown::Region& region) {
  return region.placed + region.rejected + region.in_doubt;
}
std::uint64_t all_of(const Breakdown::Code& code) {
  return code.rejected + code.in_doubt + code.not_executed;
}
std::string name_of(const Breakdown::Region& region) {
  return region.region_id.empty() ? "others" : printable(region.region_id);
}
std::string name_of(const Breakdown::Code& code) {
  return code.code.empty() ? "others" : printable(code.code);
}

/// The most frequent first; those of one number as they came.
template <class Each>
std::vector<Each> sorted(std::vector<Each> all) {
  std::ranges::stable_sort(all, [](const Each& a, const Each& b) { return all_of(a) > all_of(b); });
  return all;
}

/// @param cells_of a line's
template <class Each, class CellsOf>
std::string table_of(const std::vector<Each>& all, Table table, const CellsOf& cells_of, int wide) {
  const std::size_t shown = std::min(all.size(), kSummaryLinesMax);
  for (const Each& each : std::span(all).first(shown)) table.add(cells_of(each));
  std::string text = table.text(wide);
  if (shown < all.size()) {
    text +=
        fitted(fmt::format("  and {} more; --summary FILE has them all", all.size() - shown), wide);
  }
  return text;
}

std::string text_of(std::uint64_t count) { return std::to_string(count); }

/// Of this run. One region says no more than the line of the totals.
std::string regions_text(const Breakdown& breakdown, int wide) {
  const auto all = sorted(breakdown.regions());
  if (all.size() < 2) return {};
  return table_of(
      all,
      Table({{"RegionId", 24},
             {"placed", 9},
             {"rejected", 9},
             {"in doubt", 9},
             {"seats", 10},
             {"seat-months", 12}},
            kIndent),
      [](const Breakdown::Region& region) {
        return std::vector{name_of(region),
                           text_of(region.placed),
                           text_of(region.rejected),
                           text_of(region.in_doubt),
                           text_of(region.seats_placed),
                           text_of(region.seat_months_placed)};
      },
      wide);
}

std::string codes_text(const Breakdown& breakdown, int wide) {
  auto all = sorted(breakdown.codes());
  std::erase_if(all, [](const Breakdown::Code& each) { return each.code == kCodeNotSent; });
  if (all.empty()) return {};
  return table_of(
      all, Table({{"Code", 34}, {"rejected", 9}, {"in doubt", 9}, {"not executed", 13}}, kIndent),
      [](const Breakdown::Code& code) {
        return std::vector{name_of(code), text_of(code.rejected), text_of(code.in_doubt),
                           text_of(code.not_executed)};
      },
      wide);
}

/// A code of ours that would mean nothing to people.
std::string taken_back_text(const Breakdown& breakdown, int wide) {
  for (const Breakdown::Code& each : breakdown.codes()) {
    if (each.code != kCodeNotSent || each.not_executed == 0) continue;
    return fitted(fmt::format("taken back before a byte was sent: {}", each.not_executed), wide);
  }
  return {};
}

std::string latency_text(const Histogram& latency) {
  return fmt::format("p50 {:.1f} ms, p99 {:.1f} ms, at most {:.1f} ms",
                     ms_of(latency.quantile(0.5)), ms_of(latency.quantile(0.99)),
                     ms_of(latency.max()));
}

constexpr std::string_view words_of(WaitFor what) {
  constexpr std::array<std::string_view, kWaits> kWords = {"the input",   "the rate", "throttling",
                                                           "connections", "answers",  "the ledger"};
  return kWords.at(static_cast<std::size_t>(what));
}

/// Where the time went, the most first, without what would be shown as nothing.
std::string waits_text(const Waits& waits) {
  std::vector<WaitFor> all;
  for (std::size_t i = 0; i < kWaits; ++i) all.push_back(static_cast<WaitFor>(i));
  std::ranges::stable_sort(all, [&](WaitFor a, WaitFor b) { return waits.of(a) > waits.of(b); });
  std::string text;
  for (const WaitFor what : all) {
    if (waits.of(what) < milliseconds(50)) continue;
    text += fmt::format("{}{:.1f} s for {}", text.empty() ? "waited " : ", ",
                        seconds_of(waits.of(what)), words_of(what));
  }
  return text;
}

std::string run_text(const Summary& summary, int wide) {
  const Tally& tally = summary.tally;
  const std::string limit =
      summary.rate.unlimited() ? "no limit" : "limit " + to_string(summary.rate);
  std::string text = fitted(fmt::format("this run: {} placed, {} seats, {} seat-months",
                                        tally.placed, tally.seats_placed, tally.seat_months_placed),
                            wide);
  text += regions_text(tally.breakdown, wide) + codes_text(tally.breakdown, wide) +
          taken_back_text(tally.breakdown, wide);
  text += fitted(fmt::format("requests {} in {:.1f} s, {:.1f}/s, {}; throttled {}, faults {}",
                             tally.sent, seconds_of(summary.elapsed), rate_of(summary), limit,
                             tally.throttled, tally.faults),
                 wide);
  if (tally.latency.count() > 0) {
    text += fitted("answers took " + latency_text(tally.latency), wide);
  }
  if (tally.since_due.count() > 0) {
    text += fitted("from when they were due: " + latency_text(tally.since_due), wide);
  }
  const std::string waits = waits_text(tally.waits);
  return waits.empty() ? text : text + fitted(waits, wide);
}

std::string open_text(std::span<const Row> rows) {
  std::string text = rows.size() == 1 ? "not known: row" : "not known: rows";
  const std::size_t named = std::min(rows.size(), kSummaryRowsMax);
  for (const Row row : rows.first(named)) {
    text += (row == rows.front() ? " " : ", ") + std::to_string(row.value);
  }
  if (named < rows.size()) text += fmt::format(" and {} more", rows.size() - named);
  return text;
}

ordered_json open_json(std::span<const Row> rows) {
  ordered_json json = ordered_json::array();
  for (const Row row : rows.first(std::min(rows.size(), kSummaryRowsMaxJson))) {
    json.push_back(row.value);
  }
  return json;
}

ordered_json latency_json(const Histogram& latency) {
  ordered_json json = {{"count", latency.count()}};
  constexpr std::pair<const char*, double> kQuantiles[] = {
      {"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}};
  for (const auto& [name, share] : kQuantiles) json[name] = ms_of(latency.quantile(share));
  json["max"] = ms_of(latency.max());
  return json;
}

ordered_json regions_json(const Breakdown& breakdown) {
  ordered_json json = ordered_json::array();
  for (const Breakdown::Region& region : sorted(breakdown.regions())) {
    json.push_back({{"region", name_of(region)},
                    {"placed", region.placed},
                    {"rejected", region.rejected},
                    {"in_doubt", region.in_doubt},
                    {"seats_placed", region.seats_placed},
                    {"seat_months_placed", region.seat_months_placed}});
  }
  return json;
}

ordered_json codes_json(const Breakdown& breakdown) {
  ordered_json json = ordered_json::array();
  for (const Breakdown::Code& code : sorted(breakdown.codes())) {
    json.push_back({{"code", name_of(code)},
                    {"rejected", code.rejected},
                    {"in_doubt", code.in_doubt},
                    {"not_executed", code.not_executed}});
  }
  return json;
}

ordered_json waits_json(const Waits& waits) {
  ordered_json json;
  for (std::size_t i = 0; i < kWaits; ++i) {
    const auto what = static_cast<WaitFor>(i);
    json[std::string(name_of(what))] = seconds_of(waits.of(what));
  }
  return json;
}

ordered_json rate_json(const RateLimit& rate) {
  return rate.unlimited() ? ordered_json() : ordered_json(rate.per_second());
}

std::string limit_advice(const std::string& option, const ByPlan& plan) {
  const std::string when = plan.shared ? "once no host is at work, " : "";
  const std::string again = "Look at the results; " + when + "the same command buys as much again";
  if (plan.again && plan.planned) return again + ", by the same plan:";
  if (plan.again && plan.limit_at.empty()) return again + ", and without " + option + " the rest:";
  if (plan.again) return again + ", by " + option.substr(2) + " of " + plan.limit_at + ":";
  const std::string small = "The next row does not fit in " + option;
  if (plan.limit_at.empty())
    return small + "; without it" + (plan.planned ? ", by a new plan:" : ":");
  return small + "; raise it at " + plan.limit_at +
         (plan.planned ? ", then a new plan, and the same command:" : ", then the same command:");
}

std::string canary_advice(const Rows& rows, const ByPlan& plan) {
  if (rows.count_of(State::rejected) == 0) {
    return "Settle what is in doubt (reconcile, or resolve); then the same command goes on:";
  }
  return std::string("Look at the rows that were rejected; to go on with the rest all the same") +
         (plan.planned ? ", by a new plan:" : ":");
}

std::string advice_of_stop(Stop stop, const Rows& rows, const ByPlan& plan) {
  switch (stop) {
    case Stop::none:
      break;
    case Stop::interrupted:
    case Stop::abandoned:
      return "The same command goes on with the rows that are left:";
    case Stop::max_orders:
      return limit_advice("--max-orders", plan);
    case Stop::max_seats:
      return limit_advice("--max-seats", plan);
    case Stop::max_seat_months:
      return limit_advice("--max-seat-months", plan);
    case Stop::canary:
      return canary_advice(rows, plan);
    case Stop::not_after:
      return plan.from_now ? "The same command has as much time again for the rows that are left:"
                           : "The rows that are left can still be sent without --not-after:";
    case Stop::max_failures:
      return "Mend what the messages name, then the same command goes on:";
    case Stop::max_doubts:
      return "Find out what became of the rows in doubt before you go on:";
    case Stop::max_attempts:
      return plan.planned
                 ? "The gateway kept refusing for the rate; the same command goes on later, "
                   "and a lower --rate by a new plan:"
                 : "The gateway kept refusing for the rate; with half of it:";
    case Stop::unreachable:
      return "Check the network and --endpoint, then the same command goes on:";
    case Stop::credentials:
      return "Mend the credentials or permissions, then the same command:";
    case Stop::clock:
      return "Set this machine's clock, then the same command goes on:";
    case Stop::payment:
      return "Settle the account's balance and look for unpaid orders first:";
    case Stop::certificate:
      return "The server could not prove who it is; check --endpoint and --ca-file, then:";
    case Stop::input_changed:
      return "Restore the input as it was, then the same command goes on:";
    case Stop::fenced:
      return "Other hosts go on with the rows that are left; to take part again, the same command:";
    case Stop::output_failed:
    case Stop::ledger_failed:
      return "Once the ledger and the results can be written again, the same command goes on:";
    case Stop::records_lost:
      return "Put the database back that has what is missing. Without it nobody knows which of the "
             "last rows were ordered, and no run of this batch sends anything; what can be done:";
  }
  if (rows.count_of(State::in_doubt) > 0) return "Rows are in doubt; each can be looked at with:";
  return {};
}

}  // namespace

std::string advice_for(Stop stop, const Rows& rows, const ByPlan& plan) {
  std::string advice = advice_of_stop(stop, rows, plan);
  const bool goes_on = stop != Stop::none && stop != Stop::records_lost;
  if (!plan.planned || !plan.expired || !goes_on) return advice;
  return "The plan has expired, so make a new one first. " + advice;
}

std::string to_text(const Summary& summary, int wide) {
  const Rows& rows = summary.rows;
  std::string text;
  const auto line = [&](std::string_view name, std::uint64_t count, std::string_view note) {
    if (count == 0 && name != "placed") return;
    const std::string counted = fmt::format("  {:<10} {:>9}", name, count);
    const bool noted = !note.empty();
    const bool beside =
        wide == 0 || counted.size() + 2 + note.size() <= static_cast<std::size_t>(wide);
    text += counted + (noted && beside ? fmt::format("  {}", note) : "") + "\n";
    if (noted && !beside) text += fitted(fmt::format("      {}", note), wide);
  };
  if (summary.stop != Stop::none) {
    const bool by_hand = summary.stop == Stop::interrupted || summary.stop == Stop::abandoned;
    const std::string name = by_hand ? "" : std::string(words_of(summary.stop)) + ": ";
    text += fitted(fmt::format("stopped: {}{}", name, printable(summary.stop_detail)), wide);
  }
  line("placed", rows.count_of(State::placed), "");
  line("rejected", rows.count_of(State::rejected), "see Code and Message in the results");
  line("in doubt", rows.count_of(State::in_doubt), "may have been ordered; never sent again");
  line("not known", summary.left_open.size(), "begun, their outcome is not recorded: in doubt");
  line("invalid", summary.validation.invalid, "left out");
  line("not sent", summary.not_sent, "");
  if (!summary.left_open.empty()) text += fitted(open_text(summary.left_open), wide);
  if (summary.tally.intents > 0) text += run_text(summary, wide);
  // Paths and commands are pasted: they are left whole.
  text += fmt::format("results: {}\nledger:  {}\n", printable(summary.output),
                      printable(summary.ledger));
  if (!summary.advice.empty()) text += fitted(summary.advice, wide);
  for (const std::string* command :
       {&summary.status_command, &summary.plan_command, &summary.next_command}) {
    if (!command->empty()) text += "  " + printable(*command) + "\n";
  }
  return text;
}

std::string to_json(const Summary& summary, int indent) {
  const Rows& rows = summary.rows;
  const Tally& tally = summary.tally;
  ordered_json json;
  json["run_id"] = summary.run;
  json["begun_at"] = timestamp(summary.begun);
  json["ended_at"] = timestamp(summary.ended);
  json["exit_code"] = static_cast<int>(summary.exit_code);
  json["stop"] = std::string(name_of(summary.stop));
  json["stop_detail"] = printable(summary.stop_detail);
  json["batch"] = {{"rows", summary.validation.rows},
                   {"placed", rows.count_of(State::placed)},
                   {"rejected", rows.count_of(State::rejected)},
                   {"in_doubt", rows.count_of(State::in_doubt)},
                   {"not_known", summary.left_open.size()},
                   {"invalid", summary.validation.invalid},
                   {"not_sent", summary.not_sent}};
  json["run"] = {{"placed", tally.placed},
                 {"rejected", tally.rejected},
                 {"in_doubt", tally.in_doubt},
                 {"attempts", tally.intents},
                 {"requests", tally.sent},
                 {"replays", tally.replays},
                 {"throttled", tally.throttled},
                 {"faults", tally.faults},
                 {"commits", tally.commits},
                 {"seats_placed", tally.seats_placed},
                 {"seat_months_placed", tally.seat_months_placed},
                 {"elapsed_s", seconds_of(summary.elapsed)},
                 {"requests_per_s", rate_of(summary)},
                 {"limit_per_s", rate_json(summary.rate)}};
  json["rows_not_known"] = open_json(summary.left_open);
  json["latency_ms"] = latency_json(tally.latency);
  json["latency_since_due_ms"] = latency_json(tally.since_due);
  json["commit_ms"] = latency_json(tally.commit);
  json["waited_s"] = waits_json(tally.waits);
  json["by_region"] = regions_json(tally.breakdown);
  json["by_code"] = codes_json(tally.breakdown);
  json["network"] = {{"connects", summary.network.connects},
                     {"handshakes_resumed", summary.network.handshakes_resumed},
                     {"reused", summary.network.reused},
                     {"discarded", summary.network.discarded},
                     {"bytes_written", summary.network.bytes_written},
                     {"bytes_read", summary.network.bytes_read}};
  json["results"] = summary.output;
  json["ledger"] = summary.ledger;
  json["status_command"] = summary.status_command;
  json["plan_command"] = summary.plan_command;
  json["next_command"] = summary.next_command;
  return json.dump(indent, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace sagorder::io
