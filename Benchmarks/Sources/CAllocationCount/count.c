#include "CAllocationCount.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

// glibc's own, under the names that it keeps for programs which put theirs in front.
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static _Atomic uint64_t count;

uint64_t allocation_count(void) { return atomic_load_explicit(&count, memory_order_relaxed); }

// In cache lines of their own: nothing else is written there.
static volatile struct {
    _Alignas(64) uint64_t frame;
    _Alignas(64) uint64_t readers;
    _Alignas(64) uint64_t rest[8];
} marks;

void mark_frame(void) { marks.frame = 1; }

void mark_readers(void) { marks.readers = 1; }

uintptr_t frame_mark_address(void) { return (uintptr_t)&marks.frame; }

uintptr_t readers_mark_address(void) { return (uintptr_t)&marks.readers; }

static void one_more(void) { atomic_fetch_add_explicit(&count, 1, memory_order_relaxed); }

void *malloc(size_t size) {
    one_more();
    return __libc_malloc(size);
}

void *calloc(size_t number, size_t size) {
    one_more();
    return __libc_calloc(number, size);
}

void *realloc(void *old, size_t size) {
    one_more();
    return __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    one_more();
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **result, size_t alignment, size_t size) {
    one_more();
    void *memory = __libc_memalign(alignment, size);
    if (memory == NULL) return ENOMEM;
    *result = memory;
    return 0;
}
