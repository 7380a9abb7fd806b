// What the kernel lets a reader do with the memory and descriptors that it was given: a list, tried on each of them.
#define _GNU_SOURCE
#include "attached.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/futex.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x20
#endif

struct target {
    const char *name;
    int fd;
    size_t size;
    int writable;                             // the reader's own to write: its lane
};

static int tried, forbidden;
static pid_t publisher;
static uint32_t *own;                         // a word of its own, shared with nobody
static size_t page;                           // bytes of this machine's

static void note(const struct target *t, const char *call, long result) {
    tried++;
    say("tried %s: %s: %s", t->name, call, result == -1 ? strerrorname_np(errno) : "done");
}
/// What is allowed to succeed: it must harm nobody.
#define TRY(call) note(t, #call, (long)(call))
/// What must fail on everything that is the publisher's.
#define REFUSED(call) do { \
        long result = (long)(call); \
        note(t, #call, result); \
        if (result != -1 && !t->writable) forbidden++, say("FORBIDDEN %s: %s", t->name, #call); \
    } while (0)

static const struct timespec moment = { 0, 1000000 };

#define FUTEX(word, operation, value, more, other, third) \
    syscall(SYS_futex, word, operation, value, more, other, third)

static void futexes(const struct target *t, uint32_t *word, uint32_t value) {
    void *all = (void *)(intptr_t)INT32_MAX;
    TRY(FUTEX(word, FUTEX_WAIT, value, &moment, NULL, 0));
    TRY(FUTEX(word, FUTEX_WAIT, ~value, &moment, NULL, 0));
    TRY(FUTEX(word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, value, &moment, NULL, 1));
    TRY(FUTEX(word, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0));
    TRY(FUTEX(word, FUTEX_WAKE_BITSET, INT32_MAX, NULL, NULL, -1));
    TRY(FUTEX(word, FUTEX_REQUEUE, 0, all, own, 0));
    TRY(FUTEX(word, FUTEX_REQUEUE, 0, all, word + 1, 0));
    TRY(FUTEX(own, FUTEX_REQUEUE, INT32_MAX, all, word, 0));
    TRY(FUTEX(word, FUTEX_CMP_REQUEUE, 0, all, own, value));
    TRY(FUTEX(word, FUTEX_CMP_REQUEUE_PI, 1, all, own, value));
    TRY(FUTEX(own, FUTEX_CMP_REQUEUE_PI, 1, all, word, *own));
    TRY(FUTEX(word, FUTEX_WAIT_REQUEUE_PI | FUTEX_CLOCK_REALTIME, value, &moment, own, 0));
    TRY(FUTEX(own, FUTEX_WAIT_REQUEUE_PI | FUTEX_CLOCK_REALTIME, *own, &moment, word, 0));
    REFUSED(FUTEX(own, FUTEX_WAKE_OP, INT32_MAX, all, word, FUTEX_OP(FUTEX_OP_SET, 7, FUTEX_OP_CMP_EQ, 0)));
    TRY(FUTEX(word, FUTEX_WAKE_OP, INT32_MAX, all, own, FUTEX_OP(FUTEX_OP_ADD, 0, FUTEX_OP_CMP_GE, 0)));
    REFUSED(FUTEX(word, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0));
    REFUSED(FUTEX(word, FUTEX_LOCK_PI, 0, &moment, NULL, 0));
    REFUSED(FUTEX(word, FUTEX_LOCK_PI2, 0, &moment, NULL, 0));
    REFUSED(FUTEX(word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
    struct { uint64_t value, address; uint32_t flags, reserved; } both[2] = {
        { value, (uint64_t)(uintptr_t)word, 2, 0 }, { *own, (uint64_t)(uintptr_t)own, 2, 0 } };
    struct timespec soon;
    clock_gettime(CLOCK_MONOTONIC, &soon);
    if ((soon.tv_nsec += 1000000) >= 1000000000) soon.tv_sec++, soon.tv_nsec -= 1000000000;
    TRY(syscall(449 /* futex_waitv */, both, 2, 0, &soon, CLOCK_MONOTONIC));
    TRY(syscall(454 /* futex_wake */, word, -1ul, INT32_MAX, 2));
    TRY(syscall(455 /* futex_wait */, word, (unsigned long)value, -1ul, 2, &soon, CLOCK_MONOTONIC));
    TRY(syscall(456 /* futex_requeue */, both, 0, 0, INT32_MAX));
    // A robust list's head in there: the kernel walks it when this thread ends, and writes to its words.
    TRY(syscall(SYS_set_robust_list, word, sizeof(struct robust_list_head)));
    TRY(syscall(SYS_set_tid_address, word));
}

/// On mappings of their own: some of these leave little of them.
static void mappings(const struct target *t) {
    int protection = t->writable ? PROT_READ | PROT_WRITE : PROT_READ;
    for (int advice = 0; advice < 128; advice++) {
        char *address = mmap(NULL, t->size, protection, MAP_SHARED, t->fd, 0);
        if (address == MAP_FAILED) give_up("mmap");
        (void)*(volatile char *)address;
        char call[64];
        snprintf(call, sizeof call, "madvise(address, size, %d)", advice);
        int result = madvise(address, t->size, advice);
        if (result == 0 || errno != EINVAL) note(t, call, result);
        munmap(address, t->size);
    }
    char *address = mmap(NULL, t->size, protection, MAP_SHARED, t->fd, 0);
    if (address == MAP_FAILED) give_up("mmap");
    REFUSED(mprotect(address, t->size, PROT_READ | PROT_WRITE));
    TRY(mprotect(address, t->size, PROT_READ | PROT_EXEC));
    TRY(mlock(address, t->size));
    TRY(munlock(address, t->size));
    TRY(msync(address, t->size, MS_SYNC | MS_INVALIDATE));
    TRY(syscall(SYS_remap_file_pages, address, t->size, 0, 1, 0));
    TRY(syscall(SYS_mbind, address, t->size, 2 /* MPOL_BIND */, &(unsigned long){ 1 }, 64, 3 /* STRICT | MOVE */));
    TRY(syscall(SYS_move_pages, 0, 1, &(void *){ address }, &(int){ 0 }, &(int){ 0 }, 4 /* MPOL_MF_MOVE_ALL */));
    char *more = mremap(address, 0, t->size, MREMAP_MAYMOVE);
    note(t, "mremap(address, 0, size, MREMAP_MAYMOVE)", more == MAP_FAILED ? -1 : 0);
    if (more != MAP_FAILED) {
        REFUSED(mprotect(more, t->size, PROT_READ | PROT_WRITE));
        munmap(more, t->size);
    }
    more = mremap(address, t->size, t->size + (64 << 20), MREMAP_MAYMOVE);
    note(t, "mremap(address, size, size + 64 MiB, MREMAP_MAYMOVE)", more == MAP_FAILED ? -1 : 0);
    if (more != MAP_FAILED) address = more;
    int faults = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
    note(t, "userfaultfd(UFFD_USER_MODE_ONLY)", faults < 0 ? -1 : 0);
    if (faults >= 0) {
        struct uffdio_api api = { .api = UFFD_API };
        TRY(ioctl(faults, UFFDIO_API, &api));
        static const int modes[] = { UFFDIO_REGISTER_MODE_MISSING, UFFDIO_REGISTER_MODE_WP, UFFDIO_REGISTER_MODE_MINOR };
        for (int i = 0; i < 3; i++) {
            struct uffdio_register part = { { (uintptr_t)address, page }, (uint64_t)modes[i], 0 };
            TRY(ioctl(faults, UFFDIO_REGISTER, &part));
            struct uffdio_copy copy = { (uintptr_t)address, (uintptr_t)own, page, 0, 0 };
            TRY(ioctl(faults, UFFDIO_COPY, &copy));
            struct uffdio_writeprotect protect = { { (uintptr_t)address, page }, UFFDIO_WRITEPROTECT_MODE_WP };
            TRY(ioctl(faults, UFFDIO_WRITEPROTECT, &protect));
        }
        close(faults);
    }
    munmap(address, t->size);
}

/// A pipe with something in it.
static int filled_pipe(void) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) give_up("pipe");
    if (write(ends[1], "overrun", 7) != 7) give_up("write");
    close(ends[1]);
    return ends[0];
}

static void descriptors(const struct target *t) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", t->fd);
    int pipe = filled_pipe(), file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), ends[2];
    if (file < 0 || pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) give_up("open");
    REFUSED(splice(pipe, NULL, t->fd, &(off_t){ 0 }, 7, SPLICE_F_MOVE | SPLICE_F_NONBLOCK));
    REFUSED(sendfile(t->fd, file, &(off_t){ 0 }, 16));
    REFUSED(copy_file_range(file, &(off_t){ 0 }, t->fd, &(off_t){ 0 }, 16, 0));
    REFUSED(pwritev2(t->fd, &(struct iovec){ "overrun", 7 }, 1, 0, 0));
    TRY(splice(t->fd, &(off_t){ 0 }, ends[1], NULL, 64, SPLICE_F_MOVE | SPLICE_F_NONBLOCK));
    TRY(tee(ends[0], ends[1], 64, SPLICE_F_NONBLOCK));
    void *address = mmap(NULL, t->size, PROT_READ, MAP_SHARED, t->fd, 0);
    if (address == MAP_FAILED) give_up("mmap");
    TRY(vmsplice(ends[1], &(struct iovec){ address, 64 }, 1, SPLICE_F_GIFT | SPLICE_F_NONBLOCK));
    munmap(address, t->size);
    static const int hole = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    REFUSED(fallocate(t->fd, hole, 0, (off_t)t->size));
    REFUSED(fallocate(t->fd, FALLOC_FL_ZERO_RANGE, 0, (off_t)t->size));
    REFUSED(fallocate(t->fd, FALLOC_FL_COLLAPSE_RANGE, 0, (off_t)page));
    REFUSED(fallocate(t->fd, 0, 0, 1 << 24));
    struct target always = *t;
    always.writable = 0;
    {
        const struct target *t = &always;     // not even of the lane
        REFUSED(ftruncate(t->fd, 0));
        REFUSED(ftruncate(t->fd, 1 << 24));
        REFUSED(fcntl(t->fd, F_ADD_SEALS, F_SEAL_WRITE));
        REFUSED(fcntl(t->fd, F_ADD_SEALS, F_SEAL_EXEC));
        REFUSED(fchmod(t->fd, 0));
        REFUSED(fchown(t->fd, getuid(), getgid()));
        REFUSED(ioctl(t->fd, FS_IOC_SETFLAGS, &(int){ FS_IMMUTABLE_FL }));
        REFUSED(syscall(SYS_linkat, t->fd, "", AT_FDCWD, "/tmp/frameshare-hostile-link", AT_EMPTY_PATH));
        REFUSED(fcntl(t->fd, F_NOTIFY, DN_MODIFY | DN_ACCESS | DN_MULTISHOT));
        REFUSED(fcntl(t->fd, F_SETLEASE, F_WRLCK));
        REFUSED(fcntl(t->fd, F_SETLEASE, F_RDLCK));
    }
    // Locks and flags that stay: the open file is the publisher's, too.
    TRY(flock(t->fd, LOCK_EX | LOCK_NB));
    TRY(fcntl(t->fd, F_SETLK, &(struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET }));
    TRY(fcntl(t->fd, F_OFD_SETLK, &(struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET }));
    TRY(fcntl(t->fd, F_SETSIG, SIGKILL));
    TRY(fcntl(t->fd, F_SETOWN, publisher));
    TRY(fcntl(t->fd, F_SETFL, O_APPEND | O_ASYNC | O_NONBLOCK));
    TRY(fcntl(t->fd, F_SETFL, O_DIRECT));
    TRY(fcntl(t->fd, F_SETFL, O_NOATIME));
    TRY(fcntl(t->fd, F_SET_RW_HINT, &(uint64_t){ 5 }));
    TRY(ioctl(t->fd, FIOASYNC, &(int){ 1 }));
    TRY(lseek(t->fd, 0, SEEK_END));
    TRY(fsync(t->fd));
    TRY(posix_fadvise(t->fd, 0, 0, POSIX_FADV_DONTNEED) ? -1 : 0);
    TRY(readahead(t->fd, 0, t->size));
    TRY(futimens(t->fd, NULL));
    TRY(fsetxattr(t->fd, "user.hostile", "overrun", 7, 0));
    TRY(inotify_add_watch(inotify_init1(IN_CLOEXEC), path, IN_ALL_EVENTS));
    TRY(syscall(428 /* open_tree */, t->fd, "", AT_EMPTY_PATH | 1 /* OPEN_TREE_CLONE */));
    int again = open(path, O_RDWR | O_CLOEXEC);
    note(t, "open(\"/proc/self/fd/N\", O_RDWR)", again < 0 ? -1 : 0);
    if (again >= 0) {
        struct target other = *t;
        other.fd = again;
        {
            const struct target *t = &other;
            REFUSED(pwrite(t->fd, "overrun", 7, 0));
            REFUSED(fallocate(t->fd, hole, 0, (off_t)t->size));
        }
        always.fd = again;
        {
            const struct target *t = &always;
            REFUSED(ftruncate(t->fd, 0));
            REFUSED(fcntl(t->fd, F_SETLEASE, F_WRLCK));
        }
    }
    close(pipe), close(file), close(ends[0]), close(ends[1]);
}

/// What reaches for the publisher's process itself.
static void process(void) {
    struct target it = { "publisher", -1, 0, 0 }, *t = &it;
    char bytes[16];
    struct iovec here = { bytes, sizeof bytes }, there = { own, sizeof bytes };
    REFUSED(process_vm_readv(publisher, &here, 1, &there, 1, 0));
    REFUSED(process_vm_writev(publisher, &here, 1, &there, 1, 0));
    REFUSED(ptrace(PTRACE_ATTACH, publisher, NULL, NULL));
    REFUSED(ptrace(PTRACE_SEIZE, publisher, NULL, NULL));
    REFUSED(kill(publisher, SIGSTOP));
    REFUSED(syscall(SYS_tgkill, publisher, publisher, SIGSTOP));
    int pidfd = (int)syscall(SYS_pidfd_open, publisher, 0);
    note(t, "pidfd_open", pidfd);
    REFUSED(syscall(SYS_pidfd_send_signal, pidfd, SIGSTOP, NULL, 0));
    REFUSED(syscall(SYS_pidfd_getfd, pidfd, 3, 0));
    REFUSED(syscall(440 /* process_madvise */, pidfd, &there, 1ul, 21 /* MADV_PAGEOUT */, 0ul));
    REFUSED(syscall(SYS_kcmp, publisher, getpid(), 0, 3, 3));
    REFUSED(syscall(SYS_migrate_pages, publisher, 64, &(unsigned long){ 1 }, &(unsigned long){ 1 }));
    REFUSED(syscall(SYS_move_pages, publisher, 1, &(void *){ own }, NULL, &(int){ 0 }, 2));
    REFUSED(setpriority(PRIO_PROCESS, (id_t)publisher, 19));
    REFUSED(sched_setaffinity(publisher, sizeof(cpu_set_t), &(cpu_set_t){ { 1 } }));
    REFUSED(sched_setscheduler(publisher, SCHED_IDLE, &(struct sched_param){ 0 }));
    REFUSED(syscall(SYS_ioprio_set, 1, publisher, 3 << 13));
    REFUSED(prlimit(publisher, RLIMIT_NOFILE, &(struct rlimit){ 3, 3 }, NULL));
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/mem", publisher);
    REFUSED(open(path, O_RDWR | O_CLOEXEC));
    snprintf(path, sizeof path, "/proc/%d/fd/3", publisher);
    REFUSED(open(path, O_RDWR | O_CLOEXEC));
}

/// Its own end of the control socket, last: the publisher may hang up on it for some of these.
static void control_socket(int fd) {
    struct target it = { "socket", fd, 0, 1 }, *t = &it;
    TRY(fcntl(fd, F_SETOWN, publisher));
    TRY(fcntl(fd, F_SETSIG, SIGKILL));
    TRY(fcntl(fd, F_SETFL, O_ASYNC));
    TRY(setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &(int){ 1 }, 4));
    TRY(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){ 1 }, 4));
    TRY(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){ 1 }, 4));
    TRY(setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &(int){ 100 }, 4));
    TRY(setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &(int){ 1 }, 4));
    TRY(recv(fd, &(char){ 0 }, 1, MSG_PEEK | MSG_DONTWAIT));
    TRY(send(fd, "!", 1, MSG_OOB | MSG_DONTWAIT | MSG_NOSIGNAL));
    union { struct cmsghdr head; char room[CMSG_SPACE(sizeof(struct ucred))]; } control = { { 0 } };
    control.head = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(struct ucred)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_CREDENTIALS };
    struct ucred lie = { publisher, 0, 0 };
    memcpy(CMSG_DATA(&control.head), &lie, sizeof lie);
    struct iovec bytes = { "!", 1 };
    struct msghdr message = { .msg_iov = &bytes, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
    it.writable = 0;
    REFUSED(sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL));
    it.writable = 1;
    TRY(shutdown(fd, SHUT_RD));
    TRY(send(fd, "", 0, MSG_DONTWAIT | MSG_NOSIGNAL));
    TRY(shutdown(fd, SHUT_WR));
}

int try_every_call(const char *path) {
    // As root these could poison memory and stop anything: that says nothing.
    if (geteuid() == 0) give_up("not as root");
    struct attached a = { 0 };
    attach_until(&a, path, AFTER_READY, 4, 0);
    struct ucred peer;
    socklen_t length = sizeof peer;
    if (getsockopt(a.socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0) give_up("SO_PEERCRED");
    publisher = peer.pid;
    page = (size_t)sysconf(_SC_PAGESIZE);
    own = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (own == MAP_FAILED) give_up("mmap");
    say("attached user=%u", (unsigned)getuid());
    size_t table = sizeof(struct fs_frame_table) + (size_t)a.slots * sizeof(struct fs_frame_record);
    struct target targets[] = {
        { "channel-page", a.page_fd, sizeof(struct fs_channel_page), 0 },
        { "wake-page", a.wake_fd, sizeof(struct fs_wake_page), 0 },
        { "frame-table", a.table_fd, table, 0 },
        { "buffers", a.buffers[0], a.memory_size, 0 },
        { "lane", a.lane_fd, a.lane_size, 1 },
    };
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        struct target *t = &targets[i];
        int protection = t->writable ? PROT_READ | PROT_WRITE : PROT_READ;
        uint32_t *words = mmap(NULL, t->size, protection, MAP_SHARED, t->fd, 0);
        if (words == MAP_FAILED) give_up("mmap");
        // The words with a meaning, the wake page's among them; the last line of a lane are its cells.
        for (size_t word = 0; word < t->size / 4 && word < 48; word += 2) {
            futexes(t, words + word, *(volatile uint32_t *)(words + word));
        }
        syscall(SYS_set_robust_list, NULL, sizeof(struct robust_list_head));
        syscall(SYS_set_tid_address, own);
        munmap(words, t->size);
        mappings(t);
        descriptors(t);
    }
    process();
    control_socket(a.socket);
    say("done tried=%d forbidden=%d", tried, forbidden);
    for (;;) pause();
}
