#include "signature.hpp"

#include <algorithm>

namespace gateway {
namespace {

void append_pair(const Parameter& parameter, std::size_t start, std::string& out) {
  if (out.size() != start) out.push_back('&');
  append_encoded(parameter.name, out);
  out.push_back('=');
  append_encoded(parameter.value, out);
}

void append_joined(const std::vector<std::string_view>& texts, char between, std::string& out) {
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (i != 0) out.push_back(between);
    out.append(texts[i]);
  }
}

void append_header_value(const std::vector<Header>& headers, std::string_view name,
                         std::string& out) {
  std::string_view only;
  std::size_t count = 0;
  for (const Header& header : headers) {
    if (header.name == name && ++count == 1) only = header.value;
  }
  if (count < 2) {
    out.append(only);
    return;
  }
  std::vector<std::string_view> values;
  for (const Header& header : headers) {
    if (header.name == name) values.push_back(header.value);
  }
  std::sort(values.begin(), values.end());
  append_joined(values, ',', out);
}

void split(std::string_view text, char between, std::vector<std::string_view>& out) {
  while (true) {
    const std::size_t stop = text.find(between);
    out.push_back(text.substr(0, stop));
    if (stop == std::string_view::npos) return;
    text.remove_prefix(stop + 1);
  }
}

}  // namespace

void append_rpc_canonical_query(const Parameters& parameters, std::string& out) {
  const std::size_t start = out.size();
  for (const Parameter& parameter : parameters.items()) {
    if (parameter.name != "Signature") append_pair(parameter, start, out);
  }
}

void append_rpc_string_to_sign(std::string_view method, std::string_view canonical_query,
                               std::string& out) {
  out.append(method);
  out.append("&%2F&");
  append_encoded(canonical_query, out);
}

void append_acs3_canonical_query(const Parameters& parameters, std::string& out) {
  const std::size_t start = out.size();
  for (const Parameter& parameter : parameters.items()) {
    if (parameter.in_query) append_pair(parameter, start, out);
  }
}

void append_acs3_canonical_headers(const std::vector<Header>& headers,
                                   const std::vector<std::string_view>& signed_names,
                                   std::string& out) {
  for (const std::string_view name : signed_names) {
    out.append(name);
    out.push_back(':');
    append_header_value(headers, name, out);
    out.push_back('\n');
  }
}

void append_acs3_canonical_request(std::string_view method, std::string_view path,
                                   std::string_view canonical_query,
                                   std::string_view canonical_headers,
                                   const std::vector<std::string_view>& signed_names,
                                   std::string_view payload_hash, std::string& out) {
  out.append(method).append("\n").append(path).append("\n");
  out.append(canonical_query).append("\n").append(canonical_headers).append("\n");
  append_joined(signed_names, ';', out);
  out.append("\n").append(payload_hash);
}

void append_acs3_string_to_sign(std::string_view canonical_request, Sha256& sha256,
                                std::string& out) {
  out.append(kAcs3Name).append("\n");
  append_hex(as_text(sha256(canonical_request)), out);
}

bool parse_acs3_authorization(std::string_view value, Acs3Authorization& authorization) {
  authorization.access_key_id = {};
  authorization.signed_names.clear();
  authorization.signature = {};
  if (!value.starts_with(kAcs3Name)) return false;
  value.remove_prefix(kAcs3Name.size());
  if (!value.starts_with(' ')) return false;
  while (!value.empty()) {
    const std::size_t stop = value.find(',');
    std::string_view part = value.substr(0, stop);
    value = stop == std::string_view::npos ? std::string_view() : value.substr(stop + 1);
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    const std::size_t equals = part.find('=');
    if (equals == std::string_view::npos || equals + 1 == part.size()) return false;
    const std::string_view name = part.substr(0, equals);
    const std::string_view text = part.substr(equals + 1);
    if (name == "Credential" && authorization.access_key_id.empty()) {
      authorization.access_key_id = text;
    } else if (name == "SignedHeaders" && authorization.signed_names.empty()) {
      split(text, ';', authorization.signed_names);
    } else if (name == "Signature" && authorization.signature.empty()) {
      authorization.signature = text;
    } else {
      return false;
    }
  }
  return !authorization.access_key_id.empty() && !authorization.signed_names.empty() &&
         !authorization.signature.empty();
}

}  // namespace gateway
