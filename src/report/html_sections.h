// SPDX-License-Identifier: Apache-2.0
// The data of an HTML report: named sections, compressed with deflate (zlib's container) and
// written as base64 while they are made.
//
//   stream  = section...
//   section = kind (1 byte: 'J' or 'C'), length of name (1), name, length of body (4, little
//             endian), body
//   'J'       a JSON value; lists of the same name continue each other
//   'C'       rows (4), then each column of the table as the layout section lists them
//             (html_columns.h)
#pragma once

#include <zlib.h>

#include <cstdint>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "report/json_rows.h"

namespace cowtrace::report {

// Text in lines of base64; three bytes make four characters.
class Base64Stream {
 public:
  explicit Base64Stream(std::ostream& out) : out_(out) {}

  void write(std::string_view bytes);
  void finish();

 private:
  static constexpr std::size_t kLine = 57'000;  // bytes; a multiple of three
  std::ostream& out_;
  std::string pending_;
  std::string line_;
};

class HtmlSections {
 public:
  explicit HtmlSections(std::ostream& out);

  void json(std::string_view name, const Json& value);
  void columns(std::string_view name, std::string_view body);
  // No section after this. False if the data could not be compressed.
  [[nodiscard]] bool finish();

 private:
  struct End {
    void operator()(z_stream* stream) const {
      deflateEnd(stream);
      delete stream;
    }
  };
  void section(char kind, std::string_view name, std::string_view body);
  void write(std::string_view bytes, int flush);

  Base64Stream base64_;
  std::unique_ptr<z_stream, End> deflate_;
  std::vector<char> buffer_;
  bool failed_ = false;
};

}  // namespace cowtrace::report
