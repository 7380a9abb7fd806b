#define _GNU_SOURCE
#include "fault_injector.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

#include <unistd.h>

int fault_fork(void) { return fork(); }

#ifdef SANITIZED

int fault_functions(void) { return 0; }
const char *fault_function(int index) { (void)index; return ""; }
void fault_begin(int function, int number, int error) { (void)function, (void)number, (void)error; }
int fault_end(void) { return 0; }
int fault_count(int function) { (void)function; return 0; }
void fault_spare(int spared) { (void)spared; }
int fault_sleep_for_ever(void) { return 0; }

#else

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#define FUTEX_WAITV 449

// Functions with their own wrapper below, and system calls made by number.
#define FUNCTIONS(X) \
    X(accept4) X(access) X(bind) X(chmod) X(chown) X(close) X(connect) X(epoll_create1) X(epoll_ctl) X(epoll_wait) \
    X(eventfd) X(fallocate) X(fcntl) X(flock) X(fstat) X(fstatfs) X(ftruncate) X(futex_wait) X(futex_waitv) X(futex_wake) \
    X(getrlimit) X(getsockopt) X(inotify_add_watch) X(inotify_init1) X(ioctl) X(listen) X(lseek) X(lstat) X(madvise) X(memfd_create) X(mkdir) X(mmap) X(nanosleep) \
    X(open) X(opendir) X(poll) X(pthread_create) X(pwrite) X(read) X(readdir) X(realpath) X(recvmsg) X(rename) X(rmdir) X(sendmsg) \
    X(shutdown) X(socket) X(stat) X(timerfd_create) X(timerfd_settime) X(unlink)

#define NUMBER(name) F_##name,
enum { FUNCTIONS(NUMBER) COUNT, NONE };
#define NAME(name) #name,
static const char *const names[] = { FUNCTIONS(NAME) };

static _Atomic int counting, fired, target = NONE, target_number, target_error;
static _Atomic int counts[COUNT];
static _Atomic int for_ever;
static _Thread_local int spared;

int fault_functions(void) { return COUNT; }
const char *fault_function(int index) { return names[index]; }
int fault_count(int function) { return counts[function]; }
void fault_spare(int is) { spared = is; }

int fault_sleep_for_ever(void) {
    for_ever = 1;
    return 1;
}

void fault_begin(int function, int number, int error) {
    for (int i = 0; i < COUNT; i++) counts[i] = 0;
    fired = 0;
    target = number > 0 ? function : NONE;
    target_number = number;
    target_error = error;
    counting = 1;
}

int fault_end(void) {
    counting = 0;
    target = NONE;
    return fired;
}

/// Whether the code at an address belongs to the program or does what it asked for.
static int is_ours(const void *address) {
    extern const char __executable_start, etext;
    if ((const char *)address >= &__executable_start && (const char *)address < &etext) return 1;
    Dl_info info;
    return dladdr(address, &info) && info.dli_fname && strstr(info.dli_fname, "libswiftGlibc");
}

/// The errno to fail with, or 0.
static int fails(int function, const void *caller) {
    if (!counting || spared || !is_ours(caller)) return 0;
    int number = ++counts[function];
    if (target != function || number != target_number) return 0;
    fired = 1;
    return target_error;
}

#define CALLER __builtin_return_address(0)
// The library's own function of this name.
#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
#define FAIL(function, result) \
    do { \
        int error = fails(F_##function, CALLER); \
        if (error) { errno = error; return result; } \
    } while (0)
// A function that returns -1, or another value, and sets errno.
#define WRAP_AS(type, failure, name, parameters, arguments) \
    type name parameters { REAL(name); FAIL(name, failure); return real arguments; }
#define WRAP(name, parameters, arguments) WRAP_AS(int, -1, name, parameters, arguments)

WRAP(access, (const char *path, int mode), (path, mode))
WRAP(bind, (int fd, const struct sockaddr *address, socklen_t size), (fd, address, size))
WRAP(chmod, (const char *path, mode_t mode), (path, mode))
WRAP(chown, (const char *path, uid_t user, gid_t group), (path, user, group))
WRAP(connect, (int fd, const struct sockaddr *address, socklen_t size), (fd, address, size))
WRAP(epoll_create1, (int flags), (flags))
WRAP(epoll_ctl, (int epoll, int what, int fd, struct epoll_event *event), (epoll, what, fd, event))
WRAP(epoll_wait, (int epoll, struct epoll_event *events, int most, int ms), (epoll, events, most, ms))
WRAP(eventfd, (unsigned initial, int flags), (initial, flags))
WRAP(flock, (int fd, int operation), (fd, operation))
WRAP(fstat, (int fd, struct stat *status), (fd, status))
WRAP(fstatfs, (int fd, struct statfs *status), (fd, status))
WRAP(ftruncate, (int fd, off_t size), (fd, size))
WRAP(getrlimit, (__rlimit_resource_t what, struct rlimit *limit), (what, limit))
WRAP(getsockopt, (int fd, int level, int name, void *value, socklen_t *size), (fd, level, name, value, size))
WRAP(listen, (int fd, int backlog), (fd, backlog))
WRAP_AS(off_t, -1, lseek, (int fd, off_t offset, int from), (fd, offset, from))
WRAP(madvise, (void *address, size_t size, int advice), (address, size, advice))
WRAP(mkdir, (const char *path, mode_t mode), (path, mode))
WRAP_AS(void *, MAP_FAILED, mmap, (void *address, size_t size, int protection, int flags, int fd, off_t offset),
        (address, size, protection, flags, fd, offset))
WRAP(inotify_add_watch, (int fd, const char *path, uint32_t events), (fd, path, events))
WRAP(inotify_init1, (int flags), (flags))
WRAP(timerfd_create, (int clock, int flags), (clock, flags))
WRAP(nanosleep, (const struct timespec *pause, struct timespec *left), (pause, left))
WRAP_AS(DIR *, NULL, opendir, (const char *path), (path))
WRAP(timerfd_settime, (int fd, int flags, const struct itimerspec *time, struct itimerspec *old), (fd, flags, time, old))
WRAP(poll, (struct pollfd *entries, nfds_t count, int ms), (entries, count, ms))
WRAP_AS(ssize_t, -1, pwrite, (int fd, const void *bytes, size_t size, off_t offset), (fd, bytes, size, offset))
WRAP_AS(ssize_t, -1, read, (int fd, void *bytes, size_t size), (fd, bytes, size))
WRAP_AS(struct dirent *, NULL, readdir, (DIR *folder), (folder))
WRAP_AS(char *, NULL, realpath, (const char *path, char *resolved), (path, resolved))
WRAP_AS(ssize_t, -1, recvmsg, (int fd, struct msghdr *message, int flags), (fd, message, flags))
WRAP(rename, (const char *from, const char *to), (from, to))
WRAP(rmdir, (const char *path), (path))
WRAP_AS(ssize_t, -1, sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags))
WRAP(shutdown, (int fd, int how), (fd, how))
WRAP(socket, (int domain, int type, int protocol), (domain, type, protocol))
WRAP(stat, (const char *path, struct stat *status), (path, status))
WRAP(lstat, (const char *path, struct stat *status), (path, status))
WRAP(unlink, (const char *path), (path))

/// Closes also when it "fails", as Linux does.
int close(int fd) {
    REAL(close);
    int error = fails(F_close, CALLER), result = real(fd);
    if (!error) return result;
    errno = error;
    return -1;
}

int fcntl(int fd, int command, ...) {
    REAL(fcntl);
    va_list more;
    va_start(more, command);
    void *argument = va_arg(more, void *);
    va_end(more);
    FAIL(fcntl, -1);
    return real(fd, command, argument);
}

int ioctl(int fd, unsigned long request, ...) {
    static int (*real)(int, unsigned long, ...);
    if (!real) real = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
    va_list more;
    va_start(more, request);
    void *argument = va_arg(more, void *);
    va_end(more);
    FAIL(ioctl, -1);
    return real(fd, request, argument);
}

int open(const char *path, int flags, ...) {
    REAL(open);
    va_list more;
    va_start(more, flags);
    mode_t mode = va_arg(more, mode_t);
    va_end(more);
    FAIL(open, -1);
    return real(path, flags, mode);
}

struct start { void *(*body)(void *); void *argument; int spared; };

static void *start(void *raw) {
    struct start start = *(struct start *)raw;
    free(raw);
    spared = start.spared;
    return start.body(start.argument);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *argument) {
    REAL(pthread_create);
    int error = fails(F_pthread_create, CALLER);
    if (error) return error;
    struct start *begin = malloc(sizeof *begin);
    if (!begin) return EAGAIN;
    *begin = (struct start){ body, argument, spared };
    int result = real(thread, attributes, start, begin);
    if (result) free(begin);
    return result;
}

static int function_of(long number, long operation) {
    switch (number) {
    case SYS_accept4: return F_accept4;
    case SYS_fallocate: return F_fallocate;
    case SYS_memfd_create: return F_memfd_create;
    case FUTEX_WAITV: return F_futex_waitv;
    // Shared ones alone: those of Swift's own locks are private.
    case SYS_futex: return operation == FUTEX_WAIT ? F_futex_wait : operation == FUTEX_WAKE ? F_futex_wake : NONE;
    default: return NONE;
    }
}

long syscall(long number, ...) {
    static long (*real)(long, ...);
    if (!real) real = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
    va_list more;
    va_start(more, number);
    long a = va_arg(more, long), b = va_arg(more, long), c = va_arg(more, long), d = va_arg(more, long);
    long e = va_arg(more, long), f = va_arg(more, long);
    va_end(more);
    int function = function_of(number, b), error = function == NONE ? 0 : fails(function, CALLER);
    if (error) {
        errno = error;
        return -1;
    }
    if (for_ever && function == F_futex_wait) d = 0;          // the timeout
    return real(number, a, b, c, d, e, f);
}

#endif
