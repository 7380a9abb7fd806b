#include "slot_pool.h"

#include <gst/allocators/allocators.h>

struct _FsSlotPool {
    GstBufferPool parent;
    FsSlots *slots;
    GstVideoInfo info;
    GstAllocator *allocator;
    gsize size;
    /* Whether the element that takes the pool reads where planes lie (GstVideoMeta); whether it need not. */
    gboolean with_meta;
    gboolean is_plain;
};

G_DEFINE_TYPE(FsSlotPool, fs_slot_pool, GST_TYPE_BUFFER_POOL)

/* Which slot a memory shows. */
typedef struct {
    FsSlots *slots;
    gint slot;
} Shown;

static GQuark
shown_quark(void)
{
    static GQuark quark;
    if (!quark) quark = g_quark_from_static_string("frameshare-slot");
    return quark;
}

/* The last use of the memory: of the buffer, or of what was made of it. */
static void
shown_free(gpointer data)
{
    Shown *shown = data;
    fs_slots_release(shown->slots, shown->slot);
    fs_slots_unref(shown->slots);
    g_free(shown);
}

/* Descriptors for elements that can use them, mapped where the sink has mapped them. */
static gpointer
map(GstMemory *memory, gsize size, GstMapFlags flags)
{
    if (memory->parent) return map(memory->parent, size, flags);
    Shown *shown = gst_mini_object_get_qdata(GST_MINI_OBJECT_CAST(memory), shown_quark());
    return shown ? fs_slots_data(shown->slots, shown->slot) : NULL;
}

static void
unmap(G_GNUC_UNUSED GstMemory *memory)
{
}

typedef GstFdAllocator FsSlotAllocator;
typedef GstFdAllocatorClass FsSlotAllocatorClass;
static GType fs_slot_allocator_get_type(void);
G_DEFINE_TYPE(FsSlotAllocator, fs_slot_allocator, GST_TYPE_FD_ALLOCATOR)

static void
fs_slot_allocator_class_init(G_GNUC_UNUSED FsSlotAllocatorClass *class)
{
}

static void
fs_slot_allocator_init(FsSlotAllocator *allocator)
{
    GST_ALLOCATOR(allocator)->mem_map = map;
    GST_ALLOCATOR(allocator)->mem_unmap = unmap;
}

static const gchar **
get_options(G_GNUC_UNUSED GstBufferPool *pool)
{
    static const gchar *options[] = {GST_BUFFER_POOL_OPTION_VIDEO_META, NULL};
    return options;
}

static gboolean
set_config(GstBufferPool *pool, GstStructure *config)
{
    FsSlotPool *self = FS_SLOT_POOL(pool);
    GstCaps *caps;
    guint size, least, most;
    if (!gst_buffer_pool_config_get_params(config, &caps, &size, &least, &most)) return FALSE;
    /* Slots have the size that they have, whatever somebody asks for. */
    if (size > fs_slots_size(self->slots)) return FALSE;
    self->with_meta = gst_buffer_pool_config_has_option(config, GST_BUFFER_POOL_OPTION_VIDEO_META);
    gboolean in_place = self->with_meta || self->is_plain;
    gst_buffer_pool_config_set_params(config, caps, in_place ? (guint)self->size : (guint)GST_VIDEO_INFO_SIZE(&self->info), 0,
                                      0);
    return GST_BUFFER_POOL_CLASS(fs_slot_pool_parent_class)->set_config(pool, config);
}

/* Slots are taken when they are asked for; none is set aside. */
static gboolean
start(G_GNUC_UNUSED GstBufferPool *pool)
{
    return TRUE;
}

static gboolean
stop(G_GNUC_UNUSED GstBufferPool *pool)
{
    return TRUE;
}

static void
add_video_meta(FsSlotPool *self, GstBuffer *buffer)
{
    const struct frameshare_stream *stream = fs_slots_stream(self->slots);
    gsize offsets[GST_VIDEO_MAX_PLANES] = {0};
    gint strides[GST_VIDEO_MAX_PLANES] = {0};
    if (GST_VIDEO_INFO_FORMAT(&self->info) == GST_VIDEO_FORMAT_UNKNOWN) return;
    for (guint32 i = 0; i < stream->plane_count; i++) {
        offsets[i] = stream->planes[i].offset;
        strides[i] = (gint)stream->planes[i].stride;
    }
    gst_buffer_add_video_meta_full(buffer, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_INFO_FORMAT(&self->info), stream->width,
                                   stream->height, stream->plane_count, offsets, strides);
}

static GstFlowReturn
acquire(GstBufferPool *pool, GstBuffer **out, G_GNUC_UNUSED GstBufferPoolAcquireParams *params)
{
    FsSlotPool *self = FS_SLOT_POOL(pool);
    if (GST_BUFFER_POOL_IS_FLUSHING(pool)) return GST_FLOW_FLUSHING;

    GstBuffer *buffer;
    if (!self->with_meta && !self->is_plain) {
        /* The element would write rows where GStreamer has them by itself, and the slots' are longer: the sink copies. */
        *out = gst_buffer_new_allocate(NULL, GST_VIDEO_INFO_SIZE(&self->info), NULL);
        return *out ? GST_FLOW_OK : GST_FLOW_ERROR;
    }
    gint slot = fs_slots_acquire(self->slots);
    if (slot < 0) {
        /* Readers have them all. The pipeline goes on in memory of its own; the sink finds out whether it can be copied. */
        buffer = gst_buffer_new_allocate(NULL, self->size, NULL);
        if (!buffer) return GST_FLOW_ERROR;
    } else {
        GstMemory *memory = gst_fd_allocator_alloc(self->allocator, fs_slots_descriptor(self->slots, slot),
                                                   fs_slots_size(self->slots), GST_FD_MEMORY_FLAG_DONT_CLOSE);
        Shown *shown = g_new(Shown, 1);
        shown->slots = fs_slots_ref(self->slots);
        shown->slot = slot;
        gst_mini_object_set_qdata(GST_MINI_OBJECT_CAST(memory), shown_quark(), shown, shown_free);
        gst_memory_resize(memory, 0, self->size);
        buffer = gst_buffer_new();
        gst_buffer_append_memory(buffer, memory);
    }
    add_video_meta(self, buffer);
    *out = buffer;
    return GST_FLOW_OK;
}

static void
release(G_GNUC_UNUSED GstBufferPool *pool, GstBuffer *buffer)
{
    gst_buffer_unref(buffer);
}

static void
finalize(GObject *object)
{
    FsSlotPool *self = FS_SLOT_POOL(object);
    if (self->slots) fs_slots_unref(self->slots);
    gst_object_unref(self->allocator);
    G_OBJECT_CLASS(fs_slot_pool_parent_class)->finalize(object);
}

static void
fs_slot_pool_init(FsSlotPool *self)
{
    self->allocator = gst_object_ref_sink(g_object_new(fs_slot_allocator_get_type(), NULL));
}

static void
fs_slot_pool_class_init(FsSlotPoolClass *class)
{
    GstBufferPoolClass *pool = GST_BUFFER_POOL_CLASS(class);
    G_OBJECT_CLASS(class)->finalize = finalize;
    pool->get_options = get_options;
    pool->set_config = set_config;
    pool->start = start;
    pool->stop = stop;
    pool->acquire_buffer = acquire;
    pool->release_buffer = release;
}

GstBufferPool *
fs_slot_pool_new(FsSlots *slots, const GstVideoInfo *info)
{
    FsSlotPool *self = gst_object_ref_sink(g_object_new(FS_TYPE_SLOT_POOL, NULL));
    const struct frameshare_stream *stream = fs_slots_stream(slots);
    self->slots = fs_slots_ref(slots);
    self->info = *info;
    for (guint32 i = 0; i < stream->plane_count; i++)
        self->size = MAX(self->size, stream->planes[i].offset + stream->planes[i].size);
    self->is_plain = TRUE;
    for (guint i = 0; i < GST_VIDEO_INFO_N_PLANES(info); i++)
        if ((guint64)GST_VIDEO_INFO_PLANE_STRIDE(info, i) != stream->planes[i].stride ||
            GST_VIDEO_INFO_PLANE_OFFSET(info, i) != stream->planes[i].offset)
            self->is_plain = FALSE;
    return GST_BUFFER_POOL(self);
}

gint
fs_slot_pool_slot(GstBuffer *buffer, FsSlots *slots)
{
    const struct frameshare_stream *stream = fs_slots_stream(slots);
    if (gst_buffer_n_memory(buffer) != 1) return -1;
    GstMemory *memory = gst_buffer_peek_memory(buffer, 0);
    Shown *shown = gst_mini_object_get_qdata(GST_MINI_OBJECT_CAST(memory), shown_quark());
    if (!shown || shown->slots != slots || memory->offset != 0) return -1;
    GstVideoMeta *meta = gst_buffer_get_video_meta(buffer);
    if (!meta) return stream->planes[0].stride == 0 ? shown->slot : -1;
    if (meta->n_planes != stream->plane_count || meta->width != stream->width || meta->height != stream->height) return -1;
    for (guint i = 0; i < meta->n_planes; i++)
        if (meta->offset[i] != stream->planes[i].offset || (guint64)meta->stride[i] != stream->planes[i].stride) return -1;
    return shown->slot;
}
