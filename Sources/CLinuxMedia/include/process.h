#pragma once
#include <errno.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static const uint32_t FS_EPOLLIN = EPOLLIN;
/// A hang-up and nothing else, told once. The kernel tells it whether it is asked for or not.
static const uint32_t FS_EPOLL_HANG_UP_ONCE = EPOLLRDHUP | EPOLLONESHOT;

/// accept4(2), close-on-exec and non-blocking. Returns the descriptor or -errno.
static inline int fs_accept(int listening) {
    int fd = (int)syscall(SYS_accept4, listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

/// socket(2) of AF_UNIX and SOCK_SEQPACKET, close-on-exec and non-blocking. Returns the descriptor or -errno.
static inline int fs_seqpacket_socket(void) {
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return fd < 0 ? -errno : fd;
}

/// prctl(PR_SET_NAME): names the calling thread; at most 15 bytes are kept.
static inline void fs_name_thread(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }

/// The program's name without its folder.
extern char *program_invocation_short_name;
static inline const char *fs_program_name(void) { return program_invocation_short_name; }

/// shutdown(2) of both directions: the peer sees a hang-up whoever else holds the descriptor.
static inline void fs_hang_up(int fd) { (void)shutdown(fd, SHUT_RDWR); }
