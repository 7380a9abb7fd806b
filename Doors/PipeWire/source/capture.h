/* A camera or a screen cast of PipeWire's as a channel. */
#ifndef CAPTURE_H
#define CAPTURE_H

#include <stdbool.h>
#include <stdint.h>

struct capture_options {
    /* A node's name or serial number; NULL: the one that the session gives. */
    const char *node;
    const char *channel;
    uint32_t slots;
    /* What the channel's list of sources says. */
    bool once;
    bool quiet;
};

/* Until it was asked to stop (stopping.h), or an error, which it tells. The program's exit status. */
int capture_run(const struct capture_options *options);

#endif
