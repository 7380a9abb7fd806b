/* How channels are doing: what frameshare.statistics stands on. */
#include "extension.h"

#include "members.h"

#include <string.h>

int end_monitor(void *monitor) { return frameshare_monitor_close(monitor); }

/* The most subscribers and groups that are told of. */
enum { MOST_SUBSCRIBERS = 128, MOST_GROUPS = 64 };

/* A monitor's handle, or a publisher. */
typedef struct {
    frameshare_monitor *monitor;
    frameshare_publisher *publisher;
} Asked;

static bool asked_of(PyObject *object, Asked *asked) {
    *asked = (Asked){ NULL, NULL };
    if (PyObject_TypeCheck(object, publisher_type)) {
        asked->publisher = open_publisher((Publisher *)object);
        return asked->publisher != NULL;
    }
    asked->monitor = pointer_of(object, end_monitor);
    return asked->monitor != NULL;
}

static PyObject *monitor_open(PyObject *module, PyObject *arguments) {
    (void)module;
    PyObject *channel = NULL, *directory = NULL, *handle = NULL;
    if (!PyArg_ParseTuple(arguments, "O&O&:monitor_open", encoded_argument, &channel, encoded_or_none, &directory)) return NULL;
    frameshare_monitor *monitor = NULL;
    int result;
    Py_BEGIN_ALLOW_THREADS
    result = frameshare_monitor_open(characters(channel), characters(directory), &monitor);
    Py_END_ALLOW_THREADS
    handle = result < 0 ? raise_result(result) : new_handle(monitor, end_monitor, false);
    Py_DECREF(channel);
    Py_XDECREF(directory);
    return handle;
}

/* A list with the members of each struct of an array. */
static PyObject *all_members(const void *array, size_t count, size_t size, const Member *members) {
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; list != NULL && i < count; i++) {
        PyObject *item = members_of((const char *)array + i * size, members);
        if (item == NULL) Py_CLEAR(list);
        else PyList_SetItem(list, (Py_ssize_t)i, item);
    }
    return list;
}

PyObject *statistics_of(AskStatistics ask, void *object) {
    struct frameshare_channel_statistics c = frameshare_channel_statistics_init();
    struct frameshare_subscriber_status *people = PyMem_Calloc(MOST_SUBSCRIBERS, sizeof *people);
    if (people == NULL) return PyErr_NoMemory();
    for (int i = 0; i < MOST_SUBSCRIBERS; i++) people[i].struct_size = sizeof *people;
    int result;
    Py_BEGIN_ALLOW_THREADS
    result = ask(object, &c, people, MOST_SUBSCRIBERS);
    Py_END_ALLOW_THREADS
    PyObject *found = NULL;
    if (result < 0) {
        raise_result(result);
    } else if (result == FRAMESHARE_ENDED) {
        found = Py_NewRef(Py_None);
    } else {
        size_t count = c.subscriber_count < MOST_SUBSCRIBERS ? c.subscriber_count : MOST_SUBSCRIBERS;
        PyObject *numbers = members_of(&c, channel_statistics_members);
        PyObject *subscribers = numbers == NULL ? NULL : all_members(people, count, sizeof *people, subscriber_status_members);
        if (subscribers != NULL) found = Py_BuildValue("OO", numbers, subscribers);
        Py_XDECREF(subscribers);
        Py_XDECREF(numbers);
    }
    PyMem_Free(people);
    return found;
}

static int ask_monitor(void *monitor, struct frameshare_channel_statistics *statistics,
                       struct frameshare_subscriber_status *subscribers, size_t capacity) {
    return frameshare_monitor_get_statistics(monitor, statistics, subscribers, capacity);
}

static int ask_publisher(void *publisher, struct frameshare_channel_statistics *statistics,
                         struct frameshare_subscriber_status *subscribers, size_t capacity) {
    return frameshare_publisher_get_statistics(publisher, statistics, subscribers, capacity);
}

static PyObject *channel_statistics(PyObject *module, PyObject *object) {
    (void)module;
    Asked asked;
    if (!asked_of(object, &asked)) return NULL;
    return asked.monitor != NULL ? statistics_of(ask_monitor, asked.monitor) : statistics_of(ask_publisher, asked.publisher);
}

static PyObject *group_statuses(PyObject *module, PyObject *object) {
    (void)module;
    Asked asked;
    if (!asked_of(object, &asked)) return NULL;
    struct frameshare_group_status groups[MOST_GROUPS];
    for (int i = 0; i < MOST_GROUPS; i++) groups[i] = frameshare_group_status_init();
    size_t count = 0;
    int result;
    Py_BEGIN_ALLOW_THREADS
    result = asked.monitor != NULL ? frameshare_monitor_get_groups(asked.monitor, groups, MOST_GROUPS, &count)
                                   : frameshare_publisher_get_groups(asked.publisher, groups, MOST_GROUPS, &count);
    Py_END_ALLOW_THREADS
    if (result < 0) return raise_result(result);
    if (result == FRAMESHARE_ENDED) count = 0;
    return all_members(groups, count < MOST_GROUPS ? count : MOST_GROUPS, sizeof groups[0], group_status_members);
}

PyMethodDef monitor_functions[] = {
    { "monitor_open", monitor_open, METH_VARARGS, "monitor_open(channel, directory)" },
    { "channel_statistics", channel_statistics, METH_O, "(numbers, subscribers) of a monitor or publisher; None at the end." },
    { "group_statuses", group_statuses, METH_O, "The groups of a monitor or publisher." },
    { NULL, NULL, 0, NULL },
};
