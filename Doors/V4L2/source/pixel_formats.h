/* V4L2's names of a channel's formats, and its way to lay them out. */
#pragma once

#include <frameshare.h>
#include <linux/videodev2.h>
#include <stdbool.h>

/* What VIDIOC_G_FMT says of a stream; false where V4L2 has no such format. */
bool pixel_format_of(const struct frameshare_stream *stream, struct v4l2_pix_format *format);

/* Whether the stream's planes lie as V4L2 takes for granted; else each frame is copied. */
bool pixel_format_is_plain(const struct frameshare_stream *stream, const struct v4l2_pix_format *format);

/* Copies an image into memory that is laid out as `format` says; how many bytes hold data. */
size_t pixel_format_copy(const struct frameshare_image *image, const struct v4l2_pix_format *format, void *to, size_t size);

/* The kernel's own words for a format (v4l_fill_fmtdesc), where they are known here; else `name`. */
const char *pixel_format_title(__u32 code, const char *name);
