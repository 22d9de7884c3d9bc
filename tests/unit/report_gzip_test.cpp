// SPDX-License-Identifier: Apache-2.0
#include "report/gzip.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <random>
#include <sstream>
#include <string>

namespace cowtrace {
namespace {

std::string decompressed(std::string compressed) {
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, 16 + MAX_WBITS), Z_OK);  // a gzip header is asked for
  stream.next_in = reinterpret_cast<Bytef*>(compressed.data());
  stream.avail_in = static_cast<uInt>(compressed.size());
  std::string result;
  std::string part(1 << 20, '\0');
  int state = Z_OK;
  while (state == Z_OK) {
    stream.next_out = reinterpret_cast<Bytef*>(part.data());
    stream.avail_out = static_cast<uInt>(part.size());
    state = inflate(&stream, Z_NO_FLUSH);
    result.append(part.data(), part.size() - stream.avail_out);
  }
  EXPECT_EQ(state, Z_STREAM_END);
  EXPECT_EQ(stream.avail_in, 0U);
  inflateEnd(&stream);
  return result;
}

std::string compressed(const std::string& text, std::size_t piece) {
  std::ostringstream out;
  report::GzipWriter writer(out);
  for (std::size_t at = 0; at < text.size(); at += piece)
    writer.write(std::string_view(text).substr(at, piece));
  EXPECT_TRUE(writer.finish());
  return out.str();
}

TEST(ReportGzip, WhatWasWrittenComesBack) {
  std::mt19937 random(1);
  std::string noise(3 << 20, '\0');
  for (char& c : noise) c = static_cast<char>(random());
  for (const std::string& text :
       {std::string(), std::string("a"), std::string(1 << 22, 'x'), noise})
    for (const std::size_t piece : {std::size_t{1000}, std::size_t{1} << 30})
      EXPECT_EQ(decompressed(compressed(text, piece)), text) << text.size();
}

TEST(ReportGzip, TheSameIsTheSame) {
  EXPECT_EQ(compressed("the same", 3), compressed("the same", 3));
  EXPECT_EQ(compressed("the same", 8).substr(3, 7), std::string("\0\0\0\0\0\0\3", 7))
      << "flags, time, and the system";
}

}  // namespace
}  // namespace cowtrace
