// FFmpeg's libraries as a table of functions that is filled when it is first asked for.
//
// They bring a hundred other libraries with them: linked, every start of every program would take 30 ms and 20 MB more,
// and none would run where they are not installed. They are opened by the version that this was compiled against.
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

/// What macros and arrays of pointers make: Swift does not import them, or clumsily.
static inline int fs_sws_scale(
    const struct fs_ffmpeg *_Nonnull av, struct SwsContext *_Nonnull context, const AVFrame *_Nonnull from,
    const AVFrame *_Nonnull to)
{
    return av->sws_scale(
        context, (const uint8_t *const *)from->data, from->linesize, 0, from->height, to->data, to->linesize);
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
#if LIBAVFORMAT_VERSION_INT >= AV_VERSION_INT(60, 15, 100)
    const AVPacketSideData *side = stream->codecpar->coded_side_data;
    const int count = stream->codecpar->nb_coded_side_data;
#else
    const AVPacketSideData *side = stream->side_data;
    const int count = stream->nb_side_data;
#endif
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
