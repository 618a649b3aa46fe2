#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "engine/complaints.hpp"
#include "io/commands.hpp"
#include "io/credentials.hpp"
#include "io/driver.hpp"
#include "io/own_file.hpp"
#include "io/plan.hpp"
#include "io/process.hpp"
#include "io/references.hpp"
#include "io/repeats.hpp"
#include "io/table.hpp"
#include "io/validation.hpp"
#include "io/work_shown.hpp"

namespace sagorder::io {
namespace {

std::vector<std::string> cells_of(std::string name, const Totals& totals) {
  return {std::move(name), std::to_string(totals.orders), std::to_string(totals.seats),
          std::to_string(totals.seat_months), std::to_string(totals.auto_pay)};
}

const char* s(std::uint64_t count) { return count == 1 ? "" : "s"; }

/// What a run would buy, everything that is wrong with it, and a plan if one is asked for.
class Check {
 public:
  explicit Check(const Settings& settings)
      : settings_(settings),
        file_(settings.input, "", shown_.reading(settings.input), reading_of(settings)),
        references_(temporary_directory()),
        rows_(temporary_directory()) {}

  ExitCode perform() {
    if (!settings_.plan.empty()) refuse_bad_place(OwnFile::plan, settings_.plan);
    look();
    show_totals();
    const bool good = is_good();
    if (!settings_.plan.empty() && good) write_plan();
    fmt::print("{} row{}, {} invalid, {} error{}, {} warning{}; nothing was sent\n",
               validation_.rows, s(validation_.rows), validation_.invalid, validation_.errors,
               s(validation_.errors), validation_.warnings, s(validation_.warnings));
    if (!settings_.plan.empty() && !good) {
      tell("{}: not written: a plan is made of a file without errors\n", printable(settings_.plan));
    }
    return good ? ExitCode::all_placed : ExitCode::input;
  }

 private:
  /// Whether a run would take the file, with the same --skip-invalid.
  [[nodiscard]] bool is_good() const {
    const bool skip = settings_.skip_invalid && validation_.readable;
    return validation_.errors == (skip ? of_rows_ : 0);
  }

  [[nodiscard]] Severity severity_of_references() const {
    return settings_.allow_repeated_references ? Severity::warning : Severity::error;
  }

  void count_of(const Complaint& each) {
    ++(each.severity == Severity::error ? validation_.errors : validation_.warnings);
  }

  void look() {
    Complaints complaints;
    validation_ = validate(
        file_, settings_.intake, [&](const Complaint& complaint) { complaints.add(complaint); },
        [&](const Order& order, const csv::Record& record, const Validation& so_far) {
          references_.see(order, record, so_far);
          see_row(order, record);
        });
    shown_.hide();
    for (const Complaint& each : complaints.told()) {
      tell("{}\n", printable(to_string(each, file_.name())));
    }
    of_rows_ = validation_.errors;
    for (const Complaint& each : references_.repeated(severity_of_references())) {
      count_of(each);
      tell("{}\n", printable(to_string(each, file_.name())));
    }
    tell_known_references();
    tell_equal_rows();
    if (const std::string text = recognition(file_); !text.empty()) tell("{}\n", printable(text));
  }

  /// Every row counts, for which ones are left to be ordered is a batch's to know, and here is
  /// none.
  void tell_known_references() {
    if (settings_.history.empty() || !validation_.readable) return;
    require_references(validation_, file_.name());
    const std::vector<std::string> ledgers = ledgers_in(settings_.history);
    if (ledgers.empty()) {
      ++validation_.warnings;
      tell("{}: warning: {}\n", printable(file_.name()), printable(no_ledgers(settings_.history)));
    }
    const auto every = [](Row) { return true; };
    for (const Complaint& each :
         references_.ordered_before(ledgers, every, severity_of_references(), "", "")) {
      count_of(each);
      tell("{}\n", printable(to_string(each, file_.name())));
    }
  }

  /// Rows are equal if every cell is, the carried ones included.
  void see_row(const Order& order, const csv::Record& record) {
    cells_.clear();
    for (std::size_t i = 0; i < order.cells.size(); ++i) {
      cells_ += std::to_string(order.cells[i].size());
      cells_ += ':';
      cells_ += order.cells[i];
    }
    rows_.add({maker_.of(cells_), order.row.value, record.line});
  }

  void tell_equal_rows() {
    rows_.sort();
    const Repeats repeats = repeats_within(rows_);
    if (repeats.count == 0) return;
    std::string lines;
    for (std::size_t i = 0; i < std::min(repeats.first.size(), Complaints::kLinesMax); ++i) {
      const Repeat& each = repeats.first[i];
      lines += fmt::format("{}{} as {}", i > 0 ? ", " : "", each.here.line, each.before.line);
    }
    const std::uint64_t more = repeats.count - std::min(repeats.count, Complaints::kLinesMax);
    ++validation_.warnings;
    tell(
        "{}: warning: {} row{} equal to an earlier row in every cell, and each is ordered: line{} "
        "{}{}\n",
        printable(file_.name()), repeats.count, repeats.count == 1 ? " is" : "s are",
        s(repeats.count), lines, more > 0 ? fmt::format(" and {} more", more) : "");
  }

  void show_totals() const {
    if (!validation_.readable) return;
    Table table({{"RegionId", 24},
                 {"orders", 12},
                 {"seats", 12},
                 {"seat-months", 14},
                 {"paid at once", 12}},
                0);
    for (const auto& [region, totals] : validation_.by_region) {
      table.add(cells_of(region, totals));
    }
    table.add(cells_of("total", validation_.totals));
    const bool shown = is_terminal(STDOUT_FILENO);
    fmt::print("{}", table.text(shown ? terminal_width(STDOUT_FILENO) : 0));
  }

  void write_plan() const {
    const KeyPlaces key = find_key(key_choice(settings_));
    const WallTime today = now().wall;
    const WallTime expires =
        settings_.plan_expires ? settings_.plan_expires->from(today) : today + kPlanLasts;
    if (expires <= today) {
      throw Refusal(ExitCode::usage, "--plan-expires " + timestamp(expires) + " is past",
                    "give a later time");
    }
    const Plan plan({settings_, validation_, file_.sha256(), key}, today, expires);
    plan.write(settings_.plan);
    fmt::print("plan {} for the key of the {}, until {}\n", printable(settings_.plan),
               printable(key.sources.front().name), timestamp(expires));
  }

  const Settings& settings_;
  WorkShown shown_;
  OrdersFile file_;
  Validation validation_;
  std::uint64_t of_rows_ = 0;  // errors that are a row's own, which --skip-invalid leaves out
  References references_;
  SortedSpill rows_;
  FingerprintMaker maker_;
  std::string cells_;
};

}  // namespace

ExitCode check_command(const Settings& settings, Log& /*log*/) { return Check(settings).perform(); }

}  // namespace sagorder::io
