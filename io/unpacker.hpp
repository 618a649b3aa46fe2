// Packed bytes, unpacked as a stream: gzip (RFC 1952, several members one after the other) and
// Zstandard (RFC 8878, several frames). What is packed is told by its first bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace sagorder::io {

/// 2^27 bytes, what `zstd --ultra` and `--long` write by default: the memory that a file may ask
/// for.
inline constexpr int kZstdWindowLogMax = 27;

enum class Packing : std::uint8_t { none, gzip, zstd };
std::string_view name_of(Packing packing);

/// @param bytes the file's first; four are enough
Packing packing_of(std::string_view bytes);

class Unpacker {
 public:
  struct Step {
    std::size_t taken = 0;  ///< of the packed bytes
    std::size_t made = 0;
    std::string complaint;  ///< why there is no going on; empty: there is
  };

  virtual ~Unpacker() = default;

  /// Takes what it can of `packed` and fills `into` as far as that goes. It has taken all that it
  /// can use, and made all that it can, when `made` is less than the room.
  virtual Step unpack(std::string_view packed, std::span<char> into) = 0;

  /// The packed bytes may end here.
  [[nodiscard]] virtual bool is_whole() const = 0;
};

/// nullptr for Packing::none. Throws std::bad_alloc.
std::unique_ptr<Unpacker> make_unpacker(Packing packing);

}  // namespace sagorder::io
