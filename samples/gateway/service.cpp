#include "service.hpp"

#include <cstdio>

#include "document.hpp"
#include "inquiries.hpp"

namespace gateway {
namespace {

constexpr std::size_t kHugePaddingBytes = 307'200;
constexpr std::string_view kHtmlType = "text/html; charset=utf-8";

const Refusal kInternalError{500, "InternalError",
                             "The request processing has failed due to some unknown error."};
const Refusal kUnavailable{503, "ServiceUnavailable",
                           "The request has failed due to a temporary failure of the server."};
const Refusal kThrottled{400, "Throttling.User", "Request was denied due to user flow control."};

std::string limit_header(std::size_t limit, std::chrono::milliseconds wait, WallTime now) {
  const auto reset =
      std::chrono::duration_cast<std::chrono::seconds>((now + wait).time_since_epoch());
  return "X-RateLimit-User: Limit:" + std::to_string(limit) +
         ",Remain:0,TimeLeft:" + std::to_string(wait.count()) +
         ",Reset:" + std::to_string(reset.count()) + "\r\n";
}

std::string retry_after_header(std::chrono::milliseconds wait) {
  return "x-acs-retry-after: " + std::to_string(wait.count()) + "\r\n";
}

}  // namespace

Service::Service(const Options& options, FaultPlan& faults, ExecutedLog& executed, Books& books,
                 Counts& counts)
    : options_(options),
      faults_(faults),
      executed_(executed),
      books_(books),
      counts_(counts),
      gate_(options),
      keys_(options, gate_, counts),
      ids_(options.seed, executed.next_sequence() - 1, options.order_id),
      latency_(options.seed, 8),
      cuts_(options.seed, 9) {}

void Service::handle(const Request& request, std::uint64_t connection, Now now, Reply& reply) {
  ++counts_.requests;
  counts_.request_rate.note(now.steady);
  date_ = date_line_.at(now.wall);
  reply.manner = Manner::answer;
  reply.keep_alive = request.keep_alive;
  reply.bytes.clear();
  reply.late_bytes.clear();
  reply.delay = std::chrono::microseconds(
      latency_.between(static_cast<std::uint64_t>(options_.latency.low.count()),
                       static_cast<std::uint64_t>(options_.latency.high.count())));
  ids_.request_id(placed_.request_id);

  const Fault& fault = is_inquiry(request) ? faults_.next_inquiry() : faults_.next_request();
  if (fault.kind != FaultKind::none && fault.stage == FaultStage::arrival) {
    count_one(counts_.faults, fault.label);
    return lose_on_arrival(fault, reply);
  }
  const std::optional<Refusal> refusal = gate_.examine(request, now, call_);
  counts_.duplicate_nonces = gate_.duplicate_nonces();
  if (refusal) {
    count_one(counts_.refused, refusal->code);
    return refuse(*refusal, refusal->code == kThrottled.code ? quota_hint(now) : "", reply);
  }
  if (fault.kind != FaultKind::none) count_one(counts_.faults, fault.label);
  if (fault.stage == FaultStage::instead) return refuse_in_place(fault, now.wall, reply);
  body_.clear();
  const bool assumes = call_.operation == Operation::assume_role ||
                       call_.operation == Operation::assume_role_with_oidc;
  if (assumes) return answer_key(now, reply);
  if (call_.operation != Operation::create_software) return answer_inquired(fault, now.wall, reply);
  execute(fault, connection, now);
  append_success_body(call_.format, placed_, fault.kind != FaultKind::no_order_id_after, body_);
  answer(fault, reply);
}

void Service::refuse_malformed(int status, std::string_view complaint, Now now, Reply& reply) {
  ++counts_.malformed;
  date_ = date_line_.at(now.wall);
  ids_.request_id(placed_.request_id);
  reply = Reply{};
  reply.keep_alive = false;
  call_.format = Format::json;
  call_.host = {};
  refuse({status, "BadRequest", "This is not a request: " + std::string(complaint) + "."}, "",
         reply);
}

void Service::lose_on_arrival(const Fault& fault, Reply& reply) {
  switch (fault.kind) {
    case FaultKind::close_before:
      reply.manner = Manner::close;
      break;
    case FaultKind::reset_before:
      reply.manner = Manner::reset;
      break;
    case FaultKind::never_before:
      reply.manner = Manner::hold;
      break;
    case FaultKind::bad_gateway_before:
      send_html(502, "", reply);
      break;
    default:
      send_html(200, "", reply);
  }
}

void Service::refuse(const Refusal& refusal, std::string_view more, Reply& reply) {
  body_.clear();
  append_error_body(call_.format, refusal, placed_.request_id, call_.host, body_);
  send(refusal.status, content_type(call_.format), more, reply);
}

void Service::refuse_in_place(const Fault& fault, WallTime now, Reply& reply) {
  constexpr std::chrono::milliseconds kWait(1500);
  switch (fault.kind) {
    case FaultKind::internal_error_before:
      return refuse(kInternalError, "", reply);
    case FaultKind::unavailable_before:
      return refuse(kUnavailable, "", reply);
    case FaultKind::throttle:
      return refuse(kThrottled, "", reply);
    case FaultKind::throttle_hint:
      return refuse(kThrottled, retry_after_header(kWait), reply);
    case FaultKind::throttle_limit:
      return refuse(kThrottled, limit_header(1, kWait, now), reply);
    default:
      return refuse({fault.status, fault.code, "The request was refused: " + fault.code + "."}, "",
                    reply);
  }
}

void Service::execute(const Fault& fault, std::uint64_t connection, Now now) {
  ids_.place(executed_.next_sequence(), placed_);
  executed_.append({placed_, call_.order, call_.nonce,
                    call_.scheme == Scheme::hmac_sha1 ? "hmac-sha1" : "acs3-hmac-sha256",
                    call_.format == Format::json ? "json" : "xml", fault.label, now.wall,
                    connection});
  books_.add(placed_, call_.order, now.wall);
  ++counts_.executed;
}

void Service::answer_key(Now now, Reply& reply) {
  IssuedKey key;
  if (const auto refusal = keys_.issue(now, key)) return refuse(*refusal, "", reply);
  Document document(call_.format, std::string(call_.action) + "Response", body_);
  document.text("RequestId", placed_.request_id);
  document.open("AssumedRoleUser");
  document.text("Arn", call_.parameters.value("RoleArn"));
  document.close();
  document.open("Credentials");
  document.text("AccessKeyId", key.credential.id);
  document.text("AccessKeySecret", key.credential.secret);
  document.text("SecurityToken", key.credential.token);
  document.text("Expiration", key_time(key.expires_at));
  document.close();
  document.finish();
  send_success("", reply);
}

void Service::answer_inquired(const Fault& fault, WallTime now, Reply& reply) {
  Inquiry inquiry{call_, placed_.request_id, now, options_.use_limit};
  if (fault.kind == FaultKind::wrong_total) inquiry.fault = ListingFault::wrong_total;
  if (fault.kind == FaultKind::short_page) inquiry.fault = ListingFault::short_page;
  if (const auto refusal = answer_inquiry(inquiry, books_, body_)) {
    count_one(counts_.refused, refusal->code);
    return refuse(*refusal, "", reply);
  }
  ++counts_.inquiries;
  answer(fault, reply);
}

void Service::answer(const Fault& fault, Reply& reply) {
  switch (fault.kind) {
    case FaultKind::close_after:
      reply.manner = Manner::close;
      return;
    case FaultKind::reset_after:
      reply.manner = Manner::reset;
      return;
    case FaultKind::never_after:
      reply.manner = Manner::hold;
      return;
    case FaultKind::internal_error_after:
      return refuse(kInternalError, "", reply);
    case FaultKind::unavailable_after:
      return refuse(kUnavailable, "", reply);
    case FaultKind::code_after:
      return refuse({fault.status, fault.code, "The request failed: " + fault.code + "."}, "",
                    reply);
    case FaultKind::html:
      return send_html(200, "", reply);
    case FaultKind::bad_gateway_after:
      return send_html(502, "", reply);
    case FaultKind::redirect_after:
      // Nobody listens there: a client that follows it shows itself.
      return send_html(302, "Location: https://localhost:1/\r\n", reply);
    case FaultKind::chunked:
      return send_chunked(false, reply);
    case FaultKind::bad_length_after:
      return send_chunked(true, reply);
    case FaultKind::connection_close:
      reply.keep_alive = false;
      return send_success("", reply);
    case FaultKind::malformed_after:
      body_.resize(body_.size() * 2 / 3);
      return send_success("", reply);
    case FaultKind::huge_after:
      body_.insert(body_.rfind(call_.format == Format::json ? "}" : "</"),
                   call_.format == Format::json
                       ? ",\"Padding\":\"" + std::string(kHugePaddingBytes, 'x') + "\""
                       : "<Padding>" + std::string(kHugePaddingBytes, 'x') + "</Padding>");
      return send_success("", reply);
    case FaultKind::cut:
      send_success("", reply);
      reply.manner = Manner::cut;
      reply.cut = cuts_.between(1, reply.bytes.size() - 1);
      return;
    case FaultKind::dribble:
      send_success("", reply);
      reply.manner = Manner::dribble;
      return;
    case FaultKind::idle_close:
      send_success("", reply);
      reply.manner = Manner::drop_later;
      return;
    case FaultKind::extra_bytes:
    case FaultKind::extra_bytes_late: {
      // A well-formed answer to nobody: whoever takes it for the next answer reads a wrong order.
      send_success("", reply);
      const std::size_t first_bytes = reply.bytes.size();
      Placed nobody = placed_;
      nobody.order_id = "999999999999999";
      body_.clear();
      append_success_body(call_.format, nobody, true, body_);
      send_success("", reply);
      if (fault.kind == FaultKind::extra_bytes_late) {
        reply.late_bytes = reply.bytes.substr(first_bytes);
        reply.bytes.resize(first_bytes);
      }
      return;
    }
    default:
      return send_success("", reply);
  }
}

void Service::send(int status, std::string_view type, std::string_view more, Reply& reply) {
  Head head;
  head.status = status;
  head.content_type = type;
  head.request_id = type == kHtmlType ? std::string_view() : placed_.request_id;
  head.date = date_;
  head.keep_alive = reply.keep_alive;
  head.length = body_.size();
  head.more = more;
  append_head(head, reply.bytes);
  reply.bytes.append(body_);
}

void Service::send_success(std::string_view more, Reply& reply) {
  send(200, content_type(call_.format), more, reply);
}

void Service::send_html(int status, std::string_view more, Reply& reply) {
  body_.clear();
  append_html_page(status, body_);
  send(status, kHtmlType, more, reply);
}

void Service::send_chunked(bool with_length, Reply& reply) {
  Head head;
  head.content_type = content_type(call_.format);
  head.request_id = placed_.request_id;
  head.date = date_;
  head.keep_alive = reply.keep_alive;
  head.chunked = true;
  head.with_length = with_length;
  head.length = body_.size();
  append_head(head, reply.bytes);
  // Three chunks, the cuts anywhere: a reader that takes the first for the whole is found out.
  const std::size_t first = cuts_.between(1, body_.size() - 2);
  const std::size_t second = cuts_.between(first + 1, body_.size() - 1);
  const std::string_view body = body_;
  for (const std::string_view chunk :
       {body.substr(0, first), body.substr(first, second - first), body.substr(second)}) {
    char size[20];
    std::snprintf(size, sizeof size, "%zx\r\n", chunk.size());
    reply.bytes.append(size).append(chunk).append("\r\n");
  }
  reply.bytes.append("0\r\n\r\n");
}

std::string Service::quota_hint(Now now) const {
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(gate_.quota().wait(now.steady));
  switch (options_.quota_hint) {
    case QuotaHint::retry_after:
      return retry_after_header(wait);
    case QuotaHint::limit:
      return limit_header(gate_.quota().limit(), wait, now.wall);
    case QuotaHint::none:
      break;
  }
  return {};
}

}  // namespace gateway
