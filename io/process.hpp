// What the process asks of the system for itself.
#pragma once

#include <chrono>
#include <csignal>
#include <functional>
#include <optional>
#include <string>

namespace sagorder::io {

/// Standard input, output and error that were closed become /dev/null, before any file could be
/// opened in their place and be written to as if it were a terminal. @return false: not possible
[[nodiscard]] bool fill_standard_streams();

/// No core dump, no tracing by others of the same user, new files private: the memory holds an
/// access key. Best effort; what the system refuses is left as it is.
void harden_process();

/// From here on SIGUSR1 asks for a status line and never ends the process.
void listen_for_status();

/// True once after each SIGUSR1, or several at once.
[[nodiscard]] bool status_asked();

/// Ends the process after so long, whatever its threads wait for, with these words on standard
/// error. Asked for a second time it counts anew.
/// @param words lines, each with its end; not copied
void end_at_last(std::chrono::seconds after, int exit_code, const char* words);

/// While it lives, threads that are started take no signal: what interrupts a call to the disk
/// there would look like a failure of the disk.
class SignalsBlocked {
 public:
  SignalsBlocked();
  ~SignalsBlocked();
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

/// Asks by `ask`, and reads the answer: a line of standard input. From before it asks an interrupt
/// (SIGINT) ends the wait instead of the process. @param also a descriptor that ends it, too, once
/// it is readable; -1: none
/// @return nothing if it was interrupted, or if there is no more input
[[nodiscard]] std::optional<std::string> answer_to(const std::function<void()>& ask, int also = -1);

[[nodiscard]] bool is_terminal(int fd);

/// Columns of the terminal; 80 if it does not say.
[[nodiscard]] int terminal_width(int fd);

}  // namespace sagorder::io
