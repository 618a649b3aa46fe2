// An order's way through the engine while nothing goes wrong: CSV bytes, record, order, intent,
// commit, request, answer, verdict, commit, line. The ledger, the wire and the clock cost nothing,
// so that what is counted or measured is the engine's own. For tests and benchmarks.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/csv.hpp"
#include "engine/intake.hpp"
#include "engine/pipeline.hpp"

namespace sagorder::testing {

class SteadyPath {
 public:
  SteadyPath(std::uint64_t rows, Scheme scheme)
      : text_(text_of(rows)),
        rows_(rows),
        pipeline_(options(), rows_,
                  RequestWriter(scheme, Method::post, {"testid", Secret("testsecret"), Secret()}),
                  ResultWriter(ResultFormat::csv, {"RegionId", "UserCount", "Period"}), {}),
        intake_({}) {
    reader_.next(text_, true, record_);
    if (!intake_.header(record_, complaints_)) throw std::logic_error("the header is bad");
    read_ = text_.find('\n') + 1;
    perform(pipeline_.resume(event::Started{}, moment()));
  }

  /// Goes on until so many orders are placed, or all.
  void run_until(std::uint64_t placed) {
    while (!finished_ && this->placed() < placed) {
      if (std::exchange(committing_, false)) {
        perform(pipeline_.resume(event::Committed{}, moment()));
      } else {
        answer_all();
      }
    }
  }
  [[nodiscard]] std::uint64_t placed() const { return pipeline_.tally().placed; }
  [[nodiscard]] std::uint64_t line_bytes() const { return line_bytes_; }

 private:
  static PipelineOptions options() {
    PipelineOptions options;
    options.endpoint = Endpoint{"localhost", 8443};
    options.rate = {0, seconds(1)};
    options.connections = 64;
    options.max_in_flight = 256;
    return options;
  }

  static std::string text_of(std::uint64_t rows) {
    std::string text = "RegionId,UserCount,Period\n";
    for (std::uint64_t row = 0; row < rows; ++row) {
      text.append(kRegions[row % kRegions.size()]).append(",");
      text.append(std::to_string(5 * (1 + row % 200))).append(",12\n");
    }
    return text;
  }

  void answer_all() {
    sent_.swap(answering_);
    sent_.clear();
    for (const Slot slot : answering_) {
      count_order_id();
      Reply reply;
      reply.status = 200;
      reply.body = answer_;
      reply.content_type = "application/json";
      reply.date = "Fri, 02 Jan 2026 03:04:05 GMT";
      perform(pipeline_.resume(event::Replied{slot, &reply}, moment()));
    }
  }

  /// Each order has an OrderId of its own, or its answer would be another row's.
  void count_order_id() {
    std::size_t digit = answer_.size() - 3;  // the last one, before `"}`
    for (; answer_[digit] == '9'; --digit) answer_[digit] = '0';
    ++answer_[digit];
  }

  void perform(const Actions& actions) {
    take(actions);
    while (wanted_ > 0) read_one();
  }

  void read_one() {
    const std::string_view unread = std::string_view(text_).substr(read_);
    const csv::Result result = reader_.next(unread, true, record_);
    if (result.status == csv::Status::end) {
      return take(pipeline_.resume(event::InputEnded{}, moment()));
    }
    read_ += result.consumed;
    if (!intake_.row(record_, order_, complaints_)) throw std::logic_error("a row is bad");
    take(pipeline_.resume(event::OrderRead{&order_}, moment()));
  }

  void take(const Actions& actions) {
    wanted_ = actions.wanted_orders;
    finished_ = actions.finished;
    committing_ = committing_ || !actions.commit.empty();
    for (const Send& send : actions.sends) sent_.push_back(send.slot);
    line_bytes_ += actions.lines.size();
  }

  Moment moment() {
    steady_ += nanoseconds(100);
    return {steady_, WallTime(milliseconds(1'767'323'045'000))};
  }

  const std::string text_;
  std::string answer_ =
      R"({"SmartAGId":"sag-gnhe6sywtare5nt","RequestId":"B35789C0-A570-4C2F-96D6-2B46FBB9D64A",)"
      R"("OrderId":"203782300920296"})";
  Rows rows_;
  Pipeline pipeline_;
  Intake intake_;
  csv::Reader reader_;
  csv::Record record_;
  std::vector<Complaint> complaints_;
  Order order_;
  SteadyTime steady_{seconds(1000)};
  std::size_t read_ = 0;  // bytes of the text
  std::uint32_t wanted_ = 0;
  bool committing_ = false;
  bool finished_ = false;
  std::uint64_t line_bytes_ = 0;
  std::vector<Slot> sent_;
  std::vector<Slot> answering_;
};

}  // namespace sagorder::testing
