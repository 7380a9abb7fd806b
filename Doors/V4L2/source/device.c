#include "device.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/version.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "controls.h"
#include "devices.h"
#include "pixel_formats.h"
#include "real.h"

/* VIDEO_MAX_FRAME. */
enum { MOST_BUFFERS = 32, MOST_MAPPINGS = 4 };

/* One of the buffers that the program asked for. Where the channel's memory is as V4L2 lays it out, it shows a slot: its
 * mappings are bound to the slot's memory when the slot first comes, and stay so. Else it has memory of its own. */
typedef struct {
    bool queued;
    /* The program has it, since it dequeued it, with this lease. */
    frameshare_frame *frame;
    /* The slot that its mappings show, by what the descriptor stands for: its number may be another's by now. 0: none yet. */
    ino_t slot_file;
    size_t slot_offset;
    /* Memory of its own, for copies. */
    int own_fd;
    void *own;
    struct {
        void *address;
        size_t length;
        int protection;
        bool is_bound;
    } mappings[MOST_MAPPINGS];
} buffer;

struct device {
    int references;
    pthread_mutex_t lock;
    /* Of the buffers' mappings alone. Any thread may unmap memory at any time, the library's own among them: this one is held
     * for no call of the library. Taken after `lock`. */
    pthread_mutex_t mapping_lock;
    char *channel;
    char *stream_name;
    char *path;
    int flags;
    /* The epoll descriptor that the program polls; its own may be copies of it. */
    int epoll;

    struct frameshare_stream stream;
    struct v4l2_pix_format format;
    struct v4l2_fract interval;
    uint32_t slots;
    frameshare_monitor *monitor;
    enum v4l2_priority priority;

    frameshare_subscriber *subscriber;
    bool streaming, reading;
    /* Sequence numbers begin at 0 with each start, as a driver's do. */
    bool counted;
    uint64_t last_sequence;
    /* What the last frame lay in. */
    ino_t last_file;
    uint32_t sequence;
    /* The channel's images changed while the program streams: it has to begin anew, as with a camera whose signal changed. */
    bool changed;
    bool copies;
    uint32_t count;
    buffer buffers[MOST_BUFFERS];
    /* What read(2) has not given out yet. */
    char *pending;
    size_t pending_size, pending_at;
};

static size_t
pages(size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (size + page - 1) / page * page;
}

/* ------------------------------------------------------------------------------------------------ the channel */

static int
reason_of(int result)
{
    switch (result) {
    case FRAMESHARE_ERROR_NO_SUCH_CHANNEL:
    case FRAMESHARE_ERROR_DIRECTORY: return ENOENT;
    case FRAMESHARE_ERROR_NOT_ALLOWED: return EACCES;
    case FRAMESHARE_ERROR_REFUSED: return EBUSY;
    case FRAMESHARE_ERROR_OUT_OF_DESCRIPTORS: return EMFILE;
    case FRAMESHARE_ERROR_NO_SUCH_STREAM:
    case FRAMESHARE_ERROR_INVALID_ARGUMENT: return EINVAL;
    case FRAMESHARE_ERROR_MEMORY: return ENOMEM;
    default: return ENODEV;
    }
}

/* What the program can't be told by errno, told once on standard error. */
static void
say(device *device, const char *what)
{
    fprintf(stderr, "frameshare-v4l2: %s (channel '%s'): %s\n", device->path, device->channel, what);
}

static int
subscribe(device *device, uint32_t policy, uint32_t depth, uint32_t budget, bool stays, frameshare_subscriber **subscriber)
{
    struct frameshare_subscriber_options options = frameshare_subscriber_options_init();
    const char *const streams[] = {device->stream_name};
    options.policy = policy;
    options.queue_depth = depth;
    options.budget = budget;
    options.pollable = stays;
    options.reconnect = stays;
    options.stream_count = device->stream_name ? 1 : 0;
    options.streams = streams;
    return frameshare_subscriber_open(device->channel, &options, subscriber);
}

/* Asks the channel how its images are, and how often they come. */
static int
look(device *device)
{
    frameshare_subscriber *subscriber;
    struct frameshare_subscriber_statistics statistics = frameshare_subscriber_statistics_init();
    int result = subscribe(device, FRAMESHARE_POLICY_LATEST, 0, 1, false, &subscriber);
    if (result != FRAMESHARE_OK) return result;
    device->stream = frameshare_stream_init();
    result = frameshare_subscriber_stream_at(subscriber, 0, &device->stream);
    frameshare_subscriber_get_statistics(subscriber, &statistics);
    frameshare_subscriber_close(subscriber);
    if (result != FRAMESHARE_OK) return result;
    device->slots = statistics.slots;
    device->changed = false;
    if (!pixel_format_of(&device->stream, &device->format)) {
        say(device, "V4L2 has no format for its images");
        return FRAMESHARE_ERROR_INVALID_ARGUMENT;
    }
    device->copies = !pixel_format_is_plain(&device->stream, &device->format);

    struct frameshare_channel_statistics channel = {.struct_size = sizeof channel};
    device->interval = (struct v4l2_fract){1, 30};
    if (!device->monitor) frameshare_monitor_open(device->channel, NULL, &device->monitor);
    /* A rate of so many frames in the time that the channel has existed, where that is long enough to tell. */
    if (device->monitor &&
        frameshare_monitor_get_statistics(device->monitor, &channel, NULL, 0) == FRAMESHARE_OK &&
        channel.age > 500000000 && channel.published > 5) {
        double rate = (double)(channel.published + channel.lost_no_free_slot) * 1e9 / (double)channel.age;
        if (rate >= 1) device->interval.denominator = (uint32_t)(rate + 0.5);
    }
    return FRAMESHARE_OK;
}

/* Begins to read frames: what waits in the lane and what the program holds fit the pool, with one slot to spare. */
static int
begin(device *device)
{
    uint32_t most = device->slots > 2 ? device->slots - 1 : 1;
    uint32_t budget = device->copies || device->reading ? 3 : device->count + 2;
    if (budget > most) budget = most;
    uint32_t depth = budget > 4 ? 4 : budget > 1 ? budget - 1 : 1;
    int fd, result = subscribe(device, FRAMESHARE_POLICY_QUEUE, depth, budget, true, &device->subscriber);
    if (result == FRAMESHARE_OK) result = frameshare_subscriber_poll_fd(device->subscriber, &fd);
    if (result == FRAMESHARE_OK) {
        struct epoll_event event = {.events = EPOLLIN};
        if (epoll_ctl(device->epoll, EPOLL_CTL_ADD, fd, &event) == 0) return FRAMESHARE_OK;
        result = FRAMESHARE_ERROR_SYSTEM;
    }
    if (device->subscriber) frameshare_subscriber_close(device->subscriber);
    device->subscriber = NULL;
    return result;
}

static void
end(device *device)
{
    for (uint32_t i = 0; i < device->count; i++) {
        if (device->buffers[i].frame) frameshare_frame_release(device->buffers[i].frame);
        device->buffers[i].frame = NULL;
        device->buffers[i].queued = false;
    }
    /* Its descriptor leaves the epoll set as it is closed. */
    if (device->subscriber) frameshare_subscriber_close(device->subscriber);
    device->subscriber = NULL;
    device->streaming = device->reading = false;
    free(device->pending);
    device->pending = NULL;
    device->pending_size = device->pending_at = 0;
}

device *
device_open(const char *channel, const char *path, int flags, int *fd)
{
    device *device = calloc(1, sizeof *device);
    int result = FRAMESHARE_ERROR_MEMORY;
    if (!device) return NULL;
    device->references = 1;
    device->flags = flags;
    device->epoll = -1;
    device->priority = V4L2_PRIORITY_DEFAULT;
    pthread_mutex_init(&device->lock, NULL);
    pthread_mutex_init(&device->mapping_lock, NULL);
    for (int i = 0; i < MOST_BUFFERS; i++) device->buffers[i].own_fd = -1;
    device->path = strdup(path);
    device->channel = strdup(channel);
    if (device->path && device->channel) {
        char *stream = strchr(device->channel, ':');
        if (stream) {
            *stream = 0;
            device->stream_name = stream + 1;
        }
        result = look(device);
        if (result != FRAMESHARE_OK && frameshare_last_error()[0]) say(device, frameshare_last_error());
    }
    if (result == FRAMESHARE_OK) {
        result = FRAMESHARE_ERROR_SYSTEM;
        *fd = epoll_create1(flags & O_CLOEXEC ? EPOLL_CLOEXEC : 0);
        if (*fd >= 0) device->epoll = fcntl(*fd, F_DUPFD_CLOEXEC, 3);
        if (device->epoll >= 0) return device;
        int reason = errno;
        if (*fd >= 0) real_close(*fd);
        device_unref(device);
        errno = reason;
        return NULL;
    }
    device_unref(device);
    errno = reason_of(result);
    return NULL;
}

device *
device_ref(device *device)
{
    __atomic_add_fetch(&device->references, 1, __ATOMIC_RELAXED);
    return device;
}

static void
free_buffers(device *device)
{
    for (uint32_t i = 0; i < device->count; i++) {
        buffer *at = &device->buffers[i];
        if (at->own) real_munmap(at->own, pages(device->format.sizeimage));
        if (at->own_fd >= 0) real_close(at->own_fd);
        pthread_mutex_lock(&device->mapping_lock);
        memset(at, 0, sizeof *at);
        at->own_fd = -1;
        pthread_mutex_unlock(&device->mapping_lock);
    }
    device->count = 0;
}

void
device_unref(device *device)
{
    if (__atomic_sub_fetch(&device->references, 1, __ATOMIC_ACQ_REL) != 0) return;
    int reason = errno;
    end(device);
    free_buffers(device);
    if (device->monitor) frameshare_monitor_close(device->monitor);
    if (device->epoll >= 0) real_close(device->epoll);
    pthread_mutex_destroy(&device->lock);
    pthread_mutex_destroy(&device->mapping_lock);
    free(device->channel);
    free(device->path);
    free(device);
    errno = reason;
}

void
device_set_flags(device *device, int flags)
{
    __atomic_store_n(&device->flags, flags, __ATOMIC_RELAXED);
}

int
device_flags(device *device)
{
    return __atomic_load_n(&device->flags, __ATOMIC_RELAXED);
}

/* ------------------------------------------------------------------------------------------------ buffers */

/* Gives a buffer memory of its own. */
static bool
own_memory(device *device, buffer *at)
{
    size_t size = pages(device->format.sizeimage);
    if (at->own) return true;
    at->own_fd = memfd_create("frameshare-v4l2", MFD_CLOEXEC);
    if (at->own_fd < 0 || ftruncate(at->own_fd, (off_t)size) != 0) return false;
    at->own = real_mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, at->own_fd, 0);
    if (at->own == MAP_FAILED) at->own = NULL;
    return at->own != NULL;
}

/* Makes a mapping show a slot. A program that asked to write gets pages of its own where it does: nobody writes to a
 * channel's memory but its publisher. */
static bool
bind_mapping(device *device, const buffer *at, int which, int fd)
{
    size_t size = pages(device->format.sizeimage), length = at->mappings[which].length;
    int protection = at->mappings[which].protection;
    int kind = protection & PROT_WRITE ? MAP_PRIVATE : MAP_SHARED;
    if (length > size) length = size;
    return real_mmap(at->mappings[which].address, length, protection, kind | MAP_FIXED, fd, (off_t)at->slot_offset) !=
           MAP_FAILED;
}

/* Makes a buffer show an image. Drivers' memory can't be mapped privately: where the program asked to write, it gets a copy. */
static bool
show(device *device, buffer *at, const struct frameshare_image *image, ino_t file)
{
    bool shown = true, is_driver = image->memory != FRAMESHARE_MEMORY_MEMFD;
    size_t offset = image->planes[0].offset;
    pthread_mutex_lock(&device->mapping_lock);
    bool is_bound = at->slot_file == file && at->slot_offset == offset;
    at->slot_file = file;
    at->slot_offset = offset;
    for (int i = 0; i < MOST_MAPPINGS && shown; i++) {
        if (!at->mappings[i].address) continue;
        bool writes = at->mappings[i].protection & PROT_WRITE;
        size_t length = at->mappings[i].length;
        if (length > device->format.sizeimage) length = device->format.sizeimage;
        if (is_driver && writes) {
            shown = pixel_format_copy(image, &device->format, at->mappings[i].address, length) > 0;
        } else if (!is_bound || !at->mappings[i].is_bound) {
            shown = bind_mapping(device, at, i, image->planes[0].fd);
            at->mappings[i].is_bound = shown;
        } else if (writes) {
            /* What the program wrote into the earlier frame is forgotten. */
            madvise(at->mappings[i].address, at->mappings[i].length, MADV_DONTNEED);
        }
    }
    pthread_mutex_unlock(&device->mapping_lock);
    return shown;
}

void *
device_mmap(device *device, void *address, size_t length, int protection, int flags, off_t offset)
{
    void *mapped = MAP_FAILED;
    size_t size = pages(device->format.sizeimage);
    pthread_mutex_lock(&device->lock);
    uint32_t index = size ? (uint32_t)((size_t)offset / size) : 0;
    if (offset < 0 || size == 0 || (size_t)offset % size != 0 || index >= device->count || length == 0 || length > size ||
        !(flags & MAP_SHARED)) {
        errno = EINVAL;
    } else if (device->copies) {
        buffer *at = &device->buffers[index];
        if (own_memory(device, at)) mapped = real_mmap(address, length, protection, flags, at->own_fd, 0);
    } else {
        buffer *at = &device->buffers[index];
        int which = 0;
        pthread_mutex_lock(&device->mapping_lock);
        while (which < MOST_MAPPINGS && at->mappings[which].address) which++;
        errno = ENOMEM;
        /* Nothing is there until the first frame comes. */
        if (which < MOST_MAPPINGS)
            mapped = real_mmap(address, length, protection, (flags & MAP_FIXED) | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (mapped != MAP_FAILED) {
            at->mappings[which].address = mapped;
            at->mappings[which].length = length;
            at->mappings[which].protection = protection;
            at->mappings[which].is_bound = false;
        }
        pthread_mutex_unlock(&device->mapping_lock);
    }
    pthread_mutex_unlock(&device->lock);
    return mapped;
}

void
device_munmap(device *device, void *address, size_t length)
{
    pthread_mutex_lock(&device->mapping_lock);
    for (uint32_t i = 0; i < MOST_BUFFERS; i++)
        for (int k = 0; k < MOST_MAPPINGS; k++) {
            char *at = device->buffers[i].mappings[k].address;
            if (at && at >= (char *)address && at < (char *)address + length)
                device->buffers[i].mappings[k].address = NULL;
        }
    pthread_mutex_unlock(&device->mapping_lock);
}

static bool
is_mapped(const buffer *at)
{
    for (int i = 0; i < MOST_MAPPINGS; i++)
        if (at->mappings[i].address) return true;
    return false;
}

static void
describe(device *device, uint32_t index, struct v4l2_buffer *out)
{
    const buffer *at = &device->buffers[index];
    uint32_t kept = out->type;
    memset(out, 0, sizeof *out);
    out->index = index;
    out->type = kept;
    out->memory = V4L2_MEMORY_MMAP;
    out->length = device->format.sizeimage;
    out->m.offset = (uint32_t)(index * pages(device->format.sizeimage));
    out->field = V4L2_FIELD_NONE;
    out->flags = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC | V4L2_BUF_FLAG_TSTAMP_SRC_SOE;
    if (at->queued) out->flags |= V4L2_BUF_FLAG_QUEUED;
    if (is_mapped(at)) out->flags |= V4L2_BUF_FLAG_MAPPED;
}

static int
request_buffers(device *device, struct v4l2_requestbuffers *request)
{
    request->capabilities = V4L2_BUF_CAP_SUPPORTS_MMAP | V4L2_BUF_CAP_SUPPORTS_ORPHANED_BUFS;
    if (request->type != V4L2_BUF_TYPE_VIDEO_CAPTURE || request->memory != V4L2_MEMORY_MMAP) {
        errno = EINVAL;
        return -1;
    }
    if (device->streaming || device->reading) {
        errno = EBUSY;
        return -1;
    }
    free_buffers(device);
    if (request->count == 0) return 0;
    if (device->changed && look(device) != FRAMESHARE_OK) {
        errno = ENODEV;
        return -1;
    }
    /* As many as there are slots, so that each keeps its slot; as a driver may decide. */
    uint32_t count = request->count;
    if (count < device->slots) count = device->slots;
    if (count < 2) count = 2;
    if (count > MOST_BUFFERS) count = MOST_BUFFERS;
    device->count = request->count = count;
    return 0;
}

/* ------------------------------------------------------------------------------------------------ frames */

static bool
same_layout(const device *device, const struct frameshare_image *image)
{
    const struct frameshare_stream *stream = &device->stream;
    if (image->width != stream->width || image->height != stream->height || image->fourcc != stream->fourcc ||
        image->modifier != stream->modifier || image->plane_count != stream->plane_count)
        return false;
    for (uint32_t i = 0; i < image->plane_count; i++) {
        const struct frameshare_plane *plane = &image->planes[i];
        const struct frameshare_plane_layout *known = &stream->planes[i];
        if (plane->stride != known->stride || plane->buffer != known->buffer || plane->size != known->size) return false;
        if (plane->buffer == image->planes[0].buffer &&
            plane->offset - image->planes[0].offset != known->offset - stream->planes[0].offset)
            return false;
    }
    return true;
}

/* Waits until there may be a frame. As a driver does: a signal ends it. Called with the lock, which it lets go. */
static int
wait_for_frame(device *device)
{
    struct pollfd poll_fd = {.fd = device->epoll, .events = POLLIN};
    if (device_flags(device) & O_NONBLOCK) {
        errno = EAGAIN;
        return -1;
    }
    pthread_mutex_unlock(&device->lock);
    /* Looks again now and then: another thread's VIDIOC_STREAMOFF takes the subscriber's descriptor out of the set. */
    int ready = poll(&poll_fd, 1, 50);
    int reason = errno;
    pthread_mutex_lock(&device->lock);
    errno = reason;
    return ready < 0 ? -1 : 0;
}

/* The next frame and its image. -1 with errno. */
static int
take(device *device, frameshare_frame **frame, struct frameshare_image *image, struct frameshare_frame_info *info)
{
    while (true) {
        if (!device->subscriber) {
            errno = EINVAL;
            return -1;
        }
        if (device->changed) {
            errno = EIO;
            return -1;
        }
        int result = frameshare_subscriber_try_next(device->subscriber, frame);
        if (result == FRAMESHARE_NO_FRAME) {
            if (wait_for_frame(device) != 0) return -1;
            continue;
        }
        if (result != FRAMESHARE_OK) {
            errno = result == FRAMESHARE_ENDED ? ENODEV : reason_of(result);
            return -1;
        }
        *image = frameshare_image_init();
        *info = frameshare_frame_info_init();
        if (frameshare_frame_get_info(*frame, info) == FRAMESHARE_OK &&
            frameshare_frame_image_at(*frame, 0, image) == FRAMESHARE_OK && same_layout(device, image))
            return 0;
        frameshare_frame_release(*frame);
        device->changed = true;
    }
}

static struct timeval
monotonic(const struct frameshare_frame_info *info)
{
    static const clockid_t clocks[] = {CLOCK_MONOTONIC, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_REALTIME};
    struct timespec here, there;
    int64_t time = info->timestamp;
    if (info->clock == FRAMESHARE_CLOCK_UNKNOWN || info->clock > FRAMESHARE_CLOCK_REALTIME) {
        time = info->publish_timestamp;
    } else if (info->clock != FRAMESHARE_CLOCK_MONOTONIC && clock_gettime(CLOCK_MONOTONIC, &here) == 0 &&
               clock_gettime(clocks[info->clock], &there) == 0) {
        int64_t difference = ((int64_t)there.tv_sec - here.tv_sec) * 1000000000 + there.tv_nsec - here.tv_nsec;
        if (__builtin_sub_overflow(time, difference, &time)) time = info->publish_timestamp;
    }
    if (time < 0) time = 0;
    return (struct timeval){.tv_sec = time / 1000000000, .tv_usec = time % 1000000000 / 1000};
}

/* The queued buffer to show a slot: the one that shows it already, else one that shows none, or one of a pool that is gone, else
 * any. */
static buffer *
buffer_for(device *device, ino_t file, size_t offset)
{
    buffer *empty = NULL, *old = NULL, *any = NULL;
    for (uint32_t i = 0; i < device->count; i++) {
        buffer *at = &device->buffers[i];
        if (!at->queued) continue;
        if (file != 0 && at->slot_file == file && at->slot_offset == offset) return at;
        if (at->slot_file == 0 && !empty) empty = at;
        if (at->slot_file != device->last_file && !old) old = at;
        if (!any) any = at;
    }
    return empty ? empty : old ? old : any;
}

static int
dequeue(device *device, struct v4l2_buffer *out)
{
    frameshare_frame *frame;
    struct frameshare_image image;
    struct frameshare_frame_info info;
    if (out->type != V4L2_BUF_TYPE_VIDEO_CAPTURE || out->memory != V4L2_MEMORY_MMAP || !device->streaming) {
        errno = EINVAL;
        return -1;
    }
    while (!buffer_for(device, 0, 0)) {
        /* All are the program's: another of its threads may queue one. */
        if (device_flags(device) & O_NONBLOCK) {
            errno = EAGAIN;
            return -1;
        }
        pthread_mutex_unlock(&device->lock);
        int slept = usleep(2000);
        int reason = errno;
        pthread_mutex_lock(&device->lock);
        if (slept != 0 || !device->streaming) {
            errno = slept != 0 ? reason : EINVAL;
            return -1;
        }
    }
    if (take(device, &frame, &image, &info) != 0) return -1;

    struct stat file;
    if (fstat(image.planes[0].fd, &file) != 0) {
        frameshare_frame_release(frame);
        errno = EIO;
        return -1;
    }
    device->last_file = file.st_ino;
    buffer *at = buffer_for(device, file.st_ino, image.planes[0].offset);
    if (!at) {
        frameshare_frame_release(frame);
        errno = EAGAIN;
        return -1;
    }
    size_t used = image.planes[0].stride ? device->format.sizeimage : image.planes[0].bytes_used;
    if (used > device->format.sizeimage) used = device->format.sizeimage;
    if (!device->copies && !show(device, at, &image, file.st_ino)) {
        say(device, "its memory can't be mapped for this program");
        frameshare_frame_release(frame);
        errno = EIO;
        return -1;
    }
    if (device->copies) {
        if (!own_memory(device, at)) {
            frameshare_frame_release(frame);
            errno = ENOMEM;
            return -1;
        }
        used = pixel_format_copy(&image, &device->format, at->own, device->format.sizeimage);
        frameshare_frame_release(frame);
        frame = NULL;
    }
    at->frame = frame;
    at->queued = false;
    describe(device, (uint32_t)(at - device->buffers), out);
    out->bytesused = (uint32_t)used;
    /* A new publisher counts anew. */
    if (!device->counted) device->sequence = 0;
    else device->sequence += info.sequence > device->last_sequence ? (uint32_t)(info.sequence - device->last_sequence) : 1;
    device->last_sequence = info.sequence;
    device->counted = true;
    out->sequence = device->sequence;
    out->timestamp = monotonic(&info);
    if (info.flags & FRAMESHARE_FLAG_ERROR) out->flags |= V4L2_BUF_FLAG_ERROR;
    if (info.flags & FRAMESHARE_FLAG_KEYFRAME) out->flags |= V4L2_BUF_FLAG_KEYFRAME;
    return 0;
}

static int
queue(device *device, struct v4l2_buffer *in)
{
    if (in->type != V4L2_BUF_TYPE_VIDEO_CAPTURE || in->memory != V4L2_MEMORY_MMAP || in->index >= device->count ||
        device->buffers[in->index].queued) {
        errno = EINVAL;
        return -1;
    }
    buffer *at = &device->buffers[in->index];
    if (at->frame) frameshare_frame_release(at->frame);
    at->frame = NULL;
    at->queued = true;
    describe(device, in->index, in);
    return 0;
}

ssize_t
device_read(device *device, void *data, size_t size)
{
    ssize_t got = -1;
    pthread_mutex_lock(&device->lock);
    if (device->count > 0) {
        errno = EBUSY;
    } else {
        if (!device->reading) {
            device->reading = true;
            int result = begin(device);
            if (result != FRAMESHARE_OK) {
                device->reading = false;
                errno = reason_of(result);
                goto out;
            }
        }
        if (device->pending_at == device->pending_size) {
            frameshare_frame *frame;
            struct frameshare_image image;
            struct frameshare_frame_info info;
            if (take(device, &frame, &image, &info) != 0) {
                /* The next call begins anew, with the images as they are now. */
                if (errno == EIO) {
                    end(device);
                    look(device);
                    errno = EIO;
                }
                goto out;
            }
            char *room = realloc(device->pending, device->format.sizeimage);
            if (room) {
                device->pending = room;
                device->pending_at = 0;
                device->pending_size = pixel_format_copy(&image, &device->format, room, device->format.sizeimage);
            }
            frameshare_frame_release(frame);
            if (!room) {
                errno = ENOMEM;
                goto out;
            }
        }
        size_t left = device->pending_size - device->pending_at;
        got = (ssize_t)(size < left ? size : left);
        memcpy(data, device->pending + device->pending_at, (size_t)got);
        device->pending_at += (size_t)got;
    }
out:
    pthread_mutex_unlock(&device->lock);
    return got;
}

bool
device_before_poll(device *device)
{
    pthread_mutex_lock(&device->lock);
    if (!device->streaming && !device->reading && device->count == 0) {
        device->reading = true;
        if (begin(device) != FRAMESHARE_OK) device->reading = false;
    }
    bool waits = (device->streaming || device->reading) && !device->changed;
    pthread_mutex_unlock(&device->lock);
    return waits;
}

/* ------------------------------------------------------------------------------------------------ requests */

static int
query_capabilities(device *device, struct v4l2_capability *out)
{
    memset(out, 0, sizeof *out);
    snprintf((char *)out->driver, sizeof out->driver, "frameshare");
    snprintf((char *)out->card, sizeof out->card, "%.18s (FrameShare)", device->channel);
    snprintf((char *)out->bus_info, sizeof out->bus_info, "platform:%.20s", device->channel);
    out->version = LINUX_VERSION_CODE;
    out->device_caps =
        V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING | V4L2_CAP_READWRITE | V4L2_CAP_EXT_PIX_FORMAT;
    out->capabilities = out->device_caps | V4L2_CAP_DEVICE_CAPS;
    return 0;
}

static int
locked_ioctl(device *device, unsigned long request, void *argument)
{
    switch (request) {
    case VIDIOC_QUERYCAP: return query_capabilities(device, argument);
    case VIDIOC_ENUM_FMT: {
        struct v4l2_fmtdesc *out = argument;
        if (out->type != V4L2_BUF_TYPE_VIDEO_CAPTURE || out->index > 0) break;
        __u32 code = device->format.pixelformat, mbus = out->mbus_code;
        struct frameshare_format_info info = frameshare_format_info_init();
        if (mbus) break;
        memset(out, 0, sizeof *out);
        out->type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
        out->pixelformat = code;
        if (frameshare_format_get(device->stream.fourcc, device->stream.modifier, &info) == FRAMESHARE_OK) {
            snprintf((char *)out->description, sizeof out->description, "%.31s", pixel_format_title(code, info.name));
            if (info.plane_count == 0) out->flags = V4L2_FMT_FLAG_COMPRESSED;
        }
        return 0;
    }
    case VIDIOC_S_FMT:
        if (((struct v4l2_format *)argument)->type == V4L2_BUF_TYPE_VIDEO_CAPTURE && device->count > 0 &&
            (device->streaming || ((struct v4l2_format *)argument)->fmt.pix.width != device->format.width)) {
            errno = EBUSY;
            return -1;
        }
        /* fall through */
    case VIDIOC_G_FMT:
    case VIDIOC_TRY_FMT: {
        struct v4l2_format *out = argument;
        if (out->type != V4L2_BUF_TYPE_VIDEO_CAPTURE) break;
        /* A channel's images are as they are, whatever is asked for. */
        if (!device->streaming && !device->reading && device->count == 0) look(device);
        out->fmt.pix = device->format;
        return 0;
    }
    case VIDIOC_ENUM_FRAMESIZES: {
        struct v4l2_frmsizeenum *out = argument;
        if (out->index > 0 || out->pixel_format != device->format.pixelformat) break;
        out->type = V4L2_FRMSIZE_TYPE_DISCRETE;
        out->discrete.width = device->format.width;
        out->discrete.height = device->format.height;
        memset(out->reserved, 0, sizeof out->reserved);
        return 0;
    }
    case VIDIOC_ENUM_FRAMEINTERVALS: {
        struct v4l2_frmivalenum *out = argument;
        if (out->index > 0 || out->pixel_format != device->format.pixelformat || out->width != device->format.width ||
            out->height != device->format.height)
            break;
        out->type = V4L2_FRMIVAL_TYPE_DISCRETE;
        out->discrete = device->interval;
        memset(out->reserved, 0, sizeof out->reserved);
        return 0;
    }
    case VIDIOC_G_PARM:
    case VIDIOC_S_PARM: {
        struct v4l2_streamparm *out = argument;
        if (out->type != V4L2_BUF_TYPE_VIDEO_CAPTURE) break;
        memset(&out->parm, 0, sizeof out->parm);
        out->parm.capture.capability = V4L2_CAP_TIMEPERFRAME;
        out->parm.capture.timeperframe = device->interval;
        out->parm.capture.readbuffers = 2;
        return 0;
    }
    case VIDIOC_ENUMINPUT: {
        struct v4l2_input *out = argument;
        if (out->index > 0) break;
        memset(out, 0, sizeof *out);
        snprintf((char *)out->name, sizeof out->name, "%.31s", device->channel);
        out->type = V4L2_INPUT_TYPE_CAMERA;
        return 0;
    }
    case VIDIOC_G_INPUT: *(int *)argument = 0; return 0;
    case VIDIOC_S_INPUT:
        if (*(int *)argument != 0) break;
        return 0;
    case VIDIOC_G_PRIORITY: *(enum v4l2_priority *)argument = devices_priority(device->path); return 0;
    case VIDIOC_S_PRIORITY: {
        enum v4l2_priority asked = *(enum v4l2_priority *)argument;
        if (asked != V4L2_PRIORITY_BACKGROUND && asked != V4L2_PRIORITY_INTERACTIVE && asked != V4L2_PRIORITY_RECORD) break;
        __atomic_store_n(&device->priority, asked, __ATOMIC_RELAXED);
        return 0;
    }
    case VIDIOC_REQBUFS: return request_buffers(device, argument);
    case VIDIOC_QUERYBUF: {
        struct v4l2_buffer *out = argument;
        if (out->type != V4L2_BUF_TYPE_VIDEO_CAPTURE || out->index >= device->count) break;
        describe(device, out->index, out);
        return 0;
    }
    case VIDIOC_QBUF: return queue(device, argument);
    case VIDIOC_DQBUF: return dequeue(device, argument);
    case VIDIOC_STREAMON: {
        if (*(int *)argument != V4L2_BUF_TYPE_VIDEO_CAPTURE || device->count == 0) break;
        if (device->streaming) return 0;
        int result = begin(device);
        if (result != FRAMESHARE_OK) {
            if (frameshare_last_error()[0]) say(device, frameshare_last_error());
            errno = reason_of(result);
            return -1;
        }
        device->streaming = true;
        device->counted = false;
        return 0;
    }
    case VIDIOC_STREAMOFF:
        if (*(int *)argument != V4L2_BUF_TYPE_VIDEO_CAPTURE) break;
        if (!device->reading) end(device);
        return 0;
    default: errno = ENOTTY; return -1;
    }
    errno = EINVAL;
    return -1;
}

/* The requests that change something, which an opening of lower priority may not make. */
static bool
changes(unsigned long request)
{
    return request == VIDIOC_S_FMT || request == VIDIOC_S_PARM || request == VIDIOC_S_INPUT || request == VIDIOC_S_CTRL ||
           request == VIDIOC_S_EXT_CTRLS || request == VIDIOC_REQBUFS || request == VIDIOC_STREAMON ||
           request == VIDIOC_STREAMOFF || request == VIDIOC_S_PRIORITY;
}

static bool
is_known(unsigned long request)
{
    static const unsigned long known[] = {
        VIDIOC_QUERYCAP,       VIDIOC_ENUM_FMT,    VIDIOC_G_FMT,      VIDIOC_S_FMT,       VIDIOC_TRY_FMT,
        VIDIOC_ENUM_FRAMESIZES, VIDIOC_ENUM_FRAMEINTERVALS, VIDIOC_G_PARM, VIDIOC_S_PARM, VIDIOC_ENUMINPUT,
        VIDIOC_G_INPUT,        VIDIOC_S_INPUT,     VIDIOC_G_PRIORITY, VIDIOC_S_PRIORITY,  VIDIOC_REQBUFS,
        VIDIOC_QUERYBUF,       VIDIOC_QBUF,        VIDIOC_DQBUF,      VIDIOC_STREAMON,    VIDIOC_STREAMOFF,
        VIDIOC_QUERYCTRL,      VIDIOC_QUERY_EXT_CTRL, VIDIOC_QUERYMENU, VIDIOC_G_CTRL,    VIDIOC_S_CTRL,
        VIDIOC_G_EXT_CTRLS,    VIDIOC_S_EXT_CTRLS, VIDIOC_TRY_EXT_CTRLS,
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i] == request) return true;
    return false;
}

int
device_ioctl(device *device, unsigned long request, void *argument)
{
    if (request == VIDIOC_LOG_STATUS) {
        say(device, device->copies ? "frames are copied: their rows are not as V4L2 has them" : "frames are not copied");
        return 0;
    }
    if (!is_known(request)) {
        errno = ENOTTY;
        return -1;
    }
    if (!argument) {
        errno = EFAULT;
        return -1;
    }
    if (changes(request) && device_priority(device) < devices_priority(device->path)) {
        errno = EBUSY;
        return -1;
    }
    switch (request) {
    case VIDIOC_QUERYCTRL:
    case VIDIOC_QUERY_EXT_CTRL:
    case VIDIOC_QUERYMENU:
    case VIDIOC_G_CTRL:
    case VIDIOC_S_CTRL:
    case VIDIOC_G_EXT_CTRLS:
    case VIDIOC_S_EXT_CTRLS:
    case VIDIOC_TRY_EXT_CTRLS:
        /* A camera's driver may take its time: frames are dequeued meanwhile. */
        return controls_ioctl(device->monitor, request, argument);
    default: break;
    }
    pthread_mutex_lock(&device->lock);
    int result = locked_ioctl(device, request, argument);
    int reason = errno;
    pthread_mutex_unlock(&device->lock);
    errno = reason;
    return result;
}

int
device_priority(const device *device)
{
    return (int)__atomic_load_n(&device->priority, __ATOMIC_RELAXED);
}

const char *
device_path(const device *device)
{
    return device->path;
}

unsigned
device_minor(const device *device)
{
    return devices_minor(device->path);
}
