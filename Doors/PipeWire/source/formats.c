#include "formats.h"

#include <spa/param/format.h>
#include <spa/param/video/raw.h>

/* FrameShare's names are DRM's, which say a little-endian word; PipeWire's say the bytes in memory. */
static const struct format formats[] = {
    {"YUV420", SPA_MEDIA_SUBTYPE_raw, SPA_VIDEO_FORMAT_I420},
    {"YVU420", SPA_MEDIA_SUBTYPE_raw, SPA_VIDEO_FORMAT_YV12},
    {"YUV422", SPA_MEDIA_SUBTYPE_raw, SPA_VIDEO_FORMAT_Y42B},
    {"YUV444", SPA_MEDIA_SUBTYPE_raw, SPA_VIDEO_FORMAT_Y444},
    {"NV12", SPA_MEDIA_SUBTYPE_raw, SPA_VIDEO_FORMAT_NV12},
    {"NV21", SPA_MEDIA_SUBTYPE_raw, SPA_VIDEO_FORMAT_NV21},
    {"NV16", SPA_MEDIA_SUBTYPE_raw, SPA_VIDEO_FORMAT_NV16},
    {"NV61", SPA_MEDIA_SUBTYPE_raw, SPA_VIDEO_FORMAT_NV61},
    {"NV24", SPA_MEDIA_SUBTYPE_raw, SPA_VIDEO_FORMAT_NV24},
    {"YUYV", SPA_MEDIA_SUBTYPE_raw, SPA_VIDEO_FORMAT_YUY2},
    {"YVYU", SPA_MEDIA_SUBTYPE_raw, SPA_VIDEO_FORMAT_YVYU},
    {"UYVY", SPA_MEDIA_SUBTYPE_raw, SPA_VIDEO_FORMAT_UYVY},
    {"VYUY", SPA_MEDIA_SUBTYPE_raw, SPA_VIDEO_FORMAT_VYUY},
    {"RGB888", SPA_MEDIA_SUBTYPE_raw, SPA_VIDEO_FORMAT_BGR},
    {"BGR888", SPA_MEDIA_SUBTYPE_raw, SPA_VIDEO_FORMAT_RGB},
    {"XRGB8888", SPA_MEDIA_SUBTYPE_raw, SPA_VIDEO_FORMAT_BGRx},
    {"XBGR8888", SPA_MEDIA_SUBTYPE_raw, SPA_VIDEO_FORMAT_RGBx},
    {"RGBX8888", SPA_MEDIA_SUBTYPE_raw, SPA_VIDEO_FORMAT_xBGR},
    {"BGRX8888", SPA_MEDIA_SUBTYPE_raw, SPA_VIDEO_FORMAT_xRGB},
    {"ARGB8888", SPA_MEDIA_SUBTYPE_raw, SPA_VIDEO_FORMAT_BGRA},
    {"ABGR8888", SPA_MEDIA_SUBTYPE_raw, SPA_VIDEO_FORMAT_RGBA},
    {"RGBA8888", SPA_MEDIA_SUBTYPE_raw, SPA_VIDEO_FORMAT_ABGR},
    {"BGRA8888", SPA_MEDIA_SUBTYPE_raw, SPA_VIDEO_FORMAT_ARGB},
    {"RGB565", SPA_MEDIA_SUBTYPE_raw, SPA_VIDEO_FORMAT_RGB16},
    {"R8", SPA_MEDIA_SUBTYPE_raw, SPA_VIDEO_FORMAT_GRAY8},
    {"R16", SPA_MEDIA_SUBTYPE_raw, SPA_VIDEO_FORMAT_GRAY16_LE},
    {"MJPEG", SPA_MEDIA_SUBTYPE_mjpg, SPA_VIDEO_FORMAT_ENCODED},
    {"H264", SPA_MEDIA_SUBTYPE_h264, SPA_VIDEO_FORMAT_ENCODED},
};

const struct format *format_of_frameshare(uint32_t fourcc, uint64_t modifier) {
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        struct frameshare_format_info info = frameshare_format_info_init();
        if (frameshare_format_by_name(formats[i].name, &info) == FRAMESHARE_OK && info.fourcc == fourcc &&
            info.modifier == modifier)
            return &formats[i];
    }
    return NULL;
}

const struct format *format_of_pipewire(uint32_t subtype, uint32_t video) {
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (formats[i].subtype == subtype && (subtype != SPA_MEDIA_SUBTYPE_raw || formats[i].video == video)) return &formats[i];
    return NULL;
}

const struct format *format_at(size_t index) { return index < sizeof formats / sizeof *formats ? &formats[index] : NULL; }
