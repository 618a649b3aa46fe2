#include "answers.hpp"

#include <array>
#include <charconv>

namespace gateway {
namespace {

std::string_view reason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 302:
      return "Found";
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 413:
      return "Content Too Large";
    case 417:
      return "Expectation Failed";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Answer";
  }
}

void append_number(std::uint64_t number, std::string& out) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

void append_xml_element(std::string_view name, std::string_view text, std::string& out) {
  out.append("<").append(name).append(">");
  append_xml_text(text, out);
  out.append("</").append(name).append(">");
}

constexpr std::string_view kXmlHead = "<?xml version='1.0' encoding='UTF-8'?>";
constexpr std::string_view kRecommend = "https://error-center.aliyun.com/status/search?Keyword=";

}  // namespace

void Ids::request_id(std::string& out) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  const std::uint64_t halves[2] = {(chance_.next() & ~0xF000ull) | 0x4000ull,
                                   (chance_.next() & ~(0xC0ull << 56)) | (0x80ull << 56)};
  out.clear();
  for (int i = 0; i < 32; ++i) {
    if (i == 8 || i == 12 || i == 16 || i == 20) out.push_back('-');
    out.push_back(kDigits[(halves[i / 16] >> (60 - 4 * (i % 16))) & 15]);
  }
}

void Ids::place(std::uint64_t sequence, Placed& placed) const {
  // Multiplying by a number coprime to the range visits each number once: unique, yet scattered.
  constexpr std::uint64_t kRange = 700'000'000'000'000;
  constexpr std::uint64_t kStep = 323'606'797'749'979;
  const auto scattered = static_cast<std::uint64_t>(
      (static_cast<__uint128_t>(sequence) * kStep + Chance(seed_, 6).next() % kRange) % kRange);
  placed.sequence = sequence;
  placed.order_id.clear();
  append_number(200'000'000'000'000 + scattered, placed.order_id);

  Chance chance(seed_ ^ (sequence * 0x9E3779B97F4A7C15u), 7);
  placed.order_id_is_number =
      shape_ == OrderIdShape::number || (shape_ == OrderIdShape::mixed && chance.next() % 2 == 0);
  static constexpr char kLetters[] = "0123456789abcdefghijklmnopqrstuvwxyz";
  placed.sag_id = "sag-";
  std::uint64_t bits = chance.next();
  for (int i = 0; i < 10; ++i, bits /= 36) placed.sag_id.push_back(kLetters[bits % 36]);
  // The sequence itself, in base 36, keeps it unique.
  std::uint64_t rest = sequence;
  for (int i = 0; i < 8; ++i, rest /= 36) placed.sag_id.push_back(kLetters[rest % 36]);
}

std::string_view DateLine::at(WallTime now) {
  const std::time_t second = std::chrono::system_clock::to_time_t(now);
  if (second != second_) {
    second_ = second;
    std::tm parts{};
    gmtime_r(&second, &parts);
    char text[40];
    // Never localised: the program runs in the C locale.
    text_.assign(text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts));
  }
  return text_;
}

void append_json_string(std::string_view text, std::string& out) {
  static constexpr char kDigits[] = "0123456789abcdef";
  out.push_back('"');
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (c == '\n') {
      out.append("\\n");
    } else if (byte < 0x20 || byte == 0x7F) {
      out.append("\\u00").push_back(kDigits[byte >> 4]);
      out.push_back(kDigits[byte & 15]);
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

void append_xml_text(std::string_view text, std::string& out) {
  for (const char c : text) {
    switch (c) {
      case '&':
        out.append("&amp;");
        break;
      case '<':
        out.append("&lt;");
        break;
      case '>':
        out.append("&gt;");
        break;
      default:
        // XML 1.0 has no way to write most control characters.
        out.push_back(static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t' ? '?' : c);
    }
  }
}

void append_success_body(Format format, const Placed& placed, bool with_order_id,
                         std::string& out) {
  if (format == Format::json) {
    out.append("{\"RequestId\":\"").append(placed.request_id);
    if (with_order_id) {
      const std::string_view quote = placed.order_id_is_number ? "" : "\"";
      out.append("\",\"OrderId\":").append(quote).append(placed.order_id).append(quote);
    } else {
      out.append("\"");
    }
    out.append(",\"SmartAGId\":\"").append(placed.sag_id).append("\"}");
    return;
  }
  out.append(kXmlHead).append("<CreateSmartAccessGatewaySoftwareResponse>");
  append_xml_element("SmartAGId", placed.sag_id, out);
  if (with_order_id) append_xml_element("OrderId", placed.order_id, out);
  append_xml_element("RequestId", placed.request_id, out);
  out.append("</CreateSmartAccessGatewaySoftwareResponse>");
}

void append_error_body(Format format, const Refusal& refusal, std::string_view request_id,
                       std::string_view host, std::string& out) {
  const std::string hint = std::string(kRecommend) + refusal.code;
  const std::pair<std::string_view, std::string_view> fields[] = {{"RequestId", request_id},
                                                                  {"HostId", host},
                                                                  {"Code", refusal.code},
                                                                  {"Message", refusal.message},
                                                                  {"Recommend", hint}};
  if (format == Format::json) {
    for (const auto& [name, value] : fields) {
      out.append(name == "RequestId" ? "{\"" : ",\"").append(name).append("\":");
      append_json_string(value, out);
    }
    out.push_back('}');
    return;
  }
  out.append(kXmlHead).append("<Error>");
  for (const auto& [name, value] : fields) append_xml_element(name, value, out);
  out.append("</Error>");
}

void append_html_page(int status, std::string& out) {
  out.append("<html><head><title>").append(std::to_string(status)).append(" ");
  out.append(reason(status)).append("</title></head><body><center><h1>");
  out.append(reason(status)).append("</h1></center><hr>Powered by a proxy</body></html>\n");
}

std::string_view content_type(Format format) {
  // The vendor's SDKs compare the second one letter by letter.
  return format == Format::json ? "application/json;charset=utf-8" : "text/xml;charset=utf-8";
}

void append_head(const Head& head, std::string& out) {
  out.append("HTTP/1.1 ");
  append_number(static_cast<std::uint64_t>(head.status), out);
  out.append(" ").append(reason(head.status)).append("\r\nDate: ").append(head.date);
  out.append("\r\nContent-Type: ").append(head.content_type);
  if (head.with_length) {
    out.append("\r\nContent-Length: ");
    append_number(head.length, out);
  }
  if (head.chunked) out.append("\r\nTransfer-Encoding: chunked");
  out.append(head.keep_alive ? "\r\nConnection: keep-alive\r\n" : "\r\nConnection: close\r\n");
  if (!head.request_id.empty())
    out.append("x-acs-request-id: ").append(head.request_id).append("\r\n");
  out.append(head.more).append("\r\n");
}

}  // namespace gateway
