#include "tests/simulation/hosts/server.hpp"

#include <fmt/format.h>

#include <charconv>

#include "tests/simulation/hosts/stage.hpp"

namespace sagorder::simulation::hosts {
namespace {

std::string_view after(std::string_view wire, std::string_view name) {
  wire.remove_prefix(std::min(wire.size(), wire.find(name) + name.size()));
  return wire.substr(wire.find_first_not_of(' '));
}

}  // namespace

std::uint32_t Server::connect(std::uint32_t host, Life life, const Send& send) {
  Exchange exchange;
  exchange.host = host;
  exchange.life = life;
  exchange.slot = send.slot;
  const std::string_view seats = after(send.wire, "UserCount=");  // a row's number
  std::from_chars(seats.data(), seats.data() + seats.size(), exchange.row);
  exchange.nonce = after(send.wire, "x-acs-signature-nonce:").substr(0, 32);
  exchange.refused = stage_.hits(stage_.plan.connect_refused);
  const auto index = static_cast<std::uint32_t>(exchanges_.size());
  exchanges_.push_back(std::move(exchange));
  arriving_.push_back(false);
  const bool open = stage_.chance.one_in(2);  // a kept connection
  stage_.clock.after(open ? 0 : stage_.chance.between(0, stage_.plan.handshake), Act::handshake,
                     index);
  return index;
}

void Server::go(std::uint32_t index) {
  Exchange& exchange = exchanges_[index];
  exchange.state = Exchange::State::sent;
  arriving_[index] = true;
  stage_.oracle.written(exchange.life, exchange.row, exchange.nonce);
  stage_.clock.after(stage_.hop() + stage_.chance.between(0, stage_.plan.think), Act::execute,
                     index);
}

bool Server::is_under_way(std::uint32_t row) const {
  for (std::size_t i = 0; i < exchanges_.size(); ++i) {
    if (arriving_[i] && exchanges_[i].row == row) return true;
  }
  return false;
}

void Server::refuse(Exchange& exchange, int status, std::string_view code) {
  exchange.status = status;
  exchange.body = fmt::format(R"({{"RequestId":"B-1","Code":"{}","Message":"m"}})", code);
}

void Server::order(Exchange& exchange) {
  const std::uint64_t id = stage_.oracle.executed(exchange.row);
  stage_.trace.tell("the server executes row {} as {}", exchange.row, id);
  exchange.status = 200;
  exchange.body = fmt::format(R"({{"RequestId":"B-1","OrderId":"{}"}})", id);
}

void Server::on_execute(std::uint32_t index) {
  Exchange& exchange = exchanges_[index];
  const Plan& plan = stage_.plan;
  arriving_[index] = false;
  stage_.clock.after(stage_.hop(), Act::answer, index);
  if (stage_.hits(plan.request_lost)) {
    exchange.lost = true;
    return;
  }
  if (!nonces_.insert(exchange.nonce).second) return refuse(exchange, 400, "SignatureNonceUsed");
  if (stage_.hits(plan.throttled)) {
    exchange.pause = stage_.chance.between(1, 4) * kSecond;
    exchange.retry_after = std::to_string(exchange.pause / kMillisecond);
    return refuse(exchange, 400, "Throttling.User");
  }
  if (stage_.hits(plan.row_refused)) return refuse(exchange, 400, "SAG.InvalidUserCount");
  const bool fails = stage_.hits(plan.server_error);
  if (!fails || stage_.chance.one_in(2)) order(exchange);
  if (fails) refuse(exchange, 500, "InternalError");
  exchange.lost = stage_.hits(plan.answer_lost);
}

}  // namespace sagorder::simulation::hosts
