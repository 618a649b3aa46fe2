#include "io/other_batches.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <system_error>
#include <vector>

#include "io/batches.hpp"
#include "io/commands.hpp"
#include "io/database_address.hpp"
#include "io/file.hpp"
#include "io/ledger_sqlite.hpp"

namespace sagorder::io {
namespace {

struct Remembered {
  std::vector<Batch> batches;  // each once, the last begun first
  std::uint64_t unread = 0;    // files of the memory
};

Remembered remembered_in(const std::string& directory, std::string_view own_id) {
  const Batches memory(directory);
  std::map<std::string, Batch> by_id;
  Remembered found;
  std::error_code none;  // no directory: nothing is remembered
  for (const auto& entry : std::filesystem::directory_iterator(directory, none)) {
    if (entry.path().extension() != ".json") continue;
    try {
      for (Batch& each : memory.all_of(entry.path().stem().string())) {
        if (each.ledger_id != own_id) by_id[each.ledger_id] = std::move(each);
      }
    } catch (const BatchesError&) {
      ++found.unread;
    }
  }
  for (auto& [id, batch] : by_id) found.batches.push_back(std::move(batch));
  std::ranges::stable_sort(
      found.batches, [](const Batch& a, const Batch& b) { return a.started_at > b.started_at; });
  return found;
}

/// Without a place for a memory there is none, which is no reason to leave a row in doubt.
Remembered remembered(std::string_view own_id) {
  try {
    return remembered_in(Batches::default_directory(), own_id);
  } catch (const BatchesError&) {
    return {};
  }
}

/// Asked by its name: closing a descriptor would drop SQLite's locks if it is the asker's own file.
bool is_to_be_read(const std::string& ledger) {
  if (is_database(ledger)) return false;
  std::error_code missing;
  const std::uintmax_t bytes = std::filesystem::file_size(ledger, missing);
  return !missing && bytes <= kOtherLedgerBytesMax;
}

/// @param own_id a ledger that was copied over another one is the asker's all the same
std::optional<Row> row_of(std::string_view order_id, const std::string& path,
                          std::string_view own_id) {
  const auto ledger = SqliteLedger::open_for_reading(path);
  if (fact(ledger->facts(), kFactLedgerId, path) == own_id) return std::nullopt;
  std::optional<Row> row;
  ledger->outcomes([&](const Record& record) {
    if (record.order_id == order_id) row = record.row;
  });
  return row;
}

}  // namespace

OrderIdSearch find_order_id(std::string_view order_id, std::string_view own_id) {
  OrderIdSearch search;
  const Remembered known = remembered(own_id);
  search.unread = known.unread;
  std::size_t read = 0;
  for (const Batch& batch : known.batches) {
    try {
      if (read == kOtherLedgersMax || !is_to_be_read(batch.ledger)) {
        ++search.unread;
        continue;
      }
      ++read;
      const auto row = row_of(order_id, batch.ledger, own_id);
      if (!row) continue;
      search.found = {batch.ledger, batch.output, *row};
      return search;
    } catch (const LedgerError&) {
      ++search.unread;
    } catch (const FileError&) {
      ++search.unread;
    }
  }
  return search;
}

}  // namespace sagorder::io
