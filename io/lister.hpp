// Asks for the listings that a reconciliation needs: orders of a time, details of some, instances
// of some regions. Whole, or with the reason why not; pages, details and tries are bounded.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>

#include "engine/listing.hpp"
#include "engine/survey.hpp"
#include "io/query_client.hpp"

namespace sagorder::io {

inline constexpr std::uint32_t kPagesMax = 5'000;     ///< of one listing
inline constexpr std::size_t kDetailsMax = 2'000;     ///< orders that are looked at one by one
inline constexpr std::uint32_t kListingTriesMax = 3;  ///< of a listing that changes meanwhile

/// Where the two products answer.
struct Endpoints {
  Endpoint billing;
  std::optional<Endpoint> gateways;  ///< nullopt: by RegionId
};

struct Gathered {
  Listed listed;
  WallTime as_of;    ///< when the orders' listing was begun, by the earlier of the two clocks
  std::string flaw;  ///< why it is not whole, for a person; empty: it is
  ExitCode code = ExitCode::some_in_doubt;  ///< what the flaw means
};

class Lister {
 public:
  /// @param client outlives it  @param say what is going on, for a person
  Lister(QueryClient& client, Endpoints endpoints, std::function<void(const std::string&)> say)
      : client_(client), endpoints_(std::move(endpoints)), say_(std::move(say)) {}

  Gathered gather(WallTime from, WallTime to, const std::set<std::string>& regions,
                  const ExplainedOrders& explained);

 private:
  bool gather_orders(WallTime from, WallTime to);
  bool gather_details(const ExplainedOrders& explained);
  bool gather_gateways(const std::string& region);
  /// One try at a listing, page by page. @param page asks for a page and gives its paging and ids
  using AskPage = std::function<bool(std::uint32_t, Paging&, std::vector<std::string>&)>;
  Gathering::Step gather_pages(std::uint32_t page_size, const AskPage& page);
  bool failed(const std::string& what, const QueryEnd& end);
  bool flawed(std::string why);

  QueryClient& client_;
  Endpoints endpoints_;
  std::function<void(const std::string&)> say_;
  ListingReader reader_;
  Gathered gathered_;
};

}  // namespace sagorder::io
