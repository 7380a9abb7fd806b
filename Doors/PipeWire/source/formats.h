/* Formats: FrameShare's, and PipeWire's for the same bytes. */
#ifndef FORMATS_H
#define FORMATS_H

#include <frameshare.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A format of both. */
struct format {
    /* FrameShare's name. */
    const char *name;
    /* SPA_MEDIA_SUBTYPE_raw, or one of an encoded format. */
    uint32_t subtype;
    /* SPA_VIDEO_FORMAT_..., for raw ones. */
    uint32_t video;
};

/* NULL for what PipeWire has no name for. */
const struct format *format_of_frameshare(uint32_t fourcc, uint64_t modifier);
const struct format *format_of_pipewire(uint32_t subtype, uint32_t video);

/* All of them, from index 0; NULL beyond the last. */
const struct format *format_at(size_t index);

#endif
