// A CSV record to an Order, or complaints that name line, column, value and rule.
//
// Words: a *complaint* makes the row invalid; a *warning* does not, unless --strict makes it one.
// The operation's page gives the errors, later vendor sources the warnings:
//
//   column           error                                            warning (--strict: error)
//   RegionId         empty, > 64, other than [a-z0-9-]                not one of the ten regions
//   Period           not a whole number 1..; > 12 and no multiple     other than 1-9, 12, 24, 36
//                    of 12; > 2147483647
//   UserCount        not a whole number >= 1; > 2147483647            no multiple of 5; > 1000
//   DataPlan         other than 5 (absent or empty: 5)
//   ChargeType       other than PREPAY (any case; absent or empty:    -
//                    PREPAY); PayOnDemand: not supported
//   AutoPay          other than true, false (any case; absent or
//                    empty: false)
//   ResourceGroupId  > 64, other than [A-Za-z0-9_-] (absent or        -
//                    empty: not sent)
//
// The widest a cell may be is csv.hpp's affair; here a value is refused, never repaired: spaces
// around it, leading zeros, signs, separators and units are errors that say what to write instead.
// An empty cell counts as an absent column.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/csv.hpp"
#include "engine/order.hpp"

namespace sagorder {

enum class Severity : std::uint8_t { error, warning };

struct Complaint {
  Severity severity = Severity::error;
  csv::Position at;
  Row row;                ///< 0: the header or the file
  std::string text;       ///< what is wrong, with the value (clipped, escaped), and what to do
  std::string rule = {};  ///< what complaints of one kind share; empty: the text
};

struct IntakeOptions {
  std::vector<std::pair<std::string, std::string>> set;  ///< --set NAME=VALUE: a column for all
  std::vector<std::string> carry;                        ///< --carry COLUMN
  bool strict = false;                                   ///< warnings are errors
  std::string set_from = "--set";      ///< as complaints name it, with where it stands
  std::string carry_from = "--carry";  ///< likewise
};

/// `file:line:column: error: text`, as a terminal and an editor want it; `file: error: text` for
/// what has no place in the file (--set).
std::string to_string(const Complaint& complaint, std::string_view file);

inline constexpr std::size_t kParameters = 7;

/// A column of this name need not be carried to be known: what a row is called by whoever ordered
/// it. It is not sent.
inline constexpr std::string_view kReference = "Reference";

/// Whether a column of this name is one of the operation's parameters.
bool is_parameter(std::string_view name);

/// Feed it the header first, then every record in order. Rows count from 1.
class Intake {
 public:
  explicit Intake(IntakeOptions options);

  /// @return true if rows may follow. Complaints: unknown column (with the nearest name), a column
  /// twice, a required column missing (RegionId, Period, UserCount) and not --set, a column that
  /// is both in the file and --set, a carried column that is absent or bears the name of a
  /// results column or of a parameter. --set of an unknown name and bad --set values complain too.
  bool header(const csv::Record& record, std::vector<Complaint>& complaints);

  /// Fills `order` (reusing its storage) and appends complaints.
  /// @return false if the row has an error; `order.row` and `order.cells` are filled even then.
  bool row(const csv::Record& record, Order& order, std::vector<Complaint>& complaints);

  /// Passes over a row that nobody wants to know: it counts, and is not looked at.
  void pass() { ++rows_; }
  /// The row that was read or passed last; 0: none was.
  [[nodiscard]] Row last() const { return Row{rows_}; }

  /// Names of the columns in `Order::cells`: the file's own, then those of --set.
  [[nodiscard]] const std::vector<std::string>& columns() const { return columns_; }

  /// The place of the file's column `Reference` among them.
  [[nodiscard]] std::optional<std::size_t> reference() const;

 private:
  class Judge;  // looks at one value

  void read_names(const csv::Record& record, std::vector<Complaint>& complaints);
  void read_set(csv::Position header, std::vector<Complaint>& complaints);
  void check_carried(csv::Position header, std::vector<Complaint>& complaints) const;
  void check_required(csv::Position header, std::vector<Complaint>& complaints) const;

  IntakeOptions options_;
  std::vector<std::string> columns_;
  std::vector<std::uint8_t> roles_;  // of the file's columns: index of the parameter, or carried
  std::array<bool, kParameters> accounted_for_{};  // by a column, a misspelt one or --set
  Order template_;                                 // what --set gave, defaults for the rest
  std::uint64_t rows_ = 0;
};

}  // namespace sagorder
