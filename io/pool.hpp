// Connections by endpoint: leases one for each exchange, keeps idle ones a short while.
//
// One pool belongs to one io_context and is used from its thread only. At most `connections` are
// open at a time, over all endpoints; an idle one of another endpoint gives way. A connection is
// used again only if its last exchange was whole, the answer did not ask for closing, no
// unsolicited byte came, it was idle for less than `idle`, and a look just before the write (at
// this socket, or at all of them at most kLookStands ago) shows neither end of file nor bytes.
//
// A request may be held: it is given its connection, and its bytes leave at go() and not before, so
// that the caller can choose that moment however long a handshake took.
//
// The pool never sends an exchange twice. A connection found unusable before the first byte of a
// request was offered to it is replaced by a fresh one; after that, whatever happens is a Fault.
//
// Deadlines are looked at by one coarse timer (at most kPoolTickMax late), which runs only while
// there are connections, so that the io_context can run dry.
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "engine/order.hpp"
#include "engine/response.hpp"
#include "engine/verdict.hpp"
#include "io/routes.hpp"
#include "io/tls.hpp"

namespace sagorder::io {

inline constexpr std::size_t kWireBytesMax = 16U << 20;  ///< of one request
inline constexpr std::chrono::milliseconds kPoolTickMin{5};
inline constexpr std::chrono::milliseconds kPoolTickMax{100};

struct PoolOptions {
  std::uint32_t connections = 16;                     ///< 1..kConnectionsMax
  std::chrono::milliseconds request_timeout{60'000};  ///< whole exchange, from send() on
  std::chrono::milliseconds connect_timeout{10'000};  ///< resolve + connect + TLS handshake
  std::chrono::milliseconds idle{5'000};
  /// A connection whose exchange is whole waits, used by nobody, until keep(slot) or retire(slot)
  /// says what becomes of it. For a handler that does not judge the answer before it returns.
  bool wait_for_word = false;
  const Routes* routes = &Routes::straight();  ///< outlives the pool
};

/// How an exchange ended: a reply or a fault; or, with neither, that a held one has its connection.
/// Views are valid during the call only.
struct Completion {
  std::uint32_t slot = 0;
  const Reply* reply = nullptr;
  const Fault* fault = nullptr;
  [[nodiscard]] bool connected() const { return reply == nullptr && fault == nullptr; }
};

struct PoolCounters {
  std::uint64_t connects = 0;            ///< begun, whatever became of them
  std::uint64_t handshakes_resumed = 0;  ///< of the connects: those that resumed a TLS session
  std::uint64_t reused = 0;              ///< exchanges on a connection that had served before
  std::uint64_t discarded = 0;           ///< found closed or dirty before use
  std::uint64_t bytes_written = 0;       ///< below TLS, handshakes included
  std::uint64_t bytes_read = 0;          ///< likewise; both are added up when an exchange ends
};

class Pool {
 public:
  using Handler = std::function<void(const Completion&)>;

  /// `context` and `tls` must outlive it. Throws std::invalid_argument on options out of range.
  Pool(boost::asio::io_context& context, const TlsContext& tls, PoolOptions options,
       Handler handler);
  /// Writes a held request that is connected; if its connection was closed meanwhile, it ends as a
  /// fault of which no byte was accepted. No such one: nothing happens.
  /// @param until what has not left by then is not to leave: it ends as by leave()
  void go(std::uint32_t slot, SteadyTime until = SteadyTime::max());
  /// Ends a held request that was not told to go as cancelled, with no byte accepted. No such one:
  /// nothing happens.
  void leave(std::uint32_t slot);
  /// Makes the connection idle that waits for word on this slot's exchange, if there is one.
  void keep(std::uint32_t slot);
  /// Closes the waiting or idle connection whose last exchange was this slot's, if there is one.
  void retire(std::uint32_t slot);

  /// Closes everything; what has not completed by then never does.
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// Starts one exchange. `endpoint` and `wire` must live until its completion. The handler is
  /// never called from within send() or close(), and may call both. No more than `connections`
  /// exchanges may be under way, and one counts until its connection has had the word it waits
  /// for: one more throws BrokenPromise. After close() it sends nothing and completes as
  /// cancelled.
  /// @param hold  gives it a connection and waits for go() or leave()
  /// @return it is held and connected already: the handler will not be told
  bool send(std::uint32_t slot, const Endpoint& endpoint, std::string_view wire, bool hold = false);

  /// Closes everything; exchanges under way complete with FaultKind::cancelled, and their
  /// bytes_accepted say whether that is doubt. Final.
  void close();

  [[nodiscard]] const PoolCounters& counters() const;

 private:
  struct State;
  std::shared_ptr<State> state_;  // handlers of the io_context watch it weakly
};

}  // namespace sagorder::io
