// One keep-alive TLS stream to an endpoint, for one exchange at a time. It never sends anything
// twice: each request's bytes are handed to TLS once, and whatever happens then is a Fault.
//
//   connecting (resolve, connect) -> tunnelling -> handshaking -> proving -> writing -> reading
//   -> idle -> writing ...   and from everywhere -> closed, which is final
//
// `tunnelling` is for a proxy (io/tunnel). `proving` is for a server of TLS 1.3 that asked who we
// are: there a client's handshake ends before the server has looked at its certificate, so that a
// refusal would meet the first request and leave it in doubt. The server's next word (a session
// ticket, or the refusal) is waited for, kIdentityProofMax at most.
//
// Asio is used to wait for readiness alone, of all connections together; reads and writes are
// OpenSSL's, non-blocking, in the same turn. The bytes that the kernel took and gave are counted
// below TLS, where they mean something: `Fault::bytes_accepted` is what the kernel accepted since
// the first write of this request; `Fault::bytes_answered` is the answer's bytes so far, together
// with those of a TLS record that was begun and not ended.
//
// A turn takes a bounded number of bytes: OpenSSL by itself would go on for as long as records come
// that are no answer (tickets, key updates), and no deadline would be looked at meanwhile.
//
// A connection that failed, timed out or holds bytes nobody asked for is closed hard, without
// TLS's farewell: after a fault is told nothing more is written, so that no rest of a request that
// waits in OpenSSL's buffer can follow it.
//
// Life: shared, as asio's handlers hold it. The owner hears `finished` once for each exchange,
// always from a handler of the io_context, never from within `open`, `exchange` or `abandon`; so
// too `connected`.
#pragma once

#include <openssl/ssl.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "engine/moment.hpp"
#include "engine/order.hpp"
#include "engine/reuse.hpp"
#include "engine/verdict.hpp"
#include "io/dialer.hpp"
#include "io/file.hpp"
#include "io/http_answer.hpp"
#include "io/readiness.hpp"
#include "io/routes.hpp"
#include "io/tls.hpp"
#include "io/tunnel.hpp"
#include "io/wire.hpp"

namespace sagorder::io {

inline constexpr int kLooksMax = 8;                        ///< TLS records taken in one look
inline constexpr std::uint64_t kTurnBytesMax = 64 * 1024;  ///< taken before others have a turn
/// For the word of a server that asked who we are. One that says nothing when it accepts costs each
/// connection so long; one that takes longer to refuse leaves the requests on their way in doubt.
inline constexpr std::chrono::milliseconds kIdentityProofMax{1'000};

/// One request on its way. `wire` lives until the exchange has finished.
struct Exchange {
  std::uint32_t slot = 0;
  std::string_view wire;
  SteadyTime answer_by;
  bool hold = false;  ///< once connected, it is the owner who says when it begins
};

class Connection final : public std::enable_shared_from_this<Connection>,
                         private Readiness::Waiter {
 public:
  enum class Phase : std::uint8_t {
    connecting,
    tunnelling,
    handshaking,
    proving,
    writing,
    reading,
    idle,
    closed,
  };

  /// Who leases connections. Exactly one of the two is set; views are valid during the call.
  class Owner {
   public:
    virtual void finished(Connection& connection, const Reply* reply, const Fault* fault) = 0;
    /// For an exchange to be held: the handshake is over, the connection is idle, and not a byte
    /// of the request was offered.
    virtual void connected(Connection& connection) = 0;

   protected:
    ~Owner() = default;
  };

  /// @param readiness of the same io_context
  Connection(boost::asio::io_context& context, std::shared_ptr<Readiness> readiness,
             const TlsContext& tls, Endpoint endpoint, Owner& owner,
             const Routes& routes = Routes::straight());
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Connects, then makes the exchange, or holds it. To be called once, first.
  void open(const Exchange& exchange, SteadyTime connect_by);

  /// On an idle connection: still open, with no byte nobody asked for? Taking what TLS says to
  /// itself (tickets) is part of the look. If not, the connection is closed.
  [[nodiscard]] bool still_good(SteadyTime now);

  /// On an idle connection: begins an exchange. @return a fault if it failed at once; `finished`
  /// is not called then.
  [[nodiscard]] std::optional<Fault> exchange(const Exchange& exchange);

  /// Ends what has passed its deadline, with `finished`.
  void expire(SteadyTime now);

  /// Ends the exchange under way without `finished`. @return what to say about it
  [[nodiscard]] Fault abandon();

  /// Without an exchange under way: closes, with TLS's farewell if that is safe.
  void close();

  [[nodiscard]] Phase phase() const { return phase_; }
  [[nodiscard]] bool busy() const { return phase_ < Phase::idle; }
  /// An answer of an exchange before came over it.
  [[nodiscard]] bool has_served() const { return has_served_; }
  /// Its handshake resumed a TLS session. Told once.
  [[nodiscard]] bool take_resumed() { return std::exchange(resumed_, false); }
  [[nodiscard]] const Endpoint& endpoint() const { return endpoint_; }
  [[nodiscard]] std::uint32_t slot() const { return exchange_.slot; }
  /// The one it was opened for, or the last that it made.
  [[nodiscard]] const Exchange& last_exchange() const { return exchange_; }
  /// Bytes below TLS since the last call of this.
  [[nodiscard]] Traffic take_traffic();

 private:
  struct FreeSsl {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };

  void dialled(Dialer::End end);
  void tunnel();
  void begin_handshake();
  void handshake();
  void handshaken();
  void prove();
  void proved();
  void resume();
  std::optional<Fault> write();
  void read();
  void read_failed(int result);
  void answered();
  void rest(const ExchangeEnd& end);
  [[nodiscard]] bool is_quiet(SteadyTime now) const;
  Look look();
  void wait();
  void ready() override;
  void begin_turn() {
    wire_.pause_at = wire_.received + kTurnBytesMax;
    wire_.drained = false;
  }
  [[nodiscard]] Fault fault(FaultKind kind, std::string_view words) const;
  [[nodiscard]] Fault write_fault(int reason);
  [[nodiscard]] Fault stream_fault(int reason, std::string_view how_far);
  void fail(const Fault& fault);
  void shut();

  boost::asio::io_context& context_;
  const std::shared_ptr<Readiness> readiness_;
  const TlsContext& tls_;
  const Endpoint endpoint_;
  Owner& owner_;
  const Routes& routes_;
  const Proxy* const proxy_;        // nullptr: straight
  std::shared_ptr<Dialer> dialer_;  // until it is connected
  Fd descriptor_;                   // from then on
  std::optional<Tunnel> tunnel_;    // until it is open
  std::unique_ptr<SSL, FreeSsl> ssl_;
  Wire wire_;
  HttpAnswer answer_;
  Exchange exchange_;
  Phase phase_ = Phase::connecting;
  bool resumed_ = false;
  bool has_served_ = false;
  bool fresh_answer_ = false;          // answer_ was restarted for this exchange
  std::uint64_t accepted_before_ = 0;  // wire_.accepted when this request was first offered
  std::uint64_t received_before_ = 0;  // wire_.received then
  std::uint64_t answered_ = 0;         // decrypted bytes of this answer
  Traffic told_;                       // what take_traffic has given away
  SteadyTime connect_by_;
  SteadyTime prove_by_;
};

}  // namespace sagorder::io
