#pragma once
#include "interruptions.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/magic.h>
#include <linux/memfd.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

/// CLOCK_MONOTONIC in ns (clock_gettime(2)). In C, so that no address is taken in the Swift function that it becomes a part of:
/// that would cost each frame a stack guard.
static inline __attribute__((always_inline)) int64_t fs_monotonic_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000 + now.tv_nsec;
}

// --- memfd and seals: memfd_create(2), fcntl(2) -------------------------------------------------------------------

static const int32_t FS_SEAL_SEAL = 0x0001;
static const int32_t FS_SEAL_SHRINK = 0x0002;
static const int32_t FS_SEAL_GROW = 0x0004;
static const int32_t FS_SEAL_WRITE = 0x0008;
static const int32_t FS_SEAL_FUTURE_WRITE = 0x0010;

/// memfd_create(2), close-on-exec, sealable, never executable where the kernel knows of that (Linux 6.3; with
/// vm.memfd_noexec=2 it gives no other). Returns the descriptor or -errno.
static inline int fs_memfd_create(const char *name) {
    const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    int fd = (int)syscall(SYS_memfd_create, name, flags | 0x0008U /* MFD_NOEXEC_SEAL */);
    if (fd < 0 && errno == EINVAL) fd = (int)syscall(SYS_memfd_create, name, flags);
    return fd < 0 ? -errno : fd;
}

/// fcntl(F_ADD_SEALS). Returns 0 or -errno.
static inline int fs_add_seals(int fd, int seals) { return fcntl(fd, 1024 + 9, seals) < 0 ? -errno : 0; }

/// fcntl(F_GET_SEALS). Returns the seals or -errno (EINVAL: no memfd).
static inline int fs_get_seals(int fd) {
    int seals = fcntl(fd, 1024 + 10);
    return seals < 0 ? -errno : seals;
}

/// fallocate(2) of `size` bytes from `offset` on. Returns 0 or -errno.
static inline int fs_allocate(int fd, int64_t offset, int64_t size) {
    int result;
    do result = (int)syscall(SYS_fallocate, fd, 0, offset, size); while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : 0;
}

/// madvise(2). Returns 0 or -errno. MADV_POPULATE_* need Linux 5.14.
static inline int fs_advise(void *address, size_t size, int advice) {
    return madvise(address, size, advice) < 0 ? -errno : 0;
}
static const int32_t FS_MADV_HUGEPAGE = 14;
static const int32_t FS_MADV_POPULATE_READ = 22;
static const int32_t FS_MADV_POPULATE_WRITE = 23;

/// Reads, and if asked writes back, a byte of every page, so that each is present. The writing back is atomic: nothing
/// that others write meanwhile is lost.
static inline void fs_touch_pages(void *address, size_t size, size_t page, int writes) {
    for (size_t i = 0; i < size; i += page) {
        volatile uint8_t *byte = (volatile uint8_t *)address + i;
        uint8_t value = *byte;
        // Not an "or" with 0: compilers may make that a mere read.
        if (writes) (void)__atomic_compare_exchange_n(byte, &value, value, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    }
}

/// The file system's magic number of fstatfs(2), or -errno. DMA_BUF_MAGIC tells a dma-buf.
static inline int64_t fs_file_system_magic(int fd) {
    struct statfs s;
    return fstatfs(fd, &s) < 0 ? -errno : (int64_t)(uint32_t)s.f_type;
}
static const int64_t FS_DMA_BUF_MAGIC = 0x444d4142;
static const int64_t FS_HUGETLBFS_MAGIC = 0x958458f6;

// --- pipes: pipe(2) -----------------------------------------------------------------------------------------------

/// pipe(2), both ends close-on-exec in one step. Returns 0 or -errno.
static inline int fs_pipe(int *read_end, int *write_end) {
    int ends[2];
    if (syscall(SYS_pipe2, ends, O_CLOEXEC) != 0) return -errno;
    *read_end = ends[0];
    *write_end = ends[1];
    return 0;
}

// --- waiting: eventfd(2), epoll(7), timerfd(2) --------------------------------------------------------------------

/// eventfd(2), close-on-exec and non-blocking. Returns the descriptor or -errno.
static inline int fs_eventfd(unsigned initial) {
    int fd = eventfd(initial, EFD_CLOEXEC | EFD_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

static inline int fs_epoll_create(void) {
    int fd = epoll_create1(EPOLL_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static inline int fs_epoll_add(int epoll, int fd, uint32_t events, uint64_t data) {
    struct epoll_event event = { .events = events, .data.u64 = data };
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static inline int fs_epoll_remove(int epoll, int fd) {
    return epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL) < 0 ? -errno : 0;
}

/// epoll_wait(2): writes the `data` of at most 64 ready descriptors. Returns how many, or -errno.
static inline int fs_epoll_wait(int epoll, uint64_t *data, int capacity, int milliseconds) {
    struct epoll_event events[64];
    int count = epoll_wait(epoll, events, capacity < 64 ? capacity : 64, milliseconds);
    if (count < 0) return -errno;
    for (int i = 0; i < count; i++) data[i] = events[i].data.u64;
    return count;
}

/// timerfd_create(2) of the monotonic clock, close-on-exec and non-blocking. Returns the descriptor or -errno.
static inline int fs_timer_create(void) {
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

/// timerfd_settime(2): readable once, after `nanoseconds` (more than 0). Returns 0 or -errno.
static inline int fs_timer_set(int timer, int64_t nanoseconds) {
    struct itimerspec time = { .it_value = { nanoseconds / 1000000000, nanoseconds % 1000000000 } };
    return timerfd_settime(timer, 0, &time, NULL) < 0 ? -errno : 0;
}

// --- folders: inotify(7) ------------------------------------------------------------------------------------------

/// inotify_init1(2), close-on-exec and non-blocking. Returns the descriptor or -errno.
static inline int fs_inotify_create(void) {
    int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

/// What comes, goes and changes in a folder, and what becomes of the folder itself.
static const uint32_t FS_FOLDER_EVENTS = IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB | IN_CLOSE_WRITE
    | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
/// What comes in a folder.
static const uint32_t FS_FOLDER_ARRIVALS = IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
/// The events that say of a name that something new has it.
static const uint32_t FS_INOTIFY_ARRIVED = IN_CREATE | IN_MOVED_TO;
static const uint32_t FS_INOTIFY_CLOSED = IN_CLOSE_WRITE;
/// The watch has ended, or the folder has another name now, or events were lost.
static const uint32_t FS_INOTIFY_LOST = IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_Q_OVERFLOW;

/// inotify_add_watch(2). Returns the watch's number or -errno.
static inline int fs_inotify_add(int inotify, const char *path, uint32_t events) {
    int watch = inotify_add_watch(inotify, path, events);
    return watch < 0 ? -errno : watch;
}

static inline void fs_inotify_remove(int inotify, int watch) { (void)inotify_rm_watch(inotify, watch); }

// --- waiting for words of memory: futex(2) --------------------------------------------------------------------------

/// FUTEX_WAIT, shared between processes: sleeps while *word == expected, at most `nanoseconds` (negative: no limit).
/// Returns 0 when woken, -EAGAIN when the word had changed, -ETIMEDOUT, -EINTR, or another -errno.
static inline int fs_futex_wait(const uint32_t *word, uint32_t expected, int64_t nanoseconds) {
    struct timespec limit = { nanoseconds / 1000000000, nanoseconds % 1000000000 };
    long result = syscall(SYS_futex, word, FUTEX_WAIT, expected, nanoseconds < 0 ? NULL : &limit, NULL, 0);
    if (result < 0 && errno == EINTR) fs_note_signal();
    return result < 0 ? -errno : 0;
}

/// FUTEX_WAKE, shared between processes. Works on memory that the caller may only read. Returns how many woke, or
/// -errno.
static inline int fs_futex_wake(const uint32_t *word, int count) {
    long result = syscall(SYS_futex, word, FUTEX_WAKE, count, NULL, NULL, 0);
    return result < 0 ? -errno : (int)result;
}

/// futex_waitv(2) (Linux 5.16): sleeps while every words[i] == expected[i], at most `nanoseconds` (negative: no
/// limit). `count` is 1 to 128. Returns 0 when one was woken, -EAGAIN when one had changed, -ETIMEDOUT,
/// -EINTR, -ENOSYS on older kernels.
static inline int fs_futex_wait_any(
    const uint32_t *const *words, const uint32_t *expected, uint32_t count, int64_t nanoseconds) {
    struct { uint64_t value, address; uint32_t flags, reserved; } waiters[128];
    if (count > 128) count = 128;
    for (uint32_t i = 0; i < count; i++) {
        waiters[i].value = expected[i];
        waiters[i].address = (uint64_t)(uintptr_t)words[i];
        waiters[i].flags = 2;                 // FUTEX2_SIZE_U32, shared
        waiters[i].reserved = 0;
    }
    struct timespec limit;
    clock_gettime(CLOCK_MONOTONIC, &limit);
    limit.tv_sec += nanoseconds / 1000000000;
    limit.tv_nsec += nanoseconds % 1000000000;
    if (limit.tv_nsec >= 1000000000) limit.tv_sec++, limit.tv_nsec -= 1000000000;
    long result = syscall(449, waiters, count, 0, nanoseconds < 0 ? NULL : &limit, CLOCK_MONOTONIC);
    if (result < 0 && errno == EINTR) fs_note_signal();
    return result < 0 ? -errno : 0;
}

// --- files and sockets: renameat2(2), poll(2) -----------------------------------------------------------------------

/// renameat2(2) with RENAME_NOREPLACE: what has the new name stays. Returns 0 or -errno; EINVAL where the file system
/// can't do it.
static inline int fs_rename_new(const char *from, const char *to) {
    return syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 1U) < 0 ? -errno : 0;
}

/// POLLRDHUP: the peer has ended its side.
static const int16_t FS_POLL_HUNG_UP = 0x2000;
