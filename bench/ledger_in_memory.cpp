// A ledger without SQLite and without the disk, to tell what the two cost: the port's contract
// (io/ledger.hpp, and the same tests) in the least that keeps it. One file, to which each commit
// appends a group by one write. What a write took is in the system's memory: it outlives the
// program, kill -9 included, and not the machine. So no promise holds through a power loss, and it
// is in no program but bench/sagorder_in_memory, where it stands in the place of
// io/ledger_sqlite.cpp.
//
//   file    group*               a group that is not whole was under way at a kill, and is cut off
//   group   size of what follows, records, facts or References, then these
//   record  Fixed, then its texts in the order of `texts_of`
//   fact    size of the name, size of the value, name, value; a Reference: row, size, value
//
// Numbers are as the processor keeps them: no such file leaves the machine.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <type_traits>
#include <utility>

#include "io/file.hpp"
#include "io/ledger_sqlite.hpp"
#include "io/sqlite.hpp"

namespace sagorder::io {
namespace {

constexpr std::size_t kFileBytesMax = std::size_t{4} << 30U;  // read back whole

enum class Holds : std::uint32_t { records, facts, references };

struct GroupHead {
  std::uint32_t size = 0;  // of what follows the head
  Holds holds = Holds::records;
};

struct Fixed {
  std::uint64_t row = 0;
  std::int64_t at_ms = 0;
  std::int64_t latency_ms = 0;
  std::uint32_t attempt = 0;
  std::int32_t http_status = 0;
  std::array<char, 32> nonce{};
  std::array<std::uint32_t, 6> text_sizes{};
  RecordKind kind = RecordKind::intent;
};

struct FactHead {
  std::uint32_t name = 0;
  std::uint32_t value = 0;
};

struct ReferenceHead {
  std::uint64_t row = 0;
  std::uint64_t size = 0;
};

template <class Text, class AnyRecord>
std::array<Text*, 6> texts_of(AnyRecord& record) {
  return {&record.order_id, &record.sag_id,  &record.request_id,
          &record.code,     &record.message, &record.evidence};
}

template <class Value>
void put(std::string& out, const Value& value) {
  static_assert(std::is_trivially_copyable_v<Value>);
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void put(std::string& out, const Record& record) {
  Fixed fixed{.row = record.row.value,
              .at_ms = record.at.time_since_epoch().count(),
              .latency_ms = record.latency.count(),
              .attempt = record.attempt.value,
              .http_status = record.http_status,
              .nonce = record.nonce.hex,
              .text_sizes = {},
              .kind = record.kind};
  const auto texts = texts_of<const std::string>(record);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    fixed.text_sizes[i] = static_cast<std::uint32_t>(texts[i]->size());
  }
  put(out, fixed);
  for (const std::string* text : texts) out += *text;
}

/// What was read back, taken piece by piece.
class Bytes {
 public:
  explicit Bytes(std::string_view bytes) : rest_(bytes) {}

  [[nodiscard]] bool empty() const { return rest_.empty(); }
  [[nodiscard]] std::size_t size() const { return rest_.size(); }
  std::string_view text(std::size_t size) {
    if (size > rest_.size()) throw LedgerError("a ledger in memory is damaged");
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  template <class Value>
  Value take() {
    Value value;
    std::memcpy(&value, text(sizeof value).data(), sizeof value);
    return value;
  }
  Record record() {
    const auto fixed = take<Fixed>();
    Record record;
    record.kind = fixed.kind;
    record.row = Row{fixed.row};
    record.attempt = Attempt{fixed.attempt};
    record.at = WallTime(milliseconds(fixed.at_ms));
    record.nonce.hex = fixed.nonce;
    record.http_status = fixed.http_status;
    record.latency = milliseconds(fixed.latency_ms);
    const auto texts = texts_of<std::string>(record);
    for (std::size_t i = 0; i < texts.size(); ++i) *texts[i] = text(fixed.text_sizes[i]);
    return record;
  }

 private:
  std::string_view rest_;
};

}  // namespace

struct SqliteLedger::State {
  Fd file;
  std::string path;
  bool reading = false;
  bool created = false;
  bool failed = false;
  std::string group;  // that is being written; its storage is reused

  void open(int flags);
  void cut_unfinished();
  void begin(Holds holds);
  void commit();
  void visit(const std::function<void(Holds, Bytes)>& see) const;
};

void SqliteLedger::State::open(int flags) {
  file = open_private(path, flags);
  created = size_of(file, path) == 0;
}

/// Behind the last whole group.
void SqliteLedger::State::cut_unfinished() {
  std::size_t whole = 0;
  visit([&](Holds, const Bytes& group_bytes) { whole += sizeof(GroupHead) + group_bytes.size(); });
  if (::ftruncate(file.get(), static_cast<off_t>(whole)) != 0 ||
      ::lseek(file.get(), 0, SEEK_END) < 0) {
    throw file_error(path, "cut what was not finished", errno);
  }
}

void SqliteLedger::State::begin(Holds holds) {
  if (reading || failed) throw LedgerError(path + ": nothing more is written to it");
  group.clear();
  put(group, GroupHead{.size = 0, .holds = holds});
}

void SqliteLedger::State::commit() {
  const auto size = static_cast<std::uint32_t>(group.size() - sizeof(GroupHead));
  std::memcpy(group.data(), &size, sizeof size);  // the head's first member
  failed = true;                                  // until it is written
  try {
    write_all(file, group, path);
  } catch (const FileError& error) {
    throw LedgerError(error.what());
  }
  failed = false;
}

void SqliteLedger::State::visit(const std::function<void(Holds, Bytes)>& see) const {
  const Fd again(::open(path.c_str(), O_RDONLY | O_CLOEXEC));  // an offset of its own
  const std::string all = read_all(again, kFileBytesMax, path);
  Bytes rest(all);
  while (rest.size() >= sizeof(GroupHead)) {
    const auto head = rest.take<GroupHead>();
    if (rest.size() < head.size) return;
    see(head.holds, Bytes(rest.text(head.size)));
  }
}

SqliteLedger::SqliteLedger(std::unique_ptr<State> state) : state_(std::move(state)) {}

SqliteLedger::SqliteLedger(const std::string& path) : state_(std::make_unique<State>()) {
  state_->path = sqlite_path(path);
  try {
    state_->open(O_RDWR | O_CREAT);
    if (!try_lock(state_->file, path)) {
      throw LedgerBusy(path + ": another sagorder is at work with this ledger");
    }
    state_->cut_unfinished();
  } catch (const FileError& error) {
    throw LedgerError(error.what());
  }
}

std::unique_ptr<SqliteLedger> SqliteLedger::open_for_reading(const std::string& path) {
  auto state = std::make_unique<State>();
  state->path = sqlite_path(path);
  state->reading = true;
  state->open(O_RDONLY);
  return std::unique_ptr<SqliteLedger>(new SqliteLedger(std::move(state)));
}

SqliteLedger::~SqliteLedger() = default;

bool SqliteLedger::created() const { return state_->created; }

std::string SqliteLedger::place() const { return state_->path; }

/// There is no log beside the file that could be lost.
void SqliteLedger::before_new_log(const std::function<void()>& /*renew*/) {}

Facts SqliteLedger::facts() {
  Facts facts;
  state_->visit([&](Holds holds, Bytes bytes) {
    while (holds == Holds::facts && !bytes.empty()) {
      const auto head = bytes.take<FactHead>();
      const std::string_view name = bytes.text(head.name);
      facts.insert_or_assign(std::string(name), std::string(bytes.text(head.value)));
    }
  });
  return facts;
}

void SqliteLedger::set_facts(const Facts& facts) {
  state_->begin(Holds::facts);
  for (const auto& [name, value] : facts) {
    put(state_->group, FactHead{.name = static_cast<std::uint32_t>(name.size()),
                                .value = static_cast<std::uint32_t>(value.size())});
    state_->group.append(name).append(value);
  }
  state_->commit();
}

void SqliteLedger::commit(std::span<const Record> records) {
  state_->begin(Holds::records);
  for (const Record& record : records) put(state_->group, record);
  state_->commit();
}

void SqliteLedger::add_references(std::span<const std::pair<Row, std::string>> references) {
  state_->begin(Holds::references);
  for (const auto& [row, value] : references) {
    put(state_->group, ReferenceHead{.row = row.value, .size = value.size()});
    state_->group.append(value);
  }
  state_->commit();
}

void SqliteLedger::references(const std::function<void(Row, std::string_view)>& visit) {
  std::map<Row, std::string> references;
  bool added = false;
  state_->visit([&](Holds holds, Bytes bytes) {
    added = added || holds == Holds::references;
    while (holds == Holds::references && !bytes.empty()) {
      const auto head = bytes.take<ReferenceHead>();
      references.insert_or_assign(Row{head.row}, bytes.text(head.size));
    }
  });
  if (!added) throw LedgerError(state_->path + ": holds no References");
  for (const auto& [row, value] : references) visit(row, value);
}

void SqliteLedger::records(const std::function<void(const Record&)>& visit) {
  state_->visit([&](Holds holds, Bytes bytes) {
    while (holds == Holds::records && !bytes.empty()) visit(bytes.record());
  });
}

void SqliteLedger::replay(const std::function<void(const Step&)>& visit) {
  records([&](const Record& record) { visit({record.kind, record.row, record.attempt}); });
}

void SqliteLedger::intents(const std::function<void(const Record&)>& visit) {
  records([&](const Record& record) {
    if (record.kind == RecordKind::intent) visit(record);
  });
}

void SqliteLedger::outcomes(const std::function<void(const Record&)>& visit) {
  records([&](const Record& record) {
    if (record.kind != RecordKind::intent && record.kind != RecordKind::replay) visit(record);
  });
}

std::optional<Record> SqliteLedger::outcome_of(Row row) {
  std::optional<Record> last;
  outcomes([&](const Record& record) {
    if (record.row == row) last = record;
  });
  return last;
}

}  // namespace sagorder::io
