// A JSON object to Fields, by simdjson's on-demand parser. Every value is looked at, so that all of
// the text is sound JSON or none of it is read; nested values are skipped, but must be sound.
#pragma once

#include <memory>
#include <string_view>

#include "engine/fields.hpp"

namespace sagorder {

/// Owns the parser's buffers; one for each thread.
class JsonReader {
 public:
  JsonReader();
  ~JsonReader();

  /// @param fields to fill; good until the next call
  /// @return false: not one well-formed object with at most Fields::kNamesMax names, none twice,
  /// and nothing behind it
  bool read(std::string_view json, Fields& fields);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sagorder
