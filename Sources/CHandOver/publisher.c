#include "hand_over.h"

#include <fcntl.h>

struct hand_over {
    enum hand_over_way way;
    int readers;
    uint64_t size;
    uint32_t published;
    int fd[HAND_OVER_MAX_READERS];                 // pipe or socket to each reader
    int theirs[HAND_OVER_MAX_READERS];
    uint32_t acknowledged[HAND_OVER_MAX_READERS];
    int memory[HAND_OVER_SLOTS];                   // a slot each, or the ring in the first
    char *map[HAND_OVER_SLOTS];
    struct hand_over_ring *ring;
    uint64_t ring_bytes;
};

static int make_memory(uint64_t size, void **map) {
    int fd = memfd_create("hand-over", MFD_CLOEXEC);
    if (fd < 0) return -1;
    if (ftruncate(fd, (off_t)size) != 0) {
        close(fd);
        return -1;
    }
    *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (*map == MAP_FAILED) {
        close(fd);
        return -1;
    }
    return fd;
}

static int make_ends(struct hand_over *h, int reader) {
    int pair[2];
    if (h->way == HAND_OVER_PIPE) {
        if (pipe2(pair, O_CLOEXEC) != 0) return -1;
        // As large as an ordinary user may have it.
        (void)fcntl(pair[1], F_SETPIPE_SZ, 1 << 20);
        h->theirs[reader] = pair[0];
        h->fd[reader] = pair[1];
        return 0;
    }
    int type = h->way == HAND_OVER_SOCKET ? SOCK_STREAM : SOCK_SEQPACKET;
    if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair) != 0) return -1;
    h->fd[reader] = pair[0];
    h->theirs[reader] = pair[1];
    return 0;
}

struct hand_over *hand_over_open(enum hand_over_way way, int readers, uint64_t size) {
    if (readers < 1 || readers > HAND_OVER_MAX_READERS || size < 16) {
        errno = EINVAL;
        return NULL;
    }
    struct hand_over *h = calloc(1, sizeof *h);
    if (h == NULL) return NULL;
    h->way = way;
    h->readers = readers;
    h->size = size;
    for (int i = 0; i < HAND_OVER_MAX_READERS; i++) h->fd[i] = h->theirs[i] = -1;
    for (int i = 0; i < HAND_OVER_SLOTS; i++) h->memory[i] = -1;
    // The frame is made in memory of the publisher's own; a copied ring has room for those under way as well.
    int slots = way == HAND_OVER_PIDFD || way == HAND_OVER_DESCRIPTOR ? HAND_OVER_SLOTS : 1;
    for (int i = 0; i < slots; i++) {
        void *map = NULL;
        h->memory[i] = make_memory(size, &map);
        if (h->memory[i] < 0) goto failed;
        h->map[i] = map;
    }
    if (way == HAND_OVER_SHARED_COPY) {
        void *map = NULL;
        h->ring_bytes = HAND_OVER_RING_BYTES + HAND_OVER_SLOTS * size;
        h->memory[1] = make_memory(h->ring_bytes, &map);
        if (h->memory[1] < 0) goto failed;
        h->ring = map;
    }
    for (int i = 0; i < readers; i++) {
        if (make_ends(h, i) != 0) goto failed;
    }
    return h;
failed:;
    int error = errno;
    hand_over_close(h);
    errno = error;
    return NULL;
}

void hand_over_descriptors(const struct hand_over *h, int reader, int *first, int *second) {
    *first = h->theirs[reader];
    *second = h->way == HAND_OVER_SHARED_COPY ? h->memory[1] : -1;
}

void hand_over_started(struct hand_over *h, int reader) {
    close(h->theirs[reader]);
    h->theirs[reader] = -1;
}

/// Takes one byte: a reader is ready, or has read one more.
static int take_acknowledgement(struct hand_over *h, int reader) {
    char byte;
    ssize_t n;
    while ((n = recv(h->fd[reader], &byte, 1, 0)) < 0 && errno == EINTR) {}
    return n == 1 ? 0 : n == 0 ? -EPIPE : -errno;
}

int hand_over_wait_ready(struct hand_over *h) {
    // A pipe has no way back: what is written before its reader is ready waits in it.
    if (h->way == HAND_OVER_PIPE) return 0;
    for (int i = 0; i < h->readers; i++) {
        int error = take_acknowledgement(h, i);
        if (error != 0) return error;
    }
    return 0;
}

void *hand_over_frame(struct hand_over *h) {
    return h->map[h->way == HAND_OVER_PIDFD || h->way == HAND_OVER_DESCRIPTOR ? h->published % HAND_OVER_SLOTS : 0];
}

static int everyone_has_room(struct hand_over *h) {
    uint32_t published = atomic_load_explicit(&h->ring->published, memory_order_relaxed);
    for (int i = 0; i < h->readers; i++) {
        uint32_t read = atomic_load_explicit(&h->ring->read[i].frames, memory_order_acquire);
        if (published - read >= HAND_OVER_IN_FLIGHT) return 0;
    }
    return 1;
}

/// A reader that died never reads on: its end of the socket is closed.
static int someone_is_gone(struct hand_over *h) {
    for (int i = 0; i < h->readers; i++) {
        struct pollfd end = { .fd = h->fd[i], .events = 0 };
        if (poll(&end, 1, 0) > 0 && (end.revents & (POLLHUP | POLLERR)) != 0) return 1;
    }
    return 0;
}

static int wait_room_in_ring(struct hand_over *h) {
    struct hand_over_ring *ring = h->ring;
    while (!everyone_has_room(h)) {
        uint32_t seen = atomic_load(&ring->given_back);
        atomic_store(&ring->publisher_asleep, 1);
        // The announcement is seen before the look: else a reader that makes room meanwhile may see nobody asleep. A
        // sequentially consistent store alone does not order a later acquire load (on arm64, STLR and LDAPR).
        atomic_thread_fence(memory_order_seq_cst);
        if (!everyone_has_room(h)) hand_over_futex_wait_a_while(&ring->given_back, seen);
        atomic_store(&ring->publisher_asleep, 0);
        if (!everyone_has_room(h) && someone_is_gone(h)) return -EPIPE;
    }
    return 0;
}

/// Takes acknowledgements until no reader has more than `unread` frames unread.
static int wait_acknowledged(struct hand_over *h, uint32_t unread) {
    for (int i = 0; i < h->readers; i++) {
        while (h->published - h->acknowledged[i] > unread) {
            int error = take_acknowledgement(h, i);
            if (error != 0) return error;
            h->acknowledged[i]++;
        }
    }
    return 0;
}

static int maps_each_frame(const struct hand_over *h) {
    return h->way == HAND_OVER_PIDFD || h->way == HAND_OVER_DESCRIPTOR;
}

int hand_over_wait_room(struct hand_over *h) {
    if (h->way == HAND_OVER_SHARED_COPY) return wait_room_in_ring(h);
    return maps_each_frame(h) ? wait_acknowledged(h, HAND_OVER_IN_FLIGHT - 1) : 0;
}

int hand_over_drain(struct hand_over *h) { return maps_each_frame(h) ? wait_acknowledged(h, 0) : 0; }

static int publish_copy(struct hand_over *h) {
    struct hand_over_ring *ring = h->ring;
    uint32_t number = atomic_load_explicit(&ring->published, memory_order_relaxed);
    memcpy((char *)ring + HAND_OVER_RING_BYTES + number % HAND_OVER_SLOTS * h->size, h->map[0], h->size);
    atomic_store(&ring->published, number + 1);
    (void)hand_over_futex(&ring->published, FUTEX_WAKE, INT32_MAX);
    return 0;
}

/// A message that says which descriptor of ours is meant, or carries it.
static int send_descriptor(int fd, int memory, int carried) {
    union { struct cmsghdr align; char bytes[CMSG_SPACE(sizeof(int))]; } control;
    struct iovec part = { &memory, sizeof memory };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
    if (carried) {
        memset(&control, 0, sizeof control);
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &memory, sizeof memory);
    }
    ssize_t n;
    while ((n = sendmsg(fd, &message, MSG_NOSIGNAL)) < 0 && errno == EINTR) {}
    return n < 0 ? -errno : 0;
}

int hand_over_publish(struct hand_over *h) {
    int error = 0;
    if (h->way == HAND_OVER_SHARED_COPY) return publish_copy(h);
    for (int i = 0; i < h->readers && error == 0; i++) {
        if (h->way == HAND_OVER_PIPE || h->way == HAND_OVER_SOCKET) {
            error = hand_over_write_all(h->fd[i], h->map[0], h->size);
            continue;
        }
        int memory = h->memory[h->published % HAND_OVER_SLOTS];
        error = send_descriptor(h->fd[i], memory, h->way == HAND_OVER_DESCRIPTOR);
    }
    h->published++;
    return error;
}

void hand_over_close(struct hand_over *h) {
    if (h->ring != NULL) {
        atomic_store(&h->ring->ended, 1);
        atomic_fetch_add(&h->ring->published, 1);
        (void)hand_over_futex(&h->ring->published, FUTEX_WAKE, INT32_MAX);
        munmap(h->ring, h->ring_bytes);
    }
    for (int i = 0; i < HAND_OVER_MAX_READERS; i++) {
        if (h->fd[i] >= 0) close(h->fd[i]);
        if (h->theirs[i] >= 0) close(h->theirs[i]);
    }
    for (int i = 0; i < HAND_OVER_SLOTS; i++) {
        if (h->map[i] != NULL) munmap(h->map[i], h->size);
        if (h->memory[i] >= 0) close(h->memory[i]);
    }
    free(h);
}
