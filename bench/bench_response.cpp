// What reading an answer costs: the page's own in JSON and XML, and an error.
#include <benchmark/benchmark.h>

#include <string_view>

#include "engine/response.hpp"

namespace sagorder {
namespace {

constexpr std::string_view kJson =
    R"({"SmartAGId":"sag-gnhe6sywtare5nt***","RequestId":"B35789C0-A570-4C2F-96D6-2B46FBB9D64A",)"
    R"("OrderId":203783300920296})";
constexpr std::string_view kXml =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?><CreateSmartAccessGatewaySoftwareResponse>"
    "<SmartAGId>sag-gnhe6sywtare5nt***</SmartAGId><OrderId>202778336800296</OrderId>"
    "<RequestId>B35789C0-A570-4C2F-96D6-2B46FBB9D64A</RequestId>"
    "</CreateSmartAccessGatewaySoftwareResponse>";
constexpr std::string_view kError =
    R"({"RequestId":"8906582E-6722-409A-A6C4-0E7863B733A5",)"
    R"("HostId":"smartag.cn-shanghai.aliyuncs.com","Code":"Throttling.User",)"
    R"("Message":"Request was denied due to user flow control.",)"
    R"("Recommend":"https://error-center.example/status/search?Keyword=Throttling.User"})";
constexpr std::string_view kHtml =
    "<html><head><title>503 Service Temporarily Unavailable</title></head><body>"
    "<center><h1>503 Service Temporarily Unavailable</h1></center></body></html>";

void read(benchmark::State& state, int status, std::string_view body) {
  AnswerReader reader;
  Answer answer;
  Reply reply;
  reply.status = status;
  reply.body = body;
  reply.date = "Sun, 06 Nov 1994 08:49:37 GMT";
  for (auto _ : state) {
    reader.read(reply, answer);
    benchmark::DoNotOptimize(answer.kind);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) *
                          static_cast<std::int64_t>(body.size()));
}
BENCHMARK_CAPTURE(read, json_placed, 200, kJson);
BENCHMARK_CAPTURE(read, xml_placed, 200, kXml);
BENCHMARK_CAPTURE(read, json_error, 400, kError);
BENCHMARK_CAPTURE(read, html, 503, kHtml);

}  // namespace
}  // namespace sagorder
