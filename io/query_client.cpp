#include "io/query_client.hpp"

#include <algorithm>
#include <iterator>
#include <thread>
#include <utility>
#include <vector>

#include "io/driver.hpp"

namespace sagorder::io {
namespace {

constexpr milliseconds kLook{20};  // how often a deadline is looked at

NonceSource make_nonces() {
  NonceSource::Key key{};
  fill_random(key);
  return NonceSource(key);
}

bool is_credentials(const Answer& answer) {
  const Effect effect = judge_code(answer.code).effect;
  return effect == Effect::stop_credentials || effect == Effect::renew_key ||
         effect == Effect::check_clock || answer.http_status == 401 || answer.http_status == 403 ||
         answer.code.starts_with("NotAuthorized");
}

bool is_ours(FaultKind kind) {
  return kind == FaultKind::certificate_refused || kind == FaultKind::identity_refused;
}

bool is_expired(const QueryEnd& end) {
  return !end.fault && end.answer.kind == AnswerKind::error &&
         judge_code(end.answer.code).effect == Effect::renew_key;
}

/// The same call would be refused again.
bool is_final(const QueryEnd& end) {
  if (end.fault) return is_ours(end.fault->kind);
  const Answer& answer = end.answer;
  if (answer.kind != AnswerKind::error || answer.http_status >= 500) return false;
  const bool throttled = judge_code(answer.code).effect == Effect::slow_down ||
                         answer.code.find("Throttling") != std::string::npos;
  const bool in_passing = answer.code == "ServiceUnavailable" || answer.code == "InternalError" ||
                          answer.code == "UnknownError" || answer.code == "SignatureNonceUsed";
  return !throttled && !in_passing;
}

milliseconds wait_after(const QueryEnd& end) {
  milliseconds wait = kQueryWaitFirst * (1U << std::min(end.attempts - 1, 10U));
  if (!end.fault) {
    wait = std::max({wait, end.answer.hint.retry_after.value_or(milliseconds{0}),
                     end.answer.hint.time_left.value_or(milliseconds{0})});
  }
  return std::min(wait, kQueryWaitMax);
}

}  // namespace

std::string QueryEnd::why() const {
  if (fault) return std::string(name_of(fault->kind)) + ": " + fault->detail;
  if (answer.kind == AnswerKind::error) {
    return answer.code + " (HTTP " + std::to_string(answer.http_status) + "): " + answer.message;
  }
  return "an answer that is not understood (HTTP " + std::to_string(answer.http_status) +
         "): " + answer.body_head;
}

ExitCode QueryEnd::exit_code() const {
  const bool ours = fault ? is_ours(fault->kind) : is_credentials(answer);
  return ours ? ExitCode::credentials : ExitCode::limit;
}

QueryClient::QueryClient(const TlsContext& tls, const Routes& routes, Scheme scheme, Method method,
                         QueryKey key, milliseconds request_timeout, milliseconds connect_timeout)
    : tls_(tls),
      routes_(routes),
      scheme_(scheme),
      method_(method),
      key_(std::move(key)),
      writer_(scheme, method, key_.key()),
      request_timeout_(request_timeout),
      connect_timeout_(connect_timeout),
      readiness_(std::make_shared<Readiness>(context_)),
      nonces_(make_nonces()),
      next_(now().steady) {
  reader_.hide(writer_.secrets());
}

QueryClient::~QueryClient() {
  if (connection_ && connection_->phase() == Connection::Phase::idle) connection_->close();
}

QueryEnd QueryClient::ask(const Endpoint& endpoint, const Query& query,
                          const std::function<bool(const Reply&)>& understand) {
  understand_ = &understand;
  end_ = {};
  for (;;) {
    std::this_thread::sleep_until(next_);
    next_ = now().steady + kQueryGap;
    ++end_.attempts;
    if (key_.keep_fresh(now().wall)) sign_with_key();
    attempt(endpoint, query);
    if (end_.understood) key_.proved();
    if (end_.understood || end_.attempts == kQueryAttemptsMax) break;
    if (is_expired(end_) && key_.replace(now().wall)) {
      sign_with_key();
      continue;
    }
    if (is_final(end_)) break;
    next_ = std::max(next_, now().steady + wait_after(end_));
  }
  understand_ = nullptr;
  return end_;
}

void QueryClient::sign_with_key() {
  std::vector<Secret> hidden = writer_.secrets();  // an answer may still repeat the one before
  writer_ = QueryWriter(scheme_, method_, key_.key());
  std::ranges::move(writer_.secrets(), std::back_inserter(hidden));
  reader_.hide(std::move(hidden));
}

void QueryClient::attempt(const Endpoint& endpoint, const Query& query) {
  const Moment begin = now();
  writer_.write(query, host_header(endpoint), {begin.wall, nonces_.next()}, wire_);
  const Exchange exchange{
      .slot = 0, .wire = wire_.bytes, .answer_by = begin.steady + request_timeout_, .hold = false};
  done_ = false;
  end_.fault.reset();
  end_.answer = {};
  if (!reuse(endpoint, exchange)) {
    connection_ = std::make_shared<Connection>(context_, readiness_, tls_, endpoint,
                                               static_cast<Connection::Owner&>(*this), routes_);
    connection_->open(exchange, begin.steady + connect_timeout_);
  }
  while (!done_) {
    context_.restart();
    context_.run_one_for(kLook);
    if (!done_) connection_->expire(now().steady);
  }
}

/// @return false: a new connection is needed
bool QueryClient::reuse(const Endpoint& endpoint, const Exchange& exchange) {
  if (!connection_ || connection_->endpoint() != endpoint ||
      connection_->phase() != Connection::Phase::idle || !connection_->still_good(now().steady)) {
    return false;
  }
  return !connection_->exchange(exchange).has_value();
}

void QueryClient::finished(Connection& /*connection*/, const Reply* reply, const Fault* fault) {
  done_ = true;
  if (fault != nullptr) {
    end_.fault = *fault;
    return;
  }
  const bool success = reply->status >= 200 && reply->status <= 299 && !reply->surplus;
  end_.understood = success && (*understand_)(*reply);
  reader_.read(*reply, end_.answer);
}

void QueryClient::connected(Connection& /*connection*/) {}  // nothing is held

}  // namespace sagorder::io
