// SPDX-License-Identifier: Apache-2.0
#include "report/html_sections.h"

#include <algorithm>

namespace cowtrace::report {

void Base64Stream::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t more = std::min(bytes.size(), kLine - pending_.size());
    pending_.append(bytes.substr(0, more));
    bytes.remove_prefix(more);
    if (pending_.size() == kLine) finish();
  }
}

// A line that is not full is the last one.
void Base64Stream::finish() {
  static constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  if (pending_.empty()) return;
  line_.clear();
  for (std::size_t i = 0; i < pending_.size(); i += 3) {
    const std::size_t left = std::min<std::size_t>(3, pending_.size() - i);
    std::uint32_t word = 0;
    for (std::size_t k = 0; k < 3; ++k)
      word = word << 8 | (k < left ? static_cast<unsigned char>(pending_[i + k]) : 0U);
    for (std::size_t k = 0; k < 4; ++k)
      line_ += k <= left ? kDigits[word >> (18 - 6 * k) & 63] : '=';
  }
  line_ += '\n';
  out_ << line_;
  pending_.clear();
}

HtmlSections::HtmlSections(std::ostream& out)
    : base64_(out), deflate_(new z_stream{}), buffer_(std::size_t{1} << 16) {
  failed_ = deflateInit(deflate_.get(), Z_DEFAULT_COMPRESSION) != Z_OK;
}

void HtmlSections::json(std::string_view name, const Json& value) {
  section('J', name, value.dump(-1, ' ', false, Json::error_handler_t::replace));
}

void HtmlSections::columns(std::string_view name, std::string_view body) {
  section('C', name, body);
}

void HtmlSections::section(char kind, std::string_view name, std::string_view body) {
  std::string head{kind, static_cast<char>(name.size())};
  head += name;
  for (int byte = 0; byte < 4; ++byte) head += static_cast<char>(body.size() >> (8 * byte) & 0xff);
  write(head, Z_NO_FLUSH);
  write(body, Z_NO_FLUSH);
}

void HtmlSections::write(std::string_view bytes, int flush) {
  if (failed_) return;
  // zlib does not write there; its type has no const.
  deflate_->next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  deflate_->avail_in = static_cast<uInt>(bytes.size());
  int state = Z_OK;
  do {
    deflate_->next_out = reinterpret_cast<Bytef*>(buffer_.data());
    deflate_->avail_out = static_cast<uInt>(buffer_.size());
    state = deflate(deflate_.get(), flush);
    if (state == Z_STREAM_ERROR) {
      failed_ = true;
      return;
    }
    base64_.write({buffer_.data(), buffer_.size() - deflate_->avail_out});
  } while (deflate_->avail_out == 0);
}

bool HtmlSections::finish() {
  write({}, Z_FINISH);
  base64_.finish();
  return !failed_;
}

}  // namespace cowtrace::report
