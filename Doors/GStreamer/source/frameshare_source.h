/* framesharesrc: a channel's frames as a live GStreamer source, in the channel's own memory. */
#pragma once

#include <gst/base/gstpushsrc.h>

G_BEGIN_DECLS

#define FS_TYPE_SOURCE (fs_source_get_type())
G_DECLARE_FINAL_TYPE(FrameShareSrc, fs_source, FS, SOURCE, GstPushSrc)

G_END_DECLS
