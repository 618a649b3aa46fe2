// Whether a connection may serve again. HTTP/1.1 ties an answer to a request by nothing but their
// order on one connection, so one is used again only if nothing can be left on it of what was.
//
// After an exchange: its answer was whole, asked for no close, and nothing came behind it. Before
// the next: the answer left no doubt (the pipeline retires it then), it was idle for a short while
// only, and a look at the socket shows neither an end nor bytes that nobody asked for.
#pragma once

#include <cstdint>
#include <optional>

#include "engine/moment.hpp"
#include "engine/verdict.hpp"

namespace sagorder {

/// What becomes of a connection.
enum class Reuse : std::uint8_t {
  again,     ///< it may serve again
  farewell,  ///< closed, with TLS's farewell
  never,     ///< closed hard: nothing more is written, so that no rest of a request can follow
};

/// How an exchange ended: with a fault, or with a whole answer.
struct ExchangeEnd {
  std::optional<FaultKind> fault = {};
  bool asked_to_close = false;
  bool surplus = false;  ///< bytes came behind the answer
};

/// What a look at an idle connection's socket shows.
enum class Look : std::uint8_t {
  clean,
  ended,  ///< end of file, or an error
  dirty,  ///< bytes that nobody asked for, or a part of some
};

Reuse after(const ExchangeEnd& end);
Reuse before_use(Look look);
/// @param most how long one may be idle
Reuse while_idle(nanoseconds idle, nanoseconds most);

}  // namespace sagorder
