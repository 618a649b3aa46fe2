// The retelling of a history: a digest always, text if somebody listens. Two runs of one seed must
// tell the same.
#pragma once

#include <fmt/format.h>

#include <concepts>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <type_traits>

#include "tests/simulation/clock.hpp"

namespace sagorder::simulation {

class Trace {
 public:
  Trace(const Clock& clock, bool aloud) : clock_(clock), aloud_(aloud) {}

  template <std::size_t N, class... Arguments>
  void tell(const char (&text)[N], const Arguments&... arguments) {
    mix(static_cast<std::uint64_t>(clock_.now()));
    mix(N << 8U | static_cast<unsigned char>(text[N / 2]));
    (mix_one(arguments), ...);
    if (!aloud_) return;
    const std::string line = fmt::format(fmt::runtime(std::string_view(text, N - 1)), arguments...);
    std::printf("%14.6f  %s\n", static_cast<double>(clock_.now()) / 1e9, line.c_str());
  }
  [[nodiscard]] std::uint64_t digest() const { return digest_; }
  [[nodiscard]] bool aloud() const { return aloud_; }

 private:
  template <class Argument>
  void mix_one(const Argument& argument) {
    if constexpr (std::is_enum_v<Argument> || std::integral<Argument>) {
      mix(static_cast<std::uint64_t>(argument));
    } else {
      const std::string_view text(argument);
      mix(text.size());
      for (std::size_t i = 0; i < text.size(); i += 1 + text.size() / 8) {
        mix(static_cast<unsigned char>(text[i]));
      }
    }
  }
  void mix(std::uint64_t value) {
    digest_ = (digest_ ^ value) * 0x9E3779B97F4A7C15U;
    digest_ ^= digest_ >> 29U;
  }
  const Clock& clock_;
  bool aloud_;
  std::uint64_t digest_ = 0xCBF29CE484222325U;
};

}  // namespace sagorder::simulation
