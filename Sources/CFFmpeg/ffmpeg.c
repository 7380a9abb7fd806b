#define _GNU_SOURCE
#include "include/CFFmpeg.h"

#ifdef CFFMPEG_H_HAS_FFMPEG
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define FS_TEXT(x) #x
#define FS_EXPANDED(x) FS_TEXT(x)
#define FS_SONAME(name, version) "lib" name ".so." FS_EXPANDED(version)

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

static void *open_library(const char *name)
{
    void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (!library)
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
    void *avutil = open_library(FS_SONAME("avutil", LIBAVUTIL_VERSION_MAJOR));
    void *avcodec = avutil ? open_library(FS_SONAME("avcodec", LIBAVCODEC_VERSION_MAJOR)) : 0;
    void *avformat = avcodec ? open_library(FS_SONAME("avformat", LIBAVFORMAT_VERSION_MAJOR)) : 0;
    void *swscale = avformat ? open_library(FS_SONAME("swscale", LIBSWSCALE_VERSION_MAJOR)) : 0;
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
