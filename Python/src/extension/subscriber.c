/* Subscribers: taking frames. What is not done for each frame is in subscriber.py. */
#include "extension.h"

#include "members.h"

#include <stdatomic.h>
#include <string.h>

typedef struct {
    PyObject_HEAD
    /* NULL: it is closed. */
    frameshare_subscriber *handle;
    PyObject *channel;
    /* How often `interrupt()` was called: what it ends is told from what a signal ends. */
    atomic_uint interrupts;
    /* A list of frames that came for tasks, which may have been cancelled meanwhile: the next call has the first. NULL: none. */
    PyObject *kept;
    bool is_member, has_ended, has_warned;
} Subscriber;

static PyTypeObject *subscriber_type, *iterator_type;

static frameshare_subscriber *opened(Subscriber *self) {
    if (self->handle != NULL) return self->handle;
    if (self->channel == NULL) return raise_error(FRAMESHARE_ERROR_INVALID_HANDLE, "this subscriber was not opened");
    return raise_error(FRAMESHARE_ERROR_INVALID_HANDLE, "this subscriber of '%S' was closed", self->channel);
}

static PyObject *subscriber_open(PyObject *object, PyObject *arguments) {
    Subscriber *self = (Subscriber *)object;
    PyObject *channel, *streams, *options;
    if (!PyArg_ParseTuple(arguments, "OO!O!:_open", &channel, &PyTuple_Type, &streams, &PyDict_Type, &options)) return NULL;
    if (self->channel != NULL && self->handle != NULL) {
        return raise_error(FRAMESHARE_ERROR_INVALID_ARGUMENT, "this subscriber of '%S' is open", self->channel);
    }
    struct frameshare_subscriber_options c = frameshare_subscriber_options_init();
    Py_ssize_t count = PyTuple_Size(streams);
    const char **names = PyMem_Calloc((size_t)count + 1, sizeof *names);
    if (names == NULL) return PyErr_NoMemory();
    PyObject *name = NULL;
    frameshare_subscriber *handle = NULL;
    if (!set_members(&c, subscriber_options_members, options)) goto failed;
    for (Py_ssize_t i = 0; i < count; i++) {
        names[i] = PyBytes_AsString(PyTuple_GetItem(streams, i));
        if (names[i] == NULL) goto failed;
    }
    c.streams = names;
    c.stream_count = (uint32_t)count;
    name = encoded(channel);
    if (name == NULL) goto failed;
    int result;
    Py_BEGIN_ALLOW_THREADS
    result = frameshare_subscriber_open(characters(name), &c, &handle);
    Py_END_ALLOW_THREADS
    if (result < 0) {
        raise_result(result);
        goto failed;
    }
    PyMem_Free(names);
    Py_DECREF(name);
    Py_XSETREF(self->channel, Py_NewRef(channel));
    self->handle = handle;
    self->is_member = c.group != NULL;
    Py_RETURN_NONE;
failed:
    PyMem_Free(names);
    Py_XDECREF(name);
    return NULL;
}

/* ------------------------------------------------------------------------------------------------ taking */

typedef struct {
    frameshare_subscriber *subscriber;
    frameshare_frame *frame;
    const int64_t *after;
    const atomic_uint *interrupts;
    unsigned before;
} Take;

/* `interrupt()` has ended a wait. */
#define ASKED_TO_END (INT32_MIN + 1)

static int take(void *context, int64_t nanoseconds) {
    Take *take = context;
    int result = take->after == NULL
        ? frameshare_subscriber_next(take->subscriber, nanoseconds, &take->frame)
        : frameshare_subscriber_next_after(take->subscriber, *take->after, nanoseconds, &take->frame);
    bool was_asked = result == FRAMESHARE_ERROR_INTERRUPTED && atomic_load(take->interrupts) != take->before;
    return was_asked ? ASKED_TO_END : result;
}

/* How long a wait without end is silent before it is asked whether the budget is used up. */
#define SILENCE ((int64_t)1000000000)

/* Says once that the budget is used up, where that is why no frame comes. */
static bool warn(Subscriber *self) {
    const char *reason = frameshare_last_error();
    if (self->has_warned || strstr(reason, "you hold") == NULL) return true;
    self->has_warned = true;
    static PyObject *function;
    PyObject *said = attribute_of("frameshare.subscriber", "warn_of_budget", &function);
    PyObject *text = said == NULL ? NULL : text_of(reason);
    PyObject *result = text == NULL ? NULL : PyObject_CallFunction(said, "OO", self->channel, text);
    Py_XDECREF(text);
    Py_XDECREF(result);
    return result != NULL;
}

/* Takes the first frame that was kept; false: with an exception. *frame is NULL where there is none. */
static bool take_kept(Subscriber *self, const int64_t *after, PyObject **frame) {
    *frame = NULL;
    while (self->kept != NULL && PyList_Size(self->kept) > 0) {
        PyObject *first = Py_NewRef(PyList_GetItem(self->kept, 0));
        int64_t moment = 0;
        PyObject *timestamp = after == NULL ? NULL : PyObject_GetAttrString(first, "timestamp");
        if (timestamp != NULL) moment = PyLong_AsLongLong(timestamp);
        Py_XDECREF(timestamp);
        if ((after != NULL && PyErr_Occurred()) || PyList_SetSlice(self->kept, 0, 1, NULL) < 0) {
            Py_DECREF(first);
            return false;
        }
        if (after == NULL || moment > *after) {
            *frame = first;
            return true;
        }
        release_frame(first);
        Py_DECREF(first);
    }
    return true;
}

static PyObject *next_frame(Subscriber *self, int64_t nanoseconds, const int64_t *after) {
    Take context = { opened(self), NULL, after, &self->interrupts, atomic_load(&self->interrupts) };
    if (context.subscriber == NULL) return NULL;
    if (self->kept != NULL) {
        PyObject *kept;
        if (!take_kept(self, after, &kept)) return NULL;
        if (kept != NULL) return kept;
    }
    int result = FRAMESHARE_NO_FRAME;
    /* A frame that is there is taken without giving up Python's lock. A member listens for what is cancelled, too. */
    if (after == NULL && !self->is_member) result = frameshare_subscriber_try_next(context.subscriber, &context.frame);
    while (result != FRAMESHARE_OK) {
        bool is_first = nanoseconds < 0 && !self->has_warned;
        result = wait_for(take, &context, is_first ? SILENCE : nanoseconds);
        if (result == FRAMESHARE_OK) break;
        if (result == FRAMESHARE_ENDED) {
            self->has_ended = true;
            Py_RETURN_NONE;
        }
        if (result == ASKED_TO_END) return raise_result(FRAMESHARE_ERROR_INTERRUPTED);
        if (!is_first || result != FRAMESHARE_ERROR_TIMED_OUT) return raise_result(result);
        if (!warn(self)) return NULL;
        if (self->handle == NULL) return opened(self), NULL;
    }
    return new_frame(context.frame);
}

static PyObject *subscriber_next(PyObject *self, PyObject *const *arguments, Py_ssize_t count, PyObject *names) {
    PyObject *timeout = Py_None, *after = Py_None;
    if (count > 1) {
        PyErr_SetString(PyExc_TypeError, "next() takes the timeout alone without its name");
        return NULL;
    }
    if (count == 1) timeout = arguments[0];
    for (Py_ssize_t i = 0; names != NULL && i < PyTuple_Size(names); i++) {
        PyObject *name = PyTuple_GetItem(names, i);
        if (PyUnicode_CompareWithASCIIString(name, "after") == 0) {
            after = arguments[count + i];
        } else if (PyUnicode_CompareWithASCIIString(name, "timeout") == 0 && count == 0) {
            timeout = arguments[count + i];
        } else {
            PyErr_Format(PyExc_TypeError, "next() got an unexpected keyword argument %R", name);
            return NULL;
        }
    }
    int64_t nanoseconds = -1, moment = 0;
    if (timeout != Py_None && !nanoseconds_of("timeout", timeout, &nanoseconds)) return NULL;
    if (after != Py_None && !signed_of("after", after, INT64_MIN, INT64_MAX, &moment)) return NULL;
    return next_frame((Subscriber *)self, nanoseconds, after == Py_None ? NULL : &moment);
}

static PyObject *subscriber_try_next(PyObject *object, PyObject *unused) {
    (void)unused;
    Subscriber *self = (Subscriber *)object;
    frameshare_frame *frame = NULL;
    frameshare_subscriber *handle = opened(self);
    if (handle == NULL) return NULL;
    if (self->kept != NULL) {
        PyObject *kept;
        if (!take_kept(self, NULL, &kept)) return NULL;
        if (kept != NULL) return kept;
    }
    int result = frameshare_subscriber_try_next(handle, &frame);
    if (result < 0) return raise_result(result);
    if (result == FRAMESHARE_ENDED) self->has_ended = true;
    if (result != FRAMESHARE_OK) Py_RETURN_NONE;
    return new_frame(frame);
}

/* Waits for a frame and keeps it here, for a task that may be cancelled meanwhile. False: the channel has ended. */
static PyObject *subscriber_await_frame(PyObject *object, PyObject *timeout) {
    Subscriber *self = (Subscriber *)object;
    int64_t nanoseconds;
    if (!nanoseconds_of("timeout", timeout, &nanoseconds)) return NULL;
    /* One that was kept for another task, or for one that is no more. */
    if (self->kept != NULL && PyList_Size(self->kept) > 0) Py_RETURN_TRUE;
    PyObject *frame = next_frame(self, nanoseconds, NULL);
    if (frame == NULL) return NULL;
    if (frame == Py_None) {
        Py_DECREF(frame);
        Py_RETURN_FALSE;
    }
    /* Closed meanwhile: there is nobody any more who would take it. */
    bool is_kept = self->handle != NULL;
    if (is_kept && self->kept == NULL) self->kept = PyList_New(0);
    int result = !is_kept ? 0 : self->kept == NULL ? -1 : PyList_Append(self->kept, frame);
    Py_DECREF(frame);
    if (result < 0) return NULL;
    Py_RETURN_TRUE;
}

static PyObject *subscriber_take_kept(PyObject *object, PyObject *unused) {
    (void)unused;
    Subscriber *self = (Subscriber *)object;
    PyObject *frame;
    if (opened(self) == NULL || !take_kept(self, NULL, &frame)) return NULL;
    if (frame != NULL) return frame;
    Py_RETURN_NONE;
}

/* ------------------------------------------------------------------------------------------------ a loop */

typedef struct {
    PyObject_HEAD
    Subscriber *subscriber;
    PyObject *current;
} Iterator;

static PyObject *subscriber_iter(PyObject *self) {
    if (iterator_type == NULL) return NULL;
    Iterator *iterator = PyObject_GC_New(Iterator, iterator_type);
    if (iterator == NULL) return NULL;
    iterator->subscriber = (Subscriber *)Py_NewRef(self);
    iterator->current = NULL;
    PyObject_GC_Track(iterator);
    return (PyObject *)iterator;
}

static void let_go(Iterator *self) {
    PyObject *frame = self->current;
    self->current = NULL;
    if (frame == NULL) return;
    release_frame(frame);
    Py_DECREF(frame);
}

static PyObject *iterator_next(PyObject *object) {
    Iterator *self = (Iterator *)object;
    let_go(self);
    if (self->subscriber == NULL) return NULL;
    PyObject *frame = next_frame(self->subscriber, -1, NULL);
    if (frame == NULL) return NULL;
    if (frame == Py_None) {
        Py_DECREF(frame);
        return NULL;
    }
    /* Another thread may have called it, too. */
    let_go(self);
    self->current = Py_NewRef(frame);
    return frame;
}

static int iterator_traverse(PyObject *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((Iterator *)self)->subscriber);
    Py_VISIT(((Iterator *)self)->current);
    return 0;
}

static int iterator_clear(PyObject *self) {
    Py_CLEAR(((Iterator *)self)->subscriber);
    Py_CLEAR(((Iterator *)self)->current);
    return 0;
}

static void iterator_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    let_go((Iterator *)self);
    iterator_clear(self);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

static PyType_Slot iterator_slots[] = {
    { Py_tp_dealloc, iterator_dealloc },
    { Py_tp_traverse, iterator_traverse },
    { Py_tp_clear, iterator_clear },
    { Py_tp_iter, PyObject_SelfIter },
    { Py_tp_iternext, iterator_next },
    { Py_tp_doc, "One loop over a subscriber's frames." },
    { 0, NULL },
};

static PyType_Spec iterator_spec = {
    .name = "frameshare._native.Frames",
    .basicsize = sizeof(Iterator),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = iterator_slots,
};

/* ------------------------------------------------------------------------------------------------ all else */

static PyObject *subscriber_fileno(PyObject *self, PyObject *unused) {
    (void)unused;
    frameshare_subscriber *handle = opened((Subscriber *)self);
    int fd = -1, result = handle == NULL ? RAISED : frameshare_subscriber_poll_fd(handle, &fd);
    return result < 0 ? raise_result(result) : PyLong_FromLong(fd);
}

static PyObject *subscriber_interrupt(PyObject *self, PyObject *unused) {
    (void)unused;
    frameshare_subscriber *handle = opened((Subscriber *)self);
    atomic_fetch_add(&((Subscriber *)self)->interrupts, 1);
    int result = handle == NULL ? RAISED : frameshare_subscriber_interrupt(handle);
    if (result < 0) return raise_result(result);
    Py_RETURN_NONE;
}

static PyObject *subscriber_streams(PyObject *self, PyObject *unused) {
    (void)unused;
    PyObject *list = PyList_New(0);
    for (size_t index = 0; list != NULL; index++) {
        frameshare_subscriber *handle = opened((Subscriber *)self);
        struct frameshare_stream c = frameshare_stream_init();
        int result = handle == NULL ? RAISED : frameshare_subscriber_stream_at(handle, index, &c);
        if (result == FRAMESHARE_NOT_FOUND) break;
        PyObject *stream = result < 0 ? raise_result(result) : described_stream(&c);
        if (stream == NULL || PyList_Append(list, stream) < 0) Py_CLEAR(list);
        Py_XDECREF(stream);
    }
    return list;
}

static PyObject *subscriber_source_trouble(PyObject *self, void *unused) {
    (void)unused;
    frameshare_subscriber *handle = opened((Subscriber *)self);
    char text[1024] = "";
    int result = handle == NULL ? RAISED : frameshare_subscriber_source_trouble(handle, text, sizeof text);
    return result < 0 ? raise_result(result) : PyUnicode_FromString(text);
}

static PyObject *subscriber_statistics(PyObject *self, PyObject *unused) {
    (void)unused;
    frameshare_subscriber *handle = opened((Subscriber *)self);
    struct frameshare_subscriber_statistics c = frameshare_subscriber_statistics_init();
    int result = handle == NULL ? RAISED : frameshare_subscriber_get_statistics(handle, &c);
    return result < 0 ? raise_result(result) : members_of(&c, subscriber_statistics_members);
}

static PyObject *subscriber_close(PyObject *object, PyObject *unused) {
    (void)unused;
    Subscriber *self = (Subscriber *)object;
    frameshare_subscriber *handle = self->handle;
    PyObject *kept = self->kept;
    self->handle = NULL;
    self->kept = NULL;
    if (handle != NULL) {
        Py_BEGIN_ALLOW_THREADS
        frameshare_subscriber_close(handle);
        Py_END_ALLOW_THREADS
    }
    Py_XDECREF(kept);
    Py_RETURN_NONE;
}

static void subscriber_dealloc(PyObject *self) {
    Subscriber *subscriber = (Subscriber *)self;
    PyTypeObject *type = Py_TYPE(self);
    if (subscriber->handle != NULL) {
        Py_BEGIN_ALLOW_THREADS
        frameshare_subscriber_close(subscriber->handle);
        Py_END_ALLOW_THREADS
    }
    Py_XDECREF(subscriber->kept);
    Py_XDECREF(subscriber->channel);
    freefunc free = (freefunc)PyType_GetSlot(type, Py_tp_free);
    free(self);
    Py_DECREF(type);
}

static PyObject *subscriber_channel(PyObject *self, void *unused) {
    (void)unused;
    PyObject *channel = ((Subscriber *)self)->channel;
    return Py_NewRef(channel == NULL ? Py_None : channel);
}

static PyObject *subscriber_ended(PyObject *self, void *unused) {
    (void)unused;
    return PyBool_FromLong(((Subscriber *)self)->has_ended);
}

static PyObject *subscriber_closed(PyObject *self, void *unused) {
    (void)unused;
    return PyBool_FromLong(((Subscriber *)self)->handle == NULL);
}

static PyObject *subscriber_warned(PyObject *self, void *unused) {
    (void)unused;
    return PyBool_FromLong(((Subscriber *)self)->has_warned);
}

static PyObject *subscriber_warn(PyObject *self, PyObject *unused) {
    (void)unused;
    if (!warn((Subscriber *)self)) return NULL;
    Py_RETURN_NONE;
}

static PyObject *subscriber_repr(PyObject *object) {
    Subscriber *self = (Subscriber *)object;
    if (self->channel == NULL) return PyUnicode_FromString("<frameshare.Subscriber, not opened>");
    return PyUnicode_FromFormat("<frameshare.Subscriber of '%S'%s>", self->channel, self->handle == NULL ? ", closed" : "");
}

static PyObject *subscriber_reduce(PyObject *self, PyObject *unused) {
    (void)unused;
    PyErr_Format(PyExc_TypeError, "%R can't be pickled or copied: open another by its channel's name", self);
    return NULL;
}

static PyMethodDef subscriber_methods[] = {
    { "_open", subscriber_open, METH_VARARGS, "_open(channel, streams, options)\n\nConnects once." },
    { "next", (PyCFunction)(void (*)(void))subscriber_next, METH_FASTCALL | METH_KEYWORDS,
      "next(timeout: float | None = None, *, after: int | None = None) -> Frame | None\n\n"
      "The next frame; waits for it. None when the channel has ended in order.\n\n"
      "``timeout`` is in seconds; ``TimedOut`` is raised when it has passed. ``after`` passes over frames that were captured at "
      "that timestamp or before. Other threads run meanwhile, and Ctrl-C ends it at once. ``PublisherLost``, ``SourceFailed`` "
      "and ``Disconnected`` say why there will be no further frame, ``Released`` that this subscriber was closed." },
    { "try_next", subscriber_try_next, METH_NOARGS,
      "try_next() -> Frame | None\n\nThe next frame if there is one now. None if not, and when the channel has ended: see "
      "``ended``." },
    { "fileno", subscriber_fileno, METH_NOARGS,
      "fileno() -> int\n\nFor ``select``, ``poll`` and event loops: readable while ``try_next`` has a frame to give, or "
      "something to look after. It is the same as long as the subscriber lives, also when it connects again. Only poll it." },
    { "interrupt", subscriber_interrupt, METH_NOARGS,
      "interrupt() -> None\n\nMakes threads that wait in ``next`` now raise ``FrameShareError``." },
    { "_await_frame", subscriber_await_frame, METH_O, "Waits for a frame, and keeps it for the next call." },
    { "_take_kept", subscriber_take_kept, METH_NOARGS, "The first frame that was kept." },
    { "_streams", subscriber_streams, METH_NOARGS, "The streams subscribed to." },
    { "_statistics", subscriber_statistics, METH_NOARGS, "The members of C's struct." },
    { "_warn", subscriber_warn, METH_NOARGS, "Says once that the budget is used up, if that was this thread's last error." },
    { "_close", subscriber_close, METH_NOARGS, "Leaves the channel." },
    { "__reduce__", subscriber_reduce, METH_NOARGS, "A subscriber can't be pickled." },
    { NULL, NULL, 0, NULL },
};

static PyGetSetDef subscriber_attributes[] = {
    { "channel", subscriber_channel, NULL, "The channel's name.", NULL },
    { "ended", subscriber_ended, NULL, "Whether the channel is known to have ended in order.", NULL },
    { "source_trouble", subscriber_source_trouble, NULL,
      "What is amiss with the source now, in its own words, such as a camera that can't be started; \"\": nothing.", NULL },
    { "_closed", subscriber_closed, NULL, "Whether it was closed.", NULL },
    { "_has_warned", subscriber_warned, NULL, "Whether it was said that the budget is used up.", NULL },
    { NULL, NULL, NULL, NULL, NULL },
};

static PyType_Slot subscriber_slots[] = {
    { Py_tp_dealloc, subscriber_dealloc },
    { Py_tp_repr, subscriber_repr },
    { Py_tp_iter, subscriber_iter },
    { Py_tp_methods, subscriber_methods },
    { Py_tp_getset, subscriber_attributes },
    { Py_tp_doc, "What frameshare.Subscriber takes frames by." },
    { 0, NULL },
};

static PyType_Spec subscriber_spec = {
    .name = "frameshare._native.Subscriber",
    .basicsize = sizeof(Subscriber),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = subscriber_slots,
};

int add_subscribers(PyObject *module) {
    subscriber_type = add_type(module, &subscriber_spec);
    iterator_type = subscriber_type == NULL ? NULL : add_type(module, &iterator_spec);
    return iterator_type == NULL ? -1 : 0;
}
