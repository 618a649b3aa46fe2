#include "engine/intake.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>
#include <span>

#include "engine/ascii.hpp"
#include "engine/result.hpp"
#include "engine/wording.hpp"

namespace sagorder {

namespace {

enum Role : std::uint8_t {
  kRegionId,
  kPeriod,
  kUserCount,
  kDataPlan,
  kChargeType,
  kAutoPay,
  kResourceGroupId,
  kCarried,
};

constexpr std::array<std::string_view, kParameters> kNames = {
    "RegionId", "Period", "UserCount", "DataPlan", "ChargeType", "AutoPay", "ResourceGroupId"};
constexpr std::size_t kRequired = 3;  // the first of them

constexpr std::size_t kNameBytesMax = 64;  // of a RegionId or a ResourceGroupId
constexpr std::uint64_t kInt32Max = std::numeric_limits<std::int32_t>::max();

// Spaces of the kinds that cells get by hand: ASCII's, U+00A0 and U+3000.
bool has_outer_space(std::string_view text) {
  for (const std::string_view space : {" ", "\t", "\n", "\r", "\xC2\xA0", "\xE3\x80\x80"}) {
    if (text.starts_with(space) || text.ends_with(space)) return true;
  }
  return false;
}

std::optional<std::uint32_t> whole_number(std::string_view text) {
  std::uint64_t value = 0;
  if (text.empty() || text.size() > 10 || text.front() == '0' || !is_digits(text)) return {};
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value <= kInt32Max ? std::optional(static_cast<std::uint32_t>(value)) : std::nullopt;
}

bool is_known_region(std::string_view text) {
  return std::ranges::find(kRegions, text) != kRegions.end();
}

bool is_region_character(char c) { return is_lower(c) || is_digit(c) || c == '-'; }
bool is_group_character(char c) { return is_letter(c) || is_digit(c) || c == '_' || c == '-'; }

bool contains(std::span<const std::string> names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

bool is_result_column(std::string_view name) {
  return std::ranges::find(kResultColumns, name) != kResultColumns.end();
}

/// A person may have removed columns: an OrderId among so many others is the results' all the same.
bool is_header_of_results(const csv::Record& record) {
  constexpr std::ptrdiff_t kEnough = 3;
  const auto is = [](const csv::Field& field) { return is_result_column(field.text); };
  const auto is_order_id = [](const csv::Field& field) { return field.text == "OrderId"; };
  return std::ranges::any_of(record.fields, is_order_id) &&
         std::ranges::count_if(record.fields, is) >= kEnough;
}

constexpr std::string_view kIsResults =
    "this is a results file of sagorder, not a file of orders: what it calls placed is ordered "
    "already. `sagorder status FILE` says how its batch stands; `sagorder rows FILE --status "
    "not_sent` (or rejected, invalid) makes a file of orders of the rows that are not";

Role role_of(std::string_view name) {
  return static_cast<Role>(std::ranges::find(kNames, name) - kNames.begin());
}

std::string_view separator_instead_of_comma(const csv::Record& record) {
  if (record.fields.size() != 1) return {};
  const std::string_view text = record.fields.front().text;
  if (text.find(';') != std::string_view::npos) return "semicolons";
  if (text.find('\t') != std::string_view::npos) return "tabs";
  return text.find('|') != std::string_view::npos ? "bars" : std::string_view();
}

/// `sep=;`, which tells Excel the delimiter.
bool is_separator_line(const csv::Record& record) {
  return record.fields.size() <= 2 && record.fields.front().text.starts_with("sep=");
}

/// Not one name of a parameter, or near one, nor one that is told of: then it is a row of values.
bool is_no_header(const csv::Record& record, const std::vector<std::string>& carried) {
  return record.fields.size() > 1 &&
         std::ranges::none_of(record.fields, [&](const csv::Field& field) {
           const std::string name(field.text);
           return name.empty() || role_of(name) != kCarried || name == kReference ||
                  is_result_column(name) || contains(carried, name) ||
                  !nearest(name, kNames, 2).empty();
         });
}

bool has_error(std::span<const Complaint> complaints) {
  return std::ranges::find(complaints, Severity::error, &Complaint::severity) != complaints.end();
}

std::string_view name_of(csv::Delimiter delimiter) {
  switch (delimiter) {
    case csv::Delimiter::semicolon:
      return "semicolon";
    case csv::Delimiter::tab:
      return "tab";
    case csv::Delimiter::comma:
      break;
  }
  return "comma";
}

// The values may all have moved: to judge them one by one would only mislead.
[[gnu::cold]] Complaint wrong_width(const csv::Record& record, std::size_t expected, Row row) {
  const std::size_t found = record.fields.size();
  const bool more = found > expected;
  const std::string delimiter(name_of(record.delimiter));
  const std::string advice =
      more ? "; quote a value that has a " + delimiter + " in it, or remove the rest"
           : "; add what is missing, if only " + delimiter + "s for empty cells";
  return {Severity::error, more ? record.fields[expected].at : record.fields.back().at, row,
          "expected " + std::to_string(expected) + " columns as in the header, found " +
              std::to_string(found) + advice};
}

}  // namespace

bool is_parameter(std::string_view name) { return std::ranges::find(kNames, name) != kNames.end(); }

std::string to_string(const Complaint& complaint, std::string_view file) {
  std::string text(file);
  if (complaint.at.line != 0) {
    text += ':' + std::to_string(complaint.at.line) + ':' + std::to_string(complaint.at.column);
  }
  text += complaint.severity == Severity::error ? ": error: " : ": warning: ";
  return text += complaint.text;
}

// Looks at one value of one parameter. Only a complaint allocates.
class Intake::Judge {
 public:
  Judge(Role role, std::string_view text, csv::Position at, Row row, bool strict,
        std::vector<Complaint>& complaints)
      : role_(role), text_(text), at_(at), row_(row), strict_(strict), complaints_(complaints) {}

  // @return false if the value is an error
  bool take(Order& order) {
    if (has_outer_space(text_)) return error("remove the spaces around it");
    switch (role_) {
      case kRegionId:
        return region(order.region_id);
      case kPeriod:
        return period(order.period);
      case kUserCount:
        return user_count(order.user_count);
      case kDataPlan:
        return text_.empty() || text_ == "5" ||
               error("only 5 (GB) is offered; write 5 or leave it empty");
      case kChargeType:
        return charge_type();
      case kAutoPay:
        return auto_pay(order.auto_pay);
      case kResourceGroupId:
        return resource_group(order.resource_group_id);
      case kCarried:
        break;
    }
    return true;
  }

 private:
  bool region(std::string& region_id) {
    if (is_known_region(text_)) {
      region_id.assign(text_);
      return true;
    }
    if (text_.empty()) return error("write a region, such as cn-shanghai");
    if (text_.size() > kNameBytesMax) return error("a region has at most 64 characters");
    const std::string near = did_you_mean(nearest(text_, kRegions, 3));
    if (!std::ranges::all_of(text_, is_region_character)) {
      return error("a region has only a-z, 0-9 and '-' in it" + near);
    }
    region_id.assign(text_);
    return warning("not one of the known regions" + near);
  }

  bool period(std::uint32_t& months) {
    const std::optional<std::uint32_t> number = whole_number(text_);
    if (!number) return no_number("a number of months");
    months = *number;
    if (months > 12 && months % 12 != 0) {
      const std::uint64_t below = months / 12 * 12;
      const std::string_view or_above = below + 12 <= kInt32Max ? " or " : "";
      return error("above 12 months it must be a multiple of 12; write " + std::to_string(below) +
                   std::string(or_above) +
                   (or_above.empty() ? std::string() : std::to_string(below + 12)));
    }
    const bool sold = months <= 9 || months == 12 || months == 24 || months == 36;
    return sold || warning("the vendor's later pages offer 1 to 9, 12, 24 and 36 months only");
  }

  bool user_count(std::uint32_t& seats) {
    const std::optional<std::uint32_t> number = whole_number(text_);
    if (!number) return no_number("a number of client accounts");
    seats = *number;
    if (seats > 1000) return warning("the vendor's console offers at most 1000");
    return seats % 5 == 0 || warning("the vendor's console offers multiples of 5 only");
  }

  bool charge_type() {
    if (text_.empty() || equal_ignoring_case(text_, "prepay")) return true;
    if (equal_ignoring_case(text_, "payondemand")) {
      return error("the API does not support it yet; write PREPAY or leave it empty");
    }
    return error("only PREPAY is offered; write PREPAY or leave it empty");
  }

  bool auto_pay(bool& pay) {
    pay = equal_ignoring_case(text_, "true");
    return pay || text_.empty() || equal_ignoring_case(text_, "false") ||
           error("write true (the bill is paid at once) or false");
  }

  bool resource_group(std::string& id) {
    if (text_.size() > kNameBytesMax) return error("an id has at most 64 characters");
    if (!std::ranges::all_of(text_, is_group_character)) {
      return error("an id has only letters, digits, '-' and '_' in it");
    }
    id.assign(text_);
    return true;
  }

  bool no_number(std::string_view what) {
    return error(text_.empty() ? "write " + std::string(what) : why_no_number(text_));
  }

  bool error(std::string_view why) { return complain(Severity::error, why); }
  bool warning(std::string_view why) {
    return complain(strict_ ? Severity::error : Severity::warning, why);
  }

  bool complain(Severity severity, std::string_view why) {
    std::string text = at_.line == 0 ? "--set " : "";
    text.append(kNames[role_]).append(" is ");
    text.append(text_.empty() ? "empty" : in_quotes(text_)).append(": ").append(why);
    std::string rule(kNames[role_]);
    rule.append(": ").append(why);
    complaints_.push_back({severity, at_, row_, std::move(text), std::move(rule)});
    return severity == Severity::warning;
  }

  const Role role_;
  const std::string_view text_;
  const csv::Position at_;
  const Row row_;
  const bool strict_;
  std::vector<Complaint>& complaints_;
};

Intake::Intake(IntakeOptions options) : options_(std::move(options)) {}

std::optional<std::size_t> Intake::reference() const {
  const auto own = std::span(columns_).first(roles_.size());
  const auto found = std::ranges::find(own, kReference);
  if (found == own.end()) return std::nullopt;
  return static_cast<std::size_t>(found - own.begin());
}

bool Intake::header(const csv::Record& record, std::vector<Complaint>& complaints) {
  const std::size_t before = complaints.size();
  const csv::Position at{record.line, 1};
  if (is_separator_line(record)) {
    complaints.push_back({Severity::error, at, Row{},
                          "this line tells Excel what separates the columns; remove it: the line "
                          "with their names comes first, and what separates them is seen there"});
    return false;
  }
  if (const auto separator = separator_instead_of_comma(record); !separator.empty()) {
    complaints.push_back({Severity::error, at, Row{},
                          "the columns are separated by " + std::string(separator) +
                              "; separate them by commas, semicolons or tabs, and name the columns "
                              "as the API does"});
    return false;
  }
  if (is_header_of_results(record)) {
    complaints.push_back({Severity::error, at, Row{}, std::string(kIsResults)});
    return false;
  }
  if (is_no_header(record, options_.carry)) {
    complaints.push_back({Severity::error, at, Row{},
                          "no column here has a name of the API; is the line with the names "
                          "missing? Put it first, such as RegionId,UserCount,Period"});
    return false;
  }
  read_names(record, complaints);
  read_set(at, complaints);
  check_carried(at, complaints);
  check_required(at, complaints);
  return !has_error(std::span(complaints).subspan(before));
}

void Intake::read_names(const csv::Record& record, std::vector<Complaint>& complaints) {
  for (const csv::Field& field : record.fields) {
    const auto error = [&](std::string text) {
      complaints.push_back({Severity::error, field.at, Row{}, std::move(text)});
    };
    const std::string name(field.text);
    const Role role = role_of(name);
    const bool twice = contains(columns_, name);
    columns_.push_back(name);
    roles_.push_back(role);
    if (role != kCarried) accounted_for_[role] = true;
    if (name.empty()) {
      error("a column without a name; name it or remove it");
    } else if (twice) {
      error("the column " + in_quotes(name) + " is there twice; remove one");
    } else if (is_result_column(name)) {
      error(in_quotes(name) +
            " is a column of results files, which an input cannot have; rename or remove it");
    } else if (role == kCarried && name != kReference && !contains(options_.carry, name)) {
      const std::string_view near = nearest(name, kNames, 2);
      error("unknown column " + in_quotes(name) + did_you_mean(near) +
            (near.empty() ? "; remove it, or" : " Rename it, or") +
            " name it in --carry to keep it in the results");
      // What a misspelt column was meant to be is not called missing on top.
      if (!near.empty()) accounted_for_[role_of(near)] = true;
    }
  }
}

void Intake::read_set(csv::Position header, std::vector<Complaint>& complaints) {
  const std::size_t own = columns_.size();
  for (const auto& set : options_.set) {
    const std::string& name = set.first;
    const auto error = [&](csv::Position at, std::string_view why) {
      complaints.push_back({Severity::error, at, Row{},
                            options_.set_from + " " + in_quotes(name) + std::string(why)});
    };
    const Role role = role_of(name);
    const auto here = std::ranges::find(columns_, name) - columns_.begin();
    if (role == kCarried) {
      error({0, 0}, " is no parameter of an order" + did_you_mean(nearest(name, kNames, 2)));
    } else if (static_cast<std::size_t>(here) < own) {
      error(header, ", but the file has this column; drop one of the two");
    } else if (contains(columns_, name)) {
      error({0, 0}, " is given twice; drop one of the two");
    } else {
      Judge(role, set.second, {0, 0}, Row{}, options_.strict, complaints).take(template_);
      accounted_for_[role] = true;
    }
    if (!contains(columns_, name)) columns_.push_back(name);
  }
}

void Intake::check_carried(csv::Position header, std::vector<Complaint>& complaints) const {
  for (const std::string& name : options_.carry) {
    const auto error = [&](std::string_view why) {
      complaints.push_back({Severity::error, header, Row{},
                            options_.carry_from + " " + in_quotes(name) + std::string(why)});
    };
    const std::span<const std::string> own = std::span(columns_).first(roles_.size());
    if (role_of(name) != kCarried) {
      error(" is a parameter, and parameters are in the results anyway; drop it");
    } else if (!contains(own, name)) {
      error(", but the file has no such column" +
            did_you_mean(nearest(name, std::vector<std::string_view>(own.begin(), own.end()), 2)));
    }
  }
}

void Intake::check_required(csv::Position header, std::vector<Complaint>& complaints) const {
  for (std::size_t i = 0; i < kRequired; ++i) {
    if (accounted_for_[i]) continue;
    std::string text = "the column ";
    text.append(kNames[i]);
    text.append(" is missing; add it, or give all rows one value with --set ");
    text.append(kNames[i]).append("=VALUE");
    complaints.push_back({Severity::error, header, Row{}, std::move(text)});
  }
}

bool Intake::row(const csv::Record& record, Order& order, std::vector<Complaint>& complaints) {
  order = template_;
  order.row = Row{++rows_};
  const std::size_t own = roles_.size();
  const std::size_t found = record.fields.size();
  for (std::size_t i = 0; i < own; ++i) {
    order.cells.push_back(i < found ? record.fields[i].text : std::string_view());
  }
  for (std::size_t i = own; i < columns_.size(); ++i) {
    order.cells.push_back(options_.set[i - own].second);
  }
  if (found != own) {
    complaints.push_back(wrong_width(record, own, order.row));
    return false;
  }
  bool good = true;
  for (std::size_t i = 0; i < own; ++i) {
    const csv::Field& field = record.fields[i];
    if (roles_[i] == kCarried) continue;
    good = Judge(static_cast<Role>(roles_[i]), field.text, field.at, order.row, options_.strict,
                 complaints)
               .take(order) &&
           good;
  }
  return good;
}

}  // namespace sagorder
