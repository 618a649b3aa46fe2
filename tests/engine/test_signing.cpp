#include "engine/signing.hpp"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/engine/allocations.hpp"

namespace sagorder {
namespace {

using Json = nlohmann::json;
using Pairs = std::vector<std::pair<std::string, std::string>>;

Json vectors() {
  std::ifstream file(std::string(SAGORDER_TEST_DATA) + "/signing-vectors.json");
  return Json::parse(file);
}

// Sorted by name bytes: std::map does it.
Pairs pairs_of(const Json& object) {
  std::map<std::string, std::string> sorted;
  for (const auto& [name, value] : object.items()) sorted[name] = value.get<std::string>();
  return {sorted.begin(), sorted.end()};
}

std::vector<Parameter> views_of(const Pairs& pairs) {
  std::vector<Parameter> views;
  for (const auto& [name, value] : pairs) views.push_back({name, value});
  return views;
}

std::string hex_sha256(const std::string& text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha256(), nullptr);
  std::string hex;
  for (unsigned i = 0; i < size; ++i) {
    char pair[3];
    std::snprintf(pair, sizeof pair, "%02x", unsigned{digest[i]});
    hex += pair;
  }
  return hex;
}

TEST(Signing, EveryHmacSha1VectorStageByStage) {
  const Json all = vectors();
  ASSERT_EQ(all["hmac-sha1"].size(), 10U);
  for (const Json& vector : all["hmac-sha1"]) {
    SCOPED_TRACE(vector["name"].get<std::string>());
    const Pairs pairs = pairs_of(vector["parameters"]);
    const auto parameters = views_of(pairs);
    const auto method = vector["method"].get<std::string>();
    const auto signer =
        make_signer(Scheme::hmac_sha1, Secret(vector["access_key_secret"].get<std::string>()));
    SignatureStages stages;
    signer->sign({method, parameters, {}, {}}, stages);
    EXPECT_EQ(stages.canonical, vector["canonical_query"].get<std::string>());
    EXPECT_EQ(stages.string_to_sign, vector["string_to_sign"].get<std::string>());
    EXPECT_EQ(stages.signature, vector["signature"].get<std::string>());
    EXPECT_EQ(signer->scheme(), Scheme::hmac_sha1);
  }
}

TEST(Signing, EveryAcs3VectorStageByStage) {
  const Json all = vectors();
  ASSERT_EQ(all["acs3-hmac-sha256"].size(), 6U);
  for (const Json& vector : all["acs3-hmac-sha256"]) {
    SCOPED_TRACE(vector["name"].get<std::string>());
    const Pairs query = pairs_of(vector["query"]);
    const Pairs header_pairs = pairs_of(vector["signed_headers"]);
    const auto parameters = views_of(query);
    const auto headers = views_of(header_pairs);
    const auto method = vector["method"].get<std::string>();
    const auto payload = vector["hashed_payload"].get<std::string>();
    const auto signer = make_signer(Scheme::acs3_hmac_sha256,
                                    Secret(vector["access_key_secret"].get<std::string>()));
    SignatureStages stages;
    signer->sign({method, parameters, headers, payload}, stages);
    EXPECT_EQ(stages.canonical, vector["canonical_request"].get<std::string>());
    EXPECT_EQ(hex_sha256(stages.canonical), vector["hashed_canonical_request"].get<std::string>());
    EXPECT_EQ(stages.string_to_sign, vector["string_to_sign"].get<std::string>());
    EXPECT_EQ(stages.signature, vector["signature"].get<std::string>());
    EXPECT_EQ(signer->scheme(), Scheme::acs3_hmac_sha256);
  }
}

TEST(Signing, SealGoesOnFromThePreparedText) {
  for (const Scheme scheme : {Scheme::hmac_sha1, Scheme::acs3_hmac_sha256}) {
    const auto signer = make_signer(scheme, Secret("s"));
    const std::vector<Parameter> parameters = {{"a", "1"}, {"b", "x y"}};
    const std::vector<Parameter> headers = {{"host", "h"}};
    SignatureStages whole;
    signer->sign({"POST", parameters, headers, "00"}, whole);
    SignatureStages sealed{whole.canonical, "", "left over"};
    if (scheme == Scheme::hmac_sha1) sealed.string_to_sign = whole.string_to_sign;
    signer->seal(sealed);
    EXPECT_EQ(sealed.string_to_sign, whole.string_to_sign);
    EXPECT_EQ(sealed.signature, whole.signature);
  }
}

// Whatever a text begins with, however the opening falls on the hash's blocks of 64 bytes.
TEST(Signing, AnOpeningChangesNoSignature) {
  const std::string secret = "secret";
  const auto plain = make_signer(Scheme::hmac_sha1, Secret(secret));
  const std::string text(300, 'x');
  for (std::size_t opening = 0; opening <= text.size(); ++opening) {
    const auto opened = make_signer(Scheme::hmac_sha1, Secret(secret), text.substr(0, opening));
    for (const std::string& to_sign :
         {text, text.substr(0, opening), text.substr(0, opening / 2), "y" + text, std::string()}) {
      SignatureStages expected{"", to_sign, ""};
      SignatureStages found = expected;
      plain->seal(expected);
      opened->seal(found);
      ASSERT_EQ(found.signature, expected.signature) << opening << " of " << to_sign.size();
    }
  }
}

// ---- an independent, slow reading of the rules ------------------------------------------------

std::string slow_encode(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 ||
        std::string("-_.~").find(c) != std::string::npos) {
      out += c;
    } else {
      char escape[4];
      std::snprintf(escape, sizeof escape, "%%%02X", unsigned{static_cast<unsigned char>(c)});
      out += escape;
    }
  }
  return out;
}

std::string slow_query(Pairs pairs) {
  std::sort(pairs.begin(), pairs.end());
  std::string out;
  for (const auto& [name, value] : pairs) {
    out += (out.empty() ? "" : "&") + slow_encode(name) + "=" + slow_encode(value);
  }
  return out;
}

std::string slow_hmac(const EVP_MD* hash, const std::string& key, const std::string& text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(hash, key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest, &size);
  return {reinterpret_cast<char*>(digest), size};
}

std::string slow_hex(const std::string& bytes) {
  std::string hex;
  for (const char c : bytes) {
    char pair[3];
    std::snprintf(pair, sizeof pair, "%02x", unsigned{static_cast<unsigned char>(c)});
    hex += pair;
  }
  return hex;
}

std::string slow_base64(const std::string& bytes) {
  std::string out(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                   reinterpret_cast<const unsigned char*>(bytes.data()),
                                   static_cast<int>(bytes.size()));
  out.resize(static_cast<std::size_t>(size));
  return out;
}

// SAGORDER_SEED repeats a run.
std::uint32_t seed_of_run() {
  const char* given = std::getenv("SAGORDER_SEED");
  const auto seed = given != nullptr ? static_cast<std::uint32_t>(std::strtoul(given, nullptr, 10))
                                     : std::random_device{}();
  std::cout << "seed " << seed << '\n';
  return seed;
}

class RandomText {
 public:
  explicit RandomText(std::uint32_t seed) : random_(seed) {}
  std::size_t below(std::size_t end) {
    return std::uniform_int_distribution<std::size_t>(0, end - 1)(random_);
  }
  std::string bytes(std::size_t most) {
    std::string text(below(most + 1), '\0');
    for (char& c : text) c = static_cast<char>(below(256));
    return text;
  }
  Pairs pairs(std::size_t most) {
    std::map<std::string, std::string> sorted;
    for (std::size_t i = below(most + 1); i > 0; --i) {
      // Names need no encoding in practice; sorting is by the bytes of the name itself.
      sorted["N" + std::to_string(below(1000))] = bytes(200);
    }
    return {sorted.begin(), sorted.end()};
  }

 private:
  std::mt19937 random_;
};

TEST(Signing, AgreesWithAnIndependentReference) {
  const std::uint32_t seed = seed_of_run();
  SCOPED_TRACE("seed " + std::to_string(seed));
  RandomText random(seed);
  SignatureStages stages;  // reused, so that nothing may be left over from the round before
  for (int round = 0; round < 500; ++round) {
    const std::string secret = random.bytes(150);  // longer than a block, too
    const Pairs query = random.pairs(12);
    const auto parameters = views_of(query);

    make_signer(Scheme::hmac_sha1, Secret(secret))->sign({"GET", parameters, {}, {}}, stages);
    const std::string to_sign = "GET&%2F&" + slow_encode(slow_query(query));
    ASSERT_EQ(stages.canonical, slow_query(query));
    ASSERT_EQ(stages.string_to_sign, to_sign);
    ASSERT_EQ(stages.signature, slow_base64(slow_hmac(EVP_sha1(), secret + "&", to_sign)));

    const Pairs header_pairs = random.pairs(5);
    const auto headers = views_of(header_pairs);
    make_signer(Scheme::acs3_hmac_sha256, Secret(secret))
        ->sign({"POST", parameters, headers, "ab"}, stages);
    std::string canonical = "POST\n/\n" + slow_query(query) + "\n";
    std::string names;
    for (const auto& [name, value] : header_pairs) {
      canonical += name + ":" + value + "\n";
      names += (names.empty() ? "" : ";") + name;
    }
    canonical += "\n" + names + "\nab";
    const std::string acs3 = "ACS3-HMAC-SHA256\n" + hex_sha256(canonical);
    ASSERT_EQ(stages.canonical, canonical);
    ASSERT_EQ(stages.string_to_sign, acs3);
    ASSERT_EQ(stages.signature, slow_hex(slow_hmac(EVP_sha256(), secret, acs3)));
  }
}

TEST(Signing, EncodesEveryByteByTheRule) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string text(1, static_cast<char>(byte));
    std::string out = "before ";
    append_encoded(out, text);
    EXPECT_EQ(out, "before " + slow_encode(text)) << byte;
  }
  std::string out;
  append_encoded(out, "");
  EXPECT_EQ(out, "");
  append_encoded(out, "a b*~+/=%é阿");
  EXPECT_EQ(out, "a%20b%2A~%2B%2F%3D%25%C3%A9%E9%98%BF");
}

TEST(Signing, TimestampsHaveSecondsAndNoFraction) {
  using namespace std::chrono;
  const auto text = [](WallTime at) {
    std::string out;
    append_timestamp(out, at);
    return out;
  };
  EXPECT_EQ(text(WallTime{}), "1970-01-01T00:00:00Z");
  EXPECT_EQ(text(WallTime{milliseconds{1'767'323'045'000}}), "2026-01-02T03:04:05Z");
  EXPECT_EQ(text(WallTime{milliseconds{1'767'323'045'999}}), "2026-01-02T03:04:05Z");
  EXPECT_EQ(text(sys_days{2024y / February / 29} + 23h + 59min + 59s), "2024-02-29T23:59:59Z");
  EXPECT_EQ(text(WallTime{milliseconds{-1}}), "1969-12-31T23:59:59Z");
  EXPECT_EQ(text(WallTime::min()), "0000-01-01T00:00:00Z");
  EXPECT_EQ(text(WallTime::max()), "9999-12-31T23:59:59Z");
}

TEST(Signing, AllocatesNothingOnceTheBuffersHaveGrown) {
  const std::vector<Parameter> parameters = {{"AutoPay", "true"}, {"RegionId", "cn-shanghai"}};
  const std::vector<Parameter> headers = {{"host", "smartag.cn-shanghai.aliyuncs.com"}};
  for (const Scheme scheme : {Scheme::hmac_sha1, Scheme::acs3_hmac_sha256}) {
    const auto signer = make_signer(scheme, Secret("secret"));
    SignatureStages stages;
    signer->sign({"POST", parameters, headers, "ab"}, stages);
    const auto before = allocations_on_this_thread();
    for (int i = 0; i < 100; ++i) signer->sign({"POST", parameters, headers, "ab"}, stages);
    EXPECT_EQ(allocations_on_this_thread(), before);
  }
}

}  // namespace
}  // namespace sagorder
