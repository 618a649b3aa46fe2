#include "document.hpp"

namespace gateway {

Document::Document(Format format, std::string_view root, std::string& out)
    : format_(format), out_(out), open_{std::string(root)} {
  if (format_ == Format::json) {
    out_.push_back('{');
  } else {
    out_.append("<?xml version='1.0' encoding='UTF-8'?><").append(root).append(">");
  }
}

void Document::finish() {
  while (!open_.empty()) close();
}

void Document::name(std::string_view name) {
  if (!first_) out_.push_back(',');
  first_ = false;
  append_json_string(name, out_);
  out_.push_back(':');
}

void Document::open(std::string_view name) {
  open_.emplace_back(name);
  if (format_ == Format::json) {
    this->name(name);
    out_.push_back('{');
  } else {
    out_.append("<").append(name).append(">");
  }
  first_ = true;
}

void Document::close() {
  if (format_ == Format::json) {
    out_.push_back('}');
  } else {
    out_.append("</").append(open_.back()).append(">");
  }
  open_.pop_back();
  first_ = false;
}

void Document::text(std::string_view name, std::string_view value) {
  if (format_ == Format::json) {
    this->name(name);
    append_json_string(value, out_);
    return;
  }
  out_.append("<").append(name).append(">");
  append_xml_text(value, out_);
  out_.append("</").append(name).append(">");
}

void Document::number(std::string_view name, std::int64_t value) {
  if (format_ == Format::xml) return text(name, std::to_string(value));
  this->name(name);
  out_.append(std::to_string(value));
}

void Document::truth(std::string_view name, bool value) {
  const std::string_view word = value ? "true" : "false";
  if (format_ == Format::xml) return text(name, word);
  this->name(name);
  out_.append(word);
}

void Document::begin_array(std::string_view name) {
  this->name(name);
  out_.push_back('[');
  first_ = true;
}

void Document::begin_element(std::string_view name) {
  open_.emplace_back(name);
  if (format_ == Format::json) {
    if (!first_) out_.push_back(',');
    out_.push_back('{');
  } else {
    out_.append("<").append(name).append(">");
  }
  first_ = true;
}

void Document::end_array() {
  out_.push_back(']');
  first_ = false;
}

}  // namespace gateway
