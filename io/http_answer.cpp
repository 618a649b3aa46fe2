#include "io/http_answer.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/planted.hpp"

namespace sagorder::io {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::beast::error_code;

enum Kept : std::size_t {
  kContentType,
  kDate,
  kRetryAfter,
  kRateLimitUser,
  kRateLimitUserApi,
  kKeptCount,
};

/// What is kept of an answer. Lives longer than the parser of one message.
struct Parts {
  int status = 0;
  int version = 0;
  bool close_named = false;
  bool length_named = false;
  std::string body;
  std::array<std::string, kKeptCount> values;
  std::array<bool, kKeptCount> seen{};

  void clear() {
    status = version = 0;
    close_named = length_named = false;
    body.clear();
    for (std::string& value : values) value.clear();
    seen.fill(false);
  }
};

std::optional<Kept> kept_by(http::field field, beast::string_view name) {
  if (field == http::field::content_type) return kContentType;
  if (field == http::field::date) return kDate;
  if (field != http::field::unknown) return std::nullopt;
  if (beast::iequals(name, "x-acs-retry-after")) return kRetryAfter;
  if (beast::iequals(name, "X-RateLimit-User")) return kRateLimitUser;
  if (beast::iequals(name, "X-RateLimit-User-API")) return kRateLimitUserApi;
  return std::nullopt;
}

bool is_interim(int status) { return status >= 100 && status < 200; }

/// One number, once. Beast lets a length stand twice, or twice in one line, if the two agree.
bool is_length(beast::string_view value) {
  return !value.empty() &&
         std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// Beast joins a folded line (RFC 9112, 5.2), silently.
bool has_folded_line(std::string_view header) {
  for (std::size_t at = 0; (at = header.find('\n', at)) != std::string_view::npos;) {
    if (++at < header.size() && (header[at] == ' ' || header[at] == '\t')) return true;
  }
  return false;
}

/// One message. Made anew for each (Beast's parsers cannot be reset), which allocates nothing.
class Parser final : public http::basic_parser<false> {
 public:
  explicit Parser(Parts& parts) : parts_(parts) {
    header_limit(kAnswerHeaderBytesMax);
    body_limit(kAnswerBodyBytesMax);
  }

 private:
  void on_request_impl(http::verb, beast::string_view, beast::string_view, int,
                       error_code&) override {}

  void on_response_impl(int code, beast::string_view, int version, error_code& error) override {
    parts_.clear();  // what an interim answer said is no part of the final one
    parts_.status = code;
    parts_.version = version;
    if (code < 100) error = http::error::bad_status;
  }

  void on_field_impl(http::field field, beast::string_view name, beast::string_view value,
                     error_code& error) override {
    if (is_header_done()) return;  // a trailer
    if (field == http::field::connection) {
      for (const auto token : http::token_list{value}) {
        if (beast::iequals(token, "close")) parts_.close_named = true;
      }
    } else if (field == http::field::transfer_encoding) {
      // Beast would take a coding it does not know for "the body ends with the stream".
      const bool known = parts_.version >= 11 && beast::iequals(value, "chunked");
      if (!known || is_interim(parts_.status)) error = http::error::bad_transfer_encoding;
    } else if (field == http::field::content_length) {
      // Nor has an interim answer a body: what followed would be read as the answer itself.
      if (!is_length(value) || is_interim(parts_.status)) error = http::error::bad_content_length;
      if (std::exchange(parts_.length_named, true)) error = http::error::multiple_content_length;
    } else if (const std::optional<Kept> kept = kept_by(field, name); kept && !parts_.seen[*kept]) {
      parts_.seen[*kept] = true;
      parts_.values[*kept].assign(value.data(), value.size());
    }
  }

  void on_header_impl(error_code& error) override {
    // 101: nobody asked for another protocol.
    if (parts_.status == 101) error = http::error::bad_status;
  }

  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}

  std::size_t on_body_impl(beast::string_view bytes, error_code&) override {
    parts_.body.append(bytes.data(), bytes.size());
    return bytes.size();
  }

  void on_chunk_header_impl(std::uint64_t, beast::string_view, error_code&) override {}

  std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view bytes,
                                 error_code& error) override {
    return on_body_impl(bytes, error);
  }

  void on_finish_impl(error_code&) override {}

  Parts& parts_;
};

bool is_limit(const error_code& error) {
  return error == http::error::header_limit || error == http::error::body_limit;
}

}  // namespace

struct HttpAnswer::State {
  Parts parts;
  std::optional<Parser> parser;
  std::vector<char> buffer = std::vector<char>(kAnswerBufferBytesFirst);
  std::size_t begin = 0;  // first byte not yet understood
  std::size_t end = 0;
  std::size_t header_bytes = 0;  // of the message at hand, without those not yet understood
  std::size_t total_bytes = 0;
  int interim = 0;
  std::string complaint;

  Progress refuse(Progress how, std::string_view why) {
    complaint.assign(why);
    return how;
  }

  /// Beast holds each call to the limit; this holds the header to it, over all calls.
  bool header_over_limit(std::size_t used) {
    header_bytes += used;
    const std::size_t waiting = parser->is_header_done() ? 0 : end - begin;
    return header_bytes + waiting > kAnswerHeaderBytesMax;
  }

  /// One step of the parser. @return nullopt: there may be more to understand.
  std::optional<Progress> step() {
    const bool in_header = !parser->is_header_done();
    parser->eager(!in_header);  // stop behind the header, so that `used` is its length
    error_code error;
    const std::size_t used =
        parser->put(boost::asio::const_buffer(buffer.data() + begin, end - begin), error);
    const std::string_view understood(buffer.data() + begin, used);
    begin += used;
    if (in_header && header_over_limit(used)) {
      return refuse(Progress::too_large, "the header is too large");
    }
    if (in_header && has_folded_line(understood)) {
      return refuse(Progress::malformed, "the header has a folded line");
    }
    if (error == http::error::need_more) return Progress::need_more;
    if (error) {
      return refuse(is_limit(error) ? Progress::too_large : Progress::malformed, error.message());
    }
    return parser->is_done() ? finish_message() : unfinished();
  }

  std::optional<Progress> finish_message() {
    if (!is_interim(parts.status)) return Progress::whole;
    if (++interim > kInterimAnswersMax) {
      return refuse(Progress::malformed, "too many interim answers");
    }
    parser.emplace(parts);
    header_bytes = 0;
    return std::nullopt;
  }

  std::optional<Progress> unfinished() {
    if (parser->is_header_done() && parser->need_eof() && !parts.close_named) {
      return refuse(Progress::malformed, "the answer has no length and announces no close");
    }
    return std::nullopt;
  }
};

HttpAnswer::HttpAnswer() : state_(std::make_unique<State>()) { restart(); }
HttpAnswer::~HttpAnswer() = default;

void HttpAnswer::restart() {
  State& state = *state_;
  state.parts.clear();
  state.parser.emplace(state.parts);
  if (!planted(Planted::surplus_ignored)) state.begin = state.end = 0;
  state.header_bytes = state.total_bytes = 0;
  state.interim = 0;
  state.complaint.clear();
}

std::span<char> HttpAnswer::room() {
  State& state = *state_;
  if (state.begin == state.end) state.begin = state.end = 0;
  if (state.end == state.buffer.size() && state.begin > 0) {
    std::memmove(state.buffer.data(), state.buffer.data() + state.begin, state.end - state.begin);
    state.end -= state.begin;
    state.begin = 0;
  }
  if (state.end == state.buffer.size()) state.buffer.resize(2 * state.buffer.size());
  return std::span(state.buffer).subspan(state.end);
}

HttpAnswer::Progress HttpAnswer::take(std::size_t count) {
  State& state = *state_;
  state.end += count;
  state.total_bytes += count;
  while (state.begin < state.end) {
    const std::optional<Progress> progress = state.step();
    if (progress && *progress != Progress::need_more) return *progress;
    if (progress) break;
  }
  if (state.total_bytes > kAnswerBytesMax) {
    return state.refuse(Progress::too_large, "the answer is too large");
  }
  if (state.end - state.begin >= kAnswerBufferBytesMax) {
    return state.refuse(Progress::too_large, "a line of the answer is too long");
  }
  return Progress::need_more;
}

bool HttpAnswer::take_end() {
  Parser& parser = *state_->parser;
  if (!parser.is_header_done() || !parser.need_eof() || parser.is_done()) return false;
  error_code error;
  parser.put_eof(error);
  return !error;
}

Reply HttpAnswer::reply() const {
  const Parts& parts = state_->parts;
  return Reply{.status = parts.status,
               .body = parts.body,
               .content_type = parts.values[kContentType],
               .date = parts.values[kDate],
               .retry_after = parts.values[kRetryAfter],
               .rate_limit_user = parts.values[kRateLimitUser],
               .rate_limit_user_api = parts.values[kRateLimitUserApi],
               .surplus = !planted(Planted::surplus_ignored) && state_->begin != state_->end};
}

bool HttpAnswer::keeps_alive() const { return state_->parser->keep_alive(); }

std::string_view HttpAnswer::complaint() const { return state_->complaint; }

}  // namespace sagorder::io
