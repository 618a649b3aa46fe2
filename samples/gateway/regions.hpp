// The regions that sell the product; each has an endpoint `smartag.<region>.aliyuncs.com`.
#pragma once

#include <array>
#include <string_view>

namespace gateway {

inline constexpr std::array<std::string_view, 10> kRegions = {
    "cn-shanghai",    "cn-shanghai-finance-1", "cn-hangzhou",    "cn-hongkong",    "ap-southeast-1",
    "ap-southeast-2", "ap-southeast-3",        "ap-southeast-5", "ap-northeast-1", "eu-central-1"};

}  // namespace gateway
