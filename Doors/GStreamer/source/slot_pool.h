/* The sink's buffer pool: what elements upstream write goes into the channel's slots, so that nothing is copied. */
#pragma once

#include <gst/gst.h>
#include <gst/video/video.h>

#include "slots.h"

G_BEGIN_DECLS

#define FS_TYPE_SLOT_POOL (fs_slot_pool_get_type())
G_DECLARE_FINAL_TYPE(FsSlotPool, fs_slot_pool, FS, SLOT_POOL, GstBufferPool)

/* A pool of a generation's slots; not yet configured. `info` is GStreamer's view of raw video, or without a format. */
GstBufferPool *fs_slot_pool_new(FsSlots *slots, const GstVideoInfo *info);

/* The slot of `slots` that a buffer is, whole and laid out as the channel's stream; -1: it is none. */
gint fs_slot_pool_slot(GstBuffer *buffer, FsSlots *slots);

G_END_DECLS
