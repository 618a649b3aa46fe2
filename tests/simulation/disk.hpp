// The disk: ledgers, results files and the memory of batches, as they survive.
//
// A ledger keeps what its contract says: a commit is whole or not there, and a failed one is
// either. A results file is bytes: what was not synced survives a kill; after a power loss each
// sector is of some moment since the last sync, and so is the size (zeros stand where nothing was
// written). Several places (a ledger with its results) stand side by side, as people copy and
// rename.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/entry.hpp"
#include "engine/life.hpp"
#include "tests/simulation/chance.hpp"
#include "tests/simulation/oracle.hpp"

namespace sagorder::simulation {

inline constexpr std::uint32_t kNobody = 0xFFFF'FFFF;

struct LedgerFile {
  bool exists = false;
  std::string id;                   ///< empty: no facts yet
  std::string input;                ///< its digest
  std::array<std::string, 2> runs;  ///< tokens of the last two runs that sent
  [[nodiscard]] BegunLedger begun() const { return {id, input, runs}; }
  std::vector<Record> records;
  std::uint32_t locked_by = kNobody;
};

class ResultsBytes {
 public:
  bool exists = false;
  std::uint32_t locked_by = kNobody;
  [[nodiscard]] const std::string& bytes() const { return bytes_; }
  void write(std::size_t at, std::string_view text);
  void truncate(std::size_t size);
  void sync();
  void lose_power(Chance& chance);
  void replace(std::string bytes);  ///< a whole new file, durable, in its place
  void remove();

 private:
  struct Write {
    std::size_t at;
    std::string text;
    bool truncates;
  };
  static void apply(std::string& bytes, const Write& write);
  std::string bytes_;
  std::string durable_;
  std::vector<Write> unsynced_;
};

struct Place {
  LedgerFile ledger;
  ResultsBytes results;
  std::optional<LedgerFile> copy;  ///< somebody's older copy of the ledger
};

/// The memory of batches: one entry a ledger.
struct Remembered {
  std::string input;
  std::string ledger_id;
  std::string run;
  std::uint32_t place = 0;
};

class Disk {
 public:
  explicit Disk(Oracle& oracle) : oracle_(oracle) {}
  Place places[2];
  std::vector<Remembered> memory;

  void make_durable(std::span<const Record> records, std::uint32_t place, std::uint32_t life);
  /// What is remembered of this input, as it looks from a place.
  [[nodiscard]] std::vector<RememberedBatch> remembered(std::string_view input,
                                                        std::uint32_t place) const;
  /// The last outcome of a row, as the ledger tells it.
  [[nodiscard]] const Record* outcome_of(std::uint32_t place, Row row) const;
  void unlock(std::uint32_t host);
  void lose_power(Chance& chance);

 private:
  Oracle& oracle_;
};

}  // namespace sagorder::simulation
