// A whole request: laid out, signed and written, beside the signature alone.
#include <benchmark/benchmark.h>

#include <string>

#include "engine/request.hpp"

namespace sagorder {
namespace {

Order order_of(std::uint32_t user_count) {
  Order order;
  order.row = {1};
  order.region_id = "cn-shanghai";
  order.period = 12;
  order.user_count = user_count;
  order.auto_pay = true;
  return order;
}

AccessKey key_of(bool with_token) {
  AccessKey key;
  key.id = "LTAI5tFakeFakeFakeFakeFa";
  key.secret = Secret("a secret of thirty characters.");
  if (with_token) key.security_token = Secret(std::string(600, 'T'));
  return key;
}

void write(benchmark::State& state, Scheme scheme, Method method, bool with_token) {
  const RequestWriter writer(scheme, method, key_of(with_token));
  const Order order = order_of(5);
  Stamp stamp{WallTime{milliseconds{1'767'323'045'000}}, {}};
  stamp.nonce.hex.fill('a');
  WireBuffer out;
  for (auto _ : state) {
    writer.write(order, "smartag.cn-shanghai.aliyuncs.com", stamp, out);
    benchmark::DoNotOptimize(out.bytes.data());
  }
  state.counters["bytes"] = static_cast<double>(out.bytes.size());
}
BENCHMARK_CAPTURE(write, acs3, Scheme::acs3_hmac_sha256, Method::post, false);
BENCHMARK_CAPTURE(write, acs3_with_token, Scheme::acs3_hmac_sha256, Method::post, true);
BENCHMARK_CAPTURE(write, hmac_sha1_post, Scheme::hmac_sha1, Method::post, false);
BENCHMARK_CAPTURE(write, hmac_sha1_get, Scheme::hmac_sha1, Method::get, false);
BENCHMARK_CAPTURE(write, hmac_sha1_post_with_token, Scheme::hmac_sha1, Method::post, true);

void seal_alone(benchmark::State& state, Scheme scheme) {
  const RequestWriter writer(scheme, Method::post, key_of(false));
  const auto signer = make_signer(scheme, key_of(false).secret);
  Stamp stamp{WallTime{milliseconds{1'767'323'045'000}}, {}};
  stamp.nonce.hex.fill('a');
  WireBuffer out;
  writer.write(order_of(5), "smartag.cn-shanghai.aliyuncs.com", stamp, out);
  for (auto _ : state) {
    signer->seal(out.stages);
    benchmark::DoNotOptimize(out.stages.signature.data());
  }
}
BENCHMARK_CAPTURE(seal_alone, acs3, Scheme::acs3_hmac_sha256);
BENCHMARK_CAPTURE(seal_alone, hmac_sha1, Scheme::hmac_sha1);

}  // namespace
}  // namespace sagorder
