// A pool with its io_context, for tests: sends requests by id and keeps how each of them ended.
#pragma once

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "io/pool.hpp"
#include "tests/io/tls_server.hpp"

namespace sagorder::io::testing {

using namespace std::chrono_literals;

struct Ending {
  int times = 0;  ///< completions: one is right
  int status = 0;
  std::string body;
  std::optional<Fault> fault;
};

inline std::chrono::milliseconds patience() {
  const char* const scale = std::getenv("SAGORDER_TIME_SCALE");
  return 10s * (scale == nullptr ? 1 : std::max(1, std::atoi(scale)));
}

class PoolClient {
 public:
  explicit PoolClient(PoolOptions options = {},
                      const std::string& ca_file = TrustedAuthority::get().ca_file,
                      const ClientCertificate& client = {})
      : tls_(ca_file, client),
        pool_(std::make_unique<Pool>(context_, tls_, options,
                                     [this](const Completion& done) { completed(done); })) {}

  /// Slot and X-Id are the same number, from 1.
  void send(std::uint32_t id, const Endpoint& endpoint) { begin(id, endpoint, false); }

  /// It is `connected` once it has its connection, and leaves at pool().go(id).
  void hold(std::uint32_t id, const Endpoint& endpoint) {
    if (begin(id, endpoint, true)) connected.insert(id);
  }

  /// Sends and waits for the end.
  const Ending& exchange(std::uint32_t id, const Endpoint& endpoint) {
    send(id, endpoint);
    run_until([&] { return ending(id).times > 0; });
    return ending(id);
  }

  /// @return false: it did not come true within 10 s, stretched where sanitizers make all slow
  bool run_until(const std::function<bool()>& done) {
    const auto limit = std::chrono::steady_clock::now() + patience();
    while (!done() && std::chrono::steady_clock::now() < limit) {
      if (context_.stopped()) context_.restart();
      context_.run_one_for(10ms);
    }
    return done();
  }
  void run_for(std::chrono::milliseconds time) {
    const auto limit = std::chrono::steady_clock::now() + time;
    run_until([&] { return std::chrono::steady_clock::now() >= limit; });
  }

  void close() {
    in_send_ = true;
    pool_->close();
    in_send_ = false;
  }
  void destroy_pool() { pool_.reset(); }

  Ending& ending(std::uint32_t id) { return endings_[id]; }
  std::size_t wire_size(std::uint32_t id) { return wires_[id].size(); }
  [[nodiscard]] const PoolCounters& counters() const { return pool_->counters(); }
  boost::asio::io_context& context() { return context_; }
  Pool& pool() { return *pool_; }

  std::function<void(const Completion&)> on_completion;
  std::set<std::uint32_t> connected;  ///< held ones that have a connection
  bool completed_within_send = false;
  int completions = 0;

 private:
  bool begin(std::uint32_t id, const Endpoint& endpoint, bool hold) {
    wires_[id] = request_of(id);
    endpoints_[id] = endpoint;
    in_send_ = true;
    const bool connected_at_once = pool_->send(id, endpoints_[id], wires_[id], hold);
    in_send_ = false;
    return connected_at_once;
  }

  void completed(const Completion& done) {
    completed_within_send |= in_send_;
    if (done.connected()) {
      connected.insert(done.slot);
      return;
    }
    ++completions;
    Ending& ending = endings_[done.slot];
    ++ending.times;
    if (done.reply != nullptr) {
      ending.status = done.reply->status;
      ending.body = done.reply->body;
    }
    if (done.fault != nullptr) ending.fault = *done.fault;
    if (done.reply != nullptr && done.fault != nullptr) ending.times += 1000;
    if (on_completion) on_completion(done);
    // Views must still hold after whatever the handler did.
    if (done.reply != nullptr && done.reply->body != ending.body) ending.times += 1000;
  }

  boost::asio::io_context context_;
  TlsContext tls_;
  std::map<std::uint32_t, Ending> endings_;
  std::map<std::uint32_t, std::string> wires_;
  std::map<std::uint32_t, Endpoint> endpoints_;
  bool in_send_ = false;
  std::unique_ptr<Pool> pool_;
};

inline Endpoint at(const TlsServer& server, const std::string& host = "127.0.0.1") {
  return {host, server.port()};
}

inline PoolOptions options_of(std::uint32_t connections, std::chrono::milliseconds request = 5000ms,
                              std::chrono::milliseconds connect = 5000ms,
                              std::chrono::milliseconds idle = 5000ms) {
  PoolOptions options;
  options.connections = connections;
  options.request_timeout = request;
  options.connect_timeout = connect;
  options.idle = idle;
  return options;
}

}  // namespace sagorder::io::testing
