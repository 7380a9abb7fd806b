#include "lease.h"

#include <gst/allocators/allocators.h>

typedef struct {
    gint references;
    frameshare_frame *frame;
    frameshare_request *request;
    FsLeaseCount *count;
} Lease;

/* What a GstMemory carries: the lease, and where the library has mapped the start of its descriptor. */
typedef struct {
    Lease *lease;
    guint8 *start;
} Mapping;

FsLeaseCount *
fs_lease_count_new(void)
{
    FsLeaseCount *count = g_new0(FsLeaseCount, 1);
    count->references = 1;
    return count;
}

FsLeaseCount *
fs_lease_count_ref(FsLeaseCount *count)
{
    g_atomic_int_inc(&count->references);
    return count;
}

void
fs_lease_count_unref(FsLeaseCount *count)
{
    if (g_atomic_int_dec_and_test(&count->references)) g_free(count);
}

static void
lease_unref(Lease *lease)
{
    if (!g_atomic_int_dec_and_test(&lease->references)) return;
    if (lease->request) {
        frameshare_request_answer(lease->request, NULL, NULL, 0);
        frameshare_request_release(lease->request);
    }
    frameshare_frame_release(lease->frame);
    g_atomic_int_add(&lease->count->held, -1);
    fs_lease_count_unref(lease->count);
    g_free(lease);
}

static void
mapping_free(gpointer data)
{
    Mapping *mapping = data;
    lease_unref(mapping->lease);
    g_free(mapping);
}

static GQuark
mapping_quark(void)
{
    static GQuark quark;
    if (!quark) quark = g_quark_from_static_string("frameshare-mapping");
    return quark;
}

/* Allocators of GStreamer's own kinds, so that elements import the descriptor as they know it. Only the CPU's way to the
 * bytes is another: the library has mapped them once for all frames. */
static gpointer
map(GstMemory *memory, G_GNUC_UNUSED gsize size, GstMapFlags flags)
{
    if (memory->parent) return map(memory->parent, memory->parent->maxsize, flags);
    if (flags & GST_MAP_WRITE) return NULL;
    Mapping *mapping = gst_mini_object_get_qdata(GST_MINI_OBJECT_CAST(memory), mapping_quark());
    return mapping ? mapping->start : NULL;
}

static void
unmap(G_GNUC_UNUSED GstMemory *memory)
{
}

typedef GstFdAllocator FsMemfdAllocator;
typedef GstFdAllocatorClass FsMemfdAllocatorClass;
static GType fs_memfd_allocator_get_type(void);
G_DEFINE_TYPE(FsMemfdAllocator, fs_memfd_allocator, GST_TYPE_FD_ALLOCATOR)

static void
fs_memfd_allocator_class_init(G_GNUC_UNUSED FsMemfdAllocatorClass *class)
{
}

static void
fs_memfd_allocator_init(FsMemfdAllocator *allocator)
{
    GST_ALLOCATOR(allocator)->mem_map = map;
    GST_ALLOCATOR(allocator)->mem_unmap = unmap;
}

typedef GstDmaBufAllocator FsDmaBufAllocator;
typedef GstDmaBufAllocatorClass FsDmaBufAllocatorClass;
static GType fs_dma_buf_allocator_get_type(void);
G_DEFINE_TYPE(FsDmaBufAllocator, fs_dma_buf_allocator, GST_TYPE_DMABUF_ALLOCATOR)

static void
fs_dma_buf_allocator_class_init(G_GNUC_UNUSED FsDmaBufAllocatorClass *class)
{
}

static void
fs_dma_buf_allocator_init(FsDmaBufAllocator *allocator)
{
    GST_ALLOCATOR(allocator)->mem_map = map;
    GST_ALLOCATOR(allocator)->mem_unmap = unmap;
}

static GstAllocator *
allocator_for(guint32 memory)
{
    static GstAllocator *memfd, *dma_buf;
    static gsize once;
    if (g_once_init_enter(&once)) {
        memfd = gst_object_ref_sink(g_object_new(fs_memfd_allocator_get_type(), NULL));
        dma_buf = gst_object_ref_sink(g_object_new(fs_dma_buf_allocator_get_type(), NULL));
        GST_OBJECT_FLAG_SET(memfd, GST_OBJECT_FLAG_MAY_BE_LEAKED);
        GST_OBJECT_FLAG_SET(dma_buf, GST_OBJECT_FLAG_MAY_BE_LEAKED);
        g_once_init_leave(&once, 1);
    }
    return memory == FRAMESHARE_MEMORY_MEMFD ? memfd : dma_buf;
}

void
fs_lease_append(GstBuffer *buffer, frameshare_frame *frame, frameshare_request *request,
                const struct frameshare_image *image, FsLeaseCount *count, gsize offsets[4], gint strides[4])
{
    Lease *lease = g_new0(Lease, 1);
    GstAllocator *allocator = allocator_for(image->memory);
    gsize before = 0;

    lease->references = 1;
    lease->frame = frame;
    lease->request = request;
    lease->count = fs_lease_count_ref(count);
    g_atomic_int_inc(&count->held);

    /* Planes of one buffer stand together, and each lies where the layout says. */
    for (guint32 first = 0; first < image->plane_count;) {
        guint32 last = first;
        gsize start = image->planes[first].offset, end = 0;
        guint8 *mapped = NULL;
        gsize used = 0;
        for (guint32 i = first; i < image->plane_count && image->planes[i].buffer == image->planes[first].buffer; i++) {
            const struct frameshare_plane *plane = &image->planes[i];
            start = MIN(start, plane->offset);
            end = MAX(end, plane->offset + plane->size);
            used = MAX(used, plane->offset + (plane->stride ? plane->size : plane->bytes_used));
            if (plane->data) mapped = (guint8 *)plane->data - plane->offset;
            last = i + 1;
        }
        GstMemory *memory =
            gst_fd_allocator_alloc(allocator, image->planes[first].fd, end, GST_FD_MEMORY_FLAG_DONT_CLOSE);
        Mapping *mapping = g_new(Mapping, 1);
        g_atomic_int_inc(&lease->references);
        mapping->lease = lease;
        mapping->start = mapped;
        gst_mini_object_set_qdata(GST_MINI_OBJECT_CAST(memory), mapping_quark(), mapping, mapping_free);
        GST_MINI_OBJECT_FLAG_SET(memory, GST_MEMORY_FLAG_READONLY);
        gst_memory_resize(memory, (gssize)start, MAX(used, start) - start);
        gst_buffer_append_memory(buffer, memory);
        for (guint32 i = first; i < last; i++) {
            offsets[i] = before + image->planes[i].offset - start;
            strides[i] = (gint)image->planes[i].stride;
        }
        before += MAX(used, start) - start;
        first = last;
    }
    lease_unref(lease);
}
