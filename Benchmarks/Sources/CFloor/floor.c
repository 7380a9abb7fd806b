#define _GNU_SOURCE
#include "CFloor.h"

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/// What publisher and readers share; a cache line for each word that somebody else writes.
struct floor_page {
    _Alignas(64) _Atomic uint32_t frames;              // frames published; the futex word
    _Alignas(64) _Atomic uint32_t stop;
    _Alignas(64) _Atomic uint32_t publisher_asleep;
    _Alignas(64) _Atomic uint32_t given_back;          // futex word of a publisher that waits
    struct { _Alignas(64) _Atomic uint32_t frames; } read[FLOOR_MAX_READERS];
};

uint64_t floor_page_bytes(void) { return sizeof(struct floor_page); }

static int64_t read_clock(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t floor_now(void) { return read_clock(CLOCK_MONOTONIC); }
int64_t floor_cpu(void) { return read_clock(CLOCK_PROCESS_CPUTIME_ID); }

void floor_sleep_until(int64_t due) {
    struct timespec t = { due / 1000000000, due % 1000000000 };
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR) {}
}

int floor_memory(uint64_t size) {
    int fd = memfd_create("floor", 0);
    if (fd >= 0 && ftruncate(fd, (off_t)size) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

int floor_event(void) { return eventfd(0, 0); }

int floor_is_ready(const struct floor_samples *samples) {
    return __atomic_load_n(&samples->ready, __ATOMIC_ACQUIRE) != 0;
}
void floor_set_ready(struct floor_samples *samples) { __atomic_store_n(&samples->ready, 1, __ATOMIC_RELEASE); }

void floor_book(struct floor_samples *samples, int64_t latency, uint32_t lost, int is_wrong) {
    samples->lost += lost;
    samples->wrong += is_wrong != 0;
    if (samples->seen == samples->skip) samples->cpu = -floor_cpu();
    if (samples->seen++ < samples->skip || samples->count == samples->capacity) return;
    int64_t *latencies = (int64_t *)(samples + 1);
    latencies[samples->count++] = latency;
}

void floor_book_end(struct floor_samples *samples) {
    if (samples->seen > samples->skip) samples->cpu += floor_cpu();
}

static void futex_wait(_Atomic uint32_t *word, uint32_t seen) {
    syscall(SYS_futex, word, FUTEX_WAIT, seen, NULL, NULL, 0);
}
static void futex_wake_all(_Atomic uint32_t *word) {
    syscall(SYS_futex, word, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}
static void signal_event(int fd) {
    uint64_t one = 1;
    while (write(fd, &one, 8) < 0 && errno == EINTR) {}
}
static void wait_event(int fd) {
    uint64_t value;
    while (read(fd, &value, 8) < 0 && errno == EINTR) {}
}

static void wake_readers(struct floor_side *side) {
    struct floor_page *page = side->page;
    if (side->kind == FLOOR_FUTEX) {
        futex_wake_all(&page->frames);
    } else {
        for (uint32_t i = 0; i < side->readers; i++) signal_event(side->event[i]);
    }
}

void floor_publish(struct floor_side *side, int64_t stamp) {
    struct floor_page *page = side->page;
    uint32_t number = atomic_load_explicit(&page->frames, memory_order_relaxed);
    int64_t *frame = (int64_t *)(side->ring + (uint64_t)(number % side->slots) * side->size);
    frame[0] = number;
    frame[1] = stamp;
    atomic_store_explicit(&page->frames, number + 1, memory_order_release);
    wake_readers(side);
}

static int everyone_is_within(struct floor_side *side, uint32_t in_flight) {
    struct floor_page *page = side->page;
    uint32_t published = atomic_load_explicit(&page->frames, memory_order_relaxed);
    for (uint32_t i = 0; i < side->readers; i++) {
        if (published - atomic_load_explicit(&page->read[i].frames, memory_order_acquire) > in_flight) return 0;
    }
    return 1;
}

void floor_wait(struct floor_side *side, uint32_t in_flight) {
    struct floor_page *page = side->page;
    while (!everyone_is_within(side, in_flight)) {
        // Announce, look once more, sleep; the reader counts first and looks for the announcement then.
        uint32_t seen = atomic_load(&page->given_back);
        atomic_store(&page->publisher_asleep, 1);
        if (!everyone_is_within(side, in_flight)) {
            if (side->kind == FLOOR_FUTEX) {
                futex_wait(&page->given_back, seen);
            } else {
                wait_event(side->publisher_event);
            }
        }
        atomic_store(&page->publisher_asleep, 0);
    }
}

static void give_back(struct floor_side *side, uint32_t reader, uint32_t frames) {
    struct floor_page *page = side->page;
    atomic_store(&page->read[reader].frames, frames);
    if (!atomic_load(&page->publisher_asleep)) return;
    if (side->kind == FLOOR_FUTEX) {
        atomic_fetch_add(&page->given_back, 1);
        futex_wake_all(&page->given_back);
    } else {
        signal_event(side->publisher_event);
    }
}

void floor_stop(struct floor_side *side) {
    struct floor_page *page = side->page;
    atomic_store(&page->stop, 1);
    atomic_fetch_add(&page->frames, 1);
    wake_readers(side);
}

void floor_read(struct floor_side *side, uint32_t reader, struct floor_samples *samples) {
    struct floor_page *page = side->page;
    uint32_t next = 0;
    floor_set_ready(samples);
    while (1) {
        uint32_t published = atomic_load_explicit(&page->frames, memory_order_acquire);
        if (published == next) {
            if (side->kind == FLOOR_FUTEX) {
                futex_wait(&page->frames, next);
            } else {
                wait_event(side->event[reader]);
            }
            continue;
        }
        if (atomic_load(&page->stop)) break;
        uint32_t lost = 0;
        if (published - next > side->slots) {
            lost = published - next - 1;
            next = published - 1;
        }
        const int64_t *frame = (const int64_t *)(side->ring + (uint64_t)(next % side->slots) * side->size);
        int64_t latency = floor_now() - frame[1];
        floor_book(samples, latency, lost, frame[0] != next);
        next += 1;
        give_back(side, reader, next);
    }
    floor_book_end(samples);
}

int32_t floor_populate(void) { return MAP_POPULATE; }
void floor_die_with_parent(void) { prctl(PR_SET_PDEATHSIG, SIGKILL); }
