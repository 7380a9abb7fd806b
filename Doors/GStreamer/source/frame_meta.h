/* What FrameShare says of a frame beside its pixels, on a GstBuffer: a custom meta "FrameShareFrameMeta", whose structure has
 * "number", "sequence" (uint64), "generation" (uint), "flags" (uint), "timestamp" (int64, ns), "clock" (string), and the
 * frame's metadata as a structure "metadata". */
#pragma once

#include <frameshare.h>
#include <gst/gst.h>

G_BEGIN_DECLS

#define FS_FRAME_META "FrameShareFrameMeta"

/* Once, before any other. */
void fs_frame_meta_register(void);

/* The clock's name in caps and structures: "monotonic", "boottime", "realtime", "unknown". */
const char *fs_clock_name(guint32 clock);

/* The caps of a GstReferenceTimestampMeta with a capture time on such a clock; "timestamp/x-unix" for the real-time clock. New. */
GstCaps *fs_clock_caps(guint32 clock);

/* Puts a frame's numbers, and its metadata if `metadata`, on a buffer. */
void fs_frame_meta_add(GstBuffer *buffer, const frameshare_frame *frame, const struct frameshare_frame_info *info,
                       gboolean metadata);

/* Takes them from a buffer that has them, for a frame to be published: metadata is cleared first. FALSE without them. */
gboolean fs_frame_meta_get(GstBuffer *buffer, struct frameshare_description *description, frameshare_metadata *metadata);

G_END_DECLS
