// An answer's body, written once and come out as JSON or as XML.
//
//   open("Data") text("HostName", "") number("PageNum", 1) items("OrderList", "Order", ...) close()
//   {"Data":{"HostName":"","PageNum":1,"OrderList":{"Order":[{...}]}}}
//   <Data><HostName></HostName><PageNum>1</PageNum><OrderList><Order>...</Order></OrderList></Data>
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "answers.hpp"

namespace gateway {

class Document {
 public:
  // `root` is the XML root's name; JSON has none.
  Document(Format format, std::string_view root, std::string& out);
  // Closes what is open, the root included.
  void finish();

  void open(std::string_view name);
  void close();
  void text(std::string_view name, std::string_view value);
  void number(std::string_view name, std::int64_t value);
  void truth(std::string_view name, bool value);

  // An object `list` that holds the objects `item`, each filled by `fill(element)`.
  template <typename Elements, typename Fill>
  void items(std::string_view list, std::string_view item, const Elements& elements, Fill fill) {
    open(list);
    if (format_ == Format::json) begin_array(item);
    for (const auto& element : elements) {
      begin_element(item);
      fill(element);
      close();
    }
    if (format_ == Format::json) end_array();
    close();
  }

 private:
  void name(std::string_view name);
  void begin_array(std::string_view name);
  void begin_element(std::string_view name);
  void end_array();

  Format format_;
  std::string& out_;
  std::vector<std::string> open_;
  bool first_ = true;  // nothing was written yet in the object that is open
};

}  // namespace gateway
