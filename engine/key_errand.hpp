// The errand of fetching one key: what to ask next, and what an answer means. io carries the bytes.
//
//   instance   PUT /latest/api/token -> GET .../security-credentials/ (the role's name, if nobody
//              gave it) -> GET .../security-credentials/<name>
//   URI        GET it
//   OIDC       POST AssumeRoleWithOIDC, unsigned
//   roles      POST AssumeRole, signed with the key before it; one after the other
//
// Nothing is bought by asking, so an errand may be done again whenever it failed. Each question has
// a connection of its own. A key without all of AccessKeyId, AccessKeySecret, SecurityToken and
// Expiration, or one that has expired, is none. What is said of a failure shows no secret.
//
// Source: the vendor's pages on instance metadata (both forms), AssumeRole and AssumeRoleWithOIDC,
// and its credentials libraries.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/key_source.hpp"
#include "engine/moment.hpp"
#include "engine/response.hpp"
#include "engine/signing.hpp"
#include "engine/verdict.hpp"

namespace sagorder {

inline constexpr std::uint32_t kMetadataTokenSeconds = 300;  ///< asked for; 1 to 21600 are allowed
inline constexpr std::size_t kMetadataTextMax = 1'024;       ///< a token, a role's name

/// A key that lives for a while.
struct FetchedKey {
  AccessKey key;
  WallTime expires_at;
};

/// A whole HTTP/1.1 request, and where it goes.
struct KeyQuestion {
  bool tls = false;
  Endpoint endpoint;
  Secret wire;  ///< tokens stand in it
};

class KeyErrand {
 public:
  enum class State : std::uint8_t {
    asking,  ///< `question` is to be asked
    got,     ///< `key` is there
    failed,  ///< `why` says what is wrong
    absent,  ///< nobody is there, and nothing had named the place
  };

  /// @param source not a key that is there already  @param oidc_token of the source's file, if it
  /// has one. Throws std::invalid_argument if a key in the source cannot stand in a request.
  KeyErrand(KeySource source, Scheme scheme, Secret oidc_token = {});

  [[nodiscard]] State state() const { return state_; }
  /// @param stamp its nonce is drawn, and used for no other question
  [[nodiscard]] KeyQuestion question(const Stamp& stamp) const;
  void replied(const Reply& reply, WallTime now);
  /// Of a question that had no answer.
  void faulted(const Fault& fault);

  [[nodiscard]] const FetchedKey& key() const { return key_; }
  /// A sentence for people, with the place that was asked.
  [[nodiscard]] const std::string& why() const { return why_; }
  /// failed: the same errand may succeed in a moment.
  [[nodiscard]] bool may_pass() const { return may_pass_; }

 private:
  enum class Step : std::uint8_t {
    metadata_token,
    role_name,
    instance_key,
    uri_key,
    oidc_key,
    role
  };

  [[nodiscard]] const RoleTerms& role() const { return source_.roles[next_role_]; }
  [[nodiscard]] std::string place() const;
  [[nodiscard]] Secret metadata_question() const;
  [[nodiscard]] Secret oidc_question(const Stamp& stamp) const;
  [[nodiscard]] Secret role_question(const Stamp& stamp) const;
  void take_token(const Reply& reply);
  void take_name(const Reply& reply);
  void take_key(const Reply& reply, WallTime now);
  void fail(const std::string& reason, bool may_pass);
  void refused(const Reply& reply);
  void nobody(const std::string& reason);
  void keep(const AccessKey& key);

  KeySource source_;
  Scheme scheme_;
  Secret oidc_token_;
  State state_ = State::asking;
  Step step_;
  Secret metadata_token_;
  std::string role_name_;
  std::size_t next_role_ = 0;
  FetchedKey key_;
  std::string why_;
  bool may_pass_ = false;
  std::vector<Secret> secrets_;  // what no sentence may show
};

/// A key out of an answer's JSON. @param member of the object that holds it; empty: the whole
/// object. Throws std::invalid_argument with what is missing or wrong; none of its text is in that.
FetchedKey read_key(std::string_view json, const char* member);

}  // namespace sagorder
