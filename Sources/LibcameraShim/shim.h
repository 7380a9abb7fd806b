// What the parts of the shim share. C++, seen by nobody else.
#pragma once

#include "libcamera_shim.h"

#include <errno.h>
#include <stdio.h>

#ifdef HAVE_LIBCAMERA

#include <libcamera/libcamera.h>

#if LIBCAMERA_VERSION_MAJOR == 0 && LIBCAMERA_VERSION_MINOR < 3
#error "libcamera 0.3 or later is needed (Debian 12 has it in its backports: libcamera-dev from bookworm-backports)"
#endif

#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

struct fs_lc_manager {
    libcamera::CameraManager manager;
    // Kept while their ids are given out.
    std::vector<std::shared_ptr<libcamera::Camera>> cameras;
    std::shared_ptr<libcamera::Camera> find(const char *id);
};

struct fs_lc_camera {
    std::shared_ptr<libcamera::Camera> camera;
    std::unique_ptr<libcamera::CameraConfiguration> configuration;
    std::unique_ptr<libcamera::FrameBufferAllocator> allocator;
    std::vector<std::unique_ptr<libcamera::FrameBuffer>> imported;
    // By slot, then stream.
    std::vector<std::vector<libcamera::FrameBuffer *>> buffers;
    // Last, so that they end before what they point to.
    std::vector<std::unique_ptr<libcamera::Request>> requests;
    std::vector<bool> wasQueued;
    bool isRunning = false;
    int event = -1;

    std::mutex lock;
    // Under the lock: libcamera's thread writes these.
    std::deque<uint32_t> completed;
    bool hasGone = false;
    // Under the lock: what the next request is to set.
    libcamera::ControlList wanted;

    void complete(libcamera::Request *request);
    void disconnect();
    void signal();
    int makeRequests(fs_lc_error error);
};

// A control's value from text; false where it is none of that type.
bool fs_lc_parse(libcamera::ControlType type, bool isArray, const std::string &text, libcamera::ControlValue *value);
void fs_lc_tell(const std::string &name, const libcamera::ControlValue &value, fs_lc_values body, void *context);
int32_t fs_lc_type_of(libcamera::ControlType type);

#endif

static inline int fs_lc_fail(fs_lc_error error, int code, const char *text) {
    if (error) snprintf(error, FS_LC_TEXT, "%s", text);
    return -code;
}
