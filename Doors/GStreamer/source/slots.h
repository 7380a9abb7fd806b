/* The memory of a channel that the sink publishes: slots that the pipeline's elements write to in place. */
#pragma once

#include <frameshare.h>
#include <gst/gst.h>

G_BEGIN_DECLS

/* A generation's slots. Counted: buffers of the pipeline may outlive the sink and its channel. */
typedef struct _FsSlots FsSlots;

/* Sealed memory for `count` slots of a stream of one buffer. NULL, with what failed in *why (to be freed). */
FsSlots *fs_slots_new(const struct frameshare_stream *stream, guint count, gchar **why);
FsSlots *fs_slots_ref(FsSlots *slots);
void fs_slots_unref(FsSlots *slots);

/* What frameshare_publisher_open_buffers() takes; as many as there are slots. To be freed with g_free(). */
struct frameshare_buffer *fs_slots_buffers(const FsSlots *slots);
guint fs_slots_count(const FsSlots *slots);
const struct frameshare_stream *fs_slots_stream(const FsSlots *slots);
gsize fs_slots_size(const FsSlots *slots);

/* From now on these are the publisher's present slots; NULL: they no longer are, and none can be had or published. */
void fs_slots_attach(FsSlots *slots, frameshare_publisher *publisher);

/* A slot that neither a reader nor the pipeline has, for the pipeline to fill; -1 where there is none. Never waits. */
gint fs_slots_acquire(FsSlots *slots);

/* The pipeline no longer has it. */
void fs_slots_release(FsSlots *slots, gint slot);

guint8 *fs_slots_data(const FsSlots *slots, gint slot);
int fs_slots_descriptor(const FsSlots *slots, gint slot);

/* Publishes a slot that the pipeline has, and may keep to read. FRAMESHARE_NO_FRAME if it was published already. */
int fs_slots_publish(FsSlots *slots, gint slot, const struct frameshare_description *description,
                     const frameshare_metadata *metadata);

G_END_DECLS
