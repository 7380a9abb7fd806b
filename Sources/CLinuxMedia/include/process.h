#pragma once
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <sys/auxv.h>
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

/// POSIX_SPAWN_SETSID: the new process begins a session of its own.
static const int FS_SPAWN_SETSID = 0x80;

/// environ(7), which Swift does not let a program name.
extern char **fs_environ __asm__("environ");
static inline char **fs_environment(void) { return fs_environ; }

/// dladdr(3) and its Dl_info, which the headers declare only with _GNU_SOURCE.
struct fs_code_place {
    const char *file;
    void *base;
    const char *symbol;
    void *address;
};
extern int fs_dladdr(const void *address, struct fs_code_place *place) __asm__("dladdr");

/// The file that this code was loaded from, the program or the library; NULL if that is not known.
static inline const char *fs_own_file_name(void) {
    struct fs_code_place place;
    return fs_dladdr((const void *)(uintptr_t)&fs_own_file_name, &place) != 0 ? place.file : NULL;
}

/// Whether the program has more rights than the user who started it, such as by a set-user-ID bit.
static inline int fs_has_more_rights(void) { return getauxval(AT_SECURE) != 0; }

/// close_range(2) from a descriptor on.
static inline void fs_close_from(unsigned first) {
#ifdef SYS_close_range
    if (syscall(SYS_close_range, first, ~0u, 0u) == 0) return;
#endif
    for (int fd = (int)first; fd < 65536; fd++) (void)close(fd);
}

/// pidfd_open(2). Returns the descriptor or -errno.
static inline int fs_pidfd_open(pid_t pid) {
    int fd = (int)syscall(SYS_pidfd_open, pid, 0u);
    return fd < 0 ? -errno : fd;
}

/// pidfd_send_signal(2). Returns 0 or -errno.
static inline int fs_pidfd_signal(int process, int signal) {
    return syscall(SYS_pidfd_send_signal, process, signal, NULL, 0u) == 0 ? 0 : -errno;
}

// Declared by the C library for _GNU_SOURCE alone.
extern int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int first);
/// posix_spawn_file_actions_addclosefrom_np(3), of glibc 2.34: closes this descriptor and all above it.
static inline int fs_spawn_close_from(posix_spawn_file_actions_t *actions, int first) {
    return posix_spawn_file_actions_addclosefrom_np(actions, first);
}
