// What a person is told of many complaints: a mistake that is made a few times is told each time,
// one that is made more often once, with how often it was met and on which lines first.
//
// Complaints are of one kind if they are equally severe and share their rule, whatever the value.
// Memory is bounded by the constants below.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "engine/intake.hpp"

namespace sagorder {

class Complaints {
 public:
  static constexpr std::size_t kToldEach = 10;   ///< of a kind that is met no more often
  static constexpr std::size_t kLinesMax = 5;    ///< named of a kind that is
  static constexpr std::size_t kKindsMax = 200;  ///< kinds told; those beyond are counted

  void add(const Complaint& complaint);

  /// In the order of the file; one that stands for many says so in its text.
  [[nodiscard]] std::vector<Complaint> told() const;

 private:
  struct Kind {
    std::vector<std::pair<std::uint64_t, Complaint>> first;  // with their places in the order
    std::vector<std::uint64_t> lines;
    std::uint64_t times = 0;
  };
  [[nodiscard]] static Complaint summed_up(const Kind& kind);

  std::map<std::pair<Severity, std::string>, Kind> kinds_;
  std::uint64_t count_ = 0;
  std::uint64_t left_out_[2] = {};  // by severity
};

}  // namespace sagorder
