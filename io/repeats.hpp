// Which of many texts are equal, in little memory however many there are: of each text 16 bytes of
// its SHA-256 are kept, and where it stands. What does not fit in memory is sorted piece by piece
// into a file without a name, and merged when it is read: 32 bytes a text beyond the first half a
// million. Two texts that differ and are taken for equal are not to be expected: by accident among
// 10^9 texts once in 10^20 files.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/csv.hpp"
#include "engine/order.hpp"
#include "io/file.hpp"

namespace sagorder::io {

/// The first bytes of a text's SHA-256.
using Fingerprint = std::array<unsigned char, 16>;

/// Fingerprints of many texts, one after the other.
class FingerprintMaker {
 public:
  FingerprintMaker();
  ~FingerprintMaker();
  FingerprintMaker(const FingerprintMaker&) = delete;
  FingerprintMaker& operator=(const FingerprintMaker&) = delete;
  Fingerprint of(std::string_view text);

 private:
  struct Hash;
  std::unique_ptr<Hash> hash_;
};

/// Where a text stands. What the numbers mean is their owner's affair: a row and its line.
struct Placed {
  Fingerprint text{};
  std::uint64_t row = 0;
  std::uint64_t line = 0;
  // NOLINTNEXTLINE(modernize-use-nullptr): it looks into the generated comparison
  auto operator<=>(const Placed&) const = default;
};
static_assert(sizeof(Placed) == 32);

/// Takes them in any order, gives them back sorted: by fingerprint, then by row.
class SortedSpill {
 public:
  static constexpr std::size_t kInMemory = 512 * 1024;

  /// @param directory of the file, if one is needed
  explicit SortedSpill(std::string directory, std::size_t in_memory = kInMemory);

  void add(const Placed& placed);

  /// From now on nothing is added. Throws FileError, as `add` does.
  void sort();
  /// The next one; nullopt: that was all. After `sort`.
  std::optional<Placed> next();
  /// Back to the first.
  void rewind();
  [[nodiscard]] std::uint64_t size() const { return size_; }

 private:
  /// A sorted piece of the file, as it is being read.
  struct Piece {
    std::uint64_t begin = 0, end = 0;  // items
    std::uint64_t at = 0;
    std::vector<Placed> read;
    std::size_t next = 0;
  };
  void spill();
  bool refill(Piece& piece);

  std::string directory_;
  std::size_t in_memory_;
  std::vector<Placed> held_;
  std::size_t next_held_ = 0;
  Fd file_;
  std::vector<Piece> pieces_;
  std::vector<std::size_t> heap_;  // of pieces, the least on top
  std::uint64_t size_ = 0;
  bool sorted_ = false;
};

/// A text that stands at an earlier place, too.
struct Repeat {
  Placed here;
  Placed before;  ///< the first place of this text
};

/// Counts repeats and keeps the first of them.
struct Repeats {
  static constexpr std::size_t kNamed = 10;
  std::uint64_t count = 0;
  std::vector<Repeat> first;  ///< by row, at most kNamed

  void add(const Repeat& repeat);
};

/// Of one list: each text that is not the first of its kind.
Repeats repeats_within(SortedSpill& texts);

/// Of two lists: each of `texts` that is in `others`; `before` is the first there.
/// @param counts  which of `texts` matter
Repeats repeats_between(SortedSpill& texts, SortedSpill& others,
                        const std::function<bool(const Placed&)>& counts);

}  // namespace sagorder::io
