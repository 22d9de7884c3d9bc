// SPDX-License-Identifier: Apache-2.0
#include "python/runtime.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "base/units.h"
#include "python/dict.h"
#include "python/types.h"

namespace cowtrace::python {
namespace {

constexpr Version kOldest{3, 8};
constexpr Version kNewest{3, 15};
constexpr std::size_t kMostFiles = 64;            // that may hold an interpreter
constexpr std::string_view kCookie = "xdebugpy";  // Include/internal/pycore_debug_offsets.h

std::string text_of(Version version) {
  return fmt::format("{}.{}", version.major, version.minor);
}

std::string_view base_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

// "python3.9", "libpython3.9.so.1.0", "libpython3.9d.so": what the file is called may tell the
// version where nothing else does.
std::optional<Version> version_in_name(std::string_view path) {
  const std::string_view name = base_name(path);
  const std::size_t at = name.find("python3.");
  if (at == std::string_view::npos) return std::nullopt;
  int minor = 0;
  std::size_t i = at + 8;
  for (; i < name.size() && name[i] >= '0' && name[i] <= '9' && minor < 100; ++i)
    minor = minor * 10 + (name[i] - '0');
  if (i == at + 8) return std::nullopt;
  return Version{3, minor};
}

// Py_Version is PY_VERSION_HEX, since 3.11 (Include/pylifecycle.h).
std::optional<Version> version_in_symbol(const image::MemoryImage& image,
                                         const InterpreterFile& file) {
  const auto symbol = file.module->find_symbol("Py_Version");
  if (!symbol) return std::nullopt;
  const auto hex = image.load<std::uint32_t>(*symbol + file.bias);
  if (hex >> 24 != 3) return std::nullopt;
  return Version{static_cast<int>(hex >> 24), static_cast<int>(hex >> 16 & 0xff)};
}

// A place that is the head of a circular list of PyGC_Head: its neighbours lead back. Low bits are
// flags.
bool is_list_head(const image::MemoryImage& image, std::uint64_t head) {
  constexpr std::uint64_t kFlags = 3;
  const std::uint64_t next = image.word(head) & ~kFlags;
  const std::uint64_t previous = image.word(head + 8) & ~kFlags;
  if (next == 0 || previous == 0) return false;
  return (image.word(next + 8) & ~kFlags) == head && (image.word(previous) & ~kFlags) == head;
}

// Patch releases have moved the fields of struct _gc_runtime_state by a few bytes (3.13.0
// to 3.13.5): the list heads tell where they are.
bool settle_gc(const image::MemoryImage& image, Runtime& runtime) {
  auto& gc = runtime.layout.gc;
  runtime.gc = runtime.layout.interpreter.gc != kAbsent
                   ? runtime.interpreter + static_cast<std::uint64_t>(runtime.layout.interpreter.gc)
                   : runtime.address + static_cast<std::uint64_t>(runtime.layout.runtime.gc);
  const auto settle = [&](Offset& field, int count) {
    if (field == kAbsent) return true;
    constexpr Offset kSteps[] = {0, -4, 4, -8, 8, -12, 12, -16, 16, -24, 24, -32, 32};
    for (const Offset step : kSteps) {
      int fit = 0;
      for (int i = 0; i < count; ++i)
        fit += is_list_head(image, runtime.gc + field + step + i * gc.generation_size) ? 1 : 0;
      // A process that runs while it is looked at (--snapshot passive) may be changing one of them.
      if (fit < (step == 0 ? std::max(1, count - 1) : count)) continue;
      field += step;
      return true;
    }
    return false;
  };
  if (gc.generations == kAbsent && gc.young == kAbsent) return false;
  return settle(gc.generations, gc.generation_count) && settle(gc.young, 1) && settle(gc.old, 2) &&
         settle(gc.permanent, 1);
}

constexpr std::string_view kNotBegun = "it has no interpreter yet";

// nullopt with `why` when the process contradicts the layout.
std::optional<Runtime> check(const image::MemoryImage& image, const InterpreterFile& file,
                             const Layout& layout, std::string& why) {
  Runtime runtime;
  runtime.layout = layout;
  runtime.address = file.runtime;
  runtime.module = file.module->path();
  const auto no = [&why](std::string_view what) {
    why = what;
    return std::nullopt;
  };
  runtime.interpreter = image.word(file.runtime + layout.runtime.interpreters_head);
  if (runtime.interpreter == 0) return no(kNotBegun);
  if (runtime.interpreter % 8 != 0 || !image.has(runtime.interpreter, 64))
    return no("its interpreter is not where it should be");
  const auto& in = layout.interpreter;
  const std::uint64_t thread = image.word(runtime.interpreter + in.threads_head);
  if (thread == 0 || image.word(thread + layout.thread.interp) != runtime.interpreter)
    return no("no thread belongs to its interpreter");
  runtime.modules = image.word(runtime.interpreter + in.modules);
  runtime.sysdict = image.word(runtime.interpreter + in.sysdict);
  const std::uint64_t dict_type = image.word(runtime.modules + layout.object.type);
  runtime.type_type = image.word(dict_type + layout.object.type);
  if (runtime.type_type == 0 ||
      image.word(runtime.type_type + layout.object.type) != runtime.type_type)
    return no("sys.modules is no object");
  const TypeTable types(image, layout, runtime.type_type);
  const Type* type = types.find(dict_type);
  if (type == nullptr || type->name != "dict" ||
      type->basicsize != static_cast<std::uint32_t>(layout.dict.size))
    return no("sys.modules is no dict");
  const Type* meta = types.find(runtime.type_type);
  if (meta == nullptr || meta->name != "type") return no("the type of types has another name");
  const Type* of_sys = types.type_of(runtime.sysdict);
  if (of_sys == nullptr || of_sys->kind != Kind::Dict) return no("the dict of sys is none");
  const auto version = find_text_key(types, runtime.sysdict, "hexversion");
  const Type* of_version = version ? types.type_of(*version) : nullptr;
  if (of_version == nullptr || of_version->kind != Kind::Integer)
    return no("sys.hexversion is not where it should be");
  const auto low = image.load<std::uint32_t>(*version + layout.integer.digits);
  const auto high = image.load<std::uint32_t>(*version + layout.integer.digits + 4);
  const std::uint32_t hex = low | high << 30;
  if (static_cast<int>(hex >> 24) != layout.version.major ||
      static_cast<int>(hex >> 16 & 0xff) != layout.version.minor)
    return no("sys.hexversion is another one");
  runtime.version = fmt::format("{}.{}.{}", hex >> 24, hex >> 16 & 0xff, hex >> 8 & 0xff);
  if (const auto code = file.module->find_symbol("PyCode_Type"))
    runtime.code_type = *code + file.bias;
  if (!settle_gc(image, runtime))
    return no("the lists of its garbage collector are not where they should be");
  return runtime;
}

// _Py_DebugOffsets, 3.13 and later: {char cookie[8]; uint64_t version, free_threaded; ...}.
bool is_free_threaded(const image::MemoryImage& image, std::uint64_t runtime) {
  return image.bytes(runtime, kCookie.size()) == kCookie && image.word(runtime + 16) != 0;
}

void find_extent(const image::MemoryImage& image, Runtime& runtime) {
  for (const process::MapsEntry& entry : image.maps()) {
    if (entry.path != runtime.module) continue;
    if (runtime.module_start == 0) runtime.module_start = entry.start;
    runtime.module_end = entry.end;
  }
}

}  // namespace

std::vector<InterpreterFile> find_interpreter_files(const image::MemoryImage& image) {
  std::vector<InterpreterFile> files;
  std::vector<const process::ElfModule*> seen;
  bool first = true;
  std::size_t looked_at = 0;
  for (const image::MemoryImage::Region& region : image.regions()) {
    if (region.module == nullptr) continue;
    if (std::find(seen.begin(), seen.end(), region.module.get()) != seen.end()) continue;
    seen.push_back(region.module.get());
    // The program itself may have the interpreter linked in, whatever it is called.
    const bool candidate = std::exchange(first, false) ||
                           base_name(region.path).find("python") != std::string_view::npos;
    if (!candidate) continue;
    if (++looked_at > kMostFiles) break;
    const process::ElfFile* elf = region.module->elf();
    const auto start = elf->address_at(region.file_offset, false);
    if (!start) continue;
    InterpreterFile file{region.module, region.start - *start, 0};
    auto symbol = region.module->find_symbol("_PyRuntime");
    if (!symbol) {
      const process::ElfSection* section = elf->section(".PyRuntime");
      if (section == nullptr) continue;
      symbol = section->address;
    }
    file.runtime = *symbol + file.bias;
    files.push_back(std::move(file));
  }
  return files;
}

Found find_runtime(const image::MemoryImage& image) {
  Found found;
  for (const InterpreterFile& file : find_interpreter_files(image)) {
    if (is_free_threaded(image, file.runtime)) {
      found.unknown = "CPython, free-threaded: layout not known";
      continue;
    }
    auto version = version_in_symbol(image, file);
    if (!version) version = version_in_name(file.module->path());
    std::string why = "none of the known layouts fits";
    std::vector<Version> candidates;
    if (version)
      candidates.push_back(*version);
    else
      for (int minor = kNewest.minor; minor >= kOldest.minor; --minor)
        candidates.push_back({3, minor});
    for (const Version candidate : candidates) {
      const Layout* layout = find_layout(candidate);
      if (layout == nullptr) {
        why = "no table for this version";
        continue;
      }
      found.runtime = check(image, file, *layout, why);
      if (!found.runtime) continue;
      find_extent(image, *found.runtime);
      found.unknown.clear();
      return found;
    }
    // Linked or loaded, and never begun: nobody will miss it.
    if (version && why == kNotBegun) continue;
    found.unknown =
        fmt::format("CPython {}: layout not known ({})", version ? text_of(*version) : "3", why);
  }
  return found;
}

}  // namespace cowtrace::python
