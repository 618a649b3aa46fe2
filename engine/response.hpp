// Status, headers and body to an Answer: JSON by simdjson, XML by a small strict scanner, or "not
// understood". Never a crash, never an OrderId that was not there, never a Code that was guessed.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/moment.hpp"
#include "engine/secret.hpp"

namespace sagorder {

/// A complete HTTP answer as io read it. Views are valid during the call only.
struct Reply {
  int status = 0;
  std::string_view body;
  std::string_view content_type;
  std::string_view date;                 ///< `Date`
  std::string_view retry_after;          ///< `x-acs-retry-after`, ms
  std::string_view rate_limit_user;      ///< `X-RateLimit-User`
  std::string_view rate_limit_user_api;  ///< `X-RateLimit-User-API`
  bool surplus = false;                  ///< bytes came behind the answer's end
};

inline constexpr std::size_t kBodyHeadMax = 512;  ///< bytes of a body kept as evidence
inline constexpr std::size_t kCodeMax = 128;      ///< a longer Code is no code
inline constexpr std::size_t kMessageMax = 1024;  ///< longer messages are clipped

enum class AnswerKind : std::uint8_t {
  ordered,         ///< 2xx with exactly one well-formed OrderId and no Code
  error,           ///< well-formed error with exactly one Code
  not_understood,  ///< all else: HTML, broken, no OrderId, an OrderId anywhere beside a Code, ...
};

/// A quota's state as the gateway reported it.
struct RateHint {
  std::optional<milliseconds> retry_after;  ///< x-acs-retry-after
  std::optional<std::uint64_t> limit;       ///< X-RateLimit-User*: Limit
  std::optional<std::uint64_t> remain;      ///< Remain
  std::optional<milliseconds> time_left;    ///< TimeLeft
};

/// Strings are reused from answer to answer.
struct Answer {
  AnswerKind kind = AnswerKind::not_understood;
  int http_status = 0;
  bool surplus = false;  ///< as in Reply
  std::string order_id;  ///< digits as sent, string or number
  std::string sag_id;    ///< SmartAGId
  std::string request_id;
  std::string code;
  std::string message;                ///< control characters made spaces, clipped
  std::string body_head;              ///< first bytes of the body unless ordered; made printable
  RateHint hint;                      ///< the stricter of the two headers
  std::optional<WallTime> server_at;  ///< the `Date` header
};

/// Owns the parsers' buffers; one for each thread.
class AnswerReader {
 public:
  AnswerReader();
  ~AnswerReader();
  AnswerReader(AnswerReader&&) noexcept;
  AnswerReader& operator=(AnswerReader&&) noexcept;
  /// What no text of an answer ever shows: secret, security token. Empty ones are ignored.
  void hide(std::vector<Secret> values);
  void read(const Reply& reply, Answer& answer);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sagorder
