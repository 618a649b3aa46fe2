#include "io/setting_values.hpp"

#include <fmt/format.h>

#include <stdexcept>
#include <utility>

#include "io/choices.hpp"

namespace sagorder::io {
namespace {

using Texts = std::optional<std::vector<std::string>>;

Texts one(std::string text) { return std::vector<std::string>{std::move(text)}; }
Texts flag(bool value) { return one(value ? "true" : "false"); }
Texts number(std::uint64_t value) { return one(std::to_string(value)); }
Texts number(const std::optional<std::uint64_t>& value) {
  return value ? number(*value) : std::nullopt;
}
Texts text(const std::string& value) { return value.empty() ? std::nullopt : one(value); }
Texts list(const std::vector<std::string>& values) {
  return values.empty() ? Texts{} : Texts{values};
}
Texts duration(milliseconds value) {
  if (value.count() == 0) return std::nullopt;
  return one(in_words(value));
}

Texts address(const std::optional<Endpoint>& endpoint) {
  if (!endpoint) return std::nullopt;
  const bool bare = endpoint->host.find(':') == std::string::npos;
  return one("https://" + (bare ? endpoint->host : "[" + endpoint->host + "]") + ":" +
             std::to_string(endpoint->port));
}

Texts listening(const std::optional<ListenAddress>& address) {
  if (!address) return std::nullopt;
  const bool bare = address->host.find(':') == std::string::npos;
  return one((bare ? address->host : "[" + address->host + "]") + ":" +
             std::to_string(address->port));
}

template <std::size_t N, class Value>
Texts choice(const std::array<Choice<Value>, N>& choices, Value value) {
  for (const Choice<Value>& each : choices) {
    if (each.value == value) return one(std::string(each.name));
  }
  return std::nullopt;
}

Texts columns(const std::vector<std::pair<std::string, std::string>>& set) {
  std::vector<std::string> texts;
  texts.reserve(set.size());
  for (const auto& [name, value] : set) texts.push_back(fmt::format("{}={}", name, value));
  return list(texts);
}

Texts pins(const std::vector<Pin>& all) {
  std::vector<std::string> texts;
  for (const Pin& pin : all) {
    std::string text = pin.endpoint.host + ":" + std::to_string(pin.endpoint.port);
    for (std::size_t i = 0; i < pin.addresses.size(); ++i) {
      text += (i == 0 ? ":" : ",") + pin.addresses[i];
    }
    texts.push_back(std::move(text));
  }
  return list(texts);
}

Texts failures(const FailureLimit& limit) {
  return one(std::to_string(limit.value) + (limit.percent ? "%" : ""));
}

struct Shown {
  std::string_view key;
  Texts (*value)(const Settings&);
};

constexpr Shown kShown[] = {
    {"set", [](const Settings& s) { return columns(s.intake.set); }},
    {"carry", [](const Settings& s) { return list(s.intake.carry); }},
    {"strict", [](const Settings& s) { return flag(s.intake.strict); }},
    {"encoding", [](const Settings& s) { return text(s.encoding); }},
    {"delimiter", [](const Settings& s) { return text(std::string(delimiter_name(s.delimiter))); }},
    {"skip-invalid", [](const Settings& s) { return flag(s.skip_invalid); }},
    {"dry-run", [](const Settings& s) { return flag(s.dry_run); }},
    {"rate", [](const Settings& s) { return one(to_string(s.rate)); }},
    {"burst", [](const Settings& s) { return number(s.burst); }},
    {"connections", [](const Settings& s) { return number(s.connections); }},
    {"threads", [](const Settings& s) { return number(s.threads); }},
    {"max-in-flight", [](const Settings& s) { return number(s.max_in_flight); }},
    {"max-orders", [](const Settings& s) { return number(s.limits.max_orders); }},
    {"max-seats", [](const Settings& s) { return number(s.limits.max_seats); }},
    {"max-seat-months", [](const Settings& s) { return number(s.limits.max_seat_months); }},
    {"max-failures", [](const Settings& s) { return failures(s.limits.max_failures); }},
    {"max-doubts", [](const Settings& s) { return number(s.limits.max_doubts); }},
    {"endpoint", [](const Settings& s) { return address(s.endpoint); }},
    {"billing-endpoint", [](const Settings& s) { return address(s.billing_endpoint); }},
    {"sts-endpoint", [](const Settings& s) { return address(s.sts_endpoint); }},
    {"ca-file", [](const Settings& s) { return text(s.ca_file); }},
    {"client-cert", [](const Settings& s) { return text(s.client_certificate); }},
    {"client-key", [](const Settings& s) { return text(s.client_key); }},
    {"proxy", [](const Settings& s) { return s.proxy.none ? one("none") : text(s.proxy.url); }},
    {"resolve", [](const Settings& s) { return pins(s.pins); }},
    {"signature", [](const Settings& s) { return choice(kSchemeChoices, s.scheme); }},
    {"http-method", [](const Settings& s) { return choice(kMethodChoices, s.method); }},
    {"request-timeout", [](const Settings& s) { return duration(s.request_timeout); }},
    {"connect-timeout", [](const Settings& s) { return duration(s.connect_timeout); }},
    {"profile", [](const Settings& s) { return s.profile ? one(*s.profile) : std::nullopt; }},
    {"replay", [](const Settings& s) { return choice(kReplayChoices, s.replay); }},
    {"grace", [](const Settings& s) { return s.grace ? duration(*s.grace) : std::nullopt; }},
    {"host-life", [](const Settings& s) { return duration(s.host_life); }},
    {"wait-lock", [](const Settings& s) { return duration(s.wait_lock); }},
    {"quiet", [](const Settings& s) { return flag(s.quiet); }},
    {"log-format", [](const Settings& s) { return choice(kLogFormatChoices, s.log_format); }},
    {"summary", [](const Settings& s) { return text(s.summary); }},
    {"metrics", [](const Settings& s) { return text(s.metrics); }},
    {"metrics-listen", [](const Settings& s) { return listening(s.metrics_listen); }},
    {"progress", [](const Settings& s) { return choice(kProgressChoices, s.progress); }},
    {"region", [](const Settings& s) { return list(s.regions); }},
};

}  // namespace

std::optional<std::vector<std::string>> setting_value(const Settings& settings,
                                                      std::string_view key) {
  for (const Shown& each : kShown) {
    if (each.key == key) return each.value(settings);
  }
  throw std::logic_error("no setting " + std::string(key));
}

}  // namespace sagorder::io
