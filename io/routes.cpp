#include "io/routes.hpp"

#include <utility>

namespace sagorder::io {

Routes::Routes(std::optional<Proxy> proxy, NoProxy exceptions, const std::vector<Pin>& pins)
    : proxy_(std::move(proxy)), exceptions_(std::move(exceptions)) {
  for (const Pin& pin : pins) {
    for (const std::string& address : pin.addresses) {
      pins_[pin.endpoint].push_back(boost::asio::ip::make_address(address));
    }
  }
}

const Proxy* Routes::proxy_for(const Endpoint& endpoint) const {
  return proxy_ && !exceptions_.covers(endpoint) ? &*proxy_ : nullptr;
}

Routes::Addresses Routes::addresses_of(const Endpoint& endpoint) const {
  const auto found = pins_.find(endpoint);
  return found == pins_.end() ? Addresses{} : found->second;
}

const Routes& Routes::straight() {
  static const Routes kStraight;
  return kStraight;
}

Routes find_routes(const Settings& settings) {
  if (settings.proxy.none) return {std::nullopt, {}, settings.pins};
  // What is said for this command holds for all of it.
  if (!settings.proxy.url.empty()) {
    return {parse_proxy("--proxy", settings.proxy.url), {}, settings.pins};
  }
  return {proxy_of_environment(), no_proxy_of_environment(), settings.pins};
}

}  // namespace sagorder::io
