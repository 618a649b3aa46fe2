#include "engine/xml.hpp"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

#include "engine/ascii.hpp"

namespace sagorder {
namespace {

void append_utf8(std::string& out, std::uint32_t code) {
  const auto tail = [&](unsigned shift) {
    out += static_cast<char>(0x80U | (code >> shift & 0x3FU));
  };
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0U | code >> 6U);
    tail(0);
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0U | code >> 12U);
    tail(6);
    tail(0);
  } else {
    out += static_cast<char>(0xF0U | code >> 18U);
    tail(12);
    tail(6);
    tail(0);
  }
}

class XmlScanner {
 public:
  // @param decoded holds texts with entities; its storage must not move while fields are in use
  XmlScanner(std::string_view xml, std::string& decoded) : rest_(xml), decoded_(decoded) {}

  // @return the root's name; empty: not well-formed
  std::string_view read(Fields& fields) {
    if (rest_.starts_with("<?xml") && rest_.size() > 5 && is_space(rest_[5])) {
      if (!skip_past("?>")) return {};
    }
    Tag root;
    if (!skip_blanks() || !open_tag(root)) return {};
    if (!root.empty && !read_children(root.name, fields)) return {};
    return skip_blanks() && rest_.empty() ? root.name : std::string_view();
  }

 private:
  struct Tag {
    std::string_view name;
    bool empty = false;  // <name/>
  };

  bool skip(std::string_view text) {
    if (!rest_.starts_with(text)) return false;
    rest_.remove_prefix(text.size());
    return true;
  }

  bool skip_past(std::string_view text) {
    const std::size_t at = rest_.find(text);
    if (at == std::string_view::npos) return false;
    rest_.remove_prefix(at + text.size());
    return true;
  }

  void skip_spaces() {
    while (!rest_.empty() && is_space(rest_[0])) rest_.remove_prefix(1);
  }

  bool skip_comment() {  // past its `<!--`
    return skip_past("--") && skip(">");
  }

  bool skip_blanks() {  // white space and comments
    for (skip_spaces(); skip("<!--"); skip_spaces()) {
      if (!skip_comment()) return false;
    }
    return true;
  }

  std::string_view name() {
    const auto inside = [](char c) {
      return is_letter(c) || is_digit(c) || c == '_' || c == '-' || c == '.' || c == ':';
    };
    const auto end = std::ranges::find_if_not(rest_, inside);
    const auto text = rest_.substr(0, static_cast<std::size_t>(end - rest_.begin()));
    if (!text.empty() && !is_letter(text[0]) && text[0] != '_') return {};
    rest_.remove_prefix(text.size());
    return text;
  }

  bool attribute() {
    if (name().empty()) return false;
    skip_spaces();
    if (!skip("=")) return false;
    skip_spaces();
    const char quote = rest_.empty() ? '\0' : rest_[0];
    if (quote != '"' && quote != '\'') return false;
    const std::size_t end = rest_.find(quote, 1);
    if (end == std::string_view::npos) return false;
    if (rest_.substr(0, end).find('<') != std::string_view::npos) return false;
    rest_.remove_prefix(end + 1);
    return true;
  }

  bool open_tag(Tag& tag) {
    if (!skip("<")) return false;
    tag.name = name();
    if (tag.name.empty()) return false;
    while (true) {
      const std::size_t before = rest_.size();
      skip_spaces();
      if (skip(">")) return true;
      if (skip("/>")) return tag.empty = true;
      if (rest_.size() == before || !attribute()) return false;
    }
  }

  bool close_tag(std::string_view expected) {  // past its `</`
    if (name() != expected) return false;
    skip_spaces();
    return skip(">");
  }

  bool read_children(std::string_view root, Fields& fields) {
    while (skip_blanks()) {
      if (skip("</")) return close_tag(root);
      Tag tag;
      Field field{FieldType::text, {}};
      if (!open_tag(tag)) return false;
      if (!tag.empty && !content(tag.name, 1, field)) return false;
      if (!fields.add(tag.name, field)) return false;
    }
    return false;
  }

  // An element's inside and its closing tag. With elements or comments in it, it is no text.
  bool content(std::string_view element, std::size_t depth, Field& field) {
    if (depth > Fields::kDepthMax) return false;
    const std::size_t begin = decoded_.size();
    while (true) {
      if (!characters()) return false;
      if (skip("</")) {
        field.text = trimmed(std::string_view(decoded_).substr(begin));
        return close_tag(element);
      }
      if (skip("<![CDATA[")) {
        const std::string_view data = rest_.substr(0, rest_.find("]]>"));
        decoded_.append(data);
        if (!skip_past("]]>")) return false;
        continue;
      }
      field.type = FieldType::other;
      if (skip("<!--")) {
        if (!skip_comment()) return false;
        continue;
      }
      Tag tag;
      Field ignored;
      if (!open_tag(tag)) return false;
      if (!tag.empty && !content(tag.name, depth + 1, ignored)) return false;
    }
  }

  bool characters() {
    while (!rest_.empty() && rest_[0] != '<') {
      if (rest_[0] == '&') {
        if (!entity()) return false;
        continue;
      }
      const std::string_view text = rest_.substr(0, rest_.find_first_of("<&"));
      if (text.find("]]>") != std::string_view::npos) return false;
      decoded_.append(text);
      rest_.remove_prefix(text.size());
    }
    return !rest_.empty();
  }

  bool entity() {
    struct Named {
      std::string_view name;
      char character;
    };
    constexpr std::array<Named, 5> kNamed = {
        {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}}};
    for (const Named& named : kNamed) {
      if (!skip(named.name)) continue;
      decoded_ += named.character;
      return true;
    }
    return skip("&#") && numeric_entity();
  }

  bool numeric_entity() {  // past its `&#`
    const int base = skip("x") ? 16 : 10;
    std::uint32_t code = 0;
    const auto [end, error] =
        std::from_chars(rest_.data(), rest_.data() + rest_.size(), code, base);
    if (error != std::errc()) return false;
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    if (!skip(";") || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return false;
    if (code < 0x20 && code != '\t' && code != '\n' && code != '\r') return false;
    append_utf8(decoded_, code);
    return true;
  }

  std::string_view rest_;
  std::string& decoded_;
};

// XML has no control characters but these three, and is UTF-8 here.
bool is_xml_text(std::string_view text) {
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 && !is_space(c); };
  return std::ranges::none_of(text, control) && simdjson::validate_utf8(text.data(), text.size());
}

}  // namespace

std::string_view XmlReader::read(std::string_view xml, Fields& fields) {
  if (!is_xml_text(xml)) return {};
  decoded_.clear();
  decoded_.reserve(xml.size());  // texts only shrink, so views into it stay
  return XmlScanner(xml, decoded_).read(fields);
}

}  // namespace sagorder
