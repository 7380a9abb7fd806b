#include "frameshare_sink.h"

#include <frameshare.h>
#include <gst/video/video.h>
#include <string.h>

#include "formats.h"
#include "frame_meta.h"
#include "slot_pool.h"
#include "slots.h"

GST_DEBUG_CATEGORY_STATIC(fs_sink_debug);
#define GST_CAT_DEFAULT fs_sink_debug

/* Rows begin where vector instructions like them to. */
#define ALIGNMENT 64

enum {
    PROPERTY_0,
    PROPERTY_CHANNEL,
    PROPERTY_DIRECTORY,
    PROPERTY_STREAM,
    PROPERTY_SLOTS,
    PROPERTY_MODE,
    PROPERTY_GROUP,
    PROPERTY_LEASE_LIMIT,
    PROPERTY_METADATA,
    PROPERTY_STATS,
};

struct _FrameShareSink {
    GstBaseSink parent;

    gchar *channel;
    gchar *directory;
    gchar *stream;
    gchar *group;
    guint slot_count;
    guint mode;
    gint64 lease_limit;
    gboolean metadata;

    frameshare_publisher *publisher;
    frameshare_metadata *entries;
    FsSlots *slots;
    GstVideoInfo info;

    /* Told by `stats` (the object's lock). */
    guint64 published, copied, dropped;
};

G_DEFINE_TYPE(FrameShareSink, fs_sink, GST_TYPE_BASE_SINK)

/* ------------------------------------------------------------------------------------------------ properties */

static void
take_string(FrameShareSink *self, gchar **place, const GValue *value)
{
    GST_OBJECT_LOCK(self);
    g_free(*place);
    *place = g_value_dup_string(value);
    GST_OBJECT_UNLOCK(self);
}

static void
set_property(GObject *object, guint id, const GValue *value, GParamSpec *spec)
{
    FrameShareSink *self = FS_SINK(object);
    switch (id) {
    case PROPERTY_CHANNEL: take_string(self, &self->channel, value); break;
    case PROPERTY_DIRECTORY: take_string(self, &self->directory, value); break;
    case PROPERTY_STREAM: take_string(self, &self->stream, value); break;
    case PROPERTY_GROUP: take_string(self, &self->group, value); break;
    case PROPERTY_SLOTS: self->slot_count = g_value_get_uint(value); break;
    case PROPERTY_MODE: self->mode = g_value_get_uint(value); break;
    case PROPERTY_LEASE_LIMIT: self->lease_limit = g_value_get_int64(value); break;
    case PROPERTY_METADATA: self->metadata = g_value_get_boolean(value); break;
    default: G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    }
}

static void
get_property(GObject *object, guint id, GValue *value, GParamSpec *spec)
{
    FrameShareSink *self = FS_SINK(object);
    GST_OBJECT_LOCK(self);
    switch (id) {
    case PROPERTY_CHANNEL: g_value_set_string(value, self->channel); break;
    case PROPERTY_DIRECTORY: g_value_set_string(value, self->directory); break;
    case PROPERTY_STREAM: g_value_set_string(value, self->stream); break;
    case PROPERTY_GROUP: g_value_set_string(value, self->group); break;
    case PROPERTY_SLOTS: g_value_set_uint(value, self->slot_count); break;
    case PROPERTY_MODE: g_value_set_uint(value, self->mode); break;
    case PROPERTY_LEASE_LIMIT: g_value_set_int64(value, self->lease_limit); break;
    case PROPERTY_METADATA: g_value_set_boolean(value, self->metadata); break;
    case PROPERTY_STATS:
        g_value_take_boxed(value, gst_structure_new("stats", "published", G_TYPE_UINT64, self->published, "copied",
                                                    G_TYPE_UINT64, self->copied, "dropped-no-free-slot", G_TYPE_UINT64,
                                                    self->dropped, NULL));
        break;
    default: G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    }
    GST_OBJECT_UNLOCK(self);
}

/* ------------------------------------------------------------------------------------------------ the channel */

static void
post_error(FrameShareSink *self, int result)
{
    const char *why = frameshare_last_error();
    switch (result) {
    case FRAMESHARE_ERROR_CHANNEL_IN_USE:
        GST_ELEMENT_ERROR(self, RESOURCE, BUSY, ("%s", why), (NULL));
        break;
    case FRAMESHARE_ERROR_DIRECTORY:
        GST_ELEMENT_ERROR(self, RESOURCE, OPEN_WRITE, ("%s", why), (NULL));
        break;
    case FRAMESHARE_ERROR_INVALID_ARGUMENT:
        GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS, ("%s", why), (NULL));
        break;
    case FRAMESHARE_ERROR_MEMORY:
        GST_ELEMENT_ERROR(self, RESOURCE, NO_SPACE_LEFT, ("%s", why), ("fewer slots need less memory"));
        break;
    case FRAMESHARE_ERROR_LAYOUT:
        GST_ELEMENT_ERROR(self, STREAM, FORMAT, ("%s", why), (NULL));
        break;
    default: GST_ELEMENT_ERROR(self, RESOURCE, FAILED, ("%s", why), ("%s", frameshare_result_name(result)));
    }
}

static gboolean
start(GstBaseSink *base)
{
    FrameShareSink *self = FS_SINK(base);
    if (!self->channel || !*self->channel) {
        GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS, ("framesharesink needs a channel"),
                          ("set channel=NAME: other programs read it by that name"));
        return FALSE;
    }
    GST_OBJECT_LOCK(self);
    self->published = self->copied = self->dropped = 0;
    GST_OBJECT_UNLOCK(self);
    return frameshare_metadata_create(&self->entries) == FRAMESHARE_OK;
}

static void
drop_slots(FrameShareSink *self)
{
    if (!self->slots) return;
    fs_slots_attach(self->slots, NULL);
    fs_slots_unref(self->slots);
    self->slots = NULL;
}

static gboolean
stop(GstBaseSink *base)
{
    FrameShareSink *self = FS_SINK(base);
    drop_slots(self);
    /* Readers get what is queued for them, then the end. */
    if (self->publisher) frameshare_publisher_close(self->publisher);
    self->publisher = NULL;
    if (self->entries) frameshare_metadata_destroy(self->entries);
    self->entries = NULL;
    return TRUE;
}

/* Opens the channel for the first caps; later ones begin a new generation of it. */
static gboolean
set_caps(GstBaseSink *base, GstCaps *caps)
{
    FrameShareSink *self = FS_SINK(base);
    struct frameshare_stream stream;
    const char *why = "";
    gchar *reason = NULL;

    if (!fs_formats_stream(caps, self->stream && *self->stream ? self->stream : "main", ALIGNMENT, &stream, &self->info,
                           &why)) {
        GST_ELEMENT_ERROR(self, STREAM, FORMAT, ("These images can't be published: %s", why), ("%" GST_PTR_FORMAT, caps));
        return FALSE;
    }
    if (self->slots && self->publisher && memcmp(fs_slots_stream(self->slots), &stream, sizeof stream) == 0) return TRUE;

    FsSlots *slots = fs_slots_new(&stream, self->slot_count, &reason);
    if (!slots) {
        GST_ELEMENT_ERROR(self, RESOURCE, NO_SPACE_LEFT, ("%s", reason), ("%u slots", self->slot_count));
        g_free(reason);
        return FALSE;
    }
    struct frameshare_buffer *buffers = fs_slots_buffers(slots);
    int result;
    drop_slots(self);
    if (self->publisher) {
        result = frameshare_publisher_reconfigure_buffers(self->publisher, &stream, 1, self->slot_count, buffers,
                                                          self->slot_count);
    } else {
        struct frameshare_publisher_options options = frameshare_publisher_options_init();
        options.mode = self->mode;
        options.group = self->group;
        options.directory = self->directory;
        options.lease_limit = self->lease_limit;
        options.source_name = "GStreamer";
        /* One to be filled and one to come. */
        options.source_need = MIN(2, self->slot_count - 1);
        result = frameshare_publisher_open_buffers(self->channel, &stream, 1, self->slot_count, buffers, self->slot_count,
                                                   &options, &self->publisher);
    }
    g_free(buffers);
    if (result != FRAMESHARE_OK) {
        post_error(self, result);
        fs_slots_unref(slots);
        return FALSE;
    }
    self->slots = slots;
    fs_slots_attach(slots, self->publisher);
    GST_INFO_OBJECT(self, "publishing %" GST_PTR_FORMAT " as '%s'", caps, self->channel);
    return TRUE;
}

static gboolean
propose_allocation(GstBaseSink *base, GstQuery *query)
{
    FrameShareSink *self = FS_SINK(base);
    GstCaps *caps = NULL;
    gboolean need_pool = FALSE;
    struct frameshare_stream stream;
    GstVideoInfo info;
    const char *why;

    gst_query_parse_allocation(query, &caps, &need_pool);
    gst_query_add_allocation_meta(query, GST_VIDEO_META_API_TYPE, NULL);
    /* Only what is negotiated has slots; a pool for other caps would be of another generation. */
    if (!caps || !need_pool || !self->slots ||
        !fs_formats_stream(caps, fs_slots_stream(self->slots)->name, ALIGNMENT, &stream, &info, &why) ||
        memcmp(&stream, fs_slots_stream(self->slots), sizeof stream) != 0)
        return TRUE;
    GstBufferPool *pool = fs_slot_pool_new(self->slots, &info);
    GstStructure *config = gst_buffer_pool_get_config(pool);
    guint size = (guint)fs_slots_size(self->slots);
    gst_buffer_pool_config_set_params(config, caps, size, 0, 0);
    if (gst_buffer_pool_set_config(pool, config)) gst_query_add_allocation_pool(query, pool, size, 0, 0);
    gst_object_unref(pool);
    return TRUE;
}

/* ------------------------------------------------------------------------------------------------ frames */

static void
describe(FrameShareSink *self, GstBuffer *buffer, struct frameshare_description *description)
{
    gboolean known = FALSE;
    *description = frameshare_description_init();
    if (self->metadata)
        known = fs_frame_meta_get(buffer, description, self->entries);
    else
        frameshare_metadata_clear(self->entries);
    /* What a channel's own frame says of its time and damage stays true after a filter. */
    if (GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_CORRUPTED)) description->flags |= FRAMESHARE_FLAG_ERROR;
    if (known) return;
    if (GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DISCONT)) description->flags |= FRAMESHARE_FLAG_DISCONTINUITY;

    GstBaseSink *base = GST_BASE_SINK(self);
    GstClock *clock = gst_element_get_clock(GST_ELEMENT(self));
    GstClockTime running = GST_CLOCK_TIME_NONE;
    if (base->segment.format == GST_FORMAT_TIME && GST_BUFFER_PTS_IS_VALID(buffer))
        running = gst_segment_to_running_time(&base->segment, GST_FORMAT_TIME, GST_BUFFER_PTS(buffer));
    if (!clock) return;
    GstClockType type = -1;
    /* That clock alone: audio and network clocks derive from it, and have a time of their own. */
    if (G_OBJECT_TYPE(clock) == GST_TYPE_SYSTEM_CLOCK) g_object_get(clock, "clock-type", &type, NULL);
    /* On another clock the time of publication is the best that readers can use. */
    if (type == GST_CLOCK_TYPE_MONOTONIC && GST_CLOCK_TIME_IS_VALID(running)) {
        GstClockTime time = running + gst_element_get_base_time(GST_ELEMENT(self));
        if (time <= G_MAXINT64) {
            description->has_timestamp = 1;
            description->timestamp = (int64_t)time;
            description->clock = FRAMESHARE_CLOCK_MONOTONIC;
        }
    }
    gst_object_unref(clock);
}

/* Copies a buffer that is not of the channel's memory. FALSE where it can't be read. */
static gboolean
copy_into(FrameShareSink *self, GstBuffer *buffer, guint8 *data, gsize *used)
{
    const struct frameshare_stream *stream = fs_slots_stream(self->slots);
    if (GST_VIDEO_INFO_FORMAT(&self->info) == GST_VIDEO_FORMAT_UNKNOWN) {
        /* Packets; Bayer samples, whose rows are as GStreamer has them. */
        gsize size = gst_buffer_get_size(buffer);
        gsize most = stream->planes[0].size;
        *used = gst_buffer_extract(buffer, 0, data + stream->planes[0].offset, MIN(size, most));
        return size <= most;
    }
    GstVideoFrame from, to;
    GstVideoInfo info = self->info;
    for (guint32 i = 0; i < stream->plane_count; i++) {
        GST_VIDEO_INFO_PLANE_OFFSET(&info, i) = stream->planes[i].offset;
        GST_VIDEO_INFO_PLANE_STRIDE(&info, i) = (gint)stream->planes[i].stride;
    }
    GST_VIDEO_INFO_SIZE(&info) = fs_slots_size(self->slots);
    if (!gst_video_frame_map(&from, &self->info, buffer, GST_MAP_READ)) return FALSE;
    GstBuffer *slot = gst_buffer_new_wrapped_full(0, data, fs_slots_size(self->slots), 0, fs_slots_size(self->slots), NULL,
                                                  NULL);
    gboolean done = gst_video_frame_map(&to, &info, slot, GST_MAP_WRITE);
    if (done) {
        done = gst_video_frame_copy(&to, &from);
        gst_video_frame_unmap(&to);
    }
    gst_buffer_unref(slot);
    gst_video_frame_unmap(&from);
    return done;
}

static void
count(FrameShareSink *self, guint64 *counter)
{
    GST_OBJECT_LOCK(self);
    (*counter)++;
    GST_OBJECT_UNLOCK(self);
}

static GstFlowReturn
render(GstBaseSink *base, GstBuffer *buffer)
{
    FrameShareSink *self = FS_SINK(base);
    struct frameshare_description description;

    if (!self->slots) return GST_FLOW_NOT_NEGOTIATED;
    const struct frameshare_stream *stream = fs_slots_stream(self->slots);
    describe(self, buffer, &description);

    gint slot = fs_slot_pool_slot(buffer, self->slots);
    if (slot >= 0) {
        gsize size = gst_buffer_get_size(buffer);
        if (stream->planes[0].stride == 0) {
            description.has_bytes_used = 1;
            description.bytes_used[0][0] = MIN(size, stream->planes[0].size);
        }
        int result = fs_slots_publish(self->slots, slot, &description, self->entries);
        if (result == FRAMESHARE_OK) {
            count(self, &self->published);
            return GST_FLOW_OK;
        }
        /* Shown already, by an element that repeats frames: as any other memory. */
        if (result != FRAMESHARE_NO_FRAME) {
            post_error(self, result);
            return GST_FLOW_ERROR;
        }
    }

    slot = fs_slots_acquire(self->slots);
    if (slot < 0) {
        frameshare_publisher_count_lost(self->publisher, 0, 1);
        count(self, &self->dropped);
        GST_DEBUG_OBJECT(self, "no free slot: readers hold all");
        return GST_FLOW_OK;
    }
    gsize used = 0;
    if (!copy_into(self, buffer, fs_slots_data(self->slots, slot), &used)) {
        fs_slots_release(self->slots, slot);
        GST_ELEMENT_WARNING(self, STREAM, FAILED, ("A buffer could not be published"),
                            ("%" G_GSIZE_FORMAT " bytes do not fit the caps, or can't be mapped", gst_buffer_get_size(buffer)));
        frameshare_publisher_count_lost(self->publisher, 1, 0);
        return GST_FLOW_OK;
    }
    if (used > 0) {
        description.has_bytes_used = 1;
        description.bytes_used[0][0] = used;
    }
    int result = fs_slots_publish(self->slots, slot, &description, self->entries);
    fs_slots_release(self->slots, slot);
    if (result != FRAMESHARE_OK) {
        post_error(self, result);
        return GST_FLOW_ERROR;
    }
    GST_OBJECT_LOCK(self);
    self->published++;
    gboolean first = self->copied++ == 0;
    GST_OBJECT_UNLOCK(self);
    if (first)
        GST_INFO_OBJECT(self, "copying: the element before the sink does not write to the memory that the sink offers");
    return GST_FLOW_OK;
}

/* ------------------------------------------------------------------------------------------------ the type */

static void
finalize(GObject *object)
{
    FrameShareSink *self = FS_SINK(object);
    g_free(self->channel);
    g_free(self->directory);
    g_free(self->stream);
    g_free(self->group);
    G_OBJECT_CLASS(fs_sink_parent_class)->finalize(object);
}

static void
fs_sink_init(FrameShareSink *self)
{
    self->slot_count = 8;
    self->metadata = TRUE;
    gst_video_info_init(&self->info);
    /* The last buffer, kept to be shown again, would keep a slot. */
    gst_base_sink_set_last_sample_enabled(GST_BASE_SINK(self), FALSE);
    gst_base_sink_set_qos_enabled(GST_BASE_SINK(self), TRUE);
}

static void
fs_sink_class_init(FrameShareSinkClass *class)
{
    GObjectClass *object = G_OBJECT_CLASS(class);
    GstElementClass *element = GST_ELEMENT_CLASS(class);
    GstBaseSinkClass *base = GST_BASE_SINK_CLASS(class);
    const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY;

    GST_DEBUG_CATEGORY_INIT(fs_sink_debug, "framesharesink", 0, "publishes a FrameShare channel");
    object->set_property = set_property;
    object->get_property = get_property;
    object->finalize = finalize;
    base->start = start;
    base->stop = stop;
    base->set_caps = set_caps;
    base->propose_allocation = propose_allocation;
    base->render = render;

    g_object_class_install_property(
        object, PROPERTY_CHANNEL,
        g_param_spec_string("channel", "Channel", "The channel's name: 1 to 64 letters, digits, '.', '_' or '-'", NULL,
                            flags));
    g_object_class_install_property(
        object, PROPERTY_DIRECTORY,
        g_param_spec_string("directory", "Directory",
                            "The folder for the channel's socket; not set: $FRAMESHARE_DIR, else the standard one", NULL,
                            flags));
    g_object_class_install_property(
        object, PROPERTY_STREAM,
        g_param_spec_string("stream", "Stream", "The name of the channel's stream", "main", flags));
    g_object_class_install_property(
        object, PROPERTY_SLOTS,
        g_param_spec_uint("slots", "Slots", "Frames that the channel's memory holds, for the pipeline and all readers", 3,
                          1024, 8, flags));
    g_object_class_install_property(
        object, PROPERTY_MODE,
        g_param_spec_uint("mode", "Mode", "The socket's mode, who may read: 432 is 0660 (0: 0600, this user alone)", 0, 0777,
                          0, flags));
    g_object_class_install_property(
        object, PROPERTY_GROUP,
        g_param_spec_string("group", "Group", "The socket's group, by name", NULL, flags));
    g_object_class_install_property(
        object, PROPERTY_LEASE_LIMIT,
        g_param_spec_int64("lease-limit", "Lease limit", "How long a reader may hold a frame, in ns (0: for ever)", 0,
                           G_MAXINT64, 0, flags));
    g_object_class_install_property(
        object, PROPERTY_METADATA,
        g_param_spec_boolean("metadata", "Metadata", "Publish the metadata and capture times of frames that framesharesrc "
                                                     "brought",
                             TRUE, flags));
    g_object_class_install_property(
        object, PROPERTY_STATS,
        g_param_spec_boxed("stats", "Statistics", "Frames published, copied, and dropped for want of a free slot",
                           GST_TYPE_STRUCTURE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));

    GstCaps *caps = fs_formats_all_caps();
    gst_element_class_add_pad_template(element, gst_pad_template_new("sink", GST_PAD_SINK, GST_PAD_ALWAYS, caps));
    gst_caps_unref(caps);
    gst_element_class_set_static_metadata(
        element, "FrameShare sink", "Sink/Video",
        "Publishes video as a FrameShare channel that many programs read in the same memory. Waits for none of them",
        "FrameShare");
}
