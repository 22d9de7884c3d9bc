// SPDX-License-Identifier: Apache-2.0
// A shared library that registers an object of its own, linked or loaded by objects_main.c.
#include <cowtrace/objects.h>

int module_registers(void);
const struct cowtrace_registry* module_registry(void);

static long cache[64];

int module_registers(void) {
  return COWTRACE_OBJECT_AS(cache, "long[64]") != 0;
}

const struct cowtrace_registry* module_registry(void) {
  return &cowtrace_registry;
}
