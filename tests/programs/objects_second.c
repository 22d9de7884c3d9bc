// SPDX-License-Identifier: Apache-2.0
// The second translation unit of objects_main.c, valid as C and as C++.
#include <cowtrace/objects.h>

#ifdef __cplusplus
extern "C" {
#endif
int second_registers(void);
const struct cowtrace_registry* second_registry(void);

static double rates[16];

int second_registers(void) {
  return COWTRACE_OBJECT(rates) != 0;
}

const struct cowtrace_registry* second_registry(void) {
  return &cowtrace_registry;
}
#ifdef __cplusplus
}
#endif
