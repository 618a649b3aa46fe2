// The read-only operations: a call and the books in, a body or a refusal out.
#pragma once

#include <optional>
#include <string>

#include "books.hpp"
#include "gate.hpp"

namespace gateway {

// What is wrong with a listing on purpose; the faults of that name.
enum class ListingFault {
  none,
  wrong_total,  // the total counts one entry too many
  short_page,   // the page lacks its last entry
};

struct Inquiry {
  const Call& call;
  std::string_view request_id;
  WallTime now;
  std::int64_t use_limit = 0;  // TotalAmount
  ListingFault fault = ListingFault::none;
};

// Appends the body of any operation but create_software.
std::optional<Refusal> answer_inquiry(const Inquiry& inquiry, const Books& books,
                                      std::string& body);

}  // namespace gateway
