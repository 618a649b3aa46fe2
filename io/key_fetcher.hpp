// Carries the errands for keys: asks the questions that engine/key_errand poses, over plain HTTP
// or over TLS verified as for orders, without blocking the loop it lives in.
//
// The sources are tried in their order, a later one only if nobody is there at the earlier one.
// From the first key on the same source is asked each time: another one might be of an account
// that nobody meant.
//
// Life: the io_context outlives it, and does not run when it is gone.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/key_errand.hpp"
#include "engine/nonce.hpp"
#include "io/connection.hpp"
#include "io/plain_exchange.hpp"
#include "io/readiness.hpp"
#include "io/tls.hpp"

namespace sagorder::io {

/// As the vendor's libraries have it: the metadata service is near, or not there at all.
inline constexpr milliseconds kNearConnectTimeout{1'000};
inline constexpr milliseconds kNearAnswerTimeout{5'000};
/// Of STS, and of a URI.
inline constexpr milliseconds kFarConnectTimeout{5'000};
inline constexpr milliseconds kFarAnswerTimeout{15'000};
inline constexpr std::size_t kOidcTokenMax = 64 * 1024;  ///< bytes of the file

/// What came of an errand.
struct KeyOutcome {
  std::optional<FetchedKey> key;
  std::string source;     ///< for people, as KeySource has it
  std::string why;        ///< without a key: a sentence, no secret in it
  bool absent = false;    ///< without a key: nobody was there, and nothing had named a place
  bool may_pass = false;  ///< without a key: it may succeed in a moment
};

class KeyFetcher final : private Connection::Owner {
 public:
  using Done = std::function<void(const KeyOutcome& outcome)>;

  /// @param sources not empty, none of them known already  @param tls, routes outlive it
  KeyFetcher(boost::asio::io_context& context, const TlsContext& tls,
             std::vector<KeySource> sources, Scheme scheme,
             const Routes& routes = Routes::straight());
  ~KeyFetcher();
  KeyFetcher(const KeyFetcher&) = delete;
  KeyFetcher& operator=(const KeyFetcher&) = delete;

  /// One errand at a time. `done` is called once, from a handler of the io_context, unless
  /// `cancel` or the end of this comes first.
  void fetch(Done done);
  void cancel();
  /// Those that are left to be asked: after a key, its own alone.
  [[nodiscard]] const std::vector<KeySource>& sources() const { return sources_; }

 private:
  void begin();
  void ask();
  void ask_plain(KeyQuestion question);
  void ask_tls(KeyQuestion question);
  void look_at_deadline();
  void go_on();
  void next_source();
  void end(const KeyOutcome& outcome);
  void finished(Connection& connection, const Reply* reply, const Fault* fault) override;
  void connected(Connection& connection) override;

  boost::asio::io_context& context_;
  const TlsContext& tls_;
  const Routes& routes_;
  std::vector<KeySource> sources_;
  Scheme scheme_;
  NonceSource nonces_;
  std::shared_ptr<Readiness> readiness_;
  boost::asio::steady_timer deadline_;
  std::size_t source_ = 0;
  std::string absences_;  // why the sources before had none
  std::optional<KeyErrand> errand_;
  std::shared_ptr<PlainExchange> plain_;
  std::shared_ptr<Connection> connection_;
  Secret wire_;  // of the question over TLS
  Done done_;
};

/// The same, with a loop of its own: blocks until there is a key or it is given up, after a few
/// attempts if it may pass. @param sources after a key: its own alone is left
/// @param goes_on called every kFetchLook; what it throws ends the errand
KeyOutcome fetch_key(const TlsContext& tls, std::vector<KeySource>& sources, Scheme scheme,
                     const Routes& routes = Routes::straight(),
                     const std::function<void()>& goes_on = {});

inline constexpr int kFetchAttempts = 3;  ///< of fetch_key
inline constexpr milliseconds kFetchWaitFirst{500};
inline constexpr milliseconds kFetchLook{50};

}  // namespace sagorder::io
