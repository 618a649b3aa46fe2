// The simulated pool: the rules of io's pool and connection over simulated links, with io's own
// HTTP reader. It finds or makes connections, holds requests until they are told to go, counts what
// the kernel took, reads answers and ends what passes its deadline.
//
// With a thread of its own (`apart`), words to it and from it travel in two mailboxes, each in
// order, each with delays; a connection whose answer is being judged waits for keep() or retire().
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/pipeline.hpp"
#include "engine/reuse.hpp"
#include "io/http_answer.hpp"
#include "tests/simulation/clock.hpp"
#include "tests/simulation/matrix.hpp"

namespace sagorder::simulation {

struct Stage;
struct Link;
class Host;

/// A completion, owned: it is told later, or on another thread.
struct Mail {
  Slot slot = 0;
  bool connected = false;
  bool failed = false;
  sagorder::Fault fault;
  int status = 0;
  bool surplus = false;
  std::array<std::string, 6> texts;
  [[nodiscard]] Reply reply() const;
};

class Pool {
 public:
  Pool(Stage& stage, Host& host, std::uint32_t index, std::uint32_t connections, bool apart);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // --- as the driver calls them, on the pool's own thread
  bool send(Slot slot, const Endpoint* endpoint, std::string_view wire, bool hold);
  void go(Slot slot);
  void leave(Slot slot);
  void keep(Slot slot);
  void retire(Slot slot);
  void close();

  // --- what is due
  void on_handshake(std::uint32_t link);
  void on_readable(std::uint32_t link);
  void on_writable(std::uint32_t link);
  void on_tick();
  void on_posted();

  /// The process is gone: the kernel closes, or nobody does.
  void vanish(bool power);

  std::uint32_t under_way_of_driver = 0;

  /// Where the order on this link is.
  [[nodiscard]] Phase phase_on(const Link& link) const;
  [[nodiscard]] std::uint32_t row_on(const Link& link) const;

 private:
  enum class State : std::uint8_t { connecting, writing, reading, idle, closed };
  struct Line {
    std::uint32_t link = 0;
    State state = State::connecting;
    const Endpoint* endpoint = nullptr;
    Slot slot = 0;
    std::uint32_t row = 0;
    std::string_view wire;
    bool hold = false;
    bool held = false;  // connected, waits for go or leave
    Time answer_by = 0;
    Time connect_by = 0;
    Time idle_since = 0;
    std::size_t written = 0;
    std::uint64_t answered = 0;
    bool fresh_answer = false;
    io::HttpAnswer answer;
  };
  struct Idle {
    std::uint32_t line;
    Time since;
  };

  Line& line_of(const Link& link) const { return *lines_[line_index(link)]; }
  static std::uint32_t line_index(const Link& link);
  [[nodiscard]] Link& link_of(const Line& line) const;
  [[nodiscard]] Look look(const Line& line) const;
  bool still_good(std::uint32_t line);
  std::optional<std::uint32_t> lease(const Endpoint* endpoint);
  void begin_on(std::uint32_t line, Slot slot, std::string_view wire, std::uint32_t row);
  std::optional<sagorder::Fault> begin(std::uint32_t line);
  std::optional<sagorder::Fault> write(Line& line);
  void read(std::uint32_t line);
  void answered(std::uint32_t line);
  void fail(std::uint32_t line, FaultKind kind, const char* words);
  [[nodiscard]] sagorder::Fault fault_of(const Line& line, FaultKind kind, const char* words) const;
  void shut(Line& line);
  void finish(std::uint32_t line, const Reply* reply, const sagorder::Fault* fault);
  void complete_later(Slot slot, sagorder::Fault fault);
  void make_room();
  std::optional<std::uint32_t> take(std::vector<std::uint32_t>& from, Slot slot);
  [[nodiscard]] std::size_t open_count() const;
  void start_ticking();
  std::uint32_t new_line();

  Stage& stage_;
  Host& host_;
  std::uint32_t index_;
  std::uint32_t connections_;
  bool apart_;
  bool closed_ = false;
  bool ticking_ = false;
  std::uint32_t under_way_ = 0;
  std::vector<std::unique_ptr<Line>> lines_;
  std::vector<std::uint32_t> free_lines_;
  std::vector<std::uint32_t> open_;
  std::vector<Idle> idle_;
  std::vector<std::uint32_t> parked_;
  std::deque<Mail> posted_;
};

}  // namespace sagorder::simulation
