/*
 * libcamera (C++, https://libcamera.org) as C: all that Swift sees of it.
 *
 * Calls return 0 or more, or a negative errno with its reason in `error`. A camera's calls come from one thread at a time,
 * but for fs_lc_set_control, which may come from any. Built without the package trait Libcamera, every call fails with
 * -ENOSYS.
 */
#ifndef LIBCAMERA_SHIM_H
#define LIBCAMERA_SHIM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    FS_LC_MAX_STREAMS = 4,
    FS_LC_MAX_PLANES = 4,
    FS_LC_TEXT = 256,
};

/* Where a reason is written: at least FS_LC_TEXT bytes. */
typedef char *fs_lc_error;

/* libcamera's version such as "0.3.2"; "" where it is not built in. */
const char *fs_lc_version(void);

/* A value of libcamera's types. */
enum fs_lc_type {
    FS_LC_OTHER = 0,        /* `data` is its text */
    FS_LC_BOOL = 1,         /* uint8_t */
    FS_LC_BYTE = 2,         /* uint8_t */
    FS_LC_INT32 = 3,
    FS_LC_INT64 = 4,
    FS_LC_FLOAT = 5,
    FS_LC_STRING = 6,
    FS_LC_RECTANGLE = 7,    /* int32_t x, y; uint32_t width, height */
    FS_LC_SIZE = 8,         /* uint32_t width, height */
};

/* A control, property or entry of metadata, valid during the call. */
struct fs_lc_value {
    const char *name;
    int32_t type;
    int32_t is_array;
    size_t count;
    const void *data;
};
typedef void (*fs_lc_values)(void *context, const struct fs_lc_value *value);

/* A control that a camera has; the texts are as libcamera writes its values. */
struct fs_lc_control {
    const char *name;
    int32_t type;
    const char *minimum, *maximum, *standard;
};
typedef void (*fs_lc_controls)(void *context, const struct fs_lc_control *control);

/* ---- the camera manager: at most one in a process at a time */

typedef struct fs_lc_manager fs_lc_manager;

int fs_lc_manager_start(fs_lc_manager **manager, fs_lc_error error);
/* Every camera is closed before. */
void fs_lc_manager_stop(fs_lc_manager *manager);
size_t fs_lc_camera_count(fs_lc_manager *manager);
/* The camera's id, NULL beyond the last; valid until the list changes. */
const char *fs_lc_camera_id(fs_lc_manager *manager, size_t index);
int fs_lc_properties(fs_lc_manager *manager, const char *id, fs_lc_values body, void *context);
int fs_lc_camera_controls(fs_lc_manager *manager, const char *id, fs_lc_controls body, void *context);

/* ---- a camera */

typedef struct fs_lc_camera fs_lc_camera;

enum fs_lc_role { FS_LC_VIEWFINDER = 0, FS_LC_VIDEO = 1, FS_LC_STILL = 2, FS_LC_RAW = 3 };

/* What is wanted of a stream, zero where anything will do; and what the camera makes of it. */
struct fs_lc_stream {
    int32_t role;
    uint32_t width, height;
    uint32_t fourcc;
    uint64_t modifier;
    uint32_t buffers;
    /* From here on written by fs_lc_configure(). */
    uint32_t stride, frame_size;
    /* libcamera's enumerations, from 0; -1: not known. */
    int32_t primaries, transfer, encoding, range;
};

struct fs_lc_plane {
    int32_t fd;
    uint32_t offset, length;
};

/* A frame of all streams. */
struct fs_lc_frame {
    uint32_t slot;
    /* 0: complete; 1: cancelled. */
    int32_t status;
    uint32_t sequence;
    /* Of the first stream's buffer, in ns. */
    uint64_t timestamp;
    uint32_t planes[FS_LC_MAX_STREAMS];
    uint32_t bytes_used[FS_LC_MAX_STREAMS][FS_LC_MAX_PLANES];
    /* libcamera's FrameMetadata::Status of each stream's buffer. */
    int32_t buffer_status[FS_LC_MAX_STREAMS];
};

/* Takes a camera for this process alone: -ENODEV, -EBUSY. */
int fs_lc_open(fs_lc_manager *manager, const char *id, fs_lc_camera **camera, fs_lc_error error);
void fs_lc_close(fs_lc_camera *camera);

/* 0: as asked; 1: adjusted. `orientation`: libcamera's, as EXIF numbers it; 0: as it is. */
int fs_lc_configure(fs_lc_camera *camera, struct fs_lc_stream *streams, size_t count, int orientation, fs_lc_error error);

/* Makes the buffers by the camera's own driver; returns how many slots there are: the fewest of any stream. */
int fs_lc_allocate(fs_lc_camera *camera, fs_lc_error error);
/* Or takes those made elsewhere: `planes` of each slot, and in it of each stream, `plane_counts` of each stream. */
int fs_lc_import(fs_lc_camera *camera, const struct fs_lc_plane *planes, const uint32_t *plane_counts, size_t slots,
                 fs_lc_error error);
/* The planes of a buffer; returns how many. The descriptors are the camera's: duplicate them. */
int fs_lc_planes(fs_lc_camera *camera, size_t stream, size_t slot, struct fs_lc_plane planes[FS_LC_MAX_PLANES]);

int fs_lc_start(fs_lc_camera *camera, fs_lc_error error);
/* What was queued is cancelled. */
void fs_lc_stop(fs_lc_camera *camera);
int fs_lc_queue(fs_lc_camera *camera, uint32_t slot, fs_lc_error error);
/* Readable (an eventfd) when a frame has completed or the camera has gone. The camera's own. */
int fs_lc_descriptor(fs_lc_camera *camera);
/* 1: a frame; 0: none now; -ENODEV: the camera has gone. */
int fs_lc_next(fs_lc_camera *camera, struct fs_lc_frame *frame);
/* The metadata of a completed frame, until it is queued again. */
void fs_lc_metadata(fs_lc_camera *camera, uint32_t slot, fs_lc_values body, void *context);

/* Sets a control by libcamera's name from text ("8000", "true", "1.5,2.0", "0,0/1920x1080", "auto" of an enumeration is not
 * known: give its number): at start, or with the next frame that is queued. -ENOENT: no such control; -EINVAL: not a value
 * of its type; -ERANGE: out of its range. */
int fs_lc_set_control(fs_lc_camera *camera, const char *name, const char *text, fs_lc_error error);

#ifdef __cplusplus
}
#endif
#endif
