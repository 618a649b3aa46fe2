#include "io/lister.hpp"

#include <algorithm>
#include <utility>

#include "io/driver.hpp"

namespace sagorder::io {

bool Lister::flawed(std::string why) {
  if (gathered_.flaw.empty()) gathered_.flaw = std::move(why);
  return false;
}

bool Lister::failed(const std::string& what, const QueryEnd& end) {
  gathered_.code = end.exit_code();
  return flawed(what + ": " + end.why());
}

Gathered Lister::gather(WallTime from, WallTime to, const std::set<std::string>& regions,
                        const ExplainedOrders& explained) {
  gathered_ = {};
  const bool whole = gather_orders(from, to) && gather_details(explained) &&
                     std::ranges::all_of(regions, [&](const std::string& region) {
                       return gather_gateways(region);
                     });
  if (!whole) flawed("the listing could not be made");
  return std::move(gathered_);
}

Gathering::Step Lister::gather_pages(std::uint32_t page_size, const AskPage& page) {
  Gathering gathering(page_size);
  std::vector<std::string> ids;
  for (;;) {
    Paging paging;
    ids.clear();
    if (!page(gathering.next_page(), paging, ids)) return Gathering::Step::more;
    const Gathering::Step step = gathering.take(paging, ids);
    if (step != Gathering::Step::more) return step;
    if (gathering.next_page() > kPagesMax) {
      flawed("there are " + std::to_string(gathering.total()) + " entries to list, and " +
             std::to_string(kPagesMax) + " pages are the most that are read");
      return Gathering::Step::more;
    }
  }
}

bool Lister::gather_orders(WallTime from, WallTime to) {
  std::optional<OrdersPage> read;
  const auto ask = [&](std::uint32_t number, Paging& paging, std::vector<std::string>& ids) {
    const WallTime begun = now().wall;
    const QueryEnd end =
        client_.ask(endpoints_.billing, orders_query(from, to, number), [&](const Reply& reply) {
          read = reader_.orders(reply.body);
          return read.has_value();
        });
    if (!end.understood) return failed("QueryOrders", end);
    if (!end.answer.server_at) return flawed("QueryOrders: the answer has no Date");
    if (number == 1) gathered_.as_of = std::min(begun, *end.answer.server_at);
    paging = read->paging;
    for (ListedOrder& order : read->orders) {
      ids.push_back(order.order_id);
      gathered_.listed.orders.push_back(std::move(order));
    }
    return true;
  };
  for (std::uint32_t i = 0; i < kListingTriesMax; ++i) {
    gathered_.listed.orders.clear();
    const Gathering::Step step = gather_pages(kOrdersPageSize, ask);
    if (step == Gathering::Step::more) return false;
    if (step == Gathering::Step::whole) return true;
    say_("the listing of orders changed while it was read; it is read again");
  }
  return flawed("QueryOrders: the listing changed each time it was read");
}

bool Lister::gather_details(const ExplainedOrders& explained) {
  const std::vector<std::string> needed = details_needed(gathered_.listed.orders, explained);
  if (needed.size() > kDetailsMax) {
    return flawed("the ledger does not explain " + std::to_string(needed.size()) +
                  " orders of this time, and no more than " + std::to_string(kDetailsMax) +
                  " are looked at");
  }
  for (const std::string& id : needed) {
    std::optional<OrderDetail> detail;
    const QueryEnd end =
        client_.ask(endpoints_.billing, order_detail_query(id), [&](const Reply& reply) {
          detail = reader_.detail(reply.body);
          return detail && detail->order_id == id;
        });
    if (!end.understood) return failed("GetOrderDetail of " + id, end);
    gathered_.listed.details[id] = std::move(*detail);
  }
  return true;
}

bool Lister::gather_gateways(const std::string& region) {
  const Endpoint endpoint = endpoints_.gateways.value_or(default_endpoint(region));
  auto& gateways = gathered_.listed.regions[region];
  std::optional<GatewaysPage> read;
  const auto ask = [&](std::uint32_t number, Paging& paging, std::vector<std::string>& ids) {
    const QueryEnd end =
        client_.ask(endpoint, gateways_query(region, number), [&](const Reply& reply) {
          read = reader_.gateways(reply.body);
          return read.has_value();
        });
    if (!end.understood) return failed("DescribeSmartAccessGateways of " + region, end);
    paging = read->paging;
    for (ListedGateway& gateway : read->gateways) {
      ids.push_back(gateway.sag_id);
      gateways.push_back(std::move(gateway));
    }
    return true;
  };
  for (std::uint32_t i = 0; i < kListingTriesMax; ++i) {
    gateways.clear();
    const Gathering::Step step = gather_pages(kGatewaysPageSize, ask);
    if (step == Gathering::Step::more) return false;
    if (step == Gathering::Step::whole) return true;
    say_("the listing of instances changed while it was read; it is read again");
  }
  return flawed("DescribeSmartAccessGateways of " + region +
                ": the listing changed each time it was read");
}

}  // namespace sagorder::io
