// `doctor`: whether a run could begin. Looks at credentials, TLS, the clock, permission and quota;
// sends read-only calls alone.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "engine/complaints.hpp"
#include "engine/listing.hpp"
#include "engine/wording.hpp"
#include "io/commands.hpp"
#include "io/credentials.hpp"
#include "io/driver.hpp"
#include "io/query_client.hpp"
#include "io/routes.hpp"
#include "io/tls_survey.hpp"
#include "io/work_shown.hpp"

namespace sagorder::io {
namespace {

constexpr seconds kClockGood{60};      // off by no more: nothing to say
constexpr seconds kClockMax{15 * 60};  // off by more: the vendor's pages say refused
constexpr std::string_view kUnknownRegion = "InvalidRegionId";  // also `.NotFound`
constexpr auto kExpirySoon = std::chrono::days(14);

/// A line for each thing looked at, and the exit code for all of them.
class Findings {
 public:
  void ok(std::string_view what, const std::string& text) { line("ok", what, text); }
  /// What the next finding rests on.
  void note(std::string_view what, const std::string& text) { line("", what, text); }
  void warning(std::string_view what, const std::string& text, std::string_view advice) {
    line("warning", what, text);
    say(advice);
  }
  void error(ExitCode code, std::string_view what, const std::string& text,
             std::string_view advice) {
    line("error", what, text);
    say(advice);
    // Credentials, clock and certificate (6) go before what may pass by itself (5).
    if (code_ != ExitCode::credentials) code_ = code;
  }
  [[nodiscard]] ExitCode code() const { return code_; }

 private:
  static void line(std::string_view grade, std::string_view what, const std::string& text) {
    fmt::print("{:<8} {:<12} {}\n", grade, what, printable(text));
    std::fflush(stdout);  // the next one may take its time
  }
  static void say(std::string_view advice) { fmt::print("{:<8} {:<12} do: {}\n", "", "", advice); }

  ExitCode code_ = ExitCode::all_placed;
};

std::string day_of(WallTime at) { return timestamp(at).substr(0, 10); }

class Doctor {
 public:
  Doctor(const Settings& settings, Log& log)
      : settings_(settings), log_(log), routes_(find_routes(settings)) {}

  ExitCode examine() {
    read_regions();
    look_at_credentials();
    std::map<Endpoint, bool> sound;
    for (const auto& [region, orders] : regions_) {
      const Endpoint endpoint = settings_.endpoint.value_or(default_endpoint(region));
      const auto [place, first] = sound.try_emplace(endpoint, false);
      fmt::print("\n{} at {}\n", region, host_header(endpoint));
      std::fflush(stdout);
      if (first) place->second = look_at_tls(endpoint);
      if (place->second && client_) ask(region, endpoint, orders);
    }
    look_at_quota_of_all();
    fmt::print("\nno order was sent\n");
    return findings_.code();
  }

 private:
  void read_regions() {
    for (const std::string& region : settings_.regions) regions_[region] = 0;
    if (settings_.input.empty()) return;
    WorkShown shown;
    OrdersFile file(settings_.input, "", shown.reading(settings_.input), reading_of(settings_));
    Complaints complaints;
    const Validation validation = validate(
        file, settings_.intake, [&](const Complaint& complaint) { complaints.add(complaint); });
    shown.hide();
    if (validation.errors > 0) {
      for (const Complaint& each : complaints.told()) {
        if (each.severity == Severity::error) findings_.note("input", to_string(each, file.name()));
      }
      findings_.error(ExitCode::input, "input",
                      fmt::format("{}: {} error{}", file.name(), validation.errors,
                                  validation.errors == 1 ? "" : "s"),
                      "mend the file");
    }
    for (const auto& [region, totals] : validation.by_region) regions_[region] = totals.orders;
  }

  void look_at_credentials() {
    try {
      tls_.emplace(tls_of(settings_));
      const Credentials found =
          obtain_key(key_choice(settings_), *tls_, settings_.scheme, routes_,
                     {[this](const std::string& what) { log_.info(what); }, {}});
      const bool temporary = !found.key.security_token.empty();
      findings_.ok("credentials", std::string(temporary ? "a temporary key" : "a permanent key") +
                                      " from the " + found.describe());
      const auto say = [this](const std::string& text) { findings_.note("credentials", text); };
      client_.emplace(*tls_, routes_, settings_.scheme, settings_.method,
                      query_key(found, *tls_, settings_.scheme, routes_, say),
                      settings_.request_timeout, settings_.connect_timeout);
    } catch (const CredentialsError& error) {
      findings_.error(ExitCode::credentials, "credentials", error.what(),
                      "give a key; clock, permission and quota are not looked at without one");
    } catch (const std::invalid_argument& error) {
      findings_.error(ExitCode::credentials, "credentials", error.what(),
                      "look at the key for a character that was copied along");
    }
  }

  /// @return the server is who it should be
  bool look_at_tls(const Endpoint& endpoint) {
    look_at_way(endpoint);
    const TlsSurvey survey =
        survey_tls(tls_of(settings_), routes_, endpoint, settings_.connect_timeout);
    if (!survey.identity_refusal.empty()) {
      findings_.error(ExitCode::credentials, "TLS", survey.identity_refusal,
                      "have the server's operator say whose certificates are accepted");
      return false;
    }
    if (!survey.failure.empty()) {
      findings_.error(ExitCode::limit, "TLS", survey.failure,
                      "look at the endpoint, the network, and proxies or firewalls on the way");
      return false;
    }
    for (const Certificate& each : survey.chain) look_at(each);
    if (!survey.refusal.empty()) {
      findings_.error(ExitCode::credentials, "TLS", survey.refusal,
                      "send nothing there; if the authority is yours, name it with --ca-file");
      return false;
    }
    findings_.ok("TLS", survey.version + ", chain and name verified");
    return true;
  }

  /// What of the environment decides where bytes go, and whom they are trusted to.
  void look_at_way(const Endpoint& endpoint) {
    if (const Proxy* const proxy = routes_.proxy_for(endpoint)) {
      findings_.ok("proxy", text_of(proxy->at) + ", by " + proxy->source);
    }
    findings_.ok("trust", "anchors from " + trust_anchors(settings_.ca_file));
  }

  void look_at(const Certificate& certificate) {
    const std::string text = certificate.subject + ", issued by " + certificate.issuer +
                             ", expires " + day_of(certificate.not_after);
    const WallTime at = now().wall;
    if (certificate.not_after > at && certificate.not_after - at < kExpirySoon) {
      findings_.warning("certificate", text, "have it renewed before it expires");
    } else {
      findings_.ok("certificate", text);
    }
  }

  void ask(const std::string& region, const Endpoint& endpoint, std::uint64_t orders) {
    std::optional<UseLimit> limit;
    const QueryEnd end = client_->ask(endpoint, use_limit_query(region), [&](const Reply& reply) {
      limit = reader_.use_limit(reply.body);
      return limit.has_value();
    });
    const WallTime at = now().wall;
    if (end.answer.server_at) look_at_clock(at - *end.answer.server_at);
    if (!end.understood && end.answer.code.starts_with(kUnknownRegion)) {
      const std::string_view near = nearest(region, kRegions, 2);
      findings_.error(ExitCode::input, "region", region + " is not known there: " + end.why(),
                      near.empty() || near == region
                          ? "look at the RegionId, in the vendor's list of regions"
                          : fmt::format("did you mean {}?", near));
      return;
    }
    if (!end.understood) {
      const bool ours = end.exit_code() == ExitCode::credentials;
      findings_.error(end.exit_code(), "permission", "GetSmartAccessGatewayUseLimit: " + end.why(),
                      ours ? "look at the key and at what it is allowed to do" : "try again later");
      return;
    }
    findings_.ok("permission",
                 "the key may read; whether it may order, nothing but an order shows");
    look_at_quota(*limit, orders);
  }

  /// @param off positive: this machine is ahead. The server's Date has no fraction.
  void look_at_clock(milliseconds off) {
    const auto size = std::chrono::abs(off);
    const std::string text =
        fmt::format("{:.1f} s {} the server", static_cast<double>(size.count()) / 1000,
                    off.count() >= 0 ? "ahead of" : "behind");
    if (size <= kClockGood) {
      findings_.ok("clock", "within " + std::to_string(kClockGood.count()) + " s of the server");
    } else if (size <= kClockMax) {
      findings_.warning("clock", text, "synchronise it (NTP) before it is off by 15 minutes");
    } else {
      findings_.error(ExitCode::credentials, "clock", text,
                      "synchronise it (NTP): requests with this time are refused");
    }
  }

  void look_at_quota(const UseLimit& limit, std::uint64_t orders) {
    const std::uint64_t left = limit.total > limit.used ? limit.total - limit.used : 0;
    least_left_ = std::min(left, least_left_.value_or(left));
    const std::string text =
        fmt::format("{} of {} instances are bought, {} are left", limit.used, limit.total, left);
    if (left == 0) {
      findings_.error(ExitCode::limit, "quota", text, "have the quota raised");
    } else if (orders > left) {
      findings_.warning("quota", text + fmt::format("; the file has {} orders here", orders),
                        "have the quota raised, or split the file");
    } else {
      findings_.ok("quota", text);
    }
  }

  /// The vendor's page gives the quota by region and calls it the account's: if it is one for all
  /// regions, each of them may have room for its own orders and none for the file.
  void look_at_quota_of_all() {
    std::uint64_t orders = 0;
    for (const auto& [region, of_region] : regions_) orders += of_region;
    if (regions_.size() < 2 || !least_left_ || orders <= *least_left_) return;
    fmt::print("\n");
    findings_.warning("quota",
                      fmt::format("the file has {} orders in all its regions, and {} are left in "
                                  "one of them",
                                  orders, *least_left_),
                      "make sure that the quota is each region's; if it is the account's, have it "
                      "raised, or split the file");
  }

  const Settings& settings_;
  Log& log_;
  const Routes routes_;
  std::optional<std::uint64_t> least_left_;  // of the quota, in any region
  Findings findings_;
  std::map<std::string, std::uint64_t> regions_;  // to the file's orders there
  std::optional<TlsContext> tls_;
  std::optional<QueryClient> client_;
  ListingReader reader_;
};

}  // namespace

ExitCode doctor_command(const Settings& settings, Log& log) {
  return Doctor(settings, log).examine();
}

}  // namespace sagorder::io
