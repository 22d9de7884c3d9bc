// SPDX-License-Identifier: Apache-2.0
// Tells cowtrace which objects your program keeps in memory. Nothing but this header is needed: C11
// or C++11 and newer, GCC or Clang, 64-bit Linux. The program keeps a table of named address ranges
// under the well-known symbol `cowtrace_registry`; cowtrace reads it from outside, as a debugger
// reads the JIT interface, so annotations also work at attach and are inherited by fork.
//
//     static struct table routes;
//     COWTRACE_OBJECT(routes);  // once, e.g. before fork
//
//     cowtrace_handle handle = cowtrace_register(pointer, bytes, "cache", "entry");
//     cowtrace_unregister_handle(handle);  // before the memory is given back
//
// Units: addresses and sizes in bytes, times in nanoseconds of CLOCK_MONOTONIC.
//
// Threads: every function may be called from any thread at any time. There is no lock, so a child
// forked while another thread was registering cannot hang; the one slot which that thread was
// filling stays unreadable in that child. Not for signal handlers: registering may call calloc.
//
// Fork: the child inherits the registry with everything in it, and has its own from then on.
//
// Cost: some 100 ns and 128 bytes an object, and a page fault every 32 new slots. No system call,
// but for those of calloc when a chunk fills (256 slots at first, then doubling up to 65,536). The
// registry's memory is never given back.
//
// Failure: out of memory, or for a range that is empty or wraps around, registering returns 0 and
// changes nothing.
//
// Retired objects stay readable, so that a write that happened before can still be named. Once
// there are 4,096 of them, and an eighth as many as live ones, new objects take their slots, the
// longest retired roughly first: a program that registers for ever stays bounded.
//
// Modules: the definitions are weak, so all files of a module, and all modules among which the
// dynamic linker merges symbols, have one registry; otherwise each module has its own, and cowtrace
// looks at every module. Unregister what lives in a library before dlclose. The registry is alone
// in section ".cowtrace" (one or more entries of 64 bytes), which `strip` leaves in place.
//
// A reader that only wants the layout defines COWTRACE_OBJECTS_LAYOUT_ONLY first.
#ifndef COWTRACE_OBJECTS_H
#define COWTRACE_OBJECTS_H

#include <stddef.h>
#include <stdint.h>

#define COWTRACE_REGISTRY_SYMBOL "cowtrace_registry"
#define COWTRACE_REGISTRY_SECTION ".cowtrace"
#define COWTRACE_REGISTRY_MAGIC "COWTRACE" /* 8 bytes, no terminating NUL */
#define COWTRACE_REGISTRY_VERSION 1u
#define COWTRACE_FIRST_CHUNK_SLOTS 256u
#define COWTRACE_MAX_CHUNK_SLOTS 65536u
#define COWTRACE_RETIRED_KEPT 4096u

enum cowtrace_slot_state {
  COWTRACE_SLOT_FREE = 0,
  COWTRACE_SLOT_LIVE = 1,
  COWTRACE_SLOT_RETIRED = 2
};

// One object: [address, address + size), alive in [born_ns, died_ns).
struct cowtrace_slot {
  uint64_t address;
  uint64_t size;
  uint64_t born_ns;
  uint64_t died_ns;   // 0 while alive
  uint32_t sequence;  // 0: never used; odd: being written, read the slot again (a bounded number of
                      // times); even: valid
  uint32_t state;     // enum cowtrace_slot_state
  char name[56];      // NUL-terminated, cut off where too long
  char type[32];      // the same; empty where not known
};

// `capacity` slots follow directly. Only the first `used` were ever reserved; a reserved one has
// sequence 0 until it is first filled.
struct cowtrace_chunk {
  uint64_t next;  // address of the next chunk, 0 in the last one
  uint32_t capacity;
  uint32_t used;      // high-water mark, at most capacity
  uint64_t previous;  // 0 in the first one
  uint64_t reserved[13];
};

struct cowtrace_registry {
  char magic[8];
  uint32_t version;
  uint32_t slot_size;
  uint64_t first_chunk;  // address; 0 while nothing was registered
  uint64_t live;         // counts; only hints while other threads are at work
  uint64_t retired;
  uint64_t last_chunk;  // where to look for room first; may lag behind
  uint64_t sweep;       // slot number where the search for a retired slot goes on
  uint64_t reused;      // how many retired slots were taken again
};

#ifdef __cplusplus
#define COWTRACE_ASSERT(condition) static_assert(condition, #condition)
#else
#define COWTRACE_ASSERT(condition) _Static_assert(condition, #condition)
#endif
COWTRACE_ASSERT(sizeof(struct cowtrace_slot) == 128);
COWTRACE_ASSERT(offsetof(struct cowtrace_slot, address) == 0);
COWTRACE_ASSERT(offsetof(struct cowtrace_slot, size) == 8);
COWTRACE_ASSERT(offsetof(struct cowtrace_slot, born_ns) == 16);
COWTRACE_ASSERT(offsetof(struct cowtrace_slot, died_ns) == 24);
COWTRACE_ASSERT(offsetof(struct cowtrace_slot, sequence) == 32);
COWTRACE_ASSERT(offsetof(struct cowtrace_slot, state) == 36);
COWTRACE_ASSERT(offsetof(struct cowtrace_slot, name) == 40);
COWTRACE_ASSERT(offsetof(struct cowtrace_slot, type) == 96);
COWTRACE_ASSERT(sizeof(struct cowtrace_chunk) == 128);
COWTRACE_ASSERT(offsetof(struct cowtrace_chunk, next) == 0);
COWTRACE_ASSERT(offsetof(struct cowtrace_chunk, capacity) == 8);
COWTRACE_ASSERT(offsetof(struct cowtrace_chunk, used) == 12);
COWTRACE_ASSERT(offsetof(struct cowtrace_chunk, previous) == 16);
COWTRACE_ASSERT(sizeof(struct cowtrace_registry) == 64);
COWTRACE_ASSERT(offsetof(struct cowtrace_registry, magic) == 0);
COWTRACE_ASSERT(offsetof(struct cowtrace_registry, version) == 8);
COWTRACE_ASSERT(offsetof(struct cowtrace_registry, slot_size) == 12);
COWTRACE_ASSERT(offsetof(struct cowtrace_registry, first_chunk) == 16);
COWTRACE_ASSERT(offsetof(struct cowtrace_registry, live) == 24);
COWTRACE_ASSERT(offsetof(struct cowtrace_registry, retired) == 32);
COWTRACE_ASSERT(offsetof(struct cowtrace_registry, last_chunk) == 40);
COWTRACE_ASSERT(offsetof(struct cowtrace_registry, sweep) == 48);
COWTRACE_ASSERT(offsetof(struct cowtrace_registry, reused) == 56);

#ifndef COWTRACE_OBJECTS_LAYOUT_ONLY

#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef __cplusplus
#define COWTRACE_ADDRESS_OF(pointer) reinterpret_cast<uint64_t>(pointer)
#define COWTRACE_AT(type, address) reinterpret_cast<type*>(address)
#define COWTRACE_NULL nullptr
extern "C" {
#else
#define COWTRACE_ADDRESS_OF(pointer) ((uint64_t)(uintptr_t)(pointer))
#define COWTRACE_AT(type, address) ((type*)(uintptr_t)(address))
#define COWTRACE_NULL NULL
#endif
COWTRACE_ASSERT(sizeof(void*) == sizeof(uint64_t));  // 64-bit programs only

struct cowtrace_first_chunk {
  struct cowtrace_chunk head;
  struct cowtrace_slot slots[COWTRACE_FIRST_CHUNK_SLOTS];
};

#define COWTRACE_WEAK __attribute__((weak, visibility("default"), used))

// `first_chunk` starts as 0, not as an address: copies that lost to another module's definition
// then hold nothing.
COWTRACE_WEAK __attribute__((section(COWTRACE_REGISTRY_SECTION),
                             aligned(64))) struct cowtrace_registry cowtrace_registry = {
    {'C', 'O', 'W', 'T', 'R', 'A', 'C', 'E'},
    COWTRACE_REGISTRY_VERSION,
    sizeof(struct cowtrace_slot),
    0,
    0,
    0,
    0,
    0,
    0};

// All zero, so that it costs no space in the file; its capacity is set at first use.
COWTRACE_WEAK __attribute__((aligned(128))) struct cowtrace_first_chunk cowtrace_first_chunk;

// Names one registration: the address of its slot, with the low bits of the slot's generation where
// the alignment leaves room.
typedef uint64_t cowtrace_handle;

#ifndef CLOCK_MONOTONIC
// -std=c11 hides POSIX in <time.h>; the function is in libc all the same.
extern int cowtrace_clock_gettime(int, struct timespec*) __asm__("clock_gettime");
#endif

static inline uint64_t cowtrace_now_ns(void) {
  struct timespec now = {0, 0};
#ifdef CLOCK_MONOTONIC
  clock_gettime(CLOCK_MONOTONIC, &now);
#else
  cowtrace_clock_gettime(1, &now);
#endif
#ifdef __cplusplus
  return static_cast<uint64_t>(now.tv_sec) * 1000000000u + static_cast<uint64_t>(now.tv_nsec);
#else
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
#endif
}

static inline struct cowtrace_slot* cowtrace_slots(struct cowtrace_chunk* chunk) {
  return COWTRACE_AT(struct cowtrace_slot,
                     COWTRACE_ADDRESS_OF(chunk) + sizeof(struct cowtrace_chunk));
}

static inline struct cowtrace_chunk* cowtrace_first(void) {
  struct cowtrace_registry* registry = &cowtrace_registry;
  uint64_t first = __atomic_load_n(&registry->first_chunk, __ATOMIC_ACQUIRE);
  if (first == 0) {
    uint64_t mine = COWTRACE_ADDRESS_OF(&cowtrace_first_chunk);
    __atomic_store_n(&cowtrace_first_chunk.head.capacity, COWTRACE_FIRST_CHUNK_SLOTS,
                     __ATOMIC_RELAXED);
    if (__atomic_compare_exchange_n(&registry->first_chunk, &first, mine, 0, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE))
      first = mine;
  }
  return COWTRACE_AT(struct cowtrace_chunk, first);
}

// The chunk after `chunk`, made if need be; null without memory. Of several threads that make one,
// the first wins.
static inline struct cowtrace_chunk* cowtrace_next_chunk(struct cowtrace_chunk* chunk) {
  uint64_t next = __atomic_load_n(&chunk->next, __ATOMIC_ACQUIRE);
  if (next == 0) {
    uint32_t capacity = __atomic_load_n(&chunk->capacity, __ATOMIC_RELAXED);
    if (capacity < COWTRACE_MAX_CHUNK_SLOTS) capacity *= 2;
    const size_t align = sizeof(struct cowtrace_slot);
    void* memory =
        calloc(capacity + 2u, sizeof(struct cowtrace_slot));  // + the chunk's head, + room to align
    if (!memory) return COWTRACE_NULL;
    struct cowtrace_chunk* fresh = COWTRACE_AT(
        struct cowtrace_chunk, (COWTRACE_ADDRESS_OF(memory) + align - 1) & ~(align - 1));
    fresh->capacity = capacity;
    fresh->previous = COWTRACE_ADDRESS_OF(chunk);
    if (__atomic_compare_exchange_n(&chunk->next, &next, COWTRACE_ADDRESS_OF(fresh), 0,
                                    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
      next = COWTRACE_ADDRESS_OF(fresh);
    } else {
      free(memory);
    }
  }
  __atomic_store_n(&cowtrace_registry.last_chunk, next, __ATOMIC_RELEASE);
  return COWTRACE_AT(struct cowtrace_chunk, next);
}

// Takes the sequence from even to odd: the caller then owns the slot. Fails if anybody was there
// since `sequence` was read.
static inline int cowtrace_claim(struct cowtrace_slot* slot, uint32_t sequence) {
  int claimed =
      (sequence & 1u) == 0 && __atomic_compare_exchange_n(&slot->sequence, &sequence, sequence + 1u,
                                                          0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
  // For readers outside alone; GCC's thread sanitizer knows no fences.
#ifndef __SANITIZE_THREAD__
  if (claimed) __atomic_thread_fence(__ATOMIC_RELEASE);
#endif
  return claimed;
}

// A slot that was never used, or null without memory; the caller owns it (odd sequence).
static inline struct cowtrace_slot* cowtrace_take_new(void) {
  struct cowtrace_chunk* chunk = cowtrace_first();
  uint64_t last = __atomic_load_n(&cowtrace_registry.last_chunk, __ATOMIC_ACQUIRE);
  if (last != 0) chunk = COWTRACE_AT(struct cowtrace_chunk, last);
  while (chunk) {
    uint32_t used = __atomic_load_n(&chunk->used, __ATOMIC_RELAXED);
    while (used < __atomic_load_n(&chunk->capacity, __ATOMIC_RELAXED)) {
      if (__atomic_compare_exchange_n(&chunk->used, &used, used + 1u, 1, __ATOMIC_RELAXED,
                                      __ATOMIC_RELAXED)) {
        struct cowtrace_slot* slot = cowtrace_slots(chunk) + used;
        if (cowtrace_claim(slot, 0)) return slot;
        used = __atomic_load_n(&chunk->used, __ATOMIC_RELAXED);
      }
    }
    chunk = cowtrace_next_chunk(chunk);
  }
  return COWTRACE_NULL;
}

// A retired slot that may be forgotten, or null; the caller owns it. Looks at a bounded number of
// slots, from where the last search ended, so that its cost does not grow with the registry.
static inline struct cowtrace_slot* cowtrace_take_retired(void) {
  struct cowtrace_registry* registry = &cowtrace_registry;
  uint64_t retired = __atomic_load_n(&registry->retired, __ATOMIC_RELAXED);
  if (retired < COWTRACE_RETIRED_KEPT ||
      retired < __atomic_load_n(&registry->live, __ATOMIC_RELAXED) / 8) {
    return COWTRACE_NULL;
  }
  uint64_t position = __atomic_load_n(&registry->sweep, __ATOMIC_RELAXED);
  uint64_t index = position;
  struct cowtrace_chunk* chunk = cowtrace_first();
  for (int steps = 0; chunk && steps < 256;) {
    uint32_t used = __atomic_load_n(&chunk->used, __ATOMIC_RELAXED);
    for (; index < used && steps < 256; ++index, ++position, ++steps) {
      struct cowtrace_slot* slot = cowtrace_slots(chunk) + index;
      uint32_t sequence = __atomic_load_n(&slot->sequence, __ATOMIC_ACQUIRE);
      if (__atomic_load_n(&slot->state, __ATOMIC_RELAXED) != COWTRACE_SLOT_RETIRED ||
          !cowtrace_claim(slot, sequence))
        continue;
      __atomic_store_n(&registry->sweep, position + 1, __ATOMIC_RELAXED);
      __atomic_sub_fetch(&registry->retired, 1, __ATOMIC_RELAXED);
      __atomic_add_fetch(&registry->reused, 1, __ATOMIC_RELAXED);
      return slot;
    }
    if (steps < 256) {
      index -= index < used ? index : used;
      chunk = COWTRACE_AT(struct cowtrace_chunk, __atomic_load_n(&chunk->next, __ATOMIC_ACQUIRE));
    }
  }
  __atomic_store_n(&registry->sweep, chunk ? position : 0, __ATOMIC_RELAXED);
  return COWTRACE_NULL;
}

static inline void cowtrace_copy_text(char* to, size_t room, const char* from, size_t length) {
  if (length > room - 1) length = room - 1;
  if (length != 0) memcpy(to, from, length);
  memset(to + length, 0, room - length);
}

static inline cowtrace_handle cowtrace_register_text(const void* address, size_t size,
                                                     const char* name, const char* type,
                                                     size_t type_length) {
  const uint64_t start = COWTRACE_ADDRESS_OF(address);
  if (start == 0 || size == 0 || start + size < start) return 0;
  struct cowtrace_slot* slot = cowtrace_take_retired();
  if (!slot) slot = cowtrace_take_new();
  if (!slot) return 0;
  __atomic_store_n(&slot->address, start, __ATOMIC_RELAXED);
  slot->size = size;
  __atomic_store_n(&slot->born_ns, cowtrace_now_ns(), __ATOMIC_RELAXED);
  slot->died_ns = 0;
  cowtrace_copy_text(slot->name, sizeof(slot->name), name, name ? strlen(name) : 0);
  cowtrace_copy_text(slot->type, sizeof(slot->type), type, type_length);
  __atomic_store_n(&slot->state, COWTRACE_SLOT_LIVE, __ATOMIC_RELAXED);
  uint32_t sequence = __atomic_add_fetch(&slot->sequence, 1, __ATOMIC_RELEASE);
  __atomic_add_fetch(&cowtrace_registry.live, 1, __ATOMIC_RELAXED);
  return COWTRACE_ADDRESS_OF(slot) | ((sequence >> 1) & (sizeof(struct cowtrace_slot) - 1));
}

// Registers [address, address + size). Texts are copied and cut off at 55 and 31 bytes; either may
// be null. A range may be registered more than once and ranges may nest. Returns the handle of the
// registration, or 0.
static inline cowtrace_handle cowtrace_register(const void* address, size_t size, const char* name,
                                                const char* type) {
  return cowtrace_register_text(address, size, name, type, type ? strlen(type) : 0);
}

static inline int cowtrace_retire(struct cowtrace_slot* slot, uint32_t sequence) {
  if (!cowtrace_claim(slot, sequence)) return 0;
  slot->died_ns = cowtrace_now_ns();
  __atomic_store_n(&slot->state, COWTRACE_SLOT_RETIRED, __ATOMIC_RELAXED);
  __atomic_add_fetch(&slot->sequence, 1, __ATOMIC_RELEASE);
  __atomic_sub_fetch(&cowtrace_registry.live, 1, __ATOMIC_RELAXED);
  __atomic_add_fetch(&cowtrace_registry.retired, 1, __ATOMIC_RELAXED);
  return 1;
}

// Ends one registration, in constant time: the way for many objects. `handle` came from
// cowtrace_register in this process or was inherited. Returns 1, or 0 if it is 0 or has ended
// already (a handle kept over 128 reuses of its slot can be mistaken).
static inline int cowtrace_unregister_handle(cowtrace_handle handle) {
  const uint64_t low = sizeof(struct cowtrace_slot) - 1;
  if ((handle & ~low) == 0) return 0;
  struct cowtrace_slot* slot = COWTRACE_AT(struct cowtrace_slot, handle & ~low);
  uint32_t sequence = __atomic_load_n(&slot->sequence, __ATOMIC_ACQUIRE);
  if (((sequence >> 1) & low) != (handle & low)) return 0;
  if (__atomic_load_n(&slot->state, __ATOMIC_RELAXED) != COWTRACE_SLOT_LIVE) return 0;
  return cowtrace_retire(slot, sequence);
}

// Ends the most recent live registration that starts at `address`; returns 1, or 0 if there is
// none. Searches from the newest slot back, so it is quick for what was registered lately and
// linear in the registry's size (some 10 ns a slot) for the rest, and for all once retired slots
// are reused: for many objects, keep handles.
static inline int cowtrace_unregister(const void* address) {
  const uint64_t start = COWTRACE_ADDRESS_OF(address);
  for (;;) {
    struct cowtrace_slot* found = COWTRACE_NULL;
    uint32_t found_sequence = 0;
    uint64_t found_born = 0;
    // Slots are filled in order until the first reuse; from then on only born_ns tells which is the
    // most recent.
    const int ordered = __atomic_load_n(&cowtrace_registry.reused, __ATOMIC_RELAXED) == 0;
    struct cowtrace_chunk* chunk = cowtrace_first();
    for (uint64_t next; (next = __atomic_load_n(&chunk->next, __ATOMIC_ACQUIRE)) != 0;) {
      chunk = COWTRACE_AT(struct cowtrace_chunk, next);
    }
    for (; chunk && !(found && ordered);
         chunk = COWTRACE_AT(struct cowtrace_chunk, chunk->previous)) {
      for (uint32_t i = __atomic_load_n(&chunk->used, __ATOMIC_ACQUIRE);
           i-- > 0 && !(found && ordered);) {
        struct cowtrace_slot* slot = cowtrace_slots(chunk) + i;
        uint32_t sequence = __atomic_load_n(&slot->sequence, __ATOMIC_ACQUIRE);
        if ((sequence & 1u) != 0 || __atomic_load_n(&slot->address, __ATOMIC_RELAXED) != start ||
            __atomic_load_n(&slot->state, __ATOMIC_RELAXED) != COWTRACE_SLOT_LIVE) {
          continue;
        }
        uint64_t born = __atomic_load_n(&slot->born_ns, __ATOMIC_RELAXED);
        if (found && born <= found_born) continue;
        found = slot;
        found_sequence = sequence;
        found_born = born;
      }
    }
    if (!found) return 0;
    if (cowtrace_retire(found, found_sequence)) return 1;
  }
}

#ifdef __cplusplus
}  // extern "C"

template <typename T>
struct cowtrace_plain {
  typedef T type;
};
template <typename T>
struct cowtrace_plain<T&> {
  typedef T type;
};

// Reads the type's name out of the compiler's own text of this function: "... [with T = int]", "...
// [T = int]".
template <typename T>
inline cowtrace_handle cowtrace_register_typed(const void* address, size_t size, const char* name) {
  const char* text = __PRETTY_FUNCTION__;
  const char* type = strstr(text, "T = ");
  if (!type) return cowtrace_register(address, size, name, "");
  type += 4;
  const char* end = strchr(type, ';');
  if (!end) end = strrchr(type, ']');
  return cowtrace_register_text(address, size, name, type,
                                end ? static_cast<size_t>(end - type) : strlen(type));
}

// Registers a variable (or member, or element) under its own name, with its size and, in C++, its
// type.
#define COWTRACE_OBJECT(variable)                                             \
  cowtrace_register_typed<typename cowtrace_plain<decltype(variable)>::type>( \
      __builtin_addressof(variable), sizeof(variable), #variable)
#define COWTRACE_OBJECT_AS(variable, type) \
  cowtrace_register(__builtin_addressof(variable), sizeof(variable), #variable, type)
#else
// In C no expression has its type's text: COWTRACE_OBJECT leaves the type empty, COWTRACE_OBJECT_AS
// takes it.
#define COWTRACE_OBJECT(variable) cowtrace_register(&(variable), sizeof(variable), #variable, "")
#define COWTRACE_OBJECT_AS(variable, type) \
  cowtrace_register(&(variable), sizeof(variable), #variable, type)
#endif

#endif  // COWTRACE_OBJECTS_LAYOUT_ONLY
#endif  // COWTRACE_OBJECTS_H
