#include "tests/simulation/server.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cstring>
#include <ctime>
#include <iterator>

#include "tests/simulation/stage.hpp"

namespace sagorder::simulation {
namespace {

constexpr std::string_view kHtml = "<html><body><h1>It works</h1> OrderId follows</body></html>";

std::string_view after(std::string_view text, std::string_view name) {
  const void* const found = ::memmem(text.data(), text.size(), name.data(), name.size());
  if (found == nullptr) return {};
  const auto at = static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
  return text.substr(at + name.size());
}

std::uint32_t number_in(std::string_view text) {
  std::uint32_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

constexpr std::string_view kStrayRefusal =
    "HTTP/1.1 400 X\r\nContent-Type: application/json\r\nContent-Length: 49\r\n\r\n"
    R"({"Code":"Throttling.User","RequestId":"A0-11-22"})";

constexpr std::array<Fault, 26> kServerFaults = {Fault::throttled,
                                                 Fault::row_refused,
                                                 Fault::key_refused,
                                                 Fault::unpaid,
                                                 Fault::clock_refused,
                                                 Fault::unknown_code,
                                                 Fault::redirect,
                                                 Fault::unavailable,
                                                 Fault::unavailable_after,
                                                 Fault::internal,
                                                 Fault::internal_after,
                                                 Fault::internal_late,
                                                 Fault::silent,
                                                 Fault::silent_after,
                                                 Fault::silent_late,
                                                 Fault::sent_twice,
                                                 Fault::slow,
                                                 Fault::html,
                                                 Fault::html_after,
                                                 Fault::duplicate_keys,
                                                 Fault::garbled,
                                                 Fault::too_large,
                                                 Fault::answers_again,
                                                 Fault::answers_late,
                                                 Fault::repeats_id,
                                                 Fault::lies};

bool executes(Fault fault) {
  switch (fault) {
    case Fault::unavailable_after:
    case Fault::internal_after:
    case Fault::internal_late:
    case Fault::silent_after:
    case Fault::silent_late:
    case Fault::slow:
    case Fault::sent_twice:
    case Fault::html_after:
    case Fault::duplicate_keys:
    case Fault::garbled:
    case Fault::too_large:
    case Fault::answers_again:
    case Fault::answers_late:
    case Fault::repeats_id:
    case Fault::lies:
      return true;
    default:
      return false;
  }
}

bool executes_late(Fault fault) {
  return fault == Fault::internal_late || fault == Fault::silent_late;
}

/// Refusals that a proxy, or a server that broke after the order, may send under a status that
/// contradicts them (or without a RequestId): then they say nothing.
bool may_be_odd(Fault fault) {
  return fault == Fault::throttled || fault == Fault::row_refused || fault == Fault::key_refused ||
         fault == Fault::unpaid || fault == Fault::unknown_code;
}

}  // namespace

Asked read_request(std::string_view wire) {
  Asked asked;
  asked.row = number_in(after(wire, "UserCount="));
  std::string_view nonce = after(wire, "SignatureNonce=");
  if (nonce.empty()) nonce = after(wire, "x-acs-signature-nonce:");
  while (!nonce.empty() && nonce.front() == ' ') nonce.remove_prefix(1);
  asked.nonce = nonce.substr(0, 32);
  return asked;
}

void Server::on_bytes(std::uint32_t index) {
  Link& link = stage_.network.link(index);
  if (link.server_busy) return;
  const std::string_view unread =
      std::string_view(link.up).substr(link.parsed, link.up_delivered - link.parsed);
  const std::string_view behind = after(unread, "\r\n\r\n");
  if (behind.data() == nullptr) return;
  const auto head = static_cast<std::size_t>(behind.data() - unread.data());
  const std::string_view length = after(unread.substr(0, head), "content-length: ");
  const std::size_t whole = head + (length.empty() ? 0 : number_in(length));
  if (unread.size() < whole) return;
  link.parsed += whole;
  link.server_busy = true;
  handle(index, read_request(unread.substr(0, whole)));
}

bool Server::over_quota() {
  if (stage_.plan.server_quota == 0 || stage_.calm) return false;
  const Time window = stage_.clock.now() / kSecond;
  if (window != quota_window_) quota_used_ = 0;
  quota_window_ = window;
  return ++quota_used_ > stage_.plan.server_quota;
}

std::optional<Fault> Server::choose(const Job& job) {
  Stage& s = stage_;
  Attempted& attempted = s.oracle.attempted(job.attempted);
  if (attempted.reached) {
    if (s.plan.keeps_nonce_rule || !s.chance.one_in(2)) return Fault::nonce_used;
    s.strike_line(s.network.link(job.link), Fault::forgets_nonce);
  }
  attempted.reached = true;
  const auto skew = s.clock.true_wall() - attempted.stamped;
  if (skew > seconds(900) || skew < -seconds(900)) return Fault::clock_refused;
  if (over_quota()) return Fault::throttled;
  if (s.calm || s.plan.faultless) return std::nullopt;
  const std::size_t first = s.chance.below(kServerFaults.size());
  for (std::size_t i = 0; i < kServerFaults.size(); ++i) {
    const Fault fault = kServerFaults[(first + i) % kServerFaults.size()];
    if (s.hits(fault)) return fault;
  }
  return std::nullopt;
}

void Server::handle(std::uint32_t link, const Asked& asked) {
  Job job;
  job.link = link;
  job.row = asked.row;
  if (asked.nonce.size() != 32 || asked.row == 0 || asked.row > stage_.plan.rows) {
    stage_.oracle.violate("I5", "the wire holds what is no request of this batch");
    return;
  }
  job.attempted = stage_.oracle.attempt_of(asked.nonce, asked.row);
  if (const auto fault = choose(job)) {
    job.honest = false;
    job.fault = *fault;
    stage_.strike_line(stage_.network.link(link), *fault);
  }
  stage_.trace.tell("server: row {} read on link {}: {}", job.row, link,
                    job.honest ? std::string_view("places it") : name_of(job.fault));
  run(job);
}

void Server::run(Job job) {
  Stage& s = stage_;
  const auto index = static_cast<std::uint32_t>(jobs_.size());
  Time answers = s.chance.between(10 * kMicrosecond, s.plan.think);
  const bool late = !job.honest && executes_late(job.fault);
  bool does = job.honest || executes(job.fault);
  if (!job.honest && may_be_odd(job.fault)) {
    job.odd = s.chance.one_in(6);
    const bool says_nothing = job.fault == Fault::unpaid || job.fault == Fault::unknown_code;
    does = (job.odd || says_nothing) && s.chance.one_in(2);
  }
  if (!job.honest && job.fault == Fault::slow) {
    answers = s.plan.request_timeout + s.chance.between(0, 300 * kMillisecond);
  }
  jobs_.push_back(job);
  if (does) {
    s.clock.after(late ? answers + s.chance.between(kMillisecond, 200 * kSecond) : answers,
                  Act::execute, index);
  }
  s.clock.after(answers + (late ? 0 : 1), Act::answer, index);
}

void Server::on_execute(std::uint32_t index) { execute(jobs_[index]); }

void Server::execute(Job& job) {
  job.id = stage_.oracle.executed(job.row, job.attempted);
  stage_.trace.tell("server: row {} is executed as {}", job.row, job.id);
}

std::string Server::request_id() {
  const std::uint64_t x = stage_.chance.next();
  return fmt::format("{:08X}-{:04X}-4E07-844A-{:012X}", x >> 32U, x & 0xFFFFU,
                     (x >> 16U) & 0xFFFFFFFFFFFFU);
}

/// In one of the ways in which HTTP can frame it.
void Server::say(const Job& job, int status, std::string_view type, std::string_view body,
                 bool may_be_odd) {
  Stage& s = stage_;
  wire_.clear();
  auto out = std::back_inserter(wire_);
  const std::uint64_t way = may_be_odd ? s.chance.below(24) : 0;
  if (way == 1) wire_ += "HTTP/1.1 100 Continue\r\n\r\n";
  if (way == 2) wire_ += "HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n";
  fmt::format_to(out, "HTTP/1.1 {} X\r\nContent-Type: {}\r\n", status, type);
  wire_ += extra_header_;
  if (s.chance.one_in(4)) {
    const std::time_t at = std::chrono::system_clock::to_time_t(s.clock.true_wall());
    std::tm parts{};
    ::gmtime_r(&at, &parts);
    char date[40];
    std::strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    if (extra_header_.find("Date:") == std::string::npos) {
      fmt::format_to(out, "Date: {}\r\n", date);
    }
  }
  close_after_ = way >= 3 && way <= 5;
  if (close_after_) wire_ += "Connection: close\r\n";
  if (way == 3) {  // its end is the stream's
    fmt::format_to(out, "\r\n{}", body);
  } else if (way == 6 || way == 7) {
    const std::size_t cut = body.empty() ? 0 : s.chance.below(body.size());
    wire_ += "Transfer-Encoding: chunked\r\n\r\n";
    if (cut > 0) fmt::format_to(out, "{:x}\r\n{}\r\n", cut, body.substr(0, cut));
    if (body.size() > cut) {
      fmt::format_to(out, "{:x};name=value\r\n{}\r\n", body.size() - cut, body.substr(cut));
    }
    wire_ += "0\r\nTrailer: x\r\n\r\n";
  } else {
    fmt::format_to(out, "Content-Length: {}\r\n\r\n{}", body.size(), body);
  }
  s.trace.tell("server: row {} is answered {} {}", job.row, status, body.substr(0, 60));
  s.network.answer(job.link, wire_);
  extra_header_.clear();
}

void Server::say_ordered(const Job& job, std::uint64_t id) {
  Stage& s = stage_;
  body_.clear();
  auto out = std::back_inserter(body_);
  const std::uint64_t way = s.chance.below(8);
  if (way == 0) {
    fmt::format_to(out,
                   "<?xml version='1.0' encoding='UTF-8'?>\n<CreateSmartAccessGatewaySoftware"
                   "Response><RequestId>{}</RequestId><OrderId>{}</OrderId><SmartAGId>sag-{:x}"
                   "</SmartAGId></CreateSmartAccessGatewaySoftwareResponse>",
                   request_id(), id, id);
    return say(job, 200, "text/xml;charset=utf-8", body_, true);
  }
  if (way == 1) {
    fmt::format_to(out, R"({{"OrderId":{},"RequestId":"{}"}})", id, request_id());
  } else {
    fmt::format_to(out, R"({{"RequestId":"{}","SmartAGId":"sag-{:x}","OrderId":"{}"}})",
                   request_id(), id, id);
  }
  say(job, 200, "application/json;charset=utf-8", body_, true);
}

/// Its message echoes what was signed, the secret in it.
void Server::say_error(const Job& job, int status, std::string_view code) {
  Stage& s = stage_;
  body_.clear();
  auto out = std::back_inserter(body_);
  const std::size_t padding = s.chance.one_in(3) ? 380 + s.chance.below(140) : 0;
  const std::string echo(padding, 'x');
  if (s.chance.one_in(4)) {
    fmt::format_to(out,
                   "<?xml version='1.0' encoding='UTF-8'?><Error><RequestId>{}</RequestId><HostId>"
                   "x</HostId><Code>{}</Code><Message>m {} {} behind</Message></Error>",
                   request_id(), code, echo, kSecretText);
    return say(job, status, "text/xml", body_, true);
  }
  fmt::format_to(out, R"({{"RequestId":"{}","HostId":"x","Code":"{}","Message":"m {} {} {}"}})",
                 request_id(), code, echo, kSecretText, kTokenText);
  say(job, status, "application/json", body_, true);
}

void Server::on_answer(std::uint32_t index) {
  Stage& s = stage_;
  Job job = jobs_[index];
  Link& link = s.network.link(job.link);
  if (!link.server_open) return;
  if (job.honest) {
    say_ordered(job, job.id);
    return after_answer(job.link);
  }
  const auto one_of = [&](auto... texts) {
    const std::array<std::string_view, sizeof...(texts)> all = {texts...};
    return all[s.chance.below(all.size())];
  };
  switch (job.fault) {
    case Fault::throttled: {
      auto out = std::back_inserter(extra_header_);
      const auto wait =
          s.chance.one_in(40) ? s.chance.between(90'000, 400'000) : s.chance.between(10, 1'500);
      if (s.chance.one_in(3)) fmt::format_to(out, "x-acs-retry-after: {}\r\n", wait);
      if (s.chance.one_in(3)) {
        fmt::format_to(out, "X-RateLimit-User: Limit:5,Remain:0,TimeLeft:{},Reset:1\r\n", wait);
      }
      if (job.odd && s.chance.one_in(2)) {
        say(job, 400, "application/json", R"({"Code":"Throttling.User","Message":"no id"})", true);
      } else {
        say_error(job, job.odd ? 503 : 400,
                  one_of("Throttling", "Throttling.User", "Throttling.Api", "Rejected.Throttling"));
      }
      break;
    }
    case Fault::row_refused:
      say_error(job, job.odd ? 500 : 400,
                one_of("SAG.InvalidUserCount", "InvalidPeriod.OutOfRange", "MissingParameter",
                       "InvalidRegionId.NotFound", "QuotaExceeded"));
      break;
    case Fault::key_refused:
      say_error(job, job.odd ? 200 : 403,
                one_of("SignatureDoesNotMatch", "InvalidAccessKeyId.NotFound", "Forbidden.RAM",
                       "InvalidSecurityToken.Expired"));
      break;
    case Fault::unpaid:
      say_error(job, 400, one_of("InsufficientBalance", "NOT_ENOUGH_BALANCE", "PAY.x"));
      break;
    case Fault::clock_refused:
      if (s.chance.one_in(2)) extra_header_ = "Date: Fri, 02 Jan 2026 09:00:00 GMT\r\n";
      say_error(job, 400, "InvalidTimeStamp.Expired");
      break;
    case Fault::nonce_used:
    case Fault::sent_twice:
      say_error(job, 400, "SignatureNonceUsed");
      break;
    case Fault::unknown_code:
      say_error(job, 400, one_of("Something.New", "InvalidOrder", "Throttling.Unheard"));
      break;
    case Fault::redirect:
      extra_header_ = "Location: https://elsewhere/\r\n";
      say(job, 302, "text/html", kHtml, true);
      break;
    case Fault::unavailable:
    case Fault::unavailable_after:
      if (s.chance.one_in(2)) {
        say_error(job, 503, "ServiceUnavailable");
      } else {
        say(job, 503, "text/html", kHtml, true);
      }
      break;
    case Fault::internal:
    case Fault::internal_after:
    case Fault::internal_late:
      say_error(job, s.chance.one_in(2) ? 500 : 403, one_of("InternalError", "UnknownError"));
      break;
    case Fault::silent:
    case Fault::silent_after:
    case Fault::silent_late:
      if (s.chance.one_in(3)) {
        s.network.end_from_server(job.link, s.chance.one_in(2) ? End::reset : End::farewell);
      }
      return;  // the connection stays busy: what else may come on it is not read
    case Fault::html:
    case Fault::html_after:
      say(job, 200, "text/html", kHtml, true);
      break;
    case Fault::duplicate_keys: {
      const std::uint64_t other = s.chance.one_in(2) ? 7 : 0;  // which of the two is true
      body_ = fmt::format(R"({{"RequestId":"{}","OrderId":"{}","orderId":"{}"}})", request_id(),
                          job.id + other, job.id + 7 - other);
      say(job, 200, "application/json", body_, true);
      break;
    }
    case Fault::garbled:
      s.network.answer(job.link, one_of("HTTP/1.1 200\nOrderId: 1\r\n\r\n", "\x15\x03\x01",
                                        "HTTP/1.1 200 X\r\nContent-Length: 4\r\nTransfer-Encoding: "
                                        "chunked\r\n\r\n0\r\n\r\n",
                                        "HTTP/1.1 200 X\r\n\r\n{}"));
      break;
    case Fault::too_large:
      extra_header_ = "X: " + std::string(20'000, 'y') + "\r\n";
      say(job, 200, "application/json", "{}", false);
      break;
    case Fault::slow:
      say_ordered(job, job.id);
      break;
    case Fault::answers_again:
      say_ordered(job, job.id);
      if (!close_after_) {
        const std::string again = wire_;
        if (s.chance.one_in(2)) link.down_last += s.chance.between(0, 100 * kMillisecond);
        s.network.answer(job.link, again);
      }
      break;
    case Fault::answers_late:
      say_error(job, 500, "InternalError");
      if (!close_after_) {
        link.down_last += s.chance.between(0, 100 * kMillisecond);
        say_ordered(job, job.id);
      }
      break;
    case Fault::repeats_id:
      say_ordered(
          job, s.oracle.is_id(job.id - 1) && s.chance.one_in(2) ? job.id - 1 : s.oracle.last_id());
      break;
    case Fault::lies:
      s.oracle.lied(job.row);
      say_error(job, 400, one_of("Throttling.User", "SAG.InvalidUserCount"));
      break;
    default:
      break;
  }
  after_answer(job.link);
}

void Server::after_answer(std::uint32_t index) {
  Stage& s = stage_;
  Link& link = s.network.link(index);
  if (std::exchange(close_after_, false)) {
    return s.network.end_from_server(index, End::farewell);
  }
  link.server_busy = false;
  for (const Fault fault : {Fault::server_closed, Fault::server_reset, Fault::stray_bytes}) {
    if (!s.hits(fault)) continue;
    constexpr std::array<Time, 3> kWaits = {2 * kMillisecond, 100 * kMillisecond, 7 * kSecond};
    const Time waits = s.chance.between(0, kWaits[s.chance.below(kWaits.size())]);
    s.clock.at(std::max(s.clock.now(), link.down_last) + waits, Act::server_closes, index,
               static_cast<std::uint32_t>(fault));
    break;
  }
  on_bytes(index);
}

void Server::on_close(std::uint32_t index, std::uint32_t how) {
  Stage& s = stage_;
  Link& link = s.network.link(index);
  const auto fault = static_cast<Fault>(how);
  if (!link.server_open || link.server_busy || !s.strikes_kept(link)) return;
  if (link.up_delivered != link.parsed) return;  // a request has begun to arrive
  s.strike_line(link, fault);
  s.trace.tell("server: {} on link {}", name_of(fault), index);
  if (fault == Fault::stray_bytes) {
    // One that names a refusal, or an order, only where it is there before the next request: one
    // that crosses a request cannot be told from its answer.
    if (s.rests(link) && s.chance.one_in(2)) return s.network.answer_at_once(index, kStrayRefusal);
    constexpr std::array<std::string_view, 3> kStray = {
        "\r\n", "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        "garbage"};
    return s.network.answer(index, kStray[s.chance.below(kStray.size())]);
  }
  s.network.end_from_server(index, fault == Fault::server_reset ? End::reset : End::farewell);
}

void Server::on_client_gone(std::uint32_t index) {
  Link& link = stage_.network.link(index);
  link.server_open = false;
  link.down_dead = true;
}

}  // namespace sagorder::simulation
