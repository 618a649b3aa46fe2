// What is kept of an answer for people: printable, clipped, and without secrets.
//
// Printable: UTF-8 without control characters and without those that reorder or break lines, so
// nothing that a terminal would act on. White space becomes a space, a byte that belongs to no
// character U+FFFD.
//
// Secrets: on a wrong signature the server echoes what it signed, AccessKeyId and token in it. The
// string to sign is cut away, and the values of AccessKeyId, SecurityToken, Credential and
// Signature become *** wherever they are named: as a query, a header, JSON or XML, encoded or not.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sagorder {

/// Appends at most `most` bytes' worth of `text`, never half a character.
/// @param control what stands for a character that is not printable
void append_printable(std::string& out, std::string_view text, std::size_t most,
                      std::string_view control);

/// Hides the secrets that `text` names.
void redact(std::string& text);

}  // namespace sagorder
