/* framesharesink: what a pipeline makes, as a channel that other programs read. */
#pragma once

#include <gst/video/gstvideosink.h>

G_BEGIN_DECLS

#define FS_TYPE_SINK (fs_sink_get_type())
G_DECLARE_FINAL_TYPE(FrameShareSink, fs_sink, FS, SINK, GstBaseSink)

G_END_DECLS
