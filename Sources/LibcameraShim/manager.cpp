// Finding cameras, and what they say of themselves.
#include "shim.h"

#include <algorithm>
#include <cstring>

#ifdef HAVE_LIBCAMERA

using namespace libcamera;

const char *fs_lc_version(void) {
    static const std::string version = CameraManager::version();
    return version.c_str();
}

int fs_lc_manager_start(fs_lc_manager **manager, fs_lc_error error) {
    *manager = nullptr;
    auto made = std::make_unique<fs_lc_manager>();
    int result = made->manager.start();
    if (result) return fs_lc_fail(error, -result, "libcamera's camera manager does not start");
    made->cameras = made->manager.cameras();
    *manager = made.release();
    return 0;
}

void fs_lc_manager_stop(fs_lc_manager *manager) {
    if (!manager) return;
    manager->cameras.clear();
    manager->manager.stop();
    delete manager;
}

size_t fs_lc_camera_count(fs_lc_manager *manager) {
    manager->cameras = manager->manager.cameras();
    return manager->cameras.size();
}

const char *fs_lc_camera_id(fs_lc_manager *manager, size_t index) {
    return index < manager->cameras.size() ? manager->cameras[index]->id().c_str() : nullptr;
}

std::shared_ptr<Camera> fs_lc_manager::find(const char *id) {
    cameras = manager.cameras();
    for (const auto &camera : cameras)
        if (camera->id() == id) return camera;
    return nullptr;
}

int fs_lc_properties(fs_lc_manager *manager, const char *id, fs_lc_values body, void *context) {
    auto camera = manager->find(id);
    if (!camera) return -ENODEV;
    const ControlList &list = camera->properties();
    for (const auto &[number, value] : list) {
        auto entry = properties::properties.find(number);
        if (entry != properties::properties.end()) fs_lc_tell(entry->second->name(), value, body, context);
    }
    return 0;
}

// As the value is set: without the brackets and spaces that libcamera prints.
static std::string spelled(const ControlValue &value) {
    std::string text = value.toString();
    if (value.type() == ControlTypeString) return text;
    text.erase(std::remove_if(text.begin(), text.end(), [](char c) { return strchr("()[] ", c) != nullptr; }), text.end());
    return text;
}

int fs_lc_camera_controls(fs_lc_manager *manager, const char *id, fs_lc_controls body, void *context) {
    auto camera = manager->find(id);
    if (!camera) return -ENODEV;
    for (const auto &[control, info] : camera->controls()) {
        std::string minimum = spelled(info.min()), maximum = spelled(info.max()), standard = spelled(info.def());
        fs_lc_control told = { control->name().c_str(), fs_lc_type_of(control->type()), minimum.c_str(), maximum.c_str(),
                               standard.c_str() };
        body(context, &told);
    }
    return 0;
}

#else

const char *fs_lc_version(void) { return ""; }
int fs_lc_manager_start(fs_lc_manager **manager, fs_lc_error error) {
    *manager = nullptr;
    return fs_lc_fail(error, ENOSYS, "not built in");
}
void fs_lc_manager_stop(fs_lc_manager *) {}
size_t fs_lc_camera_count(fs_lc_manager *) { return 0; }
const char *fs_lc_camera_id(fs_lc_manager *, size_t) { return nullptr; }
int fs_lc_properties(fs_lc_manager *, const char *, fs_lc_values, void *) { return -ENOSYS; }
int fs_lc_camera_controls(fs_lc_manager *, const char *, fs_lc_controls, void *) { return -ENOSYS; }

#endif
