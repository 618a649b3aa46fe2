// What is kept of an answer for people: printable, clipped, and without secrets.
//
// Printable: UTF-8 without control characters and without those that reorder or break lines, so
// nothing that a terminal would act on. White space becomes a space, a byte that belongs to no
// character U+FFFD.
//
// Secrets: on a wrong signature the server echoes what it signed, AccessKeyId and token in it. The
// string to sign is cut away, and the values of AccessKeyId, SecurityToken, Credential and
// Signature become *** wherever they are named: as a query, a header, JSON or XML, encoded or not.
// What must not be shown even where nothing names it is hidden by its value.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "engine/secret.hpp"

namespace sagorder {

/// Appends at most `most` bytes' worth of `text`, never half a character.
/// @param control what stands for a character that is not printable
void append_printable(std::string& out, std::string_view text, std::size_t most,
                      std::string_view control);

/// Hides the secrets that `text` names.
void redact(std::string& text);

inline constexpr std::size_t kHiddenMin = 4;  ///< bytes; a shorter value would hide chance words

/// Values that are never shown, wherever they stand: as they are, percent-encoded once or twice,
/// and with JSON's escapes in them.
class HiddenValues {
 public:
  HiddenValues() = default;
  explicit HiddenValues(std::vector<Secret> values);
  /// Appends `text` with *** for each value, until `most` bytes or more are there.
  void append(std::string& out, std::string_view text, std::size_t most) const;

 private:
  std::vector<Secret> forms_;  // the longest first: one may begin another
};

}  // namespace sagorder
