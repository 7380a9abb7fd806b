/* What PipeWire's buffers show is copied into slots: their memory is PipeWire's, and may be written by who made it. */
#include "capture.h"

#include "formats.h"
#include "layout.h"
#include "stopping.h"

#include <errno.h>
#include <frameshare.h>
#include <pipewire/pipewire.h>
#include <spa/param/video/format-utils.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

struct capture {
    const struct capture_options *options;
    struct pw_main_loop *loop;
    struct pw_core *core;
    struct spa_hook core_listener;
    struct pw_stream *stream;
    struct spa_hook stream_listener;
    frameshare_publisher *publisher;
    const struct format *format;
    struct frameshare_format_info info;
    struct frameshare_stream shape;
    /* The last header's number; frames in between were lost before they came here. */
    uint64_t last_sequence;
    bool any;
    uint64_t published, no_free_slot, damaged;
    int status;
};

static void fail(struct capture *capture, const char *what, const char *why) {
    fprintf(stderr, "frameshare-pipewire: %s: %s\n", what, why);
    capture->status = 1;
    pw_main_loop_quit(capture->loop);
}

/* ------------------------------------------------------------------------------------------------ negotiation */

static uint32_t build_formats(uint8_t *room, size_t size, const struct spa_pod **params) {
    struct spa_pod_builder builder = SPA_POD_BUILDER_INIT(room, size);
    uint32_t count = 0;
    struct spa_pod_frame object, choice;
    spa_pod_builder_push_object(&builder, &object, SPA_TYPE_OBJECT_Format, SPA_PARAM_EnumFormat);
    spa_pod_builder_add(&builder, SPA_FORMAT_mediaType, SPA_POD_Id(SPA_MEDIA_TYPE_video), SPA_FORMAT_mediaSubtype,
                        SPA_POD_Id(SPA_MEDIA_SUBTYPE_raw), 0);
    spa_pod_builder_prop(&builder, SPA_FORMAT_VIDEO_format, 0);
    spa_pod_builder_push_choice(&builder, &choice, SPA_CHOICE_Enum, 0);
    bool first = true;
    for (size_t i = 0; format_at(i); i++) {
        if (format_at(i)->subtype != SPA_MEDIA_SUBTYPE_raw) continue;
        /* The first is the preferred one, and stands twice. */
        if (first) spa_pod_builder_id(&builder, format_at(i)->video);
        spa_pod_builder_id(&builder, format_at(i)->video);
        first = false;
    }
    spa_pod_builder_pop(&builder, &choice);
    spa_pod_builder_add(&builder, SPA_FORMAT_VIDEO_size,
                        SPA_POD_CHOICE_RANGE_Rectangle(&SPA_RECTANGLE(1280, 720), &SPA_RECTANGLE(1, 1),
                                                       &SPA_RECTANGLE(65535, 65535)),
                        SPA_FORMAT_VIDEO_framerate,
                        SPA_POD_CHOICE_RANGE_Fraction(&SPA_FRACTION(30, 1), &SPA_FRACTION(0, 1), &SPA_FRACTION(1000, 1)), 0);
    params[count++] = spa_pod_builder_pop(&builder, &object);
    for (size_t i = 0; format_at(i); i++) {
        if (format_at(i)->subtype == SPA_MEDIA_SUBTYPE_raw) continue;
        params[count++] = spa_pod_builder_add_object(
            &builder, SPA_TYPE_OBJECT_Format, SPA_PARAM_EnumFormat, SPA_FORMAT_mediaType, SPA_POD_Id(SPA_MEDIA_TYPE_video),
            SPA_FORMAT_mediaSubtype, SPA_POD_Id(format_at(i)->subtype), SPA_FORMAT_VIDEO_size,
            SPA_POD_CHOICE_RANGE_Rectangle(&SPA_RECTANGLE(1280, 720), &SPA_RECTANGLE(1, 1), &SPA_RECTANGLE(65535, 65535)),
            SPA_FORMAT_VIDEO_framerate,
            SPA_POD_CHOICE_RANGE_Fraction(&SPA_FRACTION(30, 1), &SPA_FRACTION(0, 1), &SPA_FRACTION(1000, 1)));
    }
    return count;
}

static void offer_buffers(struct capture *capture) {
    uint8_t room[1024];
    struct spa_pod_builder builder = SPA_POD_BUILDER_INIT(room, sizeof room);
    const struct spa_pod *params[2];
    params[0] = spa_pod_builder_add_object(
        &builder, SPA_TYPE_OBJECT_ParamBuffers, SPA_PARAM_Buffers, SPA_PARAM_BUFFERS_buffers,
        SPA_POD_CHOICE_RANGE_Int(8, 2, 64), SPA_PARAM_BUFFERS_blocks, SPA_POD_CHOICE_RANGE_Int(1, 1, FRAMESHARE_MAX_PLANES),
        SPA_PARAM_BUFFERS_dataType,
        /* PipeWire does not map dma-bufs; who has them copies for us. */
        SPA_POD_CHOICE_FLAGS_Int((1 << SPA_DATA_MemFd) | (1 << SPA_DATA_MemPtr)));
    params[1] = spa_pod_builder_add_object(&builder, SPA_TYPE_OBJECT_ParamMeta, SPA_PARAM_Meta, SPA_PARAM_META_type,
                                           SPA_POD_Id(SPA_META_Header), SPA_PARAM_META_size,
                                           SPA_POD_Int((int)sizeof(struct spa_meta_header)));
    pw_stream_update_params(capture->stream, params, 2);
}

/* Publishes the stream, or goes over to it. */
static bool publish_stream(struct capture *capture) {
    struct frameshare_publisher_options options = frameshare_publisher_options_init();
    options.source_name = "PipeWire";
    /* A camera waits for nobody. */
    int result = capture->publisher ? frameshare_publisher_reconfigure(capture->publisher, &capture->shape, 1,
                                                                       capture->options->slots)
                                    : frameshare_publisher_open(capture->options->channel, &capture->shape, 1,
                                                                capture->options->slots, &options, &capture->publisher);
    if (result != FRAMESHARE_OK) {
        fail(capture, capture->options->channel, frameshare_last_error());
        return false;
    }
    if (!capture->options->quiet)
        fprintf(stderr, "frameshare-pipewire: %s: %ux%u %s\n", capture->options->channel, capture->shape.width,
                capture->shape.height, capture->format->name);
    return true;
}

static void on_param_changed(void *data, uint32_t id, const struct spa_pod *param) {
    struct capture *capture = data;
    if (id != SPA_PARAM_Format || !param) return;
    struct spa_video_info given = {0};
    if (spa_format_parse(param, &given.media_type, &given.media_subtype) < 0 ||
        given.media_type != SPA_MEDIA_TYPE_video)
        return;
    struct spa_rectangle size = {0};
    uint32_t video = SPA_VIDEO_FORMAT_ENCODED;
    if (given.media_subtype == SPA_MEDIA_SUBTYPE_raw) {
        if (spa_format_video_raw_parse(param, &given.info.raw) < 0) return;
        size = given.info.raw.size;
        video = given.info.raw.format;
    } else if (given.media_subtype == SPA_MEDIA_SUBTYPE_mjpg) {
        if (spa_format_video_mjpg_parse(param, &given.info.mjpg) < 0) return;
        size = given.info.mjpg.size;
    } else if (given.media_subtype == SPA_MEDIA_SUBTYPE_h264) {
        if (spa_format_video_h264_parse(param, &given.info.h264) < 0) return;
        size = given.info.h264.size;
    }
    const struct format *format = format_of_pipewire(given.media_subtype, video);
    struct frameshare_format_info info = frameshare_format_info_init();
    struct frameshare_stream shape = frameshare_stream_init();
    if (!format || frameshare_format_by_name(format->name, &info) != FRAMESHARE_OK || size.width == 0 || size.height == 0) {
        pw_stream_set_error(capture->stream, -EINVAL, "a format that FrameShare does not know");
        return;
    }
    int result;
    if (info.plane_count == 0) {
        /* No picture is longer than its pixels would be. */
        uint64_t most = (uint64_t)size.width * size.height * 3 / 2 + 65536;
        result = frameshare_stream_opaque("main", size.width, size.height, info.fourcc, info.modifier, most, &shape);
    } else {
        result = frameshare_stream_compute("main", size.width, size.height, format->name, 64, &shape);
    }
    if (result != FRAMESHARE_OK) {
        pw_stream_set_error(capture->stream, -EINVAL, "%s", frameshare_last_error());
        return;
    }
    bool same = capture->publisher && capture->shape.width == shape.width && capture->shape.height == shape.height &&
                capture->shape.fourcc == shape.fourcc;
    capture->format = format;
    capture->info = info;
    capture->shape = shape;
    if (!same && !publish_stream(capture)) return;
    offer_buffers(capture);
}

/* ------------------------------------------------------------------------------------------------ frames */

/* A block of PipeWire's buffer. What it says of itself is another process' word, which may change at any time: each is read once. */
struct block {
    /* NULL where the bytes are not mapped. */
    const uint8_t *bytes;
    size_t size;
    int32_t stride;
    bool corrupted;
};

static struct block look_at(const struct spa_data *data) {
    struct block block = {0};
    if (!data->data || !data->chunk || data->maxsize == 0) return block;
    uint32_t offset = __atomic_load_n(&data->chunk->offset, __ATOMIC_RELAXED) % data->maxsize;
    uint32_t size = __atomic_load_n(&data->chunk->size, __ATOMIC_RELAXED);
    block.bytes = (const uint8_t *)data->data + offset;
    block.size = size < data->maxsize - offset ? size : data->maxsize - offset;
    block.stride = __atomic_load_n(&data->chunk->stride, __ATOMIC_RELAXED);
    block.corrupted = (__atomic_load_n(&data->chunk->flags, __ATOMIC_RELAXED) & (int32_t)SPA_CHUNK_FLAG_CORRUPTED) != 0;
    return block;
}

/* Memory that is shorter than it is said to be would end this program as it is read. */
static bool is_as_long_as_said(const struct spa_data *data) {
    struct stat status;
    if (data->type != SPA_DATA_MemFd) return true;
    return fstat((int)data->fd, &status) == 0 && (uint64_t)status.st_size >= (uint64_t)data->mapoffset + data->maxsize;
}

static void on_add_buffer(void *data, struct pw_buffer *added) {
    (void)data;
    bool good = true;
    for (uint32_t i = 0; i < added->buffer->n_datas; i++) good = good && is_as_long_as_said(&added->buffer->datas[i]);
    /* Looked at before each frame. */
    static char short_memory;
    added->user_data = good ? NULL : &short_memory;
}

/* Copies what is there of a raw image; false where it is not whole. */
static bool copy_planes(struct capture *capture, const struct spa_buffer *from, const struct block *first,
                        struct frameshare_image *to) {
    struct layout layout;
    if (first->stride < 0) return false;
    if (!layout_in_one_block(&capture->info, to->width, to->height, (size_t)first->stride, &layout)) return false;
    bool whole = true;
    for (uint32_t p = 0; p < to->plane_count && p < layout.planes; p++) {
        const uint8_t *plane = first->bytes + layout.offset[p];
        size_t there = first->size > layout.offset[p] ? first->size - layout.offset[p] : 0, row = layout.stride[p];
        if (from->n_datas > 1) {
            /* A block for each plane. */
            if (p >= from->n_datas) return false;
            struct block own = p == 0 ? *first : look_at(&from->datas[p]);
            if (!own.bytes || own.stride < 0) return false;
            plane = own.bytes;
            there = own.size;
            row = own.stride > 0 ? (size_t)own.stride : layout.row_bytes[p];
            if (row < layout.row_bytes[p]) return false;
        }
        size_t rows = layout.rows[p];
        size_t fit = there < layout.row_bytes[p] ? 0 : (there - layout.row_bytes[p]) / row + 1;
        if (fit < rows) {
            whole = false;
            rows = fit;
        }
        copy_rows(to->planes[p].data, to->planes[p].stride, plane, row, layout.row_bytes[p], rows);
    }
    return whole;
}

/* The most frames that a gap in a peer's numbers is taken to stand for. */
#define LARGEST_GAP 1000

/* What the frame's header says, as far as it can be believed. */
static void describe(struct capture *capture, const struct spa_meta_header *header,
                     struct frameshare_description *description) {
    if (!header) return;
    uint64_t number = header->seq;
    if (header->flags & SPA_META_HEADER_FLAG_DISCONT) description->flags |= FRAMESHARE_FLAG_DISCONTINUITY;
    if (header->flags & SPA_META_HEADER_FLAG_CORRUPTED) description->flags |= FRAMESHARE_FLAG_ERROR;
    /* GStreamer's pipewiresink has all ones where it has none. */
    if (number != 0 && number != UINT64_MAX) {
        bool follows = capture->any && number > capture->last_sequence;
        uint64_t gap = follows ? number - capture->last_sequence - 1 : 0;
        if (gap > 0 && gap <= LARGEST_GAP) frameshare_publisher_count_lost(capture->publisher, gap, 0);
        if (capture->any && (!follows || gap > LARGEST_GAP)) description->flags |= FRAMESHARE_FLAG_DISCONTINUITY;
        capture->last_sequence = number;
        capture->any = true;
        description->has_sequence = 1;
        description->sequence = number;
    }
    /* Some count from the pipeline's start, not on the monotonic clock. */
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    if (header->pts > ns - 10000000000 && header->pts < ns + 1000000000) {
        description->has_timestamp = 1;
        description->timestamp = header->pts;
        description->clock = FRAMESHARE_CLOCK_MONOTONIC;
    }
}

static void publish(struct capture *capture, const struct spa_buffer *from) {
    frameshare_slot *slot = NULL;
    struct frameshare_description description = frameshare_description_init();
    struct frameshare_image image = frameshare_image_init();
    struct block first = look_at(&from->datas[0]);
    describe(capture, spa_buffer_find_meta_data(from, SPA_META_Header, sizeof(struct spa_meta_header)), &description);
    if (!first.bytes || first.size == 0) {
        frameshare_publisher_count_lost(capture->publisher, 1, 0);
        return;
    }
    if (frameshare_publisher_try_next_slot(capture->publisher, &slot) != FRAMESHARE_OK) {
        frameshare_publisher_count_lost(capture->publisher, 0, 1);
        capture->no_free_slot++;
        return;
    }
    if (frameshare_slot_image(slot, NULL, &image) != FRAMESHARE_OK) {
        frameshare_slot_discard(slot);
        return;
    }
    bool whole;
    if (capture->info.plane_count == 0) {
        whole = first.size <= image.planes[0].size;
        size_t size = whole ? first.size : image.planes[0].size;
        memcpy(image.planes[0].data, first.bytes, size);
        description.has_bytes_used = 1;
        description.bytes_used[0][0] = size;
    } else {
        whole = copy_planes(capture, from, &first, &image);
    }
    if (!whole || first.corrupted) description.flags |= FRAMESHARE_FLAG_ERROR;
    capture->damaged += (description.flags & FRAMESHARE_FLAG_ERROR) != 0;
    if (frameshare_slot_publish(slot, &description, NULL, NULL) != FRAMESHARE_OK)
        fail(capture, capture->options->channel, frameshare_last_error());
    else
        capture->published++;
}

static void on_process(void *data) {
    struct capture *capture = data;
    struct pw_buffer *buffer;
    while ((buffer = pw_stream_dequeue_buffer(capture->stream))) {
        if (capture->publisher && buffer->buffer->n_datas > 0 && !buffer->user_data) publish(capture, buffer->buffer);
        pw_stream_queue_buffer(capture->stream, buffer);
    }
}

static void on_state_changed(void *data, enum pw_stream_state old, enum pw_stream_state state, const char *error) {
    struct capture *capture = data;
    if (state == PW_STREAM_STATE_ERROR) {
        fail(capture, "PipeWire says", error ? error : "an error");
    } else if (state == PW_STREAM_STATE_UNCONNECTED && old > PW_STREAM_STATE_CONNECTING) {
        fail(capture, capture->options->node ? capture->options->node : "the node", "it has gone");
    } else if (state == PW_STREAM_STATE_STREAMING) {
        capture->any = false;
    }
}

static const struct pw_stream_events stream_events = {
    PW_VERSION_STREAM_EVENTS,
    .state_changed = on_state_changed,
    .param_changed = on_param_changed,
    .add_buffer = on_add_buffer,
    .process = on_process,
};

static void on_core_error(void *data, uint32_t id, int sequence, int result, const char *message) {
    (void)sequence, (void)message;
    struct capture *capture = data;
    if (id == PW_ID_CORE && result == -EPIPE) fail(capture, "PipeWire", "its daemon has gone");
}

static const struct pw_core_events core_events = {PW_VERSION_CORE_EVENTS, .error = on_core_error};

static void on_stopping(void *data, int fd, uint32_t mask) {
    (void)fd, (void)mask;
    pw_main_loop_quit(((struct capture *)data)->loop);
}

static bool connect_stream(struct capture *capture) {
    uint8_t room[4096];
    const struct spa_pod *params[8];
    uint32_t count = build_formats(room, sizeof room, params);
    struct pw_properties *properties =
        pw_properties_new(PW_KEY_MEDIA_TYPE, "Video", PW_KEY_MEDIA_CATEGORY, "Capture", PW_KEY_MEDIA_ROLE, "Camera",
                          PW_KEY_NODE_NAME, "frameshare-pipewire", "node.dont-reconnect", "true", NULL);
    if (capture->options->node) pw_properties_set(properties, PW_KEY_TARGET_OBJECT, capture->options->node);
    capture->stream = pw_stream_new(capture->core, capture->options->channel, properties);
    if (!capture->stream) {
        fail(capture, "a stream of PipeWire's", strerror(errno));
        return false;
    }
    pw_stream_add_listener(capture->stream, &capture->stream_listener, &stream_events, capture);
    int result = pw_stream_connect(capture->stream, PW_DIRECTION_INPUT, PW_ID_ANY,
                                   PW_STREAM_FLAG_AUTOCONNECT | PW_STREAM_FLAG_MAP_BUFFERS | PW_STREAM_FLAG_DONT_RECONNECT,
                                   params, count);
    if (result < 0) fail(capture, "a stream of PipeWire's", strerror(-result));
    return result >= 0;
}

int capture_run(const struct capture_options *options) {
    struct capture capture = {.options = options};
    capture.loop = pw_main_loop_new(NULL);
    struct pw_context *context = capture.loop ? pw_context_new(pw_main_loop_get_loop(capture.loop), NULL, 0) : NULL;
    capture.core = context ? pw_context_connect(context, NULL, 0) : NULL;
    if (!capture.core) {
        fprintf(stderr, "frameshare-pipewire: no PipeWire daemon: %s (is it running for this user?)\n", strerror(errno));
        capture.status = 1;
    } else {
        pw_core_add_listener(capture.core, &capture.core_listener, &core_events, &capture);
        pw_loop_add_io(pw_main_loop_get_loop(capture.loop), stopping_fd(), SPA_IO_IN, false, on_stopping, &capture);
        if (connect_stream(&capture)) pw_main_loop_run(capture.loop);
        if (capture.stream) {
            /* Its own end is no news. */
            spa_hook_remove(&capture.stream_listener);
            pw_stream_destroy(capture.stream);
        }
        if (!options->quiet && capture.publisher)
            fprintf(stderr, "frameshare-pipewire: %llu frames published, %llu without a free slot, %llu damaged\n",
                    (unsigned long long)capture.published, (unsigned long long)capture.no_free_slot,
                    (unsigned long long)capture.damaged);
    }
    if (capture.publisher) {
        if (capture.status != 0) frameshare_publisher_fail(capture.publisher, "PipeWire's node has gone");
        frameshare_publisher_close(capture.publisher);
    }
    if (context) pw_context_destroy(context);
    if (capture.loop) pw_main_loop_destroy(capture.loop);
    return capture.status;
}
