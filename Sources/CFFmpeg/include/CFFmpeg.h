// FFmpeg's libraries as a table of functions that is filled when it is first asked for.
//
// They bring a hundred other libraries with them: linked, every start of every program would take 30 ms and 20 MB more,
// and none would run where they are not installed. Of their releases those are opened whose layouts are known: layouts.h.
#ifndef CFFMPEG_H
#define CFFMPEG_H

#if __has_include(<libavformat/avformat.h>) && __has_include(<libswscale/swscale.h>)
#define CFFMPEG_H_HAS_FFMPEG 1

#include <errno.h>
#include <string.h>
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/buffer.h>
#include <libavutil/dict.h>
#include <libavutil/frame.h>
#include <libavutil/imgutils.h>
#include <libavutil/log.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
#include "layouts.h"

#define FS_AVUTIL(X)                                                                                                   \
    X(av_buffer_create)                                                                                                \
    X(av_freep)                                                                                                        \
    X(av_dict_free)                                                                                                    \
    X(av_dict_get)                                                                                                     \
    X(av_dict_set)                                                                                                     \
    X(av_frame_alloc)                                                                                                  \
    X(av_frame_copy)                                                                                                   \
    X(av_frame_free)                                                                                                   \
    X(av_frame_get_buffer)                                                                                             \
    X(av_frame_get_side_data)                                                                                          \
    X(av_frame_make_writable)                                                                                          \
    X(av_frame_ref)                                                                                                    \
    X(av_image_get_linesize)                                                                                           \
    X(av_log_set_callback)                                                                                             \
    X(av_malloc)                                                                                                       \
    X(av_opt_get_int)                                                                                                  \
    X(av_opt_set)                                                                                                      \
    X(av_opt_set_int)                                                                                                  \
    X(av_pix_fmt_desc_get)                                                                                             \
    X(av_rescale_q)                                                                                                    \
    X(av_strerror)

#define FS_AVCODEC(X)                                                                                                  \
    X(av_packet_alloc)                                                                                                 \
    X(av_packet_free)                                                                                                  \
    X(av_packet_unref)                                                                                                 \
    X(avcodec_alloc_context3)                                                                                          \
    X(avcodec_find_decoder)                                                                                            \
    X(avcodec_find_encoder_by_name)                                                                                    \
    X(avcodec_flush_buffers)                                                                                           \
    X(avcodec_free_context)                                                                                            \
    X(avcodec_open2)                                                                                                   \
    X(avcodec_parameters_to_context)                                                                                   \
    X(avcodec_receive_frame)                                                                                           \
    X(avcodec_receive_packet)                                                                                          \
    X(avcodec_send_frame)                                                                                              \
    X(avcodec_send_packet)

#define FS_AVFORMAT(X)                                                                                                 \
    X(av_find_best_stream)                                                                                             \
    X(av_guess_sample_aspect_ratio)                                                                                    \
    X(av_read_frame)                                                                                                   \
    X(av_seek_frame)                                                                                                   \
    X(av_write_frame)                                                                                                  \
    X(av_write_trailer)                                                                                                \
    X(avio_alloc_context)                                                                                              \
    X(avio_context_free)                                                                                               \
    X(avio_flush)                                                                                                      \
    X(avformat_alloc_output_context2)                                                                                  \
    X(avformat_close_input)                                                                                            \
    X(avformat_find_stream_info)                                                                                       \
    X(avformat_free_context)                                                                                           \
    X(avformat_network_init)                                                                                           \
    X(avformat_new_stream)                                                                                             \
    X(avformat_open_input)                                                                                             \
    X(avformat_write_header)                                                                                           \
    X(avio_closep)                                                                                                     \
    X(avio_open2)

#define FS_SWSCALE(X)                                                                                                  \
    X(sws_alloc_context)                                                                                               \
    X(sws_freeContext)                                                                                                 \
    X(sws_getCoefficients)                                                                                             \
    X(sws_init_context)                                                                                                \
    X(sws_isSupportedInput)                                                                                            \
    X(sws_isSupportedOutput)                                                                                           \
    X(sws_scale)                                                                                                       \
    X(sws_setColorspaceDetails)


#define FS_FIELD(name) __typeof__(name) *_Nonnull name;
struct fs_ffmpeg {
    FS_AVUTIL(FS_FIELD) FS_AVCODEC(FS_FIELD) FS_AVFORMAT(FS_FIELD) FS_SWSCALE(FS_FIELD)
};
#undef FS_FIELD

/// The functions; NULL where the libraries are not installed: see fs_ffmpeg_missing. From any thread.
const struct fs_ffmpeg *_Nullable fs_ffmpeg(void);

/// Why there are no functions, as the dynamic linker says it.
const char *_Nonnull fs_ffmpeg_missing(void);

/// What the libraries said last of an error, on this thread, without the end of the line; then it is forgotten.
/// Returns its length.
int fs_ffmpeg_complaint(char *_Nonnull text, int capacity);

/// Of the release that was opened; before that, of the one that this is compiled with.
struct fs_layout {
#define FS_PLACE(type, field) unsigned short type##_##field;
    FS_MOVING(FS_PLACE)
#undef FS_PLACE
    /// Where a stream's side data and their number are, in an AVStream or its AVCodecParameters.
    int is_side_data_of_stream;
    unsigned short side_data, nb_side_data;
    /// The enumeration of pixel formats has XVMC in its middle.
    int has_xvmc;
};
extern struct fs_layout fs_layout;

/// A field that moves, such as fs_AVFrame_flags(frame). Of structs that the libraries made, so after they were opened.
/// What a field that is a pointer itself may be, FFmpeg does not say.
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wnullability-completeness"
#define FS_ACCESSOR(type, field)                                                                                       \
    static inline __typeof__(((type *)0)->field) *_Nonnull fs_##type##_##field(const type *_Nonnull object)            \
    {                                                                                                                  \
        return (__typeof__(((type *)0)->field) *)((char *)object + fs_layout.type##_##field);                          \
    }
FS_MOVING(FS_ACCESSOR)
#undef FS_ACCESSOR
#pragma clang diagnostic pop

/// The number that the opened libraries have for a pixel format, of that which it has in the headers.
static inline enum AVPixelFormat fs_pixel_format(enum AVPixelFormat format)
{
    // XVMC was taken out of the enumeration's middle. Nobody decodes to it, or encodes from it.
#if LIBAVUTIL_VERSION_MAJOR < 58
    return format > AV_PIX_FMT_XVMC && fs_ffmpeg() && !fs_layout.has_xvmc ? format - 1 : format;
#else
    return format > AV_PIX_FMT_BAYER_GRBG16BE && fs_ffmpeg() && fs_layout.has_xvmc ? format + 1 : format;
#endif
}

/// What macros and arrays of pointers make: Swift does not import them, or clumsily.
static inline int fs_sws_scale(
    const struct fs_ffmpeg *_Nonnull av, struct SwsContext *_Nonnull context, const AVFrame *_Nonnull from,
    const AVFrame *_Nonnull to)
{
    return av->sws_scale(
        context, (const uint8_t *const *)from->data, from->linesize, 0, from->height, to->data, to->linesize);
}
/// A picture's planes, and the bytes of their rows.
struct fs_planes {
    uint8_t *_Nullable data[4];
    int stride[4];
};
static inline int fs_sws_scale_planes(
    const struct fs_ffmpeg *_Nonnull av, struct SwsContext *_Nonnull context, const struct fs_planes *_Nonnull from,
    int height, const struct fs_planes *_Nonnull to)
{
    return av->sws_scale(context, (const uint8_t *const *)from->data, from->stride, 0, height, to->data, to->stride);
}
/// How a picture is to be turned: the frame's own matrix, else its stream's (libavutil/display.h). 0: neither has one.
static inline int fs_display_matrix(
    const struct fs_ffmpeg *_Nonnull av, const AVStream *_Nonnull stream, const AVFrame *_Nonnull frame,
    int32_t *_Nonnull matrix)
{
    const size_t size = 9 * sizeof *matrix;
    const AVFrameSideData *own = av->av_frame_get_side_data(frame, AV_FRAME_DATA_DISPLAYMATRIX);
    if (own && own->size >= size) {
        memcpy(matrix, own->data, size);
        return 1;
    }
    const char *owner =
        fs_layout.is_side_data_of_stream ? (const char *)stream : (const char *)*fs_AVStream_codecpar(stream);
    const AVPacketSideData *side = *(AVPacketSideData *const *)(owner + fs_layout.side_data);
    const int count = *(const int *)(owner + fs_layout.nb_side_data);
    for (int i = 0; i < count; i++) {
        if (side[i].type != AV_PKT_DATA_DISPLAYMATRIX || side[i].size < size)
            continue;
        memcpy(matrix, side[i].data, size);
        return 1;
    }
    return 0;
}
static inline int fs_averror_eof(void) { return AVERROR_EOF; }
static inline int fs_averror_exit(void) { return AVERROR_EXIT; }
static inline int fs_averror_again(void) { return AVERROR(EAGAIN); }
static inline int fs_averror_nomem(void) { return AVERROR(ENOMEM); }
static inline int64_t fs_av_nopts(void) { return AV_NOPTS_VALUE; }

#endif
#endif
