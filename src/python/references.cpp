// SPDX-License-Identifier: Apache-2.0
#include "python/references.h"

namespace cowtrace::python {

// In the order of FieldId.
const FieldName kFields[static_cast<std::size_t>(FieldId::kCount)] = {
    {"__code__", true},
    {"__defaults__", true},
    {"__kwdefaults__", true},
    {"__closure__", true},
    {"__name__", true},
    {"__qualname__", true},
    {"__doc__", true},
    {"__dict__", true},
    {"__module__", true},
    {"__annotations__", true},
    {"__globals__", true},
    {"__builtins__", true},
    {"__type_params__", true},
    {"__annotate__", true},
    {"__base__", true},
    {"__bases__", true},
    {"__mro__", true},
    {"tp_cache", false},
    {"tp_subclasses", false},
    {"tp_weaklist", false},
    {"__name__", true},
    {"__qualname__", true},
    {"ht_slots", false},
    {"ht_module", false},
    {"__self__", true},
    {"__func__", true},
    {"co_consts", true},
    {"co_names", true},
    {"co_varnames", true},
    {"co_freevars", true},
    {"co_cellvars", true},
    {"co_localsplusnames", false},
    {"co_localspluskinds", false},
    {"co_filename", true},
    {"co_name", true},
    {"co_qualname", true},
    {"co_linetable", true},
    {"co_code", true},
    {"co_exceptiontable", true},
    {"_co_code", false},
    {"f_back", true},
    {"f_code", true},
    {"f_globals", true},
    {"f_builtins", true},
    {"f_locals", true},
    {"frame", false},
    {"f_funcobj", false},
    {"__name__", true},
    {"__qualname__", true},
    {"gi_code", true},
    {"gi_frame", true},
    {"md_name", false},
    {"__callback__", true},
    {"__annotated__", false},
};

std::string_view name(Table table) {
  switch (table) {
    case Table::Keys:
      return "keys";
    case Table::Values:
      return "values";
    case Table::Items:
      return "items";
    case Table::SetTable:
      return "table";
    case Table::Block:
      return "block";
    case Table::State:
      return "state";
    case Table::Text:
      return "text";
    case Table::Data:
      return "data";
    case Table::Digits:
      return "digits";
  }
  return "memory";
}

}  // namespace cowtrace::python
