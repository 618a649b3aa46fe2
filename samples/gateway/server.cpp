#include "server.hpp"

#include <openssl/err.h>

#include <boost/asio/ip/address.hpp>
#include <csignal>
#include <stdexcept>

#include "pki.hpp"

namespace gateway {
namespace {

using boost::asio::ip::tcp;

[[noreturn]] void complain(const std::string& what) {
  char text[256];
  ERR_error_string_n(ERR_get_error(), text, sizeof text);
  throw std::runtime_error(what + ": " + text);
}

// Without one of these certificates there is no handshake.
void ask_clients(SSL_CTX* tls, const std::string& ca_file) {
  STACK_OF(X509_NAME)* const names = SSL_load_client_CA_file(ca_file.c_str());
  if (names == nullptr || SSL_CTX_load_verify_file(tls, ca_file.c_str()) != 1) complain(ca_file);
  SSL_CTX_set_client_CA_list(tls, names);
  SSL_CTX_set_verify(tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
}

std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> make_tls(const Options& options) {
  PkiFiles files{"", options.cert_file, options.key_file};
  if (!options.pki_dir.empty()) files = prepare_pki(options.pki_dir);

  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> tls(SSL_CTX_new(TLS_server_method()),
                                                        &SSL_CTX_free);
  if (!tls) complain("TLS");
  SSL_CTX_set_min_proto_version(tls.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(tls.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(tls.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // One read(2) takes what is there, rather than a header and then its record.
  SSL_CTX_set_read_ahead(tls.get(), 1);
  static constexpr unsigned char kName[] = "sagorder-gateway";
  SSL_CTX_set_session_id_context(tls.get(), kName, sizeof kName - 1);
  if (SSL_CTX_use_certificate_chain_file(tls.get(), files.cert.c_str()) != 1) complain(files.cert);
  if (SSL_CTX_use_PrivateKey_file(tls.get(), files.key.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(tls.get()) != 1)
    complain(files.key);
  if (!options.client_ca_file.empty()) ask_clients(tls.get(), options.client_ca_file);
  return tls;
}

}  // namespace

Server::Server(const Options& options)
    : options_(options),
      io_(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE),
      tls_(make_tls(options)),
      executed_(options.executed_file),
      books_(options.executed_file, options.listing_delay),
      faults_(options.faults, options.seed, options.query_faults),
      service_(options, faults_, executed_, books_, counts_),
      surroundings_{options,
                    service_,
                    faults_,
                    counts_,
                    tls_.get(),
                    [this] { return now(); },
                    [this](std::uint64_t number) { connections_.erase(number); }},
      acceptor_(
          io_.get_executor(),
          tcp::endpoint(boost::asio::ip::make_address(options.listen_host), options.listen_port)),
      port_(acceptor_.local_endpoint().port()),
      sweep_timer_(io_.get_executor()),
      retry_timer_(io_.get_executor()),
      signals_(io_, SIGINT, SIGTERM),
      started_(std::chrono::steady_clock::now()) {
  std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes with write(2)
  if (options.key_port)
    key_server_ =
        std::make_unique<KeyServer>(io_, options, service_.keys(), [this] { return now(); });
}

void Server::run() {
  signals_.async_wait([this](const boost::system::error_code& error, int) {
    if (!error) io_.stop();
  });
  accept();
  if (key_server_) key_server_->start();
  sweep();
  io_.run();
}

Now Server::now() const {
  return {std::chrono::steady_clock::now(),
          std::chrono::system_clock::now() + options_.clock_offset};
}

void Server::accept() {
  acceptor_.async_accept([this](const boost::system::error_code& error, Socket socket) {
    if (!error) {
      take(std::move(socket));
      return accept();
    }
    // Out of descriptors, most likely: some will be free again.
    retry_timer_.expires_after(std::chrono::milliseconds(10));
    retry_timer_.async_wait([this](const boost::system::error_code& stopped) {
      if (!stopped) accept();
    });
  });
}

void Server::take(Socket socket) {
  const std::uint64_t number = ++counts_.connections;
  const Fault& fault = faults_.next_accept();
  if (fault.kind != FaultKind::none) {
    count_one(counts_.faults, fault.label);
    return;  // the socket closes with its scope
  }
  if (connections_.size() >= options_.connections_max) {
    ++counts_.connections_refused;
    return;
  }
  const auto connection = std::make_shared<Connection>(std::move(socket), number, surroundings_);
  connections_.emplace(number, connection);
  counts_.connections_open_max =
      std::max<std::uint64_t>(counts_.connections_open_max, connections_.size());
  connection->start();
}

void Server::sweep() {
  const SteadyTime now = std::chrono::steady_clock::now();
  // A closing connection leaves the map, so the map is not walked while they close.
  sweeping_.clear();
  for (const auto& [number, connection] : connections_) sweeping_.push_back(connection);
  for (const auto& connection : sweeping_) connection->sweep(now);
  sweeping_.clear();
  const std::chrono::microseconds often = std::chrono::milliseconds(100);
  sweep_timer_.expires_after(std::min(often, options_.idle / 4 + std::chrono::microseconds(1)));
  sweep_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) sweep();
  });
}

std::string Server::counts_json() const {
  return counts_.json(std::chrono::steady_clock::now() - started_);
}

}  // namespace gateway
