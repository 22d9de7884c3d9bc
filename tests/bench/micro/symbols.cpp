// SPDX-License-Identifier: Apache-2.0
// Names of code addresses that were not asked for before, in a file that is read already: of this
// program, whose units are large; of libc, with DWARF where its debug file is installed; and of a
// program that seldom changes, for the guard. An item is an address.
#include <link.h>

#include <memory>
#include <string>
#include <vector>

#include "path.h"
#include "process/file_read.h"
#include "process/symbolizer.h"
#include "support/test_program.h"

namespace cowtrace::bench {
namespace {

std::string libc_path() {
  std::string path;
  dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* out) {
        const std::string name = info->dlpi_name;
        if (name.find("/libc.so") == std::string::npos) return 0;
        *static_cast<std::string*>(out) = name;
        return 1;
      },
      &path);
  return path;
}

class Symbols : public Work {
 public:
  Symbols(const std::string& file, std::uint64_t size) {
    auto opened = process::open_regular(file);
    if (!opened) throw std::runtime_error(opened.error().message());
    module_ = std::make_unique<process::ElfModule>(std::move(*opened), file,
                                                   std::make_shared<process::FileRoot>());
    const process::ElfSection* text =
        module_->elf() != nullptr ? module_->elf()->section(".text") : nullptr;
    if (text == nullptr)
      throw std::runtime_error("cannot find the code of " + file + ": " +
                               module_->why_unavailable());
    for (std::uint64_t i = 0; i < size; ++i)
      addresses_.push_back(text->address + text->size * i / size);
    static_cast<void>(process::Symbolizer().frames_at(*module_, addresses_.front()));
  }

  void prepare() override { symbolizer_ = std::make_unique<process::Symbolizer>(); }

  Done run() override {
    std::size_t frames = 0;
    for (const std::uint64_t address : addresses_)
      frames += symbolizer_->frames_at(*module_, address).size();
    if (frames < addresses_.size()) throw std::runtime_error("addresses without frames");
    return {addresses_.size(), 0};
  }

 private:
  std::unique_ptr<process::ElfModule> module_;
  std::unique_ptr<process::Symbolizer> symbolizer_;
  std::vector<std::uint64_t> addresses_;
};

// Of many more than `most` addresses, some would be asked for twice.
Path symbols_of(std::string name, std::string file, std::int64_t most) {
  return {std::move(name),
          [file = std::move(file)](std::uint64_t size) {
            return std::make_unique<Symbols>(file, size);
          },
          {most / 10, most}};
}

}  // namespace

std::vector<Path> symbols() {
  return {symbols_of("symbols.self", "/proc/self/exe", 1000),
          symbols_of("symbols.libc", libc_path(), 10'000),
          symbols_of("symbols.fixed", COWTRACE_SYMBOLS_INLINED, 200)};
}

}  // namespace cowtrace::bench
