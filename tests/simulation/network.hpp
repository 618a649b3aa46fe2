// The network, per byte: requests and answers travel in pieces cut anywhere, and what is cut off,
// ends or stands still does so at any byte.
//
// A link is one connection: the client's kernel, the way there and back, and the server's kernel.
// It outlives both ends, as bytes under way do. Handshakes have no bytes, only an end.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/simulation/clock.hpp"
#include "tests/simulation/matrix.hpp"

namespace sagorder::simulation {

struct Stage;

/// How a stream ends: TLS's farewell, a bare end of file, a reset.
enum class End : std::uint8_t { none, farewell, fin, reset };

struct Link {
  // the client
  std::uint32_t host = 0;
  std::uint32_t life = 0;
  std::uint32_t pool = 0;
  std::uint32_t line = 0;  ///< the pool's name for it
  bool client_open = true;
  bool turn_due = false;                         ///< the client's loop will look at it
  std::string received;                          ///< in the client's kernel, unread
  End end = End::none;                           ///< behind what was received
  Fault handshake_fault = Fault::answers_again;  ///< this: none

  // to the server
  std::string up;
  std::size_t up_delivered = 0;
  Time up_last = 0;
  std::size_t up_cut = std::string::npos;  ///< no byte from here on arrives
  Fault up_fault = Fault::request_fin;
  bool up_dead = false;

  // from the server
  std::string down;
  std::size_t down_delivered = 0;
  std::size_t down_sent = 0;
  Time down_last = 0;
  std::size_t down_cut = std::string::npos;
  Fault down_fault = Fault::answer_fin;
  bool down_dead = false;

  // the server
  bool server_open = true;
  bool server_busy = false;
  std::size_t parsed = 0;  ///< bytes of `up` that the server has taken as requests
};

class Network {
 public:
  explicit Network(Stage& stage) : stage_(stage) {}

  /// Its handshake ends later, as Act::handshake, unless it is stalled.
  std::uint32_t connect(std::uint32_t host, std::uint32_t life, std::uint32_t pool,
                        std::uint32_t line);
  Link& link(std::uint32_t index) { return *links_[index]; }

  /// A new request begins on this link: draws what will become of it on its way.
  void begin_exchange(std::uint32_t index);
  /// @return how many bytes the kernel takes; -1: the connection was reset
  std::int64_t write(std::uint32_t index, std::string_view bytes);
  void close(std::uint32_t index);
  void wake_client(std::uint32_t index);
  /// The machine is gone: what was under way may be lost, and nobody says goodbye.
  void lose_power(std::uint32_t index);

  // the server's side
  void answer(std::uint32_t index, std::string_view bytes);
  /// Takes no time.
  void answer_at_once(std::uint32_t index, std::string_view bytes);
  void end_from_server(std::uint32_t index, End end);

  // what is due
  void on_up(std::uint32_t index, std::size_t upto);
  void on_down(std::uint32_t index, std::size_t upto);
  void on_down_end(std::uint32_t index, End end);

  [[nodiscard]] std::size_t count() const { return links_.size(); }

 private:
  void deliver(std::uint32_t index, std::size_t from, std::size_t to, Time& last, Act act);
  void strike(const Link& link, Fault fault);
  Time hop();

  Stage& stage_;
  std::vector<std::unique_ptr<Link>> links_;
};

}  // namespace sagorder::simulation
