// SPDX-License-Identifier: Apache-2.0
// Writes one JSON object member by member, so that a long list costs no memory.
#pragma once

#include <nlohmann/json.hpp>
#include <ostream>
#include <string_view>
#include <utility>

namespace cowtrace::report {

// Writes the members of the one top-level object; lists have one row a line.
class JsonStream {
 public:
  using Json = nlohmann::ordered_json;
  struct Text {
    std::string_view json;
  };

  explicit JsonStream(std::ostream& out) : out_(out) { out_ << '{'; }

  void member(std::string_view key, const Json& value) {
    begin_member(key);
    put(value);
  }

  // `rows` is called with a function that takes each row: a value, or one that is text already.
  template <typename Rows>
  void list(std::string_view key, Rows&& rows) {
    begin_member(key);
    out_ << '[';
    bool first = true;
    rows([&](const auto& row) {
      out_ << (first ? "\n  " : ",\n  ");
      first = false;
      put(row);
    });
    out_ << (first ? "]" : "\n]");
  }

  void finish() { out_ << "\n}\n" << std::flush; }

 private:
  void begin_member(std::string_view key) {
    out_ << (first_member_ ? "\n" : ",\n");
    first_member_ = false;
    put(key);
    out_ << ": ";
  }

  void put(Text row) { out_ << row.json; }
  void put(const Json& value) {
    out_ << value.dump(-1, ' ', false, Json::error_handler_t::replace);
  }

  std::ostream& out_;
  bool first_member_ = true;
};

}  // namespace cowtrace::report
