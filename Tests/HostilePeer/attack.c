// A reader with good manners until it has the descriptors; then it tries every way there is to write.
#define _GNU_SOURCE
#include "attached.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

static const char evil[] = "overrun";

/// Tells how one attempt went; `failed` is 0 or an errno.
static void tell(const char *target, const char *attempt, int failed) {
    say("attempt %s %s %s", target, attempt, failed ? strerrorname_np(failed) : "SUCCEEDED");
}

static void try_mapping(const char *target, const char *attempt, int fd, size_t size, int protection) {
    void *address = mmap(NULL, size, protection, MAP_SHARED, fd, 0);
    if (address == MAP_FAILED) {
        tell(target, attempt, errno);
        return;
    }
    if (protection & PROT_WRITE) {
        memcpy(address, evil, sizeof evil);
        tell(target, attempt, 0);
    } else {
        int failed = mprotect(address, size, PROT_READ | PROT_WRITE) < 0 ? errno : 0;
        if (!failed) memcpy(address, evil, sizeof evil);
        tell(target, attempt, failed);
        // The kernel's own back doors into this process: both would have to write to the shared page.
        int memory = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
        if (memory < 0) tell(target, "/proc/self/mem", errno);
        else {
            tell(target, "/proc/self/mem", pwrite(memory, evil, sizeof evil, (off_t)(uintptr_t)address) < 0 ? errno : 0);
            close(memory);
        }
        struct iovec from = { (void *)evil, sizeof evil }, to = { address, sizeof evil };
        tell(target, "process_vm_writev", process_vm_writev(getpid(), &from, 1, &to, 1, 0) < 0 ? errno : 0);
        tell(target, "madvise(MADV_REMOVE)", madvise(address, size, MADV_REMOVE) < 0 ? errno : 0);
    }
    munmap(address, size);
}

static void attack(const char *target, int fd, size_t size) {
    char path[64];
    try_mapping(target, "mmap-for-writing", fd, size, PROT_READ | PROT_WRITE);
    try_mapping(target, "mprotect", fd, size, PROT_READ);
    tell(target, "pwrite", pwrite(fd, evil, sizeof evil, 0) < 0 ? errno : 0);
    tell(target, "ftruncate-to-0", ftruncate(fd, 0) < 0 ? errno : 0);
    tell(target, "ftruncate-larger", ftruncate(fd, (off_t)size * 2) < 0 ? errno : 0);
    tell(target, "punch-hole",
         fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, sysconf(_SC_PAGESIZE)) < 0 ? errno : 0);
    tell(target, "add-seals", fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) < 0 ? errno : 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int again = open(path, O_RDWR | O_CLOEXEC);
    if (again < 0) {
        tell(target, "reopen", errno);
        return;
    }
    // Reopening a memfd for writing is allowed; the seal stands behind it.
    tell(target, "reopened-pwrite", pwrite(again, evil, sizeof evil, 0) < 0 ? errno : 0);
    tell(target, "reopened-ftruncate", ftruncate(again, 0) < 0 ? errno : 0);
    try_mapping(target, "reopened-mmap-for-writing", again, size, PROT_READ | PROT_WRITE);
    close(again);
    tell(target, "open-and-truncate", (again = open(path, O_RDWR | O_TRUNC | O_CLOEXEC)) < 0 ? errno : 0);
    if (again >= 0) close(again);
}

int write_attack(const char *path) {
    struct attached a = { 0 };
    attach_until(&a, path, AFTER_READY, 4, 0);
    say("attached user=%u", (unsigned)getuid());
    for (int i = 0; i < a.buffer_count && i < 3; i++) attack("buffer", a.buffers[i], a.memory_size);
    attack("frame-table", a.table_fd, sizeof(struct fs_frame_table));
    attack("channel-page", a.page_fd, sizeof(struct fs_channel_page));
    attack("wake-page", a.wake_fd, sizeof(struct fs_wake_page));
    // The lane is the subscriber's to write, but not to resize: that would make the publisher fault.
    tell("lane", "ftruncate-to-0", ftruncate(a.lane_fd, 0) < 0 ? errno : 0);
    tell("lane", "ftruncate-larger", ftruncate(a.lane_fd, 1 << 20) < 0 ? errno : 0);
    say("done");
    return 0;
}
