#include "io/summary.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "io/log.hpp"

namespace sagorder::io {
namespace {

double seconds_of(nanoseconds span) { return static_cast<double>(span.count()) / 1e9; }
double ms_of(nanoseconds span) { return static_cast<double>(span.count()) / 1e6; }

double rate_of(const Summary& summary) {
  const double span = seconds_of(summary.elapsed);
  return span > 0 ? static_cast<double>(summary.tally.sent) / span : 0;
}

}  // namespace

std::string advice_for(Stop stop, const Rows& rows) {
  switch (stop) {
    case Stop::none:
      break;
    case Stop::interrupted:
    case Stop::abandoned:
      return "The same command goes on with the rows that are left:";
    case Stop::max_orders:
      return "Look at the results; to go on, raise or leave out --max-orders:";
    case Stop::max_seats:
      return "Look at the results; to go on, raise or leave out --max-seats:";
    case Stop::max_seat_months:
      return "Look at the results; to go on, raise or leave out --max-seat-months:";
    case Stop::canary:
      return rows.count_of(State::rejected) > 0
                 ? "Look at the rows that were rejected; to go on with the rest all the same:"
                 : "Settle what is in doubt (reconcile, or resolve); then the same command goes "
                   "on:";
    case Stop::not_after:
      return "The rows that are left can be sent with a later --not-after:";
    case Stop::max_failures:
      return "Mend what the messages name, then the same command goes on:";
    case Stop::max_doubts:
      return "Find out what became of the rows in doubt before you go on:";
    case Stop::max_attempts:
      return "The gateway kept refusing for the rate; with a lower --rate:";
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
    case Stop::output_failed:
    case Stop::ledger_failed:
      return "Make room or mend the disk, then the same command goes on:";
  }
  if (rows.count_of(State::in_doubt) > 0) return "Rows are in doubt; each can be looked at with:";
  return {};
}

std::string to_text(const Summary& summary) {
  const Rows& rows = summary.rows;
  std::string text;
  const auto line = [&](std::string_view name, std::uint64_t count, std::string_view note) {
    if (count == 0 && name != "placed") return;
    text += fmt::format("  {:<10} {:>9}{}{}\n", name, count, note.empty() ? "" : "  ", note);
  };
  if (summary.stop != Stop::none) {
    const bool by_hand = summary.stop == Stop::interrupted || summary.stop == Stop::abandoned;
    const std::string name = by_hand ? "" : std::string(name_of(summary.stop)) + ": ";
    text += fmt::format("stopped: {}{}\n", name, printable(summary.stop_detail));
  }
  line("placed", rows.count_of(State::placed), "");
  line("rejected", rows.count_of(State::rejected), "see Code and Message in the results");
  line("in doubt", rows.count_of(State::in_doubt), "may have been ordered; never sent again");
  line("invalid", summary.validation.invalid, "left out");
  line("not sent", summary.not_sent, "");
  const Tally& tally = summary.tally;
  if (tally.sent > 0) {
    text += fmt::format(
        "requests {} in {:.1f} s, {:.1f}/s; answers p50 {:.1f} ms, p99 {:.1f} ms; throttled {}, "
        "faults {}\n",
        tally.sent, seconds_of(summary.elapsed), rate_of(summary),
        ms_of(tally.latency.quantile(0.5)), ms_of(tally.latency.quantile(0.99)), tally.throttled,
        tally.faults);
    text += fmt::format("{} seats, {} seat-months placed in this run\n", tally.seats_placed,
                        tally.seat_months_placed);
  }
  text += fmt::format("results: {}\nledger:  {}\n", printable(summary.output),
                      printable(summary.ledger));
  if (!summary.advice.empty()) text += summary.advice + "\n";
  if (!summary.status_command.empty()) text += "  " + printable(summary.status_command) + "\n";
  if (!summary.next_command.empty()) text += "  " + printable(summary.next_command) + "\n";
  return text;
}

std::string to_json(const Summary& summary) {
  const Rows& rows = summary.rows;
  const Tally& tally = summary.tally;
  nlohmann::ordered_json json;
  json["exit_code"] = static_cast<int>(summary.exit_code);
  json["stop"] = std::string(name_of(summary.stop));
  json["stop_detail"] = printable(summary.stop_detail);
  json["batch"] = {{"rows", summary.validation.rows},
                   {"placed", rows.count_of(State::placed)},
                   {"rejected", rows.count_of(State::rejected)},
                   {"in_doubt", rows.count_of(State::in_doubt)},
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
                 {"requests_per_s", rate_of(summary)}};
  json["latency_ms"] = {{"p50", ms_of(tally.latency.quantile(0.5))},
                        {"p90", ms_of(tally.latency.quantile(0.9))},
                        {"p99", ms_of(tally.latency.quantile(0.99))},
                        {"max", ms_of(tally.latency.max())}};
  json["network"] = {{"connects", summary.network.connects},
                     {"handshakes_resumed", summary.network.handshakes_resumed},
                     {"reused", summary.network.reused},
                     {"discarded", summary.network.discarded},
                     {"bytes_written", summary.network.bytes_written},
                     {"bytes_read", summary.network.bytes_read}};
  json["results"] = summary.output;
  json["ledger"] = summary.ledger;
  json["status_command"] = summary.status_command;
  json["next_command"] = summary.next_command;
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace sagorder::io
