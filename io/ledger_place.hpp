// Where the ledger of a batch is: in a file, beside the results or where --ledger says, or in a
// database whose address --ledger is. Commands ask here, and know ledgers by their port alone.
#pragma once

#include <memory>
#include <string>

#include "io/ledger.hpp"
#include "io/settings.hpp"

namespace sagorder::io {

/// For writing, locked, by the digest of the input (64 hex digits); made if it is not there. Throws
/// LedgerBusy, LedgerError, or a Refusal if --ledger names the batch of another input. One in a
/// database is a SharedLedger, locked together with the other hosts that are at work with it.
std::unique_ptr<Ledger> open_or_make_ledger(const Settings& settings, const std::string& digest);

/// The same, and nullptr if it is not there.
std::unique_ptr<Ledger> open_ledger_if_there(const Settings& settings, const std::string& digest);

bool is_ledger_there(const Settings& settings, const std::string& digest);

/// For settling rows, by the results that it belongs to: locked, but in a database beside the hosts
/// that share it. A Refusal if there is none.
std::unique_ptr<Ledger> open_to_settle(const Settings& settings);

struct LedgerSeen {
  std::unique_ptr<Ledger> ledger;  ///< open for reading
  bool running = false;            ///< a process held it when it was opened
};
/// By the results that it belongs to, or in a database by the digest of its input. A Refusal if
/// there is none.
/// @param digest empty: not known
LedgerSeen look_at_ledger(const Settings& settings, const std::string& digest = {});

/// Of another batch, for reading; a database has to have one alone, or its name behind #.
std::unique_ptr<Ledger> look_at_other_ledger(const std::string& place);

}  // namespace sagorder::io
