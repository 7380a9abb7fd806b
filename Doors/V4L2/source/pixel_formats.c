#include "pixel_formats.h"

#include <string.h>

/* By the library's names; a code with several names in V4L2 has the commonest. Which bytes they mean is held by the
 * library's own table. */
static const struct {
    const char *name;
    __u32 code;
} names[] = {
    {"YUV420", V4L2_PIX_FMT_YUV420},   {"YVU420", V4L2_PIX_FMT_YVU420},  {"YUV422", V4L2_PIX_FMT_YUV422P},
    {"NV12", V4L2_PIX_FMT_NV12},       {"NV21", V4L2_PIX_FMT_NV21},      {"NV16", V4L2_PIX_FMT_NV16},
    {"NV61", V4L2_PIX_FMT_NV61},       {"NV24", V4L2_PIX_FMT_NV24},      {"NV42", V4L2_PIX_FMT_NV42},
    {"YUYV", V4L2_PIX_FMT_YUYV},       {"YVYU", V4L2_PIX_FMT_YVYU},      {"UYVY", V4L2_PIX_FMT_UYVY},
    {"VYUY", V4L2_PIX_FMT_VYUY},       {"RGB888", V4L2_PIX_FMT_BGR24},   {"BGR888", V4L2_PIX_FMT_RGB24},
    {"XRGB8888", V4L2_PIX_FMT_XBGR32}, {"XBGR8888", V4L2_PIX_FMT_RGBX32}, {"RGBX8888", V4L2_PIX_FMT_BGRX32},
    {"BGRX8888", V4L2_PIX_FMT_XRGB32}, {"ARGB8888", V4L2_PIX_FMT_ABGR32}, {"ABGR8888", V4L2_PIX_FMT_RGBA32},
    {"RGBA8888", V4L2_PIX_FMT_BGRA32}, {"BGRA8888", V4L2_PIX_FMT_ARGB32}, {"RGB565", V4L2_PIX_FMT_RGB565},
    {"R8", V4L2_PIX_FMT_GREY},         {"R10", V4L2_PIX_FMT_Y10},        {"R12", V4L2_PIX_FMT_Y12},
    {"R16", V4L2_PIX_FMT_Y16},         {"SBGGR8", V4L2_PIX_FMT_SBGGR8},  {"SGBRG8", V4L2_PIX_FMT_SGBRG8},
    {"SGRBG8", V4L2_PIX_FMT_SGRBG8},   {"SRGGB8", V4L2_PIX_FMT_SRGGB8},  {"SBGGR10", V4L2_PIX_FMT_SBGGR10},
    {"SGBRG10", V4L2_PIX_FMT_SGBRG10}, {"SGRBG10", V4L2_PIX_FMT_SGRBG10}, {"SRGGB10", V4L2_PIX_FMT_SRGGB10},
    {"SBGGR12", V4L2_PIX_FMT_SBGGR12}, {"SGBRG12", V4L2_PIX_FMT_SGBRG12}, {"SGRBG12", V4L2_PIX_FMT_SGRBG12},
    {"SRGGB12", V4L2_PIX_FMT_SRGGB12}, {"SBGGR16", V4L2_PIX_FMT_SBGGR16}, {"SGBRG16", V4L2_PIX_FMT_SGBRG16},
    {"SGRBG16", V4L2_PIX_FMT_SGRBG16}, {"SRGGB16", V4L2_PIX_FMT_SRGGB16}, {"SBGGR10_CSI2P", V4L2_PIX_FMT_SBGGR10P},
    {"SGBRG10_CSI2P", V4L2_PIX_FMT_SGBRG10P}, {"SGRBG10_CSI2P", V4L2_PIX_FMT_SGRBG10P},
    {"SRGGB10_CSI2P", V4L2_PIX_FMT_SRGGB10P}, {"MJPEG", V4L2_PIX_FMT_MJPEG}, {"H264", V4L2_PIX_FMT_H264},
    {"HEVC", V4L2_PIX_FMT_HEVC},
};

static bool
code_of(__u32 fourcc, __u64 modifier, __u32 *code)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct frameshare_format_info info = frameshare_format_info_init();
        if (frameshare_format_by_name(names[i].name, &info) != FRAMESHARE_OK || info.fourcc != fourcc ||
            info.modifier != modifier)
            continue;
        *code = names[i].code;
        return true;
    }
    return false;
}

/* Where plane `index` lies and how long its rows are, when the first plane's rows have `stride` bytes: the kernel's rule
 * for formats of one buffer (Documentation/userspace-api/media/v4l/yuv-formats.rst). */
static void
place(const struct frameshare_format_info *info, __u32 height, __u32 stride, __u32 index, size_t *offset, size_t *row,
      size_t *rows)
{
    const struct frameshare_plane_info *first = &info->planes[0];
    *offset = 0;
    for (__u32 i = 0;; i++) {
        const struct frameshare_plane_info *plane = &info->planes[i];
        /* In proportion to the samples of a row. */
        size_t pixels = (size_t)stride / first->bytes_per_group * first->pixels_per_group;
        if (info->plane_count == 1) {
            *row = stride;
        } else {
            size_t columns = (pixels + plane->horizontal_subsampling - 1) / plane->horizontal_subsampling;
            *row = columns / plane->pixels_per_group * plane->bytes_per_group;
        }
        *rows = (height + plane->vertical_subsampling - 1) / plane->vertical_subsampling;
        if (i == index) return;
        *offset += *row * *rows;
    }
}

bool
pixel_format_of(const struct frameshare_stream *stream, struct v4l2_pix_format *format)
{
    struct frameshare_format_info info = frameshare_format_info_init();
    memset(format, 0, sizeof *format);
    if (!code_of(stream->fourcc, stream->modifier, &format->pixelformat) ||
        frameshare_format_get(stream->fourcc, stream->modifier, &info) != FRAMESHARE_OK || stream->plane_count == 0)
        return false;
    format->width = stream->width;
    format->height = stream->height;
    format->field = V4L2_FIELD_NONE;
    format->priv = V4L2_PIX_FMT_PRIV_MAGIC;
    if (info.plane_count == 0) {
        if (stream->planes[0].size > 0x7fffffff) return false;
        format->sizeimage = (__u32)stream->planes[0].size;
    } else {
        size_t offset, row, rows;
        if (stream->planes[0].stride == 0 || stream->planes[0].stride > 0x7fffffff) return false;
        format->bytesperline = (__u32)stream->planes[0].stride;
        place(&info, stream->height, format->bytesperline, info.plane_count - 1, &offset, &row, &rows);
        if (offset + row * rows > 0x7fffffff) return false;
        format->sizeimage = (__u32)(offset + row * rows);
    }
    switch (stream->color_space.primaries) {
    case 2: format->colorspace = V4L2_COLORSPACE_SMPTE170M; break;
    case 3:
        format->colorspace =
            stream->color_space.transfer == 2 ? V4L2_COLORSPACE_SRGB : V4L2_COLORSPACE_REC709;
        break;
    case 4: format->colorspace = V4L2_COLORSPACE_BT2020; break;
    case 1: format->colorspace = V4L2_COLORSPACE_RAW; break;
    default: format->colorspace = V4L2_COLORSPACE_SRGB;
    }
    static const __u32 transfers[] = {V4L2_XFER_FUNC_DEFAULT, V4L2_XFER_FUNC_NONE, V4L2_XFER_FUNC_SRGB,
                                      V4L2_XFER_FUNC_709};
    static const __u32 encodings[] = {V4L2_YCBCR_ENC_DEFAULT, V4L2_YCBCR_ENC_DEFAULT, V4L2_YCBCR_ENC_601,
                                      V4L2_YCBCR_ENC_709, V4L2_YCBCR_ENC_BT2020};
    static const __u32 ranges[] = {V4L2_QUANTIZATION_DEFAULT, V4L2_QUANTIZATION_FULL_RANGE,
                                   V4L2_QUANTIZATION_LIM_RANGE};
    if (stream->color_space.transfer < 4) format->xfer_func = transfers[stream->color_space.transfer];
    if (stream->color_space.encoding < 5) format->ycbcr_enc = encodings[stream->color_space.encoding];
    if (stream->color_space.range < 3) format->quantization = ranges[stream->color_space.range];
    return true;
}

bool
pixel_format_is_plain(const struct frameshare_stream *stream, const struct v4l2_pix_format *format)
{
    struct frameshare_format_info info = frameshare_format_info_init();
    if (frameshare_format_get(stream->fourcc, stream->modifier, &info) != FRAMESHARE_OK) return false;
    if (info.plane_count == 0) return stream->plane_count == 1 && stream->planes[0].offset == 0;
    for (__u32 i = 0; i < info.plane_count; i++) {
        size_t offset, row, rows;
        place(&info, format->height, format->bytesperline, i, &offset, &row, &rows);
        if (stream->planes[i].buffer != 0 || stream->planes[i].offset != offset || stream->planes[i].stride != row)
            return false;
    }
    return true;
}

size_t
pixel_format_copy(const struct frameshare_image *image, const struct v4l2_pix_format *format, void *to, size_t size)
{
    struct frameshare_format_info info = frameshare_format_info_init();
    if (frameshare_format_get(image->fourcc, image->modifier, &info) != FRAMESHARE_OK) return 0;
    if (info.plane_count == 0) {
        size_t used = image->planes[0].bytes_used < size ? image->planes[0].bytes_used : size;
        if (image->planes[0].data) memcpy(to, image->planes[0].data, used);
        return image->planes[0].data ? used : 0;
    }
    size_t end = 0;
    for (__u32 i = 0; i < info.plane_count; i++) {
        size_t offset, row, rows;
        place(&info, format->height, format->bytesperline, i, &offset, &row, &rows);
        const struct frameshare_plane *plane = &image->planes[i];
        if (!plane->data || offset + row * rows > size) return 0;
        size_t bytes = plane->row_bytes < row ? plane->row_bytes : row;
        for (size_t k = 0; k < rows && k < plane->rows; k++)
            memcpy((char *)to + offset + k * row, (const char *)plane->data + k * plane->stride, bytes);
        end = offset + row * rows;
    }
    return end;
}

const char *
pixel_format_title(__u32 code, const char *name)
{
    static const struct {
        __u32 code;
        const char *title;
    } titles[] = {
        {V4L2_PIX_FMT_YUYV, "YUYV 4:2:2"},           {V4L2_PIX_FMT_UYVY, "UYVY 4:2:2"},
        {V4L2_PIX_FMT_YVYU, "YVYU 4:2:2"},           {V4L2_PIX_FMT_VYUY, "VYUY 4:2:2"},
        {V4L2_PIX_FMT_YUV420, "Planar YUV 4:2:0"},   {V4L2_PIX_FMT_YVU420, "Planar YVU 4:2:0"},
        {V4L2_PIX_FMT_YUV422P, "Planar YUV 4:2:2"},  {V4L2_PIX_FMT_NV12, "Y/CbCr 4:2:0"},
        {V4L2_PIX_FMT_NV21, "Y/CrCb 4:2:0"},         {V4L2_PIX_FMT_NV16, "Y/CbCr 4:2:2"},
        {V4L2_PIX_FMT_NV61, "Y/CrCb 4:2:2"},         {V4L2_PIX_FMT_NV24, "Y/CbCr 4:4:4"},
        {V4L2_PIX_FMT_NV42, "Y/CrCb 4:4:4"},         {V4L2_PIX_FMT_BGR24, "24-bit BGR 8-8-8"},
        {V4L2_PIX_FMT_RGB24, "24-bit RGB 8-8-8"},    {V4L2_PIX_FMT_GREY, "8-bit Greyscale"},
        {V4L2_PIX_FMT_Y10, "10-bit Greyscale"},      {V4L2_PIX_FMT_Y12, "12-bit Greyscale"},
        {V4L2_PIX_FMT_Y16, "16-bit Greyscale"},      {V4L2_PIX_FMT_MJPEG, "Motion-JPEG"},
        {V4L2_PIX_FMT_H264, "H.264"},                {V4L2_PIX_FMT_HEVC, "HEVC"},
        {V4L2_PIX_FMT_RGB565, "16-bit RGB 5-6-5"},   {V4L2_PIX_FMT_XBGR32, "32-bit BGRX 8-8-8-8"},
        {V4L2_PIX_FMT_ABGR32, "32-bit BGRA 8-8-8-8"}, {V4L2_PIX_FMT_XRGB32, "32-bit XRGB 8-8-8-8"},
        {V4L2_PIX_FMT_ARGB32, "32-bit ARGB 8-8-8-8"}, {V4L2_PIX_FMT_RGBX32, "32-bit RGBX 8-8-8-8"},
        {V4L2_PIX_FMT_RGBA32, "32-bit RGBA 8-8-8-8"}, {V4L2_PIX_FMT_BGRX32, "32-bit XBGR 8-8-8-8"},
        {V4L2_PIX_FMT_BGRA32, "32-bit ABGR 8-8-8-8"},
    };
    for (size_t i = 0; i < sizeof titles / sizeof *titles; i++)
        if (titles[i].code == code) return titles[i].title;
    return name;
}
