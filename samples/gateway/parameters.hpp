// The parameters of one call, decoded, and RFC 3986 percent-coding as the signatures use it.
//
// One object is reused for every request: the decoded text lies in one arena whose size is known
// before the first byte is decoded, so the views in it never move.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gateway {

struct Parameter {
  std::string_view name;
  std::string_view value;
  bool in_query;  // else in the form body
};

class Parameters {
 public:
  // Forgets everything; makes room for `encoded_bytes` of text still to be decoded.
  void start(std::size_t encoded_bytes);

  // Decodes `a=1&b=2`; a `+` is a space. False when an escape is broken or a name is empty.
  bool decode(std::string_view encoded, bool in_query);
  // Adds one that is already plain; the text must outlive this object's use.
  void add(Parameter parameter) { items_.push_back(parameter); }

  // By name bytes, as both signatures want them. False when a name occurs twice.
  bool sort();

  // nullptr when absent.
  const Parameter* find(std::string_view name) const;
  std::string_view value(std::string_view name) const;
  const std::vector<Parameter>& items() const { return items_; }

 private:
  bool decode_into_arena(std::string_view encoded, std::string_view& plain);

  std::string arena_;
  std::vector<Parameter> items_;
};

// Upper-case hex, everything escaped but A-Z a-z 0-9 - _ . ~
void append_encoded(std::string_view text, std::string& out);

}  // namespace gateway
