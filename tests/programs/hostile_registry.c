// SPDX-License-Identifier: Apache-2.0
// hostile_registry HARM: a program whose registry of objects lies to whoever reads it. Its child
// writes pages and claims them, so that the test sees that the rest of the report is whole. `all`
// does every harm in a process of its own; the claims name it.
#include <cowtrace/objects.h>
#include <pthread.h>
#include <sys/prctl.h>

#include "family.h"

enum { kPages = 8 };
static struct cowtrace_registry* registry(void) {
  return &cowtrace_registry;
}
static struct cowtrace_chunk* first(void) {
  return &cowtrace_first_chunk.head;
}
static struct cowtrace_slot* slot(int index) {
  return &cowtrace_first_chunk.slots[index];
}

static void bad_magic(void) {
  memcpy(registry()->magic, "NOTTRACE", 8);
}
static void bad_version(void) {
  registry()->version = 0xffffffff;
}
static void bad_slot_size(void) {
  registry()->slot_size = 1;
}
static void zero_slot_size(void) {
  registry()->slot_size = 0;
}
static void huge_slot_size(void) {
  registry()->slot_size = 0xffffffff;
}
static void wild_pointer(void) {
  registry()->first_chunk = 0x4141414141414141;
}
static void kernel_pointer(void) {
  registry()->first_chunk = 0xffff888000000000;
}
static void unaligned_pointer(void) {
  registry()->first_chunk += 3;
}
static void next_is_wild(void) {
  first()->next = 0xdeadbeef000;
}
static void next_is_itself(void) {
  first()->next = registry()->first_chunk;
}
static void next_wraps(void) {
  first()->next = UINT64_MAX - 8;
}
static void huge_counts(void) {
  first()->used = first()->capacity = 0xffffffff;
}
static void huge_used(void) {
  first()->used = 0xffffffff;
}
static void all_odd(void) {
  for (int i = 0; i < 100; ++i) slot(i)->sequence = 1;
}
static void bad_states(void) {
  slot(0)->state = 77;
}
static void wrapping_range(void) {
  slot(0)->address = UINT64_MAX - 10;
  slot(0)->size = UINT64_MAX;
}
static void whole_memory(void) {
  slot(0)->address = 1;
  slot(0)->size = UINT64_MAX - 1;
}
static void died_before_born(void) {
  slot(0)->born_ns = UINT64_MAX;
  slot(0)->died_ns = 1;
}
static void names_without_end(void) {
  memset(slot(0)->name, 'A', sizeof(slot(0)->name));
  memset(slot(0)->type, 'B', sizeof(slot(0)->type));
}
static void names_that_attack(void) {
  strcpy(slot(0)->name, "\x1b[31m<script>alert(1)</script>\r\n\xff\xfe\x07\"\\");
  strcpy(slot(0)->type, "\xc3\x28\xe2\x80\xae\x1b]0;title\x07&amp;");
}
static void unmapped_chunk(void) {
  unsigned char* gone = make_pages(1);
  munmap(gone, kPage);
  registry()->first_chunk = (uint64_t)(uintptr_t)gone;
}

static void* change_it_all_the_time(void* unused) {
  (void)unused;
  volatile struct cowtrace_slot* one = slot(0);
  for (uint64_t turn = 0;; ++turn) {
    one->sequence++;
    one->address = turn * 4096;
    one->size = turn;
    first()->used = (uint32_t)turn;
    first()->next = turn % 3 ? turn : 0;
  }
  return NULL;
}
static void changing(void) {
  pthread_t thread;
  check(pthread_create(&thread, NULL, change_it_all_the_time, NULL) == 0, "pthread_create");
}

// What people see first of a process: its command name.
static void process_name(void) {
  prctl(PR_SET_NAME, "\x1b[2J<b>\xff\n\x07");
}

static const struct {
  const char* name;
  void (*run)(void);
} kHarms[] = {{"bad-magic", bad_magic},
              {"bad-version", bad_version},
              {"bad-slot-size", bad_slot_size},
              {"zero-slot-size", zero_slot_size},
              {"huge-slot-size", huge_slot_size},
              {"wild-pointer", wild_pointer},
              {"kernel-pointer", kernel_pointer},
              {"unaligned-pointer", unaligned_pointer},
              {"next-is-wild", next_is_wild},
              {"next-is-itself", next_is_itself},
              {"next-wraps", next_wraps},
              {"huge-counts", huge_counts},
              {"huge-used", huge_used},
              {"all-odd", all_odd},
              {"bad-states", bad_states},
              {"wrapping-range", wrapping_range},
              {"whole-memory", whole_memory},
              {"died-before-born", died_before_born},
              {"names-without-end", names_without_end},
              {"names-that-attack", names_that_attack},
              {"unmapped-chunk", unmapped_chunk},
              {"changing", changing},
              {"process-name", process_name}};

enum { kHarmCount = sizeof(kHarms) / sizeof(kHarms[0]) };

static int do_harm(size_t harm, unsigned char* pages) {
  kHarms[harm].run();
  pid_t child = fork();
  check(child >= 0, "fork");
  if (child == 0) {
    write_pages(pages, kPages);
    claim(kHarms[harm].name, pages, kPages);
    _exit(0);
  }
  wait_for(child);
  return 0;
}

int main(int argc, char** argv) {
  check(argc == 2, "usage: hostile_registry HARM|all");
  unsigned char* pages = make_pages(kPages);
  for (int i = 0; i < 100; ++i)
    check(cowtrace_register(pages + i, 10, "object", "bytes") != 0, "cowtrace_register");
  if (strcmp(argv[1], "all") != 0) {
    for (size_t harm = 0; harm < kHarmCount; ++harm)
      if (strcmp(argv[1], kHarms[harm].name) == 0) return do_harm(harm, pages);
    check(0, "no such harm");
  }
  for (size_t harm = 0; harm < kHarmCount; ++harm) {
    pid_t child = fork();
    check(child >= 0, "fork");
    if (child == 0) _exit(do_harm(harm, pages));
    wait_for(child);
  }
  return 0;
}
