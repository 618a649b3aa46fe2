// A plan: what a run will buy, of which account and within which limits, as somebody looked at it
// and agreed. `check --plan` writes it, `run --plan` keeps to it.
//
// One JSON object that people can read. `digest` is the SHA-256 of the rest (its members sorted by
// name, without white space), so that a plan that was edited is not taken for the one that was
// written. It is no signature: whoever can write the file can write another plan.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/moment.hpp"
#include "io/credentials.hpp"
#include "io/settings.hpp"
#include "io/validation.hpp"

namespace sagorder::io {

inline constexpr int kPlanFormat = 1;
inline constexpr std::chrono::hours kPlanLasts{24};
inline constexpr std::size_t kPlanBytesMax = 1024 * 1024;

/// What it is made of.
struct PlanParts {
  const Settings& settings;
  const Validation& validation;
  std::string_view input_sha256;
  const KeyPlaces& key;  ///< nobody is asked for it
};

class Plan {
 public:
  Plan(const PlanParts& parts, WallTime made_at, WallTime expires_at);

  /// A Refusal if it cannot be read, was edited, or is of another format.
  static Plan read(const std::string& path);
  /// Replaces what is there, whole. Throws FileError.
  void write(const std::string& path) const;

  [[nodiscard]] const std::string& digest() const { return digest_; }
  [[nodiscard]] WallTime expires_at() const;

  /// The options that a command with what `present` says has to change to keep to this one:
  /// `--rate` to `10/s`, or to nothing if it has to go. nullopt: no option makes it the same.
  [[nodiscard]] std::optional<std::vector<std::pair<std::string, std::string>>> options_from(
      const Plan& present) const;

  /// A line for each thing in which the present differs; when, and where the file lies, are none.
  [[nodiscard]] std::vector<std::string> differences_from(const Plan& present) const;

 private:
  explicit Plan(std::string content);

  std::string content_;  // JSON, without the digest
  std::string digest_;
};

/// `10/s`, `25` or `25%`, as an option is written.
std::string to_string(const FailureLimit& limit);

}  // namespace sagorder::io
