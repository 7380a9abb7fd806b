#pragma once
#include "wire.h"
#include "shared_layouts.h"

/// A subscription made by hand: all that the publisher sent, mapped.
struct attached {
    int says_more;                            // set before joining: the hello has a part that nobody knows
    int socket, page_fd, wake_fd, table_fd, lane_fd;
    uint32_t generation;
    int64_t slots, depth;
    int buffers[FS_MAX_SLOTS];                // all descriptors, of which a pool may have one alone
    int buffer_count;
    int64_t buffer_size;                      // of one slot
    size_t memory_size;                       // of one descriptor
    volatile struct fs_lane *lane;
    volatile struct fs_channel_page *page;
    volatile struct fs_wake_page *wake_page;
    size_t lane_size;
};

enum { AFTER_CONNECT, AFTER_HELLO, AFTER_WELCOME, AFTER_GENERATION, AFTER_BUFFERS, AFTER_READY };

/// Joins a channel with `queue(depth)`, stopping at a stage of the handshake.
void attach_until(struct attached *a, const char *path, int stage, int64_t depth, int pollable);
/// The lane's cells.
volatile uint64_t *cells(struct attached *a);
/// Reads until the publisher hangs up, saying what it says.
void tell_end(int socket);
