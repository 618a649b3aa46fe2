#include "io/validation.hpp"

namespace sagorder::io {
namespace {

/// Counts complaints and hands them on.
class Ear {
 public:
  Ear(Validation& validation, const std::function<void(const Complaint&)>& complain)
      : validation_(validation), complain_(complain) {}

  void hear(std::vector<Complaint>& complaints) {
    for (const Complaint& complaint : complaints) say(complaint);
    complaints.clear();
  }
  void say(const Complaint& complaint) {
    ++(complaint.severity == Severity::error ? validation_.errors : validation_.warnings);
    complain_(complaint);
  }

 private:
  Validation& validation_;
  const std::function<void(const Complaint&)>& complain_;
};

/// Counts a good row; false if its region is one too many.
bool count(Validation& validation, const Order& order) {
  validation.totals.add(order);
  const auto found = validation.by_region.find(order.region_id);
  if (found != validation.by_region.end()) {
    found->second.add(order);
    return true;
  }
  if (validation.by_region.size() == kRegionsMax) return false;
  validation.by_region[order.region_id].add(order);
  return true;
}

}  // namespace

void Totals::add(const Order& order) {
  ++orders;
  seats += order.user_count;
  seat_months += order.seat_months();
  auto_pay += order.auto_pay ? 1 : 0;
}

Validation validate(OrdersFile& file, const IntakeOptions& options,
                    const std::function<void(const Complaint&)>& complain, const RowSeen& seen) {
  Validation validation;
  Ear ear(validation, complain);
  Intake intake(options);
  csv::Record record;
  Order order;
  std::vector<Complaint> complaints;
  bool header = true;
  for (;;) {
    const OrdersFile::Step step = file.next(record);
    if (step.what == OrdersFile::What::end) break;
    if (step.what != OrdersFile::What::record) {
      const bool bad = step.what == OrdersFile::What::bad;
      ear.say({Severity::error,
               step.bad.at,
               {},
               bad ? std::string(step.bad.complaint) : "the file changed while it was being read"});
      validation.readable = false;
      return validation;
    }
    if (header) {
      header = false;
      validation.readable = intake.header(record, complaints);
      ear.hear(complaints);
      if (!validation.readable) return validation;
      validation.columns = intake.columns();
      validation.reference = intake.reference();
      continue;
    }
    ++validation.rows;
    const bool valid = intake.row(record, order, complaints);
    ear.hear(complaints);
    if (!valid) {
      ++validation.invalid;
    } else if (!count(validation, order)) {
      ear.say({Severity::error,
               {record.line, 1},
               order.row,
               "more than " + std::to_string(kRegionsMax) +
                   " different RegionIds; split the file by region"});
      validation.readable = false;
      return validation;
    } else if (seen) {
      seen(order, record, validation);
    }
  }
  if (validation.rows == 0) {
    const char* what = header ? "the file is empty; it needs a header line and at least one order"
                              : "the file has a header and no orders";
    ear.say({Severity::error, {1, 1}, {}, what});
    validation.readable = false;
  }
  return validation;
}

bool for_each_row(
    OrdersFile& file, const IntakeOptions& options,
    const std::function<void(const Order&, bool, const std::vector<Complaint>&)>& visit) {
  file.rewind();
  Intake intake(options);
  csv::Record record;
  Order order;
  std::vector<Complaint> complaints;
  bool header = true;
  for (;;) {
    const OrdersFile::Step step = file.next(record);
    if (step.what == OrdersFile::What::end) return true;
    if (step.what != OrdersFile::What::record) return false;
    complaints.clear();
    if (header) {
      header = false;
      if (!intake.header(record, complaints)) return false;
      continue;
    }
    const bool valid = intake.row(record, order, complaints);
    visit(order, valid, complaints);
  }
}

}  // namespace sagorder::io
