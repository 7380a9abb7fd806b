#define _GNU_SOURCE
#include "include/CLibYUV.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

#if __has_include(<libyuv.h>)
#define fs_yuv_matrix YuvConstants
#include <libyuv.h>
#undef fs_yuv_matrix
// The same parameters, but for the names of the structs and of the enumeration.
#define FS_SAME_SIZE(a, b) _Static_assert(sizeof(a) == sizeof(b), #a)
FS_SAME_SIZE(enum FilterMode, unsigned);
_Static_assert(kFilterNone == FS_YUV_NEAREST && kFilterBilinear == FS_YUV_BILINEAR && kFilterBox == FS_YUV_BOX, "filters");
_Static_assert(
    __builtin_types_compatible_p(__typeof__(YUY2ToI422), fs_yuv_packed_to_planes)
        && __builtin_types_compatible_p(__typeof__(UYVYToI422), fs_yuv_packed_to_planes)
        && __builtin_types_compatible_p(__typeof__(&SplitUVPlane), __typeof__(((struct fs_libyuv *)0)->SplitUVPlane)),
    "libyuv declares its functions otherwise");
#endif

static struct fs_libyuv functions;
static int is_loaded;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static int find(void *library, const char *name, void *field)
{
    void *address = dlsym(library, name);
    if (!address)
        return 0;
    memcpy(field, &address, sizeof address);
    return 1;
}

static void load(void)
{
    void *library = dlopen("libyuv.so.0", RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return;
#define FS_FIND(name) if (!find(library, #name, &functions.name)) return;
#define FS_FIND_MATRIX(name) if (!find(library, #name "Constants", &functions.name)) return;
    FS_FIND(I420ToRGB24Matrix)
    FS_FIND(I422ToRGB24Matrix)
    FS_FIND(I444ToRGB24Matrix)
    FS_FIND(UYVYToI422)
    FS_FIND(YUY2ToI422)
    FS_FIND(ScalePlane)
    FS_FIND(SplitUVPlane)
    FS_FIND_MATRIX(kYuvI601)
    FS_FIND_MATRIX(kYuvJPEG)
    FS_FIND_MATRIX(kYuvH709)
    FS_FIND_MATRIX(kYuvF709)
    FS_FIND_MATRIX(kYuv2020)
    FS_FIND_MATRIX(kYuvV2020)
    FS_FIND_MATRIX(kYvuI601)
    FS_FIND_MATRIX(kYvuJPEG)
    FS_FIND_MATRIX(kYvuH709)
    FS_FIND_MATRIX(kYvuF709)
    FS_FIND_MATRIX(kYvu2020)
    FS_FIND_MATRIX(kYvuV2020)
    is_loaded = 1;
}

const struct fs_libyuv *fs_libyuv(void)
{
    pthread_once(&once, load);
    return is_loaded ? &functions : 0;
}
