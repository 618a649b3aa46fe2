#include "io/credentials.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "io/credentials_file.hpp"
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
    {"name": "instance", "mode": "EcsRamRole", "ram_role_name": "r"},
    {"name": "any-instance", "mode": "EcsRamRole"},
    {"name": "assumed", "mode": "RamRoleArn", "access_key_id": "ak-base",
     "access_key_secret": "secret-base", "ram_role_arn": "acs:ram::1:role/a",
     "ram_session_name": "nightly", "expired_seconds": 1800, "sts_region": "cn-beijing",
     "policy": "{}", "external_id": "x"},
    {"name": "bare-role", "mode": "RamRoleArn", "access_key_id": "ak-base",
     "access_key_secret": "secret-base", "ram_role_arn": "acs:ram::1:role/b"},
    {"name": "no-role", "mode": "RamRoleArn", "access_key_id": "ak-base",
     "access_key_secret": "secret-base"},
    {"name": "short-role", "mode": "RamRoleArn", "access_key_id": "ak-base",
     "access_key_secret": "secret-base", "ram_role_arn": "r", "expired_seconds": 60},
    {"name": "chained", "mode": "ChainableRamRoleArn", "source_profile": "bare-role",
     "ram_role_arn": "acs:ram::2:role/c"},
    {"name": "loop", "mode": "ChainableRamRoleArn", "source_profile": "loop",
     "ram_role_arn": "acs:ram::2:role/d"},
    {"name": "lost", "mode": "ChainableRamRoleArn", "source_profile": "nobody",
     "ram_role_arn": "acs:ram::2:role/e"},
    {"name": "token", "mode": "OIDC", "ram_role_arn": "acs:ram::1:role/o",
     "oidc_provider_arn": "acs:ram::1:oidc-provider/p", "oidc_token_file": "/token"},
    {"name": "uri", "mode": "CredentialsURI", "credentials_uri": "http://localhost:81/k"},
    {"name": "far-uri", "mode": "CredentialsURI", "credentials_uri": "http://example.com/"},
    {"name": "sso", "mode": "CloudSSO"},
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
  /// A key that is there, and need not be fetched.
  static Credentials found(const std::optional<std::string>& name = std::nullopt) {
    const auto known = known_key(find_key({name, std::nullopt}));
    return known.value_or(Credentials{});
  }
  /// The one place where it is, of that kind.
  template <class Kind>
  static Kind place(const std::optional<std::string>& name = std::nullopt) {
    const KeyPlaces places = find_key({name, std::nullopt});
    EXPECT_EQ(places.sources.size(), 1U);
    const auto* const first = std::get_if<Kind>(&places.sources.front().first);
    EXPECT_NE(first, nullptr);
    return first == nullptr ? Kind{} : *first;
  }
  static RoleTerms role(const std::optional<std::string>& name = std::nullopt,
                        const std::optional<Endpoint>& sts = std::nullopt) {
    const KeyPlaces places = find_key({name, sts});
    EXPECT_FALSE(places.sources.front().roles.empty());
    return places.sources.front().roles.empty() ? RoleTerms{} : places.sources.front().roles.back();
  }
  void put_ini(const std::string& text, const std::string& name = "credentials") const {
    std::filesystem::create_directory(directory / ".alibabacloud");
    put(directory / (".alibabacloud/" + name), text);
    std::filesystem::permissions(directory / (".alibabacloud/" + name),
                                 std::filesystem::perms(0600));
  }
  static std::string refusal(const std::optional<std::string>& profile = std::nullopt) {
    return complaint_of<CredentialsError>([&] { find_key({profile, std::nullopt}); });
  }

  TemporaryDirectory directory;
  Variable home{"HOME", directory.path().c_str()};
  Variable file{"ALIBABA_CLOUD_CONFIG_FILE", nullptr};
  Variable profile{"ALIBABA_CLOUD_PROFILE", nullptr};
  Variable id{"ALIBABA_CLOUD_ACCESS_KEY_ID", nullptr};
  Variable secret{"ALIBABA_CLOUD_ACCESS_KEY_SECRET", nullptr};
  Variable token{"ALIBABA_CLOUD_SECURITY_TOKEN", nullptr};
  Variable role_arn{"ALIBABA_CLOUD_ROLE_ARN", nullptr};
  Variable oidc_provider{"ALIBABA_CLOUD_OIDC_PROVIDER_ARN", nullptr};
  Variable oidc_token{"ALIBABA_CLOUD_OIDC_TOKEN_FILE", nullptr};
  Variable session{"ALIBABA_CLOUD_ROLE_SESSION_NAME", nullptr};
  Variable sts_region{"ALIBABA_CLOUD_STS_REGION", nullptr};
  Variable vpc{"ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED", nullptr};
  Variable no_config{"ALIBABA_CLOUD_CLI_PROFILE_DISABLED", nullptr};
  Variable ini{"ALIBABA_CLOUD_CREDENTIALS_FILE", nullptr};
  Variable instance{"ALIBABA_CLOUD_ECS_METADATA", nullptr};
  Variable no_instance{"ALIBABA_CLOUD_ECS_METADATA_DISABLED", nullptr};
  Variable tokens_only{"ALIBABA_CLOUD_IMDSV1_DISABLED", nullptr};
  Variable uri{"ALIBABA_CLOUD_CREDENTIALS_URI", nullptr};
  Variable stand_in{"SAGORDER_METADATA_ENDPOINT", nullptr};
};

TEST_F(CredentialsTest, ComeFromTheEnvironmentFirst) {
  configure(kConfig);
  const Variable set_id("ALIBABA_CLOUD_ACCESS_KEY_ID", "ak-env");
  const Variable set_secret("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "secret-env");
  const auto permanent = found();
  EXPECT_EQ(permanent.key.id, "ak-env");
  EXPECT_EQ(permanent.key.secret.reveal(), "secret-env");
  EXPECT_TRUE(permanent.key.security_token.empty());
  EXPECT_EQ(permanent.source, "environment");
  const Variable set_token("ALIBABA_CLOUD_SECURITY_TOKEN", "token-env");
  EXPECT_EQ(found().key.security_token.reveal(), "token-env");
}

TEST_F(CredentialsTest, FlagGoesBeforeTheEnvironment) {
  configure(kConfig);
  const Variable set_id("ALIBABA_CLOUD_ACCESS_KEY_ID", "ak-env");
  const Variable set_secret("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "secret-env");
  EXPECT_EQ(found("temporary").key.id, "ak-sts");
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
  const auto key = found();
  EXPECT_EQ(key.key.id, "ak-default");
  EXPECT_EQ(key.key.secret.reveal(), "secret-default");
  EXPECT_TRUE(key.key.security_token.empty()) << "mode AK has no token";
  EXPECT_EQ(key.source, "profile default of " + path());
}

TEST_F(CredentialsTest, ProfileIsByFlagThenVariableThenCurrent) {
  configure(kConfig);
  const Variable chosen("ALIBABA_CLOUD_PROFILE", "temporary");
  const auto key = found();
  EXPECT_EQ(key.key.id, "ak-sts");
  EXPECT_EQ(key.key.security_token.reveal(), "token-sts");
  EXPECT_EQ(found("default").key.id, "ak-default");
}

TEST_F(CredentialsTest, FileIsByVariable) {
  put(directory / "other.json", kConfig);
  std::filesystem::permissions(directory / "other.json", std::filesystem::perms(0600));
  const std::string other = directory / "other.json";
  const Variable chosen("ALIBABA_CLOUD_CONFIG_FILE", other.c_str());
  EXPECT_EQ(found().source, "profile default of " + other);
}

TEST_F(CredentialsTest, UnsupportedModeIsNamed) {
  configure(kConfig);
  const auto complaint = refusal("sso");
  EXPECT_TRUE(has(complaint, "CloudSSO")) << complaint;
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

TEST_F(CredentialsTest, RoleOfAnInstance) {
  configure(kConfig);
  EXPECT_EQ(place<InstanceRole>("instance").name, "r");
  EXPECT_EQ(place<InstanceRole>("any-instance").name, "");
  EXPECT_EQ(place<InstanceRole>("instance").service, default_metadata_endpoint());
  EXPECT_FALSE(place<InstanceRole>("instance").tokens_only);
  const Variable only("ALIBABA_CLOUD_IMDSV1_DISABLED", "true");
  EXPECT_TRUE(place<InstanceRole>("instance").tokens_only);
  EXPECT_FALSE(find_key({"instance", std::nullopt}).sources.front().guessed);
  const Variable off("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true");
  EXPECT_TRUE(has(refusal("instance"), "ALIBABA_CLOUD_ECS_METADATA_DISABLED"));
}

TEST_F(CredentialsTest, AssumedRole) {
  configure(kConfig);
  EXPECT_EQ(place<AccessKey>("assumed").id, "ak-base");
  const RoleTerms terms = role("assumed");
  EXPECT_EQ(terms.arn, "acs:ram::1:role/a");
  EXPECT_EQ(terms.session_name, "nightly");
  EXPECT_EQ(terms.seconds, 1800U);
  EXPECT_EQ(terms.policy, "{}");
  EXPECT_EQ(terms.external_id, "x");
  EXPECT_EQ(terms.sts.host, "sts.cn-beijing.aliyuncs.com");
  EXPECT_EQ(role("assumed", Endpoint{"localhost", 8443}).sts, (Endpoint{"localhost", 8443}));
  const RoleTerms bare = role("bare-role");
  EXPECT_EQ(bare.session_name, "sagorder");
  EXPECT_EQ(bare.seconds, 3600U);
  EXPECT_EQ(bare.sts, default_sts_endpoint());
  EXPECT_TRUE(has(refusal("no-role"), "lacks ram_role_arn"));
  EXPECT_TRUE(has(refusal("short-role"), "from 900 to 43200"));
}

TEST_F(CredentialsTest, RoleTakesFromTheEnvironmentWhatItsProfileLeaves) {
  configure(kConfig);
  const Variable arn("ALIBABA_CLOUD_ROLE_ARN", "acs:ram::9:role/env");
  const Variable name("ALIBABA_CLOUD_ROLE_SESSION_NAME", "session-env");
  const Variable region("ALIBABA_CLOUD_STS_REGION", "cn-shenzhen");
  const Variable inside("ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED", "true");
  EXPECT_EQ(role("no-role").arn, "acs:ram::9:role/env");
  EXPECT_EQ(role("bare-role").arn, "acs:ram::1:role/b");
  EXPECT_EQ(role("bare-role").session_name, "session-env");
  EXPECT_EQ(role("bare-role").sts.host, "sts-vpc.cn-shenzhen.aliyuncs.com");
  const Variable bad("ALIBABA_CLOUD_STS_REGION", "evil.example.com/");
  EXPECT_TRUE(has(refusal("bare-role"), "region of STS"));
}

TEST_F(CredentialsTest, RolesMayBeChained) {
  configure(kConfig);
  const KeySource source = find_key({"chained", std::nullopt}).sources.front();
  ASSERT_EQ(source.roles.size(), 2U);
  EXPECT_EQ(source.roles[0].arn, "acs:ram::1:role/b");
  EXPECT_EQ(source.roles[1].arn, "acs:ram::2:role/c");
  EXPECT_EQ(std::get<AccessKey>(source.first).id, "ak-base");
  EXPECT_TRUE(has(refusal("loop"), "more than 4 roles"));
  EXPECT_TRUE(has(refusal("lost"), "\"nobody\" is not there"));
}

TEST_F(CredentialsTest, OidcAndUriOfAProfile) {
  configure(kConfig);
  EXPECT_EQ(place<OidcRole>("token").role.arn, "acs:ram::1:role/o");
  EXPECT_EQ(place<OidcRole>("token").token_file, "/token");
  EXPECT_EQ(place<KeyUri>("uri").endpoint, (Endpoint{"localhost", 81}));
  EXPECT_TRUE(has(refusal("far-uri"), "use https://"));
}

TEST_F(CredentialsTest, OidcOfTheEnvironmentComesBeforeTheFiles) {
  configure(kConfig);
  const Variable token_file("ALIBABA_CLOUD_OIDC_TOKEN_FILE", "/token");
  EXPECT_TRUE(has(refusal(), "ALIBABA_CLOUD_OIDC_PROVIDER_ARN is missing"));
  const Variable provider("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", "p");
  EXPECT_TRUE(has(refusal(), "ALIBABA_CLOUD_ROLE_ARN is missing"));
  const Variable arn("ALIBABA_CLOUD_ROLE_ARN", "acs:ram::1:role/e");
  EXPECT_EQ(place<OidcRole>().role.arn, "acs:ram::1:role/e");
  EXPECT_EQ(place<OidcRole>().role.sts, default_sts_endpoint());
  const Variable set_id("ALIBABA_CLOUD_ACCESS_KEY_ID", "ak-env");
  const Variable set_secret("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "secret-env");
  EXPECT_EQ(found().key.id, "ak-env") << "the key itself comes before";
}

constexpr const char* kIni = R"(
# the SDKs' file
[default]
type = access_key            # a comment
access_key_id = ak-ini
access_key_secret = secret-ini

[sts]
type=sts
access_key_id=ak-sts
access_key_secret=secret-sts
security_token=token-sts

[instance]
type = ecs_ram_role
role_name = r

[assumed]
type = ram_role_arn
access_key_id = ak-base
access_key_secret = secret-base
role_arn = acs:ram::1:role/i
role_session_name = s

[oidc]
type = oidc_role_arn
role_arn = acs:ram::1:role/o
oidc_provider_arn = p
oidc_token_file_path = /token

[half]
type = access_key
access_key_id = ak-half
; access_key_secret = hunter2

[pair]
type = rsa_key_pair

[off]
enable = false
type = access_key
access_key_id = a
access_key_secret = b
)";

TEST_F(CredentialsTest, SdksFileComesAfterTheCommandLines) {
  put_ini(kIni);
  EXPECT_EQ(found().key.id, "ak-ini");
  EXPECT_EQ(found().key.secret.reveal(), "secret-ini");
  EXPECT_EQ(found().source, "profile default of " + (directory / ".alibabacloud/credentials"));
  EXPECT_EQ(found("sts").key.security_token.reveal(), "token-sts");
  EXPECT_EQ(place<InstanceRole>("instance").name, "r");
  EXPECT_EQ(role("assumed").arn, "acs:ram::1:role/i");
  EXPECT_EQ(place<OidcRole>("oidc").token_file, "/token");
  configure(kConfig);
  EXPECT_EQ(found().key.id, "ak-default");
  EXPECT_EQ(found("sts").key.id, "ak-sts") << "a profile that only the second file has";
  const Variable chosen("ALIBABA_CLOUD_PROFILE", "sts");
  EXPECT_EQ(found().key.security_token.reveal(), "token-sts");
}

TEST_F(CredentialsTest, SdksFileHasTwoNamesAndAVariable) {
  put_ini("[default]\ntype=access_key\naccess_key_id=second\naccess_key_secret=x\n",
          "credentials.ini");
  EXPECT_EQ(found().key.id, "second");
  put_ini(kIni);
  EXPECT_EQ(found().key.id, "ak-ini");
  put_ini("[default]\ntype=access_key\naccess_key_id=third\naccess_key_secret=x\n", "other");
  const std::string other = directory / ".alibabacloud/other";
  const Variable chosen("ALIBABA_CLOUD_CREDENTIALS_FILE", other.c_str());
  EXPECT_EQ(found().key.id, "third");
}

TEST_F(CredentialsTest, SdksFileThatIsWrongIsAnErrorThatShowsNoSecret) {
  put_ini(kIni);
  EXPECT_TRUE(has(refusal("half"), "lacks access_key_secret")) << refusal("half");
  EXPECT_TRUE(has(refusal("pair"), "rsa_key_pair"));
  EXPECT_TRUE(has(refusal("off"), "not enabled"));
  put_ini("[a]\ntype = access_key\n");
  EXPECT_TRUE(has(refusal(), "no profile default"));
  for (const char* text : {"[default\nhunter2", "hunter2", "[default]\nhunter2",
                           "[default]\na=hunter2\na=hunter2", "[default]\n[default]"}) {
    put_ini(text);
    EXPECT_TRUE(has(refusal(), "credentials:")) << text << refusal();
    EXPECT_FALSE(has(refusal(), "hunter2")) << refusal();
  }
  put_ini(kIni);
  std::filesystem::permissions(directory / ".alibabacloud/credentials",
                               std::filesystem::perms(0644));
  EXPECT_TRUE(has(refusal(), "mode 0644")) << refusal();
  EXPECT_TRUE(has(refusal(), "chmod 600")) << refusal();
}

TEST_F(CredentialsTest, ProfileThatIsNowhereSaysWhereItWasLookedFor) {
  configure(kConfig);
  put_ini(kIni);
  const auto complaint = refusal("nobody");
  const std::size_t first = complaint.find(path());
  const std::size_t second = complaint.find(".alibabacloud/credentials");
  EXPECT_NE(first, std::string::npos) << complaint;
  EXPECT_NE(second, std::string::npos) << complaint;
  EXPECT_LT(first, second) << "in the order of the look";
  EXPECT_TRUE(has(complaint, "--profile")) << complaint;
  const Variable chosen("ALIBABA_CLOUD_PROFILE", "nobody");
  EXPECT_TRUE(has(refusal(), "ALIBABA_CLOUD_PROFILE names")) << refusal();
}

TEST_F(CredentialsTest, CommandLinesFileMayBeLeftOut) {
  configure(kConfig);
  put_ini(kIni);
  const Variable off("ALIBABA_CLOUD_CLI_PROFILE_DISABLED", "true");
  EXPECT_EQ(found().key.id, "ak-ini");
}

TEST_F(CredentialsTest, MetadataServiceIsGuessedAndTheUriBehindIt) {
  const KeyPlaces guessed = find_key({});
  ASSERT_EQ(guessed.sources.size(), 1U);
  EXPECT_TRUE(guessed.sources[0].guessed);
  EXPECT_FALSE(known_key(guessed));
  const Variable at("ALIBABA_CLOUD_CREDENTIALS_URI", "http://127.0.0.1:81/k");
  const KeyPlaces both = find_key({});
  ASSERT_EQ(both.sources.size(), 2U);
  EXPECT_TRUE(std::holds_alternative<InstanceRole>(both.sources[0].first));
  EXPECT_TRUE(std::holds_alternative<KeyUri>(both.sources[1].first));
  EXPECT_FALSE(both.sources[1].guessed);
  {
    const Variable named("ALIBABA_CLOUD_ECS_METADATA", "my-role");
    EXPECT_EQ(place<InstanceRole>().name, "my-role") << "what was named is not gone beyond";
    EXPECT_FALSE(find_key({}).sources[0].guessed);
  }
  const Variable off("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "True");
  EXPECT_EQ(place<KeyUri>().target, "/k");
  const Variable bad("ALIBABA_CLOUD_CREDENTIALS_URI", "http://10.0.0.1/");
  EXPECT_TRUE(has(refusal(), "ALIBABA_CLOUD_CREDENTIALS_URI: it is plain HTTP")) << refusal();
}

TEST_F(CredentialsTest, MetadataServiceIsStoodInForOnThisMachineAlone) {
  const Variable at("SAGORDER_METADATA_ENDPOINT", "http://127.0.0.1:8080");
  EXPECT_EQ(place<InstanceRole>().service, (Endpoint{"127.0.0.1", 8080}));
  for (const char* text : {"http://10.0.0.1", "https://127.0.0.1", "http://127.0.0.1/x", "x"}) {
    const Variable wrong("SAGORDER_METADATA_ENDPOINT", text);
    EXPECT_TRUE(has(refusal(), "SAGORDER_METADATA_ENDPOINT")) << text << refusal();
  }
}

TEST_F(CredentialsTest, DescriptionNamesTheKeyAndNotTheSecret) {
  configure(kConfig);
  EXPECT_EQ(found("temporary").describe(),
            "profile temporary of " + path() + ", AccessKeyId ak-sts");
  const KeyLife life{WallTime{}, WallTime{seconds(5)}};
  EXPECT_EQ(describe_key({"STS.x", Secret("hunter2"), Secret("hunter3")}, life),
            "AccessKeyId STS.x, until 1970-01-01T00:00:05.000Z");
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
  const Variable off("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true");
  const auto complaint = refusal();
  EXPECT_TRUE(has(complaint, "ALIBABA_CLOUD_ACCESS_KEY_ID")) << complaint;
  std::size_t last = 0;
  for (const std::string& place :
       {std::string("the environment"), std::string("OIDC"), path(),
        directory / ".alibabacloud/credentials", std::string("the metadata service"),
        std::string("ALIBABA_CLOUD_CREDENTIALS_URI")}) {
    const std::size_t at = complaint.find(place);
    ASSERT_NE(at, std::string::npos) << place << ": " << complaint;
    EXPECT_GT(at, last) << "in the order of the look: " << complaint;
    last = at;
  }
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
