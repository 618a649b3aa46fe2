// The key that read-only calls are signed with: the one that was found, until engine/renewal says
// that another one is due, or a server calls it expired. There may be thousands of calls, and keys
// that live for minutes. To fetch one blocks: between two calls nothing is under way.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/renewal.hpp"
#include "io/credentials.hpp"
#include "io/key_fetcher.hpp"

namespace sagorder::io {

class QueryKey {
 public:
  /// After a key, its own source alone is left of `sources`.
  using Fetch = std::function<KeyOutcome(std::vector<KeySource>& sources)>;
  using Say = std::function<void(const std::string& text)>;

  /// @param found fetched, or one that cannot be renewed  @param say what comes of it, for a person
  QueryKey(Credentials found, Fetch fetch, Say say);

  [[nodiscard]] const AccessKey& key() const { return found_.key; }

  /// Fetches another one if it is due. @return whether `key` is another one since
  bool keep_fresh(WallTime today);
  /// The server called it expired. @return whether `key` is another one since
  bool replace(WallTime today);
  /// A call was understood.
  void proved() { renewal_.proved(); }

 private:
  bool fetch(WallTime today);

  Credentials found_;
  Fetch fetch_;
  Say say_;
  Renewal renewal_;
};

/// One that fetches by io/key_fetcher. @param tls, routes outlive it
QueryKey query_key(Credentials found, const TlsContext& tls, Scheme scheme, const Routes& routes,
                   QueryKey::Say say);

}  // namespace sagorder::io
