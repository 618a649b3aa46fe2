// Fixed work for each room, for counting the instructions that it costs: `cost_work NAME` warms up,
// then does it in a function `count_...`, which tests/cost/guard has callgrind count, and prints
// how many pieces of it were done. Nothing here depends on clock, chance, address or processor.
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "engine/request.hpp"
#include "engine/response.hpp"
#include "engine/verdict.hpp"
#include "tests/engine/steady_path.hpp"

// callgrind knows them by their names, so they stay functions.
#define COUNTED extern "C" [[gnu::noinline]]

namespace sagorder {
namespace {

constexpr std::size_t kTimes = 200;  // pieces of work that are counted

volatile std::size_t g_sink = 0;  // what is never read might never be done

AccessKey key() {
  return {"LTAI5tFakeFakeFakeFakeFa", Secret("a secret of thirty characters."), {}};
}

Order order() {
  Order order;
  order.row = {1};
  order.region_id = "cn-shanghai";
  order.period = 12;
  order.user_count = 5;
  return order;
}

Stamp stamp() {
  Stamp stamp{WallTime{milliseconds{1'767'323'045'000}}, {}};
  stamp.nonce.hex.fill('a');
  return stamp;
}

std::string csv_text() {
  std::string text;
  for (std::size_t i = 0; i < kTimes; ++i) {
    text.append(i % 4 == 0 ? "\"cn-shanghai\"" : "cn-hangzhou").append(",");
    text.append(std::to_string(5 * (1 + i))).append(",12,5,PREPAY,true,");
    text.append(i % 8 == 0 ? "\"a \"\"new\"\" office, north\"\n" : "Office 12\n");
  }
  return text;
}

std::vector<csv::Record> records_of(std::string_view text) {
  std::vector<csv::Record> records;
  csv::Reader reader;
  for (;;) {
    csv::Record record;
    const csv::Result result = reader.next(text, true, record);
    if (result.status != csv::Status::record) return records;
    text.remove_prefix(result.consumed);
    records.push_back(std::move(record));
  }
}

Reply reply(int status, std::string_view body) {
  Reply reply;
  reply.status = status;
  reply.body = body;
  reply.content_type = "application/json";
  reply.date = "Fri, 02 Jan 2026 03:04:05 GMT";
  return reply;
}

}  // namespace

COUNTED void count_sign(const Signer& signer, SignatureStages& stages) {
  for (std::size_t i = 0; i < kTimes; ++i) {
    signer.seal(stages);
    g_sink = g_sink + stages.signature.size();
  }
}

COUNTED void count_request(const RequestWriter& writer, const Order& order, WireBuffer& out) {
  const Stamp at = stamp();
  for (std::size_t i = 0; i < kTimes; ++i) {
    writer.write(order, "smartag.cn-shanghai.aliyuncs.com", at, out);
    g_sink = g_sink + out.bytes.size();
  }
}

COUNTED void count_csv(std::string_view text, csv::Record& record) {
  csv::Reader reader;
  for (std::size_t i = 0; i < kTimes; ++i) {
    text.remove_prefix(reader.next(text, true, record).consumed);
    g_sink = g_sink + record.fields.size();
  }
}

COUNTED void count_intake(Intake& intake, const std::vector<csv::Record>& records, Order& order) {
  std::vector<Complaint> complaints;
  for (std::size_t i = 0; i < kTimes; ++i) {
    if (!intake.row(records[1 + i], order, complaints)) std::abort();
    g_sink = g_sink + order.user_count;
  }
}

COUNTED void count_answer(AnswerReader& reader, const Reply& reply, Answer& answer) {
  for (std::size_t i = 0; i < kTimes; ++i) {
    reader.read(reply, answer);
    g_sink = g_sink + static_cast<std::size_t>(judge(answer, true).fate);
  }
}

COUNTED void count_orders(testing::SteadyPath& path, std::uint64_t placed) {
  path.run_until(placed);
}

namespace {

void sign(Scheme scheme) {
  const RequestWriter writer(scheme, Method::post, key());
  const auto signer = make_signer(scheme, key().secret);
  WireBuffer out;
  writer.write(order(), "smartag.cn-shanghai.aliyuncs.com", stamp(), out);
  count_sign(*signer, out.stages);
}

void request(Scheme scheme) {
  const RequestWriter writer(scheme, Method::post, key());
  WireBuffer out;
  const Order one = order();
  writer.write(one, "smartag.cn-shanghai.aliyuncs.com", stamp(), out);
  count_request(writer, one, out);
}

void csv_records() {
  const std::string text = csv_text();
  csv::Record record;
  csv::Reader().next(text, true, record);
  count_csv(text, record);
}

void intake() {
  const std::string text =
      "RegionId,UserCount,Period,DataPlan,ChargeType,AutoPay,Note\n" + csv_text();
  const std::vector<csv::Record> records = records_of(text);
  IntakeOptions options;
  options.carry = {"Note"};
  Intake intake(options);
  Order order;
  std::vector<Complaint> complaints;
  if (!intake.header(records[0], complaints)) std::abort();
  for (std::size_t i = 0; i < kTimes; ++i) intake.row(records[1 + i], order, complaints);
  count_intake(intake, records, order);
}

void answer(int status, std::string_view body) {
  AnswerReader reader;
  Answer answer;
  const Reply one = reply(status, body);
  reader.read(one, answer);
  count_answer(reader, one, answer);
}

/// @return the orders: they come in groups, so there are a few more
std::size_t orders(Scheme scheme) {
  testing::SteadyPath path(4000, scheme);  // so many that none of those counted is near the last
  path.run_until(2000);
  const std::uint64_t before = path.placed();
  count_orders(path, 3000);
  return path.placed() - before;
}

constexpr std::string_view kPlaced =
    R"({"SmartAGId":"sag-gnhe6sywtare5nt","RequestId":"B35789C0-A570-4C2F-96D6-2B46FBB9D64A",)"
    R"("OrderId":"203782300920296"})";
constexpr std::string_view kRefused =
    R"({"RequestId":"8906582E-6722-409A-A6C4-0E7863B733A5","Code":"SAG.InvalidUserCount",)"
    R"("Message":"The specified UserCount is invalid."})";

/// @return how many pieces of work were counted; 0: no such work
std::size_t work(std::string_view name) {
  if (name == "order acs3-hmac-sha256") return orders(Scheme::acs3_hmac_sha256);
  if (name == "order hmac-sha1") return orders(Scheme::hmac_sha1);
  if (name == "sign acs3-hmac-sha256") {
    sign(Scheme::acs3_hmac_sha256);
  } else if (name == "sign hmac-sha1") {
    sign(Scheme::hmac_sha1);
  } else if (name == "request acs3-hmac-sha256") {
    request(Scheme::acs3_hmac_sha256);
  } else if (name == "request hmac-sha1") {
    request(Scheme::hmac_sha1);
  } else if (name == "csv record") {
    csv_records();
  } else if (name == "intake row") {
    intake();
  } else if (name == "answer placed") {
    answer(200, kPlaced);
  } else if (name == "answer refused") {
    answer(400, kRefused);
  } else {
    return 0;
  }
  return kTimes;
}

}  // namespace

}  // namespace sagorder

int main(int argc, char** argv) {
  const std::size_t pieces = argc == 2 ? sagorder::work(argv[1]) : 0;
  if (pieces == 0) {
    std::fprintf(stderr,
                 "usage: cost_work NAME, with a name out of tests/cost/instructions.json\n");
    return 2;
  }
  std::printf("%zu\n", pieces);
}
