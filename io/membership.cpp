#include "io/membership.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "engine/account.hpp"
#include "engine/timestamp.hpp"
#include "io/commands.hpp"
#include "io/file.hpp"
#include "io/postgres_timeline.hpp"

namespace sagorder::io {
namespace {

using nlohmann::json;

constexpr int kAgreeTries = 10;
constexpr std::size_t kRowsNamed = 20;  // of a dead host's, in its line
constexpr milliseconds kReachEvery{200};

std::string output_fact(std::int64_t host) {
  return std::string(kFactOutputOfHost) + std::to_string(host);
}

/// `3 rows were under way (5, 8, 13)`.
std::string rows_text(const std::vector<Row>& rows) {
  std::string text = rows.size() == 1 ? "1 row was under way (row "
                                      : fmt::format("{} rows were under way (rows ", rows.size());
  for (std::size_t i = 0; i < rows.size() && i < kRowsNamed; ++i) {
    text += (i == 0 ? "" : ", ") + std::to_string(rows[i].value);
  }
  return text + (rows.size() > kRowsNamed ? ", ...)" : ")");
}

/// Empty: it is not there.
std::string text_in(const json& object, const std::string& name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

Membership::~Membership() {
  try {
    ledger_.leave();
  } catch (const std::exception&) {  // others learn it by its silence
    return;
  }
}

Facts Membership::join(const Facts& ours, const std::vector<Common>& common) {
  Facts facts = ledger_.add_facts(ours);
  const std::string account = agree(ours, common);
  Facts changed = {{output_fact(ledger_.host()), absolute(settings_.output)},
                   {std::string(kFactAccount), account}};
  for (const Common& each : common)
    changed[std::string(each.name)] = ours.at(std::string(each.name));
  std::erase_if(changed, [&](const auto& each) {
    const auto there = facts.find(each.first);
    return there != facts.end() && there->second == each.second;
  });
  ledger_.set_facts(changed);
  for (const auto& [name, value] : changed) facts[name] = value;
  return facts;
}

/// @return the account, which who says all this first names
std::string Membership::agree(const Facts& ours, const std::vector<Common>& common) {
  const Limits& limits = settings_.limits;
  const bool bound =
      limits.max_orders || limits.max_seats || limits.max_seat_months || limits.canary > 0;
  json terms;
  for (const Common& each : common) {
    const std::string name(each.name);
    terms[name] = ours.at(name);
  }
  std::string account = ours.at(std::string(kFactAccount));
  for (int tries = 0; tries < kAgreeTries; ++tries) {  // another run may begin meanwhile
    terms[std::string(kFactAccount)] = account;
    const std::string text = terms.dump(-1, ' ', false, json::error_handler_t::replace);
    const std::string first = ledger_.agree(text, bound);
    if (first == text) return account;
    const json theirs = json::parse(first);
    for (const Common& each : common) {
      const std::string name(each.name);
      if (text_in(theirs, name) == text_in(json::parse(text), name)) continue;
      throw Refusal(each.otherwise,
                    fmt::format("{}: '{}' here, and '{}' at the hosts that are at work with this "
                                "batch; nothing was sent",
                                each.option, ours.at(name), text_in(theirs, name)),
                    fmt::format("give all of them the same {}", each.option));
    }
    account = text_in(theirs, std::string(kFactAccount));
  }
  throw Refusal(ExitCode::usage,
                "the hosts that are at work with this batch are of another version of sagorder; "
                "nothing was sent",
                "use the same on all, or wait until the others are done");
}

/// A process of this machine with this results file is this host, whatever its number was. It holds
/// the file's lock, so the others have ended.
ResultsRepair::IsOurs Membership::own_rows(std::uint64_t rows) {
  const Facts facts = ledger_.facts();
  const std::vector<HostSeen> hosts = ledger_.hosts();
  std::string name;
  for (const HostSeen& each : hosts) {
    if (each.id == ledger_.host()) name = each.host.name;
  }
  std::vector<std::int64_t> ours;
  bool ended_without_a_word = false;
  for (const HostSeen& each : hosts) {
    const auto output = facts.find(output_fact(each.id));
    const bool same = output != facts.end() && output->second == absolute(settings_.output);
    if (!same || each.host.name != name) continue;
    ours.push_back(each.id);
    ended_without_a_word = ended_without_a_word || each.alive;
  }
  results_are_ours_ = !ours.empty();
  if (ended_without_a_word) ledger_.replace(ours);
  auto settled = std::make_shared<std::vector<bool>>(rows);
  if (!ours.empty()) {
    ledger_.tried_by(ours, [&](Row row) {
      if (row.value <= rows) (*settled)[row.value - 1] = true;
    });
  }
  return [settled](Row row) { return (*settled)[row.value - 1]; };
}

void Membership::tell_results_know_more() {
  if (!results_are_ours_) return;
  ledger_.set_facts({{std::string(kFactFailover),
                      "results of it have lines of rows that it knows nothing of: an older copy "
                      "took its place"}});
}

SharedTerms Membership::terms(const Facts& facts, std::vector<Row> left_out,
                              std::uint64_t rows) const {
  SharedTerms terms;
  terms.lease = settings_.lease;
  terms.bucket.account = fact(facts, kFactAccount, settings_.ledger);
  if (!settings_.rate.unlimited()) {
    const AccountTerms account{settings_.rate, settings_.burst, settings_.lease};
    terms.bucket.per_second = settings_.rate.per_second();
    terms.bucket.capacity = account.capacity();
  }
  terms.bucket.climb_per_second = kClimbPerSecond;
  terms.bucket.factor_min = kFactorMin;
  terms.limits = most_by(settings_.limits);
  terms.left_out = std::move(left_out);
  // Among the first rows are as many orders as the canary has.
  std::uint64_t first = settings_.limits.canary;
  for (std::size_t i = 0; first > 0 && i < terms.left_out.size(); ++i) {
    if (terms.left_out[i].value <= first) ++first;
  }
  terms.canary_rows = std::min(first, rows);
  return terms;
}

void Membership::agree(const SharedTerms& terms) {
  try {
    static_cast<void>(ledger_.lease(terms.bucket, {}));
  } catch (const OtherTerms& other) {
    throw Refusal(ExitCode::usage, other.what(), "or wait until the others are done");
  }
}

void Membership::reach() {
  const SteadyTime until = std::chrono::steady_clock::now() + kReachPatience;
  while (true) {
    try {
      ledger_.connect_if_lost();
      static_cast<void>(ledger_.facts());
      return;
    } catch (const Fenced&) {
      throw;
    } catch (const RecordsLost&) {
      throw;
    } catch (const std::runtime_error&) {  // also as a command holds the batch for a moment
      if (std::chrono::steady_clock::now() >= until) throw;
    }
    std::this_thread::sleep_for(kReachEvery);
  }
}

void Membership::look_back(Rows& rows, Log& log) {
  ledger_.connect_if_lost();
  rows = replay_rows(ledger_, rows.count(), settings_.ledger);
  std::map<std::int64_t, std::pair<HostSeen, std::vector<Row>>> left;
  for (const OpenIntent& open : ledger_.open_intents()) {
    if (open.host.alive) continue;
    if (!rows.apply({RecordKind::in_doubt, open.row, open.attempt})) continue;  // settled by now
    auto& [host, its] = left[open.host.id];
    host = open.host;
    its.push_back(open.row);
  }
  for (const auto& [id, entry] : left) {
    const auto& [host, its] = entry;
    log.warning(fmt::format(
        "{} at host {} (process {}) when it was last heard of, at {}; in doubt, and not sent again",
        rows_text(its), host.host.name, host.host.process, timestamp(host.heartbeat)));
  }
}

}  // namespace sagorder::io
