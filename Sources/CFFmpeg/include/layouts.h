// Where fields lie in the structs of FFmpeg's releases.
//
// A release of FFmpeg with new major numbers moves fields. A program that was compiled with one release's headers runs with
// another's libraries all the same: it reaches what moves by places that are looked up, once the libraries were opened. For the
// release that it is compiled with, the compiler checks each number. Release 5.1 is Debian 12's, 7.1 is Debian 13's. The numbers
// hold for all 64-bit machines.
#ifndef LAYOUTS_H
#define LAYOUTS_H

/// All fields that move and that are used.
#define FS_MOVING(X) \
    X(AVFrame, buf) X(AVFrame, flags) X(AVFrame, decode_error_flags) X(AVFrame, best_effort_timestamp) \
    X(AVFrame, color_range) X(AVFrame, color_primaries) X(AVFrame, color_trc) X(AVFrame, colorspace) \
    X(AVStream, index) X(AVStream, codecpar) X(AVStream, time_base) X(AVStream, start_time) \
    X(AVStream, avg_frame_rate) X(AVStream, sample_aspect_ratio) X(AVStream, discard) X(AVFormatContext, flags) \
    X(AVFormatContext, interrupt_callback) X(AVFormatContext, avoid_negative_ts) X(AVFormatContext, opaque) \
    X(AVFormatContext, io_open) X(AVFormatContext, io_close2) X(AVCodecParameters, format) \
    X(AVCodecParameters, width) X(AVCodecParameters, height) X(AVCodecParameters, sample_aspect_ratio) \
    X(AVCodecParameters, color_range) X(AVCodecParameters, color_primaries) X(AVCodecParameters, color_trc) \
    X(AVCodecParameters, color_space) X(AVCodecContext, global_quality) X(AVCodecContext, flags) \
    X(AVCodecContext, time_base) X(AVCodecContext, gop_size) X(AVCodecContext, pix_fmt) \
    X(AVCodecContext, max_b_frames) X(AVCodecContext, color_primaries) X(AVCodecContext, color_trc) \
    X(AVCodecContext, colorspace) X(AVCodecContext, color_range) X(AVCodecContext, thread_count) \
    X(AVCodecContext, framerate) X(AVCodecContext, pkt_timebase) X(AVCodecContext, max_pixels)

/// 5.1: libavutil 57, libavcodec and libavformat 59, libswscale 6.
#define FS_PLACES_59(X) \
    X(AVFrame, buf, 224) X(AVFrame, flags, 316) X(AVFrame, decode_error_flags, 376) \
    X(AVFrame, best_effort_timestamp, 344) X(AVFrame, color_range, 320) X(AVFrame, color_primaries, 324) \
    X(AVFrame, color_trc, 328) X(AVFrame, colorspace, 332) X(AVStream, index, 0) X(AVStream, codecpar, 208) \
    X(AVStream, time_base, 16) X(AVStream, start_time, 24) X(AVStream, avg_frame_rate, 72) \
    X(AVStream, sample_aspect_ratio, 56) X(AVStream, discard, 52) X(AVFormatContext, flags, 96) \
    X(AVFormatContext, interrupt_callback, 200) X(AVFormatContext, avoid_negative_ts, 244) \
    X(AVFormatContext, opaque, 376) X(AVFormatContext, io_open, 424) X(AVFormatContext, io_close2, 464) \
    X(AVCodecParameters, format, 28) X(AVCodecParameters, width, 56) X(AVCodecParameters, height, 60) \
    X(AVCodecParameters, sample_aspect_ratio, 64) X(AVCodecParameters, color_range, 76) \
    X(AVCodecParameters, color_primaries, 80) X(AVCodecParameters, color_trc, 84) \
    X(AVCodecParameters, color_space, 88) X(AVCodecContext, global_quality, 68) X(AVCodecContext, flags, 76) \
    X(AVCodecContext, time_base, 100) X(AVCodecContext, gop_size, 132) X(AVCodecContext, pix_fmt, 136) \
    X(AVCodecContext, max_b_frames, 160) X(AVCodecContext, color_primaries, 324) X(AVCodecContext, color_trc, 328) \
    X(AVCodecContext, colorspace, 332) X(AVCodecContext, color_range, 336) X(AVCodecContext, thread_count, 636) \
    X(AVCodecContext, framerate, 712) X(AVCodecContext, pkt_timebase, 724) X(AVCodecContext, max_pixels, 864)

/// 7.1: libavutil 59, libavcodec and libavformat 61, libswscale 8.
#define FS_PLACES_61(X) \
    X(AVFrame, buf, 200) X(AVFrame, flags, 292) X(AVFrame, decode_error_flags, 344) \
    X(AVFrame, best_effort_timestamp, 320) X(AVFrame, color_range, 296) X(AVFrame, color_primaries, 300) \
    X(AVFrame, color_trc, 304) X(AVFrame, colorspace, 308) X(AVStream, index, 8) X(AVStream, codecpar, 16) \
    X(AVStream, time_base, 32) X(AVStream, start_time, 40) X(AVStream, avg_frame_rate, 88) \
    X(AVStream, sample_aspect_ratio, 72) X(AVStream, discard, 68) X(AVFormatContext, flags, 128) \
    X(AVFormatContext, interrupt_callback, 216) X(AVFormatContext, avoid_negative_ts, 280) \
    X(AVFormatContext, opaque, 416) X(AVFormatContext, io_open, 448) X(AVFormatContext, io_close2, 456) \
    X(AVCodecParameters, format, 44) X(AVCodecParameters, width, 72) X(AVCodecParameters, height, 76) \
    X(AVCodecParameters, sample_aspect_ratio, 80) X(AVCodecParameters, color_range, 100) \
    X(AVCodecParameters, color_primaries, 104) X(AVCodecParameters, color_trc, 108) \
    X(AVCodecParameters, color_space, 112) X(AVCodecContext, global_quality, 420) X(AVCodecContext, flags, 64) \
    X(AVCodecContext, time_base, 84) X(AVCodecContext, gop_size, 332) X(AVCodecContext, pix_fmt, 140) \
    X(AVCodecContext, max_b_frames, 200) X(AVCodecContext, color_primaries, 148) X(AVCodecContext, color_trc, 152) \
    X(AVCodecContext, colorspace, 156) X(AVCodecContext, color_range, 160) X(AVCodecContext, thread_count, 656) \
    X(AVCodecContext, framerate, 100) X(AVCodecContext, pkt_timebase, 92) X(AVCodecContext, max_pixels, 792)

/// Fields that are used and lie at the same place in both.
#define FS_RESTING(X) \
    X(AVFrame, data, 0) X(AVFrame, linesize, 64) X(AVFrame, width, 104) X(AVFrame, height, 108) \
    X(AVFrame, format, 116) X(AVFrame, pict_type, 124) X(AVFrame, pts, 136) X(AVPacket, pts, 8) \
    X(AVPacket, dts, 16) X(AVPacket, data, 24) X(AVPacket, size, 32) X(AVPacket, stream_index, 36) \
    X(AVPacket, flags, 40) X(AVPacket, duration, 64) X(AVFormatContext, iformat, 8) X(AVFormatContext, oformat, 16) \
    X(AVFormatContext, priv_data, 24) X(AVFormatContext, pb, 32) X(AVFormatContext, nb_streams, 44) \
    X(AVFormatContext, streams, 48) X(AVCodecParameters, codec_type, 0) X(AVCodecParameters, codec_id, 4) \
    X(AVCodecParameters, codec_tag, 8) X(AVCodecParameters, extradata, 16) X(AVCodecParameters, extradata_size, 24) \
    X(AVCodecContext, codec_tag, 28) X(AVCodecContext, priv_data, 32) X(AVCodecContext, bit_rate, 56) \
    X(AVCodecContext, width, 116) X(AVCodecContext, height, 120) X(AVIOContext, pos, 72) X(AVIOContext, error, 84) \
    X(AVIOContext, buffer, 8) X(AVIOContext, buf_ptr, 24) X(AVCodec, pix_fmts, 40) X(AVOutputFormat, name, 0) \
    X(AVOutputFormat, flags, 44) X(AVInputFormat, name, 0) X(AVPixFmtDescriptor, name, 0) \
    X(AVPixFmtDescriptor, flags, 16) X(AVPixFmtDescriptor, comp, 24) X(AVPixFmtDescriptor, nb_components, 8) \
    X(AVPixFmtDescriptor, log2_chroma_w, 9) X(AVPixFmtDescriptor, log2_chroma_h, 10) X(AVDictionaryEntry, key, 0) \
    X(AVDictionaryEntry, value, 8) X(AVIOInterruptCB, callback, 0) X(AVFrameSideData, data, 8) \
    X(AVFrameSideData, size, 16)

#endif
