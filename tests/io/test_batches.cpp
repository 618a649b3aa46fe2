#include "io/batches.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "tests/io/temporary_directory.hpp"

namespace sagorder::io {
namespace {

const std::string kDigest(64, 'a');
const std::string kOther(64, 'b');

Batch batch_of(const std::string& id) {
  return {"/data/" + id + ".csv", "/data/" + id + ".csv.ledger", id, "2019-05-20T08:01:02Z",
          "sagorder run a.csv --output '" + id + ".csv'"};
}

TEST(Batches, NothingIsRememberedAtFirst) {
  const TemporaryDirectory directory;
  const Batches batches(directory / "state/batches");
  EXPECT_TRUE(batches.all_of(kDigest).empty());
  EXPECT_EQ(directory.entries(), 0U) << "looking makes nothing";
}

TEST(Batches, RemembersOneAndRefusesTheNext) {
  const TemporaryDirectory directory;
  Batches batches(directory / "state/batches");
  EXPECT_FALSE(batches.remember(kDigest, batch_of("one"), false));
  const std::vector<Batch> all = batches.all_of(kDigest);
  ASSERT_EQ(all.size(), 1U);
  const Batch* found = &all.front();
  EXPECT_EQ(found->output, "/data/one.csv");
  EXPECT_EQ(found->ledger, "/data/one.csv.ledger");
  EXPECT_EQ(found->ledger_id, "one");
  EXPECT_EQ(found->started_at, "2019-05-20T08:01:02Z");
  EXPECT_EQ(found->command, "sagorder run a.csv --output 'one.csv'");
  EXPECT_TRUE(batches.all_of(kOther).empty());

  const auto in_the_way = batches.remember(kDigest, batch_of("two"), false);
  ASSERT_TRUE(in_the_way.has_value());
  EXPECT_EQ(in_the_way->obstacle, Obstacle::ordered_before);
  EXPECT_EQ(in_the_way->batch.ledger_id, "one");
  EXPECT_EQ(batches.all_of(kDigest).size(), 1U);
}

TEST(Batches, SameBatchGoesOn) {
  const TemporaryDirectory directory;
  Batches batches(directory.path());
  batches.remember(kDigest, batch_of("one"), false);
  const std::string before = content_of(batches.file_of(kDigest));
  EXPECT_FALSE(batches.remember(kDigest, batch_of("one"), false));
  EXPECT_FALSE(batches.remember(kDigest, batch_of("one"), true));
  EXPECT_EQ(content_of(batches.file_of(kDigest)), before);
}

TEST(Batches, AgainIsRememberedBesideTheFirst) {
  const TemporaryDirectory directory;
  Batches batches(directory.path());
  batches.remember(kDigest, batch_of("one"), false);
  EXPECT_FALSE(batches.remember(kDigest, batch_of("two"), true));
  ASSERT_EQ(batches.all_of(kDigest).size(), 2U);
  EXPECT_EQ(batches.all_of(kDigest)[1].ledger_id, "two");
  // Both may be resumed; a third is refused.
  EXPECT_FALSE(batches.remember(kDigest, batch_of("two"), false));
  EXPECT_FALSE(batches.remember(kDigest, batch_of("one"), false));
  EXPECT_EQ(batches.remember(kDigest, batch_of("three"), false)->batch.ledger_id, "one");
}

TEST(Batches, AnOlderCopyOfALedgerIsRefused) {
  const TemporaryDirectory directory;
  Batches batches(directory.path());
  Batch run = batch_of("one");
  run.run = "first";
  EXPECT_FALSE(batches.remember(kDigest, run, false, {}));
  run.run = "second";
  EXPECT_FALSE(batches.remember(kDigest, run, false, {"first"}));
  run.run = "another";  // out of a copy that knows the first alone
  const auto later = batches.remember(kDigest, run, false, {"first"});
  ASSERT_TRUE(later.has_value());
  EXPECT_EQ(later->obstacle, Obstacle::older_copy);
  EXPECT_EQ(later->batch.run, "second");
  EXPECT_EQ(batches.all_of(kDigest)[0].run, "second") << "nothing was written";
  run.run = "third";
  EXPECT_FALSE(batches.remember(kDigest, run, false, {"drawn", "second"}));
  EXPECT_EQ(batches.all_of(kDigest)[0].run, "third");
}

TEST(Batches, WhatSentNothingIsForgottenAndNothingElse) {
  const TemporaryDirectory directory;
  Batches batches(directory.path());
  batches.remember(kDigest, batch_of("one"), false);
  batches.remember(kDigest, batch_of("two"), true);
  batches.remember(kOther, batch_of("one"), false);
  batches.forget(kDigest, "three");
  EXPECT_EQ(batches.all_of(kDigest).size(), 2U);
  batches.forget(kDigest, "one");
  ASSERT_EQ(batches.all_of(kDigest).size(), 1U);
  EXPECT_EQ(batches.all_of(kDigest)[0].ledger_id, "two");
  batches.forget(kDigest, "two");
  EXPECT_TRUE(batches.all_of(kDigest).empty());
  EXPECT_FALSE(batches.remember(kDigest, batch_of("four"), false));
  EXPECT_EQ(batches.all_of(kOther).size(), 1U);
}

TEST(Batches, ArePrivate) {
  const TemporaryDirectory directory;
  Batches batches(directory / "state/batches");
  batches.remember(kDigest, batch_of("one"), false);
  EXPECT_EQ(mode_of(directory / "state/batches"), 0700U);
  EXPECT_EQ(mode_of(batches.file_of(kDigest)), 0600U);
  batches.remember(kDigest, batch_of("two"), true);
  EXPECT_EQ(mode_of(batches.file_of(kDigest)), 0600U);
  for (const auto& entry : std::filesystem::directory_iterator(directory / "state/batches")) {
    const std::string name = entry.path().filename();
    EXPECT_TRUE(name == kDigest + ".json" || name == ".lock") << name;
  }
}

TEST(Batches, DamagedMemoryIsNeverPassedOver) {
  for (const char* damage : {"", "[", "[]", "{}", "null", "[1]", "[{}]", "[{\"output\":\"a\"}]",
                             "[{\"output\":\"a\",\"ledger\":\"b\",\"ledger_id\":\"\",\"started_"
                             "at\":\"\",\"command\":\"\"}]",
                             "[{\"output\":1,\"ledger\":\"b\",\"ledger_id\":\"c\",\"started_at\":"
                             "\"\",\"command\":\"\"}]"}) {
    const TemporaryDirectory directory;
    Batches batches(directory.path());
    put(batches.file_of(kDigest), damage);
    const auto complaint = complaint_of<BatchesError>([&] { (void)batches.all_of(kDigest); });
    EXPECT_TRUE(has(complaint, batches.file_of(kDigest))) << damage;
    EXPECT_TRUE(has(complaint, "move the file away")) << damage;
    for (const bool again : {false, true}) {
      EXPECT_THROW(batches.remember(kDigest, batch_of("one"), again), BatchesError) << damage;
    }
    EXPECT_EQ(content_of(batches.file_of(kDigest)), damage);
  }
}

TEST(Batches, NameOfAFileIsADigest) {
  const TemporaryDirectory directory;
  Batches batches(directory.path());
  for (const std::string& digest : {std::string(), std::string("../../etc/passwd"),
                                    std::string(63, 'a'), std::string(64, 'A')}) {
    EXPECT_THROW(batches.remember(digest, batch_of("one"), false), BatchesError) << digest;
  }
}

TEST(Batches, LinkInThePlaceOfAFileIsRefused) {
  for (const char* target : {"target", "nowhere"}) {
    const TemporaryDirectory directory;
    Batches batches(directory.path());
    put(directory / "target", "[]");
    std::filesystem::create_symlink(target, batches.file_of(kDigest));
    EXPECT_THROW(batches.remember(kDigest, batch_of("one"), false), BatchesError);
    EXPECT_THROW((void)batches.all_of(kDigest), BatchesError);
    EXPECT_EQ(content_of(directory / "target"), "[]");
  }
}

TEST(Batches, LinkInThePlaceOfADirectoryIsRefused) {
  for (const std::string link : {"state/sagorder", "state/sagorder/batches"}) {
    const TemporaryDirectory directory;
    std::filesystem::create_directories(directory / "elsewhere/batches");
    std::filesystem::create_directories(std::filesystem::path(directory / link).parent_path());
    std::filesystem::create_directory_symlink(directory / "elsewhere", directory / link);
    Batches batches(directory / "state/sagorder/batches");
    EXPECT_THROW((void)batches.all_of(kDigest), BatchesError);
    EXPECT_THROW(batches.remember(kDigest, batch_of("one"), false), BatchesError);
    EXPECT_THROW(batches.forget(kDigest, "one"), BatchesError);
    EXPECT_TRUE(std::filesystem::is_empty(directory / "elsewhere/batches"));
  }
}

TEST(Batches, OfManyProcessesAtOnceOneIsFirst) {
  const TemporaryDirectory directory;
  constexpr int kProcesses = 16;
  for (const bool again : {false, true}) {
    const std::string place = directory / (again ? "again" : "once");
    for (int i = 0; i < kProcesses; ++i) {
      if (::fork() != 0) continue;
      int code = 2;
      try {
        Batches batches(place);
        code = batches.remember(kDigest, batch_of(std::to_string(i)), again) ? 1 : 0;
      } catch (...) {
      }
      ::_exit(code);
    }
    int firsts = 0;
    for (int i = 0; i < kProcesses; ++i) {
      int status = 0;
      ::wait(&status);
      ASSERT_LT(WEXITSTATUS(status), 2);
      firsts += WEXITSTATUS(status) == 0 ? 1 : 0;
    }
    EXPECT_EQ(firsts, again ? kProcesses : 1);
    std::set<std::string> ids;
    for (const Batch& batch : Batches(place).all_of(kDigest)) ids.insert(batch.ledger_id);
    EXPECT_EQ(ids.size(), static_cast<std::size_t>(firsts));
  }
}

TEST(Batches, DirectoryIsByTheEnvironment) {
  const Variable home("HOME", "/home/somebody");
  {
    const Variable state("XDG_STATE_HOME", "/state");
    EXPECT_EQ(Batches::default_directory(), "/state/sagorder/batches");
  }
  {
    const Variable state("XDG_STATE_HOME", "relative");
    EXPECT_THROW(Batches::default_directory(), BatchesError);
  }
  for (const char* unset : {static_cast<const char*>(nullptr), ""}) {
    const Variable state("XDG_STATE_HOME", unset);
    EXPECT_EQ(Batches::default_directory(), "/home/somebody/.local/state/sagorder/batches");
    const Variable no_home("HOME", nullptr);
    EXPECT_THROW(Batches::default_directory(), BatchesError);
  }
}

}  // namespace
}  // namespace sagorder::io
