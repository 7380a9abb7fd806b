/* framesharesrc and framesharesink against real channels: publishers and readers of libframeshare, in this process or in
 * one that is killed. Waits for conditions; a test that never ends is ended by the harness (meson's timeout). */
#include <frameshare.h>
#include <gst/allocators/allocators.h>
#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <gst/gst.h>
#include <glib/gstdio.h>
#include <gst/video/video.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char *own_program;

#define expect_ok(call)                                                                                                \
    do {                                                                                                               \
        int expected_result = (call);                                                                                  \
        if (expected_result != FRAMESHARE_OK)                                                                          \
            g_error("%s: %s: %s", #call, frameshare_result_name(expected_result), frameshare_last_error());            \
    } while (0)

/* ------------------------------------------------------------------------------------------------ a publisher */

/* A byte that depends on all of its place, so that a swapped plane or a wrong stride is seen. */
static guint8
sample(guint64 frame, guint32 plane, size_t row, size_t column)
{
    guint64 mixed = frame * 0x9E3779B97F4A7C15u + plane * 0x85EBCA6Bu + row * 0xC2B2AE35u + column * 0x27D4EB2Fu;
    return (guint8)(mixed ^ (mixed >> 17) ^ (mixed >> 41));
}

static frameshare_publisher *
open_publisher(const char *channel, const char *format, guint32 width, guint32 height, guint32 alignment, guint32 slots,
               int64_t stall_limit)
{
    struct frameshare_stream stream = frameshare_stream_init();
    struct frameshare_publisher_options options = frameshare_publisher_options_init();
    frameshare_publisher *publisher;
    options.stall_limit = stall_limit;
    expect_ok(frameshare_stream_compute("main", width, height, format, alignment, &stream));
    expect_ok(frameshare_publisher_open(channel, &stream, 1, slots, &options, &publisher));
    return publisher;
}

/* Publishes a frame with samples of `value`; FALSE where there is no slot. */
static gboolean
publish(frameshare_publisher *publisher, guint64 value, const frameshare_metadata *metadata, guint32 flags)
{
    frameshare_slot *slot;
    struct frameshare_image image = frameshare_image_init();
    struct frameshare_description description = frameshare_description_init();
    if (frameshare_publisher_try_next_slot(publisher, &slot) != FRAMESHARE_OK) return FALSE;
    expect_ok(frameshare_slot_image(slot, NULL, &image));
    for (guint32 plane = 0; plane < image.plane_count; plane++)
        for (size_t row = 0; row < image.planes[plane].rows; row++) {
            guint8 *line = (guint8 *)image.planes[plane].data + row * image.planes[plane].stride;
            for (size_t column = 0; column < image.planes[plane].row_bytes; column++)
                line[column] = sample(value, plane, row, column);
        }
    description.flags = flags;
    description.has_sequence = 1;
    description.sequence = value;
    expect_ok(frameshare_slot_publish(slot, &description, metadata, NULL));
    return TRUE;
}

static void
publish_packet(frameshare_publisher *publisher, const guint8 *bytes, size_t size, guint32 flags)
{
    frameshare_slot *slot;
    struct frameshare_image image = frameshare_image_init();
    struct frameshare_description description = frameshare_description_init();
    expect_ok(frameshare_publisher_next_slot(publisher, FRAMESHARE_FOREVER, &slot));
    expect_ok(frameshare_slot_image(slot, NULL, &image));
    memcpy(image.planes[0].data, bytes, size);
    description.flags = flags;
    description.has_bytes_used = 1;
    description.bytes_used[0][0] = size;
    expect_ok(frameshare_slot_publish(slot, &description, NULL, NULL));
}

/* ------------------------------------------------------------------------------------------------ pipelines */

static GstElement *
launch(const char *format, ...)
{
    GError *error = NULL;
    va_list arguments;
    va_start(arguments, format);
    gchar *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    GstElement *pipeline = gst_parse_launch(text, &error);
    if (!pipeline || error) g_error("%s: %s", text, error ? error->message : "no pipeline");
    g_free(text);
    return pipeline;
}

static GstElement *
element(GstElement *pipeline, const char *name)
{
    GstElement *found = gst_bin_get_by_name(GST_BIN(pipeline), name);
    g_assert_nonnull(found);
    gst_object_unref(found);
    return found;
}

static void
play(GstElement *pipeline)
{
    if (gst_element_set_state(pipeline, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE) {
        GstMessage *message = gst_bus_pop_filtered(GST_ELEMENT_BUS(pipeline), GST_MESSAGE_ERROR);
        GError *error = NULL;
        if (message) gst_message_parse_error(message, &error, NULL);
        g_error("the pipeline does not play: %s", error ? error->message : "no reason given");
    }
}

static void
drop(GstElement *pipeline)
{
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(pipeline);
}

/* Strides of any kind are welcome: appsink itself says so from GStreamer 1.24 on only. */
static GstPadProbeReturn
welcome_strides(G_GNUC_UNUSED GstPad *pad, GstPadProbeInfo *info, G_GNUC_UNUSED gpointer data)
{
    GstQuery *query = GST_PAD_PROBE_INFO_QUERY(info);
    if (GST_QUERY_TYPE(query) != GST_QUERY_ALLOCATION) return GST_PAD_PROBE_OK;
    gst_query_add_allocation_meta(query, GST_VIDEO_META_API_TYPE, NULL);
    return GST_PAD_PROBE_HANDLED;
}

static void
take_any_strides(GstElement *pipeline)
{
    GstPad *pad = gst_element_get_static_pad(element(pipeline, "out"), "sink");
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_QUERY_DOWNSTREAM, welcome_strides, NULL, NULL);
    gst_object_unref(pad);
}

static GstSample *
pull(GstElement *pipeline)
{
    GstSample *sample = gst_app_sink_pull_sample(GST_APP_SINK(element(pipeline, "out")));
    g_assert_nonnull(sample);
    return sample;
}

static guint64
stat_of(GstElement *of, const char *name)
{
    GstStructure *stats = NULL;
    guint64 value = 0;
    g_object_get(of, "stats", &stats, NULL);
    g_assert_true(gst_structure_get_uint64(stats, name, &value));
    gst_structure_free(stats);
    return value;
}

/* Waits until the pipeline's bus has such a message; the error's text where it is one. */
static gchar *
await(GstElement *pipeline, GstMessageType type, GQuark *domain, gint *code)
{
    GstBus *bus = gst_element_get_bus(pipeline);
    GstMessage *message = gst_bus_timed_pop_filtered(bus, GST_CLOCK_TIME_NONE, type | GST_MESSAGE_ERROR);
    gchar *text = NULL;
    gst_object_unref(bus);
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
        GError *error = NULL;
        gst_message_parse_error(message, &error, NULL);
        if (!(type & GST_MESSAGE_ERROR)) g_error("an error instead: %s", error->message);
        if (domain) *domain = error->domain;
        if (code) *code = error->code;
        text = g_strdup(error->message);
        g_error_free(error);
    }
    gst_message_unref(message);
    return text;
}

static guint64
check_pixels(GstSample *taken, const GstVideoFormatInfo *format)
{
    GstVideoInfo info;
    GstVideoFrame frame;
    GstBuffer *buffer = gst_sample_get_buffer(taken);
    g_assert_true(gst_video_info_from_caps(&info, gst_sample_get_caps(taken)));
    if (format) g_assert_true(info.finfo == format);
    g_assert_true(gst_video_frame_map(&frame, &info, buffer, GST_MAP_READ));
    guint64 value = 0;
    GstCustomMeta *meta = gst_buffer_get_custom_meta(buffer, "FrameShareFrameMeta");
    g_assert_nonnull(meta);
    g_assert_true(gst_structure_get_uint64(gst_custom_meta_get_structure(meta), "sequence", &value));
    for (guint plane = 0; plane < GST_VIDEO_FRAME_N_PLANES(&frame); plane++) {
        gint components[GST_VIDEO_MAX_COMPONENTS];
        gst_video_format_info_component(info.finfo, plane, components);
        gint component = components[0];
        size_t bytes = (size_t)GST_VIDEO_FRAME_COMP_WIDTH(&frame, component) * GST_VIDEO_FRAME_COMP_PSTRIDE(&frame, component);
        for (gint row = 0; row < GST_VIDEO_FRAME_COMP_HEIGHT(&frame, component); row++) {
            const guint8 *line = (const guint8 *)GST_VIDEO_FRAME_PLANE_DATA(&frame, plane) +
                                 (gsize)row * GST_VIDEO_FRAME_PLANE_STRIDE(&frame, plane);
            for (size_t column = 0; column < bytes; column++)
                if (line[column] != sample(value, plane, (size_t)row, column))
                    g_error("%s %ux%u: plane %u, row %d, byte %zu of frame %" G_GUINT64_FORMAT " differs",
                            info.finfo->name, info.width, info.height, plane, row, column, value);
        }
    }
    gst_video_frame_unmap(&frame);
    return value;
}

/* ------------------------------------------------------------------------------------------------ the source */

static const struct {
    const char *frameshare;
    const char *gstreamer;
} formats[] = {
    {"YUV420", "I420"},   {"YVU420", "YV12"},   {"YUV422", "Y42B"},   {"YUV444", "Y444"},   {"NV12", "NV12"},
    {"NV21", "NV21"},     {"NV16", "NV16"},     {"NV61", "NV61"},     {"NV24", "NV24"},     {"YUYV", "YUY2"},
    {"YVYU", "YVYU"},     {"UYVY", "UYVY"},     {"VYUY", "VYUY"},     {"VUY888", "v308"},   {"AYUV8888_BE", "AYUV"},
    {"AYUV8888", "VUYA"}, {"RGB888", "BGR"},    {"BGR888", "RGB"},    {"XRGB8888", "BGRx"}, {"XBGR8888", "RGBx"},
    {"RGBX8888", "xBGR"}, {"BGRX8888", "xRGB"}, {"ARGB8888", "BGRA"}, {"ABGR8888", "RGBA"}, {"RGBA8888", "ABGR"},
    {"BGRA8888", "ARGB"}, {"RGB565", "RGB16"},  {"R8", "GRAY8"},      {"R16", "GRAY16_LE"},
};

/* Where the bytes of every format stand, against GStreamer's own table: pixels that one side wrote are read by the other. */
static void
every_format_has_the_same_bytes(void)
{
    static const guint32 sizes[][3] = {{64, 48, 1}, {642, 480, 1}, {322, 242, 256}};
    for (gsize f = 0; f < G_N_ELEMENTS(formats); f++)
        for (gsize s = 0; s < G_N_ELEMENTS(sizes); s++) {
            frameshare_publisher *publisher =
                open_publisher("formats", formats[f].frameshare, sizes[s][0], sizes[s][1], sizes[s][2], 4, -1);
            GstElement *pipeline = launch("framesharesrc name=in channel=formats ! appsink name=out sync=false");
            /* The last size is for elements that know GStreamer's own strides alone: they get a copy that has them. */
            gboolean any = s < 2;
            if (any) take_any_strides(pipeline);
            play(pipeline);
            g_assert_true(publish(publisher, 7 + s, NULL, 0));
            GstSample *taken = pull(pipeline);
            g_assert_cmpuint(
                check_pixels(taken, gst_video_format_get_info(gst_video_format_from_string(formats[f].gstreamer))), ==,
                7 + s);
            gst_sample_unref(taken);
            if (any) g_assert_cmpuint(stat_of(element(pipeline, "in"), "copied"), ==, 0);
            drop(pipeline);
            frameshare_publisher_close(publisher);
        }
}

static void
large_frames_are_shown_where_they_lie(void)
{
    frameshare_publisher *publisher = open_publisher("large", "NV12", 3840, 2160, 256, 4, -1);
    GstElement *pipeline = launch("framesharesrc name=in channel=large policy=every-frame ! appsink name=out sync=false");
    take_any_strides(pipeline);
    play(pipeline);
    const void *seen[32];
    guint distinct = 0;
    for (guint64 i = 0; i < 24; i++) {
        while (!publish(publisher, i, NULL, 0)) g_usleep(1000);
        GstSample *taken = pull(pipeline);
        g_assert_cmpuint(check_pixels(taken, NULL), ==, i);
        GstMemory *memory = gst_buffer_peek_memory(gst_sample_get_buffer(taken), 0);
        GstMapInfo map;
        g_assert_true(gst_is_fd_memory(memory));
        g_assert_true(GST_MEMORY_IS_READONLY(memory));
        g_assert_true(gst_memory_map(memory, &map, GST_MAP_READ));
        guint at = 0;
        while (at < distinct && seen[at] != map.data) at++;
        if (at == distinct) seen[distinct++] = map.data;
        gst_memory_unmap(memory, &map);
        g_assert_false(gst_memory_map(memory, &map, GST_MAP_WRITE));
        gst_sample_unref(taken);
    }
    /* The pool's slots, mapped once each. */
    g_assert_cmpuint(distinct, <=, 4);
    g_assert_cmpuint(stat_of(element(pipeline, "in"), "copied"), ==, 0);
    drop(pipeline);
    frameshare_publisher_close(publisher);
}

/* Memory that is shared, mapped, and outlives its buffer, its pipeline and its publisher. */
static void
a_lease_lasts_as_long_as_anything_shows_it(void)
{
    frameshare_publisher *publisher = open_publisher("lease", "R8", 64, 64, 1, 3, -1);
    GstElement *pipeline = launch("framesharesrc name=in channel=lease ! appsink name=out sync=false");
    play(pipeline);
    g_assert_true(publish(publisher, 1, NULL, 0));
    GstSample *taken = pull(pipeline);
    GstMemory *part = gst_memory_share(gst_buffer_peek_memory(gst_sample_get_buffer(taken), 0), 64, 64);
    GstMemory *smaller = gst_memory_share(part, 8, 8);
    gst_sample_unref(taken);
    gst_memory_unref(part);
    for (guint64 i = 2; i < 12; i++) {
        while (!publish(publisher, i, NULL, 0)) g_usleep(1000);
        gst_sample_unref(pull(pipeline));
    }
    drop(pipeline);
    frameshare_publisher_close(publisher);
    GstMapInfo map;
    g_assert_true(gst_memory_map(smaller, &map, GST_MAP_READ));
    for (size_t i = 0; i < 8; i++) g_assert_cmpuint(map.data[i], ==, sample(1, 0, 1, 8 + i));
    gst_memory_unmap(smaller, &map);
    gst_memory_unref(smaller);
}

static void
a_branch_that_has_stopped_starves_nobody(void)
{
    frameshare_publisher *publisher = open_publisher("stalled", "NV12", 320, 240, 1, 12, -1);
    struct frameshare_subscriber_options options = frameshare_subscriber_options_init();
    frameshare_subscriber *reader;
    frameshare_frame *frame;
    options.policy = FRAMESHARE_POLICY_EVERY_FRAME;
    options.budget = 4;
    expect_ok(frameshare_subscriber_open("stalled", &options, &reader));
    /* appsink "stuck" is never pulled: it keeps all that it is given. */
    GstElement *pipeline = launch("framesharesrc name=in channel=stalled policy=every-frame budget=4 ! tee name=t "
                                  "t. ! queue max-size-buffers=0 max-size-bytes=0 max-size-time=0 ! appsink name=stuck "
                                  "sync=false t. ! queue ! appsink name=out sync=false");
    play(pipeline);
    for (guint64 i = 0; i < 60; i++) {
        g_assert_cmpint(frameshare_publisher_wait_for_room(publisher, FRAMESHARE_FOREVER), ==, FRAMESHARE_OK);
        while (!publish(publisher, i, NULL, 0)) g_usleep(1000);
        GstSample *taken = pull(pipeline);
        g_assert_cmpuint(check_pixels(taken, NULL), ==, i);
        gst_sample_unref(taken);
        struct frameshare_frame_info info = frameshare_frame_info_init();
        expect_ok(frameshare_subscriber_next(reader, FRAMESHARE_FOREVER, &frame));
        expect_ok(frameshare_frame_get_info(frame, &info));
        g_assert_cmpuint(info.sequence, ==, i);
        frameshare_frame_release(frame);
    }
    g_assert_cmpuint(stat_of(element(pipeline, "in"), "copied"), >, 40);
    g_assert_cmpuint(stat_of(element(pipeline, "in"), "lost-by-policy"), ==, 0);
    drop(pipeline);
    frameshare_subscriber_close(reader);
    frameshare_publisher_close(publisher);
}

static void
a_new_size_is_negotiated_between_two_frames(void)
{
    frameshare_publisher *publisher = open_publisher("resized", "NV12", 320, 240, 1, 4, -1);
    GstElement *pipeline = launch("framesharesrc channel=resized policy=every-frame ! appsink name=out sync=false");
    play(pipeline);
    static const struct {
        const char *format;
        guint32 width, height;
    } steps[] = {{"NV12", 320, 240}, {"RGB888", 64, 48}, {"RGB888", 642, 480}, {"NV12", 320, 240}};
    for (guint64 i = 0; i < G_N_ELEMENTS(steps); i++) {
        if (i > 0) {
            struct frameshare_stream stream = frameshare_stream_init();
            expect_ok(frameshare_stream_compute("main", steps[i].width, steps[i].height, steps[i].format, 1, &stream));
            expect_ok(frameshare_publisher_reconfigure(publisher, &stream, 1, 4));
        }
        for (guint64 k = 0; k < 3; k++) {
            while (!publish(publisher, 10 * i + k, NULL, 0)) g_usleep(1000);
            GstSample *taken = pull(pipeline);
            GstVideoInfo info;
            g_assert_true(gst_video_info_from_caps(&info, gst_sample_get_caps(taken)));
            g_assert_cmpuint(check_pixels(taken, NULL), ==, 10 * i + k);
            g_assert_cmpint(info.width, ==, steps[i].width);
            gst_sample_unref(taken);
        }
    }
    drop(pipeline);
    frameshare_publisher_close(publisher);
}

static void
what_fits_nothing_downstream_is_an_error(void)
{
    frameshare_publisher *publisher = open_publisher("misfit", "NV12", 320, 240, 1, 4, 0);
    GstElement *pipeline = launch("framesharesrc channel=misfit ! video/x-raw,format=RGB ! fakesink");
    GQuark domain = 0;
    gint code = 0;
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    publish(publisher, 1, NULL, 0);
    gchar *text = await(pipeline, GST_MESSAGE_ERROR, &domain, &code);
    g_assert_true(domain == GST_STREAM_ERROR && code == GST_STREAM_ERROR_FORMAT);
    g_free(text);
    drop(pipeline);
    frameshare_publisher_close(publisher);

    struct frameshare_stream stream = frameshare_stream_init();
    expect_ok(frameshare_stream_opaque("main", 64, 64, 0x54574846 /* FWHT */, 0, 4096, &stream));
    expect_ok(frameshare_publisher_open("misfit", &stream, 1, 4, NULL, &publisher));
    pipeline = launch("framesharesrc channel=misfit ! fakesink");
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    publish_packet(publisher, (const guint8 *)"1234567890abcdef", 16, 0);
    text = await(pipeline, GST_MESSAGE_ERROR, &domain, &code);
    g_assert_true(domain == GST_STREAM_ERROR && code == GST_STREAM_ERROR_FORMAT);
    g_free(text);
    drop(pipeline);
    frameshare_publisher_close(publisher);
}

static void
a_scaler_keeps_the_pixels_square(void)
{
    frameshare_publisher *publisher = open_publisher("scaled", "NV12", 320, 240, 1, 4, -1);
    GstElement *pipeline = launch("framesharesrc channel=scaled ! videoscale ! "
                                  "video/x-raw,width=64,height=48,pixel-aspect-ratio=1/1 ! appsink name=out sync=false");
    play(pipeline);
    g_assert_true(publish(publisher, 1, NULL, 0));
    GstSample *taken = pull(pipeline);
    GstVideoInfo info;
    g_assert_true(gst_video_info_from_caps(&info, gst_sample_get_caps(taken)));
    g_assert_cmpint(info.width, ==, 64);
    gst_sample_unref(taken);
    drop(pipeline);
    frameshare_publisher_close(publisher);
}

static void
a_channel_that_is_not_there(void)
{
    GQuark domain = 0;
    gint code = 0;
    GstElement *pipeline = launch("framesharesrc channel=nobody ! fakesink");
    g_assert_true(gst_element_set_state(pipeline, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE);
    gchar *text = await(pipeline, GST_MESSAGE_ERROR, &domain, &code);
    g_assert_true(domain == GST_RESOURCE_ERROR && code == GST_RESOURCE_ERROR_NOT_FOUND);
    g_assert_nonnull(strstr(text, "nobody"));
    g_free(text);
    drop(pipeline);

    pipeline = launch("framesharesrc ! fakesink");
    g_assert_true(gst_element_set_state(pipeline, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE);
    text = await(pipeline, GST_MESSAGE_ERROR, &domain, &code);
    g_assert_true(domain == GST_RESOURCE_ERROR && code == GST_RESOURCE_ERROR_SETTINGS);
    g_free(text);
    drop(pipeline);

    /* Waited for, and given up in the middle of it. */
    pipeline = launch("framesharesrc channel=later wait-for-channel=true ! appsink name=out sync=false");
    play(pipeline);
    gst_element_set_state(pipeline, GST_STATE_READY);
    play(pipeline);
    frameshare_publisher *publisher = open_publisher("later", "R8", 64, 64, 1, 8, -1);
    expect_ok(frameshare_publisher_wait_for_subscribers(publisher, 1, FRAMESHARE_FOREVER));
    g_assert_true(publish(publisher, 5, NULL, 0));
    GstSample *taken = pull(pipeline);
    g_assert_cmpuint(check_pixels(taken, NULL), ==, 5);
    gst_sample_unref(taken);
    frameshare_publisher_close(publisher);
    g_free(await(pipeline, GST_MESSAGE_EOS, NULL, NULL));
    drop(pipeline);
}

/* This program again, as a publisher that is killed. */
static int
publisher_process(const char *channel)
{
    frameshare_publisher *publisher = open_publisher(channel, "R8", 64, 64, 1, 6, 0);
    puts("ready");
    fflush(stdout);
    for (guint64 i = 0; getppid() != 1; i++) {
        publish(publisher, i, NULL, 0);
        g_usleep(10000);
    }
    return 0;
}

static pid_t
start_publisher(const char *channel)
{
    int ends[2];
    char line[16] = "";
    g_assert_cmpint(pipe(ends), ==, 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        execl(own_program, own_program, "--publish", channel, NULL);
        _exit(127);
    }
    close(ends[1]);
    FILE *output = fdopen(ends[0], "r");
    g_assert_nonnull(fgets(line, sizeof line, output));
    fclose(output);
    return child;
}

static void
kill_publisher(pid_t child)
{
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

static void
a_publisher_that_is_killed(void)
{
    GQuark domain = 0;
    gint code = 0;
    pid_t child = start_publisher("killed");
    GstElement *pipeline = launch("framesharesrc channel=killed ! appsink name=out sync=false");
    play(pipeline);
    GstSample *held = pull(pipeline);
    kill_publisher(child);
    gchar *text = await(pipeline, GST_MESSAGE_ERROR, &domain, &code);
    g_assert_true(domain == GST_RESOURCE_ERROR && code == GST_RESOURCE_ERROR_READ);
    g_free(text);
    /* Its memory stays. */
    check_pixels(held, NULL);
    gst_sample_unref(held);
    drop(pipeline);

    child = start_publisher("killed");
    pipeline = launch("framesharesrc channel=killed reconnect=true ! appsink name=out sync=false drop=true max-buffers=2");
    play(pipeline);
    for (int round = 0; round < 3; round++) {
        gst_sample_unref(pull(pipeline));
        kill_publisher(child);
        child = start_publisher("killed");
        /* A new publisher counts its frames anew. */
        gboolean again = FALSE;
        while (!again) {
            GstSample *taken = pull(pipeline);
            GstBuffer *buffer = gst_sample_get_buffer(taken);
            check_pixels(taken, NULL);
            again = GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DISCONT);
            gst_sample_unref(taken);
        }
    }
    /* Ended while it waits for a publisher. */
    kill_publisher(child);
    drop(pipeline);
}

static void
a_pipeline_that_pauses_goes_on_with_what_is_new(void)
{
    pid_t child = start_publisher("paused");
    GstElement *pipeline = launch("framesharesrc channel=paused ! appsink name=out sync=false");
    play(pipeline);
    GstSample *taken = pull(pipeline);
    guint64 before = GST_BUFFER_OFFSET(gst_sample_get_buffer(taken));
    gst_sample_unref(taken);
    gst_element_set_state(pipeline, GST_STATE_PAUSED);
    /* Meanwhile the channel goes on: another reader sees fifty frames. */
    frameshare_subscriber *reader;
    expect_ok(frameshare_subscriber_open("paused", NULL, &reader));
    guint64 number = 0;
    while (number < before + 50) {
        frameshare_frame *frame;
        struct frameshare_frame_info info = frameshare_frame_info_init();
        expect_ok(frameshare_subscriber_next(reader, FRAMESHARE_FOREVER, &frame));
        expect_ok(frameshare_frame_get_info(frame, &info));
        number = info.number;
        frameshare_frame_release(frame);
    }
    frameshare_subscriber_close(reader);
    play(pipeline);
    /* What lay in the sink may come first, one that waited in the source second. */
    guint64 next = 0;
    for (int i = 0; i < 64 && next < number; i++) {
        taken = pull(pipeline);
        next = GST_BUFFER_OFFSET(gst_sample_get_buffer(taken));
        check_pixels(taken, NULL);
        gst_sample_unref(taken);
    }
    g_assert_cmpuint(next, >=, number);
    drop(pipeline);
    kill_publisher(child);
}

static void
times_are_those_of_the_capture(void)
{
    frameshare_publisher *publisher = open_publisher("times", "R8", 64, 64, 1, 4, -1);
    GstElement *pipeline = launch("framesharesrc channel=times ! appsink name=out sync=false");
    play(pipeline);
    GstClockTime before = 0;
    for (guint64 i = 0; i < 5; i++) {
        gint64 earliest = g_get_monotonic_time() * 1000;
        while (!publish(publisher, i, NULL, i == 2 ? FRAMESHARE_FLAG_DISCONTINUITY : 0)) g_usleep(1000);
        gint64 latest = g_get_monotonic_time() * 1000 + 1000;
        GstSample *taken = pull(pipeline);
        GstBuffer *buffer = gst_sample_get_buffer(taken);
        GstClockTime time = GST_BUFFER_PTS(buffer) + gst_element_get_base_time(pipeline);
        g_assert_cmpint(time, >=, earliest - 1000);
        g_assert_cmpint(time, <=, latest);
        g_assert_cmpuint(GST_BUFFER_PTS(buffer), >=, before);
        before = GST_BUFFER_PTS(buffer);
        GstCaps *reference = gst_caps_from_string("timestamp/x-frameshare, clock=monotonic");
        GstReferenceTimestampMeta *meta = gst_buffer_get_reference_timestamp_meta(buffer, reference);
        g_assert_nonnull(meta);
        g_assert_cmpuint(meta->timestamp, ==, time);
        gst_caps_unref(reference);
        g_assert_true(GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DISCONT) == (i == 0 || i == 2));
        gst_sample_unref(taken);
    }
    drop(pipeline);
    frameshare_publisher_close(publisher);
}

static void
losses_and_damage_are_told(void)
{
    frameshare_publisher *publisher = open_publisher("losses", "R8", 64, 64, 1, 8, 0);
    GstElement *pipeline = launch("framesharesrc name=in channel=losses policy=latest ! appsink name=out sync=false");
    play(pipeline);
    g_assert_true(publish(publisher, 1, NULL, 0));
    gst_sample_unref(pull(pipeline));
    expect_ok(frameshare_publisher_count_lost(publisher, 3, 2));
    g_assert_true(publish(publisher, 2, NULL, FRAMESHARE_FLAG_ERROR));
    g_assert_true(publish(publisher, 3, NULL, 0));
    GstSample *taken = pull(pipeline);
    g_assert_cmpuint(check_pixels(taken, NULL), ==, 3);
    g_assert_true(GST_BUFFER_FLAG_IS_SET(gst_sample_get_buffer(taken), GST_BUFFER_FLAG_DISCONT));
    gst_sample_unref(taken);
    g_free(await(pipeline, GST_MESSAGE_QOS, NULL, NULL));
    drop(pipeline);
    frameshare_publisher_close(publisher);
}

static void
packets_have_their_caps(void)
{
    static const struct {
        guint32 fourcc;
        const char *caps;
    } kinds[] = {{0x47504A4D, "image/jpeg"}, {0x34363248, "video/x-h264"}, {0x43564548, "video/x-h265"}};
    static const guint8 units[] = {0, 0, 0, 1, 0x65, 1, 2, 3, 4, 5, 6};
    GstElement *camera = launch("videotestsrc num-buffers=1 ! video/x-raw,width=64,height=48 ! jpegenc ! "
                                "appsink name=out sync=false");
    play(camera);
    GstSample *picture = pull(camera);
    GstMapInfo jpeg;
    g_assert_true(gst_buffer_map(gst_sample_get_buffer(picture), &jpeg, GST_MAP_READ));
    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
        struct frameshare_stream stream = frameshare_stream_init();
        frameshare_publisher *publisher;
        const guint8 *bytes = i == 0 ? jpeg.data : units;
        gsize size = i == 0 ? jpeg.size : sizeof units;
        expect_ok(frameshare_stream_opaque("main", 64, 48, kinds[i].fourcc, 0, 65536, &stream));
        expect_ok(frameshare_publisher_open("packets", &stream, 1, 4, NULL, &publisher));
        GstElement *pipeline = launch("framesharesrc channel=packets policy=every-frame ! appsink name=out sync=false");
        play(pipeline);
        for (int k = 0; k < 2; k++) {
            publish_packet(publisher, bytes, size, k == 0 ? FRAMESHARE_FLAG_KEYFRAME : 0);
            GstSample *taken = pull(pipeline);
            const GstStructure *structure = gst_caps_get_structure(gst_sample_get_caps(taken), 0);
            GstBuffer *buffer = gst_sample_get_buffer(taken);
            g_assert_true(gst_structure_has_name(structure, kinds[i].caps));
            g_assert_cmpuint(gst_buffer_get_size(buffer), ==, size);
            g_assert_cmpint(gst_buffer_memcmp(buffer, 0, bytes, size), ==, 0);
            g_assert_true(GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT) == (i > 0 && k > 0));
            gst_sample_unref(taken);
        }
        drop(pipeline);
        frameshare_publisher_close(publisher);
    }
    gst_buffer_unmap(gst_sample_get_buffer(picture), &jpeg);
    gst_sample_unref(picture);
    drop(camera);
}

static void
opened_two_hundred_times(void)
{
    pid_t child = start_publisher("often");
    for (int i = 0; i < 200; i++) {
        GstElement *pipeline = launch("framesharesrc channel=often ! appsink name=out sync=false");
        play(pipeline);
        if (i % 10 == 0) gst_sample_unref(pull(pipeline));
        drop(pipeline);
    }
    kill_publisher(child);
}

/* ------------------------------------------------------------------------------------------------ the sink */

static frameshare_subscriber *
read_channel(const char *channel, guint32 budget)
{
    struct frameshare_subscriber_options options = frameshare_subscriber_options_init();
    frameshare_subscriber *reader;
    options.policy = FRAMESHARE_POLICY_QUEUE;
    options.queue_depth = 2;
    options.budget = budget;
    options.wait_for_channel = FRAMESHARE_FOREVER;
    expect_ok(frameshare_subscriber_open(channel, &options, &reader));
    return reader;
}

static frameshare_frame *
next(frameshare_subscriber *reader)
{
    frameshare_frame *frame;
    expect_ok(frameshare_subscriber_next(reader, FRAMESHARE_FOREVER, &frame));
    return frame;
}

/* videotestsrc draws in the channel's own slots; each format's pixels are those that it draws by itself. */
static void
the_sink_publishes_what_a_pipeline_draws(void)
{
    static const char *names[] = {"I420", "NV12", "YUY2", "RGB", "BGRx", "GRAY8", "Y444", "NV21"};
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        GstElement *alone = launch("videotestsrc pattern=smpte num-buffers=1 ! video/x-raw,format=%s,width=322,height=242 ! "
                                   "appsink name=out sync=false",
                                   names[i]);
        play(alone);
        GstSample *expected = pull(alone);
        GstElement *pipeline = launch("videotestsrc pattern=smpte is-live=true ! video/x-raw,format=%s,width=322,height=242,"
                                      "framerate=100/1 ! framesharesink name=out channel=drawn",
                                      names[i]);
        play(pipeline);
        frameshare_subscriber *reader = read_channel("drawn", 4);
        for (int k = 0; k < 3; k++) {
            frameshare_frame *frame = next(reader);
            struct frameshare_image image = frameshare_image_init();
            expect_ok(frameshare_frame_image(frame, NULL, &image));
            GstVideoInfo info;
            GstVideoFrame drawn;
            g_assert_true(gst_video_info_from_caps(&info, gst_sample_get_caps(expected)));
            g_assert_true(gst_video_frame_map(&drawn, &info, gst_sample_get_buffer(expected), GST_MAP_READ));
            g_assert_cmpuint(image.plane_count, ==, GST_VIDEO_FRAME_N_PLANES(&drawn));
            /* The last row is where videotestsrc's pattern moves. */
            for (guint32 plane = 0; plane < image.plane_count; plane++)
                for (size_t row = 0; row < image.planes[plane].rows / 2; row++)
                    g_assert_cmpint(memcmp((guint8 *)image.planes[plane].data + row * image.planes[plane].stride,
                                           (guint8 *)GST_VIDEO_FRAME_PLANE_DATA(&drawn, plane) +
                                               row * (size_t)GST_VIDEO_FRAME_PLANE_STRIDE(&drawn, plane),
                                           image.planes[plane].row_bytes),
                                    ==, 0);
            gst_video_frame_unmap(&drawn);
            frameshare_frame_release(frame);
        }
        g_assert_cmpuint(stat_of(element(pipeline, "out"), "copied"), ==, 0);
        gst_sample_unref(expected);
        drop(alone);
        drop(pipeline);
        frameshare_frame *frame = NULL;
        int result;
        while ((result = frameshare_subscriber_next(reader, FRAMESHARE_FOREVER, &frame)) == FRAMESHARE_OK)
            frameshare_frame_release(frame);
        g_assert_cmpint(result, ==, FRAMESHARE_ENDED);
        frameshare_subscriber_close(reader);
    }
}

static void
the_sink_waits_for_no_reader(void)
{
    GstElement *pipeline = launch("videotestsrc ! video/x-raw,format=GRAY8,width=64,height=64 ! "
                                  "framesharesink name=out channel=patient slots=5 sync=false async=false");
    play(pipeline);
    frameshare_subscriber *reader = read_channel("patient", 5);
    frameshare_frame *held[5];
    for (gsize count = 0; count < 3; count++)
        expect_ok(frameshare_subscriber_next(reader, FRAMESHARE_FOREVER, &held[count]));
    GstElement *sink = element(pipeline, "out");
    guint64 before = stat_of(sink, "published") + stat_of(sink, "dropped-no-free-slot");
    while (stat_of(sink, "published") + stat_of(sink, "dropped-no-free-slot") < before + 400) g_usleep(1000);
    for (gsize count = 0; count < 3; count++) frameshare_frame_release(held[count]);
    drop(pipeline);
    frameshare_subscriber_close(reader);
}

/* Buffers of somebody else's memory, such as with rows of another length, and buffers that are shown twice. */
static void
memory_that_is_not_the_channels_is_copied(void)
{
    GstElement *pipeline = launch("videotestsrc is-live=true ! video/x-raw,format=I420,width=322,height=242,framerate=25/1 ! "
                                  "videorate ! video/x-raw,framerate=100/1 ! framesharesink name=out channel=copied");
    play(pipeline);
    frameshare_subscriber *reader = read_channel("copied", 4);
    for (int i = 0; i < 20; i++) frameshare_frame_release(next(reader));
    g_assert_cmpuint(stat_of(element(pipeline, "out"), "copied"), >, 0);
    drop(pipeline);
    frameshare_subscriber_close(reader);
}

static void
new_caps_are_a_new_generation(void)
{
    GstElement *pipeline = launch("appsrc name=in is-live=true format=time ! framesharesink name=out channel=changing "
                                  "sync=false");
    GstElement *in = element(pipeline, "in");
    frameshare_subscriber *reader = NULL;
    play(pipeline);
    for (guint32 i = 0; i < 3; i++) {
        static const char *caps[] = {"video/x-raw,format=NV12,width=64,height=48,framerate=30/1",
                                     "video/x-raw,format=RGB,width=322,height=242,framerate=30/1",
                                     "image/jpeg,width=64,height=48,framerate=30/1"};
        GstCaps *parsed = gst_caps_from_string(caps[i]);
        GstVideoInfo info;
        gst_app_src_set_caps(GST_APP_SRC(in), parsed);
        gsize size = gst_video_info_from_caps(&info, parsed) && i < 2 ? GST_VIDEO_INFO_SIZE(&info) : 1000;
        gst_caps_unref(parsed);
        guint32 generation = 0, width = 0;
        while (generation != i + 1) {
            GstBuffer *buffer = gst_buffer_new_allocate(NULL, size, NULL);
            gst_buffer_memset(buffer, 0, 0x11, size);
            GST_BUFFER_PTS(buffer) = GST_SECOND;
            g_assert_true(gst_app_src_push_buffer(GST_APP_SRC(in), buffer) == GST_FLOW_OK);
            if (!reader) reader = read_channel("changing", 4);
            frameshare_frame *frame;
            if (frameshare_subscriber_next(reader, 50000000, &frame) != FRAMESHARE_OK) continue;
            struct frameshare_frame_info numbers = frameshare_frame_info_init();
            struct frameshare_image image = frameshare_image_init();
            expect_ok(frameshare_frame_get_info(frame, &numbers));
            expect_ok(frameshare_frame_image(frame, NULL, &image));
            generation = numbers.generation;
            width = image.width;
            if (i == 2) g_assert_cmpuint(image.planes[0].bytes_used, ==, generation == 3 ? 1000 : image.planes[0].bytes_used);
            frameshare_frame_release(frame);
        }
        g_assert_cmpuint(width, ==, i == 1 ? 322 : 64);
    }
    drop(pipeline);
    frameshare_subscriber_close(reader);
}

static void
a_channel_that_is_published_already(void)
{
    frameshare_publisher *publisher = open_publisher("taken", "R8", 64, 64, 1, 4, 0);
    GQuark domain = 0;
    gint code = 0;
    GstElement *pipeline = launch("videotestsrc ! video/x-raw,format=GRAY8 ! framesharesink channel=taken");
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    gchar *text = await(pipeline, GST_MESSAGE_ERROR, &domain, &code);
    g_assert_true(domain == GST_RESOURCE_ERROR && code == GST_RESOURCE_ERROR_BUSY);
    g_free(text);
    drop(pipeline);
    frameshare_publisher_close(publisher);
}

static void
metadata_and_times_go_through_a_pipeline(void)
{
    frameshare_publisher *publisher = open_publisher("from", "R8", 64, 64, 1, 6, -1);
    GstElement *pipeline = launch("framesharesrc channel=from policy=every-frame ! framesharesink channel=to sync=false");
    play(pipeline);
    frameshare_metadata *metadata;
    expect_ok(frameshare_metadata_create(&metadata));
    frameshare_metadata_set_int32(metadata, "ExposureTime", 12000);
    frameshare_metadata_set_int64(metadata, "SensorTimestamp", 123456789012345);
    frameshare_metadata_set_float(metadata, "Lux", 12.5f);
    frameshare_metadata_set_bool(metadata, "AeLocked", 1);
    frameshare_metadata_set_string(metadata, "note", "h\xC3\xA4llo");
    static const float gains[] = {1.5f, 2.25f};
    static const gint32 crop[] = {1, -2, 300, 400};
    frameshare_metadata_set(metadata, "ColourGains", FRAMESHARE_TYPE_FLOAT | FRAMESHARE_TYPE_ARRAY, gains, sizeof gains);
    frameshare_metadata_set(metadata, "ScalerCrop", FRAMESHARE_TYPE_RECTANGLE, crop, sizeof crop);
    frameshare_subscriber *reader = NULL;
    gboolean seen = FALSE;
    for (guint64 i = 100; !seen; i++) {
        while (!publish(publisher, i, metadata, 0)) g_usleep(1000);
        if (!reader) reader = read_channel("to", 4);
        frameshare_frame *frame;
        if (frameshare_subscriber_next(reader, 50000000, &frame) != FRAMESHARE_OK) continue;
        struct frameshare_frame_info info = frameshare_frame_info_init();
        struct frameshare_entry entry;
        int64_t number;
        char text[16];
        expect_ok(frameshare_frame_get_info(frame, &info));
        g_assert_cmpuint(info.sequence, >=, 100);
        g_assert_cmpuint(info.clock, ==, FRAMESHARE_CLOCK_MONOTONIC);
        expect_ok(frameshare_frame_metadata_int64(frame, "ExposureTime", &number));
        g_assert_cmpint(number, ==, 12000);
        expect_ok(frameshare_frame_metadata_int64(frame, "SensorTimestamp", &number));
        g_assert_cmpint(number, ==, 123456789012345);
        expect_ok(frameshare_frame_metadata_string(frame, "note", text, sizeof text, NULL));
        g_assert_cmpstr(text, ==, "h\xC3\xA4llo");
        expect_ok(frameshare_frame_metadata(frame, "ColourGains", &entry));
        g_assert_cmpuint(entry.type, ==, FRAMESHARE_TYPE_FLOAT | FRAMESHARE_TYPE_ARRAY);
        g_assert_cmpmem(entry.data, entry.size, gains, sizeof gains);
        expect_ok(frameshare_frame_metadata(frame, "ScalerCrop", &entry));
        g_assert_cmpuint(entry.type, ==, FRAMESHARE_TYPE_RECTANGLE);
        g_assert_cmpmem(entry.data, entry.size, crop, sizeof crop);
        seen = TRUE;
        frameshare_frame_release(frame);
    }
    drop(pipeline);
    frameshare_metadata_destroy(metadata);
    frameshare_subscriber_close(reader);
    frameshare_publisher_close(publisher);
}

static void
channels_are_devices(void)
{
    frameshare_publisher *publisher = open_publisher("device", "NV12", 320, 240, 1, 4, 0);
    GstDeviceProviderFactory *factory = gst_device_provider_factory_find("framesharedeviceprovider");
    g_assert_nonnull(factory);
    GstDeviceProvider *provider = gst_device_provider_factory_get(factory);
    GList *devices = gst_device_provider_get_devices(provider);
    gboolean found = FALSE;
    for (GList *at = devices; at; at = at->next) {
        GstElement *source = gst_device_create_element(at->data, NULL);
        gchar *channel = NULL;
        g_object_get(source, "channel", &channel, NULL);
        if (g_strcmp0(channel, "device") == 0) {
            found = TRUE;
            g_assert_true(gst_device_has_classes(at->data, "Video/Source"));
            GstCaps *caps = gst_device_get_caps(at->data);
            GstCaps *fits = gst_caps_from_string("video/x-raw,format=NV12,width=320,height=240");
            g_assert_true(gst_caps_can_intersect(caps, fits));
            gst_caps_unref(caps);
            gst_caps_unref(fits);
        }
        g_free(channel);
        gst_object_unref(gst_object_ref_sink(source));
    }
    g_assert_true(found);
    g_list_free_full(devices, gst_object_unref);
    gst_object_unref(provider);
    gst_object_unref(factory);
    frameshare_publisher_close(publisher);
}

int
main(int count, char **arguments)
{
    own_program = arguments[0];
    if (count == 3 && strcmp(arguments[1], "--publish") == 0) return publisher_process(arguments[2]);
    signal(SIGPIPE, SIG_IGN);
    gchar *folder = g_dir_make_tmp("frameshare-XXXXXX", NULL);
    g_assert_nonnull(folder);
    g_setenv("FRAMESHARE_DIR", folder, TRUE);
    gst_init(&count, &arguments);
    g_test_init(&count, &arguments, NULL);
#define TEST(name) g_test_add_func("/" #name, name)
    TEST(every_format_has_the_same_bytes);
    TEST(large_frames_are_shown_where_they_lie);
    TEST(a_lease_lasts_as_long_as_anything_shows_it);
    TEST(a_branch_that_has_stopped_starves_nobody);
    TEST(a_new_size_is_negotiated_between_two_frames);
    TEST(what_fits_nothing_downstream_is_an_error);
    TEST(a_scaler_keeps_the_pixels_square);
    TEST(a_channel_that_is_not_there);
    TEST(a_publisher_that_is_killed);
    TEST(a_pipeline_that_pauses_goes_on_with_what_is_new);
    TEST(times_are_those_of_the_capture);
    TEST(losses_and_damage_are_told);
    TEST(packets_have_their_caps);
    TEST(opened_two_hundred_times);
    TEST(the_sink_publishes_what_a_pipeline_draws);
    TEST(the_sink_waits_for_no_reader);
    TEST(memory_that_is_not_the_channels_is_copied);
    TEST(new_caps_are_a_new_generation);
    TEST(a_channel_that_is_published_already);
    TEST(metadata_and_times_go_through_a_pipeline);
    TEST(channels_are_devices);
    int status = g_test_run();
    gst_deinit();
    g_rmdir(folder);
    g_free(folder);
    return status;
}
