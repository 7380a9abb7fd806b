// The ways in which programs hand frames over that FrameShare is measured against, each as plain as it can be: what a
// careful programmer writes in an afternoon. They check nothing and survive nothing.
#pragma once
#include <stdint.h>

enum hand_over_way {
    HAND_OVER_PIPE = 0,           // the frame's bytes through a pipe
    HAND_OVER_SOCKET = 1,         // the frame's bytes through a Unix stream socket
    HAND_OVER_SHARED_COPY = 2,    // the frame's bytes copied into a shared ring; a futex wakes everyone
    HAND_OVER_PIDFD = 3,          // a number by a message; the reader gets the descriptor with pidfd_getfd and maps it
    HAND_OVER_DESCRIPTOR = 4,     // the descriptor in a message (SCM_RIGHTS); the reader maps it
};

#define HAND_OVER_MAX_READERS 16
#define HAND_OVER_SLOTS 8
#define HAND_OVER_IN_FLIGHT 4     // frames that a reader may have unread

struct hand_over;

// --- the publisher's side

/// Makes all that `readers` readers need; NULL with errno set when it can't.
struct hand_over *hand_over_open(enum hand_over_way way, int readers, uint64_t size);
/// The two descriptors that reader `reader` is to inherit as 3 and 4; the second may be -1.
void hand_over_descriptors(const struct hand_over *h, int reader, int *first, int *second);
/// After a reader was started: the publisher's copies of its ends are closed.
void hand_over_started(struct hand_over *h, int reader);
/// Waits until every reader has said that it is ready. 0, or -errno.
int hand_over_wait_ready(struct hand_over *h);
/// Where the next frame is made: `size` bytes.
void *hand_over_frame(struct hand_over *h);
/// Waits while a reader has too many unread. To be called before the frame is stamped: waiting for readers is no part of
/// handing over. Through a pipe or socket there is room when writing says so. 0, or -errno: -EPIPE when a reader is gone.
int hand_over_wait_room(struct hand_over *h);
/// Hands the frame over. 0, or -errno.
int hand_over_publish(struct hand_over *h);
/// Waits until every reader has read every frame: its descriptors are then no longer needed. 0, or -errno.
int hand_over_drain(struct hand_over *h);
/// Ends the readers and gives everything back.
void hand_over_close(struct hand_over *h);

// --- the reader's side, in a process that inherited descriptors 3 and 4

struct hand_over_reader;
/// Makes this process a reader, which is killed when the publisher dies. NULL with errno set when it can't.
struct hand_over_reader *hand_over_attach(enum hand_over_way way, int reader, int publisher_pid, uint64_t size);
/// The next frame, valid until the next call; NULL at the end. `errno` is 0 when that was in order.
const void *hand_over_next(struct hand_over_reader *r);
void hand_over_detach(struct hand_over_reader *r);
