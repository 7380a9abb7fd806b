// confine publisher|subscriber COMMAND...: runs a command that may make the system calls of Packaging/system-calls and no
// other: any other ends it, with SIGSYS. What libseccomp and systemd make of the list, for this kind of processor:
// names that it does not have are left out.
//
// CALLS is the list as C: CALL(role, name), with role BOTH, PUBLISHER or SUBSCRIBER (Tests/ARM64/run).
#define _GNU_SOURCE
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SUBSCRIBER = 1, PUBLISHER = 2, BOTH = 3 };
#define NAMESPACES 0x7E020000u                // as in Packaging/generate

static const struct { int roles, number; } calls[] = {
#define CALL(roles, name) { roles, SYS_##name },
#include CALLS
#undef CALL
};

#if defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#elif defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#endif
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IF_NOT(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip)
#define ANSWER(what) BPF_STMT(BPF_RET | BPF_K, what)

int main(int argc, char **argv) {
    int role = argc > 2 && !strcmp(argv[1], "publisher") ? PUBLISHER
        : argc > 2 && !strcmp(argv[1], "subscriber") ? SUBSCRIBER : 0;
    if (role == 0) {
        fprintf(stderr, "usage: confine publisher|subscriber COMMAND...\n");
        return 64;
    }
    static struct sock_filter filter[2048] = {
        LOAD(arch), IF_NOT(ARCHITECTURE, 11), LOAD(nr),
        IF_NOT(SYS_clone3, 1), ANSWER(SECCOMP_RET_ERRNO | 38),
        IF_NOT(SYS_clone, 3), LOAD(args[0]),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, NAMESPACES, 5, 0), ANSWER(SECCOMP_RET_ALLOW),
        IF_NOT(SYS_socket, 4), LOAD(args[0]), IF_NOT(AF_UNIX, 1), ANSWER(SECCOMP_RET_ALLOW),
        ANSWER(SECCOMP_RET_KILL_PROCESS),
    };
    unsigned short length = 14;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        if (!(calls[i].roles & role)) continue;
        filter[length++] = (struct sock_filter)IF_NOT((unsigned)calls[i].number, 1);
        filter[length++] = (struct sock_filter)ANSWER(SECCOMP_RET_ALLOW);
    }
    filter[length++] = (struct sock_filter)ANSWER(SECCOMP_RET_KILL_PROCESS);
    struct sock_fprog program = { length, filter };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0) {
        perror("confine");
        return 125;
    }
    execv(argv[2], argv + 2);
    perror(argv[2]);
    return 127;
}
