// The closed value sets of options: what settings accept, what help shows and what completion
// offers.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "engine/pipeline.hpp"
#include "engine/signing.hpp"
#include "io/log.hpp"
#include "io/manual.hpp"
#include "io/progress.hpp"
#include "io/settings.hpp"

namespace sagorder::io {

template <class Value>
struct Choice {
  std::string_view name;
  Value value;
};

inline constexpr std::array kSchemeChoices = {
    Choice<Scheme>{"acs3-hmac-sha256", Scheme::acs3_hmac_sha256},
    Choice<Scheme>{"hmac-sha1", Scheme::hmac_sha1}};
inline constexpr std::array kMethodChoices = {Choice<Method>{"post", Method::post},
                                              Choice<Method>{"get", Method::get}};
inline constexpr std::array kReplayChoices = {Choice<Replay>{"never", Replay::never},
                                              Choice<Replay>{"same-bytes", Replay::same_bytes}};
inline constexpr std::array kLogFormatChoices = {Choice<LogFormat>{"text", LogFormat::text},
                                                 Choice<LogFormat>{"json", LogFormat::json}};
inline constexpr std::array kProgressChoices = {
    Choice<ProgressMode>{"auto", ProgressMode::automatic},
    Choice<ProgressMode>{"bar", ProgressMode::bar},
    Choice<ProgressMode>{"plain", ProgressMode::plain},
    Choice<ProgressMode>{"json", ProgressMode::json},
    Choice<ProgressMode>{"none", ProgressMode::none}};
inline constexpr std::array kDelimiterChoices = {
    Choice<csv::Delimiter>{"comma", csv::Delimiter::comma},
    Choice<csv::Delimiter>{"semicolon", csv::Delimiter::semicolon},
    Choice<csv::Delimiter>{"tab", csv::Delimiter::tab}};
inline constexpr std::array kRowsOfChoices = {
    Choice<RowsOf>{"rejected", RowsOf::rejected}, Choice<RowsOf>{"in_doubt", RowsOf::in_doubt},
    Choice<RowsOf>{"not_sent", RowsOf::not_sent}, Choice<RowsOf>{"invalid", RowsOf::invalid}};
inline constexpr std::array kConfigActionChoices = {
    Choice<ConfigAction>{"show", ConfigAction::show},
    Choice<ConfigAction>{"example", ConfigAction::example}};
/// The commands that have settings.
inline constexpr std::array kConfiguredChoices = {
    Choice<Command>{"run", Command::run}, Choice<Command>{"check", Command::check},
    Choice<Command>{"doctor", Command::doctor}, Choice<Command>{"reconcile", Command::reconcile}};
inline constexpr std::array kHelpChoices = {
    Choice<HelpForm>{"text", HelpForm::text}, Choice<HelpForm>{"man", HelpForm::man},
    Choice<HelpForm>{"bash", HelpForm::bash}, Choice<HelpForm>{"zsh", HelpForm::zsh},
    Choice<HelpForm>{"fish", HelpForm::fish}};

/// The names with `between` between each two.
template <std::size_t N, class Value>
std::string names_of(const std::array<Choice<Value>, N>& choices, std::string_view between) {
  std::string names;
  for (const Choice<Value>& choice : choices) {
    if (!names.empty()) names += between;
    names += choice.name;
  }
  return names;
}

/// Empty: nullopt.
inline std::string_view delimiter_name(std::optional<csv::Delimiter> delimiter) {
  for (const auto& choice : kDelimiterChoices) {
    if (choice.value == delimiter) return choice.name;
  }
  return {};
}

/// nullopt: not of the set.
template <std::size_t N, class Value>
std::optional<Value> choice_of(const std::array<Choice<Value>, N>& choices, std::string_view name) {
  for (const Choice<Value>& choice : choices) {
    if (choice.name == name) return choice.value;
  }
  return std::nullopt;
}

}  // namespace sagorder::io
