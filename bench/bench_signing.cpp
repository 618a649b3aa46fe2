// Both schemes beside the price of the hash itself: the same bytes through OpenSSL's raw
// compression on prepared midstates. The goal is a signature within 1.5 times that price.
#define OPENSSL_SUPPRESS_DEPRECATED  // the yardstick is the low-level interface
#include <benchmark/benchmark.h>
#include <openssl/sha.h>

#include <array>
#include <string>
#include <vector>

#include "engine/order.hpp"
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

// What RequestWriter pays: it lays the text out itself, from prepared pieces.
void seal(benchmark::State& state, Scheme scheme) {
  const auto signer = make_signer(scheme, Secret("a secret of thirty characters."));
  SignatureStages stages = stages_of(scheme);
  for (auto _ : state) {
    signer->seal(stages);
    benchmark::DoNotOptimize(stages.signature.data());
  }
}
BENCHMARK_CAPTURE(seal, hmac_sha1, Scheme::hmac_sha1);
BENCHMARK_CAPTURE(seal, acs3_hmac_sha256, Scheme::acs3_hmac_sha256);

void raw_hash_hmac_sha1(benchmark::State& state) {
  const SignatureStages stages = stages_of(Scheme::hmac_sha1);
  const std::array<unsigned char, 64> block{};
  SHA_CTX midstate;
  SHA1_Init(&midstate);
  SHA1_Update(&midstate, block.data(), block.size());
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest;
  for (auto _ : state) {
    SHA_CTX context = midstate;
    SHA1_Update(&context, stages.string_to_sign.data(), stages.string_to_sign.size());
    SHA1_Final(digest.data(), &context);
    context = midstate;
    SHA1_Update(&context, digest.data(), digest.size());
    SHA1_Final(digest.data(), &context);
    benchmark::DoNotOptimize(digest.data());
    benchmark::ClobberMemory();
  }
}
BENCHMARK(raw_hash_hmac_sha1);

void raw_hash_acs3_hmac_sha256(benchmark::State& state) {
  const SignatureStages stages = stages_of(Scheme::acs3_hmac_sha256);
  const std::array<unsigned char, 64> block{};
  SHA256_CTX fresh;
  SHA256_Init(&fresh);
  SHA256_CTX midstate = fresh;
  SHA256_Update(&midstate, block.data(), block.size());
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest;
  const auto hash = [&digest](SHA256_CTX context, const void* bytes, std::size_t count) {
    SHA256_Update(&context, bytes, count);
    SHA256_Final(digest.data(), &context);
  };
  for (auto _ : state) {
    hash(fresh, stages.canonical.data(), stages.canonical.size());
    hash(midstate, stages.string_to_sign.data(), stages.string_to_sign.size());
    hash(midstate, digest.data(), digest.size());
    benchmark::DoNotOptimize(digest.data());
    benchmark::ClobberMemory();
  }
}
BENCHMARK(raw_hash_acs3_hmac_sha256);

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
