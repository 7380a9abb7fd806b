// PipeWire: the publisher is a video stream that drives the graph, each reader a video stream linked to it.
//
// A private daemon, without a session manager: readers make their links themselves. Frames lie in memfds that PipeWire
// allocates and both sides map once. There is no unpaced way that loses nothing: the graph has a pace.
#define _GNU_SOURCE
#include "contestant.h"

#include <errno.h>
#include <pipewire/pipewire.h>
#include <spa/param/video/format-utils.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct side {
    struct contestant *options;
    struct pw_thread_loop *loop;
    struct pw_core *core;
    struct pw_stream *stream;
    struct spa_hook listener;
    enum pw_stream_state state;
    struct pw_buffer *next;                            // of a publisher: what the next frame goes into
    char publisher[16], port[16];                      // of a reader: ids of the publisher's node, and of its port
    int is_over;
};

static void on_state(void *data, enum pw_stream_state old, enum pw_stream_state state, const char *error) {
    struct side *side = data;
    (void)old;
    if (state == PW_STREAM_STATE_ERROR) contestant_fail(error ? error : "the stream failed", 0);
    side->state = state;
    pw_thread_loop_signal(side->loop, false);
}

/// Once the format is known: how many buffers, and of what kind.
static void on_param(void *data, uint32_t id, const struct spa_pod *param) {
    struct side *side = data;
    uint8_t room[1024];
    struct spa_pod_builder builder = SPA_POD_BUILDER_INIT(room, sizeof room);
    if (!param || id != SPA_PARAM_Format) return;
    int size = (int)side->options->size, slots = (int)side->options->slots;
    const struct spa_pod *params[] = { spa_pod_builder_add_object(
        &builder, SPA_TYPE_OBJECT_ParamBuffers, SPA_PARAM_Buffers,
        SPA_PARAM_BUFFERS_buffers, SPA_POD_CHOICE_RANGE_Int(slots, 2, slots),
        SPA_PARAM_BUFFERS_blocks, SPA_POD_Int(1),
        SPA_PARAM_BUFFERS_size, SPA_POD_Int(size),
        SPA_PARAM_BUFFERS_stride, SPA_POD_Int(1000),
        SPA_PARAM_BUFFERS_dataType, SPA_POD_CHOICE_FLAGS_Int(1 << SPA_DATA_MemFd)
    ) };
    pw_stream_update_params(side->stream, params, 1);
}

static void wait_for_state(struct side *side, enum pw_stream_state state) {
    struct timespec limit;
    pw_thread_loop_get_time(side->loop, &limit, 10ll * SPA_NSEC_PER_SEC);
    while (side->state < state) {
        if (pw_thread_loop_timed_wait_full(side->loop, &limit) < 0)
            contestant_fail("the stream does not start within 10 s", 0);
    }
}

/// Connects the stream; returns with the loop locked.
static void start(struct side *side, enum pw_direction direction, const struct pw_stream_events *events, int flags) {
    struct contestant *options = side->options;
    uint8_t room[1024];
    struct spa_pod_builder builder = SPA_POD_BUILDER_INIT(room, sizeof room);
    side->loop = pw_thread_loop_new("bench", NULL);
    pw_thread_loop_lock(side->loop);
    if (pw_thread_loop_start(side->loop) < 0) contestant_fail("pw_thread_loop_start", errno);
    struct pw_context *context = pw_context_new(pw_thread_loop_get_loop(side->loop), NULL, 0);
    side->core = context ? pw_context_connect(context, NULL, 0) : NULL;
    if (!side->core) contestant_fail("no connection to the PipeWire daemon", errno);
    side->stream = pw_stream_new(
        side->core, options->channel, pw_properties_new(PW_KEY_MEDIA_TYPE, "Video", PW_KEY_NODE_NAME, "bench", NULL)
    );
    pw_stream_add_listener(side->stream, &side->listener, events, side);
    const struct spa_pod *params[] = { spa_pod_builder_add_object(
        &builder, SPA_TYPE_OBJECT_Format, SPA_PARAM_EnumFormat,
        SPA_FORMAT_mediaType, SPA_POD_Id(SPA_MEDIA_TYPE_video),
        SPA_FORMAT_mediaSubtype, SPA_POD_Id(SPA_MEDIA_SUBTYPE_raw),
        SPA_FORMAT_VIDEO_format, SPA_POD_Id(SPA_VIDEO_FORMAT_GRAY8),
        SPA_FORMAT_VIDEO_size, SPA_POD_Rectangle(&SPA_RECTANGLE(1000, (uint32_t)(options->size / 1000))),
        SPA_FORMAT_VIDEO_framerate, SPA_POD_Fraction(&SPA_FRACTION((uint32_t)options->rate, 1))
    ) };
    int result = pw_stream_connect(
        side->stream, direction, PW_ID_ANY, (enum pw_stream_flags)(PW_STREAM_FLAG_MAP_BUFFERS | flags), params, 1
    );
    if (result < 0) contestant_fail("pw_stream_connect", -result);
    wait_for_state(side, PW_STREAM_STATE_PAUSED);
}

// MARK: publisher

static int prepare(void *context) {
    struct side *side = context;
    pw_thread_loop_lock(side->loop);
    // Streaming begins when the first link does.
    if (side->state < PW_STREAM_STATE_STREAMING) wait_for_state(side, PW_STREAM_STATE_STREAMING);
    for (int tries = 0; !side->next && tries < 1000; tries++) {
        side->next = pw_stream_dequeue_buffer(side->stream);
        if (side->next) break;
        pw_thread_loop_unlock(side->loop);
        usleep(1000);  // every buffer is still with a reader
        pw_thread_loop_lock(side->loop);
    }
    pw_thread_loop_unlock(side->loop);
    return side->next ? 0 : ENOBUFS;
}

static int publish(void *context, uint64_t number, int64_t stamp) {
    struct side *side = context;
    int error = prepare(side);
    if (error) return error;
    struct spa_data *data = &side->next->buffer->datas[0];
    contestant_fill(side->options, data->data, number, stamp);
    data->chunk->offset = 0;
    data->chunk->size = (uint32_t)side->options->size;
    data->chunk->stride = 1000;
    pw_thread_loop_lock(side->loop);
    pw_stream_queue_buffer(side->stream, side->next);
    side->next = NULL;
    int result = pw_stream_trigger_process(side->stream);
    pw_thread_loop_unlock(side->loop);
    return result < 0 ? -result : 0;
}

static void run_publisher(struct side *side) {
    static const struct pw_stream_events events = {
        PW_VERSION_STREAM_EVENTS, .state_changed = on_state, .param_changed = on_param,
    };
    start(side, PW_DIRECTION_OUTPUT, &events, PW_STREAM_FLAG_DRIVER);
    FILE *file = fopen(contestant_path(side->options, "node"), "w");
    if (!file || fprintf(file, "%u", pw_stream_get_node_id(side->stream)) < 0 || fclose(file) != 0)
        contestant_fail("the publisher's node can't be told", errno);
    pw_thread_loop_unlock(side->loop);
    contestant_publisher_run(side->options, side, prepare, publish, NULL);
    contestant_wait_for_readers_end(side->options);
}

// MARK: reader

static void on_frame(void *data) {
    struct side *side = data;
    struct pw_buffer *buffer = pw_stream_dequeue_buffer(side->stream);
    if (!buffer || side->is_over) return;
    int more = contestant_received(side->options, buffer->buffer->datas[0].data);
    pw_stream_queue_buffer(side->stream, buffer);
    if (more) return;
    __atomic_store_n(&side->is_over, 1, __ATOMIC_RELEASE);
    pw_thread_loop_signal(side->loop, false);
}

static void on_global(
    void *data, uint32_t id, uint32_t permissions, const char *type, uint32_t version, const struct spa_dict *props
) {
    struct side *side = data;
    (void)permissions, (void)version;
    if (!props || strcmp(type, PW_TYPE_INTERFACE_Port) != 0) return;
    const char *node = spa_dict_lookup(props, PW_KEY_NODE_ID);
    if (!node || strcmp(node, side->publisher) != 0) return;
    snprintf(side->port, sizeof side->port, "%u", id);
    pw_thread_loop_signal(side->loop, false);
}

/// The publisher's port is named: left to itself, the daemon finds one for the first link alone.
static void link_to_publisher(struct side *side) {
    static const struct pw_registry_events events = { PW_VERSION_REGISTRY_EVENTS, .global = on_global };
    struct spa_hook listener;
    struct timespec limit;
    char reader[16];
    FILE *file = fopen(contestant_path(side->options, "node"), "r");
    if (!file || !fgets(side->publisher, sizeof side->publisher, file)) contestant_fail("the publisher's node", errno);
    fclose(file);
    struct pw_registry *registry = pw_core_get_registry(side->core, PW_VERSION_REGISTRY, 0);
    pw_registry_add_listener(registry, &listener, &events, side);
    pw_thread_loop_get_time(side->loop, &limit, 10ll * SPA_NSEC_PER_SEC);
    while (!*side->port) {
        if (pw_thread_loop_timed_wait_full(side->loop, &limit) < 0) contestant_fail("the publisher has no port", 0);
    }
    spa_hook_remove(&listener);
    pw_proxy_destroy((struct pw_proxy *)registry);
    snprintf(reader, sizeof reader, "%u", pw_stream_get_node_id(side->stream));
    struct pw_properties *link = pw_properties_new(
        PW_KEY_LINK_OUTPUT_NODE, side->publisher, PW_KEY_LINK_OUTPUT_PORT, side->port, PW_KEY_LINK_INPUT_NODE, reader,
        NULL
    );
    if (!pw_core_create_object(side->core, "link-factory", PW_TYPE_INTERFACE_Link, PW_VERSION_LINK, &link->dict, 0))
        contestant_fail("no link", errno);
}

static void run_reader(struct side *side) {
    static const struct pw_stream_events events = {
        PW_VERSION_STREAM_EVENTS, .state_changed = on_state, .param_changed = on_param, .process = on_frame,
    };
    contestant_connecting(side->options);
    start(side, PW_DIRECTION_INPUT, &events, PW_STREAM_FLAG_RT_PROCESS);
    link_to_publisher(side);
    wait_for_state(side, PW_STREAM_STATE_STREAMING);
    contestant_connected(side->options);
    pw_thread_loop_unlock(side->loop);
    // Frames come on PipeWire's own thread.
    while (!__atomic_load_n(&side->is_over, __ATOMIC_ACQUIRE)) usleep(50000);
    contestant_reader_end(side->options);
}

int main(int argc, char **argv) {
    struct contestant options;
    contestant_begin(&options, argc, argv);
    pw_init(NULL, NULL);
    struct side side = { .options = &options };
    if (options.is_publisher) {
        run_publisher(&side);
    } else {
        run_reader(&side);
    }
    return 0;
}
