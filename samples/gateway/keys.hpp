// Keys that live for a while: issues them, makes them known to the gate, and speaks for the places
// that hand them out in plain HTTP (the metadata service of an instance, a credentials URI).
//
//   PUT /latest/api/token                                 a token, for 1 to 21600 seconds
//   GET /latest/meta-data/ram/security-credentials/       the role's name
//   GET /latest/meta-data/ram/security-credentials/ROLE   a key
//   GET /credentials                                      a key, as a credentials URI has it
//
// The metadata service wants its token (security-hardening mode) unless it is the older one.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "answers.hpp"
#include "chance.hpp"
#include "counts.hpp"
#include "gate.hpp"
#include "http.hpp"
#include "options.hpp"

namespace gateway {

struct IssuedKey {
  Credential credential;
  WallTime expires_at;  // as it is told: a whole second
};

class KeyDesk {
 public:
  KeyDesk(const Options& options, Gate& gate, Counts& counts);

  // The next key; a refusal if this one is to fail (--key-failures).
  std::optional<Refusal> issue(Now now, IssuedKey& key);

  // Whole answers of the plain HTTP service.
  void answer(const Request& request, Now now, std::string& bytes);

 private:
  struct Plain {
    int status = 200;
    std::string_view type = "text/plain";
    std::string body;
  };
  Plain give_token(const Request& request, Now now);
  Plain give_name_or_key(const Request& request, std::string_view role, Now now);
  Plain give_key(Now now);
  bool has_token(const Request& request, Now now) const;
  std::string drawn(std::string_view prefix, int words);

  const Options& options_;
  Gate& gate_;
  Counts& counts_;
  Chance chance_;
  DateLine date_line_;
  std::uint64_t asked_ = 0;
  std::map<std::string, SteadyTime, std::less<>> tokens_;  // until when each holds
};

// `yyyy-MM-ddTHH:mm:ssZ`.
std::string key_time(WallTime at);

}  // namespace gateway
