/* A source's controls: what frameshare.controls stands on. */
#include "extension.h"

#include "members.h"

#include <string.h>

int end_monitor(void *monitor);

static int end_settings(void *settings) { return frameshare_settings_close(settings); }

/* A setting that is dropped was not dealt with. */
static int end_setting(void *setting) {
    return frameshare_setting_refuse(setting, "the program that publishes did not say what became of it");
}

static PyObject *done(int result) {
    if (result < 0) return raise_result(result);
    Py_RETURN_NONE;
}

/* ------------------------------------------------------------------------------------------------ a monitor's */

/* A control's members, with its items as a dictionary. */
static PyObject *described(const struct frameshare_control *c) {
    PyObject *control = members_of(c, control_members), *items = control == NULL ? NULL : PyDict_New();
    for (size_t i = 0; items != NULL && i < c->item_count; i++) {
        PyObject *value = text_of(c->items[i].value), *name = value == NULL ? NULL : text_of(c->items[i].name);
        if (name == NULL || PyDict_SetItem(items, value, name) < 0) Py_CLEAR(items);
        Py_XDECREF(value);
        Py_XDECREF(name);
    }
    if (items == NULL || PyDict_SetItemString(control, "items", items) < 0) Py_CLEAR(control);
    Py_XDECREF(items);
    return control;
}

static PyObject *monitor_controls(PyObject *module, PyObject *handle) {
    (void)module;
    frameshare_monitor *monitor = pointer_of(handle, end_monitor);
    if (monitor == NULL) return NULL;
    frameshare_control_list *list = NULL;
    int result;
    Py_BEGIN_ALLOW_THREADS
    result = frameshare_monitor_get_controls(monitor, &list);
    Py_END_ALLOW_THREADS
    if (result < 0) return raise_result(result);
    PyObject *found = PyList_New(0);
    for (size_t index = 0; found != NULL; index++) {
        struct frameshare_control c = frameshare_control_init();
        result = frameshare_control_list_get(list, index, &c);
        if (result == FRAMESHARE_NOT_FOUND) break;
        PyObject *control = result < 0 ? raise_result(result) : described(&c);
        if (control == NULL || PyList_Append(found, control) < 0) Py_CLEAR(found);
        Py_XDECREF(control);
    }
    frameshare_control_list_release(list);
    return found;
}

static PyObject *monitor_set_control(PyObject *module, PyObject *arguments) {
    (void)module;
    enum { ROOM = 65536 };
    PyObject *handle, *name = NULL, *value = NULL, *now = NULL;
    if (!PyArg_ParseTuple(arguments, "OO&O&:monitor_set_control", &handle, encoded_argument, &name, encoded_argument, &value)) {
        return NULL;
    }
    frameshare_monitor *monitor = pointer_of(handle, end_monitor);
    char *text = monitor == NULL ? NULL : PyMem_Calloc(1, ROOM);
    if (text != NULL) {
        int result;
        Py_BEGIN_ALLOW_THREADS
        result = frameshare_monitor_set_control(monitor, characters(name), characters(value), text, ROOM);
        Py_END_ALLOW_THREADS
        now = result < 0 ? raise_result(result) : text_of(text);
        PyMem_Free(text);
    } else if (monitor != NULL) {
        PyErr_NoMemory();
    }
    Py_DECREF(name);
    Py_DECREF(value);
    return now;
}

/* ------------------------------------------------------------------------------------------------ a publisher's */

typedef struct {
    struct frameshare_control *all;
    size_t count;
} Controls;

static void free_controls(Controls *controls) {
    for (size_t i = 0; i < controls->count; i++) PyMem_Free((void *)controls->all[i].items);
    PyMem_Free(controls->all);
}

/* Each is (members, items): texts are bytes, which `list` keeps. */
static bool controls_of(PyObject *list, Controls *controls) {
    controls->count = (size_t)PyList_Size(list);
    controls->all = PyMem_Calloc(controls->count + 1, sizeof *controls->all);
    if (controls->all == NULL) {
        PyErr_NoMemory();
        return false;
    }
    for (size_t i = 0; i < controls->count; i++) {
        struct frameshare_control *c = &controls->all[i];
        PyObject *members, *items;
        *c = frameshare_control_init();
        PyObject *described = PyList_GetItem(list, (Py_ssize_t)i);
        if (!is_tuple(described, "a control") || !PyArg_ParseTuple(described, "O!O!", &PyDict_Type, &members, &PyList_Type, &items)
            || !set_members(c, control_members, members)) {
            free_controls(controls);
            return false;
        }
        size_t count = (size_t)PyList_Size(items);
        struct frameshare_control_item *own = PyMem_Calloc(count + 1, sizeof *own);
        c->items = own;
        bool is_right = own != NULL;
        for (size_t j = 0; is_right && j < count; j++) {
            PyObject *item = PyList_GetItem(items, (Py_ssize_t)j);
            is_right = is_tuple(item, "an item") && PyArg_ParseTuple(item, "yy", &own[j].value, &own[j].name);
        }
        c->item_count = count;
        if (!is_right) {
            if (!PyErr_Occurred()) PyErr_NoMemory();
            free_controls(controls);
            return false;
        }
    }
    return true;
}

static PyObject *settings_offer(PyObject *module, PyObject *arguments) {
    (void)module;
    PyObject *publisher, *list;
    Controls controls;
    if (!PyArg_ParseTuple(arguments, "O!O!:settings_offer", publisher_type, &publisher, &PyList_Type, &list)) return NULL;
    frameshare_publisher *open = open_publisher((Publisher *)publisher);
    if (open == NULL || !controls_of(list, &controls)) return NULL;
    frameshare_settings *settings = NULL;
    int result = frameshare_publisher_offer_controls(open, controls.all, controls.count, &settings);
    free_controls(&controls);
    return result < 0 ? raise_result(result) : new_handle(settings, end_settings, false);
}

static PyObject *settings_update(PyObject *module, PyObject *arguments) {
    (void)module;
    PyObject *handle, *list;
    Controls controls;
    if (!PyArg_ParseTuple(arguments, "OO!:settings_update", &handle, &PyList_Type, &list)) return NULL;
    frameshare_settings *settings = pointer_of(handle, end_settings);
    if (settings == NULL || !controls_of(list, &controls)) return NULL;
    int result = frameshare_settings_update(settings, controls.all, controls.count);
    free_controls(&controls);
    return done(result);
}

typedef struct {
    frameshare_settings *settings;
    frameshare_setting *setting;
} Wait;

static int wait_for_setting(void *context, int64_t nanoseconds) {
    Wait *wait = context;
    return frameshare_settings_next(wait->settings, nanoseconds, &wait->setting);
}

static PyObject *settings_next(PyObject *module, PyObject *arguments) {
    (void)module;
    PyObject *handle, *timeout;
    int64_t nanoseconds;
    if (!PyArg_ParseTuple(arguments, "OO:settings_next", &handle, &timeout) || !nanoseconds_of("timeout", timeout, &nanoseconds)) return NULL;
    Wait wait = { pointer_of(handle, end_settings), NULL };
    if (wait.settings == NULL) return NULL;
    int result = wait_for(wait_for_setting, &wait, nanoseconds);
    if (result < 0) return raise_result(result);
    if (result == FRAMESHARE_ENDED) Py_RETURN_NONE;
    const char *name, *value;
    result = frameshare_setting_get(wait.setting, &name, &value);
    PyObject *setting = new_handle(wait.setting, end_setting, true);
    if (setting != NULL && result < 0) {
        Py_DECREF(setting);
        return raise_result(result);
    }
    return setting == NULL ? NULL : Py_BuildValue("NNN", setting, text_of(name), text_of(value));
}

static PyObject *settings_poll_fd(PyObject *module, PyObject *handle) {
    (void)module;
    int fd = -1;
    frameshare_settings *settings = pointer_of(handle, end_settings);
    int result = settings == NULL ? RAISED : frameshare_settings_poll_fd(settings, &fd);
    return result < 0 ? raise_result(result) : PyLong_FromLong(fd);
}

static PyObject *setting_ended(PyObject *arguments, int (*end)(frameshare_setting *, const char *)) {
    PyObject *handle, *words = NULL;
    if (!PyArg_ParseTuple(arguments, "OO&", &handle, encoded_argument, &words)) return NULL;
    frameshare_setting *setting = pointer_of(handle, end_setting);
    int result = RAISED;
    if (setting != NULL) {
        ((Handle *)handle)->pointer = NULL;
        result = end(setting, characters(words));
    }
    Py_DECREF(words);
    return done(result);
}

static PyObject *setting_accept(PyObject *module, PyObject *arguments) {
    (void)module;
    return setting_ended(arguments, frameshare_setting_accept);
}

static PyObject *setting_refuse(PyObject *module, PyObject *arguments) {
    (void)module;
    return setting_ended(arguments, frameshare_setting_refuse);
}

PyMethodDef control_functions[] = {
    { "monitor_controls", monitor_controls, METH_O, "The controls of a monitor's channel." },
    { "monitor_set_control", monitor_set_control, METH_VARARGS, "monitor_set_control(handle, name, value): the value that it has then" },
    { "settings_offer", settings_offer, METH_VARARGS, "settings_offer(publisher, controls)" },
    { "settings_update", settings_update, METH_VARARGS, "settings_update(handle, controls)" },
    { "settings_next", settings_next, METH_VARARGS, "settings_next(handle, timeout): (handle, name, value); None at the end" },
    { "settings_poll_fd", settings_poll_fd, METH_O, "An eventfd that is readable when something has come." },
    { "setting_accept", setting_accept, METH_VARARGS, "setting_accept(handle, now)" },
    { "setting_refuse", setting_refuse, METH_VARARGS, "setting_refuse(handle, reason)" },
    { NULL, NULL, 0, NULL },
};
