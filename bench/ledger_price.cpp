// What a commit of the ledger costs, part by part, through the real SqliteLedger, beside a bare
// append to a preallocated file with one fdatasync a commit.
//
// One order is an intent and, in the commit behind it, a `placed` outcome with the texts of a
// usual answer. The parts are told apart at the border of SQLite (the linker's --wrap) and of the
// kernel (this program's own pwrite64 and fdatasync, which SQLite finds before libc's), by wall
// time; a part's own time is without the system calls in it. CPU time is the thread's.
//
// usage: ledger_price DIRECTORY [ORDERS [ROWS,A,COMMIT]]
#include <dlfcn.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/nonce.hpp"
#include "io/ledger_sqlite.hpp"

namespace {

enum Part { kBegin, kIntents, kOutcomes, kCommit, kCheckpoint, kRest, kParts };

/// Nanoseconds of each part, and what the kernel did.
struct Price {
  std::array<std::int64_t, kParts> own_ns{};
  std::int64_t write_ns = 0, sync_ns = 0, copy_ns = 0;
  std::int64_t log_bytes = 0, file_bytes = 0, writes = 0, syncs = 0;
};
Price price;
Part part = kRest;
std::int64_t in_kernel_ns = 0;  // of the part under way

std::int64_t now_ns(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}
std::int64_t wall_ns() { return now_ns(CLOCK_MONOTONIC); }

/// Books the time of `call` on `which`, without what the kernel took.
template <typename Call>
int booked(Part which, const Call& call) {
  const Part before = std::exchange(part, which);
  in_kernel_ns = 0;
  const std::int64_t begin = wall_ns();
  const int result = call();
  price.own_ns[which] += wall_ns() - begin - in_kernel_ns;
  part = before;
  return result;
}

Part part_of(sqlite3_stmt* statement) {
  const std::string_view sql = sqlite3_sql(statement);
  if (sql.starts_with("INSERT INTO intent")) return kIntents;
  if (sql.starts_with("INSERT INTO outcome")) return kOutcomes;
  if (sql.starts_with("BEGIN")) return kBegin;
  return sql.starts_with("COMMIT") ? kCommit : kRest;
}

template <typename Function>
Function* real(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

int __real_sqlite3_step(sqlite3_stmt* statement);
int __wrap_sqlite3_step(sqlite3_stmt* statement) {
  return booked(part_of(statement), [&] { return __real_sqlite3_step(statement); });
}

int __real_sqlite3_wal_checkpoint_v2(sqlite3* database, const char* name, int mode, int* log,
                                     int* moved);
int __wrap_sqlite3_wal_checkpoint_v2(sqlite3* database, const char* name, int mode, int* log,
                                     int* moved) {
  return booked(kCheckpoint,
                [&] { return __real_sqlite3_wal_checkpoint_v2(database, name, mode, log, moved); });
}

ssize_t pwrite64(int file, const void* bytes, std::size_t size, off64_t at) {
  static auto* const kWrite = real<ssize_t(int, const void*, std::size_t, off64_t)>("pwrite64");
  const std::int64_t begin = wall_ns();
  const ssize_t result = kWrite(file, bytes, size, at);
  const std::int64_t took = wall_ns() - begin;
  in_kernel_ns += took;
  (part == kCheckpoint ? price.copy_ns : price.write_ns) += took;
  (part == kCheckpoint ? price.file_bytes : price.log_bytes) += result;
  ++price.writes;
  return result;
}

int fdatasync(int file) {
  static auto* const kSync = real<int(int)>("fdatasync");
  const std::int64_t begin = wall_ns();
  const int result = kSync(file);
  const std::int64_t took = wall_ns() - begin;
  in_kernel_ns += took;
  (part == kCheckpoint ? price.copy_ns : price.sync_ns) += took;
  ++price.syncs;
  return result;
}

}  // extern "C"

namespace sagorder {
namespace {

constexpr milliseconds kEpoch{1'795'000'000'000};

/// The records of a run: each commit holds the intents of one group and the outcomes of the one
/// before it.
class Orders {
 public:
  explicit Orders(std::size_t rows_a_commit) : rows_(rows_a_commit), records_(2 * rows_a_commit) {
    for (std::size_t i = 0; i < rows_; ++i) {
      Record& outcome = records_[rows_ + i];
      outcome.kind = RecordKind::placed;
      outcome.http_status = 200;
      outcome.latency = milliseconds(23);
      outcome.order_id = "813981303903437";
      outcome.sag_id = "sag-yqow3j0ulv10000000";
      outcome.request_id = "D7B7A0D1-AF4A-4E07-844A-D102962BCDCB";
    }
  }

  std::span<const Record> next() {
    for (std::size_t i = 0; i < rows_; ++i) {
      fill(records_[i], done_ + i + 1);
      records_[i].nonce = nonces_.next();
      if (done_ > 0) fill(records_[rows_ + i], done_ + i + 1 - rows_);
    }
    const std::size_t size = done_ > 0 ? 2 * rows_ : rows_;
    done_ += rows_;
    return {records_.data(), size};
  }

 private:
  static void fill(Record& record, std::uint64_t row) {
    record.row = {row};
    record.attempt = {1};
    record.at = WallTime(kEpoch + milliseconds(row / 50));
  }
  std::size_t rows_;
  std::uint64_t done_ = 0;
  std::vector<Record> records_;
  NonceSource nonces_{NonceSource::Key{1, 2, 3}};
};

struct Measured {
  double cpu_us, wall_us;  // an order
};

template <typename Commit>
Measured measure(std::size_t orders, std::size_t rows, const Commit& commit) {
  Orders source(rows);
  commit(source.next());
  price = {};
  std::int64_t cpu = 0, wall = 0;
  for (std::size_t done = 0; done < orders; done += rows) {
    const std::span<const Record> records = source.next();
    const std::int64_t cpu_begin = now_ns(CLOCK_THREAD_CPUTIME_ID);
    const std::int64_t begin = wall_ns();
    commit(records);
    wall += wall_ns() - begin;
    cpu += now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_begin;
  }
  const auto count = static_cast<double>(orders);
  return {static_cast<double>(cpu) / 1e3 / count, static_cast<double>(wall) / 1e3 / count};
}

/// The least that a record of this content can be: fixed binary fields, then the texts.
void append_bare(const Record& record, std::string& bytes) {
  const std::int64_t head[] = {static_cast<std::int64_t>(record.row.value),
                               record.at.time_since_epoch().count(), record.latency.count()};
  bytes.append(reinterpret_cast<const char*>(head), sizeof head);
  const std::int32_t small[] = {static_cast<std::int32_t>(record.kind), record.http_status};
  bytes.append(reinterpret_cast<const char*>(small), sizeof small);
  if (record.kind == RecordKind::intent) {
    bytes.append(record.nonce.view().substr(0, 16));  // as bytes, a nonce is 16
    return;
  }
  for (const std::string* text : {&record.order_id, &record.sag_id, &record.request_id}) {
    bytes.append(*text).push_back('\0');
  }
}

void ledger_line(const std::string& directory, std::size_t orders, std::size_t rows) {
  const std::string path = directory + "/ledger";
  for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(path + end);
  io::SqliteLedger ledger(path);
  const Measured all = measure(
      orders, rows, [&](const std::span<const Record>& records) { ledger.commit(records); });
  const auto count = static_cast<double>(orders);
  std::printf("%6zu  sqlite  %7.2f %8.2f |", rows, all.cpu_us, all.wall_us);
  for (const Part each : {kBegin, kIntents, kOutcomes, kCommit}) {
    std::printf(" %8.2f", static_cast<double>(price.own_ns[each]) / 1e3 / count);
  }
  std::printf(" %9.2f %8.2f %10.2f %9.2f | %6.0f %6.0f %7.0f\n",
              static_cast<double>(price.write_ns) / 1e3 / count,
              static_cast<double>(price.sync_ns) / 1e3 / count,
              static_cast<double>(price.own_ns[kCheckpoint]) / 1e3 / count,
              static_cast<double>(price.copy_ns) / 1e3 / count,
              static_cast<double>(price.log_bytes) / count,
              static_cast<double>(price.file_bytes) / count,
              static_cast<double>(std::filesystem::file_size(path)) / count);
}

void bare_line(const std::string& directory, std::size_t orders, std::size_t rows) {
  const std::string path = directory + "/bare";
  std::filesystem::remove(path);
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  const auto room = static_cast<off_t>((orders + 2 * rows) * 200);
  if (file < 0 || ::posix_fallocate(file, 0, room) != 0 || ::fsync(file) != 0) std::abort();
  std::string bytes;
  off_t end = 0;
  const Measured all = measure(orders, rows, [&](const std::span<const Record>& records) {
    bytes.clear();
    for (const Record& record : records) append_bare(record, bytes);
    if (::pwrite64(file, bytes.data(), bytes.size(), end) < 0 || ::fdatasync(file) != 0) {
      std::abort();
    }
    end += static_cast<off_t>(bytes.size());
  });
  ::close(file);
  const auto count = static_cast<double>(orders);
  std::printf("%6zu  bare    %7.2f %8.2f | %8s %8s %8s %8s %9.2f %8.2f %10s %9s | %6.0f\n", rows,
              all.cpu_us, all.wall_us, "", "", "", "",
              static_cast<double>(price.write_ns) / 1e3 / count,
              static_cast<double>(price.sync_ns) / 1e3 / count, "", "",
              static_cast<double>(price.log_bytes) / count);
}

std::vector<std::size_t> numbers_of(std::string_view text) {
  std::vector<std::size_t> numbers;
  while (!text.empty()) {
    const std::string_view one = text.substr(0, text.find(','));
    std::size_t number = 0;
    if (std::from_chars(one.data(), one.data() + one.size(), number).ec != std::errc{}) break;
    numbers.push_back(number);
    text.remove_prefix(std::min(text.size(), one.size() + 1));
  }
  return numbers;
}

}  // namespace
}  // namespace sagorder

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: ledger_price DIRECTORY [ORDERS [ROWS,A,COMMIT]]\n");
    return 2;
  }
  const std::string directory = argv[1];
  const std::size_t most = argc > 2 ? sagorder::numbers_of(argv[2]).at(0) : 400'000;
  std::printf("us an order; own time of SQLite's parts, then the kernel's; bytes an order\n");
  std::printf(
      "rows/commit        CPU     wall |    begin  intents outcomes   commit log write"
      "     sync checkpoint  its copy |    log   file  on disk\n");
  for (const std::size_t rows : sagorder::numbers_of(argc > 3 ? argv[3] : "1,16,64,256,4096")) {
    // Few rows a commit: what counts is the sync, and fewer orders show it.
    const std::size_t orders = std::min(most, rows * 10'000) / rows * rows;
    sagorder::ledger_line(directory, orders, rows);
    sagorder::bare_line(directory, orders, rows);
    std::fflush(stdout);
  }
}
