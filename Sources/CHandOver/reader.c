#include "hand_over.h"

enum { CHANNEL = 3, MEMORY = 4 };

struct hand_over_reader {
    enum hand_over_way way;
    int reader;
    int publisher;                                 // pidfd
    uint64_t size;
    char *frame;                                   // a copy of our own, or the frame mapped now
    struct hand_over_ring *ring;
    uint32_t next;
    int has_frame;
};

struct hand_over_reader *hand_over_attach(enum hand_over_way way, int reader, int publisher_pid, uint64_t size) {
    if (reader < 0 || reader >= HAND_OVER_MAX_READERS || size < 16) {
        errno = EINVAL;
        return NULL;
    }
    // A ring of shared memory tells nobody that the publisher was killed.
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return NULL;
    if (getppid() != publisher_pid) {
        errno = ESRCH;
        return NULL;
    }
    struct hand_over_reader *r = calloc(1, sizeof *r);
    if (r == NULL) return NULL;
    *r = (struct hand_over_reader){ .way = way, .reader = reader, .size = size, .publisher = -1 };
    char ready = 1;
    if (way == HAND_OVER_PIPE || way == HAND_OVER_SOCKET) {
        r->frame = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
        if (r->frame == MAP_FAILED) goto failed;
    } else if (way == HAND_OVER_SHARED_COPY) {
        uint64_t bytes = HAND_OVER_RING_BYTES + HAND_OVER_SLOTS * size;
        r->ring = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, MEMORY, 0);
        if (r->ring == MAP_FAILED) goto failed;
    } else if (way == HAND_OVER_PIDFD) {
        r->publisher = (int)syscall(SYS_pidfd_open, publisher_pid, 0);
        if (r->publisher < 0) goto failed;
    }
    if (way != HAND_OVER_PIPE && send(CHANNEL, &ready, 1, MSG_NOSIGNAL) != 1) goto failed;
    return r;
failed:
    free(r);
    return NULL;
}

static const void *next_in_ring(struct hand_over_reader *r) {
    struct hand_over_ring *ring = r->ring;
    if (r->has_frame) {
        r->next++;
        atomic_store(&ring->read[r->reader].frames, r->next);
        if (atomic_load(&ring->publisher_asleep)) {
            atomic_fetch_add(&ring->given_back, 1);
            (void)hand_over_futex(&ring->given_back, FUTEX_WAKE, INT32_MAX);
        }
    }
    while (atomic_load(&ring->published) == r->next) (void)hand_over_futex(&ring->published, FUTEX_WAIT, r->next);
    r->has_frame = 1;
    errno = 0;
    // The end counts as one more: what came before it is still to be read.
    if (atomic_load(&ring->ended) && atomic_load(&ring->published) - 1 == r->next) return NULL;
    return (const char *)ring + HAND_OVER_RING_BYTES + r->next % HAND_OVER_SLOTS * r->size;
}

static int receive_descriptor(struct hand_over_reader *r) {
    union { struct cmsghdr align; char bytes[CMSG_SPACE(sizeof(int))]; } control;
    int theirs = -1;
    struct iovec part = { &theirs, sizeof theirs };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes,
                              .msg_controllen = sizeof control.bytes };
    ssize_t n;
    while ((n = recvmsg(CHANNEL, &message, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR) {}
    if (n <= 0) {
        // Closed with our last bytes unread counts as a reset: the end, all the same.
        if (n == 0 || errno == ECONNRESET) errno = 0;
        return -1;
    }
    if (r->way == HAND_OVER_PIDFD) return (int)syscall(SYS_pidfd_getfd, r->publisher, theirs, 0);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    int ours = -1;
    if (header != NULL && header->cmsg_type == SCM_RIGHTS) memcpy(&ours, CMSG_DATA(header), sizeof ours);
    if (ours < 0) errno = EBADMSG;
    return ours;
}

static const void *next_mapped(struct hand_over_reader *r) {
    char byte = 1;
    if (r->has_frame) {
        munmap(r->frame, r->size);
        r->has_frame = 0;
        if (send(CHANNEL, &byte, 1, MSG_NOSIGNAL) != 1) {
            if (errno == EPIPE || errno == ECONNRESET) errno = 0;   // what is queued still is the publisher's last
        }
    }
    int fd = receive_descriptor(r);
    if (fd < 0) return NULL;
    r->frame = mmap(NULL, r->size, PROT_READ, MAP_SHARED, fd, 0);
    int error = errno;
    close(fd);
    if (r->frame == MAP_FAILED) {
        errno = error;
        return NULL;
    }
    r->has_frame = 1;
    return r->frame;
}

const void *hand_over_next(struct hand_over_reader *r) {
    switch (r->way) {
    case HAND_OVER_SHARED_COPY: return next_in_ring(r);
    case HAND_OVER_PIDFD:
    case HAND_OVER_DESCRIPTOR: return next_mapped(r);
    default: break;
    }
    int result = hand_over_read_all(CHANNEL, r->frame, r->size);
    errno = result < 0 ? -result : 0;
    return result == 0 ? r->frame : NULL;
}

void hand_over_detach(struct hand_over_reader *r) {
    if (r->publisher >= 0) close(r->publisher);
    free(r);
}
