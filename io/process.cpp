#include "io/process.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace sagorder::io {
namespace {

volatile std::sig_atomic_t asked_for_status = 0;

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

SignalsBlocked::SignalsBlocked() {
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before_);
}

SignalsBlocked::~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

InterruptEndsReads::InterruptEndsReads() {
  struct sigaction action = {};
  action.sa_handler = [](int) {};  // without SA_RESTART
  ::sigaction(SIGINT, &action, &before_);
}

InterruptEndsReads::~InterruptEndsReads() { ::sigaction(SIGINT, &before_, nullptr); }

bool is_terminal(int fd) { return ::isatty(fd) == 1; }

int terminal_width(int fd) {
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

}  // namespace sagorder::io
