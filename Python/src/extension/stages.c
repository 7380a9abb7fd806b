/* Overlays and copy stages. What frameshare.overlay and frameshare.copying stand on. */
#include "extension.h"

#include "members.h"

static int end_overlay(void *overlay) { return frameshare_overlay_close(overlay); }
static int end_copy_stage(void *stage) { return frameshare_copy_stage_close(stage); }

static PyObject *done(int result) {
    if (result < 0) return raise_result(result);
    Py_RETURN_NONE;
}

/* Options of a publisher with the users that may connect: None, or numbers. `*allowed` is the caller's to free. */
static bool publisher_options_of(PyObject *values, PyObject *users, struct frameshare_publisher_options *c, uint32_t **allowed) {
    *c = frameshare_publisher_options_init();
    *allowed = NULL;
    if (!set_members(c, publisher_options_members, values)) return false;
    if (users == Py_None) return true;
    Py_ssize_t count = PyTuple_Size(users);
    *allowed = count < 0 ? NULL : PyMem_Calloc((size_t)count + 1, sizeof **allowed);
    if (*allowed == NULL) {
        if (count >= 0) PyErr_NoMemory();
        return false;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        uint64_t user;
        if (!unsigned_of("allowed_users", PyTuple_GetItem(users, i), UINT32_MAX, &user)) return false;
        (*allowed)[i] = (uint32_t)user;
    }
    c->allowed_users = *allowed;
    c->allowed_user_count = (uint32_t)count;
    return true;
}

/* ------------------------------------------------------------------------------------------------ overlays */

static PyObject *overlay_open(PyObject *module, PyObject *arguments) {
    (void)module;
    PyObject *publisher, *channel = NULL, *group = NULL, *values, *asking, *publishing, *users, *handle = NULL;
    if (!PyArg_ParseTuple(arguments, "O!O&O&O!O!OO:overlay_open", publisher_type, &publisher, encoded_argument, &channel,
                          encoded_argument, &group, &PyDict_Type, &values, &PyDict_Type, &asking, &publishing, &users)) {
        return NULL;
    }
    struct frameshare_overlay_options options = frameshare_overlay_options_init();
    struct frameshare_publisher_options of_channel;
    struct frameshare_ask_options ask;
    uint32_t *allowed = NULL;
    if (set_members(&options, overlay_options_members, values) && ask_options_of(asking, &ask)
        && (publishing == Py_None || publisher_options_of(publishing, users, &of_channel, &allowed))) {
        options.ask = &ask;
        options.publisher = publishing == Py_None ? NULL : &of_channel;
        frameshare_publisher *open = open_publisher((Publisher *)publisher);
        frameshare_overlay *overlay = NULL;
        int result = RAISED;
        if (open != NULL) {
            Py_BEGIN_ALLOW_THREADS
            result = frameshare_overlay_open(open, characters(channel), characters(group), &options, &overlay);
            Py_END_ALLOW_THREADS
        }
        handle = result < 0 ? raise_result(result) : new_handle(overlay, end_overlay, false);
    }
    PyMem_Free(allowed);
    Py_DECREF(channel);
    Py_DECREF(group);
    return handle;
}

static int overlay_numbers(void *overlay, struct frameshare_channel_statistics *statistics,
                           struct frameshare_subscriber_status *subscribers, size_t capacity) {
    return frameshare_overlay_get_statistics(overlay, statistics, subscribers, capacity);
}

static PyObject *overlay_statistics(PyObject *module, PyObject *handle) {
    (void)module;
    frameshare_overlay *overlay = pointer_of(handle, end_overlay);
    return overlay == NULL ? NULL : statistics_of(overlay_numbers, overlay);
}

/* ------------------------------------------------------------------------------------------------ copy stages */

static frameshare_copy_stage *stage_of(PyObject *handle) { return pointer_of(handle, end_copy_stage); }

/* (stream, x, y, width, height) each; the streams are bytes, which the tuple keeps. `malloc`ed. */
static struct frameshare_crop *crops_of(PyObject *crops, uint32_t *count) {
    Py_ssize_t size = PyTuple_Size(crops);
    struct frameshare_crop *result = size < 0 ? NULL : PyMem_Calloc((size_t)size + 1, sizeof *result);
    if (result == NULL) return size < 0 ? NULL : (void *)PyErr_NoMemory();
    for (Py_ssize_t i = 0; i < size; i++) {
        static const char *const names[] = { "x", "y", "width", "height" };
        PyObject *crop = PyTuple_GetItem(crops, i);
        uint64_t numbers[4];
        bool is_right = PyTuple_Check(crop) && PyTuple_Size(crop) == 5;
        result[i].stream = is_right ? PyBytes_AsString(PyTuple_GetItem(crop, 0)) : NULL;
        if (!is_right) PyErr_SetString(PyExc_TypeError, "a crop has a stream and four numbers");
        is_right = result[i].stream != NULL;
        for (int n = 0; n < 4 && is_right; n++) {
            is_right = unsigned_of(names[n], PyTuple_GetItem(crop, n + 1), UINT32_MAX, &numbers[n]);
        }
        if (!is_right) {
            PyMem_Free(result);
            return NULL;
        }
        result[i].x = (uint32_t)numbers[0];
        result[i].y = (uint32_t)numbers[1];
        result[i].width = (uint32_t)numbers[2];
        result[i].height = (uint32_t)numbers[3];
    }
    *count = (uint32_t)size;
    return result;
}

static PyObject *copy_stage_open(PyObject *module, PyObject *arguments) {
    (void)module;
    PyObject *channel = NULL, *values, *streams, *crops, *subscribing, *publishing, *users, *handle = NULL;
    double frames_per_second, maximum_rate;
    if (!PyArg_ParseTuple(arguments, "O&O!ddO!O!O!O!O:copy_stage_open", encoded_argument, &channel, &PyDict_Type, &values,
                          &frames_per_second, &maximum_rate, &PyTuple_Type, &streams, &PyTuple_Type, &crops, &PyDict_Type,
                          &subscribing, &PyDict_Type, &publishing, &users)) {
        return NULL;
    }
    struct frameshare_copy_options options = frameshare_copy_options_init();
    struct frameshare_subscriber_options subscriber = frameshare_subscriber_options_init();
    struct frameshare_publisher_options publisher;
    uint32_t *allowed = NULL;
    struct frameshare_crop *c_crops = NULL;
    Py_ssize_t count = PyTuple_Size(streams);
    const char **names = PyMem_Calloc((size_t)count + 1, sizeof *names);
    if (names == NULL) {
        PyErr_NoMemory();
        goto end;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        names[i] = PyBytes_AsString(PyTuple_GetItem(streams, i));
        if (names[i] == NULL) goto end;
    }
    if (!set_members(&options, copy_options_members, values) || !set_members(&subscriber, subscriber_options_members, subscribing)
        || !publisher_options_of(publishing, users, &publisher, &allowed)) {
        goto end;
    }
    c_crops = crops_of(crops, &options.crop_count);
    if (c_crops == NULL) goto end;
    subscriber.streams = names;
    subscriber.stream_count = (uint32_t)count;
    options.crops = c_crops;
    options.frames_per_second = frames_per_second;
    options.maximum_rate = maximum_rate;
    options.subscriber = &subscriber;
    options.publisher = &publisher;
    frameshare_copy_stage *stage = NULL;
    int result;
    Py_BEGIN_ALLOW_THREADS
    result = frameshare_copy_stage_open(characters(channel), &options, &stage);
    Py_END_ALLOW_THREADS
    handle = result < 0 ? raise_result(result) : new_handle(stage, end_copy_stage, false);
end:
    PyMem_Free(c_crops);
    PyMem_Free(names);
    PyMem_Free(allowed);
    Py_DECREF(channel);
    return handle;
}

/* (slots, bytes of a frame, bytes, streams). */
static PyObject *copy_stage_plan(PyObject *module, PyObject *handle) {
    (void)module;
    frameshare_copy_stage *stage = stage_of(handle);
    struct frameshare_copy_plan plan = frameshare_copy_plan_init();
    int result = stage == NULL ? RAISED : frameshare_copy_stage_get_plan(stage, &plan);
    if (result < 0) return raise_result(result);
    PyObject *streams = PyList_New(0), *found = NULL;
    for (size_t i = 0; streams != NULL && i < plan.stream_count; i++) {
        struct frameshare_stream stream = frameshare_stream_init();
        result = frameshare_copy_stage_stream_at(stage, i, &stream);
        PyObject *described = result < 0 ? raise_result(result) : described_stream(&stream);
        if (described == NULL || PyList_Append(streams, described) < 0) Py_CLEAR(streams);
        Py_XDECREF(described);
    }
    if (streams != NULL) {
        found = Py_BuildValue("IKKO", plan.slots, (unsigned long long)plan.bytes_per_frame, (unsigned long long)plan.bytes, streams);
    }
    Py_XDECREF(streams);
    return found;
}

static PyObject *copy_stage_start(PyObject *module, PyObject *arguments) {
    (void)module;
    PyObject *handle, *channel = NULL;
    if (!PyArg_ParseTuple(arguments, "OO&:copy_stage_start", &handle, encoded_argument, &channel)) return NULL;
    frameshare_copy_stage *stage = stage_of(handle);
    int result = RAISED;
    if (stage != NULL) {
        Py_BEGIN_ALLOW_THREADS
        result = frameshare_copy_stage_start(stage, characters(channel));
        Py_END_ALLOW_THREADS
    }
    Py_DECREF(channel);
    return done(result);
}

static int wait_for_stage(void *stage, int64_t nanoseconds) { return frameshare_copy_stage_wait(stage, nanoseconds); }

static PyObject *copy_stage_wait(PyObject *module, PyObject *arguments) {
    (void)module;
    PyObject *handle, *timeout;
    int64_t nanoseconds;
    if (!PyArg_ParseTuple(arguments, "OO:copy_stage_wait", &handle, &timeout) || !nanoseconds_of("timeout", timeout, &nanoseconds)) return NULL;
    frameshare_copy_stage *stage = stage_of(handle);
    return stage == NULL ? NULL : done(wait_for(wait_for_stage, stage, nanoseconds));
}

static PyObject *copy_stage_poll_fd(PyObject *module, PyObject *handle) {
    (void)module;
    int fd = -1;
    frameshare_copy_stage *stage = stage_of(handle);
    int result = stage == NULL ? RAISED : frameshare_copy_stage_poll_fd(stage, &fd);
    return result < 0 ? raise_result(result) : PyLong_FromLong(fd);
}

static PyObject *copy_stage_statistics(PyObject *module, PyObject *handle) {
    (void)module;
    frameshare_copy_stage *stage = stage_of(handle);
    struct frameshare_copy_statistics now = frameshare_copy_statistics_init();
    int result = stage == NULL ? RAISED : frameshare_copy_stage_get_statistics(stage, &now);
    return result < 0 ? raise_result(result) : members_of(&now, copy_statistics_members);
}

static PyObject *copy_stage_stop(PyObject *module, PyObject *handle) {
    (void)module;
    frameshare_copy_stage *stage = stage_of(handle);
    return stage == NULL ? NULL : done(frameshare_copy_stage_stop(stage));
}

PyMethodDef stage_functions[] = {
    { "overlay_open", overlay_open, METH_VARARGS,
      "overlay_open(publisher, channel, group, options, ask_options, publisher_options, allowed_users)" },
    { "overlay_statistics", overlay_statistics, METH_O, "(numbers, subscribers) of an overlay's channel." },
    { "copy_stage_open", copy_stage_open, METH_VARARGS,
      "copy_stage_open(channel, options, frames_per_second, maximum_rate, streams, crops, subscriber_options, publisher_options, "
      "allowed_users)" },
    { "copy_stage_plan", copy_stage_plan, METH_O, "(slots, bytes of a frame, bytes, streams)" },
    { "copy_stage_start", copy_stage_start, METH_VARARGS, "copy_stage_start(handle, channel)" },
    { "copy_stage_wait", copy_stage_wait, METH_VARARGS, "copy_stage_wait(handle, timeout)" },
    { "copy_stage_poll_fd", copy_stage_poll_fd, METH_O, "A descriptor that is readable once the stage has ended." },
    { "copy_stage_statistics", copy_stage_statistics, METH_O, "What it has done, by name." },
    { "copy_stage_stop", copy_stage_stop, METH_O, "Asks it to end." },
    { NULL, NULL, 0, NULL },
};
