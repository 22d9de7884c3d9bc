// SPDX-License-Identifier: Apache-2.0
// C half of a program of two translation units (objects_second.c*) that must share one registry; it
// may also load a module that registers. Built in every way that users build by objects_builds.sh.
// Exit 0 if all is as documented.
#include <cowtrace/objects.h>
#include <stdio.h>

#ifndef OBJECTS_STATIC
#include <dlfcn.h>
#endif

int second_registers(void);
const struct cowtrace_registry* second_registry(void);

static struct {
  int routes;
  int hits;
} table;

static int check(int condition, const char* what) {
  if (!condition) fprintf(stderr, "objects_main: %s\n", what);
  return condition ? 0 : 1;
}

int main(int argc, char** argv) {
  int bad = 0;
  bad |= check(COWTRACE_OBJECT(table) != 0, "the main file cannot register");
  bad |= check(COWTRACE_OBJECT_AS(table.hits, "counter") != 0,
               "the main file cannot register a member");
  bad |= check(second_registers(), "the second file cannot register");
  bad |=
      check(second_registry() == &cowtrace_registry, "two files of one module have two registries");
  bad |= check(cowtrace_registry.live == 3, "the registry does not hold three objects");
  bad |= check(cowtrace_unregister(&table) == 1, "the main file cannot unregister");
  bad |= check(cowtrace_registry.live == 2 && cowtrace_registry.retired == 1,
               "retiring is not counted");
#ifndef OBJECTS_STATIC
  if (argc > 1) {
    void* module = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    if (!module) {
      fprintf(stderr, "objects_main: %s\n", dlerror());
      return 1;
    }
    int (*registers)(void);
    const struct cowtrace_registry* (*registry)(void);
    *(void**)(&registers) = dlsym(module, "module_registers");
    *(void**)(&registry) = dlsym(module, "module_registry");
    bad |= check(registers && registry && registers(), "the module cannot register");
    // One or two registries, as the linker has it; nothing is lost either way.
    const struct cowtrace_registry* other = registry ? registry() : &cowtrace_registry;
    const uint64_t live = cowtrace_registry.live + (other == &cowtrace_registry ? 0 : other->live);
    bad |= check(live == 3, "an object of the module is in no registry, or in two");
    printf("%s\n", other == &cowtrace_registry ? "shared" : "own");
  }
#else
  (void)argv;
  bad |= check(argc == 1, "a static program loads no module");
#endif
  return bad;
}
