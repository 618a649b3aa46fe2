#include "io/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <iostream>
#include <system_error>

namespace sagorder::io {
namespace {

volatile std::sig_atomic_t asked_for_status = 0;

// What the process says and ends with when its time is over.
std::atomic<const char*> last_words = nullptr;
std::atomic<int> last_exit_code = 0;
static_assert(std::atomic<const char*>::is_always_lock_free);

// Where the handler of interrupts tells of them; -1: nowhere.
std::atomic<int> told_of_interrupts = -1;
static_assert(std::atomic<int>::is_always_lock_free);

/// While it lives, an interrupt (SIGINT) makes `readable` so. Not a flag: one that comes between a
/// look at the flag and the wait would be waited over.
class Interrupts {
 public:
  Interrupts() : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (event_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
    told_of_interrupts = event_;
    struct sigaction action = {};
    action.sa_handler = [](int) {
      const int before = errno;
      const std::uint64_t one = 1;
      [[maybe_unused]] const auto written = ::write(told_of_interrupts, &one, sizeof one);
      errno = before;
    };
    action.sa_flags = SA_RESTART;
    ::sigaction(SIGINT, &action, &before_);
  }
  ~Interrupts() {
    ::sigaction(SIGINT, &before_, nullptr);
    told_of_interrupts = -1;
    ::close(event_);
  }
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  [[nodiscard]] int readable() const { return event_; }

 private:
  int event_;
  struct sigaction before_ {};
};

}  // namespace

bool fill_standard_streams() {
  for (int wanted = STDIN_FILENO; wanted <= STDERR_FILENO; ++wanted) {
    if (::fcntl(wanted, F_GETFD) != -1 || errno != EBADF) continue;
    if (::open("/dev/null", O_RDWR) != wanted) return false;
  }
  return true;
}

void harden_process() {
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  ::umask(077);
}

void listen_for_status() {
  struct sigaction action = {};
  action.sa_handler = [](int) { asked_for_status = 1; };
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGUSR1, &action, nullptr);
}

bool status_asked() {
  if (asked_for_status == 0) return false;
  asked_for_status = 0;
  return true;
}

void end_at_last(std::chrono::seconds after, int exit_code, const char* words) {
  last_words = words;
  last_exit_code = exit_code;
  struct sigaction action = {};
  action.sa_handler = [](int) {
    const char* const text = last_words;
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text, std::strlen(text));
    ::_exit(last_exit_code);
  };
  ::sigaction(SIGALRM, &action, nullptr);
  ::alarm(static_cast<unsigned>(after.count()));
}

SignalsBlocked::SignalsBlocked() {
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before_);
}

SignalsBlocked::~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

std::optional<std::string> answer_to(const std::function<void()>& ask, int also) {
  const Interrupts interrupts;
  ask();
  std::array<pollfd, 3> sources{
      {{STDIN_FILENO, POLLIN, 0}, {interrupts.readable(), POLLIN, 0}, {also, POLLIN, 0}}};
  while (::poll(sources.data(), sources.size(), -1) < 0) {
    if (errno != EINTR) return std::nullopt;
  }
  std::string answer;
  const bool interrupted = sources[1].revents != 0 || sources[2].revents != 0;
  if (interrupted || !std::getline(std::cin, answer)) return std::nullopt;
  return answer;
}

bool is_terminal(int fd) { return ::isatty(fd) == 1; }

int terminal_width(int fd) {
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

}  // namespace sagorder::io
