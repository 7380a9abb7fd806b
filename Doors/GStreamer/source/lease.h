/* A frame's lease as GStreamer memory: it ends when the last GstMemory that shows the frame is gone. */
#pragma once

#include <frameshare.h>
#include <gst/gst.h>

G_BEGIN_DECLS

/* Counts the leases that a source's pipeline has, across threads; outlives the source. */
typedef struct {
    gint references;
    gint held;
} FsLeaseCount;

FsLeaseCount *fs_lease_count_new(void);
FsLeaseCount *fs_lease_count_ref(FsLeaseCount *count);
void fs_lease_count_unref(FsLeaseCount *count);

/* Appends an image's memory to a buffer: one GstMemory for each of its buffers, read-only, with its descriptor, mapped where
 * the library has mapped it. Takes the frame over (and the request, which may be NULL and is answered when the lease ends).
 * `offsets` and `strides` get where the planes lie in the GstBuffer, as GstVideoMeta wants it. */
void fs_lease_append(GstBuffer *buffer, frameshare_frame *frame, frameshare_request *request,
                     const struct frameshare_image *image, FsLeaseCount *count, gsize offsets[4], gint strides[4]);

G_END_DECLS
