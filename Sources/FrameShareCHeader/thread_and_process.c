#include "frameshare.h"
#include "frameshare_internal.h"

#include <pthread.h>
#include <stdatomic.h>

// Each thread's last error. A buffer of its own costs no allocation, and so can't fail.
static _Thread_local char lastError[1024];

const char *frameshare_last_error(void) { return lastError; }

void fs_c_set_last_error(const char *text) {
    size_t size = strnlen(text, sizeof lastError - 1);
    memcpy(lastError, text, size);
    // Not in the middle of a character.
    if (text[size] != 0) {
        while (size > 0 && (lastError[size - 1] & 0xc0) == 0x80) size -= 1;
        if (size > 0) size -= 1;
    }
    lastError[size] = 0;
}

static atomic_int used;
static atomic_int forked;

// In a child only the thread that forked lives on. Locks that others held stay held, and the language's runtime takes
// this thread for its parent's: nothing of it can be used.
static void in_child(void) {
    if (atomic_load_explicit(&used, memory_order_relaxed)) atomic_store_explicit(&forked, 1, memory_order_relaxed);
}

__attribute__((constructor)) static void watch_forks(void) { pthread_atfork(NULL, NULL, in_child); }

void fs_c_note_use(void) {
    if (!atomic_load_explicit(&used, memory_order_relaxed)) atomic_store_explicit(&used, 1, memory_order_relaxed);
}

int fs_c_is_forked(void) { return atomic_load_explicit(&forked, memory_order_relaxed); }
