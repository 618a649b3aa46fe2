// One process of the program on a shared batch: what io does around the engine, over the shared
// ledger and the gateway. What it asks the ledger may be lost there or on the way back; then it
// says the same again, and acts on nothing before it was answered.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/pipeline.hpp"
#include "tests/simulation/hosts/ledger.hpp"
#include "tests/simulation/hosts/stage.hpp"

namespace sagorder::simulation::hosts {

class Host {
 public:
  Host(Stage& stage, std::uint32_t index, Life life);

  [[nodiscard]] bool alive() const { return alive_; }
  [[nodiscard]] std::uint32_t index() const { return index_; }
  [[nodiscard]] const Pipeline& pipeline() const { return *pipeline_; }
  Time paused_until = 0;

  // --- what is due; a contradiction ends it
  void take(const Due& due);
  /// The ledger has got what it asked: this part is the ledger's, whether this host lives or not.
  void serve(std::uint32_t ask);
  void die(std::string_view how);

 private:
  enum class Kind : std::uint8_t { begin, commit, claim, lease };
  /// One question to the ledger, and its answer.
  struct Ask {
    explicit Ask(Kind what) : kind(what) {}
    Kind kind;
    Time at = 0;
    SteadyTime asked_at{};
    std::vector<Record> records;
    std::uint32_t number = 0;  // of a claim, or a lease
    LeaseWish wish;
    std::vector<ClaimedRange> over;  // told with a lease
    std::vector<ClaimedRange> held;  // told with a claim
    // the answer
    Time told_at = -1;  // when it is here; -1: never
    bool failed = false;
    std::vector<std::uint32_t> refused;
    Claim claim;
    std::optional<Leased> grant;
    bool concluded = false;
  };

  void act_on(const Due& due);
  void dispatch(const Event& event);
  void perform(const Actions& actions);
  void end_range(const Range& range);
  void read_one();
  void send(const Send& send);
  void append(std::string_view lines);

  void ask(Ask ask);
  void say_again(const Ask& ask);
  void told(std::uint32_t index);
  void conclude(Ask& ask);
  void unknown(Ask& ask);
  [[nodiscard]] static bool is_answered(const Ask& ask, Time now);

  void connected(std::uint32_t exchange);
  void answered(std::uint32_t exchange);
  void fault(Slot slot, FaultKind kind, std::uint64_t bytes);
  [[nodiscard]] std::uint32_t exchange_of(Slot slot) const;
  [[nodiscard]] Moment moment() const;

  Stage& stage_;
  const std::uint32_t index_;
  const Life life_;
  const Time clock_off_;
  bool alive_ = true;
  Rows rows_;
  std::unique_ptr<Pipeline> pipeline_;
  std::deque<Ask> asks_;
  std::vector<std::uint32_t> exchanges_;  // of this life
  std::vector<ClaimedRange> held_;        // not over
  std::vector<ClaimedRange> over_;        // told to the ledger, and not yet acknowledged
  std::optional<Time> armed_;
  Range range_{{1}, {0}};  // that is read: what is left of it
  std::uint32_t claims_ = 0;
  std::uint32_t leases_ = 0;
  std::uint32_t wanted_ = 0;
  bool begun_ = false;
  bool finished_ = false;
  Order order_;
};

}  // namespace sagorder::simulation::hosts
