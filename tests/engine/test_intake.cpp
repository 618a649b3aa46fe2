#include "engine/intake.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tests/engine/allocations.hpp"

namespace sagorder {
namespace {

struct Taken {
  bool header = false;
  std::vector<Order> orders;  ///< all rows, good or not
  std::vector<bool> good;
  std::vector<std::string> columns;
  std::vector<Complaint> complaints;
};

Taken take(std::string_view input, IntakeOptions options = {},
           csv::Delimiter delimiter = csv::Delimiter::comma) {
  Intake intake(std::move(options));
  csv::Reader reader({}, delimiter);
  csv::Record record;
  Taken taken;
  for (bool is_header = true;; is_header = false) {
    const csv::Result result = reader.next(input, true, record);
    if (result.status == csv::Status::bad) {
      taken.complaints.push_back(
          {Severity::error, result.at, Row{}, std::string(result.complaint)});
    }
    if (result.status != csv::Status::record) return taken;
    input.remove_prefix(result.consumed);
    if (is_header) {
      taken.header = intake.header(record, taken.complaints);
      taken.columns = intake.columns();
      if (!taken.header) return taken;
      continue;
    }
    taken.orders.emplace_back();
    taken.good.push_back(intake.row(record, taken.orders.back(), taken.complaints));
  }
}

std::vector<std::string> lines(const std::vector<Complaint>& complaints) {
  std::vector<std::string> lines;
  for (const Complaint& complaint : complaints) lines.push_back(to_string(complaint, "f"));
  return lines;
}

std::vector<std::string> cells_of(const Order& order) {
  std::vector<std::string> cells;
  for (std::size_t i = 0; i < order.cells.size(); ++i) cells.emplace_back(order.cells[i]);
  return cells;
}

using Strings = std::vector<std::string>;

TEST(Intake, ComplaintsOfTheWidthNameWhatStandsBetweenTheColumns) {
  const std::pair<csv::Delimiter, std::string> all[] = {{csv::Delimiter::comma, "comma"},
                                                        {csv::Delimiter::semicolon, "semicolon"},
                                                        {csv::Delimiter::tab, "tab"}};
  for (const auto& [delimiter, name] : all) {
    std::string input = "RegionId,UserCount,Period\ncn-shanghai,5\ncn-shanghai,5,1,x\n";
    const char between = delimiter == csv::Delimiter::tab         ? '\t'
                         : delimiter == csv::Delimiter::semicolon ? ';'
                                                                  : ',';
    std::ranges::replace(input, ',', between);
    EXPECT_EQ(
        lines(take(input, {}, delimiter).complaints),
        (std::vector<std::string>{
            "f:2:13: error: expected 3 columns as in the header, found 2; add what is missing, "
            "if only " +
                name + "s for empty cells",
            "f:3:17: error: expected 3 columns as in the header, found 4; quote a value that "
            "has a " +
                name + " in it, or remove the rest"}));
  }
}

TEST(Intake, MakesAnOrder) {
  const Taken taken = take(
      "AutoPay,UserCount,RegionId,ResourceGroupId,Period,ChargeType,DataPlan\n"
      "TRUE,15,cn-shanghai-finance-1,rg-aB_9,24,prepay,5\n");
  ASSERT_TRUE(taken.header);
  EXPECT_EQ(lines(taken.complaints), Strings{});
  ASSERT_EQ(taken.orders.size(), 1U);
  EXPECT_TRUE(taken.good[0]);
  const Order& order = taken.orders[0];
  EXPECT_EQ(order.row, Row{1});
  EXPECT_EQ(order.region_id, "cn-shanghai-finance-1");
  EXPECT_EQ(order.period, 24U);
  EXPECT_EQ(order.user_count, 15U);
  EXPECT_EQ(order.data_plan, 5U);
  EXPECT_TRUE(order.auto_pay);
  EXPECT_EQ(order.resource_group_id, "rg-aB_9");
  EXPECT_EQ(cells_of(order),
            (Strings{"TRUE", "15", "cn-shanghai-finance-1", "rg-aB_9", "24", "prepay", "5"}));
}

TEST(Intake, AbsentAndEmptyOptionalsAreTheDefaults) {
  for (const std::string_view input :
       {"RegionId,Period,UserCount\ncn-hongkong,1,5\n",
        "RegionId,Period,UserCount,DataPlan,ChargeType,AutoPay,ResourceGroupId\n"
        "cn-hongkong,1,5,,\"\",,\n"}) {
    const Taken taken = take(input);
    ASSERT_EQ(lines(taken.complaints), Strings{});
    ASSERT_EQ(taken.orders.size(), 1U);
    EXPECT_EQ(taken.orders[0].data_plan, 5U);
    EXPECT_FALSE(taken.orders[0].auto_pay);
    EXPECT_EQ(taken.orders[0].resource_group_id, "");
  }
}

TEST(Intake, AnOrderKeepsNothingOfTheRowBefore) {
  Intake intake({});
  csv::Reader reader;
  csv::Record record;
  std::vector<Complaint> complaints;
  Order order;
  std::string_view input =
      "RegionId,Period,UserCount,AutoPay,ResourceGroupId\n"
      "cn-shanghai,12,10,true,rg-1\n"
      "cn-hongkong,1,5,,\n"
      "XX,x,y,,\n";
  input.remove_prefix(reader.next(input, true, record).consumed);
  ASSERT_TRUE(intake.header(record, complaints));
  std::vector<bool> good;
  for (int i = 0; i < 3; ++i) {
    input.remove_prefix(reader.next(input, true, record).consumed);
    good.push_back(intake.row(record, order, complaints));
    if (i == 1) {
      EXPECT_EQ(order.region_id, "cn-hongkong");
      EXPECT_FALSE(order.auto_pay);
      EXPECT_EQ(order.resource_group_id, "");
      EXPECT_EQ(cells_of(order), (Strings{"cn-hongkong", "1", "5", "", ""}));
    }
  }
  EXPECT_EQ(good, (std::vector<bool>{true, true, false}));
  EXPECT_EQ(order.row, Row{3});
  EXPECT_EQ(order.region_id, "");
  EXPECT_EQ(order.period, 0U);
  EXPECT_EQ(order.user_count, 0U);
}

TEST(Intake, LetsThroughAllThatIsInRange) {
  std::string input = "RegionId,Period,UserCount,ChargeType,AutoPay,ResourceGroupId\n";
  std::size_t rows = 0;
  for (const std::string_view region : kRegions) {
    for (const std::string_view period : {"1", "9", "12", "24", "36"}) {
      for (const std::string_view users : {"5", "1000"}) {
        input.append(region).append(",").append(period).append(",").append(users);
        input += rows % 2 == 0 ? ",PrePay,False," : ",,tRUE," + std::string(64, 'g');
        input += '\n';
        ++rows;
      }
    }
  }
  const Taken taken = take(input, {.set = {}, .carry = {}, .strict = true});
  EXPECT_EQ(lines(taken.complaints), Strings{});
  EXPECT_EQ(taken.orders.size(), rows);
}

TEST(Intake, NumbersEndWhereTheApiEndsThem) {
  const std::string header = "RegionId,Period,UserCount\n";
  const auto good = [&](const std::string& period, const std::string& users) -> bool {
    return take(header + "cn-shanghai," + period + "," + users + "\n").good.at(0);
  };
  EXPECT_TRUE(good("2147483640", "2147483647"));  // 2147483640 is a multiple of 12
  EXPECT_FALSE(good("2147483652", "5"));
  EXPECT_FALSE(good("12", "2147483648"));
  EXPECT_FALSE(good("4294967308", "5"));             // 12 modulo 2^32
  EXPECT_FALSE(good("12", "18446744073709551621"));  // 5 modulo 2^64
}

TEST(Intake, CarriesColumns) {
  EXPECT_FALSE(take("Note,RegionId,Period,UserCount,備考\n").header);
  const Taken carried = take("Note,RegionId,Period,UserCount,備考\n\" =x\",cn-shanghai,12,5,上\n",
                             {.set = {}, .carry = {"備考", "Note"}, .strict = false});
  EXPECT_EQ(lines(carried.complaints), Strings{});
  EXPECT_EQ(carried.columns, (Strings{"Note", "RegionId", "Period", "UserCount", "備考"}));
  ASSERT_EQ(carried.orders.size(), 1U);
  EXPECT_EQ(cells_of(carried.orders[0]), (Strings{" =x", "cn-shanghai", "12", "5", "上"}));
}

TEST(Intake, ComplainsAboutCarry) {
  const auto complaints = [](std::vector<std::string> carry) {
    return lines(take("RegionId,Period,UserCount,Note\n",
                      {.set = {}, .carry = std::move(carry), .strict = false})
                     .complaints);
  };
  EXPECT_EQ(complaints({"Note"}), Strings{});
  EXPECT_EQ(complaints({"Note", "note"}),
            Strings{"f:1:1: error: --carry \"note\", but the file has no such column; did you mean "
                    "Note?"});
  EXPECT_EQ(complaints({"Note", "Period"}),
            Strings{"f:1:1: error: --carry \"Period\" is a parameter, and parameters are in the "
                    "results anyway; drop it"});
  EXPECT_EQ(lines(take("RegionId,Period,UserCount,Status\n",
                       {.set = {}, .carry = {"Status"}, .strict = false})
                      .complaints),
            Strings{"f:1:27: error: \"Status\" is a column of results files, which an input cannot "
                    "have; rename or remove it"});
}

TEST(Intake, ResultsAreNoOrders) {
  for (const char* header :
       {"Row,Status,OrderId,SmartAGId,RequestId,Code,Message,HttpStatus,Attempts,LatencyMs,"
        "FinishedAt,RegionId,Period,UserCount\n",
        "RegionId,Period,UserCount,OrderId,Status,Row\n"}) {
    const Strings said = lines(take(header, {}).complaints);
    ASSERT_EQ(said.size(), 1U) << header;
    EXPECT_NE(said.front().find("f:1:1: error: this is a results file of sagorder"),
              std::string::npos)
        << said.front();
  }
}

TEST(Intake, SetGivesAColumnToAllRows) {
  const Taken taken =
      take("UserCount\n5\n10\n",
           {.set = {{"Period", "12"}, {"RegionId", "cn-shanghai"}, {"AutoPay", "True"}},
            .carry = {},
            .strict = false});
  EXPECT_EQ(lines(taken.complaints), Strings{});
  EXPECT_EQ(taken.columns, (Strings{"UserCount", "Period", "RegionId", "AutoPay"}));
  ASSERT_EQ(taken.orders.size(), 2U);
  EXPECT_EQ(taken.orders[1].region_id, "cn-shanghai");
  EXPECT_EQ(taken.orders[1].period, 12U);
  EXPECT_EQ(taken.orders[1].user_count, 10U);
  EXPECT_TRUE(taken.orders[1].auto_pay);
  EXPECT_EQ(cells_of(taken.orders[1]), (Strings{"10", "12", "cn-shanghai", "True"}));
}

TEST(Intake, ComplainsAboutSet) {
  const auto complaints = [](std::vector<std::pair<std::string, std::string>> set,
                             bool strict = false) {
    return lines(take("RegionId,Period\ncn-shanghai,12\n",
                      {.set = std::move(set), .carry = {}, .strict = strict})
                     .complaints);
  };
  EXPECT_EQ(complaints({{"UserCount", "5"}}), Strings{});
  EXPECT_EQ(complaints({{"UserCount", "5"}, {"UserCount", "5"}}),
            Strings{"f: error: --set \"UserCount\" is given twice; drop one of the two"});
  EXPECT_EQ(complaints({{"UserCount", "5"}, {"Period", "12"}}),
            Strings{"f:1:1: error: --set \"Period\", but the file has this column; drop one of the "
                    "two"});
  EXPECT_EQ(complaints({{"UserCount", "5"}, {"autopay", "true"}}),
            Strings{"f: error: --set \"autopay\" is no parameter of an order; did you mean "
                    "AutoPay?"});
  EXPECT_EQ(complaints({{"UserCount", "0"}}),
            Strings{"f: error: --set UserCount is \"0\": it must be 1 or more"});
  const std::string seven =
      "--set UserCount is \"7\": the vendor's console offers multiples of 5 only";
  EXPECT_EQ(complaints({{"UserCount", "7"}}), Strings{"f: warning: " + seven});
  EXPECT_EQ(complaints({{"UserCount", "7"}}, true), Strings{"f: error: " + seven});
}

TEST(Intake, StrictMakesWarningsErrors) {
  const std::string_view input = "RegionId,Period,UserCount\ncn-shangai,10,7\ncn-shanghai,12,5\n";
  const Taken lenient = take(input);
  const Taken strict = take(input, {.set = {}, .carry = {}, .strict = true});
  EXPECT_EQ(lenient.good, (std::vector<bool>{true, true}));
  EXPECT_EQ(lenient.orders[0].region_id, "cn-shangai");
  EXPECT_EQ(strict.good, (std::vector<bool>{false, true}));
  ASSERT_EQ(lenient.complaints.size(), 3U);
  ASSERT_EQ(strict.complaints.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(lenient.complaints[i].severity, Severity::warning);
    EXPECT_EQ(strict.complaints[i].severity, Severity::error);
    EXPECT_EQ(lenient.complaints[i].text, strict.complaints[i].text);
    EXPECT_EQ(strict.complaints[i].row, Row{1});
  }
}

TEST(Intake, ABadRowStillHasItsNumberAndCells) {
  const Taken taken = take("RegionId,Period,UserCount\na,b\na,b,c,d\ncn-shanghai,12,5\n",
                           {.set = {{"AutoPay", "true"}}, .carry = {}, .strict = false});
  ASSERT_EQ(taken.good, (std::vector<bool>{false, false, true}));
  EXPECT_EQ(taken.orders[0].row, Row{1});
  EXPECT_EQ(cells_of(taken.orders[0]), (Strings{"a", "b", "", "true"}));
  EXPECT_EQ(taken.orders[1].row, Row{2});
  EXPECT_EQ(cells_of(taken.orders[1]), (Strings{"a", "b", "c", "true"}));
  EXPECT_EQ(taken.orders[2].row, Row{3});
}

TEST(Intake, TakesGoodRowsWithoutAllocating) {
  std::string input = "RegionId,Period,UserCount,AutoPay,ResourceGroupId,Note\n";
  for (int i = 0; i < 1000; ++i) {
    input += "cn-shanghai-finance-1,12,5,true,rg-acfmxyzmxyzmxyzmxyz,\"a \"\"long\"\" remark\"\n";
  }
  Intake intake({.set = {{"DataPlan", "5"}}, .carry = {"Note"}, .strict = false});
  csv::Reader reader;
  csv::Record record;
  std::vector<Complaint> complaints;
  Order order;
  std::string_view rest = input;
  const auto next = [&] {
    const csv::Result result = reader.next(rest, true, record);
    rest.remove_prefix(result.consumed);
    return result.status == csv::Status::record;
  };
  ASSERT_TRUE(next() && intake.header(record, complaints));
  ASSERT_TRUE(next() && intake.row(record, order, complaints));
  const std::uint64_t before = allocations_on_this_thread();
  std::uint64_t rows = 1;
  while (next() && intake.row(record, order, complaints)) ++rows;
  EXPECT_EQ(allocations_on_this_thread() - before, 0U);
  EXPECT_EQ(rows, 1000U);
}

TEST(IntakeProperty, NoInputBreaksIt) {
  const std::vector<std::string> pieces = {
      "RegionId",    "Period", "UserCount", "AutoPay", ",",  ",", ",", "\n", "\n",   "\"",
      "cn-shanghai", "12",     "5",         "0",       "13", " ", "x", "上", "\x1b", ";"};
  for (std::uint64_t seed = 1; seed <= 5000; ++seed) {
    std::mt19937_64 random(seed);
    std::string input = seed % 2 == 0 ? "" : "RegionId,Period,UserCount\n";
    for (std::uint64_t n = random() % 40; n > 0; --n) input += pieces[random() % pieces.size()];
    SCOPED_TRACE("seed " + std::to_string(seed) + ": " + testing::PrintToString(input));
    const Taken taken = take(input);
    for (std::size_t i = 0; i < taken.orders.size(); ++i) {
      ASSERT_EQ(taken.orders[i].row, Row{i + 1});
      ASSERT_EQ(taken.orders[i].cells.size(), taken.columns.size());
      const bool complained = std::ranges::any_of(taken.complaints, [&](const Complaint& c) {
        return c.row == Row{i + 1} && c.severity == Severity::error;
      });
      ASSERT_EQ(taken.good[i], !complained);
    }
  }
}

// --- The golden file: what the command prints of broken inputs ---

const std::filesystem::path kBroken = std::filesystem::path(SAGORDER_TEST_DATA) / "csv" / "broken";
const std::filesystem::path kGolden =
    std::filesystem::path(SAGORDER_TEST_DATA) / "csv" / "broken.golden";

std::string content(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

TEST(IntakeGolden, ComplainsAboutBrokenInputs) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(kBroken)) {
    if (entry.path().extension() == ".csv") files.push_back(entry.path());
  }
  std::ranges::sort(files);
  ASSERT_GE(files.size(), 40U);
  std::string complaints;
  for (const auto& file : files) {
    const Taken taken = take(content(file));
    for (const Complaint& complaint : taken.complaints) {
      complaints += to_string(complaint, file.filename().string()) + '\n';
    }
    if (taken.complaints.empty()) {
      // Without a header there is no row to be wrong: that the file is empty, the caller says.
      EXPECT_FALSE(taken.header) << file << " is not broken";
    }
  }
  if (std::getenv("SAGORDER_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(kGolden, std::ios::binary) << complaints;
  }
  EXPECT_EQ(complaints, content(kGolden));
}

TEST(Intake, AReferenceIsKnownWithoutBeingCarried) {
  const std::string rows = "RegionId,Reference,Period,UserCount\ncn-shanghai, A-1 ,1,5\n";
  for (const bool carried : {false, true}) {
    IntakeOptions options;
    if (carried) options.carry = {"Reference"};
    const Taken taken = take(rows, options);
    EXPECT_TRUE(taken.complaints.empty());
    ASSERT_EQ(taken.orders.size(), 1U);
    EXPECT_EQ(taken.orders[0].cells[1], " A-1 ") << "as it stands";
  }
  EXPECT_FALSE(take("RegionId,reference,Period,UserCount\n").header) << "the name is exact";
  EXPECT_FALSE(take(rows, {.set = {{"Reference", "x"}}, .carry = {}, .strict = false}).header);
}

TEST(Intake, TellsWhereTheReferenceIs) {
  const auto place_in = [](std::string_view header) {
    Intake intake({.set = {{"Period", "1"}}, .carry = {}, .strict = false});
    csv::Reader reader;
    csv::Record record;
    std::vector<Complaint> complaints;
    reader.next(header, true, record);
    intake.header(record, complaints);
    return intake.reference();
  };
  EXPECT_EQ(place_in("RegionId,UserCount\n"), std::nullopt);
  EXPECT_EQ(place_in("Reference,RegionId,UserCount\n"), 0U);
  EXPECT_EQ(place_in("RegionId,UserCount,Reference\n"), 2U);
}

TEST(Intake, ComplaintsOfOneRuleShareIt) {
  const Taken taken = take("RegionId,Period,UserCount\ncn-shanghai,1,7\ncn-shanghai,13,8\n");
  ASSERT_EQ(taken.complaints.size(), 3U);
  EXPECT_EQ(taken.complaints[0].rule, taken.complaints[2].rule);
  EXPECT_NE(taken.complaints[0].text, taken.complaints[2].text);
  EXPECT_NE(taken.complaints[0].rule, taken.complaints[1].rule);
  EXPECT_TRUE(taken.complaints[0].rule.starts_with("UserCount: "));
}

}  // namespace
}  // namespace sagorder
