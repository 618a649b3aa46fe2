// The bytes of every answer: heads, success and error bodies in JSON and XML, and the pages that a
// load balancer would put in their place.
#pragma once

#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>

#include "chance.hpp"
#include "rules.hpp"

namespace gateway {

enum class Format { json, xml };

// What an executed order is known by.
struct Placed {
  std::uint64_t sequence = 0;       // from 1
  std::string order_id;             // 15 digits
  bool order_id_is_number = false;  // in a JSON answer; XML knows no difference
  std::string sag_id;
  std::string request_id;
};

enum class OrderIdShape { string, number, mixed };

// Draws the identities. OrderIds and SmartAGIds are unique by sequence, and the same for the same
// seed and sequence. `executed_before` is how many orders earlier runs executed: request ids have
// no sequence, so a restarted gateway draws them from another place.
class Ids {
 public:
  Ids(std::uint64_t seed, std::uint64_t executed_before, OrderIdShape shape)
      : seed_(seed), chance_(seed + executed_before * 0x9E3779B97F4A7C15u, 5), shape_(shape) {}

  // An upper-case UUID.
  void request_id(std::string& out);
  // Fills all of `placed` but its request_id.
  void place(std::uint64_t sequence, Placed& placed) const;

 private:
  std::uint64_t seed_;
  Chance chance_;
  OrderIdShape shape_;
};

// `Date` for a head, formatted once a second.
class DateLine {
 public:
  std::string_view at(WallTime now);

 private:
  std::time_t second_ = -1;
  std::string text_;
};

void append_json_string(std::string_view text, std::string& out);
void append_xml_text(std::string_view text, std::string& out);

// All append.
void append_success_body(Format format, const Placed& placed, bool with_order_id, std::string& out);
void append_error_body(Format format, const Refusal& refusal, std::string_view request_id,
                       std::string_view host, std::string& out);
void append_html_page(int status, std::string& out);

std::string_view content_type(Format format);

struct Head {
  int status = 200;
  std::string_view content_type;
  std::string_view request_id;  // empty: a load balancer speaks, which knows of none
  std::string_view date;
  bool keep_alive = true;
  bool chunked = false;
  bool with_length = true;
  std::size_t length = 0;
  std::string_view more;  // whole header lines, each with its CRLF
};
void append_head(const Head& head, std::string& out);

}  // namespace gateway
