#include "io/metrics_server.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <cerrno>
#include <list>
#include <optional>

#include "io/metrics.hpp"

namespace sagorder::io {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using Error = boost::system::error_code;
using asio::ip::tcp;

namespace {

constexpr int kBacklog = 16;

bool is_6(const ListenAddress& address) { return address.host.find(':') != std::string::npos; }

/// Of either family, as the calls want it.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  [[nodiscard]] sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

SocketAddress socket_address(const ListenAddress& address) {
  SocketAddress made;
  int read = 0;
  if (is_6(address)) {
    auto& six = reinterpret_cast<sockaddr_in6&>(made.storage);
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(address.port);
    read = ::inet_pton(AF_INET6, address.host.c_str(), &six.sin6_addr);
    made.size = sizeof six;
  } else {
    auto& four = reinterpret_cast<sockaddr_in&>(made.storage);
    four.sin_family = AF_INET;
    four.sin_port = htons(address.port);
    read = ::inet_pton(AF_INET, address.host.c_str(), &four.sin_addr);
    made.size = sizeof four;
  }
  if (read != 1) throw file_error(url_of(address), "read the address", EINVAL);
  return made;
}

}  // namespace

Listener listen_at(const ListenAddress& address) {
  SocketAddress at = socket_address(address);
  Listener listener{
      Fd(::socket(at.get()->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)), address};
  const int fd = listener.socket.get();
  const int yes = 1;
  if (fd < 0 || ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
      ::bind(fd, at.get(), at.size) != 0 || ::listen(fd, kBacklog) != 0 ||
      ::getsockname(fd, at.get(), &at.size) != 0) {
    throw file_error(url_of(address), "listen there", errno);
  }
  listener.address.port =
      ntohs(is_6(address) ? reinterpret_cast<sockaddr_in6&>(at.storage).sin6_port
                          : reinterpret_cast<sockaddr_in&>(at.storage).sin_port);
  return listener;
}

std::string url_of(const ListenAddress& address) {
  const std::string host = is_6(address) ? "[" + address.host + "]" : address.host;
  return "http://" + host + ":" + std::to_string(address.port) + "/metrics";
}

struct MetricsServer::State : std::enable_shared_from_this<State> {
  /// One connection, from accept to close.
  struct Scraper {
    explicit Scraper(tcp::socket&& socket) : stream(std::move(socket)), buffer(kRequestMax) {
      parser.header_limit(kRequestMax);
    }
    beast::tcp_stream stream;
    beast::flat_buffer buffer;
    http::request_parser<http::empty_body> parser;
    http::response<http::string_body> answer;
  };
  using Place = std::list<Scraper>::iterator;

  State(asio::io_context& context, std::function<std::string()> make)
      : acceptor(context), pause(context), make_text(std::move(make)) {}

  void accept() {
    accepting = true;
    acceptor.async_accept([self = shared_from_this()](const Error& error, tcp::socket socket) {
      if (self->closed) return;
      if (!error) self->serve(std::move(socket));
      self->accept_later();
    });
  }

  void accept_later() {
    pause.expires_after(kAcceptEvery);
    pause.async_wait([self = shared_from_this()](const Error& error) {
      self->accepting = false;
      if (!error && !self->closed && self->scrapers.size() < kScrapersMax) self->accept();
    });
  }

  void serve(tcp::socket&& socket) {
    scrapers.emplace_front(std::move(socket));
    const Place place = scrapers.begin();
    place->stream.expires_after(kExchangeMax);  // for both: it is not set anew
    http::async_read_header(place->stream, place->buffer, place->parser,
                            [self = shared_from_this(), place](const Error& error, std::size_t) {
                              if (error) return self->end(place);
                              self->reply(place);
                            });
  }

  void reply(Place place) {
    const auto& request = place->parser.get();
    auto& answer = place->answer;
    answer.version(11);
    answer.keep_alive(false);
    const bool get = request.method() == http::verb::get || request.method() == http::verb::head;
    const bool here = request.target() == "/metrics";
    answer.result(!get    ? http::status::method_not_allowed
                  : !here ? http::status::not_found
                          : http::status::ok);
    const std::string_view type = get && here ? kMetricsType : "text/plain";
    answer.set(http::field::content_type, type);
    if (!get) answer.set(http::field::allow, "GET, HEAD");
    answer.body() = get && here ? text() : "see /metrics\n";
    answer.prepare_payload();
    if (request.method() == http::verb::head) answer.body().clear();
    http::async_write(place->stream, answer,
                      [self = shared_from_this(), place](const Error&, std::size_t) {
                        Error ignored;
                        place->stream.socket().shutdown(tcp::socket::shutdown_send, ignored);
                        self->end(place);
                      });
  }

  void end(Place place) {
    scrapers.erase(place);
    if (!closed && !accepting) accept();
  }

  const std::string& text() {
    const auto now = std::chrono::steady_clock::now();
    if (!made_at || now - *made_at >= kTextKept) {
      made = make_text();
      made_at = now;
    }
    return made;
  }

  void close() {
    closed = true;
    Error ignored;
    acceptor.close(ignored);
    pause.cancel();
    for (Scraper& scraper : scrapers) scraper.stream.close();  // their handlers end them
  }

  tcp::acceptor acceptor;
  asio::steady_timer pause;
  std::function<std::string()> make_text;
  std::list<Scraper> scrapers;
  std::string made;
  std::optional<SteadyTime> made_at;
  bool accepting = false;  // or about to
  bool closed = false;
};

MetricsServer::MetricsServer(asio::io_context& context, const Listener& listener,
                             std::function<std::string()> text)
    : state_(std::make_shared<State>(context, std::move(text))) {
  Fd copy(::fcntl(listener.socket.get(), F_DUPFD_CLOEXEC, 3));
  if (!copy.open()) throw file_error(url_of(listener.address), "listen there", errno);
  state_->acceptor.assign(is_6(listener.address) ? tcp::v6() : tcp::v4(), copy.release());
  state_->accept();
}

MetricsServer::~MetricsServer() { state_->close(); }
void MetricsServer::close() { state_->close(); }

}  // namespace sagorder::io
