// The gateway, by whole requests: executes an order or not, and answers or not, in the ways that
// matter to hosts that share a batch. Bytes are the other simulation's.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "engine/pipeline.hpp"
#include "tests/simulation/hosts/plan.hpp"

namespace sagorder::simulation::hosts {

struct Stage;

/// One request of one host, from the word to find a connection to its answer.
struct Exchange {
  std::uint32_t host = 0;
  Life life = 0;
  Slot slot = 0;
  std::uint32_t row = 0;
  std::string nonce;
  enum class State : std::uint8_t { connecting, connected, leaving, sent, over } state = {};
  bool refused = false;  ///< its connection
  bool lost = false;     ///< no answer comes: a fault
  int status = 200;
  std::string body;
  std::string retry_after;
  Time pause = 0;  ///< that it tells
};

class Server {
 public:
  explicit Server(Stage& stage) : stage_(stage) {}

  /// @return the exchange's index; Act::handshake comes when its connection is made, or not
  std::uint32_t connect(std::uint32_t host, Life life, const Send& send);
  /// Its bytes leave now.
  void go(std::uint32_t index);
  /// The request has arrived.
  void on_execute(std::uint32_t index);
  Exchange& exchange(std::uint32_t index) { return exchanges_[index]; }
  /// Whether a request of this row is still on its way.
  [[nodiscard]] bool is_under_way(std::uint32_t row) const;

 private:
  void refuse(Exchange& exchange, int status, std::string_view code);
  void order(Exchange& exchange);

  Stage& stage_;
  std::vector<Exchange> exchanges_;
  std::vector<bool> arriving_;  // by exchange
  std::set<std::string> nonces_;
};

}  // namespace sagorder::simulation::hosts
