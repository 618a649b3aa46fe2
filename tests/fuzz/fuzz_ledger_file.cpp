// io/ledger_sqlite: a ledger that is damaged anywhere is read, or refused with a LedgerError; what
// replay gives is a sequence that the states' table judges as any other. Never a crash.
//
// Input: which of the sound ledgers (one byte), then changes to its bytes: where (two bytes), how
// many (one byte), the new ones. A first byte of 255: the input is itself the file.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "io/ledger_sqlite.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace sagorder::io {
namespace {

using fuzz::require;

constexpr std::uint64_t kRows = 16;
constexpr std::size_t kStepsMax = 100'000;  // a damaged tree can be long, but has an end

Record record_of(RecordKind kind, std::uint64_t row, std::uint32_t attempt) {
  Record record;
  record.kind = kind;
  record.row = Row{row};
  record.attempt = Attempt{attempt};
  record.at = WallTime(milliseconds(1'790'000'000'000));
  record.nonce.hex.fill('a');
  if (kind == RecordKind::placed) record.order_id = "203783300920296";
  if (kind == RecordKind::in_doubt) record.evidence = "<html>";
  return record;
}

/// Where the file under test is: in memory, if the system has such a place.
class Place {
 public:
  Place() {
    const std::filesystem::path memory = "/dev/shm";
    std::string name =
        (std::filesystem::is_directory(memory) ? memory : std::filesystem::temp_directory_path()) /
        "sagorder-fuzz.XXXXXX";
    require(::mkdtemp(name.data()) != nullptr, "there is a place for the file");
    directory_ = name;
    path_ = name + "/ledger";
  }
  ~Place() {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }

  void put(std::string_view bytes) const {
    const int file = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const auto size = static_cast<::ssize_t>(bytes.size());
    require(file >= 0 && ::write(file, bytes.data(), bytes.size()) == size, "the file is written");
    ::close(file);
  }

  [[nodiscard]] std::string content() const {
    std::string bytes(std::filesystem::file_size(path_), '\0');
    const int file = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
    const auto size = static_cast<::ssize_t>(bytes.size());
    require(file >= 0 && ::read(file, bytes.data(), bytes.size()) == size, "the file is read");
    ::close(file);
    return bytes;
  }

 private:
  std::string directory_;
  std::string path_;
};

/// Sound ledgers: one without a record, one with some of every kind.
std::vector<std::string> sound_ledgers(const Place& place) {
  using enum RecordKind;
  std::vector<std::string> ledgers;
  { SqliteLedger made(place.path()); }
  ledgers.push_back(place.content());
  {
    SqliteLedger made(place.path());
    made.set_facts({{"ledger_id", std::string(32, '0')}, {"rows", std::to_string(kRows)}});
    std::vector<Record> records;
    for (std::uint64_t row = 1; row <= 12; ++row) records.push_back(record_of(intent, row, 1));
    for (std::uint64_t row = 1; row <= 4; ++row) records.push_back(record_of(placed, row, 1));
    records.push_back(record_of(rejected, 5, 1));
    records.push_back(record_of(not_executed, 6, 1));
    records.push_back(record_of(intent, 6, 2));
    for (std::uint64_t row = 7; row <= 10; ++row) records.push_back(record_of(in_doubt, row, 1));
    records.push_back(record_of(replay, 8, 1));
    records.push_back(record_of(resolved_placed, 9, 1));
    records.push_back(record_of(resolved_not_placed, 10, 1));
    made.commit(records);
  }
  ledgers.push_back(place.content());
  return ledgers;
}

std::string damaged(const std::vector<std::string>& ledgers, fuzz::Draw draw) {
  const std::uint8_t which = draw.byte();
  if (which == 255) return std::string(draw.rest());
  std::string bytes = ledgers[which % ledgers.size()];
  while (!draw.empty()) {
    const std::size_t at = draw.number();
    const std::string_view change = draw.text(draw.byte() % 32U + 1);
    if (at >= bytes.size()) {
      bytes.resize(bytes.size() - at % bytes.size());  // cut short
      if (bytes.empty()) return bytes;
      continue;
    }
    bytes.replace(at, std::min(change.size(), bytes.size() - at),
                  change.substr(0, bytes.size() - at));
  }
  return bytes;
}

struct TooLong {};

void read_all(Ledger& ledger) {
  std::size_t steps = 0;
  const auto count = [&steps] {
    if (++steps > kStepsMax) throw TooLong{};
  };
  static_cast<void>(ledger.facts());
  Rows rows(kRows);
  std::size_t placed_before = 0;
  ledger.replay([&](const Step& step) {
    count();
    require(static_cast<int>(step.kind) < kRecordKinds, "a record is of a known kind");
    require(step.row.value >= 1 && step.row.value <= INT64_MAX && step.attempt.value >= 1,
            "rows and attempts count from 1");
    rows.apply(step);
    const std::size_t placed = rows.count_of(State::placed);
    require(placed >= placed_before, "an order that was placed stays placed");
    placed_before = placed;
  });
  for (const Record& record : open_as_in_doubt(rows, WallTime{})) {
    require(rows.apply({record.kind, record.row, record.attempt}), "every open attempt is closed");
  }
  require(rows.count_of(State::intended) == 0, "no attempt is left open");
  ledger.intents([&](const Record&) { count(); });
  ledger.outcomes([&](const Record&) { count(); });
  for (std::uint64_t row = 1; row <= 3; ++row) static_cast<void>(ledger.outcome_of(Row{row}));
}

}  // namespace
}  // namespace sagorder::io

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sagorder::io;
  static const Place place;
  static const std::vector<std::string> ledgers = sound_ledgers(place);
  place.put(damaged(ledgers, {data, size}));
  ::unlink((place.path() + "-wal").c_str());
  ::unlink((place.path() + "-shm").c_str());
  try {
    read_all(*SqliteLedger::open_for_reading(place.path()));
  } catch (const LedgerError&) {
  } catch (const TooLong&) {
  }
  return 0;
}
