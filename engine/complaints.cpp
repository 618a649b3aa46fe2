#include "engine/complaints.hpp"

#include <algorithm>
#include <utility>

namespace sagorder {

void Complaints::add(const Complaint& complaint) {
  ++count_;
  const std::string& rule = complaint.rule.empty() ? complaint.text : complaint.rule;
  const auto key = std::pair(complaint.severity, rule);
  auto found = kinds_.find(key);
  if (found == kinds_.end()) {
    if (kinds_.size() == kKindsMax) {
      ++left_out_[static_cast<std::size_t>(complaint.severity)];
      return;
    }
    found = kinds_.emplace(key, Kind{}).first;
  }
  Kind& kind = found->second;
  ++kind.times;
  if (kind.first.size() < kToldEach) kind.first.emplace_back(count_, complaint);
  if (kind.lines.size() < kLinesMax) kind.lines.push_back(complaint.at.line);
}

Complaint Complaints::summed_up(const Kind& kind) {
  Complaint one = kind.first.front().second;
  one.text += " (" + std::to_string(kind.times) + " times like this: lines ";
  for (std::size_t i = 0; i < kind.lines.size(); ++i) {
    one.text += (i > 0 ? ", " : "") + std::to_string(kind.lines[i]);
  }
  static_assert(kLinesMax < kToldEach);
  one.text += " and " + std::to_string(kind.times - kind.lines.size()) + " more)";
  return one;
}

std::vector<Complaint> Complaints::told() const {
  std::vector<std::pair<std::uint64_t, Complaint>> placed;
  for (const auto& [key, kind] : kinds_) {
    if (kind.times > kToldEach) {
      placed.emplace_back(kind.first.front().first, summed_up(kind));
    } else {
      placed.insert(placed.end(), kind.first.begin(), kind.first.end());
    }
  }
  std::ranges::sort(placed, {}, [](const auto& each) { return each.first; });
  std::vector<Complaint> told;
  told.reserve(placed.size() + std::size(left_out_));
  for (auto& [place, complaint] : placed) told.push_back(std::move(complaint));
  for (const Severity severity : {Severity::error, Severity::warning}) {
    const std::uint64_t count = left_out_[static_cast<std::size_t>(severity)];
    if (count == 0) continue;
    told.push_back(
        {severity, {0, 0}, {}, std::to_string(count) + " more, of other kinds than those above"});
  }
  return told;
}

}  // namespace sagorder
