// One process of the program: what io does around the engine, in the same order, over the simulated
// disk and network. Its start is taken step by step, so that anything may come between two steps;
// its loop does what the driver does with the pipeline's actions.
//
// A crash is thrown, at any of its small steps, once `death` of them are taken.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/pipeline.hpp"
#include "engine/projection.hpp"
#include "tests/simulation/disk.hpp"
#include "tests/simulation/planted.hpp"
#include "tests/simulation/pool.hpp"
#include "tests/simulation/stage.hpp"

namespace sagorder::simulation {

/// How long a step of a start takes at most.
inline constexpr Time kStepMax = 3 * kMillisecond;

/// How a process ended.
enum class Exit : std::uint8_t {
  running,
  finished,  ///< the run came to its end, whatever it says of the rows
  crashed,
  busy,  ///< another process holds the ledger or the results
  changed_input,
  ordered_before,
  older_copy,
  disk_failed,      ///< ledger, results or memory cannot be written
  foreign_results,  ///< what stands there does not begin as results of ours
  contradiction,
};
std::string_view name_of(Exit exit);

struct Commission {
  std::uint32_t place = 0;
  std::string_view input = "one";  ///< the digest
  std::uint32_t death = 0;         ///< small steps until it crashes; 0: never
  bool power = false;              ///< the crash is the machine's
  bool limits = true;              ///< as the plan says
};

class Host {
 public:
  Host(Stage& stage, std::uint32_t index, std::uint32_t life, const Commission& commission);
  ~Host();

  [[nodiscard]] bool alive() const { return exit_ == Exit::running; }
  [[nodiscard]] Exit exit() const { return exit_; }
  [[nodiscard]] Stop stop() const { return pipeline_ ? pipeline_->stop() : Stop::none; }
  [[nodiscard]] const std::string& why() const { return why_; }
  [[nodiscard]] std::uint32_t index() const { return index_; }
  [[nodiscard]] std::uint32_t life() const { return life_; }
  [[nodiscard]] const Commission& commission() const { return commission_; }
  [[nodiscard]] std::uint64_t sent() const { return sent_; }
  [[nodiscard]] bool looping() const { return looping_; }
  /// What strikes a process strikes every order where it is.
  void strike_all(Fault fault);
  [[nodiscard]] std::uint64_t doubts_found() const { return doubts_found_; }
  [[nodiscard]] bool output_whole() const { return output_whole_; }

  /// Takes what is due; a crash, a refusal or the end show in `exit`.
  void take(const Due& due);
  Time paused_until = 0;

  // --- for the pool
  void completed(Pool& pool, const Reply* reply, const sagorder::Fault* fault, Slot slot,
                 bool is_connected);
  void mark(std::uint32_t row, Phase phase);
  /// The kernel took the first bytes of this request.
  void first_byte(std::string_view wire);
  [[nodiscard]] Phase phase_of(std::uint32_t row) const { return rows_at_[row]; }
  Pool& pool(std::uint32_t index) { return *pools_[index]; }

 private:
  struct Crash {};
  struct Refused {
    Exit exit;
    std::string why;
  };
  enum class Step : std::uint8_t {
    open_ledger,
    replay,
    close_open,
    closed_open,
    compare,
    make_ledger,
    set_facts,
    repair,
    drive,
  };
  enum class Word : std::uint8_t { send, go, leave, retire, keep, close };
  struct Command {
    Word word = Word::send;
    std::uint32_t pool = 0;
    Slot slot = 0;
    Send send;
  };

  void small_step();
  void act_on(const Due& due);
  void die();
  void go_down(bool power);
  void end(Exit exit, std::string why);

  // the start
  void step(Step step);
  static bool is_held(const Hold& hold);
  void open_ledger();
  void refuse_if_remembered();
  std::string drawn_token();
  void replay();
  void close_open(bool done);
  void compare();
  void scan_results();
  void make_ledger();
  void set_facts();
  void repair();
  void remember_batch();
  void drive();
  void conclude();
  void append_results(std::string_view lines);
  std::string missing_lines(bool all);
  void fill_order(std::uint32_t row);
  [[nodiscard]] bool is_invalid(std::uint32_t row) const;

  // the loop
  void dispatch(const Event& event, std::optional<Slot> answered = std::nullopt);
  void perform(const Actions& actions, std::optional<Slot> answered = std::nullopt);
  void commit(std::span<const Record> records);
  void judge_stopped(std::span<const Record> records);
  void judge_canary(std::uint32_t row);
  void committed();
  void read_one();
  void send(const Send& send);
  void tell_pool(const Command& command);
  void do_command(const Command& command);
  void read_mail();
  void connected(Slot slot);
  [[nodiscard]] LedgerFile& ledger() { return stage_.disk.places[commission_.place].ledger; }
  [[nodiscard]] ResultsBytes& results() { return stage_.disk.places[commission_.place].results; }
  [[nodiscard]] PipelineOptions options() const;

  Stage& stage_;
  const std::uint32_t index_;
  const std::uint32_t life_;
  const Commission commission_;
  Exit exit_ = Exit::running;
  std::string why_;
  std::uint32_t death_;
  Phase phase_ = Phase::start;
  std::uint32_t next_step_ = 0;
  bool looping_ = false;
  std::vector<Phase> rows_at_;

  bool ledger_opened_ = false;
  std::unique_ptr<Rows> rows_;
  std::optional<Projection> projection_;
  std::vector<Record> closing_;
  bool known_ = false;    // the results may be appended to
  std::size_t size_ = 0;  // of their whole lines
  std::size_t torn_ = 0;
  std::vector<bool> fresh_lines_;  // rows whose lines the last commit made due
  ResultWriter writer_;
  std::uint64_t doubts_found_ = 0;
  bool remembered_ = false;
  bool new_batch_ = false;
  bool output_whole_ = false;

  std::unique_ptr<Pipeline> pipeline_;
  std::vector<std::unique_ptr<Pool>> pools_;
  std::vector<std::uint32_t> owner_;   // of a slot
  std::vector<std::uint32_t> row_of_;  // likewise
  std::span<const Record> committing_;
  Fault commit_fault_ = Fault::answers_again;  // this: none
  bool commit_under_way_ = false;
  std::vector<Record> late_;  // for a planted bug
  std::optional<Time> armed_;
  std::optional<std::string> append_error_;
  std::deque<Slot> connected_;
  std::deque<Command> commands_;
  Time command_last_ = 0;
  std::deque<std::pair<std::uint32_t, Mail>> mail_;
  Time mail_last_ = 0;
  std::uint32_t wanted_ = 0;
  std::uint32_t next_row_ = 1;
  bool finished_ = false;
  bool input_changed_ = false;
  std::uint32_t interrupts_ = 0;
  bool intents_gathered_ = false;  // before the interrupt, for the next commit
  std::uint64_t sent_ = 0;
  Order order_;
};

}  // namespace sagorder::simulation
