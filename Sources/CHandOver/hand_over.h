#pragma once
#define _GNU_SOURCE
#include "CHandOver.h"
#include "shared_layouts.h"

#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/// What a shared ring has before its frames; a cache line for each word that somebody else writes.
struct hand_over_ring {
    _Alignas(FS_CACHE_LINE) _Atomic uint32_t published;       // futex word
    _Alignas(FS_CACHE_LINE) _Atomic uint32_t ended;
    _Alignas(FS_CACHE_LINE) _Atomic uint32_t publisher_asleep;
    _Alignas(FS_CACHE_LINE) _Atomic uint32_t given_back;      // futex word of a publisher that waits
    struct { _Alignas(FS_CACHE_LINE) _Atomic uint32_t frames; } read[HAND_OVER_MAX_READERS];
};

// Where the frames begin: past the words, whatever a page is.
#define HAND_OVER_RING_BYTES 4096
_Static_assert(sizeof(struct hand_over_ring) <= HAND_OVER_RING_BYTES, "the words end before the frames");

static inline long hand_over_futex(_Atomic uint32_t *word, int operation, uint32_t value) {
    return syscall(SYS_futex, word, operation, value, NULL, NULL, 0);
}

/// As FUTEX_WAIT, but for a fifth of a second at most: time to look whether the others still live.
static inline void hand_over_futex_wait_a_while(_Atomic uint32_t *word, uint32_t value) {
    struct timespec a_while = { 0, 200000000 };
    (void)syscall(SYS_futex, word, FUTEX_WAIT, value, &a_while, NULL, 0);
}

static inline int hand_over_read_all(int fd, void *to, uint64_t size) {
    for (uint64_t done = 0; done < size;) {
        ssize_t n = read(fd, (char *)to + done, size - done);
        if (n == 0) return done == 0 ? 1 : -EPIPE;   // 1: the end, between two frames
        if (n < 0 && errno != EINTR) return -errno;
        if (n > 0) done += (uint64_t)n;
    }
    return 0;
}

static inline int hand_over_write_all(int fd, const void *from, uint64_t size) {
    for (uint64_t done = 0; done < size;) {
        ssize_t n = write(fd, (const char *)from + done, size - done);
        if (n < 0 && errno != EINTR) return -errno;
        if (n > 0) done += (uint64_t)n;
    }
    return 0;
}
