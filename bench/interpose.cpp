// Looks at a program from outside, or slows its disk, without changing it: a library for
// LD_PRELOAD.
//
//   SAGORDER_BENCH_TRACE=FILE     every send() and every sync, with the time: see Entry. The file
//                                 is a shared mapping, so it is whole whatever ends the program.
//   SAGORDER_BENCH_SYNC_US=20000  every fsync() and fdatasync() takes so much longer
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <ctime>

namespace {

/// One entry of the trace, in the machine's byte order; `begin_ns` 0: the trace ended before it.
struct Entry {
  std::uint64_t begin_ns;  // CLOCK_MONOTONIC, before the call
  std::uint64_t end_ns;    // behind it
  std::int32_t file;       // descriptor
  std::uint32_t bytes;     // send: that were offered; sync: 0
};
static_assert(sizeof(Entry) == 24);

constexpr std::size_t kEntriesMax = 4'000'000;
constexpr unsigned char kApplicationData = 23;  // of a TLS record

std::uint64_t now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(now.tv_nsec);
}

Entry* open_trace() {
  const char* path = std::getenv("SAGORDER_BENCH_TRACE");
  if (path == nullptr) return nullptr;
  const int file = ::open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  constexpr std::size_t kBytes = kEntriesMax * sizeof(Entry);
  if (file < 0 || ::ftruncate(file, kBytes) != 0) std::abort();
  void* const mapped = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  ::close(file);
  if (mapped == MAP_FAILED) std::abort();
  return static_cast<Entry*>(mapped);
}

Entry* const kTrace = open_trace();
std::atomic<std::size_t> entries{0};

void note(std::uint64_t begin, std::uint64_t end, int file, std::size_t bytes) {
  if (kTrace == nullptr) return;
  const std::size_t at = entries.fetch_add(1, std::memory_order_relaxed);
  if (at < kEntriesMax) kTrace[at] = {begin, end, file, static_cast<std::uint32_t>(bytes)};
}

template <typename Function>
Function* real(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

using Send = ssize_t(int, const void*, std::size_t, int);
using Sync = int(int);
Send* const kRealSend = real<Send>("send");
Sync* const kRealFsync = real<Sync>("fsync");
Sync* const kRealFdatasync = real<Sync>("fdatasync");

timespec pause_of_syncs() {
  const char* text = std::getenv("SAGORDER_BENCH_SYNC_US");
  const long us = text == nullptr ? 0 : std::strtol(text, nullptr, 10);
  return {us / 1'000'000, us % 1'000'000 * 1000};
}
const timespec kSyncPause = pause_of_syncs();

int slow(Sync* sync, int file) {
  const std::uint64_t begin = now_ns();
  if (kSyncPause.tv_sec > 0 || kSyncPause.tv_nsec > 0) ::nanosleep(&kSyncPause, nullptr);
  const int result = sync(file);
  note(begin, now_ns(), file, 0);
  return result;
}

}  // namespace

extern "C" {

ssize_t send(int file, const void* bytes, std::size_t size, int flags) {
  const std::uint64_t begin = now_ns();
  const ssize_t result = kRealSend(file, bytes, size, flags);
  const bool data = size > 0 && *static_cast<const unsigned char*>(bytes) == kApplicationData;
  if (data) note(begin, now_ns(), file, size);
  return result;
}

int fsync(int file) { return slow(kRealFsync, file); }

int fdatasync(int file) { return slow(kRealFdatasync, file); }

}  // extern "C"
