// Read-only calls, one at a time, over the same connections and TLS rules as orders. What fails in
// passing is asked again, with a new nonce and timestamp, after a growing wait: nothing is spent by
// asking. A refusal that would come again (permission, a wrong parameter) is told at once.
//
// Never more than one call in kQueryGap, so that orders of other tools keep their share of the
// account's quota. Ctrl-C ends the program as it always does: there is nothing to finish.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "engine/moment.hpp"
#include "engine/query.hpp"
#include "engine/response.hpp"
#include "engine/verdict.hpp"
#include "io/connection.hpp"
#include "io/exit_code.hpp"
#include "io/query_key.hpp"
#include "io/readiness.hpp"
#include "io/routes.hpp"
#include "io/tls.hpp"

namespace sagorder::io {

inline constexpr milliseconds kQueryGap{100};          ///< between the beginnings of two calls
inline constexpr std::uint32_t kQueryAttemptsMax = 6;  ///< of one call
inline constexpr milliseconds kQueryWaitFirst{250};    ///< doubled with each attempt
inline constexpr milliseconds kQueryWaitMax{8'000};    ///< a longer hint is taken for this one

/// What came of a call.
struct QueryEnd {
  bool understood = false;
  Answer answer;               ///< the last one, if there was one; its texts may be shown
  std::optional<Fault> fault;  ///< of the last attempt, if it had no answer
  std::uint32_t attempts = 0;

  /// Why it was not understood, for a person; no control character in it.
  [[nodiscard]] std::string why() const;
  /// credentials (6): key, permission, clock or certificate; else limit (5).
  [[nodiscard]] ExitCode exit_code() const;
};

class QueryClient final : private Connection::Owner {
 public:
  /// @param tls, routes outlive it
  /// Throws std::invalid_argument for a key that cannot stand in a request.
  QueryClient(const TlsContext& tls, const Routes& routes, Scheme scheme, Method method,
              QueryKey key, milliseconds request_timeout, milliseconds connect_timeout);
  ~QueryClient();
  QueryClient(const QueryClient&) = delete;
  QueryClient& operator=(const QueryClient&) = delete;

  /// Blocks until it is answered or given up. @param understand is shown each 2xx answer; false: it
  /// is not what was asked for
  QueryEnd ask(const Endpoint& endpoint, const Query& query,
               const std::function<bool(const Reply&)>& understand);

 private:
  void sign_with_key();
  void attempt(const Endpoint& endpoint, const Query& query);
  bool reuse(const Endpoint& endpoint, const Exchange& exchange);
  void finished(Connection& connection, const Reply* reply, const Fault* fault) override;
  void connected(Connection& connection) override;

  const TlsContext& tls_;
  const Routes& routes_;
  Scheme scheme_;
  Method method_;
  QueryKey key_;
  QueryWriter writer_;  // with that key
  milliseconds request_timeout_;
  milliseconds connect_timeout_;
  boost::asio::io_context context_;
  std::shared_ptr<Readiness> readiness_;
  std::shared_ptr<Connection> connection_;
  NonceSource nonces_;
  AnswerReader reader_;
  WireBuffer wire_;
  SteadyTime next_;  // the next call begins no earlier
  bool done_ = false;
  const std::function<bool(const Reply&)>* understand_ = nullptr;
  QueryEnd end_;
};

}  // namespace sagorder::io
