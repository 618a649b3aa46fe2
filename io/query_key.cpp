#include "io/query_key.hpp"

#include <utility>

namespace sagorder::io {

QueryKey::QueryKey(Credentials found, Fetch fetch, Say say)
    : found_(std::move(found)), fetch_(std::move(fetch)), say_(std::move(say)) {
  if (found_.life) renewal_ = Renewal(*found_.life);
}

bool QueryKey::keep_fresh(WallTime today) {
  return renewal_.renewable() && renewal_.due(today) && fetch(today);
}

bool QueryKey::replace(WallTime today) {
  // One that was fetched for this reason, and is refused itself, helps nobody.
  return renewal_.refused(today) && fetch(today);
}

bool QueryKey::fetch(WallTime today) {
  renewal_.began();
  const KeyOutcome outcome = fetch_(found_.renewal);
  if (!outcome.key) {
    renewal_.failed(today);
    say_("the key was not renewed: " + outcome.why);
    return false;
  }
  const KeyLife life{today, outcome.key->expires_at};
  if (!renewal_.renewed(life)) {
    say_("the key was not renewed: the one that came lives no longer");
    return false;
  }
  found_.key = outcome.key->key;
  say_("another key from the " + outcome.source + ", " + describe_key(found_.key, life));
  return true;
}

QueryKey query_key(Credentials found, const TlsContext& tls, Scheme scheme, const Routes& routes,
                   QueryKey::Say say) {
  return {std::move(found),
          [&tls, scheme, &routes](std::vector<KeySource>& sources) {
            return fetch_key(tls, sources, scheme, routes);
          },
          std::move(say)};
}

}  // namespace sagorder::io
