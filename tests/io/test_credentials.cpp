#include "io/credentials.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "tests/io/temporary_directory.hpp"

namespace sagorder::io {
namespace {

constexpr const char* kConfig = R"({
  "current": "default",
  "profiles": [
    {"name": "default", "mode": "AK", "access_key_id": "ak-default",
     "access_key_secret": "secret-default", "sts_token": "stale", "retry_count": 9},
    {"name": "temporary", "mode": "StsToken", "access_key_id": "ak-sts",
     "access_key_secret": "secret-sts", "sts_token": "token-sts"},
    {"name": "role", "mode": "EcsRamRole", "ram_role_name": "r"},
    {"name": "half", "mode": "AK", "access_key_id": "ak-half", "access_key_secret": ""},
    {"name": "half-sts", "mode": "StsToken", "access_key_id": "a", "access_key_secret": "b"},
    {"name": "copied", "mode": "AK", "access_key_id": "ak-copied",
     "access_key_secret": "secret-copied\n"}
  ]})";

/// A home of its own, and nothing of the real environment.
class CredentialsTest : public testing::Test {
 protected:
  void configure(const std::string& text) const {
    std::filesystem::create_directory(directory / ".aliyun");
    put(path(), text);
    std::filesystem::permissions(path(), std::filesystem::perms(0600));
  }
  [[nodiscard]] std::string path() const { return directory / ".aliyun/config.json"; }
  static std::string refusal(const std::optional<std::string>& profile = std::nullopt) {
    return complaint_of<CredentialsError>([&] { find_credentials(profile); });
  }

  TemporaryDirectory directory;
  Variable home{"HOME", directory.path().c_str()};
  Variable file{"ALIBABA_CLOUD_CONFIG_FILE", nullptr};
  Variable profile{"ALIBABA_CLOUD_PROFILE", nullptr};
  Variable id{"ALIBABA_CLOUD_ACCESS_KEY_ID", nullptr};
  Variable secret{"ALIBABA_CLOUD_ACCESS_KEY_SECRET", nullptr};
  Variable token{"ALIBABA_CLOUD_SECURITY_TOKEN", nullptr};
};

TEST_F(CredentialsTest, ComeFromTheEnvironmentFirst) {
  configure(kConfig);
  const Variable set_id("ALIBABA_CLOUD_ACCESS_KEY_ID", "ak-env");
  const Variable set_secret("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "secret-env");
  const auto permanent = find_credentials(std::nullopt);
  EXPECT_EQ(permanent.key.id, "ak-env");
  EXPECT_EQ(permanent.key.secret.reveal(), "secret-env");
  EXPECT_TRUE(permanent.key.security_token.empty());
  EXPECT_EQ(permanent.source, "environment");
  const Variable set_token("ALIBABA_CLOUD_SECURITY_TOKEN", "token-env");
  EXPECT_EQ(find_credentials(std::nullopt).key.security_token.reveal(), "token-env");
}

TEST_F(CredentialsTest, FlagGoesBeforeTheEnvironment) {
  configure(kConfig);
  const Variable set_id("ALIBABA_CLOUD_ACCESS_KEY_ID", "ak-env");
  const Variable set_secret("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "secret-env");
  EXPECT_EQ(find_credentials("temporary").key.id, "ak-sts");
  EXPECT_TRUE(has(refusal("nobody"), "\"nobody\""));
}

TEST_F(CredentialsTest, HalfSetEnvironmentIsAnError) {
  configure(kConfig);
  {
    const Variable only("ALIBABA_CLOUD_ACCESS_KEY_ID", "ak-env");
    EXPECT_TRUE(has(refusal(), "ALIBABA_CLOUD_ACCESS_KEY_SECRET is missing"));
  }
  {
    const Variable only("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "hunter2");
    EXPECT_TRUE(has(refusal(), "ALIBABA_CLOUD_ACCESS_KEY_ID is missing"));
    EXPECT_FALSE(has(refusal(), "hunter2"));
  }
  const Variable only("ALIBABA_CLOUD_SECURITY_TOKEN", "hunter2");
  EXPECT_TRUE(has(refusal(), "half set"));
}

TEST_F(CredentialsTest, ComeFromTheCurrentProfile) {
  configure(kConfig);
  const auto found = find_credentials(std::nullopt);
  EXPECT_EQ(found.key.id, "ak-default");
  EXPECT_EQ(found.key.secret.reveal(), "secret-default");
  EXPECT_TRUE(found.key.security_token.empty()) << "mode AK has no token";
  EXPECT_EQ(found.source, "profile default of " + path());
}

TEST_F(CredentialsTest, ProfileIsByFlagThenVariableThenCurrent) {
  configure(kConfig);
  const Variable chosen("ALIBABA_CLOUD_PROFILE", "temporary");
  const auto found = find_credentials(std::nullopt);
  EXPECT_EQ(found.key.id, "ak-sts");
  EXPECT_EQ(found.key.security_token.reveal(), "token-sts");
  EXPECT_EQ(find_credentials("default").key.id, "ak-default");
}

TEST_F(CredentialsTest, FileIsByVariable) {
  put(directory / "other.json", kConfig);
  std::filesystem::permissions(directory / "other.json", std::filesystem::perms(0600));
  const std::string other = directory / "other.json";
  const Variable chosen("ALIBABA_CLOUD_CONFIG_FILE", other.c_str());
  EXPECT_EQ(find_credentials(std::nullopt).source, "profile default of " + other);
}

TEST_F(CredentialsTest, UnsupportedModeIsNamed) {
  configure(kConfig);
  const auto complaint = refusal("role");
  EXPECT_TRUE(has(complaint, "EcsRamRole")) << complaint;
  EXPECT_TRUE(has(complaint, "not supported here")) << complaint;
}

TEST_F(CredentialsTest, HalfAProfileIsAnError) {
  configure(kConfig);
  EXPECT_TRUE(has(refusal("half"), "lacks"));
  EXPECT_TRUE(has(refusal("half-sts"), "sts_token"));
}

TEST_F(CredentialsTest, BlanksAndLineEndsAreCopyingMistakes) {
  configure(kConfig);
  const auto complaint = refusal("copied");
  EXPECT_TRUE(has(complaint, "copy it again")) << complaint;
  EXPECT_FALSE(has(complaint, "secret-copied"));
}

TEST_F(CredentialsTest, FileThatOthersMayReadIsRefused) {
  configure(kConfig);
  for (const unsigned mode : {0640U, 0604U, 0620U, 0666U}) {
    std::filesystem::permissions(path(), std::filesystem::perms(mode));
    EXPECT_TRUE(has(refusal(), "chmod 600 " + path())) << mode;
  }
}

TEST_F(CredentialsTest, DamagedFileIsAnErrorThatShowsNoSecret) {
  for (const char* text : {"", "{", "[]", "{\"profiles\": 3}", "{\"current\": \"x\"}",
                           "{\"current\": \"d\", \"profiles\": [3, {\"name\": \"hunter2\""}) {
    configure(text);
    const auto complaint = refusal();
    EXPECT_TRUE(has(complaint, path())) << text << complaint;
    EXPECT_FALSE(has(complaint, "hunter2")) << complaint;
  }
}

TEST_F(CredentialsTest, NoneAtAllSaysWhereItLooked) {
  const auto complaint = refusal();
  EXPECT_TRUE(has(complaint, "ALIBABA_CLOUD_ACCESS_KEY_ID")) << complaint;
  EXPECT_TRUE(has(complaint, path())) << complaint;
  EXPECT_TRUE(has(refusal("default"), path()));
  const Variable no_home("HOME", nullptr);
  EXPECT_FALSE(refusal().empty());
}

TEST(SharedFile, MayBeReadByAGroupIfRootGaveItThat) {
  constexpr unsigned kRoot = 0;
  constexpr unsigned kSomebody = 1000;
  for (const unsigned mode : {0400U, 0600U}) {
    EXPECT_FALSE(is_shared(mode, kSomebody, kSomebody));
    EXPECT_FALSE(is_shared(mode, kRoot, kRoot));
    EXPECT_FALSE(is_shared(mode, kRoot, kSomebody));
  }
  for (const unsigned mode : {0440U, 0640U}) {
    EXPECT_FALSE(is_shared(mode, kRoot, kSomebody)) << "as service managers hand it over";
    EXPECT_TRUE(is_shared(mode, kSomebody, kSomebody));
    EXPECT_TRUE(is_shared(mode, kRoot, kRoot));
    EXPECT_TRUE(is_shared(mode, kSomebody + 1, kSomebody));
  }
  for (const unsigned mode : {0444U, 0604U, 0660U, 0620U, 0601U}) {
    EXPECT_TRUE(is_shared(mode, kRoot, kSomebody)) << mode;
  }
}

}  // namespace
}  // namespace sagorder::io
