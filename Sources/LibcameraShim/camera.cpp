// One camera: its configuration, buffers and requests.
#include "shim.h"

#ifdef HAVE_LIBCAMERA

#include <algorithm>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

using namespace libcamera;

int fs_lc_open(fs_lc_manager *manager, const char *id, fs_lc_camera **camera, fs_lc_error error) {
    *camera = nullptr;
    auto found = manager->find(id);
    if (!found) return fs_lc_fail(error, ENODEV, "there is no such camera");
    auto made = std::make_unique<fs_lc_camera>();
    made->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (made->event < 0) return fs_lc_fail(error, errno, "eventfd");
    int result = found->acquire();
    if (result) {
        ::close(made->event);
        return fs_lc_fail(error, -result, "the camera can't be acquired");
    }
    made->camera = found;
    made->wanted = ControlList(found->controls());
    *camera = made.release();
    return 0;
}

void fs_lc_close(fs_lc_camera *camera) {
    if (!camera) return;
    fs_lc_stop(camera);
    // In this order: requests point to buffers, buffers belong to the allocator, all of them hold the camera.
    camera->requests.clear();
    camera->buffers.clear();
    camera->imported.clear();
    camera->allocator.reset();
    camera->configuration.reset();
    camera->camera->release();
    ::close(camera->event);
    delete camera;
}

static StreamRole role(int32_t number) {
    switch (number) {
    case FS_LC_VIDEO: return StreamRole::VideoRecording;
    case FS_LC_STILL: return StreamRole::StillCapture;
    case FS_LC_RAW: return StreamRole::Raw;
    default: return StreamRole::Viewfinder;
    }
}

int fs_lc_configure(fs_lc_camera *camera, struct fs_lc_stream *streams, size_t count, int orientation, fs_lc_error error) {
    std::vector<StreamRole> roles;
    for (size_t i = 0; i < count; i++) roles.push_back(role(streams[i].role));
    auto configuration = camera->camera->generateConfiguration(roles);
    if (!configuration || configuration->size() != count)
        return fs_lc_fail(error, EINVAL, "the camera can't give these streams together");
    for (size_t i = 0; i < count; i++) {
        StreamConfiguration &stream = configuration->at(i);
        if (streams[i].width) stream.size = Size(streams[i].width, streams[i].height);
        if (streams[i].fourcc) stream.pixelFormat = PixelFormat(streams[i].fourcc, streams[i].modifier);
        if (streams[i].buffers) stream.bufferCount = streams[i].buffers;
    }
    if (orientation) configuration->orientation = static_cast<Orientation>(orientation);
    CameraConfiguration::Status status = configuration->validate();
    if (status == CameraConfiguration::Invalid) return fs_lc_fail(error, EINVAL, "no configuration is near what was asked");
    int result = camera->camera->configure(configuration.get());
    if (result) return fs_lc_fail(error, -result, "the camera refuses its configuration");
    for (size_t i = 0; i < count; i++) {
        const StreamConfiguration &stream = configuration->at(i);
        streams[i].width = stream.size.width;
        streams[i].height = stream.size.height;
        streams[i].fourcc = stream.pixelFormat.fourcc();
        streams[i].modifier = stream.pixelFormat.modifier();
        streams[i].buffers = stream.bufferCount;
        streams[i].stride = stream.stride;
        streams[i].frame_size = stream.frameSize;
        const auto &space = stream.colorSpace;
        streams[i].primaries = space ? static_cast<int32_t>(space->primaries) : -1;
        streams[i].transfer = space ? static_cast<int32_t>(space->transferFunction) : -1;
        streams[i].encoding = space ? static_cast<int32_t>(space->ycbcrEncoding) : -1;
        streams[i].range = space ? static_cast<int32_t>(space->range) : -1;
    }
    camera->configuration = std::move(configuration);
    return status == CameraConfiguration::Adjusted ? 1 : 0;
}

int fs_lc_camera::makeRequests(fs_lc_error error) {
    for (size_t slot = 0; slot < buffers.size(); slot++) {
        auto request = camera->createRequest(slot);
        if (!request) return fs_lc_fail(error, ENOMEM, "no request can be made");
        for (size_t stream = 0; stream < configuration->size(); stream++) {
            int result = request->addBuffer(configuration->at(stream).stream(), buffers[slot][stream]);
            if (result) return fs_lc_fail(error, -result, "a buffer does not fit its stream");
        }
        requests.push_back(std::move(request));
    }
    wasQueued.assign(buffers.size(), false);
    return static_cast<int>(buffers.size());
}

int fs_lc_allocate(fs_lc_camera *camera, fs_lc_error error) {
    camera->allocator = std::make_unique<FrameBufferAllocator>(camera->camera);
    size_t slots = SIZE_MAX;
    for (size_t i = 0; i < camera->configuration->size(); i++) {
        int result = camera->allocator->allocate(camera->configuration->at(i).stream());
        if (result < 0) return fs_lc_fail(error, -result, "the driver makes no buffers");
        slots = std::min(slots, static_cast<size_t>(result));
    }
    for (size_t slot = 0; slot < slots; slot++) {
        std::vector<FrameBuffer *> row;
        for (size_t i = 0; i < camera->configuration->size(); i++)
            row.push_back(camera->allocator->buffers(camera->configuration->at(i).stream())[slot].get());
        camera->buffers.push_back(row);
    }
    return camera->makeRequests(error);
}

int fs_lc_import(fs_lc_camera *camera, const struct fs_lc_plane *planes, const uint32_t *plane_counts, size_t slots,
                 fs_lc_error error) {
    for (size_t slot = 0; slot < slots; slot++) {
        std::vector<FrameBuffer *> row;
        for (size_t stream = 0; stream < camera->configuration->size(); stream++) {
            std::vector<FrameBuffer::Plane> list;
            for (uint32_t i = 0; i < plane_counts[stream]; i++, planes++) {
                FrameBuffer::Plane plane;
                // SharedFD duplicates it.
                plane.fd = SharedFD(planes->fd);
                plane.offset = planes->offset;
                plane.length = planes->length;
                list.push_back(plane);
            }
            camera->imported.push_back(std::make_unique<FrameBuffer>(list));
            row.push_back(camera->imported.back().get());
        }
        camera->buffers.push_back(row);
    }
    return camera->makeRequests(error);
}

int fs_lc_planes(fs_lc_camera *camera, size_t stream, size_t slot, struct fs_lc_plane planes[FS_LC_MAX_PLANES]) {
    if (slot >= camera->buffers.size() || stream >= camera->buffers[slot].size()) return -EINVAL;
    const auto &list = camera->buffers[slot][stream]->planes();
    if (list.size() > FS_LC_MAX_PLANES) return -EOVERFLOW;
    for (size_t i = 0; i < list.size(); i++)
        planes[i] = { list[i].fd.get(), list[i].offset == FrameBuffer::Plane::kInvalidOffset ? 0 : list[i].offset,
                      list[i].length };
    return static_cast<int>(list.size());
}

void fs_lc_camera::signal() {
    uint64_t one = 1;
    // Full is as good: it is readable.
    if (write(event, &one, sizeof one) < 0) return;
}

void fs_lc_camera::complete(Request *request) {
    std::lock_guard<std::mutex> guard(lock);
    completed.push_back(static_cast<uint32_t>(request->cookie()));
    signal();
}

// Comes only where a udevd tells of devices; what is queued then never completes.
void fs_lc_camera::disconnect() {
    std::lock_guard<std::mutex> guard(lock);
    hasGone = true;
    signal();
}

int fs_lc_start(fs_lc_camera *camera, fs_lc_error error) {
    camera->camera->requestCompleted.connect(camera, &fs_lc_camera::complete);
    camera->camera->disconnected.connect(camera, &fs_lc_camera::disconnect);
    ControlList controls(camera->camera->controls());
    {
        std::lock_guard<std::mutex> guard(camera->lock);
        for (const auto &[id, value] : camera->wanted) controls.set(id, value);
        camera->wanted.clear();
        camera->completed.clear();
    }
    int result = camera->camera->start(&controls);
    if (result) {
        camera->camera->requestCompleted.disconnect(camera);
        camera->camera->disconnected.disconnect(camera);
        return fs_lc_fail(error, -result, "the camera does not start");
    }
    camera->isRunning = true;
    return 0;
}

void fs_lc_stop(fs_lc_camera *camera) {
    if (!camera->isRunning) return;
    camera->isRunning = false;
    camera->camera->stop();
    camera->camera->requestCompleted.disconnect(camera);
    camera->camera->disconnected.disconnect(camera);
}

int fs_lc_queue(fs_lc_camera *camera, uint32_t slot, fs_lc_error error) {
    if (slot >= camera->requests.size()) return fs_lc_fail(error, EINVAL, "there is no such slot");
    Request *request = camera->requests[slot].get();
    if (camera->wasQueued[slot]) request->reuse(Request::ReuseBuffers);
    {
        std::lock_guard<std::mutex> guard(camera->lock);
        if (camera->hasGone) return fs_lc_fail(error, ENODEV, "the camera has gone");
        for (const auto &[id, value] : camera->wanted) request->controls().set(id, value);
        camera->wanted.clear();
    }
    int result = camera->camera->queueRequest(request);
    if (result) return fs_lc_fail(error, -result, "a request can't be queued");
    camera->wasQueued[slot] = true;
    return 0;
}

int fs_lc_descriptor(fs_lc_camera *camera) { return camera->event; }

int fs_lc_next(fs_lc_camera *camera, struct fs_lc_frame *frame) {
    {
        std::lock_guard<std::mutex> guard(camera->lock);
        if (camera->completed.empty()) {
            uint64_t count;
            if (read(camera->event, &count, sizeof count) < 0 && errno != EAGAIN) return -errno;
            return camera->hasGone ? -ENODEV : 0;
        }
        frame->slot = camera->completed.front();
        camera->completed.pop_front();
    }
    Request *request = camera->requests[frame->slot].get();
    frame->status = request->status() == Request::RequestComplete ? 0 : 1;
    for (size_t stream = 0; stream < camera->configuration->size() && stream < FS_LC_MAX_STREAMS; stream++) {
        const FrameMetadata &metadata = camera->buffers[frame->slot][stream]->metadata();
        if (stream == 0) {
            frame->sequence = metadata.sequence;
            frame->timestamp = metadata.timestamp;
        }
        frame->buffer_status[stream] = metadata.status;
        auto planes = metadata.planes();
        frame->planes[stream] = static_cast<uint32_t>(std::min<size_t>(planes.size(), FS_LC_MAX_PLANES));
        for (uint32_t i = 0; i < frame->planes[stream]; i++) frame->bytes_used[stream][i] = planes[i].bytesused;
    }
    return 1;
}

void fs_lc_metadata(fs_lc_camera *camera, uint32_t slot, fs_lc_values body, void *context) {
    const ControlList &list = camera->requests[slot]->metadata();
    for (const auto &[number, value] : list) {
        auto entry = controls::controls.find(number);
        if (entry != controls::controls.end()) fs_lc_tell(entry->second->name(), value, body, context);
    }
}

#else

int fs_lc_open(fs_lc_manager *, const char *, fs_lc_camera **camera, fs_lc_error error) {
    *camera = nullptr;
    return fs_lc_fail(error, ENOSYS, "not built in");
}
void fs_lc_close(fs_lc_camera *) {}
int fs_lc_configure(fs_lc_camera *, struct fs_lc_stream *, size_t, int, fs_lc_error error) {
    return fs_lc_fail(error, ENOSYS, "not built in");
}
int fs_lc_allocate(fs_lc_camera *, fs_lc_error error) { return fs_lc_fail(error, ENOSYS, "not built in"); }
int fs_lc_import(fs_lc_camera *, const struct fs_lc_plane *, const uint32_t *, size_t, fs_lc_error error) {
    return fs_lc_fail(error, ENOSYS, "not built in");
}
int fs_lc_planes(fs_lc_camera *, size_t, size_t, struct fs_lc_plane *) { return -ENOSYS; }
int fs_lc_start(fs_lc_camera *, fs_lc_error error) { return fs_lc_fail(error, ENOSYS, "not built in"); }
void fs_lc_stop(fs_lc_camera *) {}
int fs_lc_queue(fs_lc_camera *, uint32_t, fs_lc_error error) { return fs_lc_fail(error, ENOSYS, "not built in"); }
int fs_lc_descriptor(fs_lc_camera *) { return -1; }
int fs_lc_next(fs_lc_camera *, struct fs_lc_frame *) { return -ENOSYS; }
void fs_lc_metadata(fs_lc_camera *, uint32_t, fs_lc_values, void *) {}

#endif
