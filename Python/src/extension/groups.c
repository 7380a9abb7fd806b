/* Groups of workers: requests, answers, results. What frameshare.groups stands on. */
#include "extension.h"

#include "members.h"

int end_request(void *request) { return frameshare_request_release(request); }
static int end_pending(void *pending) { return frameshare_pending_release(pending); }
static int end_results(void *results) { return frameshare_results_close(results); }

static PyObject *done(int result) {
    if (result < 0) return raise_result(result);
    Py_RETURN_NONE;
}

bool ask_options_of(PyObject *values, struct frameshare_ask_options *options) {
    *options = frameshare_ask_options_init();
    return set_members(options, ask_options_members, values);
}

PyObject *new_pending(frameshare_pending *pending) {
    static PyObject *type;
    PyObject *handle = new_handle(pending, end_pending, true);
    PyObject *pending_type = handle == NULL ? NULL : attribute_of("frameshare.groups", "Pending", &type);
    PyObject *result = pending_type == NULL ? NULL : PyObject_CallFunctionObjArgs(pending_type, handle, NULL);
    Py_XDECREF(handle);
    return result;
}

/* ------------------------------------------------------------------------------------------------ requests */

static frameshare_request *request_of(PyObject *handle) { return pointer_of(handle, end_request); }

static PyObject *request_is_cancelled(PyObject *module, PyObject *handle) {
    (void)module;
    int cancelled = 0;
    frameshare_request *request = request_of(handle);
    int result = request == NULL ? RAISED : frameshare_request_is_cancelled(request, &cancelled);
    return result < 0 ? raise_result(result) : PyBool_FromLong(cancelled);
}

/* Says something: nothing, values by name, or bytes. */
static PyObject *said(PyObject *arguments, int (*say)(frameshare_request *, const frameshare_metadata *, const void *, size_t)) {
    PyObject *handle, *values, *reply;
    if (!PyArg_ParseTuple(arguments, "OOO", &handle, &values, &reply)) return NULL;
    frameshare_request *request = request_of(handle);
    frameshare_metadata *writer = NULL;
    Py_buffer view = { .buf = NULL };
    if (request == NULL || (values != Py_None && !take_writer(values, true, &writer))) return NULL;
    if (reply != Py_None && PyObject_GetBuffer(reply, &view, PyBUF_SIMPLE) < 0) {
        give_back_writer(writer);
        return NULL;
    }
    int result;
    Py_BEGIN_ALLOW_THREADS
    result = say(request, writer, view.buf, (size_t)view.len);
    Py_END_ALLOW_THREADS
    if (reply != Py_None) PyBuffer_Release(&view);
    give_back_writer(writer);
    return done(result);
}

static PyObject *request_progress(PyObject *module, PyObject *arguments) {
    (void)module;
    return said(arguments, frameshare_request_progress);
}

static PyObject *request_answer(PyObject *module, PyObject *arguments) {
    (void)module;
    return said(arguments, frameshare_request_answer);
}

static PyObject *request_fail(PyObject *module, PyObject *arguments) {
    (void)module;
    PyObject *handle, *reason = NULL;
    if (!PyArg_ParseTuple(arguments, "OO&:request_fail", &handle, encoded_argument, &reason)) return NULL;
    frameshare_request *request = request_of(handle);
    int result = RAISED;
    if (request != NULL) {
        /* It waits for a publisher that does not read. */
        Py_BEGIN_ALLOW_THREADS
        result = frameshare_request_fail(request, characters(reason));
        Py_END_ALLOW_THREADS
    }
    Py_DECREF(reason);
    return done(result);
}

/* ------------------------------------------------------------------------------------------------ answers */

static int next_entry(const void *answer, size_t *cursor, struct frameshare_entry *entry) {
    return frameshare_answer_metadata_next(answer, cursor, entry);
}

PyObject *taken_answer(frameshare_answer *answer) {
    struct frameshare_answer_info info = frameshare_answer_info_init();
    PyObject *value = NULL, *error = NULL, *taken = NULL;
    int result = frameshare_answer_get_info(answer, &info);
    if (result < 0) {
        raise_result(result);
    } else if (info.result != FRAMESHARE_OK) {
        error = error_object(info.result, info.reason == NULL ? "" : info.reason);
        value = error == NULL ? NULL : Py_NewRef(Py_None);
    } else {
        error = Py_NewRef(Py_None);
        value = info.is_metadata ? read_metadata(answer, next_entry)
                                 : PyBytes_FromStringAndSize(info.size == 0 ? "" : info.data, (Py_ssize_t)info.size);
    }
    if (value != NULL && error != NULL) taken = Py_BuildValue("KIOO", (unsigned long long)info.frame, info.worker, value, error);
    Py_XDECREF(value);
    Py_XDECREF(error);
    frameshare_answer_release(answer);
    return taken;
}

typedef struct {
    void *handle;
    frameshare_answer *answer;
} Wait;

static int wait_for_answer(void *context, int64_t nanoseconds) {
    Wait *wait = context;
    return frameshare_pending_answer(wait->handle, nanoseconds, &wait->answer);
}

static int wait_for_progress(void *context, int64_t nanoseconds) {
    Wait *wait = context;
    return frameshare_pending_progress(wait->handle, nanoseconds, &wait->answer);
}

static int wait_for_result(void *context, int64_t nanoseconds) {
    Wait *wait = context;
    return frameshare_results_next(wait->handle, nanoseconds, &wait->answer);
}

static PyObject *waited(PyObject *arguments, int (*kind)(void *), Waiting call) {
    PyObject *handle, *timeout;
    int64_t nanoseconds;
    if (!PyArg_ParseTuple(arguments, "OO", &handle, &timeout) || !nanoseconds_of("timeout", timeout, &nanoseconds)) return NULL;
    Wait wait = { pointer_of(handle, kind), NULL };
    if (wait.handle == NULL) return NULL;
    /* The handle is kept by whoever calls. A look takes no time. */
    int result = nanoseconds == 0 ? call(&wait, 0) : wait_for(call, &wait, nanoseconds);
    if (result < 0) return raise_result(result);
    if (result == FRAMESHARE_ENDED) Py_RETURN_NONE;
    return taken_answer(wait.answer);
}

static PyObject *pending_answer(PyObject *module, PyObject *arguments) {
    (void)module;
    return waited(arguments, end_pending, wait_for_answer);
}

static PyObject *pending_progress(PyObject *module, PyObject *arguments) {
    (void)module;
    return waited(arguments, end_pending, wait_for_progress);
}

static PyObject *pending_frame(PyObject *module, PyObject *handle) {
    (void)module;
    uint64_t number = 0;
    frameshare_pending *pending = pointer_of(handle, end_pending);
    int result = pending == NULL ? RAISED : frameshare_pending_frame(pending, &number);
    return result < 0 ? raise_result(result) : PyLong_FromUnsignedLongLong(number);
}

static PyObject *pending_poll_fd(PyObject *module, PyObject *handle) {
    (void)module;
    int fd = -1;
    frameshare_pending *pending = pointer_of(handle, end_pending);
    int result = pending == NULL ? RAISED : frameshare_pending_poll_fd(pending, &fd);
    return result < 0 ? raise_result(result) : PyLong_FromLong(fd);
}

static PyObject *pending_cancel(PyObject *module, PyObject *handle) {
    (void)module;
    frameshare_pending *pending = pointer_of(handle, end_pending);
    return pending == NULL ? NULL : done(frameshare_pending_cancel(pending));
}

/* ------------------------------------------------------------------------------------------------ results */

static PyObject *results_open(PyObject *module, PyObject *arguments) {
    (void)module;
    PyObject *publisher, *group = NULL, *values, *asking, *handle = NULL;
    if (!PyArg_ParseTuple(arguments, "O!O&O!O!:results_open", publisher_type, &publisher, encoded_argument, &group,
                          &PyDict_Type, &values, &PyDict_Type, &asking)) {
        return NULL;
    }
    struct frameshare_results_options options = frameshare_results_options_init();
    struct frameshare_ask_options ask;
    if (set_members(&options, results_options_members, values) && ask_options_of(asking, &ask)) {
        options.ask = &ask;
        frameshare_publisher *open = open_publisher((Publisher *)publisher);
        frameshare_results *results = NULL;
        int result = open == NULL ? RAISED : frameshare_publisher_results(open, characters(group), &options, &results);
        handle = result < 0 ? raise_result(result) : new_handle(results, end_results, false);
    }
    Py_DECREF(group);
    return handle;
}

static PyObject *results_next(PyObject *module, PyObject *arguments) {
    (void)module;
    return waited(arguments, end_results, wait_for_result);
}

static PyObject *results_poll_fd(PyObject *module, PyObject *handle) {
    (void)module;
    int fd = -1;
    frameshare_results *results = pointer_of(handle, end_results);
    int result = results == NULL ? RAISED : frameshare_results_poll_fd(results, &fd);
    return result < 0 ? raise_result(result) : PyLong_FromLong(fd);
}

static PyObject *results_missed(PyObject *module, PyObject *handle) {
    (void)module;
    uint64_t missed = 0;
    frameshare_results *results = pointer_of(handle, end_results);
    int result = results == NULL ? RAISED : frameshare_results_missed(results, &missed);
    return result < 0 ? raise_result(result) : PyLong_FromUnsignedLongLong(missed);
}

PyMethodDef group_functions[] = {
    { "request_is_cancelled", request_is_cancelled, METH_O, "Whether the answer is not wanted any more." },
    { "request_progress", request_progress, METH_VARARGS, "request_progress(handle, values, data)" },
    { "request_answer", request_answer, METH_VARARGS, "request_answer(handle, values, data)" },
    { "request_fail", request_fail, METH_VARARGS, "request_fail(handle, reason)" },
    { "pending_answer", pending_answer, METH_VARARGS, "pending_answer(handle, timeout): (frame, worker, value, error)" },
    { "pending_progress", pending_progress, METH_VARARGS, "pending_progress(handle, timeout); None once the request has ended" },
    { "pending_frame", pending_frame, METH_O, "The number of the frame." },
    { "pending_poll_fd", pending_poll_fd, METH_O, "An eventfd that is readable when something has come." },
    { "pending_cancel", pending_cancel, METH_O, "Gives the request up." },
    { "results_open", results_open, METH_VARARGS, "results_open(publisher, group, options, ask_options)" },
    { "results_next", results_next, METH_VARARGS, "results_next(handle, timeout); None when the channel has ended" },
    { "results_poll_fd", results_poll_fd, METH_O, "A descriptor that is readable when something has come." },
    { "results_missed", results_missed, METH_O, "Results that were dropped." },
    { NULL, NULL, 0, NULL },
};
