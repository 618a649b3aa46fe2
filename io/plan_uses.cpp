#include "io/plan_uses.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <utility>

#include "io/batches.hpp"
#include "io/file.hpp"
#include "io/kill_point.hpp"

namespace sagorder::io {
namespace {

using nlohmann::json;

constexpr std::size_t kUseBytesMax = 64 * 1024;

struct Name {
  const char* key;
  std::string PlanUse::*member;
};
constexpr Name kNames[] = {{"ledger_id", &PlanUse::ledger_id},
                           {"ledger", &PlanUse::ledger},
                           {"output", &PlanUse::output},
                           {"used_at", &PlanUse::used_at}};

std::string written(const PlanUse& use) {
  json object;
  for (const Name& name : kNames) object[name.key] = use.*name.member;
  return object.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

std::optional<PlanUse> read_use(const std::string& path) {
  refuse_link(path);  // one that points nowhere would look like no file at all
  FileIdentity there;
  if (!identity_of(path, there)) return std::nullopt;
  const json object =
      json::parse(read_all(open_private(path, O_RDONLY), kUseBytesMax, path), nullptr, false);
  PlanUse use;
  for (const Name& name : kNames) {
    if (!object.is_object() || !object.contains(name.key) || !object[name.key].is_string()) {
      throw BatchesError(path +
                         ": cannot be understood. It says which batch used a plan, so nothing is "
                         "sent with it; make another plan");
    }
    use.*name.member = object[name.key].get<std::string>();
  }
  return use;
}

template <class Act>
auto as_batches(Act&& act) {
  try {
    return act();
  } catch (const FileError& error) {
    throw BatchesError(error.what());
  }
}

}  // namespace

PlanUses::PlanUses(std::string directory) : directory_(std::move(directory)) {}

std::string PlanUses::default_directory() {
  return directory_of(Batches::default_directory()) + "/plans";
}

std::string PlanUses::file_of(std::string_view digest) const {
  return directory_ + "/" + std::string(digest) + ".json";
}

std::optional<PlanUse> PlanUses::use_of(std::string_view digest) const {
  return as_batches([&] {
    refuse_link(directory_);
    return read_use(file_of(digest));
  });
}

std::optional<PlanUse> PlanUses::take(std::string_view digest, const PlanUse& use) {
  const std::string path = file_of(digest);
  return as_batches([&]() -> std::optional<PlanUse> {
    make_private_directories(directory_);
    auto before = use_of(digest);
    if (!before) {
      kill_point("plan:before-taken");
      Replacement file(path);
      write_all(file.file(), written(use), file.name());
      if (file.take_free_name()) {
        kill_point("plan:taken");
        return std::nullopt;
      }
      before = use_of(digest);
      if (!before) return take(digest, use);  // it was given back meanwhile
    }
    if (before->ledger_id == use.ledger_id) return std::nullopt;
    return before;
  });
}

void PlanUses::give_back(std::string_view digest, std::string_view ledger_id) {
  const std::string path = file_of(digest);
  as_batches([&] {
    const auto use = use_of(digest);
    if (!use || use->ledger_id != ledger_id) return;
    if (::unlink(path.c_str()) != 0) throw file_error(path, "remove it", errno);
    sync_directory_of(path);
  });
}

}  // namespace sagorder::io
