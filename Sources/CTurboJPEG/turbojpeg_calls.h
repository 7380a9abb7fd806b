// libturbojpeg's plain C interface, version 2.0 or newer (3.x keeps it).
#ifndef FRAMESHARE_TURBOJPEG_CALLS_H
#define FRAMESHARE_TURBOJPEG_CALLS_H

#include <turbojpeg.h>

// The library declares the planes as `const unsigned char **`; Swift's pointer arrays convert to this form only.
static inline int fs_jpeg_compress_planes(tjhandle handle, const unsigned char *y, const unsigned char *cb,
                                          const unsigned char *cr, int y_stride, int cb_stride, int cr_stride,
                                          int width, int height, int subsampling, unsigned char **jpeg,
                                          unsigned long *size, int quality, int flags) {
    const unsigned char *planes[3] = {y, cb, cr};
    const int strides[3] = {y_stride, cb_stride, cr_stride};
    return tjCompressFromYUVPlanes(handle, planes, width, strides, height, subsampling, jpeg, size, quality, flags);
}

#endif
