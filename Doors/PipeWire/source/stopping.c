#include "stopping.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

static volatile sig_atomic_t asked;
static int event = -1;

static void on_signal(int number) {
    (void)number;
    const uint64_t one = 1;
    int before = errno;
    asked = 1;
    ssize_t written = write(event, &one, sizeof one);
    (void)written;
    errno = before;
}

int stopping_prepare(void) {
    event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (event < 0) return -errno;
    /* Without SA_RESTART: a wait of the library's ends by it. */
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    return 0;
}

bool stopping_asked(void) { return asked != 0; }

int stopping_fd(void) { return event; }
