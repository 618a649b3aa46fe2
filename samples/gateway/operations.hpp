// The operations that the gateway answers, and the product's version that each belongs to.
#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace gateway {

enum class Operation {
  create_software,  // the only one that executes anything
  list_gateways,
  use_limit,
  list_orders,
  order_detail,
  assume_role,            // hands out a key
  assume_role_with_oidc,  // the same, unsigned: the token is the proof
};

struct OperationFacts {
  Operation operation;
  std::string_view action;
  std::string_view version;
};

// Smartag is 2018-03-13, the billing API (BssOpenApi) 2017-12-14, STS 2015-04-01.
inline constexpr std::array<OperationFacts, 7> kOperations = {{
    {Operation::create_software, "CreateSmartAccessGatewaySoftware", "2018-03-13"},
    {Operation::list_gateways, "DescribeSmartAccessGateways", "2018-03-13"},
    {Operation::use_limit, "GetSmartAccessGatewayUseLimit", "2018-03-13"},
    {Operation::list_orders, "QueryOrders", "2017-12-14"},
    {Operation::order_detail, "GetOrderDetail", "2017-12-14"},
    {Operation::assume_role, "AssumeRole", "2015-04-01"},
    {Operation::assume_role_with_oidc, "AssumeRoleWithOIDC", "2015-04-01"},
}};

}  // namespace gateway
