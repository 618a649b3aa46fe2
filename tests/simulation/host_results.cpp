#include "tests/simulation/host.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "engine/entry.hpp"
#include "engine/expect.hpp"

namespace sagorder::simulation {

namespace {

constexpr std::string_view kRegionNames[] = {"cn-shanghai", "eu-central-1"};

}  // namespace

void Host::scan_results() {
  ResultScanner scanner(stage_.plan.format, {"UserCount", "Note"});
  const std::string& bytes = results().bytes();
  ResultKey key;
  std::uint64_t lines = 0;
  size_ = 0;
  torn_ = 0;
  for (;;) {
    const std::string_view unread = std::string_view(bytes).substr(size_);
    const auto step = scanner.next(unread, true, key);
    if (step.what == ResultScan::line) {
      if (!step.header) {
        projection_->see(key);
        ++lines;
      }
      size_ += step.consumed;
      continue;
    }
    known_ = true;
    if (step.what == ResultScan::torn) torn_ = bytes.size() - size_;
    if (step.what == ResultScan::not_ours) {
      known_ = false;
      const bool zeros = !unread.empty() && unread.front() == '\0';
      if (size_ == 0 && !zeros) {
        stage_.oracle.foreign(unread);
        throw Refused{Exit::foreign_results, "foreign results"};
      }
      projection_->see_broken();
    }
    return;
  }
}

void Host::compare() {
  ResultsBytes& file = results();
  if (is_held({.locked_by_another = file.locked_by != kNobody})) {
    throw Refused{Exit::busy, "the results are held"};
  }
  file.locked_by = index_;
  file.exists = true;
  projection_.emplace(*rows_);
  for (std::uint32_t row = 1; row <= stage_.plan.rows; ++row) {
    if (is_invalid(row)) projection_->mark_invalid({row});
  }
  scan_results();
  if (projection_->repair() != Repair::refuse) return;
  if (!ledger_opened_ && ledger().exists) {  // made, and lines with it, since this one looked
    throw Refused{Exit::busy, "another made the ledger meanwhile"};
  }
  stage_.oracle.violate("I6", fmt::format("a line says more of row {} than the ledger knows",
                                          projection_->unknown_row().value_or(Row{}).value));
  throw Refused{Exit::disk_failed, "the ledger lost records"};
}

std::string Host::missing_lines(bool all) {
  std::string lines;
  for (std::uint32_t row = 1; row <= stage_.plan.rows; ++row) {
    if (!all && !projection_->lacks_line({row})) continue;
    fill_order(row);
    if (status_of(rows_->state({row}))) {
      const Record* outcome = stage_.disk.outcome_of(commission_.place, {row});
      writer_.line(*outcome, rows_->attempts({row}), order_.cells, lines);
    } else if (is_invalid(row)) {
      writer_.invalid({row}, "left out", stage_.clock.moment().wall, order_.cells, lines);
    }
  }
  return lines;
}

void Host::repair() {
  phase_ = Phase::repairing;
  small_step();
  const Repair due = projection_->repair();
  if (torn_ > 0 && known_) {
    if (planted("host-keeps-torn-tail")) {
      size_ += torn_;
    } else {
      results().truncate(size_);
    }
    torn_ = 0;
    small_step();
  }
  if (due == Repair::append) {
    stage_.trace.tell("process {} adds lines to the results", index_);
    append_results(missing_lines(false));
    if (append_error_) throw Refused{Exit::disk_failed, "lines cannot be added"};
  } else if (due == Repair::rebuild) {
    stage_.trace.tell("process {} writes the results anew", index_);
    if (stage_.hits(Fault::append_failed)) {
      stage_.matrix.strike(Fault::append_failed, Phase::repairing);
      throw Refused{Exit::disk_failed, "the results cannot be written anew"};
    }
    small_step();
    const std::string lines = missing_lines(true);
    std::string bytes;
    if (!lines.empty()) writer_.header(bytes);
    bytes += lines;
    size_ = bytes.size();
    results().replace(std::move(bytes));
    torn_ = 0;
    known_ = true;
    small_step();
  }
  projection_.reset();
  phase_ = Phase::start;
}

/// As io's: cuts what is torn, gives a file its header, leaves no half line if it can.
void Host::append_results(std::string_view lines) {
  if (lines.empty()) return;
  ResultsBytes& file = results();
  expect(known_, "lines are appended behind what was not read");
  stage_.oracle.shown(lines, "a line");
  if (torn_ > 0) {
    file.truncate(size_);
    torn_ = 0;
  }
  std::string bytes;
  if (size_ == 0) writer_.header(bytes);
  bytes += lines;
  if (death_ > 0 && death_ <= 4) {  // in the middle of it
    death_ = 1;
    file.write(size_, std::string_view(bytes).substr(0, stage_.chance.below(bytes.size() + 1)));
  }
  small_step();
  if (stage_.hits(Fault::append_failed)) {
    stage_.trace.tell("process {} cannot append", index_);
    if (looping_) {
      for (std::uint32_t row = 1; row <= stage_.plan.rows; ++row) {
        if (fresh_lines_[row]) stage_.matrix.strike(Fault::append_failed, Phase::settled);
      }
    } else {
      stage_.matrix.strike(Fault::append_failed, Phase::repairing);
    }
    const std::size_t part = stage_.chance.below(bytes.size());
    file.write(size_, std::string_view(bytes).substr(0, part));
    if (stage_.chance.one_in(3)) {
      torn_ = part;
    } else {
      file.truncate(size_);
    }
    append_error_ = "disk full";
    return;
  }
  file.write(size_, bytes);
  size_ += bytes.size();
  small_step();
}

bool Host::is_invalid(std::uint32_t row) const { return simulation::is_invalid(stage_.plan, row); }

void Host::fill_order(std::uint32_t row) {
  order_.row = {row};
  order_.region_id = kRegionNames[row % 2];
  order_.period = 1;
  order_.user_count = row;
  order_.auto_pay = row % 3 == 0;
  order_.cells.clear();
  char digits[16];
  const auto end = std::to_chars(digits, digits + sizeof digits, row).ptr;
  order_.cells.push_back({digits, static_cast<std::size_t>(end - digits)});
  order_.cells.push_back(row % 4 == 0 ? "a, \"quoted\"\nnote" : "=note");
}

}  // namespace sagorder::simulation
