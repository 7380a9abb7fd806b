// A peer that keeps no rule of the protocol that it is told to break. Usage:
//
//   frameshare-hostile-peer subscribe SOCKET BEHAVIOUR [COUNT] [uid=N]
//   frameshare-hostile-peer publish SOCKET BEHAVIOUR
//   frameshare-hostile-peer attack SOCKET [uid=N]
//   frameshare-hostile-peer escape
//
// It says what it did and what came of it, a line each, and ends by itself or when its standard input ends.
#define _GNU_SOURCE
#include "wire.h"
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/// Ends the process with its test, whatever it is busy with.
static void *end_with_input(void *unused) {
    (void)unused;
    char c;
    while (read(0, &c, 1) > 0) {}
    _exit(0);
}

/// Becomes another user. Dumpable again, or /proc/self would be closed to it and no attack by /proc would be tried.
static void become(unsigned id) {
    if (setgroups(0, NULL) < 0 || setresgid(id, id, id) < 0 || setresuid(id, id, id) < 0) give_up("setresuid");
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN);
    close_range(3, ~0U, 0);                   // what the test process let through
    unsigned id;
    if (argc > 3 && sscanf(argv[argc - 1], "uid=%u", &id) == 1) {
        become(id);
        argc--;
    }
    pthread_t watcher;
    if (pthread_create(&watcher, NULL, end_with_input, NULL) != 0) give_up("pthread_create");
    if (argc == 3 && strcmp(argv[1], "attack") == 0) return write_attack(argv[2]);
    if (argc == 2 && strcmp(argv[1], "escape") == 0) return escape();
    if (argc >= 4 && strcmp(argv[1], "subscribe") == 0) {
        return hostile_subscriber(argv[2], argv[3], argc > 4 ? atoi(argv[4]) : 1);
    }
    if (argc == 4 && strcmp(argv[1], "publish") == 0) return hostile_publisher(argv[2], argv[3]);
    fprintf(stderr, "usage: subscribe SOCKET BEHAVIOUR [COUNT] | publish SOCKET BEHAVIOUR | attack SOCKET [uid=N] | escape\n");
    return 64;
}
