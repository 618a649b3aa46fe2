// Rows in doubt and what the account's listings do not explain -> a verdict on each row, and why.
//
// An attempt that was executed made one order, of the row's terms, whose CreateTime (the server's
// clock) is within the time for which the server takes the request's timestamp, and a little more.
// So a row and an order *may belong together* if the order was created in the row's window and no
// term that is known differs; they *do match* if every term is known and equal. Rows and orders
// that may belong together, directly or through others, are a *group*; within one nothing tells
// rows apart, so a group is judged by count:
//
//   n rows, no order and no instance                          absent
//   n rows, n orders that do match, one for each row          found: each row one of the orders
//   anything else                                             ambiguous
//
// Nothing is found or absent unless the listing is whole, covers the window, was made after the
// safe time, and shows that it is this account's (it has an order of this ledger, or the operator
// says so). Found also needs the operator's word that nobody else ordered such gateways then, for
// an order bears no mark of who made it; and that no other batch that the word covers has rows in
// doubt, which the order might be of. Within a group the assignment is by payment and time;
// where these do not tell equal rows apart, it is arbitrary, and the count is right.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/moment.hpp"
#include "engine/order.hpp"
#include "engine/survey.hpp"

namespace sagorder {

/// The server takes a timestamp that differs by this much from its clock: 15 minutes on most of the
/// vendor's pages, 31 on one.
inline constexpr seconds kTimestampValidity{31 * 60};
/// From the moment a request is taken to its order's CreateTime. Not documented: a guess, large.
inline constexpr seconds kExecutionDelay{5 * 60};
/// Until an order is listed. Not documented: a guess, large.
inline constexpr seconds kListingDelay{30 * 60};
/// From an attempt's beginning until its absence from a listing means something.
inline constexpr seconds kSafeTime = kTimestampValidity + kExecutionDelay + kListingDelay;

/// A row in doubt.
struct Doubt {
  Row row;
  WallTime at;  ///< the attempt's timestamp
  std::string region_id;
  std::uint64_t user_count = 0;
  std::uint64_t data_plan = 0;
  std::uint32_t period = 0;
  bool auto_pay = false;
  bool replayed = false;  ///< its bytes were sent twice: there may be two orders
};

/// When an order of this doubt was created, if it was.
struct Window {
  WallTime begin;
  WallTime end;
};
Window window_of(const Doubt& doubt);

struct Evidence {
  Survey survey;
  std::uint64_t listed = 0;  ///< orders in the listing
  WallTime from;             ///< what the listing covers
  WallTime to;
  WallTime as_of;    ///< when it was made, by the earlier of the two clocks
  std::string flaw;  ///< why it is not whole; empty: it is
};

/// What the operator says, and no listing shows.
struct Word {
  bool sole_buyer = false;    ///< nobody else ordered such gateways on this account then
  bool same_account = false;  ///< the credentials are those of the account that ordered
  bool rivals = false;        ///< another batch of this account has rows in doubt, too
};

enum class Finding : std::uint8_t {
  found,      ///< it was executed, as this order
  absent,     ///< it was not executed
  ambiguous,  ///< the listing does not say which rows were executed
  unknown,    ///< the listing says nothing
  too_early,  ///< it may say something later
};
std::string_view name_of(Finding finding);

struct Ruling {
  Row row;
  Finding finding = Finding::unknown;
  std::string order_id;  ///< found
  std::string sag_id;    ///< found, may be empty
  std::string because;   ///< one line, at most kBecauseBytesMax; the evidence
};
inline constexpr std::size_t kBecauseBytesMax = 480;

/// One ruling (verdict) for each doubt, in their order.
std::vector<Ruling> reconcile(std::span<const Doubt> doubts, const Evidence& evidence, Word word);

}  // namespace sagorder
