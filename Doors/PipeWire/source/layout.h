/* Where PipeWire's programs look for the planes of an image that lies in one block of memory: one behind the other, in rows of
 * a multiple of 4 bytes. It is GStreamer's layout; many programs know no other. */
#ifndef LAYOUT_H
#define LAYOUT_H

#include <frameshare.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct layout {
    uint32_t planes;
    size_t stride[FRAMESHARE_MAX_PLANES];
    size_t offset[FRAMESHARE_MAX_PLANES];
    size_t row_bytes[FRAMESHARE_MAX_PLANES];
    size_t rows[FRAMESHARE_MAX_PLANES];
    size_t size;
};

/* Of a raw image. `first_stride` is that of the first plane, which the others' follow; 0: the usual one. False for a format
 * that has no planes of its own, and for sizes beyond what PipeWire's 32-bit numbers hold. */
bool layout_in_one_block(const struct frameshare_format_info *format, uint32_t width, uint32_t height, size_t first_stride,
                         struct layout *layout);

/* Whether an image lies so in its one buffer. */
bool layout_is(const struct layout *layout, const struct frameshare_image *image);

/* Copies rows; where one side has fewer bytes or rows, only those. */
void copy_rows(uint8_t *to, size_t to_stride, const uint8_t *from, size_t from_stride, size_t row_bytes, size_t rows);

#endif
