// Values of libcamera's types, to C and from text.
#include "shim.h"

#ifdef HAVE_LIBCAMERA

#include <cinttypes>
#include <cstdlib>

using namespace libcamera;

int32_t fs_lc_type_of(ControlType type) {
    switch (type) {
    case ControlTypeBool: return FS_LC_BOOL;
    case ControlTypeByte: return FS_LC_BYTE;
    case ControlTypeInteger32: return FS_LC_INT32;
    case ControlTypeInteger64: return FS_LC_INT64;
    case ControlTypeFloat: return FS_LC_FLOAT;
    case ControlTypeString: return FS_LC_STRING;
    case ControlTypeRectangle: return FS_LC_RECTANGLE;
    case ControlTypeSize: return FS_LC_SIZE;
    // Those of later releases are told as their text.
    default: return FS_LC_OTHER;
    }
}

void fs_lc_tell(const std::string &name, const ControlValue &value, fs_lc_values body, void *context) {
    fs_lc_value told = { name.c_str(), fs_lc_type_of(value.type()), value.isArray(), value.numElements(), nullptr };
    std::string text;
    if (told.type == FS_LC_OTHER || (told.type == FS_LC_STRING && value.isArray())) {
        text = value.toString();
        told.type = FS_LC_OTHER;
        told.is_array = 0;
        told.count = text.size();
        told.data = text.data();
    } else {
        // A value lies in memory as its type does: bool, integers and floats of C, a Rectangle of x, y and a Size.
        static_assert(sizeof(Rectangle) == 16 && sizeof(Size) == 8 && sizeof(bool) == 1, "as C has them");
        told.data = value.data().data();
    }
    body(context, &told);
}

static bool parseNumber(const std::string &text, long long least, long long most, long long *number) {
    char *end = nullptr;
    errno = 0;
    *number = strtoll(text.c_str(), &end, 0);
    return !text.empty() && *end == 0 && errno == 0 && *number >= least && *number <= most;
}

static bool parseOne(ControlType type, const std::string &text, ControlValue *value) {
    long long number = 0;
    switch (type) {
    case ControlTypeBool:
        if (text == "true" || text == "1" || text == "on") return value->set(true), true;
        if (text == "false" || text == "0" || text == "off") return value->set(false), true;
        return false;
    case ControlTypeByte:
        return parseNumber(text, 0, UINT8_MAX, &number) && (value->set(static_cast<uint8_t>(number)), true);
    case ControlTypeInteger32:
        return parseNumber(text, INT32_MIN, INT32_MAX, &number) && (value->set(static_cast<int32_t>(number)), true);
    case ControlTypeInteger64:
        return parseNumber(text, INT64_MIN, INT64_MAX, &number) && (value->set(static_cast<int64_t>(number)), true);
    case ControlTypeFloat: {
        char *end = nullptr;
        float real = strtof(text.c_str(), &end);
        return !text.empty() && *end == 0 && real == real && (value->set(real), true);
    }
    case ControlTypeString: return value->set(text), true;
    case ControlTypeRectangle: {
        int x, y, used = 0;
        unsigned width, height;
        return sscanf(text.c_str(), "%d,%d/%ux%u%n", &x, &y, &width, &height, &used) == 4 &&
               static_cast<size_t>(used) == text.size() && (value->set(Rectangle(x, y, width, height)), true);
    }
    case ControlTypeSize: {
        int used = 0;
        unsigned width, height;
        return sscanf(text.c_str(), "%ux%u%n", &width, &height, &used) == 2 &&
               static_cast<size_t>(used) == text.size() && (value->set(Size(width, height)), true);
    }
    default: return false;
    }
}

template<typename T>
static bool parseArray(ControlType type, const std::vector<std::string> &texts, ControlValue *value) {
    std::vector<T> numbers;
    for (const std::string &text : texts) {
        ControlValue one;
        if (!parseOne(type, text, &one)) return false;
        numbers.push_back(one.get<T>());
    }
    value->set(Span<const T>(numbers.data(), numbers.size()));
    return true;
}

bool fs_lc_parse(ControlType type, bool isArray, const std::string &text, ControlValue *value) {
    if (!isArray) return parseOne(type, text, value);
    std::vector<std::string> texts;
    for (size_t start = 0; start <= text.size();) {
        size_t end = text.find(',', start);
        if (end == std::string::npos) end = text.size();
        texts.push_back(text.substr(start, end - start));
        start = end + 1;
    }
    switch (type) {
    case ControlTypeInteger32: return parseArray<int32_t>(type, texts, value);
    case ControlTypeInteger64: return parseArray<int64_t>(type, texts, value);
    case ControlTypeFloat: return parseArray<float>(type, texts, value);
    default: return false;
    }
}

// How many values a control takes: 0 for one that is no array, SIZE_MAX for any number. A camera's own table does not say,
// and a pipeline that gets one where it expects the other ends the process.
static size_t countOf(const ControlId *control, const ControlInfo &info) {
    if (control->id() == controls::ColourGains.id() || control->id() == controls::FrameDurationLimits.id()) return 2;
    if (control->id() == controls::ColourCorrectionMatrix.id()) return 9;
    if (control->id() == controls::AfWindows.id() || info.def().isArray() || info.min().isArray()) return SIZE_MAX;
    return 0;
}

int fs_lc_set_control(fs_lc_camera *camera, const char *name, const char *text, fs_lc_error error) {
    for (const auto &[control, info] : camera->camera->controls()) {
        if (control->name() != name) continue;
        size_t count = countOf(control, info);
        bool isArray = count > 0;
        ControlValue value;
        if (!fs_lc_parse(control->type(), isArray, text, &value))
            return fs_lc_fail(error, EINVAL, ("its range is " + info.toString()).c_str());
        if (isArray && count != SIZE_MAX && value.numElements() != count)
            return fs_lc_fail(error, EINVAL, ("it takes " + std::to_string(count) + " values, with commas").c_str());
        if (!isArray && control->type() == ControlTypeInteger32 && info.min().type() == ControlTypeInteger32 &&
            info.max().type() == ControlTypeInteger32 && !info.max().isArray() &&
            (value.get<int32_t>() < info.min().get<int32_t>() || value.get<int32_t>() > info.max().get<int32_t>()))
            return fs_lc_fail(error, ERANGE, ("its range is " + info.toString()).c_str());
        std::lock_guard<std::mutex> guard(camera->lock);
        camera->wanted.set(control->id(), value);
        return 0;
    }
    return fs_lc_fail(error, ENOENT, "the camera has no such control");
}

#else

int fs_lc_set_control(fs_lc_camera *, const char *, const char *, fs_lc_error error) {
    return fs_lc_fail(error, ENOSYS, "not built in");
}

#endif
