#include "io/tls_survey.hpp"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <poll.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <memory>
#include <optional>
#include <utility>

#include "io/connection.hpp"
#include "io/dialer.hpp"
#include "io/driver.hpp"
#include "io/file.hpp"
#include "io/tunnel.hpp"

namespace sagorder::io {
namespace {

struct FreeSsl {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};

/// @return false: the time is over
bool wait_for(int fd, short events, SteadyTime deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - now().steady).count();
    if (left <= 0) return false;
    pollfd each{fd, events, 0};
    const int ready = ::poll(&each, 1, static_cast<int>(std::min<std::int64_t>(left, 60'000)));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
}

/// A connection to the endpoint, or to its proxy. @return why there is none; empty: there is
std::string connect_to(const Endpoint& to, const Routes& routes, SteadyTime deadline, Fd& fd) {
  boost::asio::io_context context;
  std::optional<Dialer::End> end;
  const auto dialer =
      std::make_shared<Dialer>(context, [&](Dialer::End heard) { end = std::move(heard); });
  dialer->dial(to, routes.addresses_of(to));
  context.run_until(deadline);
  dialer->give_up();
  const std::string where = text_of(to);
  if (!end) return "cannot connect to " + where + ": no answer in time";
  if (!end->resolved) return "cannot resolve " + to.host + ": " + end->why;
  if (!end->socket.open()) return "cannot connect to " + where + ": " + end->why;
  fd = std::move(end->socket);
  return {};
}

/// @return why there is no way through it; empty: there is
std::string pass(const Proxy& proxy, const Endpoint& to, SteadyTime deadline, const Fd& fd) {
  Wire wire;
  wire.fd = fd.get();
  Tunnel tunnel(to, proxy, wire);
  for (;;) {
    const Tunnel::Progress progress = tunnel.go_on();
    if (progress == Tunnel::Progress::open) return {};
    if (progress == Tunnel::Progress::failed) return tunnel.why();
    if (!wait_for(fd.get(), POLLIN, deadline)) {
      return "the proxy " + text_of(proxy.at) + " did not answer in time";
    }
  }
}

std::string name_of(const X509_NAME* name) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> out(BIO_new(BIO_s_mem()), &BIO_free);
  if (!out || X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253) < 0) return {};
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  return {text, std::min(static_cast<std::size_t>(size), kNameShownMax)};
}

WallTime time_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return {};
  return WallTime(std::chrono::seconds(timegm(&parts)));
}

void read_chain(SSL* ssl, TlsSurvey& survey) {
  STACK_OF(X509)* const chain = SSL_get_peer_cert_chain(ssl);
  const int count = chain == nullptr ? 0 : sk_X509_num(chain);
  for (int i = 0; i < count && survey.chain.size() < kChainShownMax; ++i) {
    const X509* certificate = sk_X509_value(chain, i);
    survey.chain.push_back(
        {name_of(X509_get_subject_name(certificate)), name_of(X509_get_issuer_name(certificate)),
         time_of(X509_get0_notBefore(certificate)), time_of(X509_get0_notAfter(certificate))});
  }
}

/// Lets a handshake end whatever the certificate is worth: its worth is asked for afterwards, and
/// nothing is sent over it.
int let_it_end(int /*good*/, X509_STORE_CTX* /*store*/) { return 1; }

/// @return why the handshake failed; empty: it is done
std::string shake_hands(SSL* ssl, const Fd& fd, SteadyTime deadline, TlsSurvey& survey) {
  for (;;) {
    ERR_clear_error();
    const int result = SSL_do_handshake(ssl);
    if (result == 1) return {};
    const int reason = SSL_get_error(ssl, result);
    const bool waits = reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE;
    if (!waits) {
      survey.identity_refusal = identity_refusal(ssl).value_or("");
      const std::string why = take_tls_error();
      return "the TLS handshake failed: " +
             (why.empty() ? std::string("closed by the server") : why);
    }
    if (!wait_for(fd.get(), reason == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, deadline)) {
      return "the TLS handshake did not end in time";
    }
  }
}

/// As a connection for orders does: what a server says of our certificate comes behind the
/// handshake.
void hear_of_us(SSL* ssl, const Fd& fd, TlsSurvey& survey) {
  const SteadyTime deadline = now().steady + kIdentityProofMax;
  while (awaits_word_on_us(ssl) && wait_for(fd.get(), POLLIN, deadline)) {
    char byte = 0;
    ERR_clear_error();
    const int result = SSL_read(ssl, &byte, 1);
    if (result > 0 || SSL_get_error(ssl, result) == SSL_ERROR_WANT_READ) continue;
    survey.identity_refusal = identity_refusal(ssl).value_or("");
    return;
  }
}

}  // namespace

TlsSurvey survey_tls(const TlsContext& tls, const Routes& routes, const Endpoint& endpoint,
                     milliseconds timeout) {
  TlsSurvey survey;
  const SteadyTime deadline = now().steady + timeout;
  const Proxy* const proxy = routes.proxy_for(endpoint);
  Fd fd;
  survey.failure = connect_to(proxy == nullptr ? endpoint : proxy->at, routes, deadline, fd);
  if (survey.failure.empty() && proxy != nullptr) {
    survey.failure = pass(*proxy, endpoint, deadline, fd);
  }
  if (!survey.failure.empty()) return survey;
  const std::unique_ptr<SSL, FreeSsl> ssl(tls.new_ssl(endpoint));
  SSL_set_verify(ssl.get(), SSL_VERIFY_PEER, let_it_end);
  SSL_set_fd(ssl.get(), fd.get());
  survey.failure = shake_hands(ssl.get(), fd, deadline, survey);
  if (!survey.failure.empty()) return survey;
  survey.version = SSL_get_version(ssl.get());
  survey.refusal = certificate_refusal(ssl.get(), endpoint, true).value_or("");
  read_chain(ssl.get(), survey);
  if (survey.refusal.empty()) hear_of_us(ssl.get(), fd, survey);
  return survey;
}

}  // namespace sagorder::io
