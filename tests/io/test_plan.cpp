#include "io/plan.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "io/commands.hpp"
#include "tests/io/temporary_directory.hpp"

namespace sagorder::io {
namespace {

constexpr WallTime kMade{milliseconds(1'767'323'045'678)};  // 2026-01-02T03:04:05.678Z

class PlanTest : public ::testing::Test {
 protected:
  PlanTest() {
    settings_.input = directory_ / "orders.csv";
    settings_.plan = directory_ / "plan.json";
    settings_.limits.max_orders = 7;
    key_.sources = {{"environment", AccessKey{"testid", Secret("secret"), Secret()}, {}, false}};
    validation_.totals = {3, 35, 165, 2};
    validation_.by_region["cn-shanghai"] = {2, 25, 45, 2};
    validation_.by_region["eu-central-1"] = {1, 10, 120, 0};
  }
  [[nodiscard]] Plan plan(WallTime made = kMade) const {
    return {{settings_, validation_, std::string(64, 'a'), key_}, made, made + kPlanLasts};
  }
  [[nodiscard]] nlohmann::json written() const {
    return nlohmann::json::parse(content_of(settings_.plan));
  }
  std::string refusal() const {
    try {
      Plan::read(settings_.plan);
    } catch (const Refusal& refusal) {
      EXPECT_EQ(refusal.code, ExitCode::input);
      return refusal.what();
    }
    return "none";
  }

  TemporaryDirectory directory_;
  Settings settings_;
  Validation validation_;
  KeyPlaces key_;
};

TEST_F(PlanTest, IsReadAsItWasWritten) {
  const Plan made = plan();
  made.write(settings_.plan);
  const Plan read = Plan::read(settings_.plan);
  EXPECT_EQ(read.digest(), made.digest());
  EXPECT_EQ(read.expires_at(), kMade + kPlanLasts);
  EXPECT_TRUE(read.differences_from(made).empty());
  const nlohmann::json json = written();
  EXPECT_EQ(json["made_at"], "2026-01-02T03:04:05.678Z");
  EXPECT_EQ(json["expires_at"], "2026-01-03T03:04:05.678Z");
  EXPECT_EQ(json["totals"]["seat_months"], 165);
  EXPECT_EQ(json["regions"]["eu-central-1"]["seats"], 10);
  EXPECT_EQ(json["endpoints"]["eu-central-1"], "smartag.eu-central-1.aliyuncs.com:443");
  EXPECT_EQ(json["endpoint"], "by RegionId");
  EXPECT_EQ(json["limits"]["rate"], "10/s");
  EXPECT_EQ(json["limits"]["max_failures"], "25");
  EXPECT_EQ(json["limits"]["replay"], "never");
}

TEST_F(PlanTest, WhenAndWhereItWasMadeIsNoDifference) {
  const Plan earlier = plan();
  settings_.input = "elsewhere.csv";
  const Plan later = plan(kMade + seconds(10));
  EXPECT_TRUE(earlier.differences_from(later).empty());
  EXPECT_NE(earlier.digest(), later.digest());
}

TEST_F(PlanTest, EveryDifferenceIsNamed) {
  const Plan before = plan();
  settings_.limits.max_orders.reset();
  settings_.limits.max_failures = {5, true};
  settings_.rate = {50, seconds(1)};
  settings_.replay = Replay::same_bytes;
  settings_.endpoint = Endpoint{"::1", 8443};
  settings_.intake.set = {{"Period", "12"}};
  validation_.by_region.erase("eu-central-1");
  EXPECT_EQ(
      before.differences_from(plan()),
      (std::vector<std::string>{
          "endpoint: planned \"by RegionId\", present \"[::1]:8443\"",
          "endpoints.cn-shanghai: planned \"smartag.cn-shanghai.aliyuncs.com:443\", present "
          "\"[::1]:8443\"",
          "endpoints.eu-central-1: planned \"smartag.eu-central-1.aliyuncs.com:443\", present none",
          "--max-failures: planned \"25\", present \"5%\"", "--max-orders: planned 7, present none",
          "--rate: planned \"10/s\", present \"50/s\"",
          "--replay: planned \"never\", present \"same-bytes\"",
          "regions.eu-central-1: planned "
          "{\"orders\":1,\"paid_at_once\":0,\"seat_months\":120,\"seats\":10}, present none",
          "set.Period: planned none, present \"12\""}));
}

TEST_F(PlanTest, AKeyThatIsFetchedIsKnownByItsRole) {
  const RoleTerms role{.arn = "acs:ram::1:role/buyer", .policy = {}, .external_id = {}, .sts = {}};
  const auto role_in_plan = [&](const KeySource& source) {
    key_.sources = {source};
    plan().write(settings_.plan);
    EXPECT_TRUE(written()["access_key_id"].is_null());
    return written()["role"].get<std::string>();
  };
  const AccessKey key{"testid", Secret("secret"), Secret()};
  EXPECT_EQ(role_in_plan({"p", key, {role}, false}), "acs:ram::1:role/buyer");
  EXPECT_EQ(role_in_plan({"o", OidcRole{"provider", "file", role}, {}, false}),
            "acs:ram::1:role/buyer");
  EXPECT_EQ(role_in_plan({"i", InstanceRole{}, {}, true}), "of the instance");
  EXPECT_EQ(role_in_plan({"i", InstanceRole{"r", false, {}}, {}, false}), "of the instance: r");
  EXPECT_EQ(role_in_plan({"u", KeyUri{true, {"keys.local", 443}, "/k?token=x"}, {}, false}),
            "keys.local:443/k");
  key_.sources = {{"environment", key, {}, false}};
  EXPECT_EQ(plan().differences_from(Plan::read(settings_.plan)),
            (std::vector<std::string>{"access_key_id: planned \"testid\", present none",
                                      "role: planned none, present \"keys.local:443/k\""}));
}

TEST_F(PlanTest, AnEditedOneIsRefusedWhateverWasEdited) {
  plan().write(settings_.plan);
  const nlohmann::json whole = written();
  const nlohmann::json flat = whole.flatten();
  for (const auto& [path, value] : flat.items()) {
    nlohmann::json edited = whole;
    edited[nlohmann::json::json_pointer(path)] = "edited";
    put(settings_.plan, edited.dump());
    EXPECT_NE(refusal(), "none") << path;
  }
  nlohmann::json more = whole;
  more["limits"]["max_moons"] = 1;
  put(settings_.plan, more.dump());
  EXPECT_NE(refusal().find("was changed after it was made"), std::string::npos);
  put(settings_.plan, whole.dump());
  EXPECT_EQ(refusal(), "none") << "white space and the order of members do not matter";
}

/// Of two members of one name this reader takes the last, and a person may have read the first.
TEST_F(PlanTest, AMemberThatIsThereTwiceIsRefused) {
  plan().write(settings_.plan);
  const std::string whole = content_of(settings_.plan);
  const auto refusal_with = [&](const std::string& before, const std::string& more) {
    std::string text = whole;
    const std::size_t at = text.find(before);
    EXPECT_NE(at, std::string::npos) << before;
    put(settings_.plan, text.insert(at, more));
    return refusal();
  };
  const std::string twice = " twice in one object; nothing was sent";
  EXPECT_EQ(refusal_with("\"limits\"", "\"limits\": {},"),
            settings_.plan + ": has the name \"limits\"" + twice);
  EXPECT_EQ(refusal_with("\"max_orders\"", "\"max_orders\": 1,"),
            settings_.plan + ": has the name \"max_orders\"" + twice);
  EXPECT_EQ(refusal_with("\"max_orders\"", "\"max_orders\": 7,"),
            settings_.plan + ": has the name \"max_orders\"" + twice)
      << "equal ones, too";
  EXPECT_EQ(refusal_with("\"max_orders\"", "\"max\\u005forders\": 7,"),
            settings_.plan + ": has the name \"max_orders\"" + twice)
      << "however it is written";
  EXPECT_EQ(refusal_with("\"digest\"", "\"digest\": null,"),
            settings_.plan + ": has the name \"digest\"" + twice);
  EXPECT_EQ(refusal_with("\"max_orders\"", ""), "none") << "regions are there in two objects";
}

TEST_F(PlanTest, WhatIsNoPlanIsRefused) {
  for (const char* content : {"", "null", "[]", "{}", "{\"sagorder_plan\":", "\xff\xfe"}) {
    put(settings_.plan, content);
    EXPECT_NE(refusal().find("is no plan"), std::string::npos) << content;
  }
  put(settings_.plan, "{\"sagorder_plan\":2}");
  EXPECT_NE(refusal().find("is a plan of format 2"), std::string::npos);
  put(settings_.plan, std::string(kPlanBytesMax + 1, ' '));
  EXPECT_NE(refusal(), "none");
}

}  // namespace
}  // namespace sagorder::io
