#include "frameshare_source.h"

#include <errno.h>
#include <frameshare.h>
#include <gst/video/video.h>
#include <string.h>
#include <time.h>

#include "formats.h"
#include "frame_meta.h"
#include "lease.h"

GST_DEBUG_CATEGORY_STATIC(fs_source_debug);
#define GST_CAT_DEFAULT fs_source_debug

/* How long one look for a channel that is not there takes, in ns: between two a state change may end the wait. */
#define LOOK (200 * (int64_t)1000000)

enum {
    PROPERTY_0,
    PROPERTY_CHANNEL,
    PROPERTY_DIRECTORY,
    PROPERTY_STREAM,
    PROPERTY_POLICY,
    PROPERTY_QUEUE_DEPTH,
    PROPERTY_BUDGET,
    PROPERTY_RESERVE,
    PROPERTY_RECONNECT,
    PROPERTY_WAIT_FOR_CHANNEL,
    PROPERTY_GROUP,
    PROPERTY_METADATA,
    PROPERTY_DAMAGED,
    PROPERTY_STATS,
};

struct _FrameShareSrc {
    GstPushSrc parent;

    /* Set before it starts (the object's lock). */
    gchar *channel;
    gchar *directory;
    gchar *stream;
    gchar *group;
    gint policy;
    guint queue_depth;
    guint budget;
    gboolean reserve;
    gboolean reconnect;
    gboolean wait_for_channel;
    gboolean metadata;
    gboolean damaged;

    frameshare_subscriber *subscriber;
    FsLeaseCount *leases;
    /* The most that the pipeline may hold before frames are copied. */
    guint most;

    /* Not 0 while the element must not wait; not 0 while its thread is in the library. */
    gint flushing;
    gint waiting;
    /* Not 0 once a wait was ended: what waited in the lane meanwhile is old. */
    gint paused;

    /* The layout that the caps tell, and whether whoever is downstream takes strides of another kind than GStreamer's. */
    struct frameshare_stream layout;
    gboolean has_layout;
    gboolean takes_strides;
    gboolean default_strides;
    gboolean has_keyframes;
    GstVideoInfo info;
    /* The frame that made negotiation necessary tells its own rate. */
    gint rate_numerator, rate_denominator;

    /* The capture time's distance from the pipeline's clock is not measured where both are the monotonic clock. */
    GstClockTime latency;
    GstClockTime last_time;
    gboolean discontinuity;

    /* Told by `stats` (the object's lock). */
    guint64 delivered, copied, lost_source, lost_no_free_slot, lost_policy, left_out;
};

G_DEFINE_TYPE(FrameShareSrc, fs_source, GST_TYPE_PUSH_SRC)

#define FS_TYPE_POLICY (fs_policy_get_type())
static GType
fs_policy_get_type(void)
{
    static gsize type;
    static const GEnumValue values[] = {
        {FRAMESHARE_POLICY_LATEST, "the newest frame only", "latest"},
        {FRAMESHARE_POLICY_QUEUE, "up to queue-depth frames wait, then the oldest is withdrawn", "queue"},
        {FRAMESHARE_POLICY_EVERY_FRAME, "nothing that waits is withdrawn; the newest frame is lost instead", "every-frame"},
        {0, NULL, NULL},
    };
    if (g_once_init_enter(&type)) g_once_init_leave(&type, g_enum_register_static("FrameSharePolicy", values));
    return type;
}

/* ------------------------------------------------------------------------------------------------ properties */

static void
take_string(FrameShareSrc *self, gchar **place, const GValue *value)
{
    GST_OBJECT_LOCK(self);
    g_free(*place);
    *place = g_value_dup_string(value);
    GST_OBJECT_UNLOCK(self);
}

static void
set_property(GObject *object, guint id, const GValue *value, GParamSpec *spec)
{
    FrameShareSrc *self = FS_SOURCE(object);
    switch (id) {
    case PROPERTY_CHANNEL: take_string(self, &self->channel, value); break;
    case PROPERTY_DIRECTORY: take_string(self, &self->directory, value); break;
    case PROPERTY_STREAM: take_string(self, &self->stream, value); break;
    case PROPERTY_GROUP: take_string(self, &self->group, value); break;
    case PROPERTY_POLICY: self->policy = g_value_get_enum(value); break;
    case PROPERTY_QUEUE_DEPTH: self->queue_depth = g_value_get_uint(value); break;
    case PROPERTY_BUDGET: self->budget = g_value_get_uint(value); break;
    case PROPERTY_RESERVE: self->reserve = g_value_get_boolean(value); break;
    case PROPERTY_RECONNECT: self->reconnect = g_value_get_boolean(value); break;
    case PROPERTY_WAIT_FOR_CHANNEL: self->wait_for_channel = g_value_get_boolean(value); break;
    case PROPERTY_METADATA: self->metadata = g_value_get_boolean(value); break;
    case PROPERTY_DAMAGED: self->damaged = g_value_get_boolean(value); break;
    default: G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    }
}

static void
get_property(GObject *object, guint id, GValue *value, GParamSpec *spec)
{
    FrameShareSrc *self = FS_SOURCE(object);
    GST_OBJECT_LOCK(self);
    switch (id) {
    case PROPERTY_CHANNEL: g_value_set_string(value, self->channel); break;
    case PROPERTY_DIRECTORY: g_value_set_string(value, self->directory); break;
    case PROPERTY_STREAM: g_value_set_string(value, self->stream); break;
    case PROPERTY_GROUP: g_value_set_string(value, self->group); break;
    case PROPERTY_POLICY: g_value_set_enum(value, self->policy); break;
    case PROPERTY_QUEUE_DEPTH: g_value_set_uint(value, self->queue_depth); break;
    case PROPERTY_BUDGET: g_value_set_uint(value, self->budget); break;
    case PROPERTY_RESERVE: g_value_set_boolean(value, self->reserve); break;
    case PROPERTY_RECONNECT: g_value_set_boolean(value, self->reconnect); break;
    case PROPERTY_WAIT_FOR_CHANNEL: g_value_set_boolean(value, self->wait_for_channel); break;
    case PROPERTY_METADATA: g_value_set_boolean(value, self->metadata); break;
    case PROPERTY_DAMAGED: g_value_set_boolean(value, self->damaged); break;
    case PROPERTY_STATS:
        g_value_take_boxed(
            value, gst_structure_new("stats", "delivered", G_TYPE_UINT64, self->delivered, "copied", G_TYPE_UINT64,
                                     self->copied, "lost-at-source", G_TYPE_UINT64, self->lost_source, "lost-no-free-slot",
                                     G_TYPE_UINT64, self->lost_no_free_slot, "lost-by-policy", G_TYPE_UINT64,
                                     self->lost_policy, "left-out-damaged", G_TYPE_UINT64, self->left_out, "held",
                                     G_TYPE_INT, self->leases ? g_atomic_int_get(&self->leases->held) : 0, NULL));
        break;
    default: G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    }
    GST_OBJECT_UNLOCK(self);
}

/* ------------------------------------------------------------------------------------------------ connecting */

/* Says why a call failed, on the pipeline's bus, by its result. */
static void
post_error(FrameShareSrc *self, int result)
{
    const char *why = frameshare_last_error();
    switch (result) {
    case FRAMESHARE_ERROR_NO_SUCH_CHANNEL:
    case FRAMESHARE_ERROR_DIRECTORY:
        GST_ELEMENT_ERROR(self, RESOURCE, NOT_FOUND, ("%s", why), ("set wait-for-channel=true to wait for it"));
        break;
    case FRAMESHARE_ERROR_NOT_ALLOWED:
        GST_ELEMENT_ERROR(self, RESOURCE, NOT_AUTHORIZED, ("%s", why), (NULL));
        break;
    case FRAMESHARE_ERROR_REFUSED:
    case FRAMESHARE_ERROR_OUT_OF_DESCRIPTORS:
        GST_ELEMENT_ERROR(self, RESOURCE, BUSY, ("%s", why), (NULL));
        break;
    case FRAMESHARE_ERROR_INVALID_ARGUMENT:
    case FRAMESHARE_ERROR_NO_SUCH_STREAM:
        GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS, ("%s", why), (NULL));
        break;
    case FRAMESHARE_ERROR_PUBLISHER_LOST:
    case FRAMESHARE_ERROR_SOURCE_FAILED:
    case FRAMESHARE_ERROR_DISCONNECTED:
        GST_ELEMENT_ERROR(self, RESOURCE, READ, ("%s", why), ("set reconnect=true to wait for a new publisher"));
        break;
    default: GST_ELEMENT_ERROR(self, RESOURCE, FAILED, ("%s", why), ("%s", frameshare_result_name(result)));
    }
}

static int
open_subscriber(FrameShareSrc *self, int policy, guint depth, guint budget, int64_t wait)
{
    struct frameshare_subscriber_options options = frameshare_subscriber_options_init();
    const char *const streams[] = {self->stream};
    gchar *name = gst_object_get_name(GST_OBJECT(self));
    /* The library takes names of up to 64 bytes. */
    gchar *shown = g_strdup_printf("%.48s (GStreamer)", name);

    options.policy = (uint32_t)policy;
    options.queue_depth = depth;
    options.budget = budget;
    options.reserve = self->reserve;
    options.reconnect = self->reconnect;
    options.stream_count = self->stream ? 1 : 0;
    options.streams = streams;
    options.directory = self->directory;
    options.group = self->group;
    options.wait_for_channel = wait;
    options.name = shown;
    int result = frameshare_subscriber_open(self->channel, &options, &self->subscriber);
    g_free(shown);
    g_free(name);
    return result;
}

/* Connects; a channel that is not there is waited for no longer than `wait` ns. */
static int
connect_channel(FrameShareSrc *self, int64_t wait)
{
    /* What waits in the lane, and three more for what a pipeline usually holds. */
    guint queued = self->policy == FRAMESHARE_POLICY_LATEST ? 1 : self->queue_depth ? self->queue_depth : 4;
    self->most = self->budget ? self->budget : queued + 3;
    int result = open_subscriber(self, self->policy, self->queue_depth, self->most, wait);
    if (result != FRAMESHARE_ERROR_REFUSED || self->budget || self->group) return result;

    /* Perhaps the pool is small: somebody who asks for one frame is told its size. What was refused may have another
     * reason, which the second answer then says. */
    struct frameshare_subscriber_statistics statistics = frameshare_subscriber_statistics_init();
    result = open_subscriber(self, FRAMESHARE_POLICY_LATEST, 0, 1, wait);
    if (result != FRAMESHARE_OK) return result;
    frameshare_subscriber_get_statistics(self->subscriber, &statistics);
    frameshare_subscriber_close(self->subscriber);
    self->subscriber = NULL;
    self->most = CLAMP(statistics.slots - 1, 1, queued + 3);
    guint depth = self->policy == FRAMESHARE_POLICY_QUEUE ? CLAMP(self->most - 1, 1, queued) : 0;
    GST_INFO_OBJECT(self, "a pool of %u slots: a budget of %u frames, of which %u wait", statistics.slots, self->most, depth);
    return open_subscriber(self, self->policy, depth, self->most, wait);
}

static gboolean
take_layout(FrameShareSrc *self)
{
    struct frameshare_stream stream = frameshare_stream_init();
    int result = frameshare_subscriber_stream_at(self->subscriber, 0, &stream);
    if (result != FRAMESHARE_OK) {
        post_error(self, result);
        return FALSE;
    }
    self->layout = stream;
    self->has_layout = TRUE;
    return TRUE;
}

static gboolean
start(GstBaseSrc *base)
{
    FrameShareSrc *self = FS_SOURCE(base);

    if (!self->channel || !*self->channel) {
        GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS, ("framesharesrc needs a channel"),
                          ("set channel=NAME; 'frameshare list' and 'gst-device-monitor-1.0 Video/Source' show names"));
        return FALSE;
    }
    self->leases = fs_lease_count_new();
    self->latency = 0;
    self->last_time = GST_CLOCK_TIME_NONE;
    self->discontinuity = TRUE;
    self->has_layout = FALSE;
    self->rate_numerator = 0;
    self->rate_denominator = 1;
    GST_OBJECT_LOCK(self);
    self->delivered = self->copied = self->lost_source = self->lost_no_free_slot = self->lost_policy = self->left_out = 0;
    GST_OBJECT_UNLOCK(self);

    /* One that is waited for is looked for by the streaming thread: a state change must not take long. */
    if (self->wait_for_channel) return TRUE;
    int result = connect_channel(self, 0);
    if (result == FRAMESHARE_OK && take_layout(self)) return TRUE;
    if (result != FRAMESHARE_OK) post_error(self, result);
    if (self->subscriber) frameshare_subscriber_close(self->subscriber);
    self->subscriber = NULL;
    fs_lease_count_unref(self->leases);
    self->leases = NULL;
    return FALSE;
}

static gboolean
stop(GstBaseSrc *base)
{
    FrameShareSrc *self = FS_SOURCE(base);
    if (self->subscriber) frameshare_subscriber_close(self->subscriber);
    self->subscriber = NULL;
    GST_OBJECT_LOCK(self);
    /* What the pipeline still holds stays valid and counts itself out. */
    if (self->leases) fs_lease_count_unref(self->leases);
    self->leases = NULL;
    GST_OBJECT_UNLOCK(self);
    return TRUE;
}

static gboolean
unlock(GstBaseSrc *base)
{
    FrameShareSrc *self = FS_SOURCE(base);
    g_atomic_int_set(&self->flushing, 1);
    g_atomic_int_set(&self->paused, 1);
    /* An interruption meets those who wait at that moment; the thread may be about to. */
    while (g_atomic_int_get(&self->waiting)) {
        if (self->subscriber) frameshare_subscriber_interrupt(self->subscriber);
        g_usleep(500);
    }
    return TRUE;
}

static gboolean
unlock_stop(GstBaseSrc *base)
{
    g_atomic_int_set(&FS_SOURCE(base)->flushing, 0);
    return TRUE;
}

/* ------------------------------------------------------------------------------------------------ caps */

static GstCaps *
own_caps(FrameShareSrc *self, const char **why)
{
    GstCaps *caps = fs_formats_caps(&self->layout, why);
    if (!caps) return NULL;
    gst_caps_set_simple(caps, "framerate", GST_TYPE_FRACTION_RANGE, 0, 1, G_MAXINT, 1, NULL);
    return caps;
}

static GstCaps *
get_caps(GstBaseSrc *base, GstCaps *filter)
{
    FrameShareSrc *self = FS_SOURCE(base);
    const char *why;
    GstCaps *caps = NULL;
    if (self->has_layout) caps = own_caps(self, &why);
    if (!caps) caps = gst_pad_get_pad_template_caps(GST_BASE_SRC_PAD(base));
    if (filter) {
        GstCaps *both = gst_caps_intersect_full(filter, caps, GST_CAPS_INTERSECT_FIRST);
        gst_caps_unref(caps);
        caps = both;
    }
    return caps;
}

/* A channel says how its images are; whoever is downstream may choose the frame rate that the caps tell, nothing else. */
static gboolean
negotiate(GstBaseSrc *base)
{
    FrameShareSrc *self = FS_SOURCE(base);
    const char *why = "";

    if (!self->has_layout) return TRUE;
    GstCaps *caps = own_caps(self, &why);
    if (!caps) {
        GST_ELEMENT_ERROR(self, STREAM, FORMAT, ("The channel's format can't be told to GStreamer: %s", why),
                          ("channel '%s', stream '%s'", self->channel, self->layout.name));
        return FALSE;
    }
    GstCaps *taken = gst_pad_peer_query_caps(GST_BASE_SRC_PAD(base), caps);
    if (gst_caps_is_empty(taken)) {
        gchar *text = gst_caps_to_string(caps);
        GST_ELEMENT_ERROR(self, STREAM, FORMAT, ("The channel's images don't fit what comes after them in the pipeline"),
                          ("they are %s; put videoconvert ! videoscale ! videorate between", text));
        g_free(text);
        gst_caps_unref(taken);
        gst_caps_unref(caps);
        return FALSE;
    }
    gst_caps_unref(caps);
    caps = gst_caps_make_writable(gst_caps_truncate(taken));
    GstStructure *fields = gst_caps_get_structure(caps, 0);
    gst_structure_fixate_field_nearest_fraction(fields, "framerate", self->rate_numerator, self->rate_denominator);
    /* Ranges that elements downstream have put in: by themselves they would become their least value. */
    if (gst_structure_has_field(fields, "pixel-aspect-ratio"))
        gst_structure_fixate_field_nearest_fraction(fields, "pixel-aspect-ratio", 1, 1);
    if (gst_structure_has_field(fields, "interlace-mode"))
        gst_structure_fixate_field_string(fields, "interlace-mode", "progressive");
    caps = gst_caps_fixate(caps);
    if (!gst_structure_has_name(gst_caps_get_structure(caps, 0), "video/x-raw") ||
        !gst_video_info_from_caps(&self->info, caps))
        gst_video_info_init(&self->info);
    self->default_strides = TRUE;
    for (guint i = 0; i < GST_VIDEO_INFO_N_PLANES(&self->info); i++) {
        if ((guint64)GST_VIDEO_INFO_PLANE_STRIDE(&self->info, i) != self->layout.planes[i].stride ||
            GST_VIDEO_INFO_PLANE_OFFSET(&self->info, i) != self->layout.planes[i].offset ||
            self->layout.planes[i].buffer != 0)
            self->default_strides = FALSE;
    }
    const GstStructure *structure = gst_caps_get_structure(caps, 0);
    self->has_keyframes =
        gst_structure_has_name(structure, "video/x-h264") || gst_structure_has_name(structure, "video/x-h265");
    GST_INFO_OBJECT(self, "negotiated %" GST_PTR_FORMAT, caps);
    gboolean set = gst_base_src_set_caps(base, caps);
    gst_caps_unref(caps);
    return set;
}

static gboolean
decide_allocation(GstBaseSrc *base, GstQuery *query)
{
    FrameShareSrc *self = FS_SOURCE(base);
    self->takes_strides = gst_query_find_allocation_meta(query, GST_VIDEO_META_API_TYPE, NULL);
    /* Frames lie in the channel's memory: no pool of anybody's. */
    while (gst_query_get_n_allocation_pools(query) > 0) gst_query_remove_nth_allocation_pool(query, 0);
    return TRUE;
}

/* Where the planes of the first buffer begin: their offsets are told from there. */
static gsize
start_of(const struct frameshare_image *image)
{
    gsize start = G_MAXSIZE;
    for (guint32 i = 0; i < image->plane_count; i++)
        if (image->planes[i].buffer == image->planes[0].buffer) start = MIN(start, image->planes[i].offset);
    return start;
}

static gboolean
same_layout(const struct frameshare_stream *stream, const struct frameshare_image *image)
{
    if (stream->width != image->width || stream->height != image->height || stream->fourcc != image->fourcc ||
        stream->modifier != image->modifier || stream->plane_count != image->plane_count ||
        memcmp(&stream->color_space, &image->color_space, sizeof stream->color_space) != 0)
        return FALSE;
    gsize start = start_of(image);
    for (guint32 i = 0; i < image->plane_count; i++) {
        const struct frameshare_plane *plane = &image->planes[i];
        gsize offset = plane->offset - (plane->buffer == image->planes[0].buffer ? start : 0);
        if (stream->planes[i].stride != plane->stride || stream->planes[i].buffer != plane->buffer ||
            (plane->buffer == image->planes[0].buffer && stream->planes[i].offset != offset))
            return FALSE;
    }
    return TRUE;
}

/* What the caps are to tell, from a frame that differs from those before. */
static void
layout_of(FrameShareSrc *self, const struct frameshare_image *image)
{
    struct frameshare_stream *stream = &self->layout;
    *stream = frameshare_stream_init();
    stream->width = image->width;
    stream->height = image->height;
    stream->fourcc = image->fourcc;
    stream->modifier = image->modifier;
    stream->color_space = image->color_space;
    stream->plane_count = image->plane_count;
    memcpy(stream->name, image->stream, sizeof stream->name);
    gsize start = start_of(image);
    for (guint32 i = 0; i < image->plane_count; i++) {
        gboolean is_first = image->planes[i].buffer == image->planes[0].buffer;
        stream->planes[i].offset = image->planes[i].offset - (is_first ? start : 0);
        stream->planes[i].stride = image->planes[i].stride;
        stream->planes[i].size = image->planes[i].size;
        stream->planes[i].buffer = image->planes[i].buffer;
    }
    self->has_layout = TRUE;
}

/* libcamera's FrameDuration, in us, where the source tells it. */
static void
take_rate(FrameShareSrc *self, const frameshare_frame *frame)
{
    int64_t duration = 0;
    self->rate_numerator = 0;
    self->rate_denominator = 1;
    if (frameshare_frame_metadata_int64(frame, "FrameDuration", &duration) != FRAMESHARE_OK || duration <= 0 ||
        duration > 1000000000)
        return;
    gst_video_guess_framerate((GstClockTime)duration * 1000, &self->rate_numerator, &self->rate_denominator);
}

/* ------------------------------------------------------------------------------------------------ times */

static gboolean
now_of(guint32 clock, gint64 *now)
{
    static const clockid_t clocks[] = {CLOCK_MONOTONIC, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_REALTIME};
    struct timespec time;
    if (clock == FRAMESHARE_CLOCK_UNKNOWN || clock >= G_N_ELEMENTS(clocks) || clock_gettime(clocks[clock], &time) != 0)
        return FALSE;
    *now = (gint64)time.tv_sec * GST_SECOND + time.tv_nsec;
    return TRUE;
}

/* When a frame was captured, in the pipeline's running time. */
static GstClockTime
running_time(FrameShareSrc *self, const struct frameshare_frame_info *info)
{
    GstClock *clock = gst_element_get_clock(GST_ELEMENT(self));
    if (!clock) return GST_CLOCK_TIME_NONE;
    GstClockTime base = gst_element_get_base_time(GST_ELEMENT(self)), now = gst_clock_get_time(clock), captured = now;
    gint64 there = 0, age;
    GstClockType type = -1;

    /* That clock alone: audio and network clocks derive from it, and have a time of their own. */
    if (G_OBJECT_TYPE(clock) == GST_TYPE_SYSTEM_CLOCK) g_object_get(clock, "clock-type", &type, NULL);
    /* A time of publication is all that is known where the source's clock is not. */
    gint64 stamp = info->clock == FRAMESHARE_CLOCK_UNKNOWN ? info->publish_timestamp : info->timestamp;
    guint32 kind = info->clock == FRAMESHARE_CLOCK_UNKNOWN ? FRAMESHARE_CLOCK_MONOTONIC : info->clock;
    if (now_of(kind, &there) && stamp >= 0 && stamp <= there) {
        age = there - stamp;
        /* Both on one clock: no reading of two clocks adds its jitter. A clock that was set far ahead tells nothing. */
        if (type == GST_CLOCK_TYPE_MONOTONIC && kind == FRAMESHARE_CLOCK_MONOTONIC)
            captured = (GstClockTime)stamp;
        else if ((GstClockTime)age < 3600 * GST_SECOND && (GstClockTime)age <= now)
            captured = now - (GstClockTime)age;
    }
    gst_object_unref(clock);
    /* Captured before the pipeline began to play. */
    return captured > base ? captured - base : 0;
}

/* What lies between capture and the pipeline grows what the pipeline must wait for. Told again only when it has grown. */
static void
note_latency(FrameShareSrc *self, GstClockTime time)
{
    GstClock *clock = gst_element_get_clock(GST_ELEMENT(self));
    if (!clock) return;
    GstClockTime now = gst_clock_get_time(clock), base = gst_element_get_base_time(GST_ELEMENT(self));
    gst_object_unref(clock);
    if (time == 0 || now < base + time) return;
    GstClockTime age = now - base - time;
    /* Frames that waited while the pipeline was paused are no measure. */
    if (age > 2 * GST_SECOND) return;
    GST_OBJECT_LOCK(self);
    gboolean grown = age > self->latency;
    if (grown) self->latency = age + age / 2;
    GST_OBJECT_UNLOCK(self);
    if (grown) gst_element_post_message(GST_ELEMENT(self), gst_message_new_latency(GST_OBJECT(self)));
}

static gboolean
query(GstBaseSrc *base, GstQuery *query)
{
    FrameShareSrc *self = FS_SOURCE(base);
    if (GST_QUERY_TYPE(query) != GST_QUERY_LATENCY)
        return GST_BASE_SRC_CLASS(fs_source_parent_class)->query(base, query);
    GST_OBJECT_LOCK(self);
    gst_query_set_latency(query, TRUE, self->latency, GST_CLOCK_TIME_NONE);
    GST_OBJECT_UNLOCK(self);
    return TRUE;
}

/* ------------------------------------------------------------------------------------------------ frames */

/* Waits for the next frame. FRAMESHARE_ERROR_INTERRUPTED once the element must stop waiting. */
static int
next_frame(FrameShareSrc *self, frameshare_frame **frame)
{
    int result = FRAMESHARE_ERROR_INTERRUPTED;
    g_atomic_int_set(&self->waiting, 1);
    while (!g_atomic_int_get(&self->flushing)) {
        if (!self->subscriber) {
            result = connect_channel(self, LOOK);
            if (result == FRAMESHARE_ERROR_TIMED_OUT || result == FRAMESHARE_ERROR_NO_SUCH_CHANNEL) {
                result = FRAMESHARE_ERROR_INTERRUPTED;
                continue;
            }
            if (result != FRAMESHARE_OK) break;
        }
        result = frameshare_subscriber_next(self->subscriber, FRAMESHARE_FOREVER, frame);
        /* Somebody else's interruption: of a flush that has ended. */
        if (result != FRAMESHARE_ERROR_INTERRUPTED) break;
    }
    g_atomic_int_set(&self->waiting, 0);
    return result;
}

/* The frame's bytes in ordinary memory, laid out as GStreamer does by itself. NULL where they can't be copied. */
static GstBuffer *
copy_of(FrameShareSrc *self, GstBuffer *shown)
{
    if (GST_VIDEO_INFO_FORMAT(&self->info) == GST_VIDEO_FORMAT_UNKNOWN) return gst_buffer_copy_deep(shown);
    GstVideoFrame from, to;
    GstBuffer *copy = gst_buffer_new_allocate(NULL, GST_VIDEO_INFO_SIZE(&self->info), NULL);
    if (!copy) return NULL;
    if (!gst_video_frame_map(&from, &self->info, shown, GST_MAP_READ)) {
        gst_buffer_unref(copy);
        return NULL;
    }
    gboolean done = gst_video_frame_map(&to, &self->info, copy, GST_MAP_WRITE);
    if (done) {
        done = gst_video_frame_copy(&to, &from);
        gst_video_frame_unmap(&to);
    }
    gst_video_frame_unmap(&from);
    if (done) return copy;
    gst_buffer_unref(copy);
    return NULL;
}

static void
tell_losses(FrameShareSrc *self, const struct frameshare_frame_info *info, GstClockTime time)
{
    guint64 lost = info->lost_source + info->lost_no_free_slot + info->lost_policy;
    if (lost == 0) return;
    GST_OBJECT_LOCK(self);
    self->lost_source += info->lost_source;
    self->lost_no_free_slot += info->lost_no_free_slot;
    self->lost_policy += info->lost_policy;
    guint64 all = self->lost_source + self->lost_no_free_slot + self->lost_policy, delivered = self->delivered;
    GST_OBJECT_UNLOCK(self);
    GST_DEBUG_OBJECT(self, "lost %" G_GUINT64_FORMAT " frames before number %" G_GUINT64_FORMAT, lost, info->number);
    GstMessage *message = gst_message_new_qos(GST_OBJECT(self), TRUE, time, time, GST_CLOCK_TIME_NONE,
                                              GST_CLOCK_TIME_NONE);
    gst_message_set_qos_stats(message, GST_FORMAT_BUFFERS, delivered, all);
    gst_element_post_message(GST_ELEMENT(self), message);
}

/* Lets a frame go that the pipeline does not get. Who asked a group about it is told at once. */
static void
leave_out(FrameShareSrc *self, frameshare_frame *frame)
{
    frameshare_request *request = NULL;
    if (self->group && frameshare_frame_request(frame, &request) == FRAMESHARE_OK) {
        frameshare_request_fail(request, "the pipeline left this frame out");
        frameshare_request_release(request);
    }
    frameshare_frame_release(frame);
}

static GstFlowReturn
create(GstPushSrc *push, GstBuffer **out)
{
    FrameShareSrc *self = FS_SOURCE(push);
    frameshare_frame *frame = NULL;
    frameshare_request *request = NULL;
    struct frameshare_frame_info info;
    struct frameshare_image image;
    /* What was lost before frames that are left out. */
    guint64 source = 0, no_free_slot = 0, policy = 0;

    /* A pipeline that plays on begins with what is seen now. A reader of every frame wants the old ones, too. */
    if (g_atomic_int_compare_and_exchange(&self->paused, 1, 0) && self->subscriber && self->delivered > 0 &&
        self->policy != FRAMESHARE_POLICY_EVERY_FRAME) {
        while (frameshare_subscriber_try_next(self->subscriber, &frame) == FRAMESHARE_OK) leave_out(self, frame);
        frame = NULL;
        self->discontinuity = TRUE;
    }
    while (TRUE) {
        int result = next_frame(self, &frame);
        if (result == FRAMESHARE_ENDED) return GST_FLOW_EOS;
        if (result == FRAMESHARE_ERROR_INTERRUPTED) return GST_FLOW_FLUSHING;
        if (result == FRAMESHARE_OK) {
            info = frameshare_frame_info_init();
            image = frameshare_image_init();
            result = frameshare_frame_get_info(frame, &info);
            if (result == FRAMESHARE_OK) result = frameshare_frame_image_at(frame, 0, &image);
        }
        if (result != FRAMESHARE_OK) {
            post_error(self, result);
            if (frame) leave_out(self, frame);
            return GST_FLOW_ERROR;
        }
        if (!(info.flags & FRAMESHARE_FLAG_ERROR) || self->damaged) break;
        leave_out(self, frame);
        frame = NULL;
        source += info.lost_source;
        no_free_slot += info.lost_no_free_slot;
        policy += info.lost_policy;
        self->discontinuity = TRUE;
        GST_OBJECT_LOCK(self);
        self->left_out++;
        GST_OBJECT_UNLOCK(self);
    }
    info.lost_source += source;
    info.lost_no_free_slot += no_free_slot;
    info.lost_policy += policy;

    if (!self->has_layout || !same_layout(&self->layout, &image) ||
        !gst_pad_has_current_caps(GST_BASE_SRC_PAD(self))) {
        layout_of(self, &image);
        take_rate(self, frame);
        if (!gst_base_src_negotiate(GST_BASE_SRC(self))) {
            leave_out(self, frame);
            return g_atomic_int_get(&self->flushing) ? GST_FLOW_FLUSHING : GST_FLOW_NOT_NEGOTIATED;
        }
        self->discontinuity = TRUE;
    }

    GstClockTime time = running_time(self, &info);
    tell_losses(self, &info, time);
    if (self->group) frameshare_frame_request(frame, &request);

    GstBuffer *buffer = gst_buffer_new();
    gsize offsets[4] = {0};
    gint strides[4] = {0};
    fs_frame_meta_add(buffer, frame, &info, self->metadata);
    fs_lease_append(buffer, frame, request, &image, self->leases, offsets, strides);
    gboolean raw = GST_VIDEO_INFO_FORMAT(&self->info) != GST_VIDEO_FORMAT_UNKNOWN;
    if (raw)
        gst_buffer_add_video_meta_full(buffer, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_INFO_FORMAT(&self->info), image.width,
                                       image.height, image.plane_count, offsets, strides);

    /* A frame that takes the last place of the budget would be the last that comes until something is released: a branch of
     * the pipeline that has stopped keeps what it has, and the others go on with copies. */
    gboolean full = (guint)g_atomic_int_get(&self->leases->held) >= self->most;
    if (full || (raw && !self->default_strides && !self->takes_strides)) {
        GstBuffer *copy = copy_of(self, buffer);
        if (copy) {
            gst_buffer_copy_into(copy, buffer, GST_BUFFER_COPY_META, 0, -1);
            if (raw) {
                GstVideoMeta *meta = gst_buffer_get_video_meta(copy);
                if (meta) gst_buffer_remove_meta(copy, (GstMeta *)meta);
            }
            gst_buffer_unref(buffer);
            buffer = copy;
            GST_OBJECT_LOCK(self);
            if (self->copied++ == 0)
                GST_INFO_OBJECT(self, "copying: %s", full ? "the pipeline holds the whole budget of frames"
                                                          : "an element downstream does not know GstVideoMeta");
            GST_OBJECT_UNLOCK(self);
        }
    }

    GST_BUFFER_PTS(buffer) = time;
    GST_BUFFER_OFFSET(buffer) = info.number;
    GST_BUFFER_OFFSET_END(buffer) = info.number + 1;
    if (self->rate_numerator > 0)
        GST_BUFFER_DURATION(buffer) =
            gst_util_uint64_scale_int(GST_SECOND, self->rate_denominator, self->rate_numerator);
    if (self->discontinuity || info.lost_source || info.lost_no_free_slot || info.lost_policy ||
        (info.flags & FRAMESHARE_FLAG_DISCONTINUITY))
        GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DISCONT);
    if (info.flags & FRAMESHARE_FLAG_ERROR) GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_CORRUPTED);
    if (self->has_keyframes && !(info.flags & FRAMESHARE_FLAG_KEYFRAME))
        GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT);
    self->discontinuity = FALSE;
    if (info.clock != FRAMESHARE_CLOCK_UNKNOWN && info.timestamp >= 0) {
        GstCaps *reference = fs_clock_caps(info.clock);
        gst_buffer_add_reference_timestamp_meta(buffer, reference, (GstClockTime)info.timestamp, GST_CLOCK_TIME_NONE);
        gst_caps_unref(reference);
    }
    GST_OBJECT_LOCK(self);
    self->delivered++;
    GST_OBJECT_UNLOCK(self);
    if (GST_CLOCK_TIME_IS_VALID(time)) {
        self->last_time = time;
        note_latency(self, time);
    }
    *out = buffer;
    return GST_FLOW_OK;
}

/* ------------------------------------------------------------------------------------------------ the type */

static void
finalize(GObject *object)
{
    FrameShareSrc *self = FS_SOURCE(object);
    g_free(self->channel);
    g_free(self->directory);
    g_free(self->stream);
    g_free(self->group);
    G_OBJECT_CLASS(fs_source_parent_class)->finalize(object);
}

static void
fs_source_init(FrameShareSrc *self)
{
    self->policy = FRAMESHARE_POLICY_QUEUE;
    self->metadata = TRUE;
    gst_video_info_init(&self->info);
    gst_base_src_set_live(GST_BASE_SRC(self), TRUE);
    gst_base_src_set_format(GST_BASE_SRC(self), GST_FORMAT_TIME);
    gst_base_src_set_do_timestamp(GST_BASE_SRC(self), FALSE);
}

static void
install(GObjectClass *class, guint id, GParamSpec *spec)
{
    g_object_class_install_property(class, id, spec);
}

static void
fs_source_class_init(FrameShareSrcClass *class)
{
    GObjectClass *object = G_OBJECT_CLASS(class);
    GstElementClass *element = GST_ELEMENT_CLASS(class);
    GstBaseSrcClass *base = GST_BASE_SRC_CLASS(class);
    const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY;

    GST_DEBUG_CATEGORY_INIT(fs_source_debug, "framesharesrc", 0, "frames of a FrameShare channel");
    object->set_property = set_property;
    object->get_property = get_property;
    object->finalize = finalize;
    base->start = start;
    base->stop = stop;
    base->unlock = unlock;
    base->unlock_stop = unlock_stop;
    base->get_caps = get_caps;
    base->negotiate = negotiate;
    base->decide_allocation = decide_allocation;
    base->query = query;
    GST_PUSH_SRC_CLASS(class)->create = create;

    install(object, PROPERTY_CHANNEL,
            g_param_spec_string("channel", "Channel", "The channel's name, as 'frameshare list' shows it", NULL, flags));
    install(object, PROPERTY_DIRECTORY,
            g_param_spec_string("directory", "Directory",
                                "The folder with the channel's socket; not set: $FRAMESHARE_DIR, else the standard one", NULL,
                                flags));
    install(object, PROPERTY_STREAM,
            g_param_spec_string("stream", "Stream", "The stream wanted, such as \"main\"; not set: the first", NULL, flags));
    install(object, PROPERTY_POLICY,
            g_param_spec_enum("policy", "Policy", "What becomes of frames that come faster than the pipeline takes them",
                              FS_TYPE_POLICY, FRAMESHARE_POLICY_QUEUE, flags));
    install(object, PROPERTY_QUEUE_DEPTH,
            g_param_spec_uint("queue-depth", "Queue depth", "Frames that may wait, for policy=queue (0: 4)", 0, 1024, 0,
                              flags));
    install(object, PROPERTY_BUDGET,
            g_param_spec_uint("budget", "Budget",
                              "The most slots that wait or that the pipeline holds; once it holds all, frames are copied "
                              "(0: 3 more than the policy queues)",
                              0, 1024, 0, flags));
    install(object, PROPERTY_RESERVE,
            g_param_spec_boolean("reserve", "Reserve", "Keep the budget's slots for this element alone", FALSE, flags));
    install(object, PROPERTY_RECONNECT,
            g_param_spec_boolean("reconnect", "Reconnect",
                                 "Wait for a new publisher when the channel ends or its publisher dies, instead of EOS or an "
                                 "error",
                                 FALSE, flags));
    install(object, PROPERTY_WAIT_FOR_CHANNEL,
            g_param_spec_boolean("wait-for-channel", "Wait for channel", "Wait for a channel that is not there yet", FALSE,
                                 flags));
    install(object, PROPERTY_GROUP,
            g_param_spec_string("group", "Group",
                                "The group whose work this pipeline shares: each frame goes to one member. It counts as "
                                "answered when the pipeline has released it",
                                NULL, flags));
    install(object, PROPERTY_METADATA,
            g_param_spec_boolean("metadata", "Metadata", "Put each frame's metadata on its buffer (" FS_FRAME_META ")", TRUE,
                                 flags));
    install(object, PROPERTY_DAMAGED,
            g_param_spec_boolean("damaged", "Damaged",
                                 "Pass frames on that are no whole image, marked as corrupted, instead of leaving them out",
                                 FALSE, flags));
    install(object, PROPERTY_STATS,
            g_param_spec_boxed("stats", "Statistics", "Frames delivered, copied, lost by cause, and held now",
                               GST_TYPE_STRUCTURE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));

    GstCaps *caps = fs_formats_all_caps();
    gst_element_class_add_pad_template(element, gst_pad_template_new("src", GST_PAD_SRC, GST_PAD_ALWAYS, caps));
    gst_caps_unref(caps);
    gst_element_class_set_static_metadata(
        element, "FrameShare source", "Source/Video",
        "Frames of a FrameShare channel, in the memory that the camera wrote: one camera, many programs, no copy",
        "FrameShare");
    gst_type_mark_as_plugin_api(FS_TYPE_POLICY, 0);
}
