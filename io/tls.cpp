#include "io/tls.hpp"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <utility>

#include "io/credentials_file.hpp"
#include "io/file.hpp"

namespace sagorder::io {
namespace {

struct FreeContext {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
struct FreeSsl {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};
struct FreeSession {
  void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
};
using ContextPointer = std::unique_ptr<SSL_CTX, FreeContext>;
using SslPointer = std::unique_ptr<SSL, FreeSsl>;
using SessionPointer = std::unique_ptr<SSL_SESSION, FreeSession>;

constexpr unsigned kNameFlags = X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;
constexpr std::size_t kKeyBytesMax = 1024 * 1024;

/// Alerts by which servers refuse a client's certificate, or miss one (RFC 8446, 6.2; OpenSSL's of
/// TLS 1.2 says handshake_failure for the latter).
constexpr std::array kIdentityAlerts = {
    SSL_AD_HANDSHAKE_FAILURE,   SSL_AD_BAD_CERTIFICATE,     SSL_AD_UNSUPPORTED_CERTIFICATE,
    SSL_AD_CERTIFICATE_REVOKED, SSL_AD_CERTIFICATE_EXPIRED, SSL_AD_CERTIFICATE_UNKNOWN,
    SSL_AD_UNKNOWN_CA,          SSL_AD_ACCESS_DENIED,       SSL_AD_DECRYPT_ERROR,
    SSL_AD_CERTIFICATE_REQUIRED};

bool is_address(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> address{};
  return inet_pton(AF_INET, host.c_str(), address.data()) == 1 ||
         inet_pton(AF_INET6, host.c_str(), address.data()) == 1;
}

/// Sessions of one endpoint, newest last.
class SessionShelf {
 public:
  void put(SessionPointer session) {
    const std::lock_guard lock(mutex_);
    if (sessions_.size() == kTlsSessionsPerEndpointMax) sessions_.pop_front();
    sessions_.push_back(std::move(session));
  }

  /// The newest that may still be resumed. TLS 1.3 tickets leave the shelf: a second use would
  /// let an observer link connections (RFC 8446, C.4).
  SessionPointer get() {
    const std::lock_guard lock(mutex_);
    while (!sessions_.empty()) {
      SessionPointer session = std::move(sessions_.back());
      sessions_.pop_back();
      if (SSL_SESSION_is_resumable(session.get()) == 0) continue;
      if (SSL_SESSION_get_protocol_version(session.get()) < TLS1_3_VERSION) {
        SSL_SESSION_up_ref(session.get());
        sessions_.push_back(SessionPointer(session.get()));
      }
      return session;
    }
    return nullptr;
  }

 private:
  std::mutex mutex_;
  std::deque<SessionPointer> sessions_;
};

/// Where an SSL object carries its endpoint's shelf.
int shelf_index() {
  static const int kIndex = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return kIndex;
}

/// Where an SSL object carries what the server wanted to know of us.
int asked_index() {
  static const int kIndex = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return kIndex;
}

enum class Asked : std::uint8_t { no, yes, answered };
std::array<Asked, 3> asked_values{Asked::no, Asked::yes, Asked::answered};  // pointed to

void set_asked(SSL* ssl, Asked asked) {
  SSL_set_ex_data(ssl, asked_index(), &asked_values[static_cast<std::size_t>(asked)]);
}

Asked asked(SSL* ssl) {
  const auto* const value = static_cast<const Asked*>(SSL_get_ex_data(ssl, asked_index()));
  return value == nullptr ? Asked::no : *value;
}

/// Called when the server asks for a certificate. @return 1: go on with what there is
int note_question(SSL* ssl, void* /*unused*/) {
  set_asked(ssl, Asked::yes);
  return 1;
}

/// @return 1: the session is ours now
int keep_session(SSL* ssl, SSL_SESSION* session) {
  // Of TLS 1.3: a ticket, which is sent once the client's part is judged (RFC 8446, 4.6.1).
  if (asked(ssl) == Asked::yes) set_asked(ssl, Asked::answered);
  auto* shelf = static_cast<SessionShelf*>(SSL_get_ex_data(ssl, shelf_index()));
  if (shelf == nullptr) return 0;
  shelf->put(SessionPointer(session));
  return 1;
}

/// As OpenSSL takes it: a variable that is set to nothing counts as not set.
std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

/// OpenSSL reads a certificate's extensions when it first needs them, and keeps them in it. Here
/// that is before the threads that share these certificates begin, not while they judge by them.
void read_trust(SSL_CTX* context) {
  X509_STORE* const store = SSL_CTX_get_cert_store(context);
  const STACK_OF(X509_OBJECT)* const objects = X509_STORE_get0_objects(store);
  for (int i = 0; i < sk_X509_OBJECT_num(objects); ++i) {
    X509* const certificate = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));
    if (certificate != nullptr)
      X509_check_purpose(certificate, -1, 0);  // -1: reads, judges nothing
  }
}

void load_trust(SSL_CTX* context, const std::string& ca_file) {
  ERR_clear_error();
  // OpenSSL passes over a file of the environment that it cannot read; then nothing is trusted, and
  // nobody is told why.
  const std::string named = variable(X509_get_default_cert_file_env());
  const std::string& file = ca_file.empty() ? named : ca_file;
  bool loaded = file.empty() || SSL_CTX_load_verify_file(context, file.c_str()) == 1;
  if (loaded && ca_file.empty()) loaded = SSL_CTX_set_default_verify_paths(context) == 1;
  if (loaded) return read_trust(context);
  throw TlsError("cannot load trust anchors from " + trust_anchors(ca_file) + ": " +
                 take_tls_error());
}

/// What the reading of an encrypted key needs.
struct Passphrase {
  const Secret& secret;
  bool wanted = false;
};

/// For PEM_read_bio_PrivateKey. @return bytes of the passphrase; -1: there is none
int tell_passphrase(char* into, int size, int /*writes*/, void* given) {
  auto& passphrase = *static_cast<Passphrase*>(given);
  passphrase.wanted = true;
  const std::string_view text = passphrase.secret.reveal();
  if (text.empty() || text.size() > static_cast<std::size_t>(size)) return -1;
  std::memcpy(into, text.data(), text.size());
  return static_cast<int>(text.size());
}

struct Wiped {
  std::string text;
  ~Wiped() { OPENSSL_cleanse(text.data(), text.size()); }
};

std::string read_key(const std::string& path) {
  try {
    const Fd file = open_to_read(path);
    struct stat status {};
    if (::fstat(file.get(), &status) != 0 ||
        is_shared(status.st_mode, status.st_uid, ::geteuid())) {
      throw TlsError(path + ": holds a key that others may read; run: chmod 600 " + path);
    }
    return read_all(file, kKeyBytesMax, path);
  } catch (const FileError& error) {
    throw TlsError(error.what());
  }
}

std::string words_for_key(const std::string& path, bool encrypted, bool has_passphrase) {
  if (!encrypted) return path + ": holds no private key as PEM";
  const std::string name(kClientPassphrase);
  if (has_passphrase) return path + ": the passphrase in " + name + " does not open it";
  return path + ": the key is encrypted; set " + name +
         " to its passphrase, or write it without: openssl pkey -in " + path;
}

void load_client(SSL_CTX* context, const ClientCertificate& client) {
  ERR_clear_error();
  const std::string& file = client.certificate_file;
  if (SSL_CTX_use_certificate_chain_file(context, file.c_str()) != 1) {
    throw TlsError("cannot load the client certificate from " + file + ": " + take_tls_error());
  }
  const Wiped pem{read_key(client.key_file)};
  const std::unique_ptr<BIO, decltype(&BIO_free)> bytes(
      BIO_new_mem_buf(pem.text.data(), static_cast<int>(pem.text.size())), &BIO_free);
  Passphrase passphrase{client.passphrase};
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      PEM_read_bio_PrivateKey(bytes.get(), nullptr, tell_passphrase, &passphrase), &EVP_PKEY_free);
  ERR_clear_error();
  if (!key) {
    throw TlsError(words_for_key(client.key_file, passphrase.wanted, !client.passphrase.empty()));
  }
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1) {
    ERR_clear_error();
    throw TlsError(client.key_file + ": is not the key of the certificate in " + file);
  }
}

ContextPointer make_context() {
  // What servers of this kind speak; one that wants HTTP/2 says so in the handshake.
  static constexpr std::array<unsigned char, 9> kAlpn = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
  ContextPointer context(SSL_CTX_new(TLS_client_method()));
  if (!context) throw TlsError("OpenSSL cannot make a TLS context: " + take_tls_error());
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  // One write is one request: accepted whole, or continued from the same buffer.
  SSL_CTX_clear_mode(context.get(),
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // One recv for a record instead of two. Buffers stay (no SSL_MODE_RELEASE_BUFFERS): 34 KiB a
  // connection is cheap beside an allocation for every exchange.
  SSL_CTX_set_read_ahead(context.get(), 1);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_alpn_protos(context.get(), kAlpn.data(), kAlpn.size());
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context.get(), keep_session);
  SSL_CTX_set_cert_cb(context.get(), note_question, nullptr);
  return context;
}

bool set_expected_name(SSL* ssl, const std::string& host) {
  X509_VERIFY_PARAM* parameters = SSL_get0_param(ssl);
  X509_VERIFY_PARAM_set_hostflags(parameters, kNameFlags);
  if (is_address(host)) return X509_VERIFY_PARAM_set1_ip_asc(parameters, host.c_str()) == 1;
  // SNI never names an address (RFC 6066, 3).
  return !host.empty() && X509_VERIFY_PARAM_set1_host(parameters, host.c_str(), host.size()) == 1 &&
         SSL_set_tlsext_host_name(ssl, host.c_str()) == 1;
}

std::string words_for(long verify_result, const std::string& host) {
  switch (verify_result) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return "the certificate, or one that signed it, has expired";
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "the certificate, or one that signed it, is not valid yet (is the clock right?)";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return "the certificate is not for " + host;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
      return "the certificate is self-signed or from an authority that is not trusted";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return "the certificate is from an authority that is not trusted";
    default:
      return std::string("the certificate is refused: ") +
             X509_verify_cert_error_string(verify_result);
  }
}

bool bears_name(X509* certificate, const std::string& host) {
  if (is_address(host)) return X509_check_ip_asc(certificate, host.c_str(), 0) == 1;
  return X509_check_host(certificate, host.c_str(), host.size(), kNameFlags, nullptr) == 1;
}

/// What a resumed handshake does not look at by itself.
std::optional<std::string> refusal_now(X509* certificate, const std::string& host) {
  if (certificate == nullptr) return "the server showed no certificate";
  if (!bears_name(certificate, host)) return words_for(X509_V_ERR_HOSTNAME_MISMATCH, host);
  if (X509_cmp_current_time(X509_get0_notAfter(certificate)) <= 0) {
    return words_for(X509_V_ERR_CERT_HAS_EXPIRED, host);
  }
  if (X509_cmp_current_time(X509_get0_notBefore(certificate)) >= 0) {
    return words_for(X509_V_ERR_CERT_NOT_YET_VALID, host);
  }
  return std::nullopt;
}

std::string words_for(unsigned long error) {
  if (ERR_GET_LIB(error) == ERR_LIB_SSL) {
    switch (ERR_GET_REASON(error)) {
      case SSL_R_UNSUPPORTED_PROTOCOL:
      case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
        return "the server speaks no TLS 1.2 or later";
      case SSL_R_WRONG_VERSION_NUMBER:
      case SSL_R_HTTP_REQUEST:
      case SSL_R_PACKET_LENGTH_TOO_LONG:
        return "the server does not speak TLS on this port";
      default:
        break;
    }
  }
  const char* reason = ERR_reason_error_string(error);
  if (reason != nullptr) return reason;
  std::array<char, 64> code{};
  ERR_error_string_n(error, code.data(), code.size());
  return code.data();
}

}  // namespace

struct TlsContext::State {
  // Before the context: an SSL object that dies with it may still point to its shelf.
  std::map<Endpoint, SessionShelf> shelves;
  std::mutex mutex;
  ContextPointer context;

  SessionShelf* shelf_of(const Endpoint& endpoint) {
    const std::lock_guard lock(mutex);
    const auto found = shelves.find(endpoint);
    if (found != shelves.end()) return &found->second;
    return shelves.size() < kTlsEndpointsMax ? &shelves[endpoint] : nullptr;
  }
};

TlsContext::TlsContext(const std::string& ca_file, const ClientCertificate& client)
    : state_(std::make_unique<State>()) {
  state_->context = make_context();
  load_trust(state_->context.get(), ca_file);
  if (!client.certificate_file.empty()) load_client(state_->context.get(), client);
}
TlsContext::~TlsContext() = default;
TlsContext::TlsContext(TlsContext&&) noexcept = default;
TlsContext& TlsContext::operator=(TlsContext&&) noexcept = default;

SSL* TlsContext::new_ssl(const Endpoint& endpoint) const {
  ERR_clear_error();
  SslPointer ssl(SSL_new(state_->context.get()));
  if (!ssl || !set_expected_name(ssl.get(), endpoint.host)) {
    throw TlsError("cannot prepare TLS for " + endpoint.host + ": " + take_tls_error());
  }
  if (SessionShelf* shelf = state_->shelf_of(endpoint)) {
    SSL_set_ex_data(ssl.get(), shelf_index(), shelf);
    if (const SessionPointer session = shelf->get()) SSL_set_session(ssl.get(), session.get());
  }
  SSL_set_connect_state(ssl.get());
  return ssl.release();
}

std::optional<std::string> certificate_refusal(SSL* ssl, const Endpoint& endpoint, bool finished) {
  const long verify_result = SSL_get_verify_result(ssl);
  if (verify_result != X509_V_OK) return words_for(verify_result, endpoint.host);
  if (finished) return refusal_now(SSL_get0_peer_certificate(ssl), endpoint.host);
  const unsigned long error = ERR_peek_error();
  if (ERR_GET_LIB(error) == ERR_LIB_SSL &&
      ERR_GET_REASON(error) == SSL_R_CERTIFICATE_VERIFY_FAILED) {
    return "the certificate cannot be verified";
  }
  return std::nullopt;
}

std::string trust_anchors(const std::string& ca_file) {
  if (!ca_file.empty()) return ca_file;
  std::string where;
  for (const char* const name :
       {X509_get_default_cert_file_env(), X509_get_default_cert_dir_env()}) {
    const std::string value = variable(name);
    if (value.empty()) continue;
    where.append(where.empty() ? "" : " and ").append(name).append("=").append(value);
  }
  if (!where.empty()) return where;
  return "the system (" + std::string(X509_get_default_cert_file()) + ", " +
         X509_get_default_cert_dir() + ")";
}

bool awaits_word_on_us(SSL* ssl) {
  return SSL_version(ssl) >= TLS1_3_VERSION && asked(ssl) == Asked::yes;
}

std::optional<std::string> identity_refusal(SSL* ssl) {
  const unsigned long error = ERR_peek_error();
  const int alert = ERR_GET_REASON(error) - SSL_AD_REASON_OFFSET;
  const bool about_us = std::ranges::find(kIdentityAlerts, alert) != kIdentityAlerts.end();
  if (asked(ssl) == Asked::no || ERR_GET_LIB(error) != ERR_LIB_SSL || !about_us) {
    return std::nullopt;
  }
  if (SSL_get_certificate(ssl) == nullptr) {
    return "the server wants a client certificate; give --client-cert and --client-key";
  }
  return "the server does not accept the client certificate (" + words_for(error) + ")";
}

void clear_tls_errors() {
  if (ERR_peek_error() != 0) ERR_clear_error();
}

std::string take_tls_error() {
  const unsigned long error = ERR_peek_error();
  std::string words = error == 0 ? std::string() : words_for(error);
  ERR_clear_error();
  return words;
}

}  // namespace sagorder::io
