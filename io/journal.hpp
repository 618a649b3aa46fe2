// The system's journal as the reader of a stream.
#pragma once

namespace sagorder::io {

/// Whether the journal reads what is written to `fd`: $JOURNAL_STREAM names that very stream
/// (systemd.exec(5): device and inode, as numbers). Then `<4>` at a line's beginning is its
/// priority (sd-daemon(3)).
[[nodiscard]] bool is_journal(int fd);

}  // namespace sagorder::io
