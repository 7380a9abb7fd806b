#pragma once
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

struct fs_peer { int32_t pid; uint32_t uid, gid; };   // struct ucred of unix(7)
#define FS_MAX_PASSED 253                     // the kernel's SCM_MAX_FD

/// sendmsg(2) of one message, with copies of `count` descriptors for the receiver (SCM_RIGHTS, unix(7)).
/// Returns the bytes sent or -errno.
static inline long fs_send(int fd, const void *bytes, size_t size, const int *descriptors, int count, int flags) {
    union { struct cmsghdr align; char room[CMSG_SPACE(sizeof(int) * FS_MAX_PASSED)]; } control;
    struct iovec part = { (void *)bytes, size };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
    if (count < 0 || count > FS_MAX_PASSED) return -EINVAL;
    if (count > 0) {
        memset(&control, 0, CMSG_SPACE(sizeof(int) * (size_t)count));
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)count);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)count);
        memcpy(CMSG_DATA(header), descriptors, sizeof(int) * (size_t)count);
    }
    ssize_t sent;
    do sent = sendmsg(fd, &message, flags); while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

/// recvmsg(2) of one message. Every descriptor that came with it is in `descriptors` and is the caller's to close, also
/// when the message is too long. `truncated`: bytes or descriptors were lost (the latter when this process has no room
/// for more). Returns the bytes received (0: hang-up) or -errno.
static inline long fs_receive(
    int fd, void *bytes, size_t capacity, int *descriptors, int maximum, int *count, int *truncated, int flags) {
    union { struct cmsghdr align; char room[CMSG_SPACE(sizeof(int) * FS_MAX_PASSED) + CMSG_SPACE(sizeof(struct fs_peer))]; }
        control;
    struct iovec part = { bytes, capacity };
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
    };
    *count = 0;
    *truncated = 0;
    ssize_t received;
    do received = recvmsg(fd, &message, flags | MSG_CMSG_CLOEXEC); while (received < 0 && errno == EINTR);
    if (received < 0) return -errno;
    if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) *truncated = 1;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        size_t n = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int passed;
            memcpy(&passed, CMSG_DATA(header) + i * sizeof(int), sizeof passed);
            if (*count < maximum) descriptors[(*count)++] = passed;
            else { close(passed); *truncated = 1; }
        }
    }
    return received;
}

/// SO_PEERCRED: who connected, as the kernel recorded it then. Returns 0 or -errno.
static inline int fs_peer_credentials(int fd, int32_t *pid, uint32_t *uid, uint32_t *gid) {
    struct fs_peer peer;
    socklen_t size = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) return -errno;
    *pid = peer.pid;
    *uid = peer.uid;
    *gid = peer.gid;
    return 0;
}
