// What every fuzz target needs: oracles that end the program with a sentence, and values drawn from
// the input's bytes.
//
// A target owns its buffers and readers for all inputs, so that millions of them cost no more than
// their work; what an earlier input left behind must therefore never show, and is part of the test.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace sagorder::fuzz {

/// Ends the program: libFuzzer then keeps the input.
[[noreturn]] inline void violated(const char* property) {
  std::fprintf(stderr, "violated: %s\n", property);
  std::abort();
}

inline void require(bool holds, const char* property) {
  if (!holds) violated(property);
}

/// The input, taken from its front. An empty one gives zeros and empty texts.
class Draw {
 public:
  Draw(const std::uint8_t* data, std::size_t size)
      : rest_(reinterpret_cast<const char*>(data), size) {}

  std::uint8_t byte() { return text(1).empty() ? std::uint8_t{0} : last_; }
  std::uint16_t number() {
    const unsigned high = byte();
    return static_cast<std::uint16_t>(high << 8U | byte());
  }
  std::string_view text(std::size_t count) {
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(taken.size());
    if (!taken.empty()) last_ = static_cast<std::uint8_t>(taken.back());
    return taken;
  }
  /// A byte that says how long it is, and the text.
  std::string_view short_text() { return text(byte()); }
  [[nodiscard]] std::string_view rest() const { return rest_; }
  [[nodiscard]] bool empty() const { return rest_.empty(); }

 private:
  std::string_view rest_;
  std::uint8_t last_ = 0;
};

/// Sizes of chunks, drawn from one byte: the same byte gives the same sizes.
class Chunks {
 public:
  explicit Chunks(std::uint8_t seed) : state_(seed * 2654435761U + 1), most_(1U << (seed % 8U)) {}
  std::size_t next() {
    state_ = state_ * 1664525U + 1013904223U;
    return 1 + (state_ >> 16U) % most_;
  }

 private:
  std::uint32_t state_;
  std::uint32_t most_;
};

/// A running hash: two readings are equal if their hashes are, and no memory is asked for.
class Digest {
 public:
  void add(std::uint64_t value) {
    value_ = (value_ ^ value) * 0x9E3779B97F4A7C15U;
    value_ ^= value_ >> 29U;
  }
  void add(std::string_view text) {
    add(text.size());
    for (const char c : text) value_ = (value_ ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
    add(0);
  }
  bool operator==(const Digest&) const = default;

 private:
  std::uint64_t value_ = 0xCBF29CE484222325U;
};

}  // namespace sagorder::fuzz
