// GStreamer's shmsink and shmsrc: the sink copies each frame into its shared memory area, readers map it.
//
// appsrc ! shmsink and shmsrc ! appsink. The publisher's buffers wrap memory of its own, as those of a camera do.
// Unpaced: shmsink waits while its area of `in-flight` frames is full.
#define _GNU_SOURCE
#include "contestant.h"

#include <errno.h>
#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <gst/gst.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

struct side {
    struct contestant *options;
    GstElement *pipeline, *end;                        // `end`: the appsrc or appsink
    unsigned char **slot;
    _Atomic int *busy;                                 // for each slot, whether GStreamer still has it
    uint32_t next;
};

static void start(struct side *side, const char *description) {
    GError *error = NULL;
    side->pipeline = gst_parse_launch(description, &error);
    if (!side->pipeline || error) contestant_fail(error ? error->message : "gst_parse_launch", 0);
    side->end = gst_bin_get_by_name(GST_BIN(side->pipeline), "end");
    if (gst_element_set_state(side->pipeline, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE)
        contestant_fail("the pipeline does not start", 0);
}

static void give_back(void *busy) { atomic_store((_Atomic int *)busy, 0); }

static int publish(void *context, uint64_t number, int64_t stamp) {
    struct side *side = context;
    uint32_t place = side->next++ % side->options->slots;
    while (atomic_load(&side->busy[place])) usleep(50);
    contestant_fill(side->options, side->slot[place], number, stamp);
    atomic_store(&side->busy[place], 1);
    GstBuffer *buffer = gst_buffer_new_wrapped_full(
        GST_MEMORY_FLAG_READONLY, side->slot[place], side->options->size, 0, side->options->size, &side->busy[place],
        give_back
    );
    return gst_app_src_push_buffer(GST_APP_SRC(side->end), buffer) == GST_FLOW_OK ? 0 : EIO;
}

static int wait_for_slots(void *context, uint32_t in_flight) {
    struct side *side = context;
    for (uint32_t busy = side->options->slots; busy > in_flight;) {
        busy = 0;
        for (uint32_t i = 0; i < side->options->slots; i++) busy += (uint32_t)atomic_load(&side->busy[i]);
        if (busy > in_flight) usleep(20);
    }
    return 0;
}

static void run_publisher(struct side *side) {
    struct contestant *options = side->options;
    char text[8192];
    side->slot = g_new0(unsigned char *, options->slots);
    side->busy = g_malloc0(options->slots * sizeof *side->busy);
    for (uint32_t i = 0; i < options->slots; i++) {
        side->slot[i] = mmap(
            NULL, options->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0
        );
        if (side->slot[i] == MAP_FAILED) contestant_fail("mmap", errno);
    }
    uint64_t frames = options->rate > 0 ? options->slots : options->in_flight;
    snprintf(
        text, sizeof text,
        "appsrc name=end format=time max-buffers=%u block=true ! "
        "shmsink socket-path=%s shm-size=%lu wait-for-connection=false sync=false async=false",
        options->in_flight, contestant_path(options, options->channel), frames * (options->size + 4096)
    );
    start(side, text);
    // The socket is there once the sink has started.
    for (int i = 0; access(contestant_path(options, options->channel), F_OK) != 0; i++) {
        if (i > 10000) contestant_fail("shmsink made no socket", 0);
        usleep(1000);
    }
    contestant_publisher_run(options, side, NULL, publish, wait_for_slots);
    contestant_wait_for_readers_end(options);
}

static void run_reader(struct side *side) {
    struct contestant *options = side->options;
    char text[8192];
    contestant_connecting(options);
    snprintf(
        text, sizeof text,
        "shmsrc socket-path=%s is-live=true do-timestamp=false ! appsink name=end sync=false %s",
        contestant_path(options, options->channel), options->rate > 0 ? "max-buffers=1 drop=true" : "max-buffers=1"
    );
    start(side, text);
    usleep(50000);  // until the sink has taken up the connection: shmsrc does not tell
    contestant_connected(options);
    for (int more = 1; more;) {
        GstSample *sample = gst_app_sink_pull_sample(GST_APP_SINK(side->end));
        if (!sample) contestant_fail("shmsrc has ended", 0);
        GstMapInfo bytes;
        if (!gst_buffer_map(gst_sample_get_buffer(sample), &bytes, GST_MAP_READ)) contestant_fail("gst_buffer_map", 0);
        more = contestant_received(options, bytes.data);
        gst_buffer_unmap(gst_sample_get_buffer(sample), &bytes);
        gst_sample_unref(sample);
    }
    contestant_reader_end(options);
}

int main(int argc, char **argv) {
    struct contestant options;
    contestant_begin(&options, argc, argv);
    gst_init(NULL, NULL);
    struct side side = { .options = &options };
    if (options.is_publisher) {
        run_publisher(&side);
    } else {
        run_reader(&side);
    }
    gst_element_set_state(side.pipeline, GST_STATE_NULL);
    return 0;
}
