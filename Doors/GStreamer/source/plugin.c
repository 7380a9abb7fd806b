/* GStreamer's way to FrameShare's channels: framesharesrc, framesharesink, and a device provider. */
#include <gst/gst.h>

#include "device_provider.h"
#include "frame_meta.h"
#include "frameshare_sink.h"
#include "frameshare_source.h"

#define PACKAGE "frameshare"

static gboolean
plugin_init(GstPlugin *plugin)
{
    fs_frame_meta_register();
    /* Nobody plays a channel, or publishes one, unless asked for by name. */
    return gst_element_register(plugin, "framesharesrc", GST_RANK_NONE, FS_TYPE_SOURCE) &&
           gst_element_register(plugin, "framesharesink", GST_RANK_NONE, FS_TYPE_SINK) &&
           gst_device_provider_register(plugin, "framesharedeviceprovider", GST_RANK_SECONDARY, FS_TYPE_DEVICE_PROVIDER);
}

GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, frameshare, "One camera, many programs, the same pixels",
                  plugin_init, VERSION, "Apache 2.0", "FrameShare", "FrameShare")
