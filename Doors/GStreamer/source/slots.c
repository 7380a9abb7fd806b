#define _GNU_SOURCE
#include "slots.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

typedef struct {
    int fd;
    guint8 *data;
    /* A GstBuffer shows it; a reader may have it. It can be written to when neither is so. */
    gboolean in_pipeline;
    gboolean published;
} Slot;

struct _FsSlots {
    gint references;
    GMutex lock;
    struct frameshare_stream stream;
    gsize size;
    /* NULL when they are not the publisher's present ones. */
    frameshare_publisher *publisher;
    guint count;
    Slot slots[];
};

static gsize
whole_pages(gsize size)
{
    gsize page = (gsize)sysconf(_SC_PAGESIZE);
    return (size + page - 1) / page * page;
}

/* Memory that readers can map but never write to: mapped here first, then sealed. */
static gboolean
make(Slot *slot, gsize size, gchar **why)
{
    const char *step = "memfd_create";
    slot->fd = memfd_create("frameshare-gstreamer", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (slot->fd >= 0) step = "fallocate";
    if (slot->fd >= 0 && fallocate(slot->fd, 0, 0, (off_t)size) == 0) {
        step = "mmap";
        void *data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, slot->fd, 0);
        if (data != MAP_FAILED) {
            slot->data = data;
            step = "fcntl(F_ADD_SEALS)";
            if (fcntl(slot->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE) == 0) return TRUE;
        }
    }
    *why = g_strdup_printf("%s of %" G_GSIZE_FORMAT " bytes for a slot: %s", step, size, g_strerror(errno));
    return FALSE;
}

FsSlots *
fs_slots_new(const struct frameshare_stream *stream, guint count, gchar **why)
{
    FsSlots *slots = g_malloc0(sizeof *slots + count * sizeof(Slot));
    gsize size = 0;
    for (guint32 i = 0; i < stream->plane_count; i++)
        size = MAX(size, stream->planes[i].offset + stream->planes[i].size);
    slots->references = 1;
    g_mutex_init(&slots->lock);
    slots->stream = *stream;
    slots->size = whole_pages(size);
    slots->count = count;
    for (guint i = 0; i < count; i++) slots->slots[i].fd = -1;
    for (guint i = 0; i < count; i++) {
        if (make(&slots->slots[i], slots->size, why)) continue;
        fs_slots_unref(slots);
        return NULL;
    }
    return slots;
}

FsSlots *
fs_slots_ref(FsSlots *slots)
{
    g_atomic_int_inc(&slots->references);
    return slots;
}

void
fs_slots_unref(FsSlots *slots)
{
    if (!g_atomic_int_dec_and_test(&slots->references)) return;
    for (guint i = 0; i < slots->count; i++) {
        if (slots->slots[i].data) munmap(slots->slots[i].data, slots->size);
        if (slots->slots[i].fd >= 0) close(slots->slots[i].fd);
    }
    g_mutex_clear(&slots->lock);
    g_free(slots);
}

struct frameshare_buffer *
fs_slots_buffers(const FsSlots *slots)
{
    struct frameshare_buffer *buffers = g_new0(struct frameshare_buffer, slots->count);
    for (guint i = 0; i < slots->count; i++) {
        buffers[i].fd = slots->slots[i].fd;
        buffers[i].memory = FRAMESHARE_MEMORY_MEMFD;
        buffers[i].size = slots->size;
    }
    return buffers;
}

guint
fs_slots_count(const FsSlots *slots)
{
    return slots->count;
}

const struct frameshare_stream *
fs_slots_stream(const FsSlots *slots)
{
    return &slots->stream;
}

gsize
fs_slots_size(const FsSlots *slots)
{
    return slots->size;
}

void
fs_slots_attach(FsSlots *slots, frameshare_publisher *publisher)
{
    g_mutex_lock(&slots->lock);
    slots->publisher = publisher;
    /* All are the publisher's until it hands them out. */
    for (guint i = 0; i < slots->count; i++) slots->slots[i].published = TRUE;
    g_mutex_unlock(&slots->lock);
}

gint
fs_slots_acquire(FsSlots *slots)
{
    uint32_t free_slots[64];
    size_t count = 0;
    gint found = -1;

    g_mutex_lock(&slots->lock);
    while (slots->publisher && frameshare_publisher_take_free(slots->publisher, free_slots, G_N_ELEMENTS(free_slots),
                                                              &count) == FRAMESHARE_OK && count > 0)
        for (size_t i = 0; i < count; i++)
            if (free_slots[i] < slots->count) slots->slots[free_slots[i]].published = FALSE;
    for (guint i = 0; slots->publisher && found < 0 && i < slots->count; i++) {
        if (slots->slots[i].published || slots->slots[i].in_pipeline) continue;
        slots->slots[i].in_pipeline = TRUE;
        found = (gint)i;
    }
    g_mutex_unlock(&slots->lock);
    return found;
}

void
fs_slots_release(FsSlots *slots, gint slot)
{
    g_mutex_lock(&slots->lock);
    slots->slots[slot].in_pipeline = FALSE;
    g_mutex_unlock(&slots->lock);
}

guint8 *
fs_slots_data(const FsSlots *slots, gint slot)
{
    return slots->slots[slot].data;
}

int
fs_slots_descriptor(const FsSlots *slots, gint slot)
{
    return slots->slots[slot].fd;
}

int
fs_slots_publish(FsSlots *slots, gint slot, const struct frameshare_description *description,
                 const frameshare_metadata *metadata)
{
    int result = FRAMESHARE_NO_FRAME;
    g_mutex_lock(&slots->lock);
    if (slots->publisher && !slots->slots[slot].published) {
        result = frameshare_publisher_publish(slots->publisher, (uint32_t)slot, description, metadata, NULL);
        /* A slot whose publishing failed is the source's still, or the pool's: what it is, take_free tells. */
        slots->slots[slot].published = result == FRAMESHARE_OK;
    }
    g_mutex_unlock(&slots->lock);
    return result;
}
