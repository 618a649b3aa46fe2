#include "engine/json.hpp"

#include <simdjson.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "engine/ascii.hpp"

namespace sagorder {
namespace {

namespace ondemand = simdjson::ondemand;

// JSON's grammar for numbers, of any size: simdjson refuses what does not fit 64 bits.
bool is_number(std::string_view text) {
  const auto digits = [&text] {
    const auto end = std::ranges::find_if_not(text, is_digit);
    const auto count = static_cast<std::size_t>(end - text.begin());
    text.remove_prefix(count);
    return count;
  };
  const auto skip = [&text](std::string_view any) {
    if (text.empty() || any.find(text[0]) == std::string_view::npos) return false;
    text.remove_prefix(1);
    return true;
  };
  skip("-");
  if (!skip("0") && digits() == 0) return false;
  if (skip(".") && digits() == 0) return false;
  if (skip("eE")) {
    skip("+-");
    if (digits() == 0) return false;
  }
  return text.empty();
}

bool read_value(ondemand::value value, std::size_t depth, Field& field);

bool read_object(ondemand::object object, std::size_t depth) {
  for (auto item : object) {
    ondemand::value value;
    std::string_view key;
    Field ignored;
    if (item.unescaped_key().get(key) || item.value().get(value)) return false;
    if (!read_value(value, depth + 1, ignored)) return false;
  }
  return true;
}

bool read_array(ondemand::array array, std::size_t depth) {
  for (auto item : array) {
    ondemand::value value;
    Field ignored;
    if (item.get(value) || !read_value(value, depth + 1, ignored)) return false;
  }
  return true;
}

// On-demand parsing checks only what is looked at, so every value is looked at.
bool read_value(ondemand::value value, std::size_t depth, Field& field) {
  ondemand::json_type type;
  if (depth > Fields::kDepthMax || value.type().get(type)) return false;
  field.type = FieldType::other;
  switch (type) {
    case ondemand::json_type::string:
      field.type = FieldType::text;
      return !value.get_string().get(field.text);
    case ondemand::json_type::number:
      field.type = FieldType::number;
      field.text = trimmed(value.raw_json_token());
      return is_number(field.text);
    case ondemand::json_type::boolean: {
      bool ignored = false;
      return !value.get_bool().get(ignored);
    }
    case ondemand::json_type::null: {
      bool null = false;
      return !value.is_null().get(null) && null;
    }
    case ondemand::json_type::array: {
      ondemand::array array;
      return !value.get_array().get(array) && read_array(array, depth);
    }
    case ondemand::json_type::object: {
      ondemand::object object;
      return !value.get_object().get(object) && read_object(object, depth);
    }
  }
  return false;
}

}  // namespace

struct JsonReader::State {
  ondemand::parser parser;
  std::vector<char> padded;  // the text, with simdjson's padding behind it

  std::string_view pad(std::string_view json) {
    const std::size_t needed = json.size() + simdjson::SIMDJSON_PADDING;
    if (padded.size() < needed) padded.resize(needed);
    std::memcpy(padded.data(), json.data(), json.size());
    std::memset(padded.data() + json.size(), 0, simdjson::SIMDJSON_PADDING);
    return {padded.data(), json.size()};
  }
};

JsonReader::JsonReader() : state_(std::make_unique<State>()) {}
JsonReader::~JsonReader() = default;

bool JsonReader::read(std::string_view json, Fields& fields) {
  const std::string_view padded = state_->pad(json);
  ondemand::document document;
  ondemand::object object;
  const std::size_t allocated = padded.size() + simdjson::SIMDJSON_PADDING;
  if (state_->parser.iterate(padded.data(), padded.size(), allocated).get(document)) return false;
  if (document.get_object().get(object)) return false;
  for (auto item : object) {
    ondemand::value value;
    std::string_view key;
    Field field;
    if (item.unescaped_key().get(key) || item.value().get(value)) return false;
    if (!read_value(value, 1, field) || !fields.add(key, field)) return false;
  }
  return document.current_location().error() == simdjson::OUT_OF_BOUNDS;  // nothing behind it
}

}  // namespace sagorder
