/* The C library's calls, for descriptors and paths that are channels; all others go on as they are. */
/* Else open is another name for open64, and the program's open goes past this one. */
#undef _FILE_OFFSET_BITS
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "device.h"
#include "devices.h"
#include "real.h"

#define EXPORT __attribute__((visibility("default")))

/* The next one of a name, found once. */
#define NEXT(name) ((__typeof__(&name))next(&name##_at, #name))
#define KEEP(name) static void *name##_at;

static void *
next(void **at, const char *name)
{
    void *found = __atomic_load_n(at, __ATOMIC_RELAXED);
    if (!found) {
        found = dlsym(RTLD_NEXT, name);
        __atomic_store_n(at, found, __ATOMIC_RELAXED);
    }
    return found;
}

KEEP(open) KEEP(openat) KEEP(close) KEEP(ioctl) KEEP(mmap) KEEP(munmap) KEEP(read) KEEP(dup) KEEP(dup2) KEEP(dup3)
KEEP(fcntl) KEEP(poll) KEEP(ppoll) KEEP(select) KEEP(pselect) KEEP(stat) KEEP(lstat) KEEP(fstat) KEEP(fstatat) KEEP(statx)
KEEP(access) KEEP(faccessat) KEEP(fopen) KEEP(syscall) KEEP(closefrom)

int real_open(const char *path, int flags, mode_t mode) { return NEXT(open)(path, flags, mode); }
int real_close(int fd) { return NEXT(close)(fd); }
int real_ioctl(int fd, unsigned long request, void *argument) { return NEXT(ioctl)(fd, request, argument); }
int real_munmap(void *address, size_t length) { return NEXT(munmap)(address, length); }
void *
real_mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
    return NEXT(mmap)(address, length, protection, flags, fd, offset);
}

/* ------------------------------------------------------------------------------------------------ opening, closing */

static int
open_channel(const char *channel, const char *path, int flags)
{
    int fd = -1;
    device *device = device_open(channel, path, flags, &fd);
    if (!device) return -1;
    devices_put(fd, device);
    return fd;
}

EXPORT int
open(const char *path, int flags, ...)
{
    mode_t mode = 0;
    const char *channel = devices_channel(path);
    if (channel) return open_channel(channel, path, flags);
    if (flags & (O_CREAT | O_TMPFILE)) {
        va_list arguments;
        va_start(arguments, flags);
        mode = va_arg(arguments, mode_t);
        va_end(arguments);
    }
    return real_open(path, flags, mode);
}

EXPORT int
openat(int folder, const char *path, int flags, ...)
{
    mode_t mode = 0;
    const char *channel = devices_channel(path);
    if (channel) return open_channel(channel, path, flags);
    if (flags & (O_CREAT | O_TMPFILE)) {
        va_list arguments;
        va_start(arguments, flags);
        mode = va_arg(arguments, mode_t);
        va_end(arguments);
    }
    return NEXT(openat)(folder, path, flags, mode);
}

/* What the compiler calls where it checks the arguments itself, and the names of 64-bit offsets, which are the same. */
EXPORT int __open_2(const char *path, int flags) { return open(path, flags); }
EXPORT int __open64_2(const char *path, int flags) { return open(path, flags); }
EXPORT int __openat_2(int folder, const char *path, int flags) { return openat(folder, path, flags); }
EXPORT int __openat64_2(int folder, const char *path, int flags) { return openat(folder, path, flags); }
EXPORT __attribute__((alias("open"))) int open64(const char *path, int flags, ...);
EXPORT __attribute__((alias("openat"))) int openat64(int folder, const char *path, int flags, ...);

EXPORT int
close(int fd)
{
    devices_drop(fd);
    return real_close(fd);
}

EXPORT int
close_range(unsigned first, unsigned last, int flags)
{
    if (!(flags & CLOSE_RANGE_CLOEXEC)) devices_drop_range(first, last);
    return (int)NEXT(syscall)(SYS_close_range, first, last, flags);
}

EXPORT void
closefrom(int first)
{
    devices_drop_range(first < 0 ? 0 : (unsigned)first, ~0u);
    NEXT(closefrom)(first);
}

static int
duplicated(int from, int to)
{
    if (to < 0) return to;
    device *device = devices_get(from);
    if (device) devices_put(to, device);
    else devices_drop(to);
    return to;
}

EXPORT int dup(int fd) { return duplicated(fd, NEXT(dup)(fd)); }
EXPORT int
dup2(int fd, int to)
{
    int result = NEXT(dup2)(fd, to);
    return fd == to ? result : duplicated(fd, result);
}
EXPORT int dup3(int fd, int to, int flags) { return duplicated(fd, NEXT(dup3)(fd, to, flags)); }

EXPORT int
fcntl(int fd, int command, ...)
{
    va_list arguments;
    va_start(arguments, command);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    if (command == F_DUPFD || command == F_DUPFD_CLOEXEC) return duplicated(fd, NEXT(fcntl)(fd, command, argument));
    if (command != F_GETFL && command != F_SETFL) return NEXT(fcntl)(fd, command, argument);
    device *device = devices_get(fd);
    if (!device) return NEXT(fcntl)(fd, command, argument);
    int result = 0;
    if (command == F_GETFL) result = device_flags(device);
    else device_set_flags(device, (device_flags(device) & ~O_NONBLOCK) | ((int)(intptr_t)argument & O_NONBLOCK));
    device_unref(device);
    return result;
}
EXPORT __attribute__((alias("fcntl"))) int fcntl64(int fd, int command, ...);

/* ------------------------------------------------------------------------------------------------ using */

EXPORT int
ioctl(int fd, unsigned long request, ...)
{
    va_list arguments;
    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    device *device = devices_get(fd);
    if (!device) return real_ioctl(fd, request, argument);
    int result;
    if (request == FIONBIO && argument) {
        device_set_flags(device, (device_flags(device) & ~O_NONBLOCK) | (*(int *)argument ? O_NONBLOCK : 0));
        result = 0;
    } else {
        /* Programs pass the number as an int, too. */
        result = device_ioctl(device, request & 0xffffffff, argument);
    }
    int reason = errno;
    device_unref(device);
    errno = reason;
    return result;
}

EXPORT ssize_t
read(int fd, void *data, size_t size)
{
    device *device = devices_get(fd);
    if (!device) return NEXT(read)(fd, data, size);
    ssize_t result = device_read(device, data, size);
    int reason = errno;
    device_unref(device);
    errno = reason;
    return result;
}
EXPORT ssize_t __read_chk(int fd, void *data, size_t size, size_t room) { return read(fd, data, size < room ? size : room); }

EXPORT void *
mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
    device *device = flags & MAP_ANONYMOUS ? NULL : devices_get(fd);
    if (!device) return real_mmap(address, length, protection, flags, fd, offset);
    void *result = device_mmap(device, address, length, protection, flags, offset);
    int reason = errno;
    device_unref(device);
    errno = reason;
    return result;
}
EXPORT __attribute__((alias("mmap"))) void *mmap64(void *address, size_t length, int protection, int flags, int fd,
                                                   off_t offset);

EXPORT int
munmap(void *address, size_t length)
{
    devices_forget(address, length);
    return real_munmap(address, length);
}

/* ------------------------------------------------------------------------------------------------ waiting */

/* Descriptors that are in error now: their number, their revents set. */
static int
before_poll(struct pollfd *list, nfds_t count)
{
    int broken = 0;
    for (nfds_t i = 0; i < count; i++) {
        device *device = devices_get(list[i].fd);
        if (!device) continue;
        if (!device_before_poll(device)) {
            list[i].revents = POLLERR;
            broken++;
        }
        device_unref(device);
    }
    return broken;
}

/* Adds the errors to what the kernel said: how many entries have anything to tell. */
static int
with_errors(struct pollfd *list, nfds_t count)
{
    int told = 0;
    before_poll(list, count);
    for (nfds_t i = 0; i < count; i++) told += list[i].revents != 0;
    return told;
}

EXPORT int
poll(struct pollfd *list, nfds_t count, int timeout)
{
    if (before_poll(list, count) == 0) return NEXT(poll)(list, count, timeout);
    int result = NEXT(poll)(list, count, 0);
    return result < 0 ? result : with_errors(list, count);
}
EXPORT int
__poll_chk(struct pollfd *list, nfds_t count, int timeout, size_t room)
{
    if (count > room / sizeof *list) return errno = EINVAL, -1;
    return poll(list, count, timeout);
}

EXPORT int
ppoll(struct pollfd *list, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
    static const struct timespec now = {0, 0};
    if (before_poll(list, count) == 0) return NEXT(ppoll)(list, count, timeout, mask);
    int result = NEXT(ppoll)(list, count, &now, mask);
    return result < 0 ? result : with_errors(list, count);
}

/* As the kernel has it: a device in error is readable, so that the program's next call says why. */
static int
before_select(int count, fd_set *readable, fd_set *broken)
{
    int found = 0;
    if (!readable) return 0;
    for (int fd = 0; fd < count && fd < FD_SETSIZE; fd++) {
        device *device = FD_ISSET(fd, readable) ? devices_get(fd) : NULL;
        if (!device) continue;
        if (!device_before_poll(device)) {
            FD_SET(fd, broken);
            found++;
        }
        device_unref(device);
    }
    return found;
}

/* Marks those in error as readable: how many were not so before. */
static int
add_broken(int count, const fd_set *broken, fd_set *readable)
{
    int added = 0;
    for (int fd = 0; fd < count && fd < FD_SETSIZE; fd++) {
        if (!FD_ISSET(fd, broken) || FD_ISSET(fd, readable)) continue;
        FD_SET(fd, readable);
        added++;
    }
    return added;
}

EXPORT int
select(int count, fd_set *readable, fd_set *writable, fd_set *special, struct timeval *timeout)
{
    fd_set broken;
    FD_ZERO(&broken);
    int found = before_select(count, readable, &broken);
    if (found == 0) return NEXT(select)(count, readable, writable, special, timeout);
    struct timeval now = {0, 0};
    int result = NEXT(select)(count, readable, writable, special, &now);
    return result < 0 ? result : result + add_broken(count, &broken, readable);
}

EXPORT int
pselect(int count, fd_set *readable, fd_set *writable, fd_set *special, const struct timespec *timeout,
        const sigset_t *mask)
{
    fd_set broken;
    FD_ZERO(&broken);
    int found = before_select(count, readable, &broken);
    if (found == 0) return NEXT(pselect)(count, readable, writable, special, timeout, mask);
    static const struct timespec now = {0, 0};
    int result = NEXT(pselect)(count, readable, writable, special, &now, mask);
    return result < 0 ? result : result + add_broken(count, &broken, readable);
}

/* ------------------------------------------------------------------------------------------------ looking */

static void
fill(struct stat *out, unsigned minor)
{
    memset(out, 0, sizeof *out);
    out->st_mode = S_IFCHR | 0660;
    out->st_nlink = 1;
    out->st_uid = getuid();
    out->st_gid = getgid();
    /* V4L2's major number. */
    out->st_rdev = makedev(81, minor);
    out->st_blksize = 4096;
}

static int
path_stat(const char *path, struct stat *out)
{
    if (!devices_channel(path)) return -1;
    fill(out, devices_minor(path));
    return 0;
}

EXPORT int stat(const char *path, struct stat *out) { return path_stat(path, out) == 0 ? 0 : NEXT(stat)(path, out); }
EXPORT int lstat(const char *path, struct stat *out) { return path_stat(path, out) == 0 ? 0 : NEXT(lstat)(path, out); }
EXPORT int
fstat(int fd, struct stat *out)
{
    device *device = devices_get(fd);
    if (!device) return NEXT(fstat)(fd, out);
    fill(out, device_minor(device));
    device_unref(device);
    return 0;
}
/* Whether a call is about the descriptor itself, with an empty path. */
static device *
described(int folder, const char *volatile path, int flags)
{
    return flags & AT_EMPTY_PATH && path && !*path ? devices_get(folder) : NULL;
}

EXPORT int
fstatat(int folder, const char *path, struct stat *out, int flags)
{
    if (path_stat(path, out) == 0) return 0;
    device *device = described(folder, path, flags);
    if (device) {
        fill(out, device_minor(device));
        device_unref(device);
        return 0;
    }
    return NEXT(fstatat)(folder, path, out, flags);
}
EXPORT __attribute__((alias("stat"))) int stat64(const char *path, struct stat64 *out);
EXPORT __attribute__((alias("lstat"))) int lstat64(const char *path, struct stat64 *out);
EXPORT __attribute__((alias("fstat"))) int fstat64(int fd, struct stat64 *out);
EXPORT __attribute__((alias("fstatat"))) int fstatat64(int folder, const char *path, struct stat64 *out, int flags);
/* Programs that were built before glibc 2.33. */
EXPORT int __xstat(int version, const char *path, struct stat *out) { return (void)version, stat(path, out); }
EXPORT int __lxstat(int version, const char *path, struct stat *out) { return (void)version, lstat(path, out); }
EXPORT int __fxstat(int version, int fd, struct stat *out) { return (void)version, fstat(fd, out); }
EXPORT int __xstat64(int version, const char *path, struct stat64 *out) { return (void)version, stat64(path, out); }
EXPORT int __lxstat64(int version, const char *path, struct stat64 *out) { return (void)version, lstat64(path, out); }
EXPORT int __fxstat64(int version, int fd, struct stat64 *out) { return (void)version, fstat64(fd, out); }

EXPORT int
statx(int folder, const char *path, int flags, unsigned mask, struct statx *out)
{
    struct stat known;
    device *device = described(folder, path, flags);
    if (!device && path_stat(path, &known) != 0) return NEXT(statx)(folder, path, flags, mask, out);
    if (device) fill(&known, device_minor(device));
    if (device) device_unref(device);
    memset(out, 0, sizeof *out);
    out->stx_mask = STATX_TYPE | STATX_MODE | STATX_NLINK | STATX_UID | STATX_GID;
    out->stx_mode = (uint16_t)known.st_mode;
    out->stx_nlink = 1;
    out->stx_uid = known.st_uid;
    out->stx_gid = known.st_gid;
    out->stx_rdev_major = major(known.st_rdev);
    out->stx_rdev_minor = minor(known.st_rdev);
    return 0;
}

EXPORT int
access(const char *path, int mode)
{
    if (!devices_channel(path)) return NEXT(access)(path, mode);
    if (!(mode & X_OK)) return 0;
    errno = EACCES;
    return -1;
}

EXPORT int
faccessat(int folder, const char *path, int mode, int flags)
{
    return devices_channel(path) ? access(path, mode) : NEXT(faccessat)(folder, path, mode, flags);
}

/* How v4l2-ctl and its kin tell what kind of device a character device is. */
static FILE *
open_event_file(const char *path)
{
    unsigned minor;
    int end = 0;
    if (!path || sscanf(path, "/sys/dev/char/81:%u/uevent%n", &minor, &end) != 1 || path[end] != 0) return NULL;
    const char *device = devices_path(minor);
    if (!device) return NULL;
    int fd = memfd_create("uevent", MFD_CLOEXEC);
    if (fd < 0) return NULL;
    dprintf(fd, "MAJOR=81\nMINOR=%u\nDEVNAME=video%u\n", minor, minor);
    lseek(fd, 0, SEEK_SET);
    return fdopen(fd, "r");
}

EXPORT FILE *
fopen(const char *path, const char *mode)
{
    FILE *file = open_event_file(path);
    return file ? file : NEXT(fopen)(path, mode);
}
EXPORT __attribute__((alias("fopen"))) FILE *fopen64(const char *path, const char *mode);

/* libv4l2 makes its system calls by this one. */
EXPORT long
syscall(long number, ...)
{
    long a[6];
    va_list arguments;
    va_start(arguments, number);
    for (int i = 0; i < 6; i++) a[i] = va_arg(arguments, long);
    va_end(arguments);
    switch (number) {
#ifdef SYS_open
    case SYS_open: return open((const char *)a[0], (int)a[1], (mode_t)a[2]);
#endif
    case SYS_openat: return openat((int)a[0], (const char *)a[1], (int)a[2], (mode_t)a[3]);
    case SYS_close: return close((int)a[0]);
    case SYS_close_range: return close_range((unsigned)a[0], (unsigned)a[1], (int)a[2]);
    case SYS_dup: return dup((int)a[0]);
#ifdef SYS_dup2
    case SYS_dup2: return dup2((int)a[0], (int)a[1]);
#endif
    case SYS_dup3: return dup3((int)a[0], (int)a[1], (int)a[2]);
    case SYS_fcntl: return fcntl((int)a[0], (int)a[1], (void *)a[2]);
    case SYS_ioctl: return ioctl((int)a[0], (unsigned long)a[1], (void *)a[2]);
    case SYS_read: return read((int)a[0], (void *)a[1], (size_t)a[2]);
    case SYS_mmap: return (long)mmap((void *)a[0], (size_t)a[1], (int)a[2], (int)a[3], (int)a[4], (off_t)a[5]);
    case SYS_munmap: return munmap((void *)a[0], (size_t)a[1]);
    default: return NEXT(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    }
}
