#include "http.hpp"

#include <algorithm>
#include <charconv>

namespace gateway {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool is_token(char c) {
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) return true;
  return c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && c != '\t') || byte == 0x7F;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

template <typename Number>
bool read_whole(std::string_view text, Number& number, int base) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

const Header* Request::find(std::string_view name) const {
  for (const Header& header : headers) {
    if (header.name == name) return &header;
  }
  return nullptr;
}

std::string_view Request::value(std::string_view name) const {
  const Header* header = find(name);
  return header ? header->value : std::string_view();
}

Parse RequestParser::refuse(int status, std::string_view complaint) {
  status_ = status;
  complaint_ = complaint;
  return Parse::bad;
}

Parse RequestParser::parse(std::span<char> bytes, Request& request) {
  request.headers.clear();
  request.body = {};
  const std::string_view text(bytes.data(), bytes.size());
  const std::size_t end = text.substr(0, kHeaderBytesMax).find("\r\n\r\n");
  if (end == std::string_view::npos) {
    if (text.size() >= kHeaderBytesMax) return refuse(431, "the header section is too large");
    return Parse::need_more;
  }
  const std::size_t head_bytes = end + 4;

  std::size_t at = 0;
  for (bool first = true; at < end + 2; first = false) {
    const std::size_t stop = text.find("\r\n", at);
    const bool good = first ? parse_request_line(text.substr(at, stop - at), request)
                            : parse_header(bytes.subspan(at, stop - at), request);
    if (!good) return Parse::bad;
    at = stop + 2;
  }

  if (const Parse framing = parse_framing(request); framing != Parse::complete) return framing;
  const std::string_view rest = text.substr(head_bytes);
  if (chunked_) {
    const Parse outcome = parse_chunks(rest, head_bytes);
    request.body = chunked_body_;
    return outcome;
  }
  if (rest.size() < content_length_) return Parse::need_more;
  request.body = rest.substr(0, content_length_);
  consumed_ = head_bytes + content_length_;
  return Parse::complete;
}

bool RequestParser::parse_request_line(std::string_view line, Request& request) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  const auto bad = [&](int status, std::string_view complaint) {
    refuse(status, complaint);
    return false;
  };
  if (first == std::string_view::npos || first == last) return bad(400, "a bad request line");
  request.method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (request.method.empty() ||
      !std::all_of(request.method.begin(), request.method.end(), is_token))
    return bad(400, "a bad method");
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return bad(505, "a version not spoken here");
  http_1_0_ = version == "HTTP/1.0";
  if (!target.starts_with('/')) return bad(400, "a bad request target");
  for (const char c : target) {
    if (c == ' ' || is_control(c) || c == '\t' || c == '#') return bad(400, "a bad request target");
  }
  const std::size_t mark = target.find('?');
  request.path = target.substr(0, mark);
  request.query = mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
  return true;
}

bool RequestParser::parse_header(std::span<char> line, Request& request) {
  const std::string_view text(line.data(), line.size());
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0 ||
      !std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(colon), is_token)) {
    refuse(400, "a bad header name");  // a folded header begins with a blank and ends here too
    return false;
  }
  const std::string_view value = trim(text.substr(colon + 1));
  if (std::any_of(value.begin(), value.end(), is_control)) {
    refuse(400, "a control character in a header");
    return false;
  }
  if (request.headers.size() == kHeaderCountMax) {
    refuse(431, "too many headers");
    return false;
  }
  std::transform(line.begin(), line.begin() + static_cast<std::ptrdiff_t>(colon), line.begin(),
                 lower);
  request.headers.push_back({text.substr(0, colon), value});
  return true;
}

Parse RequestParser::parse_framing(Request& request) {
  request.keep_alive = !http_1_0_;
  chunked_ = false;
  content_length_ = 0;
  bool has_length = false;
  int hosts = 0;
  for (const auto& [name, value] : request.headers) {
    if (name == "content-length") {
      std::size_t length = 0;
      if (!read_whole(value, length, 10)) return refuse(400, "a bad Content-Length");
      if (has_length && length != content_length_) return refuse(400, "two Content-Lengths");
      has_length = true;
      content_length_ = length;
    } else if (name == "transfer-encoding") {
      if (chunked_ || !equal_ignoring_case(value, "chunked"))
        return refuse(501, "a Transfer-Encoding not spoken here");
      chunked_ = true;
    } else if (name == "connection") {
      if (equal_ignoring_case(value, "close")) request.keep_alive = false;
      if (http_1_0_ && equal_ignoring_case(value, "keep-alive")) request.keep_alive = true;
    } else if (name == "host") {
      ++hosts;
    } else if (name == "expect") {
      return refuse(417, "no expectation is met here");
    }
  }
  if (chunked_ && (has_length || http_1_0_)) return refuse(400, "two ways to find the body's end");
  if (hosts > 1 || (hosts == 0 && !http_1_0_)) return refuse(400, "not exactly one Host");
  if (content_length_ > kBodyBytesMax) return refuse(413, "the body is too large");
  return Parse::complete;
}

Parse RequestParser::parse_chunks(std::string_view rest, std::size_t head_bytes) {
  chunked_body_.clear();
  std::size_t at = 0;
  while (true) {
    if (at > 2 * kBodyBytesMax) return refuse(413, "the chunks are too long");
    const std::size_t stop = rest.find("\r\n", at);
    if (stop == std::string_view::npos) {
      return rest.size() - at > 256 ? refuse(400, "a bad chunk") : Parse::need_more;
    }
    const std::string_view size_text = rest.substr(at, std::min(stop, rest.find(';', at)) - at);
    std::size_t size = 0;
    if (!read_whole(trim(size_text), size, 16)) return refuse(400, "a bad chunk size");
    if (size > kBodyBytesMax - chunked_body_.size()) return refuse(413, "the body is too large");
    at = stop + 2;
    if (size == 0) break;
    if (rest.size() < at + size + 2) return Parse::need_more;
    if (rest.substr(at + size, 2) != "\r\n") return refuse(400, "a bad chunk");
    chunked_body_.append(rest, at, size);
    at += size + 2;
  }
  // Trailers would be unsigned headers: none is taken.
  if (rest.size() < at + 2) return Parse::need_more;
  if (rest.substr(at, 2) != "\r\n") return refuse(400, "trailers are not taken");
  consumed_ = head_bytes + at + 2;
  return Parse::complete;
}

}  // namespace gateway
