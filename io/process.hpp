// What the process asks of the system for itself.
#pragma once

namespace sagorder::io {

/// No core dump, no tracing by others of the same user, new files private: the memory holds an
/// access key. Best effort; what the system refuses is left as it is.
void harden_process();

[[nodiscard]] bool is_terminal(int fd);

/// Columns of the terminal; 80 if it does not say.
[[nodiscard]] int terminal_width(int fd);

}  // namespace sagorder::io
