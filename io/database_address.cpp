#include "io/database_address.hpp"

#include <libpq-fe.h>

#include <memory>

namespace sagorder::io {
namespace {

constexpr std::string_view kSchemes[] = {"postgresql://", "postgres://"};

using Options = std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)>;

/// nullptr: libpq does not understand it. Its own words quote the address, so they are not told.
Options parsed(const std::string& uri) {
  char* error = nullptr;
  Options options(PQconninfoParse(uri.c_str(), &error), &PQconninfoFree);
  PQfreemem(error);
  return options;
}

bool is_batch(std::string_view text) {
  return text.size() >= kDigestDigitsMin && text.size() <= kDigestDigits &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

/// Replaces what stands from `begin` to the first of `ends` by ***.
void hide(std::string& text, std::size_t begin, std::string_view ends) {
  const std::size_t end = text.find_first_of(ends, begin);
  text.replace(begin, (end == std::string::npos ? text.size() : end) - begin, "***");
}

}  // namespace

bool is_database(std::string_view ledger) {
  for (const std::string_view scheme : kSchemes) {
    if (ledger.starts_with(scheme)) return true;
  }
  return false;
}

DatabaseAddress database_address(std::string_view ledger) {
  const std::size_t mark = ledger.rfind('#');
  if (mark == std::string_view::npos) return {std::string(ledger), ""};
  return {std::string(ledger.substr(0, mark)), std::string(ledger.substr(mark + 1))};
}

std::optional<std::string> wrong_with_address(std::string_view ledger) {
  const DatabaseAddress address = database_address(ledger);
  const Options options = parsed(address.uri);
  if (!options) {
    return "is no URI that libpq understands; write postgresql://USER@HOST:PORT/DATABASE, with "
           "what "
           "is not a letter or a digit as %XX";
  }
  for (const PQconninfoOption* each = options.get(); each->keyword != nullptr; ++each) {
    const std::string_view keyword = each->keyword;
    if (each->val == nullptr || (keyword != "password" && keyword != "sslpassword")) continue;
    return "a password is never an argument; leave it to PGPASSWORD, to ~/.pgpass or to the "
           "service "
           "that PGSERVICE names";
  }
  const bool has_mark = ledger.find('#') != std::string_view::npos;
  if (has_mark && !is_batch(address.batch)) {
    return "behind # stands no batch: write the first 8 digits or more of its input's SHA-256";
  }
  return std::nullopt;
}

std::string without_password(std::string_view text) {
  std::string shown(text);
  const std::size_t scheme = shown.find("://");
  if (scheme != std::string::npos) {
    const std::size_t begin = scheme + 3;
    const std::size_t end = shown.find_first_of("/?#", begin);
    const std::size_t at = shown.rfind('@', end);
    const std::size_t colon = shown.find(':', begin);
    if (at != std::string::npos && at > begin && colon < at) {
      shown.replace(colon + 1, at - colon - 1, "***");
    }
  }
  constexpr std::string_view kName = "password=";
  for (std::size_t at = shown.find(kName); at != std::string::npos;
       at = shown.find(kName, at + 1)) {
    hide(shown, at + kName.size(), "& ");
  }
  return shown;
}

}  // namespace sagorder::io
