/* A node of PipeWire's whose buffers are the channel's slots. A frame's lease lasts until PipeWire gives its buffer back. */
#include "camera.h"

#include "formats.h"
#include "layout.h"
#include "stopping.h"

#include <errno.h>
#include <fcntl.h>
#include <frameshare.h>
#include <pipewire/pipewire.h>
#include <spa/debug/types.h>
#include <spa/param/video/format-utils.h>
#include <spa/param/video/type-info.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MOST_BUFFERS 64
/* The most buffers that PipeWire shares between two nodes, as it is shipped (link.max-buffers). */
#define MOST_IN_PLACE 16
#define COPIES 8
/* Tells the offer of copies from that of the slots, by the size that comes back with the buffers. */
#define MARGIN_OF_COPIES 16
/* How long all of the frames that may be held can be, before other buffers are made: a reader that was killed never gives its
 * own back. */
#define PATIENCE_NS 3000000000LL

/* Why the loop has ended. */
enum outcome { RUNNING, STOPPED, CHANNEL_THERE, CHANNEL_GONE, FAILED };

struct buffer {
    /* NULL: PipeWire has none for this slot. */
    struct pw_buffer *buffer;
    /* PipeWire has given it back, or never had it. */
    bool ours;
    /* What it shows, while PipeWire has it. */
    frameshare_frame *frame;
    /* Memory of our own, to copy into. */
    void *copy;
    size_t copy_size;
    int copy_fd;
};

struct camera {
    const struct camera_options *options;
    struct pw_main_loop *loop;
    struct pw_core *core;
    struct spa_hook core_listener;
    struct pw_stream *stream;
    struct spa_hook stream_listener;
    struct spa_source *arrivals;
    frameshare_channel_watch *watch;
    enum outcome outcome;

    /* What the channel has now. */
    frameshare_subscriber *subscriber;
    struct frameshare_stream shape;
    const struct format *format;
    struct frameshare_format_info info;
    struct layout usual;
    /* The pool that the buffers were made of; NULL while there are none. */
    frameshare_pool *pool;
    struct frameshare_pool_info pool_info;
    ino_t pool_inode;

    /* Another format or pool was offered, and not agreed on yet. */
    bool negotiating;
    /* Changes with each negotiation, so that PipeWire sees another offer where only the memory is another. */
    uint32_t offers;
    bool offered_in_place;
    size_t copies_size;
    bool copying;
    uint32_t blocks;
    /* The frames that PipeWire may hold, as far as the pool allows, and when it gave one back last. */
    uint32_t budget;
    int64_t last_back;
    struct buffer buffers[MOST_BUFFERS];
    uint32_t buffer_count;
    uint64_t shown, copied, passed_over;
};

static void fail(struct camera *camera, const char *what, const char *why) {
    fprintf(stderr, "frameshare-pipewire: %s: %s\n", what, why);
    camera->outcome = FAILED;
    pw_main_loop_quit(camera->loop);
}

static void end(struct camera *camera, enum outcome outcome) {
    if (camera->outcome == RUNNING) camera->outcome = outcome;
    pw_main_loop_quit(camera->loop);
}

/* ------------------------------------------------------------------------------------------------ the channel */

static void leave(struct camera *camera) {
    if (camera->arrivals) pw_loop_destroy_source(pw_main_loop_get_loop(camera->loop), camera->arrivals);
    camera->arrivals = NULL;
    if (camera->subscriber) frameshare_subscriber_close(camera->subscriber);
    camera->subscriber = NULL;
}

/* A result of subscribing. A small pool allows fewer frames than were asked for. */
static int join(struct camera *camera) {
    const struct camera_options *options = camera->options;
    struct frameshare_subscriber_options wanted = frameshare_subscriber_options_init();
    wanted.policy = FRAMESHARE_POLICY_LATEST;
    wanted.pollable = 1;
    wanted.name = "PipeWire";
    wanted.stream_count = options->stream ? 1 : 0;
    wanted.streams = options->stream ? &options->stream : NULL;
    int result = FRAMESHARE_ERROR_REFUSED;
    for (camera->budget = options->budget; result == FRAMESHARE_ERROR_REFUSED && camera->budget > 0; camera->budget--) {
        /* One more than PipeWire may hold: frames go on coming, and with each PipeWire gives buffers back. */
        wanted.budget = camera->budget + 1;
        result = frameshare_subscriber_open(options->channel, &wanted, &camera->subscriber);
        if (result == FRAMESHARE_OK) break;
    }
    return result;
}

/* What the channel's stream is. False, after saying why, where PipeWire has no word for it. */
static bool look(struct camera *camera) {
    struct frameshare_stream shape = frameshare_stream_init();
    if (frameshare_subscriber_stream_at(camera->subscriber, 0, &shape) != FRAMESHARE_OK) {
        fail(camera, camera->options->channel, frameshare_last_error());
        return false;
    }
    camera->info = frameshare_format_info_init();
    camera->format = format_of_frameshare(shape.fourcc, shape.modifier);
    if (!camera->format || frameshare_format_get(shape.fourcc, shape.modifier, &camera->info) != FRAMESHARE_OK) {
        fail(camera, camera->options->channel, "PipeWire has no name for the format of its frames");
        return false;
    }
    camera->shape = shape;
    bool raw = camera->format->subtype == SPA_MEDIA_SUBTYPE_raw;
    if (raw && !layout_in_one_block(&camera->info, shape.width, shape.height, 0, &camera->usual)) {
        fail(camera, camera->options->channel, "its images are too large for PipeWire");
        return false;
    }
    return true;
}

static ino_t inode_of(const frameshare_pool *pool) {
    struct frameshare_image image = frameshare_image_init();
    struct stat status;
    if (frameshare_pool_image(pool, 0, NULL, &image) != FRAMESHARE_OK || fstat(image.planes[0].fd, &status) != 0) return 0;
    return status.st_ino;
}

/* Whether the buffers that PipeWire has are those that frames lie in now. */
static bool pool_is_the_same(struct camera *camera) {
    frameshare_pool *now = NULL;
    struct frameshare_pool_info info = frameshare_pool_info_init();
    if (!camera->pool || frameshare_subscriber_pool(camera->subscriber, &now) != FRAMESHARE_OK) return false;
    bool same = frameshare_pool_get_info(now, &info) == FRAMESHARE_OK && info.generation == camera->pool_info.generation &&
                inode_of(now) == camera->pool_inode;
    frameshare_pool_release(now);
    return same;
}

/* ------------------------------------------------------------------------------------------------ negotiation */

static const struct spa_pod *build_format(struct camera *camera, struct spa_pod_builder *builder) {
    const struct frameshare_stream *shape = &camera->shape;
    struct spa_pod_frame frame;
    spa_pod_builder_push_object(builder, &frame, SPA_TYPE_OBJECT_Format, SPA_PARAM_EnumFormat);
    spa_pod_builder_add(builder, SPA_FORMAT_mediaType, SPA_POD_Id(SPA_MEDIA_TYPE_video), SPA_FORMAT_mediaSubtype,
                        SPA_POD_Id(camera->format->subtype), 0);
    if (camera->format->subtype == SPA_MEDIA_SUBTYPE_raw)
        spa_pod_builder_add(builder, SPA_FORMAT_VIDEO_format, SPA_POD_Id(camera->format->video), 0);
    /* Frames come as they come; the default only tells one offer from the next. */
    spa_pod_builder_add(builder, SPA_FORMAT_VIDEO_size, SPA_POD_Rectangle(&SPA_RECTANGLE(shape->width, shape->height)),
                        SPA_FORMAT_VIDEO_framerate,
                        SPA_POD_CHOICE_RANGE_Fraction(&SPA_FRACTION(30, 1), &SPA_FRACTION(0, 1),
                                                      &SPA_FRACTION(1000 + camera->offers % 1000, 1)),
                        0);
    if (camera->format->subtype == SPA_MEDIA_SUBTYPE_raw && shape->color_space.range != 0)
        spa_pod_builder_add(builder, SPA_FORMAT_VIDEO_colorRange, SPA_POD_Id(shape->color_space.range), 0);
    return spa_pod_builder_pop(builder, &frame);
}

/* Whether PipeWire can be handed the slots themselves. */
static bool fits_in_place(struct camera *camera) {
    camera->blocks = 1;
    if (camera->options->copying == COPY_ALWAYS || camera->pool_info.slot_count > MOST_IN_PLACE) return false;
    for (uint32_t slot = 0; slot < camera->pool_info.slot_count; slot++) {
        struct frameshare_image image = frameshare_image_init();
        if (frameshare_pool_image(camera->pool, slot, NULL, &image) != FRAMESHARE_OK) return false;
        if (camera->format->subtype == SPA_MEDIA_SUBTYPE_raw && !layout_is(&camera->usual, &image)) {
            if (camera->options->copying != COPY_NEVER) return false;
            camera->blocks = image.plane_count;
        }
        for (uint32_t p = 0; p < image.plane_count; p++)
            if (image.planes[p].offset + image.planes[p].size > INT32_MAX) return false;
    }
    return true;
}

static bool is_dma_buf(uint32_t memory) { return memory != FRAMESHARE_MEMORY_MEMFD; }

static size_t block_size(struct camera *camera, const struct frameshare_image *image, uint32_t block) {
    if (camera->format->subtype == SPA_MEDIA_SUBTYPE_raw && camera->blocks == 1) {
        const struct frameshare_plane *last = &image->planes[image->plane_count - 1];
        return last->offset + last->size - image->planes[0].offset;
    }
    return image->planes[block].size;
}

static void offer_buffers(struct camera *camera) {
    uint8_t room[2048];
    struct spa_pod_builder builder = SPA_POD_BUILDER_INIT(room, sizeof room);
    const struct spa_pod *params[3];
    uint32_t count = 0;
    struct frameshare_image image = frameshare_image_init();
    bool raw = camera->format->subtype == SPA_MEDIA_SUBTYPE_raw;
    if (frameshare_pool_image(camera->pool, 0, NULL, &image) != FRAMESHARE_OK) return;
    camera->offered_in_place = fits_in_place(camera);
    if (!camera->offered_in_place) camera->blocks = 1;
    camera->copies_size = (raw ? camera->usual.size : image.planes[0].size) + MARGIN_OF_COPIES;
    if (camera->offered_in_place) {
        int slots = (int)camera->pool_info.slot_count;
        int type = 1 << (is_dma_buf(image.memory) ? SPA_DATA_DmaBuf : SPA_DATA_MemFd);
        params[count++] = spa_pod_builder_add_object(
            &builder, SPA_TYPE_OBJECT_ParamBuffers, SPA_PARAM_Buffers, SPA_PARAM_BUFFERS_buffers,
            SPA_POD_CHOICE_RANGE_Int(slots, slots, MOST_IN_PLACE), SPA_PARAM_BUFFERS_blocks, SPA_POD_Int((int)camera->blocks),
            SPA_PARAM_BUFFERS_size, SPA_POD_Int((int)block_size(camera, &image, 0)), SPA_PARAM_BUFFERS_stride,
            SPA_POD_Int((int)image.planes[0].stride), SPA_PARAM_BUFFERS_dataType, SPA_POD_CHOICE_FLAGS_Int(type));
    }
    if (camera->options->copying != COPY_NEVER) {
        /* For programs that take fewer buffers, or only memory that any program can have. */
        params[count++] = spa_pod_builder_add_object(
            &builder, SPA_TYPE_OBJECT_ParamBuffers, SPA_PARAM_Buffers, SPA_PARAM_BUFFERS_buffers,
            SPA_POD_CHOICE_RANGE_Int(COPIES, 2, MOST_IN_PLACE), SPA_PARAM_BUFFERS_blocks, SPA_POD_Int(1), SPA_PARAM_BUFFERS_size,
            SPA_POD_Int((int)camera->copies_size), SPA_PARAM_BUFFERS_stride,
            SPA_POD_Int((int)(raw ? camera->usual.stride[0] : 0)), SPA_PARAM_BUFFERS_dataType,
            SPA_POD_CHOICE_FLAGS_Int(1 << SPA_DATA_MemFd));
    }
    if (count == 0) {
        fail(camera, camera->options->channel, "its buffers can't be handed over as they are (--copy never)");
        return;
    }
    params[count++] = spa_pod_builder_add_object(&builder, SPA_TYPE_OBJECT_ParamMeta, SPA_PARAM_Meta, SPA_PARAM_META_type,
                                                 SPA_POD_Id(SPA_META_Header), SPA_PARAM_META_size,
                                                 SPA_POD_Int((int)sizeof(struct spa_meta_header)));
    pw_stream_update_params(camera->stream, params, count);
}

static void offer_format(struct camera *camera) {
    uint8_t room[1024];
    struct spa_pod_builder builder = SPA_POD_BUILDER_INIT(room, sizeof room);
    camera->offers++;
    const struct spa_pod *param = build_format(camera, &builder);
    pw_stream_update_params(camera->stream, &param, 1);
}

static void drop_pool(struct camera *camera) {
    if (camera->pool) frameshare_pool_release(camera->pool);
    camera->pool = NULL;
}

static void on_arrivals(void *data, int fd, uint32_t mask);

/* Subscribes, unless that was done. False, after saying why or asking to end, where it can't be. */
static bool attend(struct camera *camera) {
    if (!camera->subscriber) {
        int result = join(camera);
        if (result != FRAMESHARE_OK) {
            fprintf(stderr, "frameshare-pipewire: %s\n", frameshare_last_error());
            end(camera, result == FRAMESHARE_ERROR_NO_SUCH_CHANNEL ? CHANNEL_GONE : FAILED);
            return false;
        }
    }
    if (!camera->arrivals) {
        int fd = -1;
        if (frameshare_subscriber_poll_fd(camera->subscriber, &fd) != FRAMESHARE_OK) {
            fail(camera, "waiting for frames", frameshare_last_error());
            return false;
        }
        camera->arrivals =
            pw_loop_add_io(pw_main_loop_get_loop(camera->loop), fd, SPA_IO_IN, false, on_arrivals, camera);
    }
    return true;
}

/* The channel has other streams or another pool: PipeWire negotiates anew. */
static void negotiate_again(struct camera *camera) {
    camera->negotiating = true;
    if (look(camera)) offer_format(camera);
}

static void on_param_changed(void *data, uint32_t id, const struct spa_pod *param) {
    struct camera *camera = data;
    if (id != SPA_PARAM_Format) return;
    if (!param) {
        /* Nobody looks. */
        leave(camera);
        drop_pool(camera);
        return;
    }
    if (!attend(camera)) return;
    /* Between the offer and this the channel may have changed. */
    struct frameshare_stream shape = frameshare_stream_init();
    if (frameshare_subscriber_stream_at(camera->subscriber, 0, &shape) != FRAMESHARE_OK ||
        shape.width != camera->shape.width || shape.height != camera->shape.height || shape.fourcc != camera->shape.fourcc) {
        negotiate_again(camera);
        return;
    }
    drop_pool(camera);
    camera->pool_info = frameshare_pool_info_init();
    if (frameshare_subscriber_pool(camera->subscriber, &camera->pool) != FRAMESHARE_OK ||
        frameshare_pool_get_info(camera->pool, &camera->pool_info) != FRAMESHARE_OK) {
        fail(camera, camera->options->channel, frameshare_last_error());
        return;
    }
    camera->pool_inode = inode_of(camera->pool);
    camera->negotiating = false;
    offer_buffers(camera);
}

/* ------------------------------------------------------------------------------------------------ buffers */

static int memory_of_our_own(struct buffer *buffer, size_t size) {
    int fd = memfd_create("frameshare-pipewire", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) return -errno;
    if (ftruncate(fd, (off_t)size) == 0)
        buffer->copy = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    else
        buffer->copy = MAP_FAILED;
    if (buffer->copy == MAP_FAILED) {
        int error = errno;
        buffer->copy = NULL;
        close(fd);
        return -error;
    }
    buffer->copy_size = size;
    fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
    return fd;
}

static void on_add_buffer(void *data, struct pw_buffer *added) {
    struct camera *camera = data;
    if (camera->buffer_count >= MOST_BUFFERS || !camera->pool) return;
    uint32_t index = camera->buffer_count++;
    struct buffer *buffer = &camera->buffers[index];
    memset(buffer, 0, sizeof *buffer);
    struct spa_data *blocks = added->buffer->datas;
    struct frameshare_image image = frameshare_image_init();
    /* PipeWire may have more buffers than there are slots; those are never used. */
    uint32_t slot = index < camera->pool_info.slot_count ? index : 0;
    if (frameshare_pool_image(camera->pool, slot, NULL, &image) != FRAMESHARE_OK) return;
    camera->copying = !camera->offered_in_place || blocks[0].maxsize == camera->copies_size;
    for (uint32_t block = 0; block < added->buffer->n_datas; block++) {
        struct spa_data *there = &blocks[block];
        there->data = NULL;
        there->flags = SPA_DATA_FLAG_READABLE;
        if (camera->copying) {
            int fd = memory_of_our_own(buffer, camera->copies_size);
            if (fd < 0) {
                fail(camera, "memory to copy into", strerror(-fd));
                return;
            }
            buffer->copy_fd = fd;
            there->type = SPA_DATA_MemFd;
            there->fd = fd;
            there->mapoffset = 0;
            there->maxsize = (uint32_t)camera->copies_size;
        } else {
            const struct frameshare_plane *plane = &image.planes[block < image.plane_count ? block : 0];
            there->type = is_dma_buf(image.memory) ? SPA_DATA_DmaBuf : SPA_DATA_MemFd;
            /* PipeWire makes duplicates; the pool keeps it open as long as the buffers are there. */
            there->fd = plane->fd;
            there->mapoffset = (uint32_t)plane->offset;
            there->maxsize = (uint32_t)block_size(camera, &image, block);
        }
    }
    buffer->buffer = added;
    buffer->ours = false;
    added->user_data = buffer;
}

static void forget(struct buffer *buffer) {
    if (buffer->frame) frameshare_frame_release(buffer->frame);
    if (buffer->copy) {
        munmap(buffer->copy, buffer->copy_size);
        close(buffer->copy_fd);
    }
    memset(buffer, 0, sizeof *buffer);
}

static void on_remove_buffer(void *data, struct pw_buffer *removed) {
    struct camera *camera = data;
    struct buffer *buffer = removed->user_data;
    if (!buffer) return;
    forget(buffer);
    bool any = false;
    for (uint32_t i = 0; i < camera->buffer_count; i++) any |= camera->buffers[i].buffer != NULL;
    if (!any) camera->buffer_count = 0;
}

/* ------------------------------------------------------------------------------------------------ frames */

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* What PipeWire's programs have given back. */
static void reclaim(struct camera *camera) {
    /* A buffer that somebody looks at still is put behind the others. */
    for (uint32_t i = 0; i < camera->buffer_count; i++) {
        errno = 0;
        struct pw_buffer *back = pw_stream_dequeue_buffer(camera->stream);
        if (!back && errno == EBUSY) continue;
        if (!back) break;
        struct buffer *buffer = back->user_data;
        camera->last_back = now_ns();
        if (!buffer) continue;
        if (buffer->frame) frameshare_frame_release(buffer->frame);
        buffer->frame = NULL;
        buffer->ours = true;
    }
}

static uint32_t frames_out(const struct camera *camera) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < camera->buffer_count; i++) count += camera->buffers[i].frame != NULL;
    return count;
}

static void copy_image(struct camera *camera, const struct frameshare_image *image, struct buffer *buffer, size_t *size) {
    if (camera->format->subtype != SPA_MEDIA_SUBTYPE_raw) {
        *size = image->planes[0].bytes_used < buffer->copy_size ? image->planes[0].bytes_used : buffer->copy_size;
        memcpy(buffer->copy, image->planes[0].data, *size);
        return;
    }
    for (uint32_t p = 0; p < image->plane_count && p < camera->usual.planes; p++)
        copy_rows((uint8_t *)buffer->copy + camera->usual.offset[p], camera->usual.stride[p], image->planes[p].data,
                  image->planes[p].stride, camera->usual.row_bytes[p], camera->usual.rows[p]);
    *size = camera->usual.size;
}

static void describe(const struct frameshare_frame_info *numbers, struct pw_buffer *buffer) {
    struct spa_meta_header *header =
        spa_buffer_find_meta_data(buffer->buffer, SPA_META_Header, sizeof(struct spa_meta_header));
    if (!header) return;
    memset(header, 0, sizeof *header);
    header->flags = (numbers->flags & FRAMESHARE_FLAG_DISCONTINUITY ? SPA_META_HEADER_FLAG_DISCONT : 0u) |
                    (numbers->flags & FRAMESHARE_FLAG_ERROR ? SPA_META_HEADER_FLAG_CORRUPTED : 0u);
    /* PipeWire's clock is the monotonic one. */
    header->pts = numbers->clock == FRAMESHARE_CLOCK_MONOTONIC ? numbers->timestamp : numbers->publish_timestamp;
    header->seq = numbers->sequence;
}

/* Queues the frame; takes it over where that is done. */
static bool show(struct camera *camera, frameshare_frame *frame) {
    struct frameshare_frame_info numbers = frameshare_frame_info_init();
    struct frameshare_image image = frameshare_image_init();
    if (frameshare_frame_get_info(frame, &numbers) != FRAMESHARE_OK ||
        frameshare_frame_image(frame, NULL, &image) != FRAMESHARE_OK || numbers.generation != camera->pool_info.generation)
        return false;
    struct buffer *buffer = NULL;
    if (!camera->copying) {
        if (numbers.slot < camera->buffer_count) buffer = &camera->buffers[numbers.slot];
    } else {
        for (uint32_t i = 0; i < camera->buffer_count && !buffer; i++)
            if (camera->buffers[i].buffer && camera->buffers[i].ours) buffer = &camera->buffers[i];
    }
    if (!buffer || !buffer->buffer || !buffer->ours) return false;
    bool raw = camera->format->subtype == SPA_MEDIA_SUBTYPE_raw;
    struct spa_buffer *shared = buffer->buffer->buffer;
    for (uint32_t block = 0; block < shared->n_datas; block++) {
        struct spa_chunk *chunk = shared->datas[block].chunk;
        const struct frameshare_plane *plane = &image.planes[block < image.plane_count ? block : 0];
        size_t size = raw ? block_size(camera, &image, block) : plane->bytes_used;
        if (camera->copying) {
            if (!plane->data) return false;
            copy_image(camera, &image, buffer, &size);
        }
        chunk->offset = 0;
        chunk->size = (uint32_t)size;
        chunk->stride = (int32_t)(camera->copying && raw ? camera->usual.stride[0] : plane->stride);
        chunk->flags = numbers.flags & FRAMESHARE_FLAG_ERROR ? SPA_CHUNK_FLAG_CORRUPTED : SPA_CHUNK_FLAG_NONE;
    }
    describe(&numbers, buffer->buffer);
    buffer->ours = false;
    if (camera->copying) {
        frameshare_frame_release(frame);
        camera->copied++;
    } else {
        buffer->frame = frame;
    }
    camera->shown++;
    pw_stream_queue_buffer(camera->stream, buffer->buffer);
    return true;
}

static void on_process(void *data) { reclaim(data); }

static void on_arrivals(void *data, int fd, uint32_t mask) {
    (void)fd, (void)mask;
    struct camera *camera = data;
    frameshare_frame *frame = NULL;
    int result = frameshare_subscriber_try_next(camera->subscriber, &frame);
    if (result == FRAMESHARE_NO_FRAME) return;
    if (result != FRAMESHARE_OK) {
        if (result != FRAMESHARE_ENDED) fprintf(stderr, "frameshare-pipewire: %s\n", frameshare_last_error());
        end(camera, CHANNEL_GONE);
        return;
    }
    struct frameshare_frame_info numbers = frameshare_frame_info_init();
    bool streaming = pw_stream_get_state(camera->stream, NULL) == PW_STREAM_STATE_STREAMING;
    if (!streaming || camera->negotiating || frameshare_frame_get_info(frame, &numbers) != FRAMESHARE_OK) {
        frameshare_frame_release(frame);
        return;
    }
    if (numbers.generation != camera->pool_info.generation) {
        frameshare_frame_release(frame);
        negotiate_again(camera);
        return;
    }
    reclaim(camera);
    bool room = frames_out(camera) < camera->budget;
    if (!room || !show(camera, frame)) {
        /* PipeWire's programs hold all that they may: this frame is lost for them. */
        camera->passed_over++;
        frameshare_frame_release(frame);
    }
    if (!room && now_ns() - camera->last_back > PATIENCE_NS) {
        camera->last_back = now_ns();
        negotiate_again(camera);
    }
    /* The graph's turn, in which PipeWire gives buffers back. */
    pw_stream_trigger_process(camera->stream);
}

static void on_state_changed(void *data, enum pw_stream_state old, enum pw_stream_state state, const char *error) {
    struct camera *camera = data;
    if (state == PW_STREAM_STATE_ERROR) {
        /* Errors of a single call are reported so, too; then the stream itself is as it was. */
        if (pw_stream_get_state(camera->stream, NULL) == PW_STREAM_STATE_ERROR) fail(camera, "PipeWire says", error ? error : "an error");
        else fprintf(stderr, "frameshare-pipewire: PipeWire says: %s\n", error ? error : "an error");
        return;
    }
    if (state == PW_STREAM_STATE_STREAMING) {
        bool absent = !camera->subscriber;
        if (attend(camera) && absent && !pool_is_the_same(camera)) negotiate_again(camera);
    } else if (old == PW_STREAM_STATE_STREAMING) {
        /* Linked, and looked at by nobody: a camera on demand may sleep. The buffers stay. */
        reclaim(camera);
        leave(camera);
    }
}

static const struct pw_stream_events stream_events = {
    PW_VERSION_STREAM_EVENTS,
    .state_changed = on_state_changed,
    .param_changed = on_param_changed,
    .add_buffer = on_add_buffer,
    .remove_buffer = on_remove_buffer,
    .process = on_process,
};

/* ------------------------------------------------------------------------------------------------ the loop */

static void on_core_error(void *data, uint32_t id, int sequence, int result, const char *message) {
    (void)sequence;
    struct camera *camera = data;
    if (id == PW_ID_CORE && result == -EPIPE) fail(camera, "PipeWire", "its daemon has gone");
    else if (id == PW_ID_CORE) fprintf(stderr, "frameshare-pipewire: PipeWire says: %s (%s)\n", message, strerror(-result));
}

static const struct pw_core_events core_events = {PW_VERSION_CORE_EVENTS, .error = on_core_error};

static void on_stopping(void *data, int fd, uint32_t mask) {
    (void)fd, (void)mask;
    end(data, STOPPED);
}

/* While nobody looks, the camera has no subscription that would tell of the channel's end; nor of its coming. */
static void on_channels(void *data, int fd, uint32_t mask) {
    (void)fd, (void)mask;
    struct camera *camera = data;
    struct frameshare_channel_entry entry = {.struct_size = sizeof entry};
    bool any = false, there = false, went = false;
    while (frameshare_channel_watch_next(camera->watch, 0, &entry) == FRAMESHARE_OK) {
        if (strcmp(entry.name, camera->options->channel) != 0) continue;
        any = true;
        there = entry.change != FRAMESHARE_CHANNEL_VANISHED && entry.state == FRAMESHARE_CHANNEL_LIVE;
        went = went || !there;
    }
    if (!any) return;
    /* Gone and there again between two looks is another publisher. */
    if (camera->stream && went) end(camera, CHANNEL_GONE);
    if (!camera->stream && there) end(camera, CHANNEL_THERE);
}

static struct pw_properties *properties_of(const struct camera_options *options) {
    char node[256], description[256];
    snprintf(node, sizeof node, "frameshare.%s", options->channel);
    snprintf(description, sizeof description, "%s (FrameShare)", options->channel);
    return pw_properties_new(PW_KEY_MEDIA_TYPE, "Video", PW_KEY_MEDIA_CATEGORY, "Capture", PW_KEY_MEDIA_ROLE, "Camera",
                             PW_KEY_MEDIA_CLASS, "Video/Source", PW_KEY_NODE_NAME, options->node ? options->node : node,
                             PW_KEY_NODE_DESCRIPTION, options->description ? options->description : description,
                             PW_KEY_NODE_NICK, options->channel, PW_KEY_DEVICE_ICON_NAME, "camera-video",
                             "frameshare.channel", options->channel, NULL);
}

/* While the channel lives. */
static enum outcome serve(struct camera *camera) {
    uint8_t room[1024];
    struct spa_pod_builder builder = SPA_POD_BUILDER_INIT(room, sizeof room);
    camera->outcome = RUNNING;
    bool fits = look(camera);
    leave(camera);
    if (!fits) return camera->outcome;
    camera->stream = pw_stream_new(camera->core, camera->options->channel, properties_of(camera->options));
    if (!camera->stream) {
        fail(camera, "a camera of PipeWire's", strerror(errno));
        return camera->outcome;
    }
    pw_stream_add_listener(camera->stream, &camera->stream_listener, &stream_events, camera);
    const struct spa_pod *param = build_format(camera, &builder);
    int result = pw_stream_connect(camera->stream, PW_DIRECTION_OUTPUT, PW_ID_ANY,
                                   PW_STREAM_FLAG_DRIVER | PW_STREAM_FLAG_ALLOC_BUFFERS, &param, 1);
    if (result < 0) fail(camera, "a camera of PipeWire's", strerror(-result));
    else if (!camera->options->quiet)
        fprintf(stderr, "frameshare-pipewire: %s is a camera of PipeWire's\n", camera->options->channel);
    if (camera->outcome == RUNNING) pw_main_loop_run(camera->loop);
    leave(camera);
    spa_hook_remove(&camera->stream_listener);
    pw_stream_destroy(camera->stream);
    camera->stream = NULL;
    for (uint32_t i = 0; i < camera->buffer_count; i++) forget(&camera->buffers[i]);
    camera->buffer_count = 0;
    drop_pool(camera);
    if (!camera->options->quiet && camera->shown + camera->passed_over > 0)
        fprintf(stderr, "frameshare-pipewire: %llu frames shown, of which %llu copied; %llu passed over\n",
                (unsigned long long)camera->shown, (unsigned long long)camera->copied, (unsigned long long)camera->passed_over);
    camera->shown = camera->copied = camera->passed_over = 0;
    return camera->outcome;
}

/* Until the channel is there. */
static enum outcome wait_for_channel(struct camera *camera) {
    camera->outcome = RUNNING;
    if (!camera->options->quiet)
        fprintf(stderr, "frameshare-pipewire: waiting for the channel %s\n", camera->options->channel);
    pw_main_loop_run(camera->loop);
    return camera->outcome;
}

static int run(struct camera *camera) {
    enum outcome outcome = CHANNEL_GONE;
    bool served = false;
    while (!stopping_asked()) {
        int result = join(camera);
        if (result == FRAMESHARE_OK) {
            outcome = serve(camera);
            served = true;
            if (outcome != CHANNEL_GONE || camera->options->once) break;
            /* Whoever was only disconnected may come back; not in a hurry. */
            const struct timespec pause = {.tv_nsec = 200000000};
            nanosleep(&pause, NULL);
        } else if (result == FRAMESHARE_ERROR_NO_SUCH_CHANNEL && !camera->options->once) {
            outcome = wait_for_channel(camera);
            if (outcome != CHANNEL_THERE) break;
        } else {
            if (!stopping_asked()) fprintf(stderr, "frameshare-pipewire: %s\n", frameshare_last_error());
            return stopping_asked() ? 0 : 1;
        }
    }
    if (stopping_asked()) return 0;
    return outcome == FAILED || (outcome == CHANNEL_GONE && !served) ? 1 : 0;
}

int camera_run(const struct camera_options *options) {
    struct camera camera = {.options = options};
    int status = 1, fd = -1;
    camera.loop = pw_main_loop_new(NULL);
    struct pw_context *context = camera.loop ? pw_context_new(pw_main_loop_get_loop(camera.loop), NULL, 0) : NULL;
    camera.core = context ? pw_context_connect(context, NULL, 0) : NULL;
    if (!camera.core) {
        fprintf(stderr, "frameshare-pipewire: no PipeWire daemon: %s (is it running for this user?)\n", strerror(errno));
    } else if (frameshare_channel_watch_open(NULL, &camera.watch) != FRAMESHARE_OK ||
               frameshare_channel_watch_poll_fd(camera.watch, &fd) != FRAMESHARE_OK) {
        fprintf(stderr, "frameshare-pipewire: %s\n", frameshare_last_error());
    } else {
        struct pw_loop *loop = pw_main_loop_get_loop(camera.loop);
        pw_core_add_listener(camera.core, &camera.core_listener, &core_events, &camera);
        struct spa_source *stopping = pw_loop_add_io(loop, stopping_fd(), SPA_IO_IN, false, on_stopping, &camera);
        struct spa_source *channels = pw_loop_add_io(loop, fd, SPA_IO_IN, false, on_channels, &camera);
        status = run(&camera);
        pw_loop_destroy_source(loop, channels);
        pw_loop_destroy_source(loop, stopping);
    }
    if (camera.watch) frameshare_channel_watch_close(camera.watch);
    if (context) pw_context_destroy(context);
    if (camera.loop) pw_main_loop_destroy(camera.loop);
    return status;
}
