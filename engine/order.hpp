// The nouns: a row of the input as an order, in the API's own words.
//
// Source of the closed sets and limits: the operation's page (2019) for errors, later vendor
// sources for warnings; `intake` applies them.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sagorder {

/// Number of a data record of the input, counted from 1 (the header is not counted).
struct Row {
  std::uint64_t value = 0;
  // NOLINTNEXTLINE(modernize-use-nullptr): it looks into the generated comparison
  auto operator<=>(const Row&) const = default;
};

/// Number of an attempt to place a row, counted from 1. Each has its own SignatureNonce.
struct Attempt {
  std::uint32_t value = 0;
  auto operator<=>(const Attempt&) const = default;
};

inline constexpr std::string_view kAction = "CreateSmartAccessGatewaySoftware";
inline constexpr std::string_view kVersion = "2018-03-13";
inline constexpr std::string_view kChargeTypePrepay = "PREPAY";

/// Regions that have an endpoint `smartag.<RegionId>.aliyuncs.com`.
inline constexpr std::array<std::string_view, 10> kRegions = {
    "cn-shanghai",    "cn-shanghai-finance-1", "cn-hangzhou",    "cn-hongkong",    "ap-southeast-1",
    "ap-southeast-2", "ap-southeast-3",        "ap-southeast-5", "ap-northeast-1", "eu-central-1"};

/// The cells of one input record as they were read (unquoted), packed so that a slot can be
/// reused without allocating.
class Cells {
 public:
  void clear() {
    text_.clear();
    ends_.clear();
  }
  void push_back(std::string_view cell) {
    text_.append(cell);
    ends_.push_back(static_cast<std::uint32_t>(text_.size()));
  }
  [[nodiscard]] std::size_t size() const { return ends_.size(); }
  [[nodiscard]] std::string_view operator[](std::size_t index) const {
    const std::size_t begin = index == 0 ? 0 : ends_[index - 1];
    return std::string_view(text_).substr(begin, ends_[index] - begin);
  }

 private:
  std::string text_;
  std::vector<std::uint32_t> ends_;
};

/// One order, validated. Values are in the ranges that `intake` let through.
struct Order {
  Row row;
  std::string region_id;          ///< lower-case letters, digits and '-', at most 64
  std::uint32_t period = 0;       ///< months
  std::uint32_t user_count = 0;   ///< client accounts ("seats")
  std::uint64_t data_plan = 5;    ///< GB
  bool auto_pay = false;          ///< true: the bill is paid at once
  std::string resource_group_id;  ///< empty: not sent
  Cells cells;                    ///< the input columns, for the results file

  [[nodiscard]] std::uint64_t seat_months() const {
    return static_cast<std::uint64_t>(user_count) * period;
  }
};

/// Where a request goes. `host` is a DNS name or an address literal, as certificates name it.
struct Endpoint {
  std::string host;
  std::uint16_t port = 443;
  // NOLINTNEXTLINE(modernize-use-nullptr): it looks into the generated comparison
  auto operator<=>(const Endpoint&) const = default;
};

}  // namespace sagorder
