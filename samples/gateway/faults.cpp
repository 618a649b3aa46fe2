#include "faults.hpp"

#include <algorithm>
#include <charconv>
#include <stdexcept>

namespace gateway {
namespace {

using enum FaultKind;
using enum FaultStage;

constexpr FaultFacts kFacts[] = {
    {close_before, "close-before", arrival, "connection closed in order, nothing executed"},
    {reset_before, "reset-before", arrival, "connection reset, nothing executed"},
    {never_before, "never-before", arrival, "never answered, nothing executed"},
    {html_before, "html-before", arrival, "200 with an HTML page, nothing executed"},
    {bad_gateway_before, "502-html-before", arrival, "502 with an HTML page, nothing executed"},
    {internal_error_before, "500-before", instead, "500 InternalError, not executed"},
    {unavailable_before, "503-before", instead, "503 ServiceUnavailable, not executed"},
    {throttle, "throttle", instead, "Throttling.User without a hint"},
    {throttle_hint, "throttle-hint", instead, "Throttling.User with x-acs-retry-after"},
    {throttle_limit, "throttle-limit", instead, "Throttling.User with X-RateLimit-User"},
    {code, "code", instead, "code:NAME[:STATUS]: that error, not executed"},
    {close_after, "close-after", answer, "executed, then closed in order without a byte"},
    {reset_after, "reset-after", answer, "executed, then reset"},
    {never_after, "never-after", answer, "executed, never answered, connection held open"},
    {cut, "cut", answer, "executed, answer cut at a drawn byte, closed without close_notify"},
    {dribble, "dribble", answer, "executed, answer sent a byte at a time"},
    {internal_error_after, "500-after", answer, "executed, 500 InternalError"},
    {unavailable_after, "503-after", answer, "executed, 503 ServiceUnavailable"},
    {code_after, "code-after", answer, "code-after:NAME[:STATUS]: executed, then that error"},
    {html, "html", answer, "executed, 200 with an HTML page"},
    {bad_gateway_after, "502-html-after", answer, "executed, 502 with an HTML page"},
    {redirect_after, "redirect-after", answer, "executed, 302 to another host"},
    {chunked, "chunked", answer, "executed, good answer in chunks"},
    {connection_close, "connection-close", answer, "executed, good answer, Connection: close"},
    {idle_close, "idle-close", answer, "executed, good answer, closed unannounced soon after"},
    {extra_bytes, "extra-bytes", answer, "executed, good answer and a second one unasked for"},
    {extra_bytes_late, "extra-bytes-late", answer, "the same, the second one a moment later"},
    {malformed_after, "malformed-json-after", answer, "executed, 200 with a broken body"},
    {no_order_id_after, "no-order-id-after", answer, "executed, 200 without an OrderId"},
    {huge_after, "huge-after", answer, "executed, good answer of over 256 KiB"},
    {bad_length_after, "bad-length-after", answer, "executed, both body lengths at once"},
    {wrong_total, "wrong-total", listing, "a listing's total is one too many"},
    {short_page, "short-page", listing, "a listing's page lacks its last entry"},
    {accept_close, "accept-close", accept, "connection closed when accepted"},
    {handshake_refused, "handshake", handshake, "TLS handshake refused with an alert"},
    {reuse_close, "reuse-close", reuse, "a re-used connection closed under the next request"},
};

[[noreturn]] void complain(std::string_view item, const char* what) {
  throw std::invalid_argument("fault '" + std::string(item) + "': " + what);
}

template <typename Number>
bool read_whole(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

Fault make_fault(std::string_view label) {
  const std::size_t colon = label.find(':');
  const std::string_view name = label.substr(0, colon);
  for (const FaultFacts& fact : kFacts) {
    if (fact.name != name) continue;
    Fault fault{fact.kind, fact.stage, std::string(label), {}, 0};
    const bool takes_code = fact.kind == code || fact.kind == code_after;
    if (takes_code != (colon != std::string_view::npos))
      complain(label, takes_code ? "needs code:NAME[:STATUS]" : "takes no code");
    if (takes_code) {
      std::string_view rest = label.substr(colon + 1);
      const std::size_t second = rest.find(':');
      fault.code = rest.substr(0, second);
      fault.status = 400;
      if (second != std::string_view::npos && (!read_whole(rest.substr(second + 1), fault.status) ||
                                               fault.status < 200 || fault.status > 599))
        complain(label, "the status is not one of 200 to 599");
      if (fault.code.empty()) complain(label, "the code is empty");
    }
    return fault;
  }
  complain(label, "no such kind");
}

}  // namespace

std::span<const FaultFacts> fault_table() { return kFacts; }

FaultPlan::FaultPlan(std::string_view plan, std::uint64_t seed, std::string_view inquiries) {
  requests_.chance = Chance(seed, 1);
  accepts_.chance = Chance(seed, 2);
  handshakes_.chance = Chance(seed, 3);
  reuses_.chance = Chance(seed, 4);
  inquiries_.chance = Chance(seed, 10);
  for (const bool of_inquiries : {false, true}) {
    std::string_view rest = of_inquiries ? inquiries : plan;
    while (!rest.empty()) {
      const std::string_view item = rest.substr(0, rest.find(','));
      if (!item.empty()) add(item, of_inquiries);
      rest.remove_prefix(std::min(item.size() + 1, rest.size()));
    }
  }
  for (const Lane* lane : {&requests_, &inquiries_, &accepts_, &handshakes_, &reuses_}) {
    double sum = 0;
    for (const Entry& entry : lane->entries) sum += entry.probability;
    if (sum > 1 + 1e-9)
      throw std::invalid_argument("the fault probabilities add up to more than 1");
  }
}

void FaultPlan::add(std::string_view item, bool of_inquiries) {
  const std::size_t mark = item.find_first_of("=@");
  Entry entry;
  entry.fault = make_fault(item.substr(0, mark));
  if (mark == std::string_view::npos) {
    entry.probability = 1;
  } else if (item[mark] == '=') {
    if (!read_whole(item.substr(mark + 1), entry.probability) ||
        !(entry.probability >= 0 && entry.probability <= 1))
      complain(item, "the probability is not one of 0 to 1");
  } else {
    const std::string_view range = item.substr(mark + 1);
    const std::size_t dash = range.find('-');
    if (!read_whole(range.substr(0, dash), entry.first)) complain(item, "a bad number after @");
    entry.last = entry.first;
    if (dash != std::string_view::npos && !read_whole(range.substr(dash + 1), entry.last))
      complain(item, "a bad range after @");
    if (entry.first == 0 || entry.last < entry.first) complain(item, "counting begins at 1");
  }
  const FaultStage stage = entry.fault.stage;
  const bool by_connection = stage == accept || stage == handshake || stage == reuse;
  if (of_inquiries ? by_connection || entry.fault.kind == no_order_id_after : stage == listing)
    complain(item, of_inquiries ? "not one of an inquiry" : "only an inquiry can have it");
  Lane& lane = of_inquiries ? inquiries_ : lane_of(stage);
  lane.entries.push_back(std::move(entry));
}

FaultPlan::Lane& FaultPlan::lane_of(FaultStage stage) {
  switch (stage) {
    case accept:
      return accepts_;
    case handshake:
      return handshakes_;
    case reuse:
      return reuses_;
    case arrival:
    case instead:
    case answer:
    case listing:
      break;
  }
  return requests_;
}

const Fault& FaultPlan::Lane::next() {
  static const Fault kNoFault;
  if (entries.empty()) return kNoFault;
  ++count;
  const double drawn = chance.fraction();
  for (const Entry& entry : entries) {
    if (entry.first != 0 && count >= entry.first && count <= entry.last) return entry.fault;
  }
  double sum = 0;
  for (const Entry& entry : entries) {
    sum += entry.probability;
    if (drawn < sum) return entry.fault;
  }
  return kNoFault;
}

}  // namespace gateway
