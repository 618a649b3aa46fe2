#include "engine/query.hpp"

#include <algorithm>
#include <chrono>

namespace sagorder {
namespace {

using Parameters = std::vector<Parameter>;

std::string text_of(const Timestamp& timestamp) { return {timestamp.data(), timestamp.size()}; }

void append_pairs(std::string& out, const Parameters& parameters) {
  for (const Parameter& parameter : parameters) {
    if (&parameter != parameters.data()) out += '&';
    append_encoded(out, parameter.name);
    out += '=';
    append_encoded(out, parameter.value);
  }
}

Parameters own_parameters(const Query& query) {
  Parameters parameters;
  for (const auto& [name, value] : query.parameters) parameters.push_back({name, value});
  return parameters;
}

void sort(Parameters& parameters) { std::ranges::sort(parameters, {}, &Parameter::name); }

}  // namespace

struct QueryWriter::Prepared {
  Scheme scheme;
  Method method;
  AccessKey key;
  std::unique_ptr<const Signer> signer;

  [[nodiscard]] std::string_view verb() const { return method == Method::get ? "GET" : "POST"; }

  void write_acs3(const Query& query, std::string_view host, const Stamp& stamp,
                  WireBuffer& out) const {
    const std::string timestamp = text_of(timestamp_of(stamp.at));
    const Parameters parameters = own_parameters(query);
    Parameters headers = {{"host", host},
                          {"x-acs-action", query.action},
                          {"x-acs-content-sha256", kHashOfNothing},
                          {"x-acs-date", timestamp},
                          {"x-acs-signature-nonce", stamp.nonce.view()},
                          {"x-acs-version", query.version}};
    if (!key.security_token.empty()) {
      headers.push_back({"x-acs-security-token", key.security_token.reveal()});
    }
    sort(headers);
    signer->sign({"POST", parameters, headers, kHashOfNothing}, out.stages);

    std::string& wire = out.bytes;
    wire = "POST /?";
    append_pairs(wire, parameters);
    wire.append(" HTTP/1.1\r\n");
    for (const Parameter& header : headers) {
      wire.append(header.name).append(": ").append(header.value).append("\r\n");
    }
    wire.append("accept: application/json\r\nuser-agent: ").append(kUserAgent);
    wire.append("\r\ncontent-length: 0\r\nauthorization: ACS3-HMAC-SHA256 Credential=");
    wire.append(key.id).append(",SignedHeaders=");
    for (const Parameter& header : headers) {
      wire.append(&header == headers.data() ? "" : ";").append(header.name);
    }
    wire.append(",Signature=").append(out.stages.signature).append("\r\n\r\n");
  }

  void write_rpc(const Query& query, std::string_view host, const Stamp& stamp,
                 WireBuffer& out) const {
    const std::string timestamp = text_of(timestamp_of(stamp.at));
    Parameters parameters = own_parameters(query);
    for (const Parameter& common : {Parameter{"AccessKeyId", key.id},
                                    {"Action", query.action},
                                    {"Format", "JSON"},
                                    {"SignatureMethod", "HMAC-SHA1"},
                                    {"SignatureNonce", stamp.nonce.view()},
                                    {"SignatureVersion", "1.0"},
                                    {"Timestamp", timestamp},
                                    {"Version", query.version}}) {
      parameters.push_back(common);
    }
    if (!key.security_token.empty()) {
      parameters.push_back({"SecurityToken", key.security_token.reveal()});
    }
    sort(parameters);
    signer->sign({verb(), parameters, {}, {}}, out.stages);

    std::string pairs = out.stages.canonical + "&Signature=";
    append_encoded(pairs, out.stages.signature);
    std::string& wire = out.bytes;
    wire.assign(verb()).append(method == Method::get ? " /?" + pairs : " /");
    wire.append(" HTTP/1.1\r\nhost: ").append(host);
    wire.append("\r\naccept: application/json\r\nuser-agent: ").append(kUserAgent).append("\r\n");
    if (method == Method::post) {
      wire.append("content-type: application/x-www-form-urlencoded\r\ncontent-length: ");
      wire.append(std::to_string(pairs.size())).append("\r\n\r\n").append(pairs);
    } else {
      wire.append("\r\n");
    }
  }
};

QueryWriter::QueryWriter(Scheme scheme, Method method, const AccessKey& key) {
  check_key(key);
  prepared_ = std::make_unique<const Prepared>(
      Prepared{scheme, method, key, make_signer(scheme, key.secret)});
}
QueryWriter::~QueryWriter() = default;
QueryWriter::QueryWriter(QueryWriter&&) noexcept = default;
QueryWriter& QueryWriter::operator=(QueryWriter&&) noexcept = default;

void QueryWriter::write(const Query& query, std::string_view host, const Stamp& stamp,
                        WireBuffer& out) const {
  check_host(host);
  check_nonce(stamp.nonce);
  if (prepared_->scheme == Scheme::hmac_sha1) return prepared_->write_rpc(query, host, stamp, out);
  prepared_->write_acs3(query, host, stamp, out);
}

std::vector<Secret> QueryWriter::secrets() const {
  return {prepared_->key.secret, prepared_->key.security_token};
}

Query orders_query(WallTime begin, WallTime end, std::uint32_t page) {
  using std::chrono::ceil;
  using std::chrono::floor;
  return {"QueryOrders",
          kBillingVersion,
          {{"CreateTimeEnd", text_of(timestamp_of(ceil<seconds>(end)))},
           {"CreateTimeStart", text_of(timestamp_of(floor<seconds>(begin)))},
           {"PageNum", std::to_string(page)},
           {"PageSize", std::to_string(kOrdersPageSize)}}};
}

Query order_detail_query(std::string_view order_id) {
  return {"GetOrderDetail", kBillingVersion, {{"OrderId", std::string(order_id)}}};
}

Query gateways_query(std::string_view region_id, std::uint32_t page) {
  return {"DescribeSmartAccessGateways",
          kVersion,
          {{"InstanceType", "software"},
           {"PageNumber", std::to_string(page)},
           {"PageSize", std::to_string(kGatewaysPageSize)},
           {"RegionId", std::string(region_id)}}};
}

Query use_limit_query(std::string_view region_id) {
  return {"GetSmartAccessGatewayUseLimit", kVersion, {{"RegionId", std::string(region_id)}}};
}

Query assume_role_query(const RoleTerms& role) {
  Query query{"AssumeRole", kStsVersion, {{"DurationSeconds", std::to_string(role.seconds)}}};
  if (!role.external_id.empty()) query.parameters.emplace_back("ExternalId", role.external_id);
  if (!role.policy.empty()) query.parameters.emplace_back("Policy", role.policy);
  query.parameters.emplace_back("RoleArn", role.arn);
  query.parameters.emplace_back("RoleSessionName", role.session_name);
  return query;
}

Endpoint default_billing_endpoint() { return {"business.aliyuncs.com", 443}; }

}  // namespace sagorder
