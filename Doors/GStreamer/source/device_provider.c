#include "device_provider.h"

#include <frameshare.h>
#include <string.h>

#include "formats.h"

struct _FsDevice {
    GstDevice parent;
    gchar *channel;
    gchar *stream;
};

struct _FsDeviceProvider {
    GstDeviceProvider parent;
};

G_DEFINE_TYPE(FsDevice, fs_device, GST_TYPE_DEVICE)
G_DEFINE_TYPE(FsDeviceProvider, fs_device_provider, GST_TYPE_DEVICE_PROVIDER)

static GstElement *
create_element(GstDevice *device, const gchar *name)
{
    FsDevice *self = FS_DEVICE(device);
    GstElement *element = gst_element_factory_make("framesharesrc", name);
    if (element) g_object_set(element, "channel", self->channel, "stream", self->stream, NULL);
    return element;
}

static gboolean
reconfigure_element(GstDevice *device, GstElement *element)
{
    FsDevice *self = FS_DEVICE(device);
    if (!g_str_equal(G_OBJECT_TYPE_NAME(element), "FrameShareSrc")) return FALSE;
    g_object_set(element, "channel", self->channel, "stream", self->stream, NULL);
    return TRUE;
}

static void
device_finalize(GObject *object)
{
    FsDevice *self = FS_DEVICE(object);
    g_free(self->channel);
    g_free(self->stream);
    G_OBJECT_CLASS(fs_device_parent_class)->finalize(object);
}

static void
fs_device_init(G_GNUC_UNUSED FsDevice *self)
{
}

static void
fs_device_class_init(FsDeviceClass *class)
{
    G_OBJECT_CLASS(class)->finalize = device_finalize;
    GST_DEVICE_CLASS(class)->create_element = create_element;
    GST_DEVICE_CLASS(class)->reconfigure_element = reconfigure_element;
}

/* Adds a channel's streams, each a device. A channel that does not answer, or does not let this user in, is none. */
static GList *
add_streams(GList *devices, const char *channel)
{
    struct frameshare_subscriber_options options = frameshare_subscriber_options_init();
    frameshare_subscriber *subscriber = NULL;
    options.connect_timeout = 1000000000;
    options.name = "gst-device-monitor";
    if (frameshare_subscriber_open(channel, &options, &subscriber) != FRAMESHARE_OK) return devices;

    struct frameshare_subscriber_statistics statistics = {.struct_size = sizeof statistics};
    frameshare_subscriber_get_statistics(subscriber, &statistics);
    for (size_t i = 0;; i++) {
        struct frameshare_stream stream = frameshare_stream_init();
        const char *why;
        if (frameshare_subscriber_stream_at(subscriber, i, &stream) != FRAMESHARE_OK) break;
        GstCaps *caps = fs_formats_caps(&stream, &why);
        if (!caps) continue;
        gst_caps_set_simple(caps, "framerate", GST_TYPE_FRACTION_RANGE, 0, 1, G_MAXINT, 1, NULL);
        GstStructure *properties = gst_structure_new(
            "frameshare", "device.api", G_TYPE_STRING, "frameshare", "frameshare.channel", G_TYPE_STRING, channel,
            "frameshare.stream", G_TYPE_STRING, stream.name, "frameshare.publisher.pid", G_TYPE_INT,
            statistics.publisher_pid, NULL);
        gchar *name = i == 0 ? g_strdup_printf("FrameShare channel %s", channel)
                             : g_strdup_printf("FrameShare channel %s, stream %s", channel, stream.name);
        FsDevice *device = g_object_new(FS_TYPE_DEVICE, "display-name", name, "device-class", "Video/Source", "caps", caps,
                                        "properties", properties, NULL);
        device->channel = g_strdup(channel);
        device->stream = g_strdup(stream.name);
        devices = g_list_append(devices, device);
        g_free(name);
        gst_structure_free(properties);
        gst_caps_unref(caps);
    }
    frameshare_subscriber_close(subscriber);
    return devices;
}

static GList *
probe(G_GNUC_UNUSED GstDeviceProvider *provider)
{
    GList *devices = NULL;
    size_t needed = 0;
    gchar *names = NULL;
    int result = frameshare_channels(NULL, NULL, 0, &needed);
    /* More may have come by the time they are read. */
    while (result == FRAMESHARE_OK || result == FRAMESHARE_ERROR_TOO_SMALL) {
        size_t size = needed + 1;
        g_free(names);
        names = g_malloc0(size);
        result = frameshare_channels(NULL, names, size, &needed);
        if (result == FRAMESHARE_OK) break;
    }
    if (!names) return NULL;
    if (result == FRAMESHARE_OK) {
        gchar **lines = g_strsplit(names, "\n", -1);
        for (gchar **line = lines; *line; line++)
            if (**line) devices = add_streams(devices, *line);
        g_strfreev(lines);
    }
    g_free(names);
    return devices;
}

static void
fs_device_provider_init(G_GNUC_UNUSED FsDeviceProvider *self)
{
}

static void
fs_device_provider_class_init(FsDeviceProviderClass *class)
{
    GstDeviceProviderClass *provider = GST_DEVICE_PROVIDER_CLASS(class);
    provider->probe = probe;
    gst_device_provider_class_set_static_metadata(provider, "FrameShare channels", "Source/Video",
                                                  "Lists FrameShare channels, as cameras", "FrameShare");
}
