/*
 * frameshare.h: one camera, many programs, the same pixels. The C face of FrameShare.
 *
 * A publisher process owns a camera and its buffers; subscriber processes see each frame in the very memory that the
 * camera wrote. Link with -lframeshare (pkg-config frameshare, or CMake's find_package(frameshare)). Linux, 64-bit.
 *
 *     frameshare_subscriber *camera;
 *     if (frameshare_subscriber_open("camera0", NULL, &camera) != FRAMESHARE_OK) {
 *         fprintf(stderr, "%s\n", frameshare_last_error());
 *         return 1;
 *     }
 *     frameshare_frame *frame;
 *     while (frameshare_subscriber_next(camera, FRAMESHARE_FOREVER, &frame) == FRAMESHARE_OK) {
 *         struct frameshare_image image = frameshare_image_init();
 *         if (frameshare_frame_image(frame, "main", &image) == FRAMESHARE_OK) look(image.planes[0].data, &image);
 *         frameshare_frame_release(frame);
 *     }
 *     frameshare_subscriber_close(camera);
 *
 * Results. Every function returns FRAMESHARE_OK (0); a positive number where nothing failed but there is no result
 * (FRAMESHARE_ENDED, FRAMESHARE_NO_FRAME); or a negative error. Then frameshare_last_error() has the reason in words,
 * for the calling thread, until its next error. Where a call fails, what it was to write is left as it was, but for the
 * handle it was to make, which is NULL.
 *
 * Handles (frameshare_subscriber *, frameshare_frame *, ...) are opaque: they point nowhere, and the library knows which
 * of them it gave out. NULL, a handle that was closed or released, and one of another kind are answered with
 * FRAMESHARE_ERROR_INVALID_HANDLE. What a handle's images point to must not be used after it was released.
 *
 * Threads. Any function may be called from any thread at any time, also on the same handle. A thread that waits on
 * a handle which another thread closes gets FRAMESHARE_ERROR_CLOSED.
 *
 * Fork. In a child that was made by fork without exec after the library had made its first handle, every call is answered
 * with FRAMESHARE_ERROR_FORKED. Fork first, or start other programs, or use Python's "spawn". A child keeps its parent's
 * connections open until it ends or execs.
 *
 * Times are in nanoseconds. A timeout of FRAMESHARE_FOREVER (or any below 0) never passes; 0 does not wait.
 *
 * Structs begin with struct_size, set by their frameshare_..._init() function; zero everywhere else asks for the
 * defaults. Later releases of the same major version add members at the end alone, so that programs built with an older
 * header keep working: the library reads and writes no more than struct_size bytes. A struct longer than the library
 * knows is taken if what it does not know is zero. Structs without struct_size never change. SONAME follows the major
 * version.
 *
 * All text is UTF-8 and ends with a zero byte.
 */
#ifndef FRAMESHARE_H
#define FRAMESHARE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FRAMESHARE_VERSION_MAJOR 0
#define FRAMESHARE_VERSION_MINOR 2
#define FRAMESHARE_VERSION_PATCH 0

/* A timeout that never passes. */
#define FRAMESHARE_FOREVER ((int64_t)-1)

/* ------------------------------------------------------------------------------------------------ results */

enum {
    FRAMESHARE_OK = 0,
    /* The channel has ended in order: no more frames will come. */
    FRAMESHARE_ENDED = 1,
    /* There is no frame, or no free slot, at this moment. */
    FRAMESHARE_NO_FRAME = 2,
    /* There is no such key, or no further entry. */
    FRAMESHARE_NOT_FOUND = 3,

    /* A required pointer is NULL, or a number or text is not possible. */
    FRAMESHARE_ERROR_INVALID_ARGUMENT = -1,
    /* NULL, or a handle that was closed or released, or never given out. */
    FRAMESHARE_ERROR_INVALID_HANDLE = -2,
    /* The caller's buffer is too small; the size needed was written where there is a parameter for it. */
    FRAMESHARE_ERROR_TOO_SMALL = -3,
    /* This process was forked after the library had been used. */
    FRAMESHARE_ERROR_FORKED = -4,
    /* The channel folder is missing or can't be used. */
    FRAMESHARE_ERROR_DIRECTORY = -5,
    /* The channel is published already. */
    FRAMESHARE_ERROR_CHANNEL_IN_USE = -6,
    /* An image layout, a format, or a pool of such a shape is not possible. */
    FRAMESHARE_ERROR_LAYOUT = -7,
    /* Memory could not be had, or what was given is not safe to share. */
    FRAMESHARE_ERROR_MEMORY = -8,
    /* A frame's metadata is too large or malformed. */
    FRAMESHARE_ERROR_METADATA = -9,
    /* The source does not hold this slot. */
    FRAMESHARE_ERROR_SLOT = -10,
    /* Nobody publishes such a channel. */
    FRAMESHARE_ERROR_NO_SUCH_CHANNEL = -11,
    /* The channel does not let this user in. */
    FRAMESHARE_ERROR_NOT_ALLOWED = -12,
    /* The publisher refused, such as for want of slots to reserve. */
    FRAMESHARE_ERROR_REFUSED = -13,
    /* The other side is of another release, whose protocol differs. */
    FRAMESHARE_ERROR_VERSION = -14,
    /* The frame or slot has no such stream. (A publisher refuses who asks for one that it has not.) */
    FRAMESHARE_ERROR_NO_SUCH_STREAM = -15,
    /* This process has no file descriptors left. */
    FRAMESHARE_ERROR_OUT_OF_DESCRIPTORS = -16,
    /* The time has passed. */
    FRAMESHARE_ERROR_TIMED_OUT = -17,
    /* frameshare_subscriber_interrupt() was called, or a signal has come: frameshare_set_interruptible(). */
    FRAMESHARE_ERROR_INTERRUPTED = -18,
    /* This process has closed it. */
    FRAMESHARE_ERROR_CLOSED = -19,
    /* The publisher has gone without a goodbye. */
    FRAMESHARE_ERROR_PUBLISHER_LOST = -20,
    /* The source has failed. */
    FRAMESHARE_ERROR_SOURCE_FAILED = -21,
    /* The publisher has ended this subscription. */
    FRAMESHARE_ERROR_DISCONNECTED = -22,
    /* The other side broke the protocol. */
    FRAMESHARE_ERROR_PROTOCOL = -23,
    /* The subscriber was opened without `pollable`. */
    FRAMESHARE_ERROR_NOT_POLLABLE = -24,
    /* A system call failed. */
    FRAMESHARE_ERROR_SYSTEM = -25,
    /* The metadata entry has another type. */
    FRAMESHARE_ERROR_TYPE = -26,
    /* The group has no member. */
    FRAMESHARE_ERROR_NO_WORKER = -27,
    /* No member of the group had room for the frame. */
    FRAMESHARE_ERROR_BUSY = -28,
    /* The frame was taken back before a worker took it: a newer one took its place, or the pool ran short. */
    FRAMESHARE_ERROR_WITHDRAWN = -29,
    /* The worker said that it could not, and why. */
    FRAMESHARE_ERROR_WORKER_FAILED = -30,
    /* The worker died or left, or was cut off, with the frame in its hands. */
    FRAMESHARE_ERROR_WORKER_LOST = -31,
    /* No answer came before the request's deadline. */
    FRAMESHARE_ERROR_DEADLINE = -32,
    /* frameshare_pending_cancel() was called. */
    FRAMESHARE_ERROR_CANCELLED = -33,
    /* Answers to later frames filled the window of results in order. */
    FRAMESHARE_ERROR_PASSED_OVER = -34
};

/* The reason of the calling thread's last error, in words; "" before the first. Valid until that thread's next error. */
const char *frameshare_last_error(void);

/* A result's name, such as "FRAMESHARE_ERROR_TIMED_OUT"; "unknown" for other numbers. */
const char *frameshare_result_name(int result);

/* Not 0: from now on a signal whose handler runs in the calling thread, and has no SA_RESTART, ends that thread's waits for
 * channels, frames, slots, subscribers, answers, results and settings, as it ends system calls: they return
 * FRAMESHARE_ERROR_INTERRUPTED, and may be made again. 0: they go on, which is how each thread begins. A signal that came before this call is forgotten. One that comes
 * in the moment before the thread sleeps may be noticed only when the wait ends otherwise: wait no longer at a time than it
 * may take. */
int frameshare_set_interruptible(int on);

/* The library's own version, such as "0.2.0". */
const char *frameshare_version(void);

/* ------------------------------------------------------------------------------------------------ formats */

/* Most planes of an image, buffers of an image, and streams of a channel. */
#define FRAMESHARE_MAX_PLANES 4
#define FRAMESHARE_MAX_STREAMS 8
/* Room for the name of a stream, a subscriber, a format, and the description of a colour space, zero byte included. */
#define FRAMESHARE_STREAM_NAME_SIZE 40
#define FRAMESHARE_NAME_SIZE 72

/* What a format's samples mean. */
enum {
    FRAMESHARE_COLOR_YUV = 0,
    FRAMESHARE_COLOR_RGB = 1,
    FRAMESHARE_COLOR_GREY = 2,
    /* A colour sensor's raw samples; bayer_order says which. */
    FRAMESHARE_COLOR_BAYER = 3,
    FRAMESHARE_COLOR_COMPRESSED = 4
};

/* How raw and grey samples are packed. */
enum {
    /* A byte, or a 16-bit word with the sample in its low bits. */
    FRAMESHARE_PACKING_NONE = 0,
    /* MIPI CSI-2: 10 bits in 5 bytes for 4 pixels, 12 bits in 3 bytes for 2, 14 bits in 7 bytes for 4. */
    FRAMESHARE_PACKING_CSI2 = 1,
    /* A Raspberry Pi 5's compression: 8 pixels in 8 bytes, which decode to 16 bits. */
    FRAMESHARE_PACKING_PISP_COMP1 = 2
};

/* The colours of a 2x2 filter pattern, first row first. */
enum {
    FRAMESHARE_BAYER_BGGR = 0,
    FRAMESHARE_BAYER_GBRG = 1,
    FRAMESHARE_BAYER_GRBG = 2,
    FRAMESHARE_BAYER_RGGB = 3
};

/* One sample of a group of pixels. */
enum {
    FRAMESHARE_COMPONENT_Y = 0,
    FRAMESHARE_COMPONENT_U = 1,
    FRAMESHARE_COMPONENT_V = 2,
    FRAMESHARE_COMPONENT_R = 3,
    FRAMESHARE_COMPONENT_G = 4,
    FRAMESHARE_COMPONENT_B = 5,
    FRAMESHARE_COMPONENT_A = 6,
    /* Padding of any value. */
    FRAMESHARE_COMPONENT_X = 7,
    FRAMESHARE_COMPONENT_RAW = 8
};

/* One plane of a format: its pixels come in groups of a whole number of bytes. */
struct frameshare_plane_info {
    /* How many columns, and rows, of the image one of this plane stands for. */
    uint8_t horizontal_subsampling;
    uint8_t vertical_subsampling;
    uint8_t bytes_per_group;
    /* Counted in this plane's columns. */
    uint8_t pixels_per_group;
    uint8_t component_count;
    /* In memory order, lowest address (or lowest bits) first. */
    uint8_t components[8];
    uint8_t reserved[3];
};

/* What is known of a format. */
struct frameshare_format_info {
    uint32_t struct_size;
    /* A DRM code, or libcamera's own; and its modifier, 0 for most. */
    uint32_t fourcc;
    uint64_t modifier;
    /* libcamera's name: "YUV420", "SRGGB10_CSI2P". */
    char name[FRAMESHARE_NAME_SIZE];
    uint8_t color_model;
    /* Bits of a sample that carry the image; 0 for compressed formats. */
    uint8_t bit_depth;
    uint8_t packing;
    uint8_t bayer_order;
    /* 0 for a compressed format, which has one plane of bytes. */
    uint32_t plane_count;
    struct frameshare_plane_info planes[FRAMESHARE_MAX_PLANES];
};

/* Finds a format by name, upper or lower case: libcamera's, a V4L2 or DRM code, a common alias ("RGB24", "I420"). DRM
 * names formats by little-endian words: "RGB888" is blue, green, red in memory, "BGR888" red, green, blue. */
int frameshare_format_by_name(const char *name, struct frameshare_format_info *info);

/* What is known of a format; FRAMESHARE_NOT_FOUND for one that the library does not know. */
int frameshare_format_get(uint32_t fourcc, uint64_t modifier, struct frameshare_format_info *info);

/* The known formats in a fixed order, from index 0; FRAMESHARE_NOT_FOUND beyond the last. */
int frameshare_format_at(size_t index, struct frameshare_format_info *info);

/* ------------------------------------------------------------------------------------------------ streams */

/* What samples mean as colours. The numbers are fixed; 0 is unknown. */
struct frameshare_color_space {
    /* 1 raw, 2 SMPTE 170M, 3 Rec. 709 and sRGB, 4 Rec. 2020 */
    uint8_t primaries;
    /* 1 linear, 2 sRGB, 3 Rec. 709 */
    uint8_t transfer;
    /* 1 none (RGB, raw), 2 Rec. 601, 3 Rec. 709, 4 Rec. 2020 */
    uint8_t encoding;
    /* 1 full, 2 limited */
    uint8_t range;
};

/* Where a plane lies in its buffer, in bytes. */
struct frameshare_plane_layout {
    uint64_t offset;
    /* From one row to the next; 0 for a compressed format. */
    uint64_t stride;
    /* Padding included; of a compressed image the most it can have. */
    uint64_t size;
    /* Which of the image's buffers holds it: 0 unless there are several. */
    uint32_t buffer;
    uint32_t reserved;
};

/* A stream of a channel: a name, and how its images lie in memory. */
struct frameshare_stream {
    uint32_t struct_size;
    uint32_t width;
    uint32_t height;
    uint32_t fourcc;
    uint64_t modifier;
    struct frameshare_color_space color_space;
    uint32_t plane_count;
    struct frameshare_plane_layout planes[FRAMESHARE_MAX_PLANES];
    /* 1 to 32 letters, digits, '.', '_' or '-'. */
    char name[FRAMESHARE_STREAM_NAME_SIZE];
};

/* Fills in a stream whose planes lie back to back in one buffer, each row starting at a multiple of `alignment` bytes (0
 * or 1: packed). `format` is a name as frameshare_format_by_name() takes. */
int frameshare_stream_compute(const char *name, uint32_t width, uint32_t height, const char *format,
                              uint32_t alignment, struct frameshare_stream *stream);

/* Fills in a stream of plain bytes: a compressed or unknown format, with `capacity` bytes at most in a frame. */
int frameshare_stream_opaque(const char *name, uint32_t width, uint32_t height, uint32_t fourcc, uint64_t modifier,
                             uint64_t capacity, struct frameshare_stream *stream);

/* Reads "sRGB", "sYCC", "SMPTE170M", "Rec709", "Rec2020", "RAW", or four properties "Rec709/sRGB/Rec601/Full". */
int frameshare_color_space_by_name(const char *name, struct frameshare_color_space *space);

/* Writes that name, cut off at `size` bytes. */
int frameshare_color_space_name(struct frameshare_color_space space, char *name, size_t size);

/* ------------------------------------------------------------------------------------------------ images */

/* What kind of memory pixels are in. */
enum {
    FRAMESHARE_MEMORY_MEMFD = 1,
    FRAMESHARE_MEMORY_DMA_HEAP = 2,
    FRAMESHARE_MEMORY_UDMABUF = 3,
    /* A driver's own buffer. */
    FRAMESHARE_MEMORY_DMA_BUF = 4
};

/* What keeps readers from writing to it. */
enum {
    FRAMESHARE_PROTECTION_SEALED = 1,
    FRAMESHARE_PROTECTION_READ_ONLY_EXPORT = 2,
    /* Nothing but good manners: it is mapped read-only. */
    FRAMESHARE_PROTECTION_NONE = 3
};

/* A plane of an image, in place. */
struct frameshare_plane {
    /* Its first byte; NULL where the CPU can't map the memory. Of a subscriber's frame it is mapped read-only: writing
     * faults. */
    void *data;
    /* The bytes from one row to the next; 0 for a compressed format. */
    size_t stride;
    /* Its bytes, padding included. */
    size_t size;
    /* How many of them hold data: less than `size` for a compressed image. */
    size_t bytes_used;
    /* The bytes of pixels in a row, and the rows; 0 for compressed and unknown formats. */
    size_t row_bytes;
    size_t rows;
    /* Where it begins in `fd`. Slots of a library's memfd share one descriptor, so this differs from slot to slot. */
    size_t offset;
    /* The buffer's descriptor (dma-buf or memfd), for import into a GPU, encoder or display: the library's, so duplicate
     * it to keep it. `fd` and `offset` are the same each time the slot comes round. */
    int fd;
    /* Which of the image's buffers it lies in. */
    uint32_t buffer;
};

/* An image of a frame or of a slot. */
struct frameshare_image {
    uint32_t struct_size;
    uint32_t width;
    uint32_t height;
    uint32_t fourcc;
    uint64_t modifier;
    struct frameshare_color_space color_space;
    uint32_t plane_count;
    /* FRAMESHARE_MEMORY_..., FRAMESHARE_PROTECTION_... */
    uint32_t memory;
    uint32_t protection;
    struct frameshare_plane planes[FRAMESHARE_MAX_PLANES];
    char stream[FRAMESHARE_STREAM_NAME_SIZE];
};

/* ------------------------------------------------------------------------------------------------ metadata */

/* The types of a metadata value; libcamera's control types map onto them. | FRAMESHARE_TYPE_ARRAY: several. */
enum {
    FRAMESHARE_TYPE_BOOL = 1,
    FRAMESHARE_TYPE_INT32 = 2,
    FRAMESHARE_TYPE_INT64 = 3,
    FRAMESHARE_TYPE_FLOAT = 4,
    FRAMESHARE_TYPE_DOUBLE = 5,
    FRAMESHARE_TYPE_STRING = 6,
    FRAMESHARE_TYPE_BYTES = 7,
    /* int32 x, int32 y, uint32 width, uint32 height */
    FRAMESHARE_TYPE_RECTANGLE = 8,
    /* uint32 width, uint32 height */
    FRAMESHARE_TYPE_SIZE = 9,
    FRAMESHARE_TYPE_ARRAY = 0x80
};

/* An entry of a frame's metadata, where it lies. */
struct frameshare_entry {
    /* Not zero-terminated. */
    const char *key;
    size_t key_size;
    /* FRAMESHARE_TYPE_... */
    uint32_t type;
    uint32_t reserved;
    /* The value's bytes, little-endian and at any address: copy them (memcpy) before use. A string has no zero byte at
     * its end; an array of strings has 4 bytes of length before each. */
    const void *data;
    size_t size;
};

/* Metadata that is being made for a frame to be published. May be used again and again. */
typedef struct frameshare_metadata frameshare_metadata;

int frameshare_metadata_create(frameshare_metadata **metadata);

/* Sets a key (1 to 255 bytes) to a value of `size` bytes, in the form in which frameshare_entry has them. */
int frameshare_metadata_set(frameshare_metadata *metadata, const char *key, uint32_t type, const void *data,
                            size_t size);
int frameshare_metadata_set_bool(frameshare_metadata *metadata, const char *key, int value);
int frameshare_metadata_set_int32(frameshare_metadata *metadata, const char *key, int32_t value);
int frameshare_metadata_set_int64(frameshare_metadata *metadata, const char *key, int64_t value);
int frameshare_metadata_set_float(frameshare_metadata *metadata, const char *key, float value);
int frameshare_metadata_set_double(frameshare_metadata *metadata, const char *key, double value);
int frameshare_metadata_set_string(frameshare_metadata *metadata, const char *key, const char *value);

/* Takes a key out; nothing happens where it is not there. */
int frameshare_metadata_remove(frameshare_metadata *metadata, const char *key);

/* Takes all keys out. */
int frameshare_metadata_clear(frameshare_metadata *metadata);

int frameshare_metadata_destroy(frameshare_metadata *metadata);

/* ------------------------------------------------------------------------------------------------ frames */

/* The clocks of timestamps. */
enum {
    FRAMESHARE_CLOCK_UNKNOWN = 0,
    FRAMESHARE_CLOCK_MONOTONIC = 1,
    /* libcamera's SensorTimestamp. */
    FRAMESHARE_CLOCK_BOOTTIME = 2,
    FRAMESHARE_CLOCK_REALTIME = 3
};

/* What is particular about a frame. */
enum {
    /* The data may be damaged: the driver says so, or it is no whole image (shorter than the layout's rows, JPEG without its
     * start or end, H.264 without a start code). The publisher's side sets it by itself. */
    FRAMESHARE_FLAG_ERROR = 1,
    /* Exposure and white balance have not settled yet. */
    FRAMESHARE_FLAG_STARTUP = 2,
    /* The first frame after a break in the source, or after the subscriber connected again. */
    FRAMESHARE_FLAG_DISCONTINUITY = 4,
    /* A compressed frame that can be decoded alone. */
    FRAMESHARE_FLAG_KEYFRAME = 8
};

/* Whether a source runs. One that runs on demand sleeps while nobody wants its frames. */
enum {
    /* It does not depend on subscribers. */
    FRAMESHARE_SOURCE_ALWAYS_ON = 0,
    FRAMESHARE_SOURCE_ASLEEP = 1,
    FRAMESHARE_SOURCE_STARTING = 2,
    FRAMESHARE_SOURCE_RUNNING = 3,
    /* The last subscriber has left. The source goes on for a while. */
    FRAMESHARE_SOURCE_LINGERING = 4,
    /* It could not be started, and is tried again soon. */
    FRAMESHARE_SOURCE_WAITING = 5
};

/* A frame that this process holds: a lease on its slot. */
typedef struct frameshare_frame frameshare_frame;

/* The numbers of a frame. */
struct frameshare_frame_info {
    uint32_t struct_size;
    /* FRAMESHARE_FLAG_... */
    uint32_t flags;
    /* The source's own count; its gaps are frames that the source lost. */
    uint64_t sequence;
    /* Counts the channel's published frames from 1. */
    uint64_t number;
    /* When it was captured, and on which clock. */
    int64_t timestamp;
    uint32_t clock;
    /* Counts reconfigurations, from 1. */
    uint32_t generation;
    /* When it was published, on the monotonic clock. */
    int64_t publish_timestamp;
    /* Frames lost since the one before, as this subscriber saw it: by the source, for want of a free slot, by this
     * subscriber's own policy or budget. */
    uint64_t lost_source;
    uint64_t lost_no_free_slot;
    uint64_t lost_policy;
    uint32_t stream_count;
    /* Bytes of metadata. */
    uint32_t metadata_size;
    /* Which of its generation's slots it lies in: frameshare_pool_image(). */
    uint32_t slot;
    /* 1: the first frame after the subscriber connected again. What was lost before it is unknown, and in none of the counts. */
    uint32_t lost_unknown;
};

int frameshare_frame_get_info(const frameshare_frame *frame, struct frameshare_frame_info *info);

/* The image of a stream that was subscribed to; NULL: the first. Its pointers are valid until the frame is released. */
int frameshare_frame_image(const frameshare_frame *frame, const char *stream, struct frameshare_image *image);

/* The image at a place among the streams subscribed to, from 0; FRAMESHARE_NOT_FOUND beyond the last. */
int frameshare_frame_image_at(const frameshare_frame *frame, size_t index, struct frameshare_image *image);

/* The metadata entry under a key; FRAMESHARE_NOT_FOUND where there is none. Its pointers are valid until the frame is
 * released. */
int frameshare_frame_metadata(const frameshare_frame *frame, const char *key, struct frameshare_entry *entry);

/* The entries one after the other: begin with *cursor = 0; FRAMESHARE_NOT_FOUND after the last. */
int frameshare_frame_metadata_next(const frameshare_frame *frame, size_t *cursor, struct frameshare_entry *entry);

/* A number under a key: a bool, int32 or int64; any number for _double. FRAMESHARE_ERROR_TYPE for another type. */
int frameshare_frame_metadata_int64(const frameshare_frame *frame, const char *key, int64_t *value);
int frameshare_frame_metadata_double(const frameshare_frame *frame, const char *key, double *value);

/* A string under a key, zero-terminated. *needed, where not NULL, gets the size it takes. */
int frameshare_frame_metadata_string(const frameshare_frame *frame, const char *key, char *value, size_t size,
                                     size_t *needed);

/* Writes 1 if the publisher has taken the frame back before its lease ended (it was held for longer than the publisher
 * allows, or this subscriber was cut off), else 0. The bytes stay readable but may be another frame's. Ask after
 * reading: as long as this is 0, what was read is what was published. */
int frameshare_frame_is_revoked(const frameshare_frame *frame, int *revoked);

/* Ends the lease. Frames may be released in any order, by any thread. */
int frameshare_frame_release(frameshare_frame *frame);

/* ------------------------------------------------------------------------------------------------ subscribing */

/* How frames that come faster than they are taken are dealt with. */
enum {
    /* The newest frame only. */
    FRAMESHARE_POLICY_LATEST = 0,
    /* Up to queue_depth frames wait, then the oldest is withdrawn. */
    FRAMESHARE_POLICY_QUEUE = 1,
    /* Nothing that waits is withdrawn. Without room, a source that can wait (a file) does so; a camera goes on, and the newest
     * frame is lost. Always reserves its budget. */
    FRAMESHARE_POLICY_EVERY_FRAME = 2
};

/* What a reader does before it sleeps. */
enum {
    FRAMESHARE_WAIT_SLEEP = 0,
    /* Looks again and again for spin_time, then sleeps. */
    FRAMESHARE_WAIT_SPIN_THEN_SLEEP = 1,
    /* Never sleeps: takes a whole core. */
    FRAMESHARE_WAIT_SPIN = 2
};

typedef struct frameshare_subscriber frameshare_subscriber;

struct frameshare_subscriber_options {
    uint32_t struct_size;
    /* FRAMESHARE_POLICY_...; queue_depth 0: 4 frames. */
    uint32_t policy;
    uint32_t queue_depth;
    /* The most slots that can be pinned, counting what is queued; 0: one more than the policy queues. */
    uint32_t budget;
    /* Not 0: the budget is kept for this subscriber alone. */
    uint8_t reserve;
    /* Not 0: connects again, for ever, when the channel ends or its publisher dies. */
    uint8_t reconnect;
    /* Not 0: frameshare_subscriber_poll_fd() is wanted. */
    uint8_t pollable;
    /* FRAMESHARE_WAIT_... */
    uint8_t wait;
    /* The streams wanted; 0: all. */
    uint32_t stream_count;
    const char *const *streams;
    int64_t spin_time;
    /* How long connecting may take; 0: 5 seconds. */
    int64_t connect_timeout;
    /* What `frameshare top` shows; NULL: the program's name. */
    const char *name;
    /* The folder with the channel's socket; NULL: $FRAMESHARE_DIR, else $XDG_RUNTIME_DIR/frameshare, else
     * /run/frameshare for root. */
    const char *directory;
    /* The group whose work it shares: each frame goes to one member of it, which answers: frameshare_frame_request().
     * NULL: it is offered every frame, as others are. */
    const char *group;
    /* How long opening waits for a channel that is not there yet, in ns; 0: not at all; negative: for ever. */
    int64_t wait_for_channel;
    /* 1: the frames of the source's start-up are wanted, too: those with FRAMESHARE_FLAG_STARTUP. */
    uint32_t startup_frames;
    uint32_t startup_reserved;
    /* At most so many frames a second, evenly by their capture times, 1/3600 to 10000; 0: all. Of a group's members the most
     * demanding counts. The frames between are no losses, and wake nobody. */
    double rate;
    /* A wish: what is wanted of one stream's pixels. Where a stream of the channel is that, it is read in place; else one
     * converter makes it for all of this user's subscribers that wish the same (frameshare convert). 0 and NULL: as they are.
     * One of width and height alone keeps the shape. */
    uint32_t width;
    uint32_t height;
    /* The name of a format, such as "RGB888", "YUV420" or "R8". */
    const char *format;
    /* The part wanted, in the original's pixels. */
    uint32_t crop_x;
    uint32_t crop_y;
    uint32_t crop_width;
    uint32_t crop_height;
    /* Clockwise: 0, 90, 180 or 270 degrees. */
    uint32_t rotation;
    /* Not 0: left and right change places, after the rotation. */
    uint8_t mirror;
    uint8_t wish_reserved[3];
};

/* Connects to a channel. `options` may be NULL. */
int frameshare_subscriber_open(const char *channel, const struct frameshare_subscriber_options *options,
                               frameshare_subscriber **subscriber);

/* The name of a channel that publishes a source: a camera's device such as "/dev/video0", "libcamera", "libcamera:ID", or a
 * file. If there is none, a hidden owner of the source is started, one for all programs, which ends after its last reader.
 * `directory` may be NULL, `timeout` is in ns (0: 20 s). FRAMESHARE_NAME_SIZE bytes are enough for `channel`. */
int frameshare_source_channel(const char *source, const char *directory, int64_t timeout, char *channel, size_t size);

/* What is amiss with the source now, in its own words, such as a camera that can't be started; "": nothing. 512 bytes are
 * enough. */
int frameshare_subscriber_source_trouble(frameshare_subscriber *subscriber, char *text, size_t size);

/* The next frame; waits for it. FRAMESHARE_ENDED once the channel has ended in order; FRAMESHARE_ERROR_TIMED_OUT. None can
 * come to a subscriber that holds its whole budget of frames: then frameshare_last_error() says so, and a wait without an end
 * says it once on standard error. */
int frameshare_subscriber_next(frameshare_subscriber *subscriber, int64_t timeout, frameshare_frame **frame);

/* The next frame that was captured after a moment of the source's own clock; older ones are passed over. */
int frameshare_subscriber_next_after(frameshare_subscriber *subscriber, int64_t timestamp, int64_t timeout,
                                     frameshare_frame **frame);

/* The next frame if there is one, else FRAMESHARE_NO_FRAME. Never waits. */
int frameshare_subscriber_try_next(frameshare_subscriber *subscriber, frameshare_frame **frame);

/* A descriptor for event loops (poll, select, epoll, GLib, libuv): readable while frameshare_subscriber_try_next() has
 * something to return or to look after. It may be polled first, before any try, and is the same as long as the subscriber
 * lives, also when it connects again. Only poll it: it is an epoll descriptor of the subscriber's own. From the first call on
 * each frame that comes while the program polls costs the publisher a message. */
int frameshare_subscriber_poll_fd(frameshare_subscriber *subscriber, int *fd);

/* Makes every thread that waits in frameshare_subscriber_next() now return FRAMESHARE_ERROR_INTERRUPTED. */
int frameshare_subscriber_interrupt(frameshare_subscriber *subscriber);

/* The stream at a place among those subscribed to, from 0; FRAMESHARE_NOT_FOUND beyond the last. */
int frameshare_subscriber_stream_at(frameshare_subscriber *subscriber, size_t index,
                                    struct frameshare_stream *stream);

/* What came and what was lost so far, and who publishes. */
struct frameshare_subscriber_statistics {
    uint32_t struct_size;
    /* Frames held now. */
    uint32_t held;
    uint64_t delivered;
    uint64_t lost_source;
    uint64_t lost_no_free_slot;
    uint64_t lost_policy;
    /* 1 unless it reconnects. */
    uint64_t connections;
    /* From publication to taking: median, 99th percentile, largest. */
    uint64_t latency_p50;
    uint64_t latency_p99;
    uint64_t latency_max;
    int32_t publisher_pid;
    uint32_t publisher_uid;
    /* The slots of its pool. */
    uint32_t slots;
    /* 1 once it has connected again: what was lost between two connections is unknown, and in none of the counts. */
    uint32_t lost_unknown;
    /* Frames that were not offered since it asked for fewer: options.rate. No losses. */
    uint64_t passed_over;
};

int frameshare_subscriber_get_statistics(frameshare_subscriber *subscriber,
                                         struct frameshare_subscriber_statistics *statistics);

/* All buffers of a subscriber's pool at once, as they are mapped: to import them into a GPU, an encoder or another program's
 * pool once, before the first frame comes. Descriptors and mapping last as long as the handle, also after the channel was
 * reconfigured or the subscriber closed. */
typedef struct frameshare_pool frameshare_pool;

struct frameshare_pool_info {
    uint32_t struct_size;
    /* The generation whose frames lie in it. When a frame has another, ask for the pool again. */
    uint32_t generation;
    uint32_t slot_count;
    /* The first slot that is for copies, in ordinary memory; slot_count where there is none. */
    uint32_t first_copy_slot;
    uint32_t stream_count;
    uint32_t reserved;
};

/* The pool that the subscriber's frames lie in now. */
int frameshare_subscriber_pool(frameshare_subscriber *subscriber, frameshare_pool **pool);

int frameshare_pool_get_info(const frameshare_pool *pool, struct frameshare_pool_info *info);

/* Where a stream's image lies in a slot, from 0, whatever is in it: without a frame of that slot (frameshare_frame_info.slot),
 * the publisher writes to it at any time. `bytes_used` is `size`. `stream` NULL: the first. FRAMESHARE_NOT_FOUND beyond the
 * last slot. */
int frameshare_pool_image(const frameshare_pool *pool, uint32_t slot, const char *stream, struct frameshare_image *image);

int frameshare_pool_release(frameshare_pool *pool);

/* Leaves the channel. Frames that are still held stay valid. */
int frameshare_subscriber_close(frameshare_subscriber *subscriber);

/* Where a point of a frame lies in the frame that the camera gave: a converter (see the wish above) has scaled, cut or turned
 * it. Both are counted from the upper left corner, the centre of the first pixel being (0.5, 0.5). The same point where nothing
 * has converted the frame. */
int frameshare_frame_original_point(const frameshare_frame *frame, double x, double y, double *original_x,
                                    double *original_y);

/* ------------------------------------------------------------------------------------------------ working on frames */

/* What the publisher wants of a member of a group: an answer to one frame. It may be used after the frame was released, as
 * long as the subscriber is open. */
typedef struct frameshare_request frameshare_request;

/* A frame's request; FRAMESHARE_NOT_FOUND unless the subscriber is a member of a group. */
int frameshare_frame_request(const frameshare_frame *frame, frameshare_request **request);

/* Writes 1 once the publisher does not want the answer any more: it gave up waiting, or was told to. A pollable
 * subscriber learns of it in frameshare_subscriber_try_next() alone. */
int frameshare_request_is_cancelled(const frameshare_request *request, int *cancelled);

/* Says how far the work is; the answer is still to come. The reply is `metadata`, or where that is NULL the `size` bytes
 * at `data`, of any meaning, 64 MiB at most; more than 16 kB of it travel in shared memory. */
int frameshare_request_progress(frameshare_request *request, const frameshare_metadata *metadata, const void *data,
                                size_t size);

/* Answers, once: what is said of the frame after that is discarded. */
int frameshare_request_answer(frameshare_request *request, const frameshare_metadata *metadata, const void *data,
                              size_t size);

/* Says that there will be no answer, and why. */
int frameshare_request_fail(frameshare_request *request, const char *reason);

/* Ends the handle; it does not answer. */
int frameshare_request_release(frameshare_request *request);

/* ------------------------------------------------------------------------------------------------ publishing */

typedef struct frameshare_publisher frameshare_publisher;

/* A free slot of the publisher's own pool, to be filled. */
typedef struct frameshare_slot frameshare_slot;

/* Who may set the controls of a channel's source. Everyone who may connect may look. */
enum {
    /* The publisher's own user, and root. */
    FRAMESHARE_CONTROL_ACCESS_OWNER = 0,
    FRAMESHARE_CONTROL_ACCESS_NOBODY = 1,
    FRAMESHARE_CONTROL_ACCESS_EVERYONE = 2
};

struct frameshare_publisher_options {
    uint32_t struct_size;
    /* The socket's mode; 0: 0600. Connecting needs write permission. */
    uint32_t mode;
    /* Its group by name; NULL leaves it as it is. */
    const char *group;
    /* User ids that may connect, besides what the mode allows; NULL: all that the mode lets in. */
    const uint32_t *allowed_users;
    uint32_t allowed_user_count;
    /* The most bytes of metadata in a frame; 0: 65536. */
    uint32_t metadata_capacity;
    /* Slots that the source itself must always have; 0: 1. */
    uint32_t source_need;
    /* Who may set the source's controls, of those who may connect: FRAMESHARE_CONTROL_ACCESS_... */
    uint32_t control_access;
    /* How long the subscribers of one user that asked for every frame, all together, may stall the source in any minute.
     * 0: not at all, as a live source must have it, such as a camera: one without room loses the frame, which is counted as
     * its own loss, and keeps its place. So does one whose user has used up the time. Below 0: for ever. */
    int64_t stall_limit;
    /* How long any subscriber may hold a frame before it is cut off; 0: for ever. */
    int64_t lease_limit;
    /* What feeds the channel, for `frameshare list`; NULL: "". */
    const char *source_name;
    /* The memory of the library's own pool: "memfd" (NULL), "auto", "heap", "heap:NAME", "udmabuf". */
    const char *memory;
    /* As frameshare_subscriber_options has it. */
    const char *directory;
    /* Copies in ordinary memory for subscribers that lag, so that the source keeps its slots; 0: none. */
    uint32_t copy_slots;
    /* Lagging subscribers are offered copies while fewer slots than this would be left to the source; 0: one more than
     * source_need. */
    uint32_t copy_floor;
    /* Not 0: a subscriber that does not fit a reconfiguration, by its streams or its reservation, stays and waits for one
     * that it fits; else it is disconnected, and told why. */
    uint8_t keep_misfits;
    uint8_t reserved[7];
    /* The most subscribers at a time; one more is refused. 0: 120, the most that a channel can have. */
    uint32_t subscriber_limit;
    uint32_t limit_reserved;
};

/* A buffer that a camera, or anyone else, has made. The library duplicates the descriptor. A memfd must be sealed against
 * shrinking; memory that it has not taken yet is taken now. */
struct frameshare_buffer {
    int fd;
    /* FRAMESHARE_MEMORY_... */
    uint32_t memory;
    uint64_t size;
};

/* What a source says of a frame beside its pixels and metadata. */
struct frameshare_description {
    uint32_t struct_size;
    /* FRAMESHARE_FLAG_... */
    uint32_t flags;
    /* Not 0: `sequence` counts; else the publisher's own count does. */
    uint8_t has_sequence;
    /* Not 0: `timestamp` counts; else it is now, on the monotonic clock. */
    uint8_t has_timestamp;
    /* Not 0: `bytes_used` counts; else every plane is full. */
    uint8_t has_bytes_used;
    uint8_t reserved;
    /* FRAMESHARE_CLOCK_... */
    uint32_t clock;
    uint64_t sequence;
    int64_t timestamp;
    /* Bytes that hold data, for each stream and plane. */
    uint64_t bytes_used[FRAMESHARE_MAX_STREAMS][FRAMESHARE_MAX_PLANES];
};

/* Offers frames of the library's own pool of `slots` slots (2 to 1024). `options` may be NULL. */
int frameshare_publisher_open(const char *channel, const struct frameshare_stream *streams, size_t stream_count,
                              uint32_t slots, const struct frameshare_publisher_options *options,
                              frameshare_publisher **publisher);

/* Offers frames in buffers that exist: a camera's own. `buffers` holds `slots` times the buffers of all streams: those of
 * slot 0 in the streams' order, then those of slot 1, and so on. */
int frameshare_publisher_open_buffers(const char *channel, const struct frameshare_stream *streams,
                                      size_t stream_count, uint32_t slots, const struct frameshare_buffer *buffers,
                                      size_t buffer_count, const struct frameshare_publisher_options *options,
                                      frameshare_publisher **publisher);

/* A free slot; waits for it. */
int frameshare_publisher_next_slot(frameshare_publisher *publisher, int64_t timeout, frameshare_slot **slot);

/* A free slot if there is one, else FRAMESHARE_NO_FRAME. A source that can't wait says so by
 * frameshare_publisher_count_lost(). */
int frameshare_publisher_try_next_slot(frameshare_publisher *publisher, frameshare_slot **slot);

/* The image of a stream of a slot, to be written; NULL: the first. For a dma-buf the CPU's access begins here and ends
 * when the slot is published. */
int frameshare_slot_image(const frameshare_slot *slot, const char *stream, struct frameshare_image *image);

/* The memory of a slot's images. It stays mapped until it is released, also when the slot was published and the publisher
 * closed: for views that may outlive the slot, such as those of a language that collects garbage. Writing to it once the slot
 * was published changes the frame. */
typedef struct frameshare_memory frameshare_memory;

int frameshare_slot_keep_memory(const frameshare_slot *slot, frameshare_memory **memory);
int frameshare_memory_release(frameshare_memory *memory);

/* Publishes a slot to everyone who may have it. Never waits. The handle is gone, also when this fails: then the slot goes
 * back to the pool. `description`, `metadata` and `number` (the frame's, from 1) may be NULL. */
int frameshare_slot_publish(frameshare_slot *slot, const struct frameshare_description *description,
                            const frameshare_metadata *metadata, uint64_t *number);

/* Gives a slot back unpublished. */
int frameshare_slot_discard(frameshare_slot *slot);

/* A camera's buffers: hands free slots, by number, to the source, which queues them to its driver. `*count` gets how many
 * of at most `capacity` were written. */
int frameshare_publisher_take_free(frameshare_publisher *publisher, uint32_t *slots, size_t capacity, size_t *count);

/* Publishes a slot that the source has filled. Never waits. */
int frameshare_publisher_publish(frameshare_publisher *publisher, uint32_t slot,
                                 const struct frameshare_description *description,
                                 const frameshare_metadata *metadata, uint64_t *number);

/* Takes a slot back from the source, with no frame in it. */
int frameshare_publisher_give_back(frameshare_publisher *publisher, uint32_t slot);

/* A descriptor (an eventfd: read 8 bytes to clear it), readable when a slot may have come free after
 * frameshare_publisher_take_free() left the source with no more than source_need. Don't close it. */
int frameshare_publisher_free_slot_fd(frameshare_publisher *publisher, int *fd);

/* Waits until each subscriber that asked for every frame can take one more, or its user has no time left (options'
 * stall_limit). Where that is 0 it returns at once. */
int frameshare_publisher_wait_for_room(frameshare_publisher *publisher, int64_t timeout);

/* Waits until so many subscribers are there (1 to 120), members of groups among them: what is published after it returns is
 * offered to them. */
int frameshare_publisher_wait_for_subscribers(frameshare_publisher *publisher, uint32_t count, int64_t timeout);

/* Waits until a subscriber wants frames; and until there has been none for `linger` ns without a break. So a program can run its
 * camera only while somebody looks. */
int frameshare_publisher_wait_for_demand(frameshare_publisher *publisher, int64_t timeout);
int frameshare_publisher_wait_for_no_demand(frameshare_publisher *publisher, int64_t linger, int64_t timeout);

/* Says what is amiss with the source while the channel goes on, such as a camera that can't be started; "": nothing any more.
 * Subscribers and monitors are told. */
int frameshare_publisher_set_source_trouble(frameshare_publisher *publisher, const char *text);

/* The number of the present generation, from 1: it counts reconfigurations. */
int frameshare_publisher_generation(const frameshare_publisher *publisher, uint32_t *generation);

/* The slots of the present or an earlier generation whose frames subscribers still hold or are offered: a source that fills
 * an earlier generation's buffers again must leave these alone. `*count` gets how many of at most `capacity` were
 * written; 1024 is always enough. */
int frameshare_publisher_held_slots(const frameshare_publisher *publisher, uint32_t generation, uint32_t *slots,
                                    size_t capacity, size_t *count);

/* Sets the most bytes of metadata that a frame can carry from the next reconfiguration on, 16 MiB at most: in place of
 * options.metadata_capacity. */
int frameshare_publisher_set_metadata_capacity(frameshare_publisher *publisher, uint32_t bytes);

/* Counts frames that the source lost by itself, or for want of a free slot. */
int frameshare_publisher_count_lost(frameshare_publisher *publisher, uint64_t source, uint64_t no_free_slot);

/* Publishes from a new pool from now on. What subscribers hold of the old one stays valid; slots that the source holds
 * are void. */
int frameshare_publisher_reconfigure(frameshare_publisher *publisher, const struct frameshare_stream *streams,
                                     size_t stream_count, uint32_t slots);
int frameshare_publisher_reconfigure_buffers(frameshare_publisher *publisher, const struct frameshare_stream *streams,
                                             size_t stream_count, uint32_t slots,
                                             const struct frameshare_buffer *buffers, size_t buffer_count);

/* Ends the channel: subscribers get what is queued for them, then FRAMESHARE_ENDED. */
int frameshare_publisher_close(frameshare_publisher *publisher);

/* The same for a source whose buffers will be written to again: frames that are still held or queued are revoked before
 * this returns. */
int frameshare_publisher_close_revoking(frameshare_publisher *publisher);

/* Ends the channel since its source has failed: subscribers get FRAMESHARE_ERROR_SOURCE_FAILED with the reason. */
int frameshare_publisher_fail(frameshare_publisher *publisher, const char *reason);

/* ------------------------------------------------------------------------------------------------ asking groups */

/* The answer to a frame, while it is waited for. */
typedef struct frameshare_pending frameshare_pending;

/* A reply that has come, or why there is none. */
typedef struct frameshare_answer frameshare_answer;

/* The results of all frames that a group is given. */
typedef struct frameshare_results frameshare_results;

struct frameshare_ask_options {
    uint32_t struct_size;
    /* How many workers in all may have the frame, one after the other, when those that have it die; 0 or 1: it fails with
     * the first. */
    uint32_t attempts;
    /* How long to wait for the answer, from publication; 0: 10 seconds; below 0: for as long as the worker lives. */
    int64_t deadline;
    /* Not 0: a worker that is late is disconnected, and what it holds taken back; else it is told, and keeps the frame
     * until it releases it. */
    uint8_t cut_off;
    uint8_t reserved[7];
};

/* Publishes a slot, to everyone, and asks a group about it: exactly one member gets it. Never waits. The slot's handle is
 * gone, as with frameshare_slot_publish(). `description`, `metadata` and `options` may be NULL. */
int frameshare_slot_ask(frameshare_slot *slot, const char *group, const struct frameshare_description *description,
                        const frameshare_metadata *metadata, const struct frameshare_ask_options *options,
                        frameshare_pending **pending);

/* The same for a slot that the source has filled. */
int frameshare_publisher_ask(frameshare_publisher *publisher, uint32_t slot, const char *group,
                             const struct frameshare_description *description, const frameshare_metadata *metadata,
                             const struct frameshare_ask_options *options, frameshare_pending **pending);

/* The number of the frame. */
int frameshare_pending_frame(const frameshare_pending *pending, uint64_t *number);

/* The answer; waits for it. FRAMESHARE_ERROR_TIMED_OUT leaves the request open; other errors say why there is no answer.
 * May be asked for several times. */
int frameshare_pending_answer(frameshare_pending *pending, int64_t timeout, frameshare_answer **answer);

/* What the worker says on its way: the next such reply, waiting for it; FRAMESHARE_ENDED once the request has ended. */
int frameshare_pending_progress(frameshare_pending *pending, int64_t timeout, frameshare_answer **answer);

/* A descriptor for event loops (an eventfd: read 8 bytes to clear it), readable when something has come. Don't close it. */
int frameshare_pending_poll_fd(frameshare_pending *pending, int *fd);

/* Gives the request up: a frame that no worker has taken is taken back, else its worker is told. */
int frameshare_pending_cancel(frameshare_pending *pending);

/* Ends the handle; it does not cancel the request. */
int frameshare_pending_release(frameshare_pending *pending);

struct frameshare_answer_info {
    uint32_t struct_size;
    /* FRAMESHARE_OK, or the error that is why the frame got no answer; that only of frameshare_results_next(). */
    int32_t result;
    uint64_t frame;
    /* The worker's number, as frameshare_subscriber_status has it; 0 without an answer. */
    uint32_t worker;
    /* Not 0: the reply is metadata. */
    uint8_t is_metadata;
    uint8_t reserved[3];
    /* The reply's bytes (metadata: as they travel; read it by frameshare_answer_metadata()). */
    const void *data;
    size_t size;
    /* Why there is no answer, in words; NULL where there is one. */
    const char *reason;
};

/* What came. Its pointers are valid until the answer is released. */
int frameshare_answer_get_info(const frameshare_answer *answer, struct frameshare_answer_info *info);

/* The metadata of a reply: as frameshare_frame_metadata() and frameshare_frame_metadata_next(). */
int frameshare_answer_metadata(const frameshare_answer *answer, const char *key, struct frameshare_entry *entry);
int frameshare_answer_metadata_next(const frameshare_answer *answer, size_t *cursor, struct frameshare_entry *entry);

int frameshare_answer_release(frameshare_answer *answer);

struct frameshare_results_options {
    uint32_t struct_size;
    /* 0: results in the order in which they come; else in that of their frames, where at most so many wait for an earlier
     * one. */
    uint32_t window;
    /* How many results are kept for a slow reader, the oldest being dropped; 0: 256. */
    uint32_t capacity;
    uint32_t reserved;
    /* For frames that are not asked about by themselves; NULL: the defaults. */
    const struct frameshare_ask_options *ask;
};

/* The results of all frames that a group is given from now on, however they are published. One reader for a group.
 * `options` may be NULL. */
int frameshare_publisher_results(frameshare_publisher *publisher, const char *group,
                                 const struct frameshare_results_options *options, frameshare_results **results);

/* The next result; waits for it. FRAMESHARE_ENDED when the channel has ended. A frame without an answer has one, too:
 * frameshare_answer_info says why. */
int frameshare_results_next(frameshare_results *results, int64_t timeout, frameshare_answer **answer);

/* As frameshare_pending_poll_fd(): call frameshare_results_next() with a timeout of 0 until it has timed out. */
int frameshare_results_poll_fd(frameshare_results *results, int *fd);

/* Results that were dropped since nobody read them in time. */
int frameshare_results_missed(frameshare_results *results, uint64_t *missed);

/* Ends it: who waits for a result gets FRAMESHARE_ENDED. */
int frameshare_results_close(frameshare_results *results);

/* Waits until a member of a group can take a frame without losing another: the brake for a source that can wait. */
int frameshare_publisher_wait_for_group(frameshare_publisher *publisher, const char *group, int64_t timeout);

/* Waits until groups have answered all that they were asked, or failed. *open, where not NULL, gets how many requests are
 * open still when the time has passed. */
int frameshare_publisher_drain(frameshare_publisher *publisher, int64_t timeout, size_t *open);

/* ------------------------------------------------------------------------------------------------ monitoring */

/* How a channel is doing, as its publisher sees it. */
struct frameshare_channel_statistics {
    uint32_t struct_size;
    int32_t publisher_pid;
    uint32_t publisher_uid;
    uint32_t generation;
    uint32_t stream_count;
    uint32_t subscriber_count;
    /* The pool: all slots, those that nobody holds, those being filled or queued to the driver, those that the source
     * must always have, those reserved, and buffers of earlier generations that are still held. */
    uint32_t slots;
    uint32_t slots_free;
    uint32_t slots_at_source;
    uint32_t source_need;
    uint32_t slots_reserved;
    uint32_t retired_slots_held;
    uint64_t published;
    uint64_t lost_source;
    uint64_t lost_no_free_slot;
    /* How long the channel has existed, and since the last frame; -1 before the first. */
    int64_t age;
    int64_t since_last_frame;
    char source_name[256];
    /* Slots for copies, those that nobody holds, the slots that the source is to keep, and frames copied. All 0 where
     * there are none. */
    uint32_t copy_slots;
    uint32_t copy_slots_free;
    uint32_t copy_floor;
    uint32_t copies_reserved;
    uint64_t copied;
    /* Errors of the source that it went on after, and what is amiss with it now, in its own words; "" if nothing is. */
    uint64_t source_errors;
    char source_trouble[256];
    /* Frames that were published with FRAMESHARE_FLAG_ERROR. */
    uint64_t damaged;
    /* How long readers of every frame have made the source wait, in ns. A live source waits for nobody. */
    uint64_t stalled;
    /* Whether the source runs, where it does so on demand: FRAMESHARE_SOURCE_*. */
    uint32_t source_state;
    /* 1: its process was started by a reader, and ends after the last one. */
    uint32_t is_owner;
};

/* One subscriber, as the publisher sees it. */
struct frameshare_subscriber_status {
    uint32_t struct_size;
    uint32_t id;
    int32_t pid;
    uint32_t uid;
    /* FRAMESHARE_POLICY_... */
    uint32_t policy;
    uint32_t queue_depth;
    uint32_t budget;
    uint32_t reserved;
    /* Frames that wait in its lane, and that it holds. */
    uint32_t queued;
    uint32_t held;
    uint64_t delivered;
    /* Its losses: a newer frame took their place; it held its whole budget, or had it queued and asked for every frame; the
     * pool ran short. */
    uint64_t dropped_by_policy;
    uint64_t dropped_by_budget;
    uint64_t dropped_by_shortage;
    /* The age of the oldest frame that it holds; 0 when it holds none. */
    int64_t oldest_lease_age;
    uint64_t latency_p50;
    uint64_t latency_p99;
    uint64_t latency_max;
    int64_t age;
    char name[FRAMESHARE_NAME_SIZE];
    /* Copies that it was offered, and whether it lags and is offered copies now. */
    uint64_t copies;
    uint32_t gets_copies;
    uint32_t copies_reserved;
    /* The time between two frames that it asks for, in ns; 0: it asks for all. */
    int64_t interval;
    /* Frames that it was not offered since it asks for fewer. No losses. */
    uint64_t passed_over;
};

/* How an own channel is doing. Of its subscribers at most `capacity` are written (each with its struct_size set);
 * `subscribers` may be NULL with a capacity of 0. */
int frameshare_publisher_get_statistics(frameshare_publisher *publisher,
                                        struct frameshare_channel_statistics *statistics,
                                        struct frameshare_subscriber_status *subscribers, size_t capacity);

/* A group of subscribers that share the frames. */
struct frameshare_group_status {
    uint32_t struct_size;
    uint32_t members;
    /* Requests that are open. */
    uint32_t pending;
    uint32_t reserved;
    /* Frames that a member was given, and those that none had room for. */
    uint64_t given;
    uint64_t lost;
    /* Requests that were answered, and that failed; replies that nobody waited for. */
    uint64_t answered;
    uint64_t failed;
    uint64_t discarded;
    char name[FRAMESHARE_NAME_SIZE];
};

/* The groups of an own channel: at most `capacity` are written, *count gets how many there are. */
int frameshare_publisher_get_groups(frameshare_publisher *publisher, struct frameshare_group_status *groups,
                                    size_t capacity, size_t *count);

/* Watches a channel without taking frames from it. */
typedef struct frameshare_monitor frameshare_monitor;

/* `directory` may be NULL. */
int frameshare_monitor_open(const char *channel, const char *directory, frameshare_monitor **monitor);
int frameshare_monitor_get_statistics(frameshare_monitor *monitor, struct frameshare_channel_statistics *statistics,
                                      struct frameshare_subscriber_status *subscribers, size_t capacity);
int frameshare_monitor_get_groups(frameshare_monitor *monitor, struct frameshare_group_status *groups, size_t capacity,
                                  size_t *count);
int frameshare_monitor_close(frameshare_monitor *monitor);

/* The names of the channels in a folder (NULL: the standard one), each on a line of its own. A socket left by a publisher
 * that died is among them. *needed, where not NULL, gets the size it takes. */
int frameshare_channels(const char *directory, char *names, size_t size, size_t *needed);

/* What stands behind a channel's socket. */
enum {
    /* A publisher listens. */
    FRAMESHARE_CHANNEL_LIVE = 1,
    /* The publisher was killed. The next one of this name takes the socket's place. */
    FRAMESHARE_CHANNEL_LEFT_BEHIND = 2,
    /* The socket does not let this process in. Whether a publisher listens is unknown. */
    FRAMESHARE_CHANNEL_NOT_ALLOWED = 3
};

/* What has happened to a channel. */
enum {
    /* A publisher offers it, or its socket was there when the watch began. */
    FRAMESHARE_CHANNEL_APPEARED = 1,
    /* Its publisher was killed, or who may connect is another matter now. */
    FRAMESHARE_CHANNEL_CHANGED = 2,
    /* It has gone; the entry tells what was known of it last. */
    FRAMESHARE_CHANNEL_VANISHED = 3
};

/* A channel as its folder shows it. No place among the channel's connections is taken to find out. */
struct frameshare_channel_entry {
    uint32_t struct_size;
    /* FRAMESHARE_CHANNEL_APPEARED, ...; 0 from frameshare_channel_list(). */
    uint32_t change;
    /* FRAMESHARE_CHANNEL_LIVE, ... */
    uint32_t state;
    /* Who may connect: the socket's mode (connecting needs write permission), its user and its group. The publisher may
     * have a list of users besides. */
    uint32_t mode;
    uint32_t uid;
    uint32_t gid;
    char name[FRAMESHARE_NAME_SIZE];
};

/* The channels of a folder (NULL: the standard one), sorted by name. At most `capacity` are written (each with its
 * struct_size set), *count gets how many there are. */
int frameshare_channel_list(const char *directory, struct frameshare_channel_entry *channels, size_t capacity,
                            size_t *count);

/* Watches which channels of a folder appear, vanish, or are left behind by a killed publisher. */
typedef struct frameshare_channel_watch frameshare_channel_watch;

/* Begins to watch a folder (NULL: the standard one), which need not be there yet. */
int frameshare_channel_watch_open(const char *directory, frameshare_channel_watch **watch);

/* The next change; waits for it. The channels that were there when the watch began come first, as appeared. One whose
 * publisher was replaced vanishes and appears. Changes that undo each other between two looks are not told. */
int frameshare_channel_watch_next(frameshare_channel_watch *watch, int64_t timeout,
                                  struct frameshare_channel_entry *channel);

/* A descriptor for event loops, readable when frameshare_channel_watch_next() should be called with a timeout of 0, until
 * that has timed out. Only poll it: it is an epoll descriptor of the watch's own. */
int frameshare_channel_watch_poll_fd(frameshare_channel_watch *watch, int *fd);

int frameshare_channel_watch_close(frameshare_channel_watch *watch);

/* ------------------------------------------------------------------------------------------------ overlays */

/* A channel with the frames of another, in the same memory, each with a group's answer among its metadata. */
typedef struct frameshare_overlay frameshare_overlay;

struct frameshare_overlay_options {
    uint32_t struct_size;
    /* The most slots of the publisher's pool that the overlay may pin; 0: 8, or what a smaller pool has beside the source's
     * need. */
    uint32_t budget;
    /* How many later answers wait for a late one before its frame goes without; 0: 4. */
    uint32_t window;
    uint32_t reserved;
    /* How the group is asked: a frame waits for its answer no longer than the deadline. NULL: the defaults. */
    const struct frameshare_ask_options *ask;
    /* Of the overlay's channel. NULL: the publisher's folder, access and lease limit. */
    const struct frameshare_publisher_options *publisher;
};

/* Opens the channel of an overlay. Its frames are those of `publisher`: the same pixels, numbers, times and order. A frame
 * comes when the group's answer to it has come: metadata under its own keys, bytes under the group's name. A frame whose
 * answer failed comes without one. The overlay pins a frame while it waits for the answer, and while any of the overlay's
 * subscribers holds it. It reads the group's results, so nothing else can. It ends with the publisher's channel. `options` may
 * be NULL. */
int frameshare_overlay_open(frameshare_publisher *publisher, const char *channel, const char *group,
                            const struct frameshare_overlay_options *options, frameshare_overlay **overlay);

/* How the overlay's channel is doing: as frameshare_publisher_get_statistics(). */
int frameshare_overlay_get_statistics(frameshare_overlay *overlay, struct frameshare_channel_statistics *statistics,
                                      struct frameshare_subscriber_status *subscribers, size_t capacity);

/* Ends the overlay's channel. Frames of it that are held then are taken back: frameshare_frame_is_revoked(). */
int frameshare_overlay_close(frameshare_overlay *overlay);

/* ------------------------------------------------------------------------------------------------ copy stages */

/* Copies a channel's frames into a pool of its own in ordinary memory, gives each frame back at once, and publishes the copy
 * as another channel. So readers that lag hold none of the camera's buffers. */
typedef struct frameshare_copy_stage frameshare_copy_stage;

/* A rectangle of a stream's images, in pixels from the upper left corner. */
struct frameshare_crop {
    const char *stream;
    uint32_t x;
    uint32_t y;
    uint32_t width;
    uint32_t height;
};

struct frameshare_copy_options {
    uint32_t struct_size;
    /* The frames that the pool holds, 2 to 1024. Or: as many as `bytes` bytes hold, or those of `hold` ns at
     * `frames_per_second`. All 0: 32 frames. */
    uint32_t slots;
    uint64_t bytes;
    int64_t hold;
    double frames_per_second;
    /* Copies at most so many frames a second, by their timestamps; 0: any number. */
    double maximum_rate;
    /* Copies one frame in so many; 0: every one. */
    uint32_t every;
    /* What is wanted of a stream; all of those that are not named. */
    uint32_t crop_count;
    const struct frameshare_crop *crops;
    /* The streams, and how frames are subscribed to. NULL: all, with a queue of 2, by the name "copy". */
    const struct frameshare_subscriber_options *subscriber;
    /* How the copies are offered. stall_limit and metadata_capacity are the stage's to set. NULL: the defaults. */
    const struct frameshare_publisher_options *publisher;
};

/* What is copied, and the memory that it takes. */
struct frameshare_copy_plan {
    uint32_t struct_size;
    uint32_t slots;
    uint64_t bytes_per_frame;
    uint64_t bytes;
    uint32_t stream_count;
    uint32_t reserved;
};

/* What a copy stage has done. */
struct frameshare_copy_statistics {
    uint32_t struct_size;
    uint32_t reserved;
    /* Frames copied and published, and those passed over, as every nth or a rate was asked for. */
    uint64_t copied;
    uint64_t skipped;
    /* Frames that came and had no free slot in the pool, and those that the publisher took back while they were copied. */
    uint64_t no_room;
    uint64_t revoked;
    /* Frames that did not come to the stage. */
    uint64_t lost_source;
    uint64_t lost_no_free_slot;
    uint64_t lost_policy;
    /* The bytes of images copied, and the time that took, in ns. */
    uint64_t bytes;
    int64_t copying_time;
};

/* Subscribes to a channel. Nothing is allocated or copied yet. `options` may be NULL. */
int frameshare_copy_stage_open(const char *channel, const struct frameshare_copy_options *options,
                               frameshare_copy_stage **stage);

/* The pool that frameshare_copy_stage_start() will make. */
int frameshare_copy_stage_get_plan(frameshare_copy_stage *stage, struct frameshare_copy_plan *plan);

/* The stream at a place among those of the copies, from 0; FRAMESHARE_NOT_FOUND beyond the last. */
int frameshare_copy_stage_stream_at(frameshare_copy_stage *stage, size_t index, struct frameshare_stream *stream);

/* Takes the memory, offers `channel`, and copies on a thread of its own. The stage never waits for its readers: when the pool
 * is full, the newest frame is left out and counted. */
int frameshare_copy_stage_start(frameshare_copy_stage *stage, const char *channel);

/* Waits until the stage has ended: FRAMESHARE_ENDED when the channel ended in order or the stage was stopped, else the error
 * that ended it. The channel of the copies has ended the same way. */
int frameshare_copy_stage_wait(frameshare_copy_stage *stage, int64_t timeout);

/* A descriptor for event loops, readable for ever once the stage has ended. Only poll it. */
int frameshare_copy_stage_poll_fd(frameshare_copy_stage *stage, int *fd);

int frameshare_copy_stage_get_statistics(frameshare_copy_stage *stage, struct frameshare_copy_statistics *statistics);

/* Asks the stage to end; frameshare_copy_stage_wait() tells when it has. */
int frameshare_copy_stage_stop(frameshare_copy_stage *stage);

/* Stops the stage, waits until it has ended, and ends the handle. What readers of the copies have queued stays theirs. */
int frameshare_copy_stage_close(frameshare_copy_stage *stage);

/* ------------------------------------------------------------------------------------------------ controls */

/* What kind of value a control takes. Values are text, in the source's own spelling. */
enum {
    /* "true" or "false". */
    FRAMESHARE_CONTROL_BOOLEAN = 0,
    FRAMESHARE_CONTROL_INTEGER = 1,
    /* With a fraction: "1.5". */
    FRAMESHARE_CONTROL_NUMBER = 2,
    FRAMESHARE_CONTROL_TEXT = 3,
    /* One of its items, by value or name. */
    FRAMESHARE_CONTROL_MENU = 4,
    FRAMESHARE_CONTROL_BITMASK = 5,
    /* Setting it does something; it has no value. */
    FRAMESHARE_CONTROL_BUTTON = 6,
    /* "x,y/WIDTHxHEIGHT", in pixels. */
    FRAMESHARE_CONTROL_RECTANGLE = 7,
    /* "WIDTHxHEIGHT", in pixels. */
    FRAMESHARE_CONTROL_SIZE = 8,
    /* Can't be set from here. */
    FRAMESHARE_CONTROL_OTHER = 9
};

/* An entry of a menu: what chooses it, and the source's word for it. */
struct frameshare_control_item {
    const char *value;
    const char *name;
};

/* A control of a channel's source: exposure, gain, a test pattern. */
struct frameshare_control {
    uint32_t struct_size;
    /* FRAMESHARE_CONTROL_... */
    uint32_t kind;
    /* What it is set by. */
    const char *name;
    /* The source's own words, where they are others; "" or NULL: none. */
    const char *label;
    /* The least and the largest value, and the one that it has where nobody set it; "" or NULL: none, or unknown. */
    const char *minimum;
    const char *maximum;
    const char *standard;
    /* What it is set to; NULL if the source doesn't tell. */
    const char *value;
    /* A menu's entries. */
    const struct frameshare_control_item *items;
    size_t item_count;
    /* Not 0: it can't be set; it has no effect now, usually since an automatic is on. */
    uint8_t read_only;
    uint8_t inactive;
    uint8_t reserved[6];
};

/* The controls of a channel's source, as they were when they were asked for. */
typedef struct frameshare_control_list frameshare_control_list;

/* Asks a channel's source for its controls. Waits for the answer, which may be a driver's, 10 seconds at most.
 * FRAMESHARE_ERROR_REFUSED where it has none. */
int frameshare_monitor_get_controls(frameshare_monitor *monitor, frameshare_control_list **list);

/* The controls in the source's order, from index 0; FRAMESHARE_NOT_FOUND beyond the last. What it points to is valid until
 * the list is released. */
int frameshare_control_list_get(const frameshare_control_list *list, size_t index, struct frameshare_control *control);

int frameshare_control_list_release(frameshare_control_list *list);

/* Sets a control of a channel's source, while frames go on: with which frame it takes effect, a frame's metadata tells.
 * `now`, where not NULL, gets the value that it has then, which a driver may have rounded, cut off at `size` bytes.
 * FRAMESHARE_ERROR_REFUSED, with the source's reason, where it was not set. */
int frameshare_monitor_set_control(frameshare_monitor *monitor, const char *name, const char *value, char *now,
                                   size_t size);

/* What others ask a publisher's source to set. */
typedef struct frameshare_settings frameshare_settings;

/* A setting that somebody asks for. */
typedef struct frameshare_setting frameshare_setting;

/* Offers the controls of a publisher's source to other programs (`frameshare control`), in place of any that were offered
 * before. What they ask to set is taken by frameshare_settings_next(), in the camera's own loop between two frames: one
 * that is not taken within 5 seconds is refused. */
int frameshare_publisher_offer_controls(frameshare_publisher *publisher, const struct frameshare_control *controls,
                                        size_t count, frameshare_settings **settings);

/* Lists these from now on; the value of one that was set is kept by itself. */
int frameshare_settings_update(frameshare_settings *settings, const struct frameshare_control *controls, size_t count);

/* The next setting; waits for it. FRAMESHARE_ENDED when the channel has ended. */
int frameshare_settings_next(frameshare_settings *settings, int64_t timeout, frameshare_setting **setting);

/* As frameshare_results_poll_fd(): call frameshare_settings_next() with a timeout of 0 until it has timed out. */
int frameshare_settings_poll_fd(frameshare_settings *settings, int *fd);

/* Ends it: the channel's source has no controls from now on, and who waits for a setting gets FRAMESHARE_ENDED. */
int frameshare_settings_close(frameshare_settings *settings);

/* Which control, and the value it is to have. What they point to is valid until the handle is gone. */
int frameshare_setting_get(const frameshare_setting *setting, const char **name, const char **value);

/* Says that it is set, and the value that the control has now. The handle is gone. */
int frameshare_setting_accept(frameshare_setting *setting, const char *now);

/* Says that it is not set, and why. The handle is gone. */
int frameshare_setting_refuse(frameshare_setting *setting, const char *reason);

/* ------------------------------------------------------------------------------------------------ initialisers */

#define FRAMESHARE_INITIALISER(type)                                                                                   \
    static inline struct frameshare_##type frameshare_##type##_init(void) {                                            \
        struct frameshare_##type value;                                                                                \
        memset(&value, 0, sizeof value);                                                                               \
        value.struct_size = (uint32_t)sizeof value;                                                                    \
        return value;                                                                                                  \
    }

FRAMESHARE_INITIALISER(format_info)
FRAMESHARE_INITIALISER(stream)
FRAMESHARE_INITIALISER(image)
FRAMESHARE_INITIALISER(frame_info)
FRAMESHARE_INITIALISER(pool_info)
FRAMESHARE_INITIALISER(subscriber_options)
FRAMESHARE_INITIALISER(subscriber_statistics)
FRAMESHARE_INITIALISER(publisher_options)
FRAMESHARE_INITIALISER(description)
FRAMESHARE_INITIALISER(ask_options)
FRAMESHARE_INITIALISER(answer_info)
FRAMESHARE_INITIALISER(results_options)
FRAMESHARE_INITIALISER(channel_statistics)
FRAMESHARE_INITIALISER(group_status)
FRAMESHARE_INITIALISER(subscriber_status)
FRAMESHARE_INITIALISER(control)
FRAMESHARE_INITIALISER(channel_entry)
FRAMESHARE_INITIALISER(overlay_options)
FRAMESHARE_INITIALISER(copy_options)
FRAMESHARE_INITIALISER(copy_plan)
FRAMESHARE_INITIALISER(copy_statistics)
#undef FRAMESHARE_INITIALISER

#ifdef __cplusplus
}
#endif

#endif
