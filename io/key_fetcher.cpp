#include "io/key_fetcher.hpp"

#include <openssl/crypto.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <stdexcept>
#include <thread>
#include <utility>

#include "engine/ascii.hpp"
#include "io/driver.hpp"
#include "io/file.hpp"

namespace sagorder::io {
namespace {

constexpr milliseconds kLook{20};  // how often a TLS connection's deadline is looked at

NonceSource make_nonces() {
  NonceSource::Key key{};
  fill_random(key);
  return NonceSource(key);
}

/// The token that the platform wrote. Its mode is the platform's, too: it is not looked at.
Secret read_oidc_token(const KeySource& source) {
  const auto* oidc = std::get_if<OidcRole>(&source.first);
  if (oidc == nullptr) return {};
  std::string bytes = read_all(open_to_read(oidc->token_file), kOidcTokenMax, oidc->token_file);
  Secret token{std::string(trimmed(bytes))};
  OPENSSL_cleanse(bytes.data(), bytes.size());
  if (token.empty()) throw std::invalid_argument(oidc->token_file + ": is empty");
  return token;
}

KeyOutcome failure(const KeySource& source, std::string why, bool may_pass = false) {
  KeyOutcome outcome;
  outcome.source = source.name;
  outcome.why = std::move(why);
  outcome.may_pass = may_pass;
  return outcome;
}

}  // namespace

KeyFetcher::KeyFetcher(boost::asio::io_context& context, const TlsContext& tls,
                       std::vector<KeySource> sources, Scheme scheme, const Routes& routes)
    : context_(context),
      tls_(tls),
      routes_(routes),
      sources_(std::move(sources)),
      scheme_(scheme),
      nonces_(make_nonces()),
      readiness_(std::make_shared<Readiness>(context)),
      deadline_(context) {
  if (sources_.empty()) throw std::invalid_argument("no source to fetch a key from");
}

KeyFetcher::~KeyFetcher() { cancel(); }

void KeyFetcher::fetch(Done done) {
  done_ = std::move(done);
  boost::asio::post(context_, [this] { begin(); });
}

void KeyFetcher::cancel() {
  done_ = nullptr;
  deadline_.cancel();
  if (plain_) std::exchange(plain_, nullptr)->cancel();
  if (connection_) {
    const auto held = std::exchange(connection_, nullptr);
    if (held->busy()) (void)held->abandon();
  }
}

void KeyFetcher::begin() {
  if (!done_) return;
  const KeySource& source = sources_[source_];
  try {
    errand_.emplace(source, scheme_, read_oidc_token(source));
    ask();
  } catch (const std::exception& error) {  // a file, or a key that cannot stand in a request
    end(failure(source, error.what()));
  }
}

void KeyFetcher::ask() {
  KeyQuestion question = errand_->question({now().wall, nonces_.next()});
  if (question.tls) {
    ask_tls(std::move(question));
  } else {
    ask_plain(std::move(question));
  }
}

void KeyFetcher::ask_plain(KeyQuestion question) {
  const bool near = std::holds_alternative<InstanceRole>(sources_[source_].first);
  plain_ = std::make_shared<PlainExchange>(context_, question.endpoint, std::move(question.wire),
                                           [this](const Reply* reply, const Fault* fault) {
                                             const auto held = std::exchange(plain_, nullptr);
                                             if (reply != nullptr) {
                                               errand_->replied(*reply, now().wall);
                                             } else {
                                               errand_->faulted(*fault);
                                             }
                                             go_on();
                                           });
  plain_->start(near ? kNearConnectTimeout : kFarConnectTimeout,
                near ? kNearAnswerTimeout : kFarAnswerTimeout);
}

void KeyFetcher::ask_tls(KeyQuestion question) {
  wire_ = std::move(question.wire);
  const SteadyTime begin = now().steady;
  const SteadyTime connect_by = begin + kFarConnectTimeout;
  connection_ = std::make_shared<Connection>(context_, readiness_, tls_, question.endpoint,
                                             static_cast<Connection::Owner&>(*this), routes_);
  connection_->open({.slot = 0,
                     .wire = wire_.reveal(),
                     .answer_by = connect_by + kFarAnswerTimeout,
                     .hold = false},
                    connect_by);
  look_at_deadline();
}

void KeyFetcher::look_at_deadline() {
  deadline_.expires_after(kLook);
  deadline_.async_wait([this](const boost::system::error_code& error) {
    if (error || !connection_) return;
    connection_->expire(now().steady);
    if (connection_) look_at_deadline();
  });
}

void KeyFetcher::finished(Connection& /*connection*/, const Reply* reply, const Fault* fault) {
  const auto held = std::exchange(connection_, nullptr);
  deadline_.cancel();
  if (reply != nullptr) {
    errand_->replied(*reply, now().wall);
  } else {
    errand_->faulted(*fault);
  }
  if (held->phase() == Connection::Phase::idle) held->close();
  wire_ = Secret();
  go_on();
}

void KeyFetcher::connected(Connection& /*connection*/) {}  // nothing is held

void KeyFetcher::go_on() {
  const KeySource& source = sources_[source_];
  switch (errand_->state()) {
    case KeyErrand::State::asking:
      return ask();
    case KeyErrand::State::failed:
      return end(failure(source, errand_->why(), errand_->may_pass()));
    case KeyErrand::State::absent:
      return next_source();
    case KeyErrand::State::got:
      break;
  }
  sources_ = {source};  // and no other from now on
  sources_.front().guessed = false;
  source_ = 0;
  absences_.clear();
  KeyOutcome outcome;
  outcome.key = errand_->key();
  outcome.source = sources_.front().name;
  end(outcome);
}

void KeyFetcher::next_source() {
  absences_ += (absences_.empty() ? "" : "; ") + errand_->why();
  if (source_ + 1 < sources_.size()) {
    ++source_;
    return begin();
  }
  KeyOutcome outcome = failure(sources_[source_], absences_);
  outcome.absent = true;
  source_ = 0;
  absences_.clear();
  end(outcome);
}

void KeyFetcher::end(const KeyOutcome& outcome) {
  errand_.reset();
  const Done done = std::exchange(done_, nullptr);
  done(outcome);
}

KeyOutcome fetch_key(const TlsContext& tls, std::vector<KeySource>& sources, Scheme scheme,
                     const Routes& routes, const std::function<void()>& goes_on) {
  const auto look = [&goes_on] {
    if (goes_on) goes_on();
  };
  KeyOutcome outcome;
  for (int attempt = 1;; ++attempt) {
    boost::asio::io_context context{1};
    KeyFetcher fetcher(context, tls, sources, scheme, routes);
    fetcher.fetch([&outcome](const KeyOutcome& came) { outcome = came; });
    while (!context.stopped()) {
      context.run_for(kFetchLook);
      look();
    }
    if (outcome.key) sources = fetcher.sources();
    if (outcome.key || !outcome.may_pass || attempt == kFetchAttempts) return outcome;
    for (milliseconds left = kFetchWaitFirst * attempt; left > milliseconds(0);
         left -= kFetchLook) {
      std::this_thread::sleep_for(kFetchLook);
      look();
    }
  }
}

}  // namespace sagorder::io
