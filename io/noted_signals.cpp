#include "io/noted_signals.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <system_error>

#include "io/exit_code.hpp"

namespace sagorder::io {
namespace {

constexpr const char* kNothingSent = "sagorder: interrupted again; nothing was sent\n";

std::atomic<const char*> said_again = kNothingSent;
std::atomic<int> noted_at = -1;  // where the handler tells of interrupts; -1: nowhere
std::atomic<bool> noted = false;
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<bool>::is_always_lock_free &&
              std::atomic<const char*>::is_always_lock_free);

/// Nothing but what may be called in a handler.
void note(int /*signal*/) {
  const int before = errno;
  if (noted.exchange(true)) {
    const char* const words = said_again;
    [[maybe_unused]] const auto said = ::write(STDERR_FILENO, words, std::strlen(words));
    ::_exit(static_cast<int>(ExitCode::interrupted));
  }
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(noted_at, &one, sizeof one);
  errno = before;
}

}  // namespace

NotedSignals::NotedSignals() : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (event_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  said_again = kNothingSent;
  listen();
}

void NotedSignals::take_over(const char* again) {
  said_again = again;
  std::uint64_t ignored = 0;
  [[maybe_unused]] const auto emptied = ::read(event_, &ignored, sizeof ignored);
  listen();
}

void NotedSignals::listen() {
  noted = false;
  noted_at = event_;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction action = {};
    ::sigaction(signal, nullptr, &action);
    if (signal == SIGHUP && action.sa_handler == SIG_IGN) continue;  // from the start: nohup
    before_[signal] = action;
    action = {};
    action.sa_handler = note;
    action.sa_flags = SA_RESTART;
    ::sigaction(signal, &action, nullptr);
  }
}

NotedSignals::~NotedSignals() {
  for (const auto& [signal, action] : before_) ::sigaction(signal, &action, nullptr);
  noted_at = -1;
  ::close(event_);
}

bool NotedSignals::interrupted() const { return noted; }

void NotedSignals::wait(milliseconds span) const {
  pollfd event{event_, POLLIN, 0};
  ::poll(&event, 1, static_cast<int>(span.count()));
}

}  // namespace sagorder::io
