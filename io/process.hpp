// What the process asks of the system for itself.
#pragma once

namespace sagorder::io {

/// Standard input, output and error that were closed become /dev/null, before any file could be
/// opened in their place and be written to as if it were a terminal. @return false: not possible
[[nodiscard]] bool fill_standard_streams();

/// No core dump, no tracing by others of the same user, new files private: the memory holds an
/// access key. Best effort; what the system refuses is left as it is.
void harden_process();

[[nodiscard]] bool is_terminal(int fd);

/// Columns of the terminal; 80 if it does not say.
[[nodiscard]] int terminal_width(int fd);

}  // namespace sagorder::io
