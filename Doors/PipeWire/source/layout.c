#include "layout.h"

#include <string.h>

static size_t one_of(uint8_t value) { return value ? value : 1; }

static size_t rounded(size_t value, size_t to) { return (value + to - 1) / to * to; }

bool layout_in_one_block(const struct frameshare_format_info *format, uint32_t width, uint32_t height, size_t first_stride,
                         struct layout *layout) {
    memset(layout, 0, sizeof *layout);
    if (format->plane_count == 0 || format->plane_count > FRAMESHARE_MAX_PLANES) return false;
    if (width == 0 || height == 0 || width > 65535 || height > 65535 || first_stride > INT32_MAX) return false;
    if (format->planes[0].bytes_per_group == 0) return false;
    /* The largest subsampling decides on how many rows the first plane is laid out for. */
    size_t even = 1;
    for (uint32_t p = 0; p < format->plane_count; p++)
        if (format->planes[p].vertical_subsampling > even) even = format->planes[p].vertical_subsampling;
    const struct frameshare_plane_info *first = &format->planes[0];
    size_t at = 0, usual_first = 0;
    layout->planes = format->plane_count;
    for (uint32_t p = 0; p < format->plane_count; p++) {
        const struct frameshare_plane_info *plane = &format->planes[p];
        size_t horizontal = one_of(plane->horizontal_subsampling), vertical = one_of(plane->vertical_subsampling);
        size_t pixels = one_of(plane->pixels_per_group);
        size_t columns = rounded(width, horizontal) / horizontal;
        layout->row_bytes[p] = rounded(columns, pixels) / pixels * plane->bytes_per_group;
        layout->rows[p] = rounded(height, vertical) / vertical;
        size_t usual = rounded(layout->row_bytes[p], 4);
        if (p == 0) usual_first = usual;
        /* Rows of another length in the first plane are so in the others, too. */
        layout->stride[p] = usual;
        if (first_stride != 0 && first_stride != usual_first)
            layout->stride[p] = first_stride * plane->bytes_per_group * one_of(first->horizontal_subsampling) *
                                one_of(first->pixels_per_group) /
                                (first->bytes_per_group * horizontal * pixels);
        if (layout->stride[p] < layout->row_bytes[p]) return false;
        layout->offset[p] = at;
        size_t laid_out = rounded(height, even) / vertical;
        at += layout->stride[p] * laid_out;
    }
    layout->size = at;
    return at <= INT32_MAX;
}

bool layout_is(const struct layout *layout, const struct frameshare_image *image) {
    if (image->plane_count != layout->planes) return false;
    for (uint32_t p = 0; p < layout->planes; p++) {
        if (image->planes[p].buffer != 0 || image->planes[p].stride != layout->stride[p]) return false;
        if (image->planes[p].offset - image->planes[0].offset != layout->offset[p]) return false;
    }
    return true;
}

void copy_rows(uint8_t *to, size_t to_stride, const uint8_t *from, size_t from_stride, size_t row_bytes, size_t rows) {
    if (to_stride == row_bytes && from_stride == row_bytes) {
        memcpy(to, from, row_bytes * rows);
        return;
    }
    for (size_t row = 0; row < rows; row++) memcpy(to + row * to_stride, from + row * from_stride, row_bytes);
}
