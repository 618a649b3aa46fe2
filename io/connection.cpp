#include "io/connection.hpp"

#include <openssl/err.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <system_error>
#include <utility>

#include "io/kill_point.hpp"

namespace sagorder::io {
namespace {

/// Why a call of OpenSSL failed: the system's words or its own. Empties its queue.
std::string words_for(int reason, int system_error) {
  const std::string tls_words = take_tls_error();
  const bool is_system = reason == SSL_ERROR_SYSCALL || tls_words.empty();
  return is_system ? std::generic_category().message(system_error) : tls_words;
}

/// The oldest queued error is an alert that the peer sent.
bool is_alert() { return ERR_GET_REASON(ERR_peek_error()) >= SSL_AD_REASON_OFFSET; }

}  // namespace

Connection::Connection(boost::asio::io_context& context, std::shared_ptr<Readiness> readiness,
                       const TlsContext& tls, Endpoint endpoint, Owner& owner, const Routes& routes)
    : context_(context),
      readiness_(std::move(readiness)),
      tls_(tls),
      endpoint_(std::move(endpoint)),
      owner_(owner),
      routes_(routes),
      proxy_(routes.proxy_for(endpoint_)) {}

Connection::~Connection() {
  if (dialer_) dialer_->give_up();
  readiness_->forget(*this);
}

void Connection::open(const Exchange& exchange, SteadyTime connect_by) {
  exchange_ = exchange;
  connect_by_ = std::min(connect_by, exchange.answer_by);
  dialer_ = std::make_shared<Dialer>(context_, [weak = weak_from_this()](Dialer::End end) {
    if (const auto self = weak.lock()) self->dialled(std::move(end));
  });
  const Endpoint& to = proxy_ == nullptr ? endpoint_ : proxy_->at;
  dialer_->dial(to, routes_.addresses_of(to));
}

void Connection::dialled(Dialer::End end) {
  dialer_.reset();
  if (!end.socket.open()) {
    return fail(fault(end.resolved ? FaultKind::connect_failed : FaultKind::resolve_failed,
                      proxy_ == nullptr
                          ? end.why
                          : "the proxy " + text_of(proxy_->at) + " cannot be reached: " + end.why));
  }
  kill_point("connection:made");
  try {
    // Asio would look at each packet, too, if it kept the socket.
    descriptor_ = std::move(end.socket);
    wire_.fd = descriptor_.get();
    readiness_->watch(wire_.fd, *this);
  } catch (const std::system_error& error) {
    return fail(fault(FaultKind::connect_failed, error.what()));
  }
  if (proxy_ == nullptr) return begin_handshake();
  phase_ = Phase::tunnelling;
  tunnel_.emplace(endpoint_, *proxy_, wire_);
  tunnel();
}

void Connection::tunnel() {
  begin_turn();
  switch (tunnel_->go_on()) {
    case Tunnel::Progress::waits:
      return wait();
    case Tunnel::Progress::failed:
      return fail(fault(tunnel_->kind(), tunnel_->why()));
    case Tunnel::Progress::open:
      tunnel_.reset();
      return begin_handshake();
  }
}

void Connection::begin_handshake() {
  phase_ = Phase::handshaking;
  try {
    ssl_.reset(tls_.new_ssl(endpoint_));
    BIO* bio = new_counting_bio(wire_);
    SSL_set_bio(ssl_.get(), bio, bio);
  } catch (const TlsError& error) {
    return fail(fault(FaultKind::tls_failed, error.what()));
  }
  handshake();
}

void Connection::handshake() {
  begin_turn();
  clear_tls_errors();
  const int result = SSL_do_handshake(ssl_.get());
  if (result == 1) return handshaken();
  const int reason = SSL_get_error(ssl_.get(), result);
  if (reason == SSL_ERROR_WANT_READ) return wait();
  if (reason == SSL_ERROR_WANT_WRITE) return wait();
  if (const auto refusal = certificate_refusal(ssl_.get(), endpoint_, false)) {
    return fail(fault(FaultKind::certificate_refused, *refusal));
  }
  if (const auto refusal = identity_refusal(ssl_.get())) {
    return fail(fault(FaultKind::identity_refused, *refusal));
  }
  if (wire_.ended) {
    return fail(fault(FaultKind::tls_failed, "closed by the server during the TLS handshake"));
  }
  fail(fault(FaultKind::tls_failed, "TLS handshake: " + words_for(reason, wire_.error)));
}

void Connection::handshaken() {
  kill_point("connection:handshaken");
  resumed_ = SSL_session_reused(ssl_.get()) == 1;
  if (const auto refusal = certificate_refusal(ssl_.get(), endpoint_, true)) {
    return fail(fault(FaultKind::certificate_refused, *refusal));
  }
  prove_by_ = std::min(connect_by_, std::chrono::steady_clock::now() + kIdentityProofMax);
  phase_ = Phase::proving;
  prove();
}

/// Takes what the server said behind the handshake, and waits for it if it may be about us.
void Connection::prove() {
  const Look seen = look();
  // A ticket may come in two parts.
  const bool in_part = seen == Look::dirty && wire_.records.unfinished() > 0;
  const bool early = std::chrono::steady_clock::now() < prove_by_;
  if (early && (in_part || (seen == Look::clean && awaits_word_on_us(ssl_.get())))) {
    return readiness_->wait(*this);
  }
  if (seen == Look::dirty) {
    return fail(fault(FaultKind::unsolicited_bytes, "bytes came before the request was sent"));
  }
  if (seen == Look::ended) {
    const auto refusal = identity_refusal(ssl_.get());
    if (refusal) return fail(fault(FaultKind::identity_refused, *refusal));
    return fail(fault(FaultKind::closed_before_write, "closed right after the TLS handshake"));
  }
  proved();
}

void Connection::proved() {
  // The owner's timer is coarse: what would be written now could only end in doubt.
  if (std::chrono::steady_clock::now() >= connect_by_) {
    return fail(fault(FaultKind::connect_timed_out, "no connection in time"));
  }
  if (exchange_.hold) {
    phase_ = Phase::idle;
    return owner_.connected(*this);
  }
  if (const auto failed = this->exchange(exchange_)) fail(*failed);
}

bool Connection::still_good(SteadyTime now) {
  const auto seen = [&] { return is_quiet(now) ? Look::clean : look(); };
  const bool good = phase_ == Phase::idle && before_use(seen()) == Reuse::again;
  if (!good) shut();
  return good;
}

/// Whether a look would find nothing, as far as is known without one.
bool Connection::is_quiet(SteadyTime now) const {
  return SSL_has_pending(ssl_.get()) == 0 && wire_.records.unfinished() == 0 &&
         readiness_->is_quiet(*this, now);
}

/// Takes what TLS says to itself; finds the end of file and bytes that nobody asked for.
Look Connection::look() {
  begin_turn();
  for (int looks = 0; looks < kLooksMax; ++looks) {
    char byte = 0;
    if (SSL_has_pending(ssl_.get()) == 0) {
      const ssize_t seen = ::recv(wire_.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
      if (seen == 0) return Look::ended;
      if (seen < 0 && errno == EINTR) continue;
      if (seen < 0 && !is_temporary(errno)) return Look::ended;
      if (seen < 0) return wire_.records.unfinished() == 0 ? Look::clean : Look::dirty;
    }
    clear_tls_errors();
    const int result = SSL_read(ssl_.get(), &byte, 1);
    if (result > 0) return Look::dirty;
    if (SSL_get_error(ssl_.get(), result) != SSL_ERROR_WANT_READ) return Look::ended;
  }
  return Look::dirty;
}

std::optional<Fault> Connection::exchange(const Exchange& exchange) {
  exchange_ = exchange;
  phase_ = Phase::writing;
  answered_ = 0;
  // The answer before this one may still be looked at: it goes when the next one comes.
  fresh_answer_ = false;
  accepted_before_ = wire_.accepted;
  received_before_ = wire_.received;
  return write();
}

std::optional<Fault> Connection::write() {
  kill_point("request:before-write");
  begin_turn();
  clear_tls_errors();
  const int result =
      SSL_write(ssl_.get(), exchange_.wire.data(), static_cast<int>(exchange_.wire.size()));
  if (result > 0) {
    kill_point("request:written");
    // The answer cannot be here yet: no read before the first wait.
    phase_ = Phase::reading;
    wait();
    return std::nullopt;
  }
  const int reason = SSL_get_error(ssl_.get(), result);
  if (reason != SSL_ERROR_WANT_WRITE) return write_fault(reason);
  // With the same bytes again: OpenSSL goes on where the kernel stopped.
  wait();
  return std::nullopt;
}

Fault Connection::write_fault(int reason) {
  const bool untouched = wire_.accepted == accepted_before_;
  Fault failed = fault(untouched ? FaultKind::closed_before_write : FaultKind::reset,
                       words_for(reason, wire_.error));
  shut();
  return failed;
}

void Connection::read() {
  begin_turn();
  if (!fresh_answer_) answer_.restart();
  fresh_answer_ = true;
  for (;;) {
    const std::span<char> room = answer_.room();
    clear_tls_errors();
    const int count = SSL_read(ssl_.get(), room.data(), static_cast<int>(room.size()));
    if (count <= 0) return read_failed(count);
    answered_ += static_cast<std::uint64_t>(count);
    kill_point("reply:bytes-read");
    switch (answer_.take(static_cast<std::size_t>(count))) {
      case HttpAnswer::Progress::need_more:
        continue;
      case HttpAnswer::Progress::whole:
        return answered();
      case HttpAnswer::Progress::malformed:
        return fail(fault(FaultKind::answer_malformed, answer_.complaint()));
      case HttpAnswer::Progress::too_large:
        return fail(fault(FaultKind::answer_too_large, answer_.complaint()));
    }
  }
}

void Connection::read_failed(int result) {
  const int reason = SSL_get_error(ssl_.get(), result);
  if (reason == SSL_ERROR_WANT_READ) return wait();
  if (reason == SSL_ERROR_WANT_WRITE) return wait();
  if (reason == SSL_ERROR_ZERO_RETURN && answer_.take_end()) return answered();
  const std::string_view how_far = answered_ == 0 ? " before an answer" : " within the answer";
  if (reason == SSL_ERROR_ZERO_RETURN || wire_.ended) {
    return fail(fault(FaultKind::closed, "closed by the server" + std::string(how_far)));
  }
  fail(stream_fault(reason, how_far));
}

/// The stream broke: by the system's word, the peer's, or because a record makes no sense.
Fault Connection::stream_fault(int reason, std::string_view how_far) {
  if (const auto refusal = identity_refusal(ssl_.get())) {
    return fault(FaultKind::identity_refused, *refusal);
  }
  const bool garbled = reason == SSL_ERROR_SSL && !is_alert();
  const std::string words = words_for(reason, wire_.error) + std::string(how_far);
  Fault broken = fault(garbled ? FaultKind::answer_malformed : FaultKind::reset, words);
  // What came cannot be read, but it came.
  if (garbled) broken.bytes_answered = wire_.received - received_before_;
  return broken;
}

/// The answer is whole and stands, whatever is found behind it.
void Connection::answered() {
  const auto self = shared_from_this();
  kill_point("reply:whole");
  has_served_ = true;
  readiness_->was_read(*this, wire_.drained);
  const Reply reply = answer_.reply();
  rest({.fault = {}, .asked_to_close = !answer_.keeps_alive(), .surplus = reply.surplus});
  owner_.finished(*this, &reply, nullptr);
}

/// An exchange is over.
void Connection::rest(const ExchangeEnd& end) {
  const Reuse reuse = after(end);
  if (reuse == Reuse::never) return shut();
  phase_ = Phase::idle;
  if (reuse == Reuse::farewell) close();
}

void Connection::wait() {
  if (wire_.received < wire_.pause_at) return readiness_->wait(*this);
  // Stopped by the turn's end and not by the kernel, which would not tell of the rest again.
  boost::asio::post(context_, [self = shared_from_this()] { self->resume(); });
}

void Connection::ready() {
  const auto self = shared_from_this();
  resume();
}

void Connection::resume() {
  switch (phase_) {
    case Phase::tunnelling:
      return tunnel();
    case Phase::handshaking:
      return handshake();
    case Phase::proving:
      return prove();
    case Phase::writing:
      if (const auto failed = write()) return fail(*failed);
      // An answer that came early was told of while this waited to write.
      if (phase_ == Phase::reading) read();
      return;
    case Phase::reading:
      return read();
    case Phase::connecting:
    case Phase::idle:
    case Phase::closed:
      return;
  }
}

void Connection::expire(SteadyTime now) {
  switch (phase_) {
    case Phase::connecting:
      if (now < connect_by_) return;
      return fail(fault(FaultKind::connect_timed_out, "no connection in time"));
    case Phase::tunnelling:
      if (now < connect_by_) return;
      return fail(fault(FaultKind::connect_timed_out, "no answer of the proxy in time"));
    case Phase::handshaking:
      if (now < connect_by_) return;
      return fail(fault(FaultKind::connect_timed_out, "no end of the TLS handshake in time"));
    case Phase::proving:
      if (now >= prove_by_) prove();
      return;
    case Phase::writing:
    case Phase::reading:
      if (now < exchange_.answer_by) return;
      return fail(fault(FaultKind::timed_out, "no whole answer in time"));
    case Phase::idle:
    case Phase::closed:
      return;
  }
}

Fault Connection::abandon() {
  Fault given_up = fault(FaultKind::cancelled, "given up by this program");
  shut();
  return given_up;
}

void Connection::close() {
  if (phase_ == Phase::idle) {
    clear_tls_errors();
    SSL_shutdown(ssl_.get());
    clear_tls_errors();
  }
  shut();
}

Traffic Connection::take_traffic() {
  const Traffic all{.written = wire_.accepted, .read = wire_.received};
  const Traffic before = std::exchange(told_, all);
  return {.written = all.written - before.written, .read = all.read - before.read};
}

Fault Connection::fault(FaultKind kind, std::string_view words) const {
  const bool offered = phase_ == Phase::writing || phase_ == Phase::reading;
  Fault made;
  made.kind = kind;
  made.bytes_accepted = offered ? wire_.accepted - accepted_before_ : 0;
  made.bytes_answered = offered ? answered_ + wire_.records.unfinished() : 0;
  const bool inside = proxy_ != nullptr && phase_ > Phase::tunnelling;
  const std::string way = inside ? " through the proxy " + text_of(proxy_->at) : "";
  made.detail = text_of(endpoint_) + way + ": " + std::string(words);
  return made;
}

void Connection::fail(const Fault& fault) {
  const auto self = shared_from_this();
  rest({.fault = fault.kind});
  owner_.finished(*this, nullptr, &fault);
}

void Connection::shut() {
  phase_ = Phase::closed;
  ssl_.reset();
  tunnel_.reset();
  if (dialer_) dialer_->give_up();
  dialer_.reset();
  readiness_->forget(*this);
  descriptor_ = Fd();
  wire_.fd = -1;
}

}  // namespace sagorder::io
