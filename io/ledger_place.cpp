#include "io/ledger_place.hpp"

#include <fmt/format.h>

#include "io/commands.hpp"
#include "io/database_address.hpp"
#include "io/file.hpp"
#include "io/ledger_postgres.hpp"
#include "io/ledger_sqlite.hpp"
#include "io/standing.hpp"

namespace sagorder::io {
namespace {

/// Of an input whose digest is known. A batch that --ledger names has to be that one.
DatabaseAddress address_for(const Settings& settings, const std::string& digest) {
  DatabaseAddress address = database_address(settings.ledger);
  if (digest.starts_with(address.batch)) return address;
  throw Refusal(ExitCode::input,
                fmt::format("{}: names a batch of another input; this one's begins with {}",
                            settings.ledger, digest.substr(0, kDigestDigitsMin)),
                "leave out what stands behind #, or give the input of that batch");
}

[[noreturn]] void refuse_missing_batch(const std::string& place) {
  throw Refusal(ExitCode::usage, place + ": there is no ledger of such a batch in this database",
                "give the --ledger of a run that was begun");
}

/// What libpq, the server or the tables say, in the words of a command.
template <class Open>
auto chosen(const std::string& place, const Open& open) {
  try {
    auto ledger = open();
    if (!ledger) refuse_missing_batch(place);
    return ledger;
  } catch (const SeveralBatches& several) {
    throw Refusal(ExitCode::usage, several.what(), "name one: --ledger 'ADDRESS#DIGITS'");
  }
}

std::unique_ptr<Ledger> whole(std::unique_ptr<Ledger> ledger) {
  refuse_if_just_made(*ledger);
  return ledger;
}

std::unique_ptr<Ledger> share(const Settings& settings, const std::string& digest) {
  try {
    return PostgresLedger::open_to_share(address_for(settings, digest), digest, settings.host_life);
  } catch (const OtherTerms& other) {
    throw Refusal(ExitCode::usage, other.what(),
                  "give all of them the same --host-life; or wait until the others are done");
  }
}

BatchWanted wanted_by(const Settings& settings) {
  return {.digest = {}, .output = absolute(settings.output)};
}

}  // namespace

std::unique_ptr<Ledger> open_or_make_ledger(const Settings& settings, const std::string& digest) {
  if (!is_database(settings.ledger)) return std::make_unique<SqliteLedger>(settings.ledger);
  return share(settings, digest);
}

std::unique_ptr<Ledger> open_ledger_if_there(const Settings& settings, const std::string& digest) {
  if (is_database(settings.ledger)) {
    if (!is_ledger_there(settings, digest)) return nullptr;
    return share(settings, digest);
  }
  if (!is_ledger_there(settings, digest)) return nullptr;
  return std::make_unique<SqliteLedger>(settings.ledger);
}

bool is_ledger_there(const Settings& settings, const std::string& digest) {
  if (is_database(settings.ledger)) {
    return PostgresLedger::open_for_reading(address_for(settings, digest),
                                            {.digest = digest, .output = {}}) != nullptr;
  }
  FileIdentity identity;
  return identity_of(settings.ledger, identity);
}

std::unique_ptr<Ledger> open_to_settle(const Settings& settings) {
  if (is_database(settings.ledger)) {
    return whole(chosen(settings.ledger, [&] {
      return PostgresLedger::open_to_settle(database_address(settings.ledger), wanted_by(settings));
    }));
  }
  refuse_missing_ledger(settings);
  return whole(std::make_unique<SqliteLedger>(settings.ledger));
}

LedgerSeen look_at_ledger(const Settings& settings, const std::string& digest) {
  if (is_database(settings.ledger)) {
    const DatabaseAddress address =
        digest.empty() ? database_address(settings.ledger) : address_for(settings, digest);
    auto ledger = chosen(settings.ledger, [&] {
      return PostgresLedger::open_for_reading(
          address, digest.empty() ? wanted_by(settings) : BatchWanted{.digest = digest});
    });
    const bool running = ledger->held();
    return {whole(std::move(ledger)), running};
  }
  refuse_missing_ledger(settings);
  const bool running = is_running(settings.ledger);
  return {whole(SqliteLedger::open_for_reading(settings.ledger)), running};
}

std::unique_ptr<Ledger> look_at_other_ledger(const std::string& place) {
  if (!is_database(place)) return SqliteLedger::open_for_reading(place);
  return chosen(place,
                [&] { return PostgresLedger::open_for_reading(database_address(place), {}); });
}

}  // namespace sagorder::io
