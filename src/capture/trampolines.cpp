// SPDX-License-Identifier: Apache-2.0
#include "capture/trampolines.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/btf.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/fd.h"

namespace cowtrace::capture {
namespace {

using Read = std::function<std::size_t(std::span<std::byte>)>;

// Reads records one after the other.
class Records {
 public:
  explicit Records(const Read& read) : read_(read) {}

  template <typename Record>
  bool next(Record& record) {
    return fill(std::as_writable_bytes(std::span(&record, 1)));
  }
  bool skip(std::size_t bytes) {
    std::array<std::byte, 4096> waste;
    while (bytes > 0) {
      const std::size_t now = std::min(bytes, waste.size());
      if (!fill(std::span(waste).first(now))) return false;
      bytes -= now;
    }
    return true;
  }

 private:
  bool fill(std::span<std::byte> to) {
    while (!to.empty()) {
      if (begin_ == end_) {
        begin_ = 0;
        end_ = std::min(read_(buffer_), buffer_.size());
        if (end_ == 0) return false;
      }
      const std::size_t now = std::min(to.size(), end_ - begin_);
      std::memcpy(to.data(), buffer_.data() + begin_, now);
      begin_ += now;
      to = to.subspan(now);
    }
    return true;
  }

  const Read& read_;
  std::array<std::byte, 16384> buffer_;
  std::size_t begin_ = 0, end_ = 0;
};

// Bytes that follow a btf_type, by its kind and number of members (linux/btf.h).
std::optional<std::size_t> bytes_behind(std::uint32_t kind, std::uint32_t members) {
  switch (kind) {
    case BTF_KIND_INT:
      return sizeof(std::uint32_t);
    case BTF_KIND_ARRAY:
      return sizeof(btf_array);
    case BTF_KIND_STRUCT:
    case BTF_KIND_UNION:
      return members * sizeof(btf_member);
    case BTF_KIND_ENUM:
      return members * sizeof(btf_enum);
    case BTF_KIND_ENUM64:
      return members * 3 * sizeof(std::uint32_t);
    case BTF_KIND_FUNC_PROTO:
      return members * sizeof(btf_param);
    case BTF_KIND_VAR:
      return sizeof(btf_var);
    case BTF_KIND_DATASEC:
      return members * sizeof(btf_var_secinfo);
    case BTF_KIND_DECL_TAG:
      return sizeof(std::uint32_t);
    case BTF_KIND_PTR:
    case BTF_KIND_FWD:
    case BTF_KIND_TYPEDEF:
    case BTF_KIND_VOLATILE:
    case BTF_KIND_CONST:
    case BTF_KIND_RESTRICT:
    case BTF_KIND_FLOAT:
    case BTF_KIND_TYPE_TAG:
      return 0;
    default:
      return std::nullopt;
  }
}

}  // namespace

std::optional<std::uint32_t> first_function(const Read& read) {
  Records records(read);
  btf_header header{};
  if (!records.next(header) || header.magic != BTF_MAGIC || header.hdr_len < sizeof(header))
    return std::nullopt;
  if (!records.skip(header.hdr_len - sizeof(header) + header.type_off)) return std::nullopt;
  std::size_t left = header.type_len;
  for (std::uint32_t id = 1; left >= sizeof(btf_type); ++id) {
    btf_type type{};
    if (!records.next(type)) return std::nullopt;
    left -= sizeof(type);
    const std::uint32_t kind = BTF_INFO_KIND(type.info);
    if (kind == BTF_KIND_FUNC) return id;
    const auto behind = bytes_behind(kind, BTF_INFO_VLEN(type.info));
    if (!behind || *behind > left || !records.skip(*behind)) return std::nullopt;
    left -= *behind;
  }
  return std::nullopt;
}

Status trampolines_work() {
  const Fd types(open("/sys/kernel/btf/vmlinux", O_RDONLY | O_CLOEXEC));
  if (!types) return {};  // whoever loads programs says it better
  const auto function = first_function([&](std::span<std::byte> to) {
    const ssize_t got = read(types.get(), to.data(), to.size());
    return got > 0 ? static_cast<std::size_t>(got) : 0;
  });
  if (!function) return {};
  // r0 = 0; exit
  const std::array<bpf_insn, 2> program = {
      {{BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0}, {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}}};
  bpf_prog_load_opts options{};
  options.sz = sizeof(options);
  options.expected_attach_type = BPF_TRACE_FENTRY;
  options.attach_btf_id = *function;
  const Fd loaded(bpf_prog_load(BPF_PROG_TYPE_TRACING, "probe", "GPL", program.data(),
                                program.size(), &options));
  // Another error may be about just this function.
  if (!loaded && (errno == EPERM || errno == EOPNOTSUPP))
    return fail_errno("cannot use fentry: this kernel refuses to have its functions patched", errno,
                      "use --backend static (or auto)");
  return {};
}

}  // namespace cowtrace::capture
