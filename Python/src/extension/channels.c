/* The channels of a folder: listed and watched. What frameshare.watching stands on. */
#include "extension.h"

#include "members.h"

static int end_watch(void *watch) { return frameshare_channel_watch_close(watch); }

static PyObject *channel_list(PyObject *module, PyObject *directory) {
    (void)module;
    PyObject *folder = NULL, *list = NULL;
    if (!encoded_or_none(directory, &folder)) return NULL;
    struct frameshare_channel_entry *entries = NULL;
    size_t capacity = 64, count = 0;
    int result;
    while (true) {
        PyMem_Free(entries);
        entries = PyMem_Calloc(capacity, sizeof *entries);
        if (entries == NULL) {
            Py_XDECREF(folder);
            return PyErr_NoMemory();
        }
        for (size_t i = 0; i < capacity; i++) entries[i].struct_size = sizeof *entries;
        Py_BEGIN_ALLOW_THREADS
        result = frameshare_channel_list(characters(folder), entries, capacity, &count);
        Py_END_ALLOW_THREADS
        if (result < 0 || count <= capacity) break;
        /* More have come: there is room for those, too. */
        capacity = count + 64;
    }
    if (result < 0) {
        raise_result(result);
    } else {
        list = PyList_New((Py_ssize_t)count);
        for (size_t i = 0; list != NULL && i < count; i++) {
            PyObject *item = members_of(&entries[i], channel_entry_members);
            if (item == NULL) Py_CLEAR(list);
            else PyList_SetItem(list, (Py_ssize_t)i, item);
        }
    }
    PyMem_Free(entries);
    Py_XDECREF(folder);
    return list;
}

static PyObject *watch_open(PyObject *module, PyObject *directory) {
    (void)module;
    PyObject *folder = NULL;
    if (!encoded_or_none(directory, &folder)) return NULL;
    frameshare_channel_watch *watch = NULL;
    int result;
    Py_BEGIN_ALLOW_THREADS
    result = frameshare_channel_watch_open(characters(folder), &watch);
    Py_END_ALLOW_THREADS
    Py_XDECREF(folder);
    return result < 0 ? raise_result(result) : new_handle(watch, end_watch, false);
}

typedef struct {
    frameshare_channel_watch *watch;
    struct frameshare_channel_entry entry;
} Wait;

static int next_change(void *context, int64_t nanoseconds) {
    Wait *wait = context;
    return frameshare_channel_watch_next(wait->watch, nanoseconds, &wait->entry);
}

static PyObject *watch_next(PyObject *module, PyObject *arguments) {
    (void)module;
    PyObject *handle, *timeout;
    int64_t nanoseconds;
    if (!PyArg_ParseTuple(arguments, "OO:watch_next", &handle, &timeout) || !nanoseconds_of("timeout", timeout, &nanoseconds)) return NULL;
    Wait wait = { pointer_of(handle, end_watch), frameshare_channel_entry_init() };
    if (wait.watch == NULL) return NULL;
    int result = wait_for(next_change, &wait, nanoseconds);
    return result < 0 ? raise_result(result) : members_of(&wait.entry, channel_entry_members);
}

static PyObject *watch_poll_fd(PyObject *module, PyObject *handle) {
    (void)module;
    int fd = -1;
    frameshare_channel_watch *watch = pointer_of(handle, end_watch);
    int result = watch == NULL ? RAISED : frameshare_channel_watch_poll_fd(watch, &fd);
    return result < 0 ? raise_result(result) : PyLong_FromLong(fd);
}

static PyObject *source_channel(PyObject *module, PyObject *arguments) {
    (void)module;
    PyObject *source, *directory, *timeout, *name = NULL, *folder = NULL;
    int64_t nanoseconds;
    if (!PyArg_ParseTuple(arguments, "OOO:source_channel", &source, &directory, &timeout)
        || !nanoseconds_of("timeout", timeout, &nanoseconds)) {
        return NULL;
    }
    name = encoded(source);
    if (name == NULL || !encoded_or_none(directory, &folder)) {
        Py_XDECREF(name);
        return NULL;
    }
    char channel[FRAMESHARE_NAME_SIZE] = "";
    int result;
    Py_BEGIN_ALLOW_THREADS
    result = frameshare_source_channel(characters(name), characters(folder), nanoseconds, channel, sizeof channel);
    Py_END_ALLOW_THREADS
    Py_DECREF(name);
    Py_XDECREF(folder);
    return result < 0 ? raise_result(result) : text_of(channel);
}

PyMethodDef channel_functions[] = {
    { "source_channel", source_channel, METH_VARARGS,
      "source_channel(source, directory, timeout): a channel that publishes a source; an owner is started if there is none" },
    { "channel_list", channel_list, METH_O, "The channels of a folder, with their members by name." },
    { "watch_open", watch_open, METH_O, "Begins to watch a folder." },
    { "watch_next", watch_next, METH_VARARGS, "watch_next(handle, timeout): a channel's members by name" },
    { "watch_poll_fd", watch_poll_fd, METH_O, "A descriptor that is readable when something has happened." },
    { NULL, NULL, 0, NULL },
};
