// The conductor: takes an event and the moment, returns actions. The only room that knows the
// others; the only one that decides when something is sent.
//
// A row lives in a slot from the moment it is read until its line is handed out:
//
//   queued -> intending ==commit==> ready -> sent -> settling ==commit==> line, slot free
//                          |          |        \-> waiting (certainly not executed) -> queued
//                          |          \-> settling (not sent: too old, or the run stops)
//                          \-> slot free, no line: the intent was refused, the row is another
//                          host's
//
// With a rate, ready leads to sent in two steps, because a token is worth something only at the
// moment when the bytes leave, and a request that has to connect first leaves when it can:
//
//   ready -> leased (io finds or makes a connection) -> connected -> token -> sent
//               \-> leaving (too old, or the run stops) <-/  -> settling
//
// In flight are the slots from intending to settling: at most `max_in_flight`, which is what a
// crash can leave in doubt. One commit is under way at a time; whatever gathers meanwhile is the
// next one. It begins as soon as the wires could want for durable intents, and otherwise gathers
// for a moment longer: a commit costs the same for one record as for many.
//
// Slow start: at first two rows may be in flight, twice as many after each round of answers, and
// few again after a doubt: what is systematic must not be multiplied by the batch.
//
// A row is signed when it is sent, with the key that was the current one at its intent, or not at
// all: one whose key ceases to sign meanwhile is taken back, not signed anew. Without a key that
// signs nothing is admitted; what is on the wire is waited for, and the run goes on with the next
// key, or ends if an attempt to get one fails then.
//
// Errors: a violated limit throws BrokenPromise; the program ends and sends nothing more.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/allowance.hpp"
#include "engine/lease.hpp"
#include "engine/life.hpp"
#include "engine/moment.hpp"
#include "engine/nonce.hpp"
#include "engine/order.hpp"
#include "engine/ranges.hpp"
#include "engine/rate.hpp"
#include "engine/renewal.hpp"
#include "engine/request.hpp"
#include "engine/response.hpp"
#include "engine/result.hpp"
#include "engine/ring.hpp"
#include "engine/schedule.hpp"
#include "engine/tally.hpp"
#include "engine/verdict.hpp"

namespace sagorder {

enum class Replay : std::uint8_t { never, same_bytes };

inline constexpr std::uint32_t kInFlightMax = 65'536;
inline constexpr std::uint32_t kConnectionsMax = 4'096;
inline constexpr std::uint32_t kReadAhead = 64;    ///< rows read and not yet admitted
inline constexpr std::size_t kEndpointsMax = 64;   ///< hosts in one run
inline constexpr std::uint32_t kAttemptsMax = 10;  ///< of one row in one run
inline constexpr seconds kStampAgeMax{300};        ///< an intent older than this is not sent
inline constexpr seconds kReplayAgeMax{60};
inline constexpr seconds kClockSkewMax{600};            ///< beyond it the run stops
inline constexpr std::size_t kRecentOrderIds = 65'536;  ///< remembered, to see one given twice
inline constexpr milliseconds kBackoffFirst{100};
inline constexpr milliseconds kBackoffMax{5'000};
/// A connection is leased so long before its token is due, for a handshake takes time; not longer,
/// for a connection that waits may be closed by the server.
inline constexpr milliseconds kLeaseAhead{200};
/// A shared ledger that has not answered an ask for so long, or a lease's length, is called silent.
inline constexpr milliseconds kSilenceMin{1'000};
inline constexpr milliseconds kGatherMax{4};  ///< records wait so long for others to join them
inline constexpr std::uint32_t kConnectRoundsFirst = 5;  ///< failed rounds if none ever succeeded
inline constexpr std::uint32_t kConnectRoundsMax = 20;   ///< failed rounds in a row

/// Of a batch that hosts share through one ledger: rows come in ranges, and nothing is sent but
/// under a lease of the account's tokens (engine/ranges, engine/lease).
struct Sharing {
  milliseconds lease = kLeaseLength;
  /// The batch's first rows, which go before all others, as one range: Limits::canary orders and
  /// what else is among them. Here the ledger keeps the canary: no other range comes before all of
  /// them are placed. The host that has them stops when one is not. 0: there is none.
  std::uint64_t canary_rows = 0;
};

/// The limits are options like the others.
struct PipelineOptions : Limits {
  std::optional<Endpoint> endpoint;  ///< nullopt: by RegionId
  RateLimit rate;
  std::uint64_t burst = 1;
  std::uint32_t connections = 16;
  std::uint32_t max_in_flight = 64;
  Replay replay = Replay::never;
  std::optional<KeyLife> key_life;  ///< of a key that can be renewed; nullopt: it cannot
  std::optional<Sharing> sharing;   ///< nullopt: all rows of the batch are this process's
};

/// Index of a slot; what io hands back with a reply or a fault.
using Slot = std::uint32_t;

namespace event {
struct Started {};
/// A valid row. The order is swapped in; what is left in its place is for reuse.
struct OrderRead {
  Order* order;
};
struct InputEnded {};  ///< of the range, where rows come in ranges
/// Asked for by Actions::wanted_range: these rows are this host's to try, and come as OrderRead.
struct RangeClaimed {
  Row first;
  Row last;                     ///< included
  std::span<const Step> steps;  ///< all that the ledger has of them, each row's in their order
};
struct NoRange {
  bool for_good;  ///< nothing is left to do, nor will be; else it is asked again
};
/// Asked for by Actions::lease.
struct Leased {
  std::uint32_t tokens;  ///< as many as were asked for, at most
  SteadyTime until;      ///< by this host's clock, the lease's length from before it was asked
  double factor = 1.0;   ///< what throttling made of the account's rate, whichever host saw it
  nanoseconds paused_for{0};
  std::optional<ShareGrant> share = {};  ///< if one was asked for
};
struct LeaseFailed {
  std::string_view reason;  ///< for a person
  bool for_good;            ///< this host was fenced; else the ledger could not be asked
};
struct InputChanged {};  ///< the file is no longer what was validated: nothing more of it is sent
/// The last commit action is durable, but for the intents that were refused, because on a shared
/// ledger another host has an attempt of the same row and number: the insert is the claim.
struct Committed {
  std::span<const std::uint32_t> refused;  ///< indices into the commit's records, ascending
};
struct CommitFailed {
  std::string_view reason;
};
struct Connected {  ///< a held request has its connection; not a byte of it was offered
  Slot slot;
};
struct Replied {
  Slot slot;
  const Reply* reply;
};
struct Faulted {
  Slot slot;
  const Fault* fault;
};
struct AppendFailed {
  std::string_view reason;
};
/// Another key, asked for by Actions::renew_key; the writer is moved from.
struct KeyRenewed {
  RequestWriter* writer;
  WallTime expires_at;
};
struct KeyNotRenewed {
  std::string_view reason;  ///< for a person
};
struct Tick {};         ///< the wake-up time came
struct Interrupted {};  ///< the first stops admission, the second gives up waiting
}  // namespace event

using Event = std::variant<event::Started, event::OrderRead, event::InputEnded, event::RangeClaimed,
                           event::NoRange, event::Leased, event::LeaseFailed, event::InputChanged,
                           event::Committed, event::CommitFailed, event::Connected, event::Replied,
                           event::Faulted, event::AppendFailed, event::KeyRenewed,
                           event::KeyNotRenewed, event::Tick, event::Interrupted>;

struct Send {
  Slot slot = 0;
  const Endpoint* endpoint = nullptr;  ///< lives as long as the pipeline
  std::string_view wire;               ///< valid until this slot's reply or fault
  bool hold = false;  ///< find or make the connection, tell Connected, and write at `go` only
};

/// What io is to do, in this order: start the commit, retire, leave, send, go, append the lines,
/// tell the outcomes, read, set the timer. Lines come late because a slow disk must not hold up a
/// token that was taken. Valid until the next `resume`; `commit` and every `wire` until they are
/// answered.
struct Actions {
  std::string lines;               ///< to append to the results file
  std::span<const Record> commit;  ///< not empty: make durable, then Committed or CommitFailed
  std::vector<Slot> retire;        ///< close the connection that answered it: it may be out of step
  std::vector<Slot> leave;         ///< held and not to be sent after all: to end as a fault
  std::vector<Send> sends;
  std::vector<Slot> go;   ///< held and connected: its bytes leave now
  SteadyTime go_until{};  ///< looked at just before they do: the lease ends, and none goes
  std::uint32_t wanted_orders = 0;  ///< read up to so many rows
  bool wanted_range = false;        ///< claim rows, then RangeClaimed or NoRange
  std::optional<LeaseWish> lease;   ///< ask the account's bucket, then Leased or LeaseFailed
  std::vector<Range> ranges_over;   ///< nothing of them is under way; the ledger knows what is left
  std::optional<SteadyTime> wake_at;  ///< then Tick
  /// Durable, and no order: rejected, in doubt, or not executed of a row that this run gives up.
  std::vector<const Record*> unplaced;
  std::string notice;      ///< something a person should hear of now; mostly empty
  bool renew_key = false;  ///< fetch a key, then KeyRenewed or KeyNotRenewed
  bool cancel = false;     ///< close every connection; exchanges under way end as faults
  bool finished = false;   ///< nothing is under way and nothing will be
};

class Pipeline {
 public:
  /// @param rows states as replayed; open intents must have been closed before
  Pipeline(PipelineOptions options, Rows& rows, RequestWriter writer, ResultWriter results,
           const NonceSource::Key& nonce_key);

  const Actions& resume(const Event& event, Moment now);

  [[nodiscard]] const Tally& tally() const { return tally_; }
  [[nodiscard]] const Pacer& pacer() const { return pacer_; }
  [[nodiscard]] Stop stop() const { return stop_; }
  /// A sentence for people: what stopped the run, with the answer's or the system's words.
  [[nodiscard]] const std::string& stop_detail() const { return stop_detail_; }
  /// The limit that was met is too small for the next order, also in a run that begins anew.
  [[nodiscard]] bool limit_too_small() const { return limit_too_small_; }
  /// Outcomes that could not be made durable because the ledger failed: the operator's last trace.
  [[nodiscard]] const std::vector<Record>& unrecorded() const { return unrecorded_; }
  /// Rows of which an attempt is durable, or may be, and its outcome is not, because the ledger
  /// failed: they open as in doubt. Ascending once the run has finished.
  [[nodiscard]] const std::vector<Row>& left_open() const { return left_open_; }
  /// What of the limits that hosts share is spent once it has finished, so that this host can give
  /// the rest back; nullopt: there are none, or it is not known.
  [[nodiscard]] std::optional<Share> spent() const;
  [[nodiscard]] std::uint32_t in_flight() const { return in_flight_; }
  [[nodiscard]] std::uint32_t on_wire() const { return on_wire_; }

 private:
  enum class Phase : std::uint8_t {
    free,
    queued,
    intending,
    ready,
    leased,
    connected,
    leaving,
    sent,
    settling,
    waiting
  };

  /// What orders are signed with.
  struct Key {
    RequestWriter writer;
    WallTime signs_until;
  };

  /// What a slot holds. Storage is reused from row to row.
  struct Held {
    Phase phase = Phase::free;
    Order order;
    Attempt attempt;
    Stamp stamp;
    const Key* key = nullptr;  // in flight: the current one at its intent
    std::string wire;          // the request, until its answer
    std::size_t host = 0;      // index into hosts_ and endpoints_
    SteadyTime due_at{};       // when the rate wanted it sent
    SteadyTime sent_at{};
    SteadyTime not_before{};      // waiting: when it may be tried again
    std::uint32_t tries = 0;      // attempts of this run
    nanoseconds wait{0};          // after not_executed: how long to wait
    bool first_sending = true;    // false once --replay same-bytes sent the bytes again
    std::string_view why_left;    // leaving: why it is not sent
    bool replay_planned = false;  // an in_doubt and a replay record are being committed
  };

  /// Records gathered for one commit, and the slot of each. Storage is reused.
  struct Batch {
    std::vector<Record> records;
    std::vector<Slot> slots;
    std::size_t size = 0;
  };

  // events
  void on(const event::Started& started, Moment now);
  void on(const event::OrderRead& read, Moment now);
  void on(const event::InputEnded& ended, Moment now);
  void on(const event::RangeClaimed& claimed, Moment now);
  void on(const event::NoRange& none, Moment now);
  void on(const event::Leased& leased, Moment now);
  void on(const event::LeaseFailed& failed, Moment now);
  void on(const event::InputChanged& changed, Moment now);
  void on(const event::Committed& committed, Moment now);
  void on(const event::CommitFailed& failed, Moment now);
  void on(const event::Connected& connected, Moment now);
  void on(const event::Replied& replied, Moment now);
  void on(const event::Faulted& faulted, Moment now);
  void on(const event::AppendFailed& failed, Moment now);
  void on(const event::KeyRenewed& renewed, Moment now);
  void on(const event::KeyNotRenewed& failed, Moment now);
  void on(const event::Tick& tick, Moment now);
  void on(const event::Interrupted& interrupted, Moment now);

  // what can be done now
  void advance(Moment now);
  void wake_waiting(Moment now);
  void keep_deadline(Moment now);
  void drop_unsent(Moment now);
  void leave_all();
  void ask_for_key(Moment now);
  void admit(Moment now);
  void go_connected(Moment now);
  void send_ready(Moment now);
  void start_commit(Moment now);
  void want_range(Moment now);
  void want_lease(Moment now);
  void tell_silence(Moment now);
  [[nodiscard]] SteadyTime silent_from() const;
  [[nodiscard]] bool needs_tokens() const;
  [[nodiscard]] SteadyTime ask_at(Moment now) const;
  [[nodiscard]] const Order* blocked_order() const;
  [[nodiscard]] bool has_token(Moment now, std::uint32_t ahead = 0) const;
  void promise_token();
  void keep_promise();
  void want_orders();
  [[nodiscard]] bool more_to_admit() const;
  [[nodiscard]] bool more_come_at_once() const;
  [[nodiscard]] bool wires_are_supplied() const;
  void set_wake(Moment now);
  void check_finished();
  [[nodiscard]] WaitFor awaited(Moment now) const;

  // an order's steps
  bool may_admit(const Order& order);
  void intend(Slot slot, Moment now);
  [[nodiscard]] static std::string_view too_late(const Held& held, Moment now);
  void write_request(Held& held);
  void give_back_wire(Held& held);
  void fetch_next() const;
  [[nodiscard]] Send prepare(Slot slot, Moment now);
  void send(Slot slot, Moment now);
  void lease(Slot slot, Moment now);
  void go(Slot slot, Moment now);
  void count_sent(Slot slot);
  void leave(Slot slot, std::string_view why);
  void left(Slot slot, Moment now);
  void not_sent(Slot slot, std::string_view why, Moment now);
  void settle(Slot slot, const Verdict& verdict, Record& record, Moment now);
  void plan_replay(Slot slot, const Fault& fault, Moment now);
  void drop_refused(std::span<const std::uint32_t> refused);
  void claimed_elsewhere(Slot slot, const Record& record);
  void settled(Slot slot, const Record& record, Moment now);
  void make_ready(Slot slot);
  void make_ready_again(Slot slot);
  void end(Slot slot, const Record& record);
  void wait_or_drop(Slot slot, const Record& record, Moment now);
  void release(Slot slot);
  void count(Fate fate, Row row);
  [[nodiscard]] bool holds_canary_up(Fate fate, Row row) const;
  void react(Effect effect, const Key& key, const std::string& words, Moment now);
  void back_off(const std::string& words, Moment now);
  void use_key(RequestWriter writer);
  void key_refused(const Key& key, const std::string& words, Moment now);
  void key_not_renewed(std::string_view reason, Moment now);
  void check_clock(const Answer& answer, Moment now);
  bool is_repeated(std::uint64_t id_hash);
  [[nodiscard]] std::uint64_t& recent_order_id(std::uint64_t id_hash);

  Record& gather(RecordKind kind, Slot slot, Moment now);
  void keep_unrecorded(const Batch& batch);
  void leave_open(Slot slot);
  std::size_t host_of(const Order& order);
  void stop_at(const LimitMet& met);
  void request_stop(Stop stop, std::string detail);
  [[nodiscard]] bool ledger_failed() const { return stop_ == Stop::ledger_failed; }

  PipelineOptions options_;
  Rows& rows_;
  std::vector<std::unique_ptr<Key>> keys_;  // the last is the current one; of the others: in flight
  Renewal renewal_;
  ResultWriter results_;
  NonceSource nonces_;
  Pacer pacer_;
  Allowance allowance_;
  Schedule schedule_;
  Ranges ranges_;
  Lease lease_;
  AnswerReader reader_;
  Answer answer_;
  WireBuffer written_;  // the request that is being written, and its stages: one for all slots
  std::vector<std::string> wires_;  // storage for requests, the one last used on top
  Tally tally_;

  std::vector<Held> slots_;
  std::vector<Slot> free_;
  Ring<Slot> queued_;          // read, not admitted
  Ring<Slot> again_;           // certainly not executed, waited, to be admitted again
  Ring<Slot> ready_;           // intent durable, not sent
  Ring<Slot> connected_;       // held by a connection, waiting for their tokens
  std::vector<Slot> waiting_;  // a heap, the soonest on top
  Batch gathering_;
  SteadyTime gathering_since_{};  // when its first record came
  Batch committing_;
  SteadyTime committing_since_{};
  bool commit_under_way_ = false;

  std::vector<std::pair<std::string, std::string>> hosts_;  // RegionId, Host header
  std::vector<std::unique_ptr<Endpoint>> endpoints_;        // of the same index

  Stop stop_ = Stop::none;
  std::string stop_detail_;
  bool limit_too_small_ = false;
  bool input_ended_ = false;  // no row comes any more
  bool lines_off_ = false;    // the results file cannot be written
  bool slowed_ = false;       // by an answer, and the other hosts are not told yet
  bool told_silent_ = false;  // that the shared ledger does not answer, and not yet that it does
  bool set_aside_ = false;    // a row used up its attempts
  bool limited_ = false;      // the next row has to wait for what is under way, because of a limit
  std::vector<Record> unrecorded_;
  std::vector<Row> left_open_;

  std::uint32_t in_flight_ = 0;  // intending to settling
  std::uint32_t leased_ = 0;     // leased to leaving: each has a connection or is getting one
  std::uint32_t leaving_ = 0;    // of them: told to leave
  std::uint32_t on_wire_ = 0;    // sent
  std::uint32_t window_ = 2;     // slow start
  std::uint32_t interrupts_ = 0;

  std::vector<std::uint64_t> recent_order_ids_;  // hashes, each at its own place

  std::optional<SteadyTime> lease_asked_at_;  // and not answered
  SteadyTime held_until_{};                   // no connection: nothing is tried before
  std::uint32_t connect_rounds_ = 0;          // failed rounds in a row
  bool ever_connected_ = false;
  Actions actions_;
};

}  // namespace sagorder
