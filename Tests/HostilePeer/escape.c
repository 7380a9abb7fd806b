// What a program that was taken over would try first from inside a sandbox. Each attempt says how it went.
#define _GNU_SOURCE
#include "wire.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static void tell(const char *attempt, long result) {
    say("attempt %s %s", attempt, result < 0 ? strerrorname_np(errno) : "SUCCEEDED");
}

int escape(void) {
    char there = 0, here = 1;
    struct iovec from = { &here, 1 }, to = { &there, 1 };
    tell("socket(AF_INET)", socket(AF_INET, SOCK_STREAM, 0));
    tell("socket(AF_NETLINK)", socket(AF_NETLINK, SOCK_RAW, 0));
    tell("process_vm_writev", process_vm_writev(getpid(), &from, 1, &to, 1, 0));
    tell("kill", kill(getppid(), 0));
    tell("setuid", setuid(getuid()));
    tell("unshare", unshare(CLONE_FILES));
    // No signal at its end: this process is about to be traced, and would stop at it.
    long child = syscall(SYS_clone, CLONE_NEWUSER, NULL, NULL, NULL, NULL);
    if (child == 0) _exit(0);
    tell("clone(CLONE_NEWUSER)", child);
    tell("mount", mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
    tell("bpf", syscall(SYS_bpf, BPF_MAP_CREATE, NULL, 0));
    tell("perf_event_open", syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0));
    tell("keyctl", syscall(SYS_keyctl, 0, -3, 0));
    tell("io_uring_setup", syscall(SYS_io_uring_setup, 1, NULL));
    tell("inotify_init", inotify_init1(IN_CLOEXEC));
    tell("chroot", chroot("/"));
    char link[64];
    snprintf(link, sizeof link, "/tmp/frameshare-escape-%d", getpid());
    tell("symlink", symlink("/etc/passwd", link));
    unlink(link);
    // What is needed all the same, so that a sandbox that refuses everything is not taken for a good one.
    int local = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    say("needed socket(AF_UNIX) %s", local < 0 ? strerrorname_np(errno) : "SUCCEEDED");
    tell("ptrace", ptrace(PTRACE_TRACEME, 0, NULL, NULL));
    return 0;
}
