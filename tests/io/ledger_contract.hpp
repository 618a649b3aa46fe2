// The contract of io/ledger.hpp as tests: every implementation is instantiated with them.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "io/ledger.hpp"

namespace sagorder::io {

/// How a test gets at one implementation.
struct LedgerMaker {
  std::string name;
  /// Opens the ledger at this place, or makes it; throws LedgerBusy if another holds it.
  std::function<std::unique_ptr<Ledger>(const std::string& path)> open;
  /// What messages call it.
  std::function<std::string(const std::string& path)> called = [](const std::string& path) {
    return path;
  };
};

inline void PrintTo(const LedgerMaker& maker, std::ostream* out) { *out << maker.name; }

inline Record record_of(RecordKind kind, std::uint64_t row, std::uint32_t attempt = 1) {
  Record record;
  record.kind = kind;
  record.row = Row{row};
  record.attempt = Attempt{attempt};
  record.at = WallTime(milliseconds(1'558'339'262'003));
  record.nonce.hex.fill('a');
  return record;
}

inline Record placed_of(std::uint64_t row, std::uint32_t attempt = 1) {
  Record record = record_of(RecordKind::placed, row, attempt);
  record.http_status = 200;
  record.latency = milliseconds(123);
  record.order_id = "2057" + std::to_string(row);
  record.sag_id = "sag-" + std::to_string(row);
  record.request_id = "473469C7-AA6F-4DC5-B3DB-A3DC0DE3C83E";
  return record;
}

/// `kind row attempt`, as replay tells them.
inline std::vector<std::string> steps_of(Ledger& ledger) {
  std::vector<std::string> steps;
  ledger.replay([&](const Step& step) {
    steps.push_back(std::string(name_of(step.kind)) + " " + std::to_string(step.row.value) + " " +
                    std::to_string(step.attempt.value));
  });
  return steps;
}

class LedgerContract : public testing::TestWithParam<LedgerMaker> {};

}  // namespace sagorder::io
