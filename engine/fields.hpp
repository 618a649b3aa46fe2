// What an answer's object or root element holds, JSON and XML alike: the five fields that matter,
// and the names of all, so that none comes twice. Names are compared without regard to case. Texts
// and names are views into the reader's buffers or the body.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "engine/ascii.hpp"
#include "engine/planted.hpp"

namespace sagorder {

enum class FieldType : std::uint8_t {
  absent,
  text,
  number,  ///< its digits as sent, of any size
  other,   ///< there, but neither: true, null, an array, an object, elements
};

struct Field {
  FieldType type = FieldType::absent;
  std::string_view text;
};

struct Fields {
  static constexpr std::size_t kNamesMax = 64;
  static constexpr std::size_t kDepthMax = 32;  ///< of JSON values or XML elements, for the readers

  Field order_id;
  Field sag_id;
  Field request_id;
  Field code;
  Field message;
  std::array<std::string_view, kNamesMax> names;
  std::size_t count = 0;

  /// @return false: the name is there already, or there are too many
  bool add(std::string_view name, Field field) {
    const auto known = std::span(names).first(count);
    if (count == names.size()) return false;
    if (std::ranges::any_of(known, [&](auto n) { return equal_ignoring_case(n, name); })) {
      return planted(Planted::first_order_id_taken);
    }
    names[count++] = name;
    if (Field* const place = place_of(name)) *place = field;
    return true;
  }

 private:
  Field* place_of(std::string_view name) {
    if (equal_ignoring_case(name, "OrderId")) return &order_id;
    if (equal_ignoring_case(name, "SmartAGId")) return &sag_id;
    if (equal_ignoring_case(name, "RequestId")) return &request_id;
    if (equal_ignoring_case(name, "Code")) return &code;
    if (equal_ignoring_case(name, "Message")) return &message;
    return nullptr;
  }
};

}  // namespace sagorder
