/* Errors of the C library as the exceptions of frameshare.errors. */
#include "extension.h"

#include <stdarg.h>

static struct {
    int code;
    const char *name;
    PyObject *type;
} exceptions[] = {
    { FRAMESHARE_ERROR_INVALID_ARGUMENT, "InvalidArgument", NULL },
    { FRAMESHARE_ERROR_INVALID_HANDLE, "Released", NULL },
    { FRAMESHARE_ERROR_CLOSED, "Released", NULL },
    { FRAMESHARE_ERROR_FORKED, "Forked", NULL },
    { FRAMESHARE_ERROR_CHANNEL_IN_USE, "ChannelInUse", NULL },
    { FRAMESHARE_ERROR_LAYOUT, "LayoutError", NULL },
    { FRAMESHARE_ERROR_NO_SUCH_CHANNEL, "NoSuchChannel", NULL },
    { FRAMESHARE_ERROR_NOT_ALLOWED, "NotAllowed", NULL },
    { FRAMESHARE_ERROR_REFUSED, "Refused", NULL },
    { FRAMESHARE_ERROR_NO_SUCH_STREAM, "NoSuchStream", NULL },
    { FRAMESHARE_ERROR_TIMED_OUT, "TimedOut", NULL },
    { FRAMESHARE_ERROR_PUBLISHER_LOST, "PublisherLost", NULL },
    { FRAMESHARE_ERROR_SOURCE_FAILED, "SourceFailed", NULL },
    { FRAMESHARE_ERROR_DISCONNECTED, "Disconnected", NULL },
    { FRAMESHARE_ERROR_NO_WORKER, "NoWorker", NULL },
    { FRAMESHARE_ERROR_BUSY, "Busy", NULL },
    { FRAMESHARE_ERROR_WITHDRAWN, "Withdrawn", NULL },
    { FRAMESHARE_ERROR_WORKER_FAILED, "WorkerFailed", NULL },
    { FRAMESHARE_ERROR_WORKER_LOST, "WorkerLost", NULL },
    { FRAMESHARE_ERROR_DEADLINE, "DeadlinePassed", NULL },
    { FRAMESHARE_ERROR_CANCELLED, "Cancelled", NULL },
    { FRAMESHARE_ERROR_PASSED_OVER, "PassedOver", NULL },
    /* All others. */
    { 0, "FrameShareError", NULL },
};

enum { COUNT = sizeof exceptions / sizeof exceptions[0] };

int add_errors(PyObject *module) {
    (void)module;
    PyObject *errors = PyImport_ImportModule("frameshare.errors");
    if (errors == NULL) return -1;
    for (size_t i = 0; i < COUNT; i++) {
        if (exceptions[i].type != NULL) continue;
        exceptions[i].type = PyObject_GetAttrString(errors, exceptions[i].name);
        if (exceptions[i].type == NULL) break;
    }
    Py_DECREF(errors);
    return exceptions[COUNT - 1].type == NULL ? -1 : 0;
}

static PyObject *made(int result, PyObject *message) {
    if (message == NULL) return NULL;
    size_t i = 0;
    while (i < COUNT - 1 && exceptions[i].code != result) i++;
    PyObject *error = PyObject_CallFunction(exceptions[i].type, "Oi", message, result);
    Py_DECREF(message);
    return error;
}

PyObject *error_object(int result, const char *message) { return made(result, text_of(message)); }

static void *raised(PyObject *error) {
    if (error == NULL) return NULL;
    PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    Py_DECREF(error);
    return NULL;
}

void *raise_result(int result) {
    if (result == RAISED) return NULL;
    return raised(error_object(result, frameshare_last_error()));
}

void *raise_error(int result, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    PyObject *message = PyUnicode_FromFormatV(format, arguments);
    va_end(arguments);
    return raised(made(result, message));
}
