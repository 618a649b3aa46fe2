#include "io/batches.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <utility>

#include "io/file.hpp"
#include "io/kill_point.hpp"

namespace sagorder::io {
namespace {

using nlohmann::json;

constexpr std::size_t kFileBytesMax = 16 * 1024 * 1024;
constexpr std::size_t kDigestDigits = 64;

struct Name {
  const char* key;
  std::string Batch::*member;
};
constexpr Name kNames[] = {{"output", &Batch::output},       {"ledger", &Batch::ledger},
                           {"ledger_id", &Batch::ledger_id}, {"started_at", &Batch::started_at},
                           {"command", &Batch::command},     {"run", &Batch::run}};

[[noreturn]] void refuse_damaged(const std::string& path) {
  throw BatchesError(path +
                     ": cannot be understood. It says which batch was ordered from this input, so "
                     "nothing is sent. Look for those orders (sagorder status RESULTS) and then "
                     "move the file away");
}

std::string written(const std::vector<Batch>& batches) {
  json array = json::array();
  for (const Batch& batch : batches) {
    json object;
    for (const Name& name : kNames) object[name.key] = batch.*name.member;
    array.push_back(std::move(object));
  }
  // A path may be no UTF-8; it is for people here, the ledger's id is what is compared.
  return array.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

Batch batch_of(const json& object, const std::string& path) {
  Batch batch;
  if (!object.is_object()) refuse_damaged(path);
  for (const Name& name : kNames) {
    const auto found = object.find(name.key);
    if (found == object.end() || !found->is_string()) refuse_damaged(path);
    batch.*name.member = found->get<std::string>();
  }
  if (batch.ledger_id.empty()) refuse_damaged(path);
  return batch;
}

std::vector<Batch> read_batches(const std::string& path) {
  refuse_link(path);  // one that points nowhere would look like no file at all
  FileIdentity there;
  if (!identity_of(path, there)) return {};
  const std::string bytes = read_all(open_private(path, O_RDONLY), kFileBytesMax, path);
  const json array = json::parse(bytes, nullptr, false);
  if (!array.is_array() || array.empty()) refuse_damaged(path);
  std::vector<Batch> batches;
  for (const json& object : array) batches.push_back(batch_of(object, path));
  return batches;
}

template <class Act>
auto as_batches(Act&& act) {
  try {
    return act();
  } catch (const FileError& error) {
    throw BatchesError(error.what());
  }
}

/// Empty as if it were not set, as the specification of these variables has it.
bool is_set(const char* variable) {
  const char* const value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

std::string absolute_from(const char* variable) {
  const char* const value = std::getenv(variable);
  return value != nullptr && *value == '/' ? value : std::string();
}

/// The text says whose directory it is: its parent may be one that nobody named.
void make_memory(const std::string& directory) {
  try {
    make_private_directories(directory);
  } catch (const FileError& error) {
    throw FileError(
        std::string(error.what()) + ". What was ordered is remembered in " + directory +
            " (XDG_STATE_HOME, or ~/.local/state), and without it nothing is ordered: nothing was "
            "sent",
        error.code());
  }
}

bool is_digest(std::string_view digest) {
  return digest.size() == kDigestDigits &&
         digest.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

std::vector<RememberedBatch> views_of(const std::vector<Batch>& batches) {
  std::vector<RememberedBatch> views;
  views.reserve(batches.size());
  for (const Batch& batch : batches) {
    views.push_back({.ledger_id = batch.ledger_id, .run = batch.run, .stands_there = false});
  }
  return views;
}

Batches::Batches(std::string directory) : directory_(std::move(directory)) {}

std::string Batches::default_directory() {
  const std::string state = absolute_from("XDG_STATE_HOME");
  if (!state.empty()) return state + "/sagorder/batches";
  if (is_set("XDG_STATE_HOME")) {
    throw BatchesError(
        "XDG_STATE_HOME is no absolute path. What was ordered is remembered there, so that nothing "
        "is ordered twice; nothing was sent. Give the whole path, or unset it for ~/.local/state");
  }
  const std::string home = absolute_from("HOME");
  if (!home.empty()) return home + "/.local/state/sagorder/batches";
  throw BatchesError(
      "neither XDG_STATE_HOME nor HOME is set to an absolute path, so there is no place to "
      "remember "
      "what was ordered; set one of them");
}

std::string Batches::file_of(std::string_view digest) const {
  if (!is_digest(digest)) throw BatchesError("not a SHA-256 of an input: " + std::string(digest));
  return directory_ + "/" + std::string(digest) + ".json";
}

/// The two directories that are this program's own; those above may be links, as homes are.
void Batches::refuse_links() const {
  refuse_link(directory_);
  refuse_link(directory_of(directory_));
}

std::vector<Batch> Batches::all_of(std::string_view digest) const {
  return as_batches([&] {
    refuse_links();
    return read_batches(file_of(digest));
  });
}

std::optional<StandingBatch> Batches::remember(std::string_view digest, const Batch& batch,
                                               bool again, const std::vector<std::string>& known) {
  const std::string path = file_of(digest);
  if (batch.ledger_id.empty()) throw BatchesError("a batch without a ledger's id");
  return as_batches([&]() -> std::optional<StandingBatch> {
    refuse_links();
    make_memory(directory_);
    const std::string lock_path = directory_ + "/.lock";
    const Fd guard = open_private(lock_path, O_RDWR | O_CREAT);
    lock(guard, lock_path);
    std::vector<Batch> batches = read_batches(path);
    const bool first = batches.empty();
    const BegunLedger ledger{.id = batch.ledger_id, .input_sha256 = {}, .runs = known};
    if (const auto found = judge_memory(views_of(batches), ledger, again)) {
      return StandingBatch{found->obstacle, batches[found->place]};
    }
    const auto ours = std::find_if(batches.begin(), batches.end(), [&](const Batch& each) {
      return each.ledger_id == batch.ledger_id;
    });
    if (ours == batches.end()) {
      batches.push_back(batch);
    } else {
      *ours = batch;
    }
    kill_point("batches:locked");
    Replacement file(path);
    kill_point("batches:file-made");
    write_all(file.file(), written(batches), file.name());
    kill_point("batches:written");
    if (!first) {
      file.take_over();
    } else if (!file.take_free_name()) {
      // The lock was not kept by somebody, as on a file system without locks: nothing is lost.
      const Batch other = read_batches(path).front();
      const bool ourselves = other.ledger_id == batch.ledger_id;
      return StandingBatch{ourselves ? Obstacle::older_copy : Obstacle::ordered_before, other};
    }
    return std::nullopt;
  });
}

void Batches::forget(std::string_view digest, std::string_view ledger_id) {
  const std::string path = file_of(digest);
  as_batches([&] {
    refuse_links();
    const std::string lock_path = directory_ + "/.lock";
    const Fd guard = open_private(lock_path, O_RDWR | O_CREAT);
    lock(guard, lock_path);
    std::vector<Batch> batches = read_batches(path);
    const auto gone = std::remove_if(batches.begin(), batches.end(), [&](const Batch& each) {
      return each.ledger_id == ledger_id;
    });
    if (gone == batches.end()) return;
    batches.erase(gone, batches.end());
    kill_point("batches:before-forgotten");
    if (batches.empty()) {
      if (::unlink(path.c_str()) != 0) throw file_error(path, "remove it", errno);
      kill_point("batches:forgotten");
      sync_directory_of(path);
      return;
    }
    Replacement file(path);
    write_all(file.file(), written(batches), file.name());
    file.take_over();
  });
}

}  // namespace sagorder::io
