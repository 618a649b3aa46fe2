// Both schemes beside the price of the hash itself. The goal is a signed request within 1.5 times
// that price.
#define OPENSSL_SUPPRESS_DEPRECATED  // the yardstick is the low-level interface
#include <benchmark/benchmark.h>
#include <openssl/sha.h>

#include <array>
#include <ctime>
#include <string>
#include <vector>

#include "engine/order.hpp"
#include "engine/request.hpp"
#include "engine/signing.hpp"

namespace sagorder {
namespace {

constexpr std::string_view kEmptyHash =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr std::string_view kNonce = "3ee8c1b883d344afa94f4e0ad82fd6cf";
constexpr std::string_view kTimestamp = "2026-01-02T03:04:05Z";

const std::vector<Parameter> kRpcParameters = {
    {"AccessKeyId", "LTAI5tFakeFakeFakeFakeFa"},
    {"Action", kAction},
    {"AutoPay", "true"},
    {"ChargeType", kChargeTypePrepay},
    {"DataPlan", "5"},
    {"Format", "JSON"},
    {"Period", "12"},
    {"RegionId", "cn-shanghai"},
    {"SignatureMethod", "HMAC-SHA1"},
    {"SignatureNonce", kNonce},
    {"SignatureVersion", "1.0"},
    {"Timestamp", kTimestamp},
    {"UserCount", "5"},
    {"Version", kVersion},
};
const std::vector<Parameter> kAcs3Parameters = {
    {"AutoPay", "true"}, {"ChargeType", kChargeTypePrepay}, {"DataPlan", "5"},
    {"Period", "12"},    {"RegionId", "cn-shanghai"},       {"UserCount", "5"},
};
const std::vector<Parameter> kAcs3Headers = {
    {"host", "smartag.cn-shanghai.aliyuncs.com"},
    {"x-acs-action", kAction},
    {"x-acs-content-sha256", kEmptyHash},
    {"x-acs-date", kTimestamp},
    {"x-acs-signature-nonce", kNonce},
    {"x-acs-version", kVersion},
};

SigningInput input_of(Scheme scheme) {
  if (scheme == Scheme::hmac_sha1) return {"POST", kRpcParameters, {}, {}};
  return {"POST", kAcs3Parameters, kAcs3Headers, kEmptyHash};
}

SignatureStages stages_of(Scheme scheme) {
  SignatureStages stages;
  make_signer(scheme, Secret("a secret of thirty characters."))->sign(input_of(scheme), stages);
  return stages;
}

// From parameters in any number, as the tests do; a run lays its text out from prepared pieces.
void sign(benchmark::State& state, Scheme scheme) {
  const auto signer = make_signer(scheme, Secret("a secret of thirty characters."));
  const SigningInput input = input_of(scheme);
  SignatureStages stages;
  for (auto _ : state) {
    signer->sign(input, stages);
    benchmark::DoNotOptimize(stages.signature.data());
  }
}
BENCHMARK_CAPTURE(sign, hmac_sha1, Scheme::hmac_sha1);
BENCHMARK_CAPTURE(sign, acs3_hmac_sha256, Scheme::acs3_hmac_sha256);

// The yardstick: the same bytes through OpenSSL's raw compression, on prepared midstates, and no
// more.
class RawHmacSha1 {
 public:
  explicit RawHmacSha1(const SignatureStages& stages) : stages_(stages) {
    const std::array<unsigned char, 64> block{};
    SHA1_Init(&midstate_);
    SHA1_Update(&midstate_, block.data(), block.size());
  }
  void operator()() {
    hash(stages_.string_to_sign.data(), stages_.string_to_sign.size());
    hash(digest_.data(), digest_.size());
    benchmark::DoNotOptimize(digest_.data());
    benchmark::ClobberMemory();
  }

 private:
  void hash(const void* bytes, std::size_t count) {
    SHA_CTX context = midstate_;
    SHA1_Update(&context, bytes, count);
    SHA1_Final(digest_.data(), &context);
  }
  const SignatureStages& stages_;
  SHA_CTX midstate_;
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest_;
};

class RawAcs3HmacSha256 {
 public:
  explicit RawAcs3HmacSha256(const SignatureStages& stages) : stages_(stages) {
    const std::array<unsigned char, 64> block{};
    SHA256_Init(&fresh_);
    midstate_ = fresh_;
    SHA256_Update(&midstate_, block.data(), block.size());
  }
  void operator()() {
    hash(fresh_, stages_.canonical.data(), stages_.canonical.size());
    hash(midstate_, stages_.string_to_sign.data(), stages_.string_to_sign.size());
    hash(midstate_, digest_.data(), digest_.size());
    benchmark::DoNotOptimize(digest_.data());
    benchmark::ClobberMemory();
  }

 private:
  void hash(SHA256_CTX context, const void* bytes, std::size_t count) {
    SHA256_Update(&context, bytes, count);
    SHA256_Final(digest_.data(), &context);
  }
  const SignatureStages& stages_;
  SHA256_CTX fresh_;
  SHA256_CTX midstate_;
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest_;
};

double cpu_ns() {
  std::timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

// Side by side, in turns, so that both meet the same machine: `work` against `raw`, in ns of CPU.
template <class Work, class Raw>
void compare(benchmark::State& state, Work work, Raw raw) {
  constexpr int kTurn = 400;
  double for_work = 0;
  double for_raw = 0;
  for (auto _ : state) {
    const double begin = cpu_ns();
    for (int i = 0; i < kTurn; ++i) work();
    const double middle = cpu_ns();
    for (int i = 0; i < kTurn; ++i) raw();
    for_raw += cpu_ns() - middle;
    for_work += middle - begin;
  }
  const double pieces = static_cast<double>(state.iterations()) * kTurn;
  state.counters["ns"] = for_work / pieces;
  state.counters["hash_ns"] = for_raw / pieces;
  state.counters["times_the_hash"] = for_work / for_raw;
}

template <class Raw>
void seal_against_hash(benchmark::State& state, Scheme scheme) {
  const auto signer = make_signer(scheme, Secret("a secret of thirty characters."));
  SignatureStages stages = stages_of(scheme);
  const SignatureStages same = stages;
  compare(
      state,
      [&] {
        signer->seal(stages);
        benchmark::DoNotOptimize(stages.signature.data());
      },
      Raw(same));
}
void seal_against_hash_hmac_sha1(benchmark::State& state) {
  seal_against_hash<RawHmacSha1>(state, Scheme::hmac_sha1);
}
BENCHMARK(seal_against_hash_hmac_sha1);
void seal_against_hash_acs3_hmac_sha256(benchmark::State& state) {
  seal_against_hash<RawAcs3HmacSha256>(state, Scheme::acs3_hmac_sha256);
}
BENCHMARK(seal_against_hash_acs3_hmac_sha256);

// All that an order pays before the wire: its request laid out, signed, and written into a buffer.
template <class Raw>
void request_against_hash(benchmark::State& state, Scheme scheme) {
  const RequestWriter writer(scheme, Method::post,
                             {"LTAI5tFakeFakeFakeFakeFa", Secret("a secret"), Secret()});
  Order order;
  order.row = {1};
  order.region_id = "cn-shanghai";
  order.period = 12;
  order.user_count = 5;
  Stamp stamp{WallTime{milliseconds{1'767'323'045'000}}, {}};
  kNonce.copy(stamp.nonce.hex.data(), stamp.nonce.hex.size());
  WireBuffer out;
  const auto write = [&] {
    writer.write(order, "smartag.cn-shanghai.aliyuncs.com", stamp, out);
    benchmark::DoNotOptimize(out.bytes.data());
  };
  write();
  const SignatureStages same = out.stages;
  compare(state, write, Raw(same));
}
void request_against_hash_hmac_sha1(benchmark::State& state) {
  request_against_hash<RawHmacSha1>(state, Scheme::hmac_sha1);
}
BENCHMARK(request_against_hash_hmac_sha1);
void request_against_hash_acs3_hmac_sha256(benchmark::State& state) {
  request_against_hash<RawAcs3HmacSha256>(state, Scheme::acs3_hmac_sha256);
}
BENCHMARK(request_against_hash_acs3_hmac_sha256);

void encode(benchmark::State& state) {
  const std::string text = stages_of(Scheme::hmac_sha1).canonical;
  std::string out;
  for (auto _ : state) {
    out.clear();
    append_encoded(out, text);
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(encode);

void timestamp(benchmark::State& state) {
  WallTime at{milliseconds{1'767'323'045'000}};
  std::string out;
  for (auto _ : state) {
    out.clear();
    append_timestamp(out, at);
    at += seconds{1};
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(timestamp);

}  // namespace
}  // namespace sagorder
