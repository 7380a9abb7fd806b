/* What a channel's stream is as GStreamer's caps, and the other way. */
#pragma once

#include <frameshare.h>
#include <gst/gst.h>
#include <gst/video/video.h>

G_BEGIN_DECLS

/* The caps of every format that both sides have: what pads may have before anything is known of the other side. */
GstCaps *fs_formats_all_caps(void);

/* A stream's caps, without a frame rate; NULL where GStreamer has no such format, with the reason in *why (static). */
GstCaps *fs_formats_caps(const struct frameshare_stream *stream, const char **why);

/* Finds the stream that caps describe, its rows beginning at multiples of `alignment` bytes. *info gets GStreamer's own
 * view of raw video; it is without a format for packets and Bayer samples. FALSE, with the reason in *why (static). */
gboolean fs_formats_stream(const GstCaps *caps, const char *name, guint alignment, struct frameshare_stream *stream,
                           GstVideoInfo *info, const char **why);

/* GStreamer's name of a raw video format; GST_VIDEO_FORMAT_UNKNOWN where it has none. */
GstVideoFormat fs_formats_video(guint32 fourcc, guint64 modifier);

G_END_DECLS
