// The floor: what it costs at the least to tell sleeping readers in other processes of a frame in shared memory.
//
// --way futex:   one shared word, bumped once a frame; one FUTEX_WAKE wakes every reader
// --way eventfd: a blocking eventfd for each reader, written once a frame
// --way futex-populate: the same, and connecting makes every page of the slots present
// --way idle:    frames are stamped, nobody is told: what pacing itself costs
//
// Frames lie in a ring. There is no checking, no recovery from a reader's death, no late joining and no policy: a
// reader that is too slow reads a frame that is being overwritten. Only unpaced runs wait for readers.
#define _GNU_SOURCE
#include "contestant.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_READERS 64
#define MAX_SLOTS 1024
#define LINE 64                                          // bytes of a cache line

/// What publisher and readers share; a cache line for each word that somebody else writes.
struct page {
    _Alignas(LINE) _Atomic uint32_t frames;              // frames published; the futex word
    _Alignas(LINE) _Atomic uint32_t publisher_asleep;
    _Alignas(LINE) _Atomic uint32_t given_back;          // futex word of a publisher that waits
    struct { _Alignas(LINE) _Atomic uint32_t frames; } read[MAX_READERS];
    int publisher, memory, publisher_event, event[MAX_READERS];  // the publisher's pid, and descriptors there
};

struct side {
    struct contestant *options;
    struct page *page;
    unsigned char *slot[MAX_SLOTS];
    int is_eventfd, is_idle;
    int event, publisher_event;
};

/// In whole pages, as each slot is mapped by itself.
static uint64_t in_pages(uint64_t bytes) {
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    return (bytes + page - 1) / page * page;
}
static uint64_t page_bytes(void) { return in_pages(sizeof(struct page)); }

static void *map(int memory, uint64_t offset, uint64_t size, int protection, int flags) {
    void *address = mmap(NULL, size, protection, MAP_SHARED | flags, memory, (off_t)offset);
    if (address == MAP_FAILED) contestant_fail("mmap", errno);
    return address;
}

static uint64_t slot_bytes(const struct contestant *options) { return in_pages(options->size); }

/// Maps each slot by itself, as whoever has a buffer for each must.
static void map_slots(struct side *side, int memory, int protection, int flags) {
    uint64_t size = slot_bytes(side->options);
    for (uint32_t i = 0; i < side->options->slots; i++)
        side->slot[i] = map(memory, page_bytes() + i * size, size, protection, flags);
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

// MARK: publisher

static int publish(void *context, uint64_t number, int64_t stamp) {
    struct side *side = context;
    struct page *page = side->page;
    uint32_t place = atomic_load_explicit(&page->frames, memory_order_relaxed);
    contestant_fill(side->options, side->slot[place % side->options->slots], number, stamp);
    atomic_store_explicit(&page->frames, place + 1, memory_order_release);
    if (side->is_eventfd) {
        for (uint32_t i = 0; i < side->options->readers; i++) signal_event(page->event[i]);
    } else if (!side->is_idle && !side->options->spin) {
        futex_wake_all(&page->frames);
    }
    return 0;
}

static int everyone_is_within(const struct side *side, uint32_t in_flight) {
    struct page *page = side->page;
    uint32_t published = atomic_load_explicit(&page->frames, memory_order_relaxed);
    for (uint32_t i = 0; i < side->options->readers; i++) {
        if (published - atomic_load_explicit(&page->read[i].frames, memory_order_acquire) > in_flight) return 0;
    }
    return 1;
}

static int wait_for_readers(void *context, uint32_t in_flight) {
    struct side *side = context;
    struct page *page = side->page;
    while (!everyone_is_within(side, in_flight)) {
        if (side->options->spin) continue;
        // Announce, look once more, sleep; the reader counts first and looks for the announcement then.
        uint32_t seen = atomic_load(&page->given_back);
        atomic_store(&page->publisher_asleep, 1);
        // The look below loads with acquire alone, which arm64 may do before the store.
        atomic_thread_fence(memory_order_seq_cst);
        if (!everyone_is_within(side, in_flight)) {
            if (side->is_eventfd) {
                wait_event(side->publisher_event);
            } else {
                futex_wait(&page->given_back, seen);
            }
        }
        atomic_store(&page->publisher_asleep, 0);
    }
    return 0;
}

static void run_publisher(struct side *side) {
    struct contestant *options = side->options;
    int memory = memfd_create("floor", MFD_CLOEXEC);
    if (memory < 0 || ftruncate(memory, (off_t)(page_bytes() + slot_bytes(options) * options->slots)) != 0)
        contestant_fail("memfd", errno);
    side->page = map(memory, 0, page_bytes(), PROT_READ | PROT_WRITE, MAP_POPULATE);
    map_slots(side, memory, PROT_READ | PROT_WRITE, MAP_POPULATE);
    side->page->publisher = getpid();
    side->page->memory = memory;
    if (side->is_eventfd) {
        side->publisher_event = side->page->publisher_event = eventfd(0, EFD_CLOEXEC);
        for (uint32_t i = 0; i < options->readers; i++) side->page->event[i] = eventfd(0, EFD_CLOEXEC);
    }
    // Readers find the memory by way of /proc: no name is left behind, and no /dev/shm limit applies.
    char target[64];
    snprintf(target, sizeof target, "/proc/%d/fd/%d", getpid(), memory);
    if (symlink(target, contestant_path(options, "memory")) != 0) contestant_fail("symlink", errno);
    contestant_publisher_run(options, side, NULL, publish, side->is_idle ? NULL : wait_for_readers);
}

// MARK: reader

static int take_descriptor(int publisher, int number) {
    int process = (int)syscall(SYS_pidfd_open, publisher, 0);
    int descriptor = process < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, process, number, 0);
    if (descriptor < 0) contestant_fail("pidfd_getfd of the publisher's eventfd", errno);
    close(process);
    return descriptor;
}

static void connect_reader(struct side *side, int populate) {
    struct contestant *options = side->options;
    int memory = open(contestant_path(options, "memory"), O_RDWR | O_CLOEXEC);
    if (memory < 0) contestant_fail("the publisher's memory", errno);
    side->page = map(memory, 0, page_bytes(), PROT_READ | PROT_WRITE, MAP_POPULATE);
    map_slots(side, memory, PROT_READ, populate ? MAP_POPULATE : 0);
    close(memory);
}

static void disconnect(struct side *side) {
    munmap(side->page, page_bytes());
    for (uint32_t i = 0; i < side->options->slots; i++) munmap(side->slot[i], slot_bytes(side->options));
}

static void give_back(struct side *side, uint32_t frames) {
    struct page *page = side->page;
    atomic_store(&page->read[side->options->reader].frames, frames);
    if (!atomic_load(&page->publisher_asleep)) return;
    if (side->is_eventfd) {
        signal_event(side->publisher_event);
    } else {
        atomic_fetch_add(&page->given_back, 1);
        futex_wake_all(&page->given_back);
    }
}

/// The frame at `next`, or the newest where that is already overwritten.
static const unsigned char *wait_for_frame(struct side *side, uint32_t *next) {
    struct page *page = side->page;
    uint32_t slots = side->options->slots, published;
    while ((published = atomic_load_explicit(&page->frames, memory_order_acquire)) == *next) {
        if (side->options->spin) {
#if defined(__x86_64__)
            __builtin_ia32_pause();
#elif defined(__aarch64__)
            __asm__ __volatile__("isb" ::: "memory");       // as FrameShare's own loops
#endif
        } else if (side->is_eventfd) {
            wait_event(side->event);
        } else {
            futex_wait(&page->frames, *next);
        }
    }
    if (published - *next > slots) *next = published - 1;
    return side->slot[*next % slots];
}

static void run_reader(struct side *side) {
    struct contestant *options = side->options;
    contestant_connecting(options);
    connect_reader(side, 1);
    if (side->is_eventfd) {
        side->event = take_descriptor(side->page->publisher, side->page->event[options->reader]);
        side->publisher_event = take_descriptor(side->page->publisher, side->page->publisher_event);
    }
    contestant_connected(options);
    uint32_t next = 0;
    while (contestant_received(options, wait_for_frame(side, &next))) give_back(side, ++next);
    contestant_reader_end(options);
}

/// What the kernel's own mapping costs, and one wake-up after it.
static void run_connects(struct side *side) {
    struct contestant *options = side->options;
    for (uint32_t i = 0; i < options->connects; i++) {
        contestant_connecting(options);
        connect_reader(side, strcmp(options->way, "futex-populate") == 0);
        contestant_connected(options);
        uint32_t next = atomic_load(&side->page->frames);
        contestant_received_first(options, wait_for_frame(side, &next));
        disconnect(side);
    }
    contestant_reader_end(options);
}

int main(int argc, char **argv) {
    struct contestant options;
    contestant_begin(&options, argc, argv);
    struct side side = { .options = &options, .is_eventfd = strcmp(options.way, "eventfd") == 0,
                         .is_idle = strcmp(options.way, "idle") == 0 };
    if (!side.is_eventfd && !side.is_idle && strncmp(options.way, "futex", 5) != 0)
        contestant_fail("--way: give futex, futex-populate, eventfd or idle", 0);
    if (options.is_publisher) {
        run_publisher(&side);
    } else if (options.connects) {
        run_connects(&side);
    } else {
        run_reader(&side);
    }
    return 0;
}
