// The bare loop: what the requests alone cost a client, as the limit to measure sagorder against.
//
//   floor --connect HOST:PORT --ca-file PEM --request FILE --connections N --requests N [--rate N]
//
// N keep-alive connections under TLS, one epoll, one thread. Each sends the bytes of FILE, reads
// until its answer is whole (Content-Length), and sends them again: one SSL_write, one SSL_read and
// a share of an epoll_wait a request, in the usual case. With --rate a request leaves each 1/N s
// instead, on a connection that is idle. It signs nothing, decides nothing, records nothing, and
// ends with exit code 1 at the first answer that is not a 200 or was not asked for.
//
// Prints one line of JSON: requests, seconds, cpu_us_per_request (user and system, of the whole
// process), and handshake_s, which the seconds leave out and the CPU time does not.
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr std::size_t kAnswerBytesMax = 16 * 1024;  // as much as one TLS record holds
constexpr int kEventsMax = 256;                     // taken from one epoll_wait
constexpr std::size_t kConnectionsMax = 4096;
constexpr std::uint64_t kRequestsMax = UINT32_MAX;
constexpr std::uint64_t kRateMax = 1'000'000;  // a second

struct FreeAddresses {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};
struct FreeContext {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
struct FreeSsl {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};
using Context = std::unique_ptr<SSL_CTX, FreeContext>;
using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "floor: %s\n", what.c_str());
  std::exit(1);
}

[[noreturn]] void fail_tls(const std::string& what) {
  std::array<char, 256> words{};
  ERR_error_string_n(ERR_get_error(), words.data(), words.size());
  fail(what + ": " + words.data());
}

struct Settings {
  std::string host, port, ca_file, request;
  std::size_t connections = 0;
  std::uint64_t requests = 0;
  std::uint64_t rate = 0;  // a second; 0: each as soon as the answer before it is there
};

struct Connection {
  std::unique_ptr<SSL, FreeSsl> ssl;
  int fd = -1;
  bool waiting = false;  // for an answer
  std::size_t held = 0;  // bytes of it
  std::array<char, kAnswerBytesMax> answer;
};

// ---- arguments -----------------------------------------------------------------------------

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (bytes.empty()) fail(path + " cannot be read, or is empty");
  return bytes;
}

std::uint64_t number_of(const std::string& name, const std::string& text, std::uint64_t most) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number == 0 || number > most) {
    fail(name + " is \"" + text + "\": write a number from 1 to " + std::to_string(most));
  }
  return number;
}

Settings settings_of(std::span<char* const> arguments) {
  std::map<std::string, std::string> given = {{"--rate", ""}};
  for (std::size_t i = 1; i + 1 < arguments.size(); i += 2) given[arguments[i]] = arguments[i + 1];
  for (const char* name : {"--connect", "--ca-file", "--request", "--connections", "--requests"}) {
    if (!given.contains(name)) fail(std::string(name) + " is missing");
  }
  if (given.size() != 6 || arguments.size() % 2 == 0)
    fail("an option is not known, or has no value");
  const std::string& address = given["--connect"];
  const std::size_t colon = address.rfind(':');
  if (colon == std::string::npos) fail("--connect is \"" + address + "\": write HOST:PORT");
  const auto number = [&](const char* name, std::uint64_t most) {
    return number_of(name, given[name], most);
  };
  return {.host = address.substr(0, colon),
          .port = address.substr(colon + 1),
          .ca_file = given["--ca-file"],
          .request = read_file(given["--request"]),
          .connections = number("--connections", kConnectionsMax),
          .requests = number("--requests", kRequestsMax),
          .rate = given["--rate"].empty() ? 0 : number("--rate", kRateMax)};
}

// ---- connecting: one after the other, blocking -----------------------------------------------

Context make_context(const std::string& ca_file) {
  Context context(SSL_CTX_new(TLS_client_method()));
  if (!context) fail_tls("no TLS context");
  SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_read_ahead(context.get(), 1);  // one read a record instead of two
  if (SSL_CTX_load_verify_file(context.get(), ca_file.c_str()) != 1) fail_tls(ca_file);
  return context;
}

int connect_to(const Settings& settings) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  if (const int error = getaddrinfo(settings.host.c_str(), settings.port.c_str(), &hints, &list)) {
    fail(settings.host + ": " + gai_strerror(error));
  }
  const std::unique_ptr<addrinfo, FreeAddresses> owner(list);
  for (const addrinfo* at = list; at != nullptr; at = at->ai_next) {
    const int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, at->ai_addr, at->ai_addrlen) == 0) return fd;
    if (fd >= 0) close(fd);
  }
  fail("cannot connect to " + settings.host + ":" + settings.port);
}

void open(Connection& connection, SSL_CTX* context, const Settings& settings, int epoll) {
  connection.fd = connect_to(settings);
  const int one = 1;
  setsockopt(connection.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  connection.ssl.reset(SSL_new(context));
  SSL* const ssl = connection.ssl.get();
  if (ssl == nullptr || SSL_set1_host(ssl, settings.host.c_str()) != 1 ||
      SSL_set_tlsext_host_name(ssl, settings.host.c_str()) != 1 ||
      SSL_set_fd(ssl, connection.fd) != 1 || SSL_connect(ssl) != 1) {
    fail_tls("the handshake failed");
  }
  BIO_socket_nbio(connection.fd, 1);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = &connection;
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, connection.fd, &event) != 0) fail("epoll_ctl");
}

// ---- the loop --------------------------------------------------------------------------------

/// @return bytes of the whole answer at the front; 0: its end is not known yet
std::size_t size_of(std::string_view bytes) {
  constexpr std::string_view kStatus = "HTTP/1.1 200";
  constexpr std::string_view kLength = "content-length:";
  const std::size_t end = bytes.find("\r\n\r\n");
  if (end == std::string_view::npos) return 0;
  if (!bytes.starts_with(kStatus)) fail("answered: " + std::string(bytes.substr(0, end)));
  for (std::size_t line = 0; line < end; line = bytes.find("\r\n", line) + 2) {
    const std::string_view rest = bytes.substr(line, end - line);
    if (rest.size() <= kLength.size() ||
        strncasecmp(rest.data(), kLength.data(), kLength.size()) != 0) {
      continue;
    }
    const char* digits = rest.data() + kLength.size();
    while (*digits == ' ') ++digits;  // up to the end of the line
    std::size_t length = 0;
    if (std::from_chars(digits, rest.data() + rest.size(), length).ec == std::errc()) {
      return end + 4 + length;
    }
  }
  fail("an answer without Content-Length");
}

void send(Connection& connection, const std::string& request) {
  // Some hundred bytes into an empty socket: they fit, or something is wrong.
  const auto size = static_cast<int>(request.size());
  if (SSL_write(connection.ssl.get(), request.data(), size) != size) fail_tls("not written whole");
  connection.waiting = true;
  connection.held = 0;
}

/// @return whether the answer is whole now
bool receive(Connection& connection) {
  SSL* const ssl = connection.ssl.get();
  do {
    const std::span<char> room = std::span(connection.answer).subspan(connection.held);
    const int got = SSL_read(ssl, room.data(), static_cast<int>(room.size()));
    if (got <= 0) {
      // A ticket of the handshake, or half a record.
      if (SSL_get_error(ssl, got) == SSL_ERROR_WANT_READ) return false;
      fail_tls("not read");
    }
    if (!connection.waiting) fail("bytes that nobody asked for");
    connection.held += static_cast<std::size_t>(got);
    const std::size_t size = size_of({connection.answer.data(), connection.held});
    if (size > kAnswerBytesMax || (size > 0 && connection.held > size)) fail("an answer too long");
    if (connection.held == size) return true;
  } while (SSL_has_pending(ssl) == 1);  // of what OpenSSL holds already, epoll does not tell
  return false;
}

/// Who sends next, and when.
class Loop {
 public:
  Loop(std::span<Connection> connections, const Settings& settings, int epoll)
      : settings_(settings), epoll_(epoll), begun_(Clock::now()) {
    for (Connection& connection : connections) idle_.push_back(&connection);
  }

  void run() {
    std::array<epoll_event, kEventsMax> events;
    std::uint64_t answered = 0;
    while (answered < settings_.requests) {
      const auto pause = send_due();
      const timespec patience{.tv_sec = 0, .tv_nsec = pause.count()};
      const int ready = epoll_pwait2(epoll_, events.data(), kEventsMax,
                                     pause.count() > 0 ? &patience : nullptr, nullptr);
      for (int i = 0; i < ready; ++i) {
        auto& connection = *static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr);
        if (!receive(connection)) continue;
        connection.waiting = false;
        idle_.push_back(&connection);
        ++answered;
        if (settings_.rate == 0) send_due();
      }
    }
  }

 private:
  /// @return how long until the next is due; 0: not before an answer comes
  std::chrono::nanoseconds send_due() {
    while (sent_ < settings_.requests && !idle_.empty()) {
      if (settings_.rate > 0) {
        const auto due = begun_ + std::chrono::nanoseconds(1'000'000'000 * sent_ / settings_.rate);
        if (const auto now = Clock::now(); now < due) return due - now;
      }
      send(*idle_.back(), settings_.request);
      idle_.pop_back();
      ++sent_;
    }
    return {};
  }

  const Settings& settings_;
  const int epoll_;
  const Clock::time_point begun_;
  std::vector<Connection*> idle_;
  std::uint64_t sent_ = 0;
};

double cpu_us() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto us = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
  };
  return us(usage.ru_utime) + us(usage.ru_stime);
}

}  // namespace

int main(int count, char** arguments) {
  const Settings settings = settings_of({arguments, static_cast<std::size_t>(count)});
  const Context context = make_context(settings.ca_file);
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) fail("epoll_create1");
  const Clock::time_point begun = Clock::now();
  std::vector<Connection> connections(settings.connections);
  for (Connection& connection : connections) open(connection, context.get(), settings, epoll);
  const Clock::time_point connected = Clock::now();
  Loop(connections, settings, epoll).run();
  const Clock::time_point done = Clock::now();
  std::printf(
      "{\"requests\": %llu, \"seconds\": %.6f, \"cpu_us_per_request\": %.3f, \"handshake_s\": "
      "%.6f}\n",
      static_cast<unsigned long long>(settings.requests), Seconds(done - connected).count(),
      cpu_us() / static_cast<double>(settings.requests), Seconds(connected - begun).count());
  for (Connection& connection : connections) close(connection.fd);
  return 0;
}
