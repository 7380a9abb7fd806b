// libyuv as a table of functions that is filled when it is first asked for: what a program can do without is not linked.
// Its headers are not needed either: what is used is declared here, as its version 0 has it. Where they are installed, the
// compiler holds these declarations against them.
#ifndef CLIBYUV_H
#define CLIBYUV_H

#include <stdint.h>

/// How luma and chroma become red, green and blue.
struct fs_yuv_matrix;

/// FilterMode.
enum { FS_YUV_NEAREST = 0, FS_YUV_BILINEAR = 2, FS_YUV_BOX = 3 };

typedef int fs_yuv_planes_to_rgb(
    const uint8_t *_Nonnull y, int y_stride, const uint8_t *_Nonnull u, int u_stride, const uint8_t *_Nonnull v,
    int v_stride, uint8_t *_Nonnull rgb, int rgb_stride, const struct fs_yuv_matrix *_Nonnull matrix, int width, int height);
typedef int fs_yuv_packed_to_planes(
    const uint8_t *_Nonnull packed, int packed_stride, uint8_t *_Nonnull y, int y_stride, uint8_t *_Nonnull u, int u_stride,
    uint8_t *_Nonnull v, int v_stride, int width, int height);

struct fs_libyuv {
    fs_yuv_planes_to_rgb *_Nonnull I420ToRGB24Matrix, *_Nonnull I422ToRGB24Matrix, *_Nonnull I444ToRGB24Matrix;
    fs_yuv_packed_to_planes *_Nonnull UYVYToI422, *_Nonnull YUY2ToI422;
    void (*_Nonnull ScalePlane)(
        const uint8_t *_Nonnull from, int from_stride, int from_width, int from_height, uint8_t *_Nonnull to, int to_stride,
        int to_width, int to_height, unsigned filter);
    void (*_Nonnull SplitUVPlane)(
        const uint8_t *_Nonnull pairs, int pairs_stride, uint8_t *_Nonnull u, int u_stride, uint8_t *_Nonnull v, int v_stride,
        int width, int height);
    /// Of Rec. 601, 709 and 2020, each limited and full; and the same for U and V that have changed places.
    const struct fs_yuv_matrix *_Nonnull kYuvI601, *_Nonnull kYuvJPEG, *_Nonnull kYuvH709, *_Nonnull kYuvF709;
    const struct fs_yuv_matrix *_Nonnull kYuv2020, *_Nonnull kYuvV2020;
    const struct fs_yuv_matrix *_Nonnull kYvuI601, *_Nonnull kYvuJPEG, *_Nonnull kYvuH709, *_Nonnull kYvuF709;
    const struct fs_yuv_matrix *_Nonnull kYvu2020, *_Nonnull kYvuV2020;
};

/// The functions; NULL where the library is not installed. From any thread.
const struct fs_libyuv *_Nullable fs_libyuv(void);

#endif
