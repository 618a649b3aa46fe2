// The socket below TLS, where bytes are counted: what the kernel took and gave is all that can be
// known of what reached the other side.
#pragma once

#include <openssl/bio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace sagorder::io {

/// Follows the frames of TLS records in received bytes.
class RecordFollower {
 public:
  void see(std::span<const unsigned char> bytes);
  /// Bytes seen of a record that has not ended; 0 between records.
  [[nodiscard]] std::uint64_t unfinished() const { return unfinished_; }

 private:
  std::array<unsigned char, 5> header_{};
  std::size_t header_bytes_ = 0;
  std::size_t body_left_ = 0;
  std::uint64_t unfinished_ = 0;
};

/// The socket as OpenSSL's BIO uses it, and what went through.
struct Wire {
  int fd = -1;
  int error = 0;               ///< errno of the last failed call
  bool ended = false;          ///< end of file was read
  bool drained = false;        ///< the last receive of this turn got less than it asked for
  std::uint64_t accepted = 0;  ///< bytes the kernel took
  std::uint64_t received = 0;  ///< bytes the kernel gave
  std::uint64_t pause_at = 0;  ///< of `received`: no more is taken in this turn
  RecordFollower records;
};

struct Traffic {
  std::uint64_t written = 0;
  std::uint64_t read = 0;
};

/// The call may succeed later: nothing is wrong.
bool is_temporary(int error);

/// Sends and receives on the wire's descriptor and counts. SIGPIPE is never raised. `wire` must
/// outlive it.
BIO* new_counting_bio(Wire& wire);

}  // namespace sagorder::io
