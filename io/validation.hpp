// The first pass over the input: every row validated before the first order, and what it would buy.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/intake.hpp"
#include "engine/pipeline.hpp"
#include "io/orders_file.hpp"

namespace sagorder::io {

/// Different RegionIds in one file: each is a host to connect to.
inline constexpr std::size_t kRegionsMax = kEndpointsMax;

struct Totals {
  std::uint64_t orders = 0;
  std::uint64_t seats = 0;
  std::uint64_t seat_months = 0;
  std::uint64_t auto_pay = 0;  ///< orders that are paid at once

  void add(const Order& order);
};

struct Validation {
  std::uint64_t rows = 0;     ///< data records, invalid ones included
  std::uint64_t invalid = 0;  ///< rows with an error
  std::uint64_t errors = 0;   ///< complaints that are errors, of the file and its header included
  std::uint64_t warnings = 0;
  bool readable = true;  ///< false: not CSV from some place on, or its header is wrong
  Totals totals;         ///< of valid rows
  std::map<std::string, Totals, std::less<>> by_region;
  std::vector<std::string> columns;      ///< of the results: the file's, then those of --set
  std::optional<std::size_t> reference;  ///< the place of `Reference` in a row's cells
};

/// Looks at a row that has no error, and at the record that it was; what is known of the file so
/// far.
using RowSeen = std::function<void(const Order&, const csv::Record&, const Validation&)>;

/// Reads the whole file and calls `complain` for each complaint, in the order of the file.
/// Throws InputError if reading fails.
/// @param seen  called for each good row; it may throw
Validation validate(OrdersFile& file, const IntakeOptions& options,
                    const std::function<void(const Complaint&)>& complain,
                    const RowSeen& seen = nullptr);

/// A pass over the rows that a validation found good: calls `visit` for each, bad ones included.
/// @return false if the file is no longer what was validated
bool for_each_row(
    OrdersFile& file, const IntakeOptions& options,
    const std::function<void(const Order&, bool valid, const std::vector<Complaint>&)>& visit);

}  // namespace sagorder::io
