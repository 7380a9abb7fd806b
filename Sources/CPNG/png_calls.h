// libpng reports errors by longjmp, which must not cross Swift frames: these calls keep it on the C side.
#ifndef FRAMESHARE_PNG_CALLS_H
#define FRAMESHARE_PNG_CALLS_H

#include <errno.h>
#include <png.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct fs_png_bytes {
    uint8_t *data;  // from malloc: the caller frees it, on failure too
    size_t size;
    size_t capacity;
    char message[160];  // libpng's own words after a failure
} fs_png_bytes;

static inline void fs_png_failed(png_structp png, png_const_charp message) {
    fs_png_bytes *bytes = (fs_png_bytes *)png_get_error_ptr(png);
    strncpy(bytes->message, message, sizeof bytes->message - 1);
    longjmp(png_jmpbuf(png), 1);
}

static inline void fs_png_warned(png_structp png, png_const_charp message) {
    (void)png;
    (void)message;
}

static inline void fs_png_append(png_structp png, png_bytep data, size_t count) {
    fs_png_bytes *bytes = (fs_png_bytes *)png_get_io_ptr(png);
    if (count > bytes->capacity - bytes->size) {
        size_t capacity = bytes->capacity * 2 > bytes->size + count ? bytes->capacity * 2 : bytes->size + count;
        uint8_t *grown = (uint8_t *)realloc(bytes->data, capacity);
        if (!grown) {
            png_error(png, "out of memory");
        }
        bytes->data = grown;
        bytes->capacity = capacity;
    }
    memcpy(bytes->data + bytes->size, data, count);
    bytes->size += count;
}

static inline void fs_png_flush(png_structp png) {
    (void)png;
}

// Writes `height` rows of `row_bytes` bytes, 16-bit samples in this machine's order, as one PNG into `bytes`.
// `color_type`: PNG_COLOR_TYPE_GRAY or PNG_COLOR_TYPE_RGB. `compression`: zlib's 0...9. 0, or -EIO with `bytes->message`.
static inline int fs_png_encode(const uint8_t *rows, size_t row_bytes, uint32_t width, uint32_t height, int bit_depth,
                                int color_type, int compression, fs_png_bytes *bytes) {
    memset(bytes, 0, sizeof *bytes);
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, bytes, fs_png_failed, fs_png_warned);
    if (!png) {
        strncpy(bytes->message, "libpng could not start: its version does not fit its headers, or no memory",
                sizeof bytes->message - 1);
        return -EIO;
    }
    png_infop info = png_create_info_struct(png);
    if (!info || setjmp(png_jmpbuf(png))) {
        png_destroy_write_struct(&png, &info);
        return -EIO;
    }
    png_set_write_fn(png, bytes, fs_png_append, fs_png_flush);
    png_set_compression_level(png, compression);
    png_set_IHDR(png, info, width, height, bit_depth, color_type, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    if (bit_depth == 16) {
        png_set_swap(png);
    }
#endif
    for (uint32_t row = 0; row < height; row++) {
        png_write_row(png, rows + row * row_bytes);
    }
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    return 0;
}

#endif
