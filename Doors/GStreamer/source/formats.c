#include "formats.h"

/* The frameshare name says a DRM code; GStreamer's name says the bytes in memory order. By name, since later releases of
 * GStreamer know more of them. */
static const struct {
    const char *frameshare;
    const char *gstreamer;
} video_formats[] = {
    {"YUV420", "I420"},        {"YVU420", "YV12"},   {"YUV422", "Y42B"},        {"YUV444", "Y444"},
    {"NV12", "NV12"},          {"NV21", "NV21"},     {"NV16", "NV16"},          {"NV61", "NV61"},
    {"NV24", "NV24"},          {"YUYV", "YUY2"},     {"YVYU", "YVYU"},          {"UYVY", "UYVY"},
    {"VYUY", "VYUY"},          {"VUY888", "v308"},   {"AYUV8888_BE", "AYUV"},   {"AYUV8888", "VUYA"},
    {"RGB888", "BGR"},         {"BGR888", "RGB"},    {"XRGB8888", "BGRx"},      {"XBGR8888", "RGBx"},
    {"RGBX8888", "xBGR"},      {"BGRX8888", "xRGB"}, {"ARGB8888", "BGRA"},      {"ABGR8888", "RGBA"},
    {"RGBA8888", "ABGR"},      {"BGRA8888", "ARGB"}, {"RGB565", "RGB16"},       {"R8", "GRAY8"},
    {"R10", "GRAY10_LE16"},    {"R16", "GRAY16_LE"},
};

/* Colour sensors' samples: "video/x-bayer". Debian 12's GStreamer has those of 8 bits. */
static const struct {
    const char *frameshare;
    const char *gstreamer;
} bayer_formats[] = {
    {"SBGGR8", "bggr"},      {"SGBRG8", "gbrg"},      {"SGRBG8", "grbg"},      {"SRGGB8", "rggb"},
    {"SBGGR10", "bggr10le"}, {"SGBRG10", "gbrg10le"}, {"SGRBG10", "grbg10le"}, {"SRGGB10", "rggb10le"},
    {"SBGGR12", "bggr12le"}, {"SGBRG12", "gbrg12le"}, {"SGRBG12", "grbg12le"}, {"SRGGB12", "rggb12le"},
    {"SBGGR14", "bggr14le"}, {"SGBRG14", "gbrg14le"}, {"SGRBG14", "grbg14le"}, {"SRGGB14", "rggb14le"},
    {"SBGGR16", "bggr16le"}, {"SGBRG16", "gbrg16le"}, {"SGRBG16", "grbg16le"}, {"SRGGB16", "rggb16le"},
};

/* A frame is one access unit. */
static const struct {
    const char *frameshare;
    const char *caps;
} packet_formats[] = {
    {"MJPEG", "image/jpeg"},
    {"H264", "video/x-h264, stream-format=(string)byte-stream, alignment=(string)au"},
    {"HEVC", "video/x-h265, stream-format=(string)byte-stream, alignment=(string)au"},
};

static gboolean
same_format(const char *name, guint32 fourcc, guint64 modifier)
{
    struct frameshare_format_info info = frameshare_format_info_init();
    return frameshare_format_by_name(name, &info) == FRAMESHARE_OK && info.fourcc == fourcc && info.modifier == modifier;
}

GstVideoFormat
fs_formats_video(guint32 fourcc, guint64 modifier)
{
    for (gsize i = 0; i < G_N_ELEMENTS(video_formats); i++)
        if (same_format(video_formats[i].frameshare, fourcc, modifier))
            return gst_video_format_from_string(video_formats[i].gstreamer);
    return GST_VIDEO_FORMAT_UNKNOWN;
}

static void
add_size(GstCaps *caps)
{
    gst_caps_set_simple(caps, "width", GST_TYPE_INT_RANGE, 1, G_MAXINT, "height", GST_TYPE_INT_RANGE, 1, G_MAXINT,
                        "framerate", GST_TYPE_FRACTION_RANGE, 0, 1, G_MAXINT, 1, NULL);
}

GstCaps *
fs_formats_all_caps(void)
{
    GstCaps *caps = gst_caps_new_empty();
    GValue names = G_VALUE_INIT, name = G_VALUE_INIT;

    g_value_init(&names, GST_TYPE_LIST);
    g_value_init(&name, G_TYPE_STRING);
    for (gsize i = 0; i < G_N_ELEMENTS(video_formats); i++) {
        if (gst_video_format_from_string(video_formats[i].gstreamer) == GST_VIDEO_FORMAT_UNKNOWN) continue;
        g_value_set_static_string(&name, video_formats[i].gstreamer);
        gst_value_list_append_value(&names, &name);
    }
    GstStructure *raw = gst_structure_new_empty("video/x-raw");
    gst_structure_set_value(raw, "format", &names);
    gst_caps_append_structure(caps, raw);
    g_value_reset(&names);

    for (gsize i = 0; i < G_N_ELEMENTS(bayer_formats); i++) {
        g_value_set_static_string(&name, bayer_formats[i].gstreamer);
        gst_value_list_append_value(&names, &name);
    }
    GstStructure *bayer = gst_structure_new_empty("video/x-bayer");
    gst_structure_set_value(bayer, "format", &names);
    gst_caps_append_structure(caps, bayer);
    g_value_unset(&names);
    g_value_unset(&name);

    for (gsize i = 0; i < G_N_ELEMENTS(packet_formats); i++)
        gst_caps_append(caps, gst_caps_from_string(packet_formats[i].caps));
    add_size(caps);
    return caps;
}

static GstVideoColorimetry
colorimetry_of(const struct frameshare_color_space *space, gboolean rgb)
{
    static const GstVideoColorPrimaries primaries[] = {
        GST_VIDEO_COLOR_PRIMARIES_UNKNOWN, GST_VIDEO_COLOR_PRIMARIES_UNKNOWN, GST_VIDEO_COLOR_PRIMARIES_SMPTE170M,
        GST_VIDEO_COLOR_PRIMARIES_BT709,   GST_VIDEO_COLOR_PRIMARIES_BT2020,
    };
    static const GstVideoTransferFunction transfers[] = {
        GST_VIDEO_TRANSFER_UNKNOWN, GST_VIDEO_TRANSFER_GAMMA10, GST_VIDEO_TRANSFER_SRGB, GST_VIDEO_TRANSFER_BT709,
    };
    static const GstVideoColorMatrix matrices[] = {
        GST_VIDEO_COLOR_MATRIX_UNKNOWN, GST_VIDEO_COLOR_MATRIX_RGB,    GST_VIDEO_COLOR_MATRIX_BT601,
        GST_VIDEO_COLOR_MATRIX_BT709,   GST_VIDEO_COLOR_MATRIX_BT2020,
    };
    static const GstVideoColorRange ranges[] = {
        GST_VIDEO_COLOR_RANGE_UNKNOWN,
        GST_VIDEO_COLOR_RANGE_0_255,
        GST_VIDEO_COLOR_RANGE_16_235,
    };
    GstVideoColorimetry color = {
        .range = space->range < G_N_ELEMENTS(ranges) ? ranges[space->range] : 0,
        .matrix = space->encoding < G_N_ELEMENTS(matrices) ? matrices[space->encoding] : 0,
        .transfer = space->transfer < G_N_ELEMENTS(transfers) ? transfers[space->transfer] : 0,
        .primaries = space->primaries < G_N_ELEMENTS(primaries) ? primaries[space->primaries] : 0,
    };
    if (rgb) {
        color.matrix = GST_VIDEO_COLOR_MATRIX_RGB;
        if (color.range == GST_VIDEO_COLOR_RANGE_UNKNOWN) color.range = GST_VIDEO_COLOR_RANGE_0_255;
    }
    return color;
}

static void
color_space_of(const GstVideoColorimetry *color, struct frameshare_color_space *space)
{
    memset(space, 0, sizeof *space);
    switch (color->primaries) {
    case GST_VIDEO_COLOR_PRIMARIES_SMPTE170M: space->primaries = 2; break;
    case GST_VIDEO_COLOR_PRIMARIES_BT709: space->primaries = 3; break;
    case GST_VIDEO_COLOR_PRIMARIES_BT2020: space->primaries = 4; break;
    default: break;
    }
    switch (color->transfer) {
    case GST_VIDEO_TRANSFER_GAMMA10: space->transfer = 1; break;
    case GST_VIDEO_TRANSFER_SRGB: space->transfer = 2; break;
    case GST_VIDEO_TRANSFER_BT709:
    case GST_VIDEO_TRANSFER_BT601:
    case GST_VIDEO_TRANSFER_BT2020_10: space->transfer = 3; break;
    default: break;
    }
    switch (color->matrix) {
    case GST_VIDEO_COLOR_MATRIX_RGB: space->encoding = 1; break;
    case GST_VIDEO_COLOR_MATRIX_BT601: space->encoding = 2; break;
    case GST_VIDEO_COLOR_MATRIX_BT709: space->encoding = 3; break;
    case GST_VIDEO_COLOR_MATRIX_BT2020: space->encoding = 4; break;
    default: break;
    }
    switch (color->range) {
    case GST_VIDEO_COLOR_RANGE_0_255: space->range = 1; break;
    case GST_VIDEO_COLOR_RANGE_16_235: space->range = 2; break;
    default: break;
    }
}

GstCaps *
fs_formats_caps(const struct frameshare_stream *stream, const char **why)
{
    GstCaps *caps = NULL;
    GstVideoFormat video = fs_formats_video(stream->fourcc, stream->modifier);

    if (stream->width > G_MAXINT || stream->height > G_MAXINT) {
        *why = "the image is larger than GStreamer's caps can say";
        return NULL;
    }
    for (guint32 i = 0; i < stream->plane_count; i++) {
        if (stream->planes[i].stride <= G_MAXINT) continue;
        *why = "its rows are longer than GStreamer's strides can say";
        return NULL;
    }
    if (video != GST_VIDEO_FORMAT_UNKNOWN) {
        const GstVideoFormatInfo *format = gst_video_format_get_info(video);
        caps = gst_caps_new_simple("video/x-raw", "format", G_TYPE_STRING, gst_video_format_to_string(video), NULL);
        GstVideoColorimetry color = colorimetry_of(&stream->color_space, GST_VIDEO_FORMAT_INFO_IS_RGB(format));
        /* Without any word of the source's, GStreamer's own defaults for the size hold. */
        if (!GST_VIDEO_FORMAT_INFO_IS_GRAY(format) &&
            (color.range != GST_VIDEO_COLOR_RANGE_UNKNOWN || color.matrix != GST_VIDEO_COLOR_MATRIX_UNKNOWN)) {
            gchar *text = gst_video_colorimetry_to_string(&color);
            if (text) gst_caps_set_simple(caps, "colorimetry", G_TYPE_STRING, text, NULL);
            g_free(text);
        }
    }
    for (gsize i = 0; !caps && i < G_N_ELEMENTS(bayer_formats); i++)
        if (same_format(bayer_formats[i].frameshare, stream->fourcc, stream->modifier))
            caps = gst_caps_new_simple("video/x-bayer", "format", G_TYPE_STRING, bayer_formats[i].gstreamer, NULL);
    for (gsize i = 0; !caps && i < G_N_ELEMENTS(packet_formats); i++)
        if (same_format(packet_formats[i].frameshare, stream->fourcc, stream->modifier))
            caps = gst_caps_from_string(packet_formats[i].caps);
    if (!caps) {
        *why = stream->modifier ? "GStreamer has no caps for a format with such a modifier"
                                : "GStreamer has no caps for such a format";
        return NULL;
    }
    gst_caps_set_simple(caps, "width", G_TYPE_INT, (gint)stream->width, "height", G_TYPE_INT, (gint)stream->height, NULL);
    return caps;
}

gboolean
fs_formats_stream(const GstCaps *caps, const char *name, guint alignment, struct frameshare_stream *stream,
                  GstVideoInfo *info, const char **why)
{
    const GstStructure *structure = gst_caps_get_structure(caps, 0);
    gint width = 0, height = 0;
    const char *format = NULL;

    gst_video_info_init(info);
    gst_structure_get_int(structure, "width", &width);
    gst_structure_get_int(structure, "height", &height);
    *stream = frameshare_stream_init();

    for (gsize i = 0; i < G_N_ELEMENTS(packet_formats); i++) {
        GstCaps *packets = gst_caps_from_string(packet_formats[i].caps);
        gboolean same = gst_structure_has_name(structure, gst_structure_get_name(gst_caps_get_structure(packets, 0)));
        gst_caps_unref(packets);
        if (!same) continue;
        if (width <= 0 || height <= 0) {
            *why = "packets need their picture's size in the caps: put a parser (jpegparse, h264parse) before the sink";
            return FALSE;
        }
        struct frameshare_format_info known = frameshare_format_info_init();
        /* No picture takes more as packets than as pixels; small ones have headers of their own. */
        if (frameshare_format_by_name(packet_formats[i].frameshare, &known) != FRAMESHARE_OK ||
            frameshare_stream_opaque(name, (guint32)width, (guint32)height, known.fourcc, known.modifier,
                                     (guint64)width * (guint64)height * 2 + 65536, stream) != FRAMESHARE_OK) {
            *why = frameshare_last_error();
            return FALSE;
        }
        return TRUE;
    }

    if (gst_structure_has_name(structure, "video/x-bayer")) {
        const char *text = gst_structure_get_string(structure, "format");
        for (gsize i = 0; text && i < G_N_ELEMENTS(bayer_formats); i++)
            if (strcmp(bayer_formats[i].gstreamer, text) == 0) format = bayer_formats[i].frameshare;
        /* GStreamer rounds each row of samples up to 4 bytes; a wider alignment would not match it. */
        alignment = 4;
    } else if (gst_video_info_from_caps(info, caps)) {
        const char *text = gst_video_format_to_string(GST_VIDEO_INFO_FORMAT(info));
        for (gsize i = 0; i < G_N_ELEMENTS(video_formats); i++)
            if (strcmp(video_formats[i].gstreamer, text) == 0) format = video_formats[i].frameshare;
    }
    if (!format) {
        *why = "FrameShare has no such format";
        return FALSE;
    }
    if (width <= 0 || height <= 0) {
        *why = "the caps have no size";
        return FALSE;
    }
    if (frameshare_stream_compute(name, (guint32)width, (guint32)height, format, alignment, stream) != FRAMESHARE_OK) {
        *why = frameshare_last_error();
        return FALSE;
    }
    if (GST_VIDEO_INFO_FORMAT(info) != GST_VIDEO_FORMAT_UNKNOWN)
        color_space_of(&GST_VIDEO_INFO_COLORIMETRY(info), &stream->color_space);
    return TRUE;
}
