/* A channel as a camera of PipeWire. */
#ifndef CAMERA_H
#define CAMERA_H

#include <stdbool.h>
#include <stdint.h>

enum copying {
    /* Only where the layout is one that PipeWire's programs may not know. */
    COPY_WHERE_NEEDED,
    COPY_ALWAYS,
    COPY_NEVER
};

struct camera_options {
    const char *channel;
    /* NULL: the channel's first. */
    const char *stream;
    /* What PipeWire's programs are shown; NULL: made of the channel's name. */
    const char *node;
    const char *description;
    /* The frames that PipeWire's programs may hold at once. */
    uint32_t budget;
    enum copying copying;
    /* Ends with the channel, instead of waiting for it to come back. */
    bool once;
    bool quiet;
};

/* Until it was asked to stop (stopping.h), or an error, which it tells. The program's exit status. */
int camera_run(const struct camera_options *options);

#endif
