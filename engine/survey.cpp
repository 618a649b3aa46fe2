#include "engine/survey.hpp"

#include <algorithm>
#include <charconv>
#include <set>

#include "engine/order.hpp"

namespace sagorder {
namespace {

constexpr std::string_view kInstancePrefix = "sag-";

std::optional<std::uint64_t> number_in(std::string_view config, std::string_view name) {
  const auto text = config_value(config, name);
  if (!text) return std::nullopt;
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc{} || end != text->data() + text->size()) return std::nullopt;
  return number;
}

/// In the operation's own words, if Config has them.
Terms terms_of(const OrderDetail& detail) {
  Terms terms;
  if (std::ranges::find(kRegions, detail.region) != kRegions.end()) terms.region_id = detail.region;
  terms.user_count = number_in(detail.config, "UserCount");
  terms.data_plan = number_in(detail.config, "DataPlan");
  const auto period = number_in(detail.config, "Period");
  if (period && *period <= UINT32_MAX) terms.period = static_cast<std::uint32_t>(*period);
  return terms;
}

Terms terms_of(const ListedGateway& gateway, const std::string& region_id, bool touched) {
  Terms terms{region_id, {}, {}, {}};
  if (touched) return terms;
  terms.user_count = gateway.user_count;
  terms.data_plan = gateway.data_plan;
  if (gateway.end_at) terms.period = months_between(gateway.created_at, *gateway.end_at);
  return terms;
}

/// What the product is called: the ProductCodes of explained orders.
class Product {
 public:
  Product(const std::vector<ListedOrder>& orders, const ExplainedOrders& explained) {
    for (const ListedOrder& order : orders) {
      if (explained.contains(order.order_id) && !order.product_code.empty()) {
        codes_.insert(order.product_code);
      }
    }
  }
  [[nodiscard]] bool is_another(const ListedOrder& order) const {
    return !codes_.empty() && !order.product_code.empty() && !codes_.contains(order.product_code);
  }

 private:
  std::set<std::string, std::less<>> codes_;
};

class Surveyor {
 public:
  Surveyor(const Listed& listed, const ExplainedOrders& explained)
      : listed_(listed), explained_(explained), product_(listed.orders, explained) {
    for (const auto& [region, gateways] : listed.regions) {
      for (const ListedGateway& gateway : gateways) places_[gateway.sag_id] = {&region, &gateway};
    }
  }

  Survey look() {
    for (const auto& [id, explained] : explained_) tied_.insert(explained.sag_id);
    for (const ListedOrder& order : listed_.orders) tie(order);
    survey_.config_believed = calibrate();
    for (const ListedOrder& order : listed_.orders) add(order);
    for (const auto& [id, place] : places_) {
      if (tied_.contains(id)) continue;
      survey_.gateways.push_back(
          {id, place.gateway->created_at, terms_of(*place.gateway, *place.region, is_touched(id))});
    }
    return std::move(survey_);
  }

 private:
  struct Place {
    const std::string* region = nullptr;
    const ListedGateway* gateway = nullptr;
  };

  [[nodiscard]] const OrderDetail* detail_of(const ListedOrder& order) const {
    const auto found = listed_.details.find(order.order_id);
    return found == listed_.details.end() ? nullptr : &found->second;
  }

  /// Which instances have an order, what was done to them since, and what the product is called.
  void tie(const ListedOrder& order) {
    const auto explained = explained_.find(order.order_id);
    if (explained != explained_.end() && explained->second.ours) ++survey_.explained;
    if (product_.is_another(order)) return;
    const OrderDetail* detail = detail_of(order);
    if (!order.is_new && order.is_paid && (detail == nullptr || detail->instance_ids.empty())) {
      all_touched_ = true;
    }
    if (detail == nullptr) return;
    for (const std::string& id : detail->instance_ids) (order.is_new ? tied_ : touched_).insert(id);
  }

  /// True if every explained order whose terms and detail are at hand says in its detail what the
  /// ledger ordered, and there is one.
  [[nodiscard]] bool calibrate() const {
    std::size_t agreed = 0;
    for (const auto& [id, explained] : explained_) {
      const auto detail = listed_.details.find(id);
      if (!explained.terms || detail == listed_.details.end()) continue;
      if (terms_of(detail->second) != *explained.terms) return false;
      ++agreed;
    }
    return agreed > 0;
  }

  [[nodiscard]] bool is_touched(const std::string& sag_id) const {
    return all_touched_ || touched_.contains(sag_id);
  }

  [[nodiscard]] bool is_of_another_product(const ListedOrder& order) const {
    const OrderDetail* detail = detail_of(order);
    const bool other_instances =
        detail != nullptr && !detail->instance_ids.empty() &&
        std::ranges::none_of(detail->instance_ids,
                             [](const std::string& id) { return id.starts_with(kInstancePrefix); });
    return product_.is_another(order) || other_instances;
  }

  void add(const ListedOrder& order) {
    if (explained_.contains(order.order_id) || !order.is_new || is_of_another_product(order)) {
      return;
    }
    LooseOrder loose{order.order_id, order.created_at, order.is_paid, {}, {}};
    const OrderDetail* detail = detail_of(order);
    if (detail != nullptr && detail->instance_ids.size() == 1) {
      loose.sag_id = detail->instance_ids.front();
      const auto place = places_.find(loose.sag_id);
      if (place != places_.end()) {
        loose.terms =
            terms_of(*place->second.gateway, *place->second.region, is_touched(loose.sag_id));
      }
    } else if (detail != nullptr && detail->instance_ids.empty() && survey_.config_believed) {
      loose.terms = terms_of(*detail);
    }
    survey_.orders.push_back(std::move(loose));
  }

  const Listed& listed_;
  const ExplainedOrders& explained_;
  const Product product_;
  std::map<std::string, Place, std::less<>> places_;  // of the listed instances
  std::set<std::string, std::less<>> tied_;           // instances that have an order
  std::set<std::string, std::less<>> touched_;  // instances that were changed by another order
  bool all_touched_ = false;                    // it is not known which
  Survey survey_;
};

}  // namespace

std::vector<std::string> details_needed(const std::vector<ListedOrder>& orders,
                                        const ExplainedOrders& explained) {
  std::vector<std::string> ids;
  std::size_t calibrating = 0;
  const Product product(orders, explained);
  for (const ListedOrder& order : orders) {
    if (product.is_another(order)) continue;
    const auto found = explained.find(order.order_id);
    const bool calibrates =
        found != explained.end() && found->second.terms && calibrating < kCalibratingMax;
    if (calibrates) ++calibrating;
    if (found == explained.end() || found->second.sag_id.empty() || calibrates) {
      ids.push_back(order.order_id);
    }
  }
  return ids;
}

Survey survey(const Listed& listed, const ExplainedOrders& explained) {
  return Surveyor(listed, explained).look();
}

}  // namespace sagorder
