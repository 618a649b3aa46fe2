#include "tests/simulation/disk.hpp"

#include <algorithm>

namespace sagorder::simulation {

namespace {

constexpr std::size_t kSectorBytes = 512;

}  // namespace

void ResultsBytes::apply(std::string& bytes, const Write& write) {
  if (write.truncates) {
    if (bytes.size() > write.at) bytes.resize(write.at);
    return;
  }
  const std::string& text = write.text;
  if (bytes.size() < write.at + text.size()) bytes.resize(write.at + text.size(), '\0');
  bytes.replace(write.at, text.size(), text);
}

void ResultsBytes::write(std::size_t at, std::string_view text) {
  unsynced_.push_back({at, std::string(text), false});
  apply(bytes_, unsynced_.back());
}

void ResultsBytes::truncate(std::size_t size) {
  unsynced_.push_back({size, {}, true});
  apply(bytes_, unsynced_.back());
}

void ResultsBytes::sync() {
  durable_ = bytes_;
  unsynced_.clear();
}

/// A sector is whole, and of any moment since the last sync; so is the file's size.
void ResultsBytes::lose_power(Chance& chance) {
  if (unsynced_.empty()) return;
  std::vector<std::string> moments = {durable_};
  for (const Write& write : unsynced_) {
    moments.push_back(moments.back());
    apply(moments.back(), write);
  }
  const std::uint64_t way = chance.below(3);
  const std::size_t one = chance.below(moments.size());
  std::string after(moments[one].size(), '\0');
  for (std::size_t at = 0; at < after.size(); at += kSectorBytes) {
    const std::string& moment = moments[way == 0 ? one : chance.below(moments.size())];
    if (moment.size() <= at) continue;
    const std::size_t most = std::min(kSectorBytes, after.size() - at);
    const std::string_view sector = std::string_view(moment).substr(at, most);
    after.replace(at, sector.size(), sector);
  }
  durable_ = std::move(after);
  bytes_ = durable_;
  unsynced_.clear();
}

void ResultsBytes::replace(std::string bytes) {
  bytes_ = std::move(bytes);
  sync();
}

void ResultsBytes::remove() {
  exists = false;
  bytes_.clear();
  sync();
}

void Disk::make_durable(std::span<const Record> records, std::uint32_t place, std::uint32_t life) {
  auto& kept = places[place].ledger.records;
  for (const Record& record : records) {
    kept.push_back(record);
    oracle_.durable(record, place, life);
  }
}

std::vector<RememberedBatch> Disk::remembered(std::string_view input, std::uint32_t place) const {
  std::vector<RememberedBatch> views;
  for (const Remembered& entry : memory) {
    if (entry.input != input) continue;
    const bool elsewhere = entry.place != place && places[entry.place].ledger.exists;
    const bool same = entry.ledger_id == places[place].ledger.id;
    views.push_back({entry.ledger_id, entry.run, elsewhere && same});
  }
  return views;
}

const Record* Disk::outcome_of(std::uint32_t place, Row row) const {
  const auto& kept = places[place].ledger.records;
  const auto is_outcome = [&](const Record& record) {
    return record.row == row && record.kind != RecordKind::intent &&
           record.kind != RecordKind::replay;
  };
  const auto found = std::find_if(kept.rbegin(), kept.rend(), is_outcome);
  return found == kept.rend() ? nullptr : &*found;
}

void Disk::unlock(std::uint32_t host) {
  for (Place& place : places) {
    if (place.ledger.locked_by == host) place.ledger.locked_by = kNobody;
    if (place.results.locked_by == host) place.results.locked_by = kNobody;
  }
}

void Disk::lose_power(Chance& chance) {
  for (Place& place : places) place.results.lose_power(chance);
}

}  // namespace sagorder::simulation
