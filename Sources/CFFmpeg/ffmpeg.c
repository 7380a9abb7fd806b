#define _GNU_SOURCE
#include "include/CFFmpeg.h"

#ifdef CFFMPEG_H_HAS_FFMPEG
#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

// What a stream's side data are a part of, and where.
#if LIBAVFORMAT_VERSION_INT >= AV_VERSION_INT(60, 15, 100)
#define FS_SIDE_DATA 0, offsetof(AVCodecParameters, coded_side_data), offsetof(AVCodecParameters, nb_coded_side_data)
#else
#define FS_SIDE_DATA 1, offsetof(AVStream, side_data), offsetof(AVStream, nb_side_data)
#endif

#define FS_OFFSET(type, field) offsetof(type, field),
#define FS_OWN_LAYOUT { FS_MOVING(FS_OFFSET) FS_SIDE_DATA, LIBAVUTIL_VERSION_MAJOR < 58 }
struct fs_layout fs_layout = FS_OWN_LAYOUT;

// The releases that this runs with: first the one that it is compiled with, which need not be known otherwise.
#define FS_NUMBER(type, field, place) place,
static const struct release {
    int avutil, avcodec, avformat, swscale;
    struct fs_layout layout;
} releases[] = {
    { LIBAVUTIL_VERSION_MAJOR, LIBAVCODEC_VERSION_MAJOR, LIBAVFORMAT_VERSION_MAJOR, LIBSWSCALE_VERSION_MAJOR, FS_OWN_LAYOUT },
#if LIBAVCODEC_VERSION_MAJOR == 59 || LIBAVCODEC_VERSION_MAJOR == 61
    { 59, 61, 61, 8, { FS_PLACES_61(FS_NUMBER) 0, 32, 40, 0 } },
    { 57, 59, 59, 6, { FS_PLACES_59(FS_NUMBER) 1, 184, 192, 1 } },
#endif
};

#if LIBAVCODEC_VERSION_MAJOR == 59 || LIBAVCODEC_VERSION_MAJOR == 61
#define FS_CHECK(type, field, place) _Static_assert(offsetof(type, field) == place, #type "." #field " lies elsewhere");
FS_RESTING(FS_CHECK)
#if LIBAVCODEC_VERSION_MAJOR == 59
FS_PLACES_59(FS_CHECK)
_Static_assert(offsetof(AVStream, side_data) == 184 && offsetof(AVStream, nb_side_data) == 192, "side data lie elsewhere");
#else
FS_PLACES_61(FS_CHECK)
_Static_assert(
    offsetof(AVCodecParameters, coded_side_data) == 32 && offsetof(AVCodecParameters, nb_coded_side_data) == 40,
    "side data lie elsewhere");
#endif
// Numbers that Swift takes from the headers are the same in both, but for pixel formats behind XVMC.
_Static_assert(
    AV_CODEC_ID_MJPEG == 7 && AV_CODEC_ID_RAWVIDEO == 13 && AV_CODEC_ID_H264 == 27 && AV_CODEC_ID_HEVC == 173,
    "codecs have other numbers");
#endif

static struct fs_ffmpeg functions;
static int is_loaded;
static char missing[512];
static pthread_once_t once = PTHREAD_ONCE_INIT;

// Kept by thread: the libraries complain in the thread that called them, just before they return an error.
static _Thread_local char complaint[512];

static void keep_complaint(void *object, int level, const char *format, va_list arguments)
{
    (void)object;
    // What a decoder says after a refused size names no size.
    if (level > AV_LOG_ERROR || !strncmp(complaint, "Picture size", 12))
        return;
    vsnprintf(complaint, sizeof complaint, format, arguments);
    complaint[strcspn(complaint, "\r\n")] = 0;
}

static void *open_library(const char *name, int major)
{
    char file[32];
    snprintf(file, sizeof file, "lib%s.so.%d", name, major);
    void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    // The first that was not there is what people can install: that of the release that this is compiled with.
    if (!library && !missing[0])
        snprintf(missing, sizeof missing, "%s", dlerror());
    return library;
}

static int find(void *library, const char *name, void *field)
{
    void *address = dlsym(library, name);
    if (!address) {
        snprintf(missing, sizeof missing, "%s", dlerror());
        return 0;
    }
    memcpy(field, &address, sizeof address);
    return 1;
}

static void load(void)
{
    void *avutil = 0, *avcodec = 0, *avformat = 0, *swscale = 0;
    for (size_t i = 0; i < sizeof releases / sizeof *releases && !swscale; i++) {
        const struct release *release = &releases[i];
        avutil = open_library("avutil", release->avutil);
        avcodec = avutil ? open_library("avcodec", release->avcodec) : 0;
        avformat = avcodec ? open_library("avformat", release->avformat) : 0;
        swscale = avformat ? open_library("swscale", release->swscale) : 0;
        if (swscale)
            fs_layout = release->layout;
    }
    if (!swscale)
        return;
#define FS_FIND_AVUTIL(name) if (!find(avutil, #name, &functions.name)) return;
#define FS_FIND_AVCODEC(name) if (!find(avcodec, #name, &functions.name)) return;
#define FS_FIND_AVFORMAT(name) if (!find(avformat, #name, &functions.name)) return;
#define FS_FIND_SWSCALE(name) if (!find(swscale, #name, &functions.name)) return;
    FS_AVUTIL(FS_FIND_AVUTIL)
    FS_AVCODEC(FS_FIND_AVCODEC)
    FS_AVFORMAT(FS_FIND_AVFORMAT)
    FS_SWSCALE(FS_FIND_SWSCALE)
    functions.av_log_set_callback(keep_complaint);
    functions.avformat_network_init();
    is_loaded = 1;
}

const struct fs_ffmpeg *fs_ffmpeg(void)
{
    pthread_once(&once, load);
    return is_loaded ? &functions : 0;
}

const char *fs_ffmpeg_missing(void) { return missing; }

int fs_ffmpeg_complaint(char *text, int capacity)
{
    int length = snprintf(text, capacity, "%s", complaint);
    complaint[0] = 0;
    return length < capacity ? length : capacity - 1;
}
#endif
