#include "io/tls_survey.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <memory>
#include <system_error>

#include "io/connection.hpp"
#include "io/driver.hpp"
#include "io/file.hpp"

namespace sagorder::io {
namespace {

struct FreeAddresses {
  void operator()(addrinfo* first) const { freeaddrinfo(first); }
};
struct FreeSsl {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};

std::string words(int code) { return std::generic_category().message(code); }

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

/// errno, or 0.
int connect_to(const addrinfo& address, SteadyTime deadline, Fd& fd) {
  fd = Fd(::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.open()) return errno;
  if (::connect(fd.get(), address.ai_addr, address.ai_addrlen) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  if (!wait_for(fd.get(), POLLOUT, deadline)) return ETIMEDOUT;
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

std::string connect_to(const Endpoint& endpoint, SteadyTime deadline, Fd& fd) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failed =
      getaddrinfo(endpoint.host.c_str(), std::to_string(endpoint.port).c_str(), &hints, &found);
  const std::unique_ptr<addrinfo, FreeAddresses> addresses(found);
  if (failed != 0) return "cannot resolve " + endpoint.host + ": " + gai_strerror(failed);
  int error = 0;
  std::size_t tried = 0;
  for (const addrinfo* each = found; each != nullptr && tried < kAddressesMax;
       each = each->ai_next, ++tried) {
    error = connect_to(*each, deadline, fd);
    if (error == 0) return {};
  }
  return "cannot connect to " + endpoint.host + " port " + std::to_string(endpoint.port) + ": " +
         words(error);
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

}  // namespace

TlsSurvey survey_tls(const std::string& ca_file, const Endpoint& endpoint, milliseconds timeout) {
  TlsSurvey survey;
  const TlsContext tls(ca_file);
  const SteadyTime deadline = now().steady + timeout;
  Fd fd;
  survey.failure = connect_to(endpoint, deadline, fd);
  if (!survey.failure.empty()) return survey;
  const std::unique_ptr<SSL, FreeSsl> ssl(tls.new_ssl(endpoint));
  SSL_set_verify(ssl.get(), SSL_VERIFY_PEER, let_it_end);
  SSL_set_fd(ssl.get(), fd.get());
  for (;;) {
    ERR_clear_error();
    const int result = SSL_do_handshake(ssl.get());
    if (result == 1) break;
    const int reason = SSL_get_error(ssl.get(), result);
    const bool waits = reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE;
    if (!waits) {
      const std::string why = take_tls_error();
      survey.failure =
          "the TLS handshake failed: " + (why.empty() ? std::string("closed by the server") : why);
      return survey;
    }
    if (!wait_for(fd.get(), reason == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, deadline)) {
      survey.failure = "the TLS handshake did not end in time";
      return survey;
    }
  }
  survey.version = SSL_get_version(ssl.get());
  survey.refusal = certificate_refusal(ssl.get(), endpoint, true).value_or("");
  read_chain(ssl.get(), survey);
  return survey;
}

}  // namespace sagorder::io
