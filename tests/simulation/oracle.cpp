#include "tests/simulation/oracle.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cstring>

#include "engine/result.hpp"
#include "tests/simulation/disk.hpp"

namespace sagorder::simulation {

void Oracle::violate(std::string_view invariant, std::string text) {
  trace_.tell("VIOLATION {}: {}", invariant, text);
  if (violations_.size() < 8) violations_.push_back({std::string(invariant), std::move(text)});
}

// ------------------------------------------------------------------------------------ the server

std::uint64_t Oracle::executed(std::uint32_t row, std::uint32_t attempted) {
  const std::uint64_t id = kFirstId + row_of_id_.size();
  if (row == 0 || row >= truth_.size()) {
    violate("I4", fmt::format("an order of no row was executed: {}", row));
    return id;
  }
  row_of_id_.push_back({row, 0});
  Truth& truth = truth_[row];
  if (!truth.ids.empty()) {
    const bool copy = truth.nonce == attempted;
    if (truth.lied) {
      ++told.lied_twice;
    } else if (copy && !plan_.keeps_nonce_rule && plan_.options.replay == Replay::same_bytes) {
      ++told.copies_executed;
    } else {
      violate(plan_.options.replay == Replay::same_bytes ? "I16" : "I1",
              fmt::format("row {} is executed {} times", row, truth.ids.size() + 1));
    }
  }
  truth.nonce = attempted;
  truth.ids.push_back(id);
  return id;
}

void Oracle::lied(std::uint32_t row) {
  ++told.lied;
  truth_.at(row).lied = true;
}

// -------------------------------------------------------------------------------------- the wire

std::uint32_t Oracle::attempt_of(std::string_view nonce, std::uint32_t row) {
  for (std::size_t i = attempts_.size(); i-- > 0;) {
    if (std::memcmp(attempts_[i].nonce.hex.data(), nonce.data(), 32) == 0) {
      return static_cast<std::uint32_t>(i);
    }
  }
  attempts_.emplace_back();
  std::memcpy(attempts_.back().nonce.hex.data(), nonce.data(), 32);
  attempts_.back().row = row;
  return static_cast<std::uint32_t>(attempts_.size() - 1);
}

void Oracle::process_begins(std::uint32_t host) { wires_[host] = {}; }

void Oracle::process_paused(std::uint32_t host, Time until) {
  wires_[host].paused_at = clock_.now();
  if (plan_.threads > 1) wires_[host].unjudged_until = until + 2 * kMailMax;
}

void Oracle::written(std::uint32_t index, std::uint32_t row, std::uint32_t host) {
  Attempted& attempt = attempts_[index];
  ++requests_;
  ++attempt.writes;
  if (!attempt.durable || attempt.row != row) {
    violate("I5", fmt::format("a byte of row {} leaves before its intent is durable", row));
  }
  if (attempt.writes == 1) {
    attempt.first_written = clock_.now();
  } else if (plan_.options.replay == Replay::never || attempt.writes > 2 ||
             !attempt.replay_durable) {
    violate("I5", fmt::format("a copy of row {} leaves, and no record of it is durable", row));
  } else if (const Time late = clock_.now() - attempt.first_written - 60 * kSecond; late > 0) {
    // The engine judges its age when it hands it over: it may have to connect, and the process may
    // be made to stand still.
    if (wires_[host].paused_at >= attempt.first_written) {
      ++told.late_copies;
    } else if (late > plan_.connect_timeout + 2 * kMailMax + 100 * kMillisecond) {
      violate("I5",
              fmt::format("a copy of row {} leaves {} ms too late", row, late / kMillisecond));
    }
  }
  judge_rate(host);
  judge_age(attempt, host);
  judge_allowed(row, host);
}

void Oracle::sends_begin(std::uint32_t host, const Rows& rows) {
  if (plan_.sends_for > 0) wires_[host].last = clock_.now() + plan_.sends_for;
  wires_[host].canary_lost = plan_.options.canary > 0 &&
                             rows.count_of(State::rejected) + rows.count_of(State::in_doubt) > 0;
}

void Oracle::judge_allowed(std::uint32_t row, std::uint32_t host) {
  const Wire& wire = wires_[host];
  const Time slack = kMillisecond + (plan_.threads > 1 ? kMailMax : 0);
  const bool late = wire.last > 0 && clock_.now() > wire.last + slack;
  if (late && clock_.now() > wire.unjudged_until) {
    violate("I21", fmt::format("row {} leaves {} ms after the deadline", row,
                               (clock_.now() - wire.last) / kMillisecond));
  }
  if (wire.canary_lost) {
    violate("I20", fmt::format("row {} leaves, and the canary was lost before", row));
  }
}

/// The engine looks when it hands a request over; then it may have to connect.
void Oracle::judge_age(const Attempted& attempt, std::uint32_t host) {
  if (attempt.writes > 1 || jumped_at_ >= attempt.durable_at) return;
  if (wires_[host].paused_at >= attempt.durable_at) return;
  const auto age = clock_.moment().wall - attempt.stamped;
  if (age > seconds(301) + milliseconds(plan_.connect_timeout / kMillisecond)) {
    violate("I18", fmt::format("row {} leaves under a timestamp of {} s ago", attempt.row,
                               std::chrono::duration_cast<seconds>(age).count()));
  }
}

void Oracle::run_begins(std::uint32_t life, bool limited) {
  Spent& oldest = spent_[0].life < spent_[1].life ? spent_[0] : spent_[1];
  oldest = {limited ? life : 0, 0, 0, std::vector<bool>(plan_.rows + 1, false)};
}

void Oracle::spend(std::uint32_t row, std::uint32_t life) {
  for (Spent& spent : spent_) {
    if (spent.life != life || spent.counted[row]) continue;
    spent.counted[row] = true;
    ++spent.orders;
    spent.seats += row;
    if (spent.orders > plan_.options.max_orders.value_or(UINT64_MAX) ||
        spent.seats > plan_.options.max_seats.value_or(UINT64_MAX) ||
        spent.seats > plan_.options.max_seat_months.value_or(UINT64_MAX)) {
      violate("I17", fmt::format("a run spends {} orders and {} seats", spent.orders, spent.seats));
    }
  }
}

void Oracle::judge_rate(std::uint32_t host) {
  const RateLimit& rate = plan_.options.rate;
  if (rate.unlimited()) return;
  const Time interval = rate.window.count() / static_cast<Time>(rate.count);
  const Time burst = static_cast<Time>(plan_.options.burst);
  const Time slack = plan_.threads > 1 ? kMailMax : 0;
  Wire& wire = wires_[host];
  if (clock_.now() <= wire.unjudged_until) {
    wire.arrival = 0;
    return;
  }
  const Time now = clock_.now() + kSecond;  // so that 0 is long ago
  if (now < wire.arrival - interval * (burst - 1) - slack) {
    violate("I9", fmt::format("a request leaves {} us too early for the rate",
                              (wire.arrival - interval * (burst - 1) - now) / kMicrosecond));
  }
  wire.arrival = std::max(wire.arrival, now) + interval;
}

// -------------------------------------------------------------------------------------- the disk

void Oracle::durable(const Record& record, std::uint32_t place, std::uint32_t life) {
  const auto row = static_cast<std::uint32_t>(record.row.value);
  trace_.tell("durable: row {} {} (attempt {}) {}{}", row, name_of(record.kind),
              record.attempt.value, record.code, record.order_id);
  for (const std::string* text :
       {&record.message, &record.evidence, &record.code, &record.request_id, &record.sag_id}) {
    shown(*text, "a record");
  }
  if (record.kind == RecordKind::placed || record.kind == RecordKind::in_doubt) spend(row, life);
  if (record.kind == RecordKind::intent) {
    Attempted& attempt = attempts_[attempt_of(record.nonce.view(), row)];
    if (attempt.durable) violate("I5", fmt::format("row {} uses a nonce again", row));
    attempt.durable = true;
    attempt.durable_at = clock_.now();
    attempt.place = place;
    attempt.stamped = record.at;
  } else if (record.kind == RecordKind::replay) {
    for (Attempted& attempt : attempts_) {
      if (attempt.row == row && attempt.place == place) attempt.replay_durable = true;
    }
  } else if (record.kind == RecordKind::placed) {
    std::uint64_t id = 0;
    std::from_chars(record.order_id.data(), record.order_id.data() + record.order_id.size(), id);
    if (id < kFirstId || id - kFirstId >= row_of_id_.size()) {
      violate("I3", fmt::format("row {} is placed as {}, which nobody gave", row, record.order_id));
      return;
    }
    IdOf& known = row_of_id_[id - kFirstId];
    const bool knowable = known.placed_in == life + 1;
    const bool hostile = plan_.of(Fault::repeats_id) > 0 || plan_.of(Fault::answers_again) > 0;
    if (known.row != row && (knowable || !hostile)) {
      violate("I3", fmt::format("row {} is placed as {}, which is row {}'s", row, id, known.row));
    } else if (known.row != row) {
      ++told.ids_of_before;
    } else if (known.placed_in != 0) {
      violate("I3", fmt::format("row {} is placed twice as {}", row, id));
    }
    if (known.placed_in == 0) known.placed_in = life + 1;
  }
}

void Oracle::shown(std::string_view text, const char* where) {
  if (text.size() < kCanary.size()) return;
  if (::memmem(text.data(), text.size(), kCanary.data(), kCanary.size()) != nullptr) {
    violate("I15", fmt::format("the secret is shown in {}", where));
  }
}

void Oracle::foreign(std::string_view bytes) {
  std::string start = "{\"Row\":";
  if (plan_.format == ResultFormat::csv) {
    start.clear();
    ResultWriter(plan_.format, {"UserCount", "Note"}).header(start);
  }
  const std::string_view written = bytes.substr(0, bytes.find('\0'));
  const std::size_t shared = std::min(start.size(), written.size());
  if (written.size() < bytes.size() && written.substr(0, shared) == start.substr(0, shared)) {
    ++told.torn_first_lines;
  } else {
    violate("I6", "the results begin with what is not ours");
  }
}

void Oracle::judge_results(const Disk& disk, std::uint32_t place, bool whole) {
  const Place& at = disk.places[place];
  Rows rows(plan_.rows);
  for (const Record& record : at.ledger.records) {
    rows.apply({record.kind, record.row, record.attempt});
  }
  shown(at.results.bytes(), "the results");
  std::vector<std::uint8_t> seen(plan_.rows + 1, 0);
  ResultScanner scanner(plan_.format, {"UserCount", "Note"});
  ResultKey key;
  std::string_view rest = at.results.bytes();
  for (;;) {
    const auto step = scanner.next(rest, true, key);
    if (step.what == ResultScan::end || (step.what != ResultScan::line && !whole)) break;
    if (step.what != ResultScan::line) {
      violate("I6", "the results hold what is no line of ours");
      return;
    }
    rest.remove_prefix(step.consumed);
    if (step.header) continue;
    if (key.row.value == 0 || key.row.value > plan_.rows) {
      violate("I6", fmt::format("the results have a line of row {}", key.row.value));
      return;
    }
    if (seen[key.row.value]++ != 0) {
      violate("I6", fmt::format("the results have two lines of row {}", key.row.value));
    }
    const auto due = status_of(rows.state(key.row));
    const bool invalid = key.status == ResultStatus::invalid;
    if (due ? *due != key.status : !invalid) {
      violate("I6", fmt::format("the results say {} of row {}, the ledger {}", name_of(key.status),
                                key.row.value, name_of(rows.state(key.row))));
    }
    if (due == ResultStatus::placed) {
      const Record* record = disk.outcome_of(place, key.row);
      if (record == nullptr || record->order_id != key.order_id) {
        violate("I6", fmt::format("the results give row {} another OrderId", key.row.value));
      }
    }
  }
  if (!whole) return;
  for (std::uint32_t row = 1; row <= plan_.rows; ++row) {
    if (seen[row] == 0 && status_of(rows.state({row}))) {
      violate("I6", fmt::format("the results have no line of row {}, which is {}", row,
                                name_of(rows.state({row}))));
    }
  }
}

void Oracle::judge_rows(const Disk& disk) {
  Rows states[2] = {Rows(plan_.rows), Rows(plan_.rows)};
  for (std::uint32_t p = 0; p < 2; ++p) {
    for (const Record& record : disk.places[p].ledger.records) {
      states[p].apply({record.kind, record.row, record.attempt});
    }
  }
  for (std::uint32_t row = 1; row <= plan_.rows; ++row) {
    const Truth& truth = truth_[row];
    bool accounted = truth.ids.empty();
    for (std::uint32_t p = 0; p < 2; ++p) {
      const State state = states[p].state({row});
      accounted = accounted || state == State::in_doubt || state == State::intended;
      if (state != State::placed) continue;
      accounted = true;
      const Record* record = disk.outcome_of(p, {row});
      std::uint64_t id = 0;
      std::from_chars(record->order_id.data(), record->order_id.data() + record->order_id.size(),
                      id);
      const bool its = std::find(truth.ids.begin(), truth.ids.end(), id) != truth.ids.end();
      if (!its && told.ids_of_before == 0) {
        violate("I3", fmt::format("row {} is placed as {}, which its requests never produced", row,
                                  record->order_id));
      }
    }
    if (accounted || truth.lied) continue;
    const Record* record = disk.outcome_of(0, {row});
    const bool refused = record != nullptr && record->kind == RecordKind::rejected;
    violate(refused ? "I4" : "I2",
            fmt::format("row {} is executed, and the ledger says {}", row,
                        record == nullptr ? "nothing" : name_of(record->kind)));
  }
}

}  // namespace sagorder::simulation
