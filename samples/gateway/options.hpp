// The command line, as values. Whatever is in an Options was checked.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "answers.hpp"
#include "rules.hpp"

namespace gateway {

struct Credential {
  std::string id;
  std::string secret;
  std::string token;  // empty: a long-lived key
};

struct QuotaLimit {
  std::size_t calls = 0;  // 0: without limit
  std::chrono::nanoseconds window{0};
};

enum class QuotaHint {
  none,         // as most of the vendor's answers
  retry_after,  // x-acs-retry-after, milliseconds
  limit,        // X-RateLimit-User
};

// The keys asked for from `first` to `last`, counted from 1, are not given.
struct KeyFailures {
  std::uint64_t first = 0;  // 0: none
  std::uint64_t last = 0;
};

struct DurationRange {
  std::chrono::microseconds low{0};
  std::chrono::microseconds high{0};
};

struct Options {
  std::string listen_host = "127.0.0.1";  // a loopback address literal
  std::uint16_t listen_port = 0;          // 0: any free one
  std::string port_file;                  // empty: none
  std::string pki_dir;                    // empty: cert_file and key_file are given
  std::string cert_file;
  std::string key_file;
  std::string client_ca_file;  // whose certificates clients must show; empty: nobody is asked
  std::vector<Credential> credentials = {{"testid", "testsecret", ""}};
  std::string executed_file;  // empty: none
  std::string counts_file;    // empty: standard output only
  QuotaLimit quota;
  QuotaHint quota_hint = QuotaHint::none;
  DurationRange latency;
  std::string faults;
  std::string query_faults;                    // of the read-only calls
  std::chrono::microseconds listing_delay{0};  // until an order is listed
  std::int64_t use_limit = 500;                // TotalAmount of GetSmartAccessGatewayUseLimit
  std::uint64_t seed = 1;
  OrderIdShape order_id = OrderIdShape::mixed;
  RuleSet rule_set = RuleSet::page;
  std::chrono::microseconds idle = std::chrono::seconds(10);
  std::chrono::microseconds dribble_gap = std::chrono::milliseconds(20);
  std::chrono::microseconds nonce_window = std::chrono::minutes(15);
  std::chrono::microseconds clock_offset{0};  // added to the wall clock; may be negative
  std::size_t connections_max = 4096;
  std::string key_host = "127.0.0.1";     // where keys are handed out in plain HTTP
  std::optional<std::uint16_t> key_port;  // nullopt: nowhere; 0: any free one
  std::string key_port_file;              // empty: none
  std::chrono::microseconds key_life = std::chrono::hours(1);
  std::chrono::microseconds key_told{0};  // the life that is told; 0: the true one
  KeyFailures key_failures;
  std::string role = "sagorder";       // of the instance; empty: none is attached
  bool metadata_v1 = false;            // the metadata service knows no tokens
  std::string oidc_token;              // that AssumeRoleWithOIDC takes; empty: none
  bool allow_repeated_nonces = false;  // to measure with one request signed beforehand
};

// Fills `options`. An exit code when the program is done already: help (0), usage error (2).
std::optional<int> parse_options(int argc, const char* const* argv, Options& options);

// Each throws std::invalid_argument, saying what is wrong.
// `500us`, `5ms`, `10s`, `2m`, `0`; a sign only if `is_signed`.
std::chrono::microseconds parse_duration(std::string_view text, bool is_signed = false);
// `5ms` or `1ms-20ms`.
DurationRange parse_duration_range(std::string_view text);
// `20/s`, `200/60s`, `10/1m`, a bare `20` (a second), `unlimited`.
QuotaLimit parse_quota(std::string_view text);
// `ID:SECRET` or `ID:SECRET:TOKEN`.
Credential parse_credential(std::string_view text);
// `127.0.0.1:8443`, `[::1]:0`, `localhost:0`: loopback only.
void parse_listen(std::string_view text, Options& options);
// The same, for where keys are handed out.
void parse_key_listen(std::string_view text, Options& options);
// `3`, or `2-5`.
KeyFailures parse_key_failures(std::string_view text);

}  // namespace gateway
