// A pipeline to which a test says each event and its moment, one by one.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/pipeline.hpp"

namespace sagorder::testing {

inline constexpr std::string_view kNow =
    "Fri, 02 Jan 2026 03:04:05 GMT";  // as ByHand's clock begins
inline constexpr std::string_view kHourBefore = "Fri, 02 Jan 2026 02:04:05 GMT";
inline constexpr std::string_view kHourAfter = "Fri, 02 Jan 2026 04:04:05 GMT";

class ByHand {
 public:
  explicit ByHand(const PipelineOptions& options = fixed_endpoint())
      : pipeline(options, rows,
                 RequestWriter(Scheme::acs3_hmac_sha256, Method::post,
                               {"testid", Secret("testsecret"), Secret()}),
                 ResultWriter(ResultFormat::csv, {"Row"}), NonceSource::Key{}) {
    tell(event::Started{});
  }

  /// Without a rate: what is ready is sent at once.
  static PipelineOptions by_region() {
    PipelineOptions options;
    options.rate = {0, seconds(1)};
    return options;
  }
  static PipelineOptions fixed_endpoint() {
    PipelineOptions options = by_region();
    options.endpoint = Endpoint{"localhost", 443};
    return options;
  }
  /// What is ready is held until it has a connection and a token.
  static PipelineOptions with_rate() {
    PipelineOptions options = fixed_endpoint();
    options.rate = {10, seconds(1)};
    return options;
  }

  const Actions& tell(const Event& event) {
    actions = &pipeline.resume(event, {steady, wall});
    return *actions;
  }
  const Actions& commit() { return tell(event::Committed{}); }
  const Actions& interrupt() { return tell(event::Interrupted{}); }

  const Actions& read(std::uint64_t row, std::uint32_t seats = 1,
                      const std::string& region = "cn-shanghai") {
    Order order;
    order.row = {row};
    order.region_id = region;
    order.period = 1;
    order.user_count = seats;
    order.cells.push_back(std::to_string(row));
    return tell(event::OrderRead{&order});
  }

  /// Reads a row and makes its intent durable. @return the slot that is to be sent
  Slot send(std::uint64_t row, std::uint32_t seats = 1) {
    read(row, seats);
    commit();
    EXPECT_EQ(actions->sends.size(), 1U);
    return actions->sends.at(0).slot;
  }

  const Actions& place(Slot slot, const std::string& order_id) {
    return reply(slot, 200, R"("OrderId":")" + order_id + "\"");
  }
  const Actions& refuse(Slot slot, const std::string& code, std::string_view date = kNow) {
    return reply(slot, 400, R"("Code":")" + code + R"(","Message":"m")", date);
  }
  const Actions& fault(Slot slot, FaultKind kind, std::uint64_t accepted,
                       std::uint64_t answered = 0) {
    const Fault fault{kind, accepted, answered, "detail"};
    return tell(event::Faulted{slot, &fault});
  }

  [[nodiscard]] State state(std::uint64_t row) const { return rows.state({row}); }

  Rows rows{300};
  Pipeline pipeline;
  SteadyTime steady{seconds(1000)};
  WallTime wall{milliseconds(1'767'323'045'000)};
  const Actions* actions = nullptr;  ///< the last

 private:
  const Actions& reply(Slot slot, int status, const std::string& members,
                       std::string_view date = kNow) {
    const std::string body =
        R"({"RequestId":"B35789C0-A570-4C2F-96D6-2B46FBB9D64A",)" + members + "}";
    Reply reply;
    reply.status = status;
    reply.body = body;
    reply.date = date;
    return tell(event::Replied{slot, &reply});
  }
};

}  // namespace sagorder::testing
