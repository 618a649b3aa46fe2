#include "parameters.hpp"

#include <algorithm>
#include <array>

namespace gateway {
namespace {

constexpr std::array<bool, 256> make_unreserved() {
  std::array<bool, 256> table{};
  for (int c = 'a'; c <= 'z'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (int c = 'A'; c <= 'Z'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (int c = '0'; c <= '9'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (const char c : {'-', '_', '.', '~'}) table[static_cast<unsigned char>(c)] = true;
  return table;
}
constexpr std::array<bool, 256> kUnreserved = make_unreserved();

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

void Parameters::start(std::size_t encoded_bytes) {
  items_.clear();
  arena_.clear();
  arena_.reserve(encoded_bytes);
}

bool Parameters::decode_into_arena(std::string_view encoded, std::string_view& plain) {
  const std::size_t start = arena_.size();
  for (std::size_t i = 0; i < encoded.size(); ++i) {
    if (encoded[i] == '%') {
      if (encoded.size() - i < 3) return false;
      const int high = hex_value(encoded[i + 1]);
      const int low = hex_value(encoded[i + 2]);
      if (high < 0 || low < 0) return false;
      arena_.push_back(static_cast<char>(high * 16 + low));
      i += 2;
    } else {
      arena_.push_back(encoded[i] == '+' ? ' ' : encoded[i]);
    }
  }
  plain = std::string_view(arena_).substr(start);
  return true;
}

bool Parameters::decode(std::string_view encoded, bool in_query) {
  while (!encoded.empty()) {
    const std::size_t stop = encoded.find('&');
    const std::string_view pair = encoded.substr(0, stop);
    encoded = stop == std::string_view::npos ? std::string_view() : encoded.substr(stop + 1);
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    Parameter parameter{{}, {}, in_query};
    if (!decode_into_arena(pair.substr(0, equals), parameter.name)) return false;
    if (equals != std::string_view::npos &&
        !decode_into_arena(pair.substr(equals + 1), parameter.value))
      return false;
    if (parameter.name.empty()) return false;
    items_.push_back(parameter);
  }
  return true;
}

bool Parameters::sort() {
  std::sort(items_.begin(), items_.end(),
            [](const Parameter& a, const Parameter& b) { return a.name < b.name; });
  return std::adjacent_find(items_.begin(), items_.end(),
                            [](const Parameter& a, const Parameter& b) {
                              return a.name == b.name;
                            }) == items_.end();
}

const Parameter* Parameters::find(std::string_view name) const {
  for (const Parameter& parameter : items_) {
    if (parameter.name == name) return &parameter;
  }
  return nullptr;
}

std::string_view Parameters::value(std::string_view name) const {
  const Parameter* parameter = find(name);
  return parameter ? parameter->value : std::string_view();
}

void append_encoded(std::string_view text, std::string& out) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (kUnreserved[byte]) {
      out.push_back(c);
    } else {
      out.push_back('%');
      out.push_back(kDigits[byte >> 4]);
      out.push_back(kDigits[byte & 15]);
    }
  }
}

}  // namespace gateway
