// SPDX-License-Identifier: Apache-2.0
#include "objects/mapping_label.h"

namespace cowtrace::objects {

std::string mapping_label(const model::Mapping& mapping) {
  if (!mapping.path.empty()) return mapping.path;
  if (mapping.inode != 0) return mapping.name.empty() ? "[file]" : mapping.name;
  // The kernel's own tests, vma_is_initial_heap and vma_is_initial_stack.
  if (mapping.start < mapping.brk_end && mapping.end > mapping.brk_start) return "[heap]";
  if (mapping.start <= mapping.stack_start && mapping.end >= mapping.stack_start &&
      mapping.stack_start != 0) {
    return "[stack]";
  }
  return mapping.name.empty() ? "[anon]" : "[anon:" + mapping.name + "]";
}

}  // namespace cowtrace::objects
