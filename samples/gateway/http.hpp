// An HTTP/1.1 request, parsed in place from a flat buffer.
//
// Whoever reads the socket keeps the bytes; a Request is a set of views into them (and into the
// parser's own body store when the body was chunked), valid until the buffer moves. Parsing starts
// over from the first byte each time it is asked: requests here are small and nearly always whole.
// What is ambiguous is refused rather than guessed: both lengths, differing lengths, folded
// headers, blanks before a colon, control characters, a second Host.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gateway {

inline constexpr std::size_t kHeaderBytesMax = 16'384;
inline constexpr std::size_t kBodyBytesMax = 65'536;
// Chunked framing may be as long as the body it carries, never longer.
inline constexpr std::size_t kRequestBytesMax = kHeaderBytesMax + 2 * kBodyBytesMax;
inline constexpr std::size_t kHeaderCountMax = 100;

struct Header {
  std::string_view name;  // in lower case
  std::string_view value;
};

struct Request {
  std::string_view method;
  std::string_view path;
  std::string_view query;  // without the question mark
  std::vector<Header> headers;
  std::string_view body;
  bool keep_alive = true;

  // The first header of that (lower-case) name; nullptr if there is none.
  const Header* find(std::string_view name) const;
  // Its value, or empty.
  std::string_view value(std::string_view name) const;
};

enum class Parse {
  complete,
  need_more,
  bad,  // answer `status` and close: where the next request begins is unknown
};

class RequestParser {
 public:
  // Lower-cases header names in `bytes`. On `complete`, `request` is filled and `consumed` set; on
  // `bad`, `status` and `complaint` are.
  Parse parse(std::span<char> bytes, Request& request);

  std::size_t consumed() const { return consumed_; }
  int status() const { return status_; }
  std::string_view complaint() const { return complaint_; }

 private:
  Parse refuse(int status, std::string_view complaint);
  bool parse_request_line(std::string_view line, Request& request);
  bool parse_header(std::span<char> line, Request& request);
  Parse parse_framing(Request& request);
  Parse parse_chunks(std::string_view rest, std::size_t head_bytes);

  std::size_t consumed_ = 0;
  int status_ = 0;
  std::string_view complaint_;
  bool http_1_0_ = false;
  bool chunked_ = false;
  std::size_t content_length_ = 0;
  std::string chunked_body_;
};

// Equal but for the case of ASCII letters.
bool equal_ignoring_case(std::string_view a, std::string_view b);

}  // namespace gateway
