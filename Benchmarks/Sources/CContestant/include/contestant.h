// What every contestant of the benchmark has in common: its arguments, its pace, what it measures and how it says so.
//
// A contestant is a pair of programs, a publisher and a reader. The publisher waits for its readers, publishes frames
// at a pace or as fast as they follow, and ends with one frame that says so. Either prints one JSON line at exit, and
// keeps every sample in a file. Nothing here moves a frame: that is what a contestant is for.
//
// A frame's first 16 bytes are its number and the moment at which publishing it began (CLOCK_MONOTONIC, ns). Unless more
// is asked for, that is all that is written and read of it, but for what a contestant copies.
#pragma once
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/// The number of the frame that ends a run.
#define CONTESTANT_LAST UINT64_MAX

/// The arguments, and what was measured so far.
struct contestant {
    int is_publisher;
    const char *channel;      // --channel NAME
    const char *folder;       // $BENCH_DIR: a private folder for sockets and the like
    const char *way;          // --way NAME: which of a contestant's ways, where it has several
    uint64_t size;            // --size BYTES of a frame
    uint32_t slots;           // --slots N: frames in the pool
    uint32_t readers;         // --readers N
    uint32_t reader;          // --reader I: which of them this is, from 0
    double rate;              // --rate HZ; 0: unpaced, and nothing may be lost
    uint32_t frames;          // --frames N, after the warm-up
    double seconds;           // --seconds S: the most that an unpaced run takes
    uint32_t warm_up;         // --warm-up N: frames at the start that are not measured
    uint32_t in_flight;       // --in-flight N: the most frames that a reader has not read yet, when unpaced
    uint32_t connects;        // --connects N: how often a reader connects, to measure that alone
    int spin;                 // --spin: never sleep
    int fill_all, touch_all;  // --fill all, --touch all: write, or read, all of a frame, not only its first line
    const char *samples;      // --samples FILE: every sample, as raw 64-bit numbers

    int64_t *values;
    uint64_t count, capacity, seen, lost, wrong, next;
    int64_t cpu, began, ended, connect_began, connect;
    int daemon_pid;           // $BENCH_DAEMON: whose CPU counts as the publisher's
};

/// Reads `publisher` or `reader` and its options. Ends the program where they make no sense. From here on the program
/// dies with the one that started it.
void contestant_begin(struct contestant *self, int argc, char **argv);

/// The path of a file in the contestant's private folder. Static: the next call overwrites it.
const char *contestant_path(const struct contestant *self, const char *name);

/// Says what went wrong, with errno's text if `error` is not 0, and ends the program.
__attribute__((noreturn)) void contestant_fail(const char *what, int error);

// MARK: the publisher's side

/// Publishes one frame. What it takes counts. 0, or an errno.
typedef int (*contestant_publish)(void *context, uint64_t number, int64_t stamp);
/// Gets a slot for the next frame, between frames: a camera's frame is in its slot before it is published. 0, or an errno.
/// Called when paced alone.
typedef int (*contestant_prepare)(void *context);
/// Waits until no reader has `in_flight` frames to read still. 0, or an errno.
typedef int (*contestant_wait)(void *context, uint32_t in_flight);

/// Says that readers may connect, waits until all have, publishes, and prints the result. `prepare` may be NULL
/// where there is nothing to get, `wait` where publishing waits for readers by itself.
void contestant_publisher_run(
    struct contestant *self, void *context, contestant_prepare prepare, contestant_publish publish, contestant_wait wait
);

/// Waits, 10 s at most, until every reader has read the last frame: for publishers whose end takes frames with it.
void contestant_wait_for_readers_end(const struct contestant *self);

/// Writes a frame: its first bytes, and the rest where that is asked for.
void contestant_fill(const struct contestant *self, void *frame, uint64_t number, int64_t stamp);

// MARK: the reader's side

/// Call right before connecting.
void contestant_connecting(struct contestant *self);
/// Call once connected: the next frame reaches this reader.
void contestant_connected(struct contestant *self);
/// Books a frame. 0: it was the last.
int contestant_received(struct contestant *self, const void *frame);
/// Books a frame as a connection's first: from connecting to reading it, but for waiting until it was due.
void contestant_received_first(struct contestant *self, const void *frame);
/// Prints the result.
void contestant_reader_end(struct contestant *self);

/// CLOCK_MONOTONIC, in ns.
int64_t contestant_now(void);

#ifdef __cplusplus
}
#endif
