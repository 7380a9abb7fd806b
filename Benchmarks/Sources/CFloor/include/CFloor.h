// The floor: what it costs at the least to tell sleeping readers in other processes of a frame in shared memory.
//
// Two ways, both as plain as they can be:
//  - futex:   one shared word, bumped once a frame; one FUTEX_WAKE wakes every reader
//  - eventfd: a blocking eventfd for each reader, written once a frame
//
// Frames lie in a ring. There is no checking, no recovery from a reader's death, no late joining and no policy: a
// reader that is too slow reads a frame that is being overwritten. Only the lossless modes wait for the readers.
#pragma once
#include <stdint.h>

#define FLOOR_MAX_READERS 64

enum floor_kind { FLOOR_FUTEX = 0, FLOOR_EVENTFD = 1 };

/// One side's view. `ring` holds `slots` frames of `size` bytes.
struct floor_side {
    void *page;                                        // words of floor_page_bytes() bytes, zero at first
    unsigned char *ring;
    uint64_t size;
    uint32_t slots, readers, kind;
    int event[FLOOR_MAX_READERS];                      // eventfd: one for each reader
    int publisher_event;                               // eventfd: readers write it when the publisher sleeps
};

/// Where a reader writes what it measured.
struct floor_samples {
    uint32_t ready;                                    // atomic; 1 once the reader waits for frames
    uint32_t capacity;                                 // of the latencies that follow
    uint32_t skip;                                     // frames at the start that are not measured
    uint32_t count;                                    // latencies that follow
    uint32_t seen;                                     // frames read, also those that are not measured
    uint32_t lost;
    uint32_t wrong;                                    // frames whose first bytes were not those of that frame
    uint32_t reserved;
    int64_t cpu;                                       // ns of CPU from the first measured frame to the end
    // Then int64_t latencies: ns from the publisher's stamp to the reader's running.
};

/// The bytes of the words that publisher and readers share.
uint64_t floor_page_bytes(void);

/// Writes a frame's first cache line (its number and stamp) and tells every reader. Doesn't wait.
void floor_publish(struct floor_side *side, int64_t stamp);

/// Waits until no reader has more than `in_flight` frames to read still.
void floor_wait(struct floor_side *side, uint32_t in_flight);

/// Tells the readers to end.
void floor_stop(struct floor_side *side);

/// Reads frames until told to stop.
void floor_read(struct floor_side *side, uint32_t reader, struct floor_samples *samples);

/// Books a frame that a reader was woken for.
void floor_book(struct floor_samples *samples, int64_t latency, uint32_t lost, int is_wrong);
/// Books that a reader has ended.
void floor_book_end(struct floor_samples *samples);

/// CLOCK_MONOTONIC, in ns.
int64_t floor_now(void);
/// CLOCK_PROCESS_CPUTIME_ID, in ns: all threads of this process.
int64_t floor_cpu(void);
/// Sleeps until CLOCK_MONOTONIC shows `due`.
void floor_sleep_until(int64_t due);
/// memfd_create, without any flag: children inherit it. -1 on failure.
int floor_memory(uint64_t size);
/// A blocking eventfd that children inherit. -1 on failure.
int floor_event(void);
/// Whether a reader has reached its loop.
int floor_is_ready(const struct floor_samples *samples);
void floor_set_ready(struct floor_samples *samples);

/// MAP_POPULATE: every page is there before the first frame.
int32_t floor_populate(void);
/// prctl(PR_SET_PDEATHSIG, SIGKILL).
void floor_die_with_parent(void);
