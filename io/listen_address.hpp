// Where to listen.
#pragma once

#include <cstdint>
#include <string>

namespace sagorder::io {

/// An address literal of this machine, and a port. 0: any free one.
struct ListenAddress {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
  bool operator==(const ListenAddress&) const = default;
};

}  // namespace sagorder::io
