// XML to Fields: a strict reader of the XML that this API answers, one root, flat elements with
// text. No DOCTYPE, so no entities but the five and numbers; attributes are ignored. Other nested
// elements are skipped, but must be sound.
#pragma once

#include <string>
#include <string_view>

#include "engine/fields.hpp"

namespace sagorder {

/// Owns the buffer of decoded texts; one for each thread.
class XmlReader {
 public:
  /// @param fields to fill; good until the next call, while `xml` stays
  /// @return the root's name; empty: not well-formed, not UTF-8, a name twice or more than
  /// Fields::kNamesMax of them
  std::string_view read(std::string_view xml, Fields& fields);

 private:
  std::string decoded_;
};

}  // namespace sagorder
