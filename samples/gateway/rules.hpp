// The rules a call must keep besides its signature: the clock, the nonce, the quota, the
// parameters. Time is an argument; nothing here asks for it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto.hpp"
#include "parameters.hpp"

namespace gateway {

using SteadyTime = std::chrono::steady_clock::time_point;
using WallTime = std::chrono::system_clock::time_point;

// One reading of both clocks serves one request from its first check to its last log field.
struct Now {
  SteadyTime steady;
  WallTime wall;
};

// Why a call is refused. `code` is the API's own word, `message` is for people.
struct Refusal {
  int status = 400;
  std::string code;
  std::string message;
};

// `yyyy-MM-ddTHH:mm:ssZ`, no fraction, a day that exists. Nothing else.
std::optional<WallTime> parse_timestamp(std::string_view text);

// Remembers nonces for `window` and no longer. What is kept of a nonce is 96 bits of its SHA-256
// and the second it came in: 16 bytes each, dropped when the table next grows.
class NonceMemory {
 public:
  explicit NonceMemory(std::chrono::seconds window);

  // True if this key used this nonce within the window. Notes it as used now in either case.
  bool seen(std::string_view access_key_id, std::string_view nonce, SteadyTime now);

  std::size_t slots() const { return slots_.size(); }

 private:
  struct Slot {
    std::uint64_t high = 0;
    std::uint32_t low = 0;
    std::uint32_t second = 0;  // 0: the slot is free
  };

  Slot& place_of(std::uint64_t high, std::uint32_t low);
  void grow(std::uint32_t second);
  bool expired(const Slot& slot, std::uint32_t second) const;

  Sha256 sha256_;
  std::string scratch_;
  std::chrono::seconds window_;
  std::optional<SteadyTime> start_;
  std::vector<Slot> slots_;  // open addressing; the size is a power of two
  std::size_t used_ = 0;
};

// At most `limit` calls in any `window`, over the whole account. What is refused does not count.
class Quota {
 public:
  Quota() = default;  // without limit
  Quota(std::size_t limit, std::chrono::nanoseconds window) : window_(window), admitted_(limit) {}

  bool admit(SteadyTime now);
  // Until the next call would be admitted; zero if one would be now.
  std::chrono::nanoseconds wait(SteadyTime now) const;
  std::size_t limit() const { return admitted_.size(); }

 private:
  std::chrono::nanoseconds window_{0};
  std::vector<SteadyTime> admitted_;  // a ring: the time of each of the last `limit` admissions
  std::size_t next_ = 0;
  bool full_ = false;
};

// What is ordered. Views into the request.
struct Order {
  std::string_view region_id;
  std::string_view charge_type;
  std::string_view resource_group_id;  // empty: not given
  std::int64_t user_count = 0;
  std::int64_t period = 0;  // months
  std::int64_t data_plan = 0;
  bool auto_pay = false;
};

enum class RuleSet {
  page,   // the operation's page: users from 1, months to 12 or a multiple of 12
  later,  // the vendor's later sources: users 5 to 1000 in fives, months 1 to 9, 12, 24, 36
};

// Reads the order or says what is wrong with it. `host` is the name the call was sent to: a
// region's own endpoint orders for that region only.
std::optional<Refusal> read_order(const Parameters& parameters, std::string_view host,
                                  RuleSet rule_set, Order& order);

}  // namespace gateway
