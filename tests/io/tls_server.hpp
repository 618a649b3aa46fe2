// A TLS server for tests, on loopback, in the test's own process: plain blocking OpenSSL, a thread
// for each connection, and a script that says what each one does. It keeps what matters here: how
// often each request (by its X-Id) arrived, over all connections.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace sagorder::io::testing {

struct Identity {
  std::shared_ptr<EVP_PKEY> key;
  std::shared_ptr<X509> certificate;
};

struct CertificateWish {
  std::string name = "test";                         ///< common name
  std::string alternatives = "IP:127.0.0.1,IP:::1";  ///< subjectAltName; empty: none
  long valid_from_s = -3600;                         ///< from now
  long valid_to_s = 3600;
  bool authority = false;
};

inline void add_extension(X509* certificate, int nid, const std::string& value) {
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
  if (extension == nullptr) throw std::runtime_error("bad extension " + value);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

/// EC P-256. @param issuer nullptr: self-signed
inline Identity make_identity(const CertificateWish& wish, const Identity* issuer) {
  static std::atomic<long> serial{1};
  Identity made{{EVP_EC_gen("P-256"), EVP_PKEY_free}, {X509_new(), X509_free}};
  X509* certificate = made.certificate.get();
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
  X509_gmtime_adj(X509_getm_notBefore(certificate), wish.valid_from_s);
  X509_gmtime_adj(X509_getm_notAfter(certificate), wish.valid_to_s);
  X509_set_pubkey(certificate, made.key.get());
  X509_NAME* subject = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(wish.name.c_str()), -1, -1, 0);
  const Identity& signer = issuer == nullptr ? made : *issuer;
  X509_set_issuer_name(certificate, X509_get_subject_name(signer.certificate.get()));
  add_extension(certificate, NID_basic_constraints,
                wish.authority ? "critical,CA:TRUE" : "CA:FALSE");
  if (!wish.alternatives.empty()) {
    add_extension(certificate, NID_subject_alt_name, wish.alternatives);
  }
  X509_sign(certificate, signer.key.get(), EVP_sha256());
  return made;
}

inline Identity make_authority(const std::string& name) {
  return make_identity({.name = name, .alternatives = "", .authority = true}, nullptr);
}

/// The authority that all tests trust unless they say otherwise, and its PEM file.
class TrustedAuthority {
 public:
  static const TrustedAuthority& get() {
    static const TrustedAuthority authority;
    return authority;
  }
  Identity identity = make_authority("trusted authority");
  std::string ca_file;

  Identity issue(const CertificateWish& wish = {}) const { return make_identity(wish, &identity); }

 private:
  TrustedAuthority() {
    ca_file = (std::filesystem::temp_directory_path() /
               ("sagorder-test-ca-" + std::to_string(::getpid()) + ".pem"))
                  .string();
    std::FILE* file = std::fopen(ca_file.c_str(), "w");
    if (file == nullptr) throw std::runtime_error("cannot write " + ca_file);
    PEM_write_X509(file, identity.certificate.get());
    std::fclose(file);
  }
  ~TrustedAuthority() { std::filesystem::remove(ca_file); }
};

inline std::string request_of(std::uint64_t id) {
  return "POST / HTTP/1.1\r\nHost: test\r\nX-Id: " + std::to_string(id) +
         "\r\nContent-Length: 0\r\n\r\n";
}

inline std::string answer_of(const std::string& body, const std::string& more_fields = "") {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         more_fields + "\r\n" + body;
}

/// What came to the server, over all its connections.
struct Seen {
  std::mutex mutex;
  std::map<std::uint64_t, int> requests;  ///< how often, by X-Id
  std::uint64_t plain_bytes = 0;          ///< decrypted
  std::atomic<int> accepted{0};           ///< TCP connections
  std::atomic<int> shaken{0};             ///< TLS handshakes
  std::atomic<int> farewells{0};          ///< close_notify from the client

  int times(std::uint64_t id) {
    const std::lock_guard lock(mutex);
    return requests.contains(id) ? requests[id] : 0;
  }
  int most() {
    const std::lock_guard lock(mutex);
    int most = 0;
    for (const auto& [id, times] : requests) most = std::max(most, times);
    return most;
  }
  std::size_t distinct() {
    const std::lock_guard lock(mutex);
    return requests.size();
  }
  std::uint64_t bytes() {
    const std::lock_guard lock(mutex);
    return plain_bytes;
  }
};

/// The open connections, so that the end of the server reaches those that wait.
class Descriptors {
 public:
  void add(int fd) {
    const std::lock_guard lock(mutex_);
    open_.insert(fd);
  }
  void close(int fd) {
    const std::lock_guard lock(mutex_);
    if (open_.erase(fd) == 1) ::close(fd);
  }
  void end_all() {
    const std::lock_guard lock(mutex_);
    for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
  }

 private:
  std::mutex mutex_;
  std::set<int> open_;
};

/// One connection as a script sees it.
class Peer {
 public:
  Peer(int fd, SSL_CTX* context, Seen& seen, Descriptors& descriptors)
      : fd_(fd), context_(context), seen_(seen), descriptors_(descriptors) {}
  ~Peer() {
    SSL_free(ssl_);
    if (fd_ >= 0) descriptors_.close(fd_);
  }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  bool shake() {
    ssl_ = SSL_new(context_);
    SSL_set_fd(ssl_, fd_);
    const bool shaken = SSL_accept(ssl_) == 1;
    if (shaken) ++seen_.shaken;
    ERR_clear_error();
    return shaken;
  }

  /// Waits for a request's header. @return its X-Id; 0 when the connection ended
  std::uint64_t read_request() {
    while (text_.find("\r\n\r\n") == std::string::npos) {
      char buffer[4096];
      const int count = SSL_read(ssl_, buffer, sizeof buffer);
      if (count <= 0) {
        if (SSL_get_error(ssl_, count) == SSL_ERROR_ZERO_RETURN) ++seen_.farewells;
        ERR_clear_error();
        return 0;
      }
      text_.append(buffer, static_cast<std::size_t>(count));
      const std::lock_guard lock(seen_.mutex);
      seen_.plain_bytes += static_cast<std::uint64_t>(count);
    }
    const std::size_t at = text_.find("X-Id: ");
    const std::uint64_t id = std::stoull(text_.substr(at + 6));
    text_.erase(0, text_.find("\r\n\r\n") + 4);
    const std::lock_guard lock(seen_.mutex);
    ++seen_.requests[id];
    return id;
  }

  bool write(std::string_view text) {
    const bool written =
        text.empty() || SSL_write(ssl_, text.data(), static_cast<int>(text.size())) > 0;
    ERR_clear_error();
    return written;
  }

  /// Encrypts `text` as one record, or several, and puts only its first bytes on the wire.
  /// @return the records' whole length
  std::size_t write_first_bytes(std::string_view text, std::size_t count) {
    BIO* memory = BIO_new(BIO_s_mem());
    SSL_set0_wbio(ssl_, memory);
    SSL_write(ssl_, text.data(), static_cast<int>(text.size()));
    char* bytes = nullptr;
    const auto size = static_cast<std::size_t>(BIO_get_mem_data(memory, &bytes));
    raw(std::string_view(bytes, std::min(count, size)));
    return size;
  }

  void raw(std::string_view bytes) { ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL); }

  void say_farewell() {
    SSL_shutdown(ssl_);
    ERR_clear_error();
  }
  /// FIN without TLS's farewell (unless it was said).
  void close() {
    ::shutdown(fd_, SHUT_WR);
    wait_for_end();
  }
  void reset() {
    const linger hard{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    descriptors_.close(std::exchange(fd_, -1));
  }
  /// Until the client, or the end of the server, ends the connection.
  void wait_for_end() {
    char buffer[4096];
    while (::recv(fd_, buffer, sizeof buffer, 0) > 0) {
    }
  }
  /// Puts a ticket on the wire in two parts, with `between` in the middle.
  void new_ticket_in_parts(const std::function<void()>& between) {
    BIO* const memory = BIO_new(BIO_s_mem());
    SSL_set0_wbio(ssl_, memory);
    new_ticket();
    char* bytes = nullptr;
    const auto size = static_cast<std::size_t>(BIO_get_mem_data(memory, &bytes));
    const std::string ticket(bytes, size);
    SSL_set_fd(ssl_, fd_);
    raw(ticket.substr(0, size / 2));
    between();
    raw(ticket.substr(size / 2));
  }
  void new_ticket() {
    SSL_new_session_ticket(ssl_);
    SSL_do_handshake(ssl_);
  }

  [[nodiscard]] SSL* ssl() const { return ssl_; }
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
  SSL_CTX* context_;
  Seen& seen_;
  Descriptors& descriptors_;
  SSL* ssl_ = nullptr;
  std::string text_;
};

/// Answers everything, for ever.
inline void answer_all(Peer& peer) {
  while (const std::uint64_t id = peer.read_request()) {
    if (!peer.write(answer_of("id=" + std::to_string(id)))) return;
  }
}

struct ServerWish {
  Identity identity = TrustedAuthority::get().issue();
  std::function<void(Peer&)> script = answer_all;
  int version_min = TLS1_2_VERSION;
  int version_max = TLS1_3_VERSION;
  bool handshake = true;  ///< false: the script gets the bare connection
  bool ipv6 = false;
  std::function<void(SSL_CTX*)> prepare;  ///< what else is to be set, if anything
};

class TlsServer {
 public:
  explicit TlsServer(ServerWish wish = {}) : wish_(std::move(wish)) {
    use(wish_.identity);
    listen();
    acceptor_ = std::thread([this] { accept_all(); });
  }

  ~TlsServer() {
    ending_ = true;
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    ::close(listener_);
    end_connections();
    for (std::thread& thread : threads_) thread.join();
  }
  TlsServer(const TlsServer&) = delete;
  TlsServer& operator=(const TlsServer&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  Seen& seen() { return seen_; }

  /// From the next connection on: another certificate, and ticket keys that know none of the old.
  void use(const Identity& identity) {
    std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
    if (wish_.version_max < TLS1_2_VERSION) SSL_CTX_set_security_level(context.get(), 0);
    SSL_CTX_set_min_proto_version(context.get(), wish_.version_min);
    SSL_CTX_set_max_proto_version(context.get(), wish_.version_max);
    SSL_CTX_use_certificate(context.get(), identity.certificate.get());
    SSL_CTX_use_PrivateKey(context.get(), identity.key.get());
    if (wish_.prepare) wish_.prepare(context.get());
    const std::lock_guard lock(mutex_);
    contexts_.push_back(std::move(context));
  }

  void end_connections() { descriptors_.end_all(); }

 private:
  void listen() {
    listener_ = ::socket(wish_.ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_addr = in6addr_loopback;
    auto* address =
        wish_.ipv6 ? reinterpret_cast<sockaddr*>(&v6) : reinterpret_cast<sockaddr*>(&v4);
    socklen_t size = wish_.ipv6 ? sizeof v6 : sizeof v4;
    if (::bind(listener_, address, size) != 0 || ::listen(listener_, 128) != 0) {
      throw std::runtime_error("cannot listen on loopback");
    }
    ::getsockname(listener_, address, &size);
    port_ = ntohs(wish_.ipv6 ? v6.sin6_port : v4.sin_port);
  }

  void accept_all() {
    // Here a write into a closed connection is an error; in the client's thread SIGPIPE would end
    // the test, as it should.
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
    for (;;) {
      const int fd = ::accept(listener_, nullptr, nullptr);
      if (fd < 0) {
        if (ending_) return;
        continue;
      }
      const int at_once = 1;
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once);
      ++seen_.accepted;
      const std::lock_guard lock(mutex_);
      descriptors_.add(fd);
      threads_.emplace_back([this, fd, context = contexts_.back()] { serve(fd, context.get()); });
    }
  }

  void serve(int fd, SSL_CTX* context) {
    Peer peer(fd, context, seen_, descriptors_);
    if (!wish_.handshake || peer.shake()) wish_.script(peer);
  }

  ServerWish wish_;
  Seen seen_;
  std::mutex mutex_;
  std::vector<std::shared_ptr<SSL_CTX>> contexts_;
  Descriptors descriptors_;
  std::vector<std::thread> threads_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<bool> ending_{false};
  std::thread acceptor_;
};

}  // namespace sagorder::io::testing
