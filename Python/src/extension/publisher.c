/* Publishers: getting slots, and publishing those that a source has filled. What is not done for each frame is in publisher.py. */
#include "extension.h"

#include "members.h"

#include <string.h>

PyTypeObject *publisher_type;

frameshare_publisher *open_publisher(Publisher *self) {
    if (self->handle != NULL) return self->handle;
    if (self->channel == NULL) return raise_error(FRAMESHARE_ERROR_INVALID_HANDLE, "this publisher was not opened");
    return raise_error(FRAMESHARE_ERROR_INVALID_HANDLE, "this publisher of '%S' was closed", self->channel);
}

static frameshare_publisher *opened(PyObject *self) { return open_publisher((Publisher *)self); }

/* A call that takes a publisher's handle and raises or returns None. */
static PyObject *done(int result) {
    if (result < 0) return raise_result(result);
    Py_RETURN_NONE;
}

/* ------------------------------------------------------------------------------------------------ opening */

/* (descriptor, kind of memory's number, size) of each buffer. `malloc`ed. */
static struct frameshare_buffer *buffers_of(PyObject *buffers, size_t *count) {
    *count = (size_t)PyTuple_Size(buffers);
    struct frameshare_buffer *result = PyMem_Calloc(*count + 1, sizeof *result);
    if (result == NULL) return (struct frameshare_buffer *)PyErr_NoMemory();
    for (size_t i = 0; i < *count; i++) {
        PyObject *fd, *size;
        unsigned memory;
        int64_t number;
        PyObject *buffer = PyTuple_GetItem(buffers, (Py_ssize_t)i);
        if (!is_tuple(buffer, "a buffer") || !PyArg_ParseTuple(buffer, "OIO", &fd, &memory, &size)
            || !signed_of("a buffer's descriptor", fd, INT32_MIN, INT32_MAX, &number)
            || !unsigned_of("a buffer's size", size, UINT64_MAX, &result[i].size)) {
            PyMem_Free(result);
            return NULL;
        }
        result[i].fd = (int)number;
        result[i].memory = memory;
    }
    return result;
}

static PyObject *publisher_open(PyObject *object, PyObject *arguments) {
    Publisher *self = (Publisher *)object;
    PyObject *channel, *streams, *buffers, *options, *users;
    unsigned slots;
    if (!PyArg_ParseTuple(arguments, "OO!IO!OO:_open", &channel, &PyTuple_Type, &streams, &slots, &PyDict_Type, &options,
                          &users, &buffers)) {
        return NULL;
    }
    if (self->handle != NULL) {
        return raise_error(FRAMESHARE_ERROR_INVALID_ARGUMENT, "this publisher of '%S' is open", self->channel);
    }
    struct frameshare_publisher_options c = frameshare_publisher_options_init();
    uint32_t *allowed = NULL;
    struct frameshare_stream *c_streams = NULL;
    struct frameshare_buffer *c_buffers = NULL;
    PyObject *names = NULL, *name = NULL, *result = NULL;
    frameshare_publisher *handle = NULL;
    size_t stream_count, buffer_count = 0;
    if (!set_members(&c, publisher_options_members, options)) goto end;
    if (users != Py_None) {
        if (!is_tuple(users, "allowed_users")) goto end;
        Py_ssize_t count = PyTuple_Size(users);
        allowed = PyMem_Calloc((size_t)count + 1, sizeof *allowed);
        if (allowed == NULL) {
            PyErr_NoMemory();
            goto end;
        }
        for (Py_ssize_t i = 0; i < count; i++) {
            uint64_t user;
            if (!unsigned_of("allowed_users", PyTuple_GetItem(users, i), UINT32_MAX, &user)) goto end;
            allowed[i] = (uint32_t)user;
        }
        c.allowed_users = allowed;
        c.allowed_user_count = (uint32_t)count;
    }
    c_streams = streams_of(streams, &stream_count, &names);
    name = c_streams == NULL ? NULL : encoded(channel);
    if (name == NULL) goto end;
    if (buffers != Py_None) {
        if (!is_tuple(buffers, "buffers")) goto end;
        c_buffers = buffers_of(buffers, &buffer_count);
        if (c_buffers == NULL) goto end;
    }
    int outcome;
    Py_BEGIN_ALLOW_THREADS
    outcome = c_buffers == NULL
        ? frameshare_publisher_open(characters(name), c_streams, stream_count, slots, &c, &handle)
        : frameshare_publisher_open_buffers(characters(name), c_streams, stream_count, slots, c_buffers, buffer_count, &c, &handle);
    Py_END_ALLOW_THREADS
    if (outcome < 0) {
        raise_result(outcome);
        goto end;
    }
    self->handle = handle;
    self->makes_copies = c.copy_slots > 0;
    Py_XSETREF(self->channel, Py_NewRef(channel));
    Py_XSETREF(self->names, Py_NewRef(names));
    result = Py_NewRef(Py_None);
end:
    Py_XDECREF(name);
    Py_XDECREF(names);
    PyMem_Free(allowed);
    PyMem_Free(c_streams);
    PyMem_Free(c_buffers);
    return result;
}

static PyObject *publisher_reconfigure(PyObject *object, PyObject *arguments) {
    Publisher *self = (Publisher *)object;
    PyObject *streams, *buffers, *names = NULL;
    unsigned slots;
    if (!PyArg_ParseTuple(arguments, "O!IO:_reconfigure", &PyTuple_Type, &streams, &slots, &buffers)) return NULL;
    frameshare_publisher *handle = opened(object);
    if (handle == NULL) return NULL;
    size_t stream_count, buffer_count = 0;
    struct frameshare_stream *c_streams = streams_of(streams, &stream_count, &names);
    struct frameshare_buffer *c_buffers = NULL;
    bool is_right = c_streams != NULL;
    if (is_right && buffers != Py_None) {
        if (is_tuple(buffers, "buffers")) c_buffers = buffers_of(buffers, &buffer_count);
        is_right = c_buffers != NULL;
    }
    int outcome = RAISED;
    if (is_right) {
        Py_BEGIN_ALLOW_THREADS
        outcome = c_buffers == NULL
            ? frameshare_publisher_reconfigure(handle, c_streams, stream_count, slots)
            : frameshare_publisher_reconfigure_buffers(handle, c_streams, stream_count, slots, c_buffers, buffer_count);
        Py_END_ALLOW_THREADS
    }
    if (outcome >= 0) Py_XSETREF(self->names, Py_NewRef(names));
    Py_XDECREF(names);
    PyMem_Free(c_streams);
    PyMem_Free(c_buffers);
    return done(outcome);
}

/* ------------------------------------------------------------------------------------------------ slots */

typedef struct {
    frameshare_publisher *publisher;
    frameshare_slot *slot;
    const char *group;
    uint32_t count;
    int64_t linger;
} Wait;

static int wait_for_slot(void *context, int64_t nanoseconds) {
    Wait *wait = context;
    return frameshare_publisher_next_slot(wait->publisher, nanoseconds, &wait->slot);
}

static PyObject *publisher_slot(PyObject *self, PyObject *const *arguments, Py_ssize_t count, PyObject *names) {
    PyObject *timeout = count == 1 ? arguments[0] : Py_None;
    Py_ssize_t named = names == NULL ? 0 : PyTuple_Size(names);
    if (count + named > 1 || (named == 1 && PyUnicode_CompareWithASCIIString(PyTuple_GetItem(names, 0), "timeout") != 0)) {
        PyErr_SetString(PyExc_TypeError, "slot() takes a timeout alone");
        return NULL;
    }
    if (named == 1) timeout = arguments[count];
    int64_t nanoseconds = -1;
    if (timeout != Py_None && !nanoseconds_of("timeout", timeout, &nanoseconds)) return NULL;
    Wait wait = { .publisher = opened(self) };
    if (wait.publisher == NULL) return NULL;
    int result = frameshare_publisher_try_next_slot(wait.publisher, &wait.slot);
    if (result == FRAMESHARE_NO_FRAME) result = wait_for(wait_for_slot, &wait, nanoseconds);
    return result < 0 ? raise_result(result) : new_slot((Publisher *)self, wait.slot);
}

static PyObject *publisher_try_slot(PyObject *self, PyObject *unused) {
    (void)unused;
    frameshare_publisher *handle = opened(self);
    frameshare_slot *slot = NULL;
    int result = handle == NULL ? RAISED : frameshare_publisher_try_next_slot(handle, &slot);
    if (result < 0) return raise_result(result);
    if (result == FRAMESHARE_NO_FRAME) Py_RETURN_NONE;
    return new_slot((Publisher *)self, slot);
}

/* ------------------------------------------------------------------------------------------------ descriptions */

static bool clock_of(PyObject *clock, uint32_t *number) {
    static const struct {
        const char *name;
        uint32_t number;
    } clocks[] = { { "monotonic", FRAMESHARE_CLOCK_MONOTONIC }, { "boottime", FRAMESHARE_CLOCK_BOOTTIME },
                   { "realtime", FRAMESHARE_CLOCK_REALTIME }, { "unknown", FRAMESHARE_CLOCK_UNKNOWN } };
    for (size_t i = 0; i < 4; i++) {
        *number = clocks[i].number;
        if (clock == NULL) return true;
        if (PyUnicode_Check(clock) && PyUnicode_CompareWithASCIIString(clock, clocks[i].name) == 0) return true;
    }
    raise_error(FRAMESHARE_ERROR_INVALID_ARGUMENT, "there is no clock '%S'; use monotonic, boottime, realtime, unknown", clock);
    return false;
}

static bool bytes_used_of(Publisher *publisher, PyObject *used, struct frameshare_description *c) {
    Py_ssize_t count = publisher->names == NULL ? 0 : PyTuple_Size(publisher->names);
    for (Py_ssize_t stream = 0; stream < count && stream < FRAMESHARE_MAX_STREAMS; stream++) {
        PyObject *counts = PyDict_GetItemWithError(used, PyTuple_GetItem(publisher->names, stream));
        if (counts == NULL && PyErr_Occurred()) return false;
        Py_ssize_t planes = counts == NULL ? 0 : PyTuple_Size(counts);
        if (planes < 0) return false;
        for (Py_ssize_t plane = 0; plane < planes && plane < FRAMESHARE_MAX_PLANES; plane++) {
            if (!unsigned_of("bytes_used", PyTuple_GetItem(counts, plane), UINT64_MAX, &c->bytes_used[stream][plane])) {
                return false;
            }
            c->has_bytes_used = 1;
        }
    }
    return true;
}

bool description_of(Publisher *publisher, const Said *said, struct frameshare_description *c, bool *is_needed) {
    *is_needed = said->timestamp != NULL || said->clock != NULL || said->sequence != NULL || said->flags != NULL || said->used != NULL;
    if (!*is_needed) return true;
    *c = frameshare_description_init();
    uint64_t flags = 0;
    if (!clock_of(said->clock, &c->clock)) return false;
    if (said->flags != NULL && !unsigned_of("flags", said->flags, UINT32_MAX, &flags)) return false;
    c->flags = (uint32_t)flags;
    if (said->timestamp != NULL && said->timestamp != Py_None) {
        c->has_timestamp = 1;
        if (!signed_of("timestamp", said->timestamp, INT64_MIN, INT64_MAX, &c->timestamp)) return false;
    }
    if (said->sequence != NULL && said->sequence != Py_None) {
        c->has_sequence = 1;
        if (!unsigned_of("sequence", said->sequence, UINT64_MAX, &c->sequence)) return false;
    }
    return said->used == NULL || bytes_used_of(publisher, said->used, c);
}

/* ------------------------------------------------------------------------------------------------ a source's own buffers */

/* What `publish_slot` and `ask_slot` are given. */
typedef struct {
    struct frameshare_description description;
    bool is_described;
    frameshare_metadata *metadata;
    uint32_t slot;
} Given;

static bool given(Publisher *self, PyObject *slot, PyObject *metadata, Said *said, PyObject *used, Given *result) {
    uint64_t number;
    if (!unsigned_of("slot", slot, UINT32_MAX, &number)) return false;
    result->slot = (uint32_t)number;
    PyObject *counts = NULL;
    if (used != NULL && used != Py_None) {
        /* A stream's only count as that of its first plane. */
        PyObject *items = PyMapping_Items(used);
        counts = items == NULL ? NULL : PyDict_New();
        for (Py_ssize_t i = 0; counts != NULL && i < PyList_Size(items); i++) {
            PyObject *name, *count, *tuple = NULL;
            PyObject *item = PyList_GetItem(items, i);
            if (is_tuple(item, "an item") && PyArg_ParseTuple(item, "OO", &name, &count)) tuple = Py_BuildValue("(O)", count);
            if (tuple == NULL || PyDict_SetItem(counts, name, tuple) < 0) Py_CLEAR(counts);
            Py_XDECREF(tuple);
        }
        Py_XDECREF(items);
        if (counts == NULL) return false;
        said->used = counts;
    }
    bool is_right = description_of(self, said, &result->description, &result->is_described);
    Py_XDECREF(counts);
    return is_right && take_writer(metadata, false, &result->metadata);
}

static PyObject *publisher_publish_slot(PyObject *object, PyObject *arguments, PyObject *keywords) {
    static char *names[] = { "slot", "metadata", "timestamp", "clock", "sequence", "flags", "bytes_used", NULL };
    PyObject *slot, *metadata = NULL, *used = NULL;
    Said said = { 0 };
    Given what;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O|$OOOOOO:publish_slot", names, &slot, &metadata, &said.timestamp,
                                     &said.clock, &said.sequence, &said.flags, &used)) {
        return NULL;
    }
    if (opened(object) == NULL || !given((Publisher *)object, slot, metadata, &said, used, &what)) return NULL;
    frameshare_publisher *handle = opened(object);
    uint64_t number = 0;
    int result = RAISED;
    if (handle != NULL) {
        /* A camera's buffers: the end of the CPU's access may take its time. */
        Py_BEGIN_ALLOW_THREADS
        result = frameshare_publisher_publish(handle, what.slot, what.is_described ? &what.description : NULL, what.metadata, &number);
        Py_END_ALLOW_THREADS
    }
    give_back_writer(what.metadata);
    return result < 0 ? raise_result(result) : PyLong_FromUnsignedLongLong(number);
}

static PyObject *publisher_ask_slot(PyObject *object, PyObject *arguments, PyObject *keywords) {
    static char *names[] = { "slot", "group", "options", "metadata", "timestamp", "clock", "sequence", "flags", "bytes_used", NULL };
    PyObject *slot, *group, *values, *metadata = NULL, *used = NULL, *pending = NULL;
    Said said = { 0 };
    Given what = { .metadata = NULL };
    struct frameshare_ask_options options;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "OO&O|$OOOOOO:_ask_slot", names, &slot, encoded_argument, &group,
                                     &values, &metadata, &said.timestamp, &said.clock, &said.sequence, &said.flags, &used)) {
        return NULL;
    }
    if (opened(object) != NULL && ask_options_of(values, &options) && given((Publisher *)object, slot, metadata, &said, used, &what)) {
        frameshare_publisher *handle = opened(object);
        frameshare_pending *asked = NULL;
        int result = RAISED;
        if (handle != NULL) {
            Py_BEGIN_ALLOW_THREADS
            result = frameshare_publisher_ask(handle, what.slot, characters(group), what.is_described ? &what.description : NULL,
                                              what.metadata, &options, &asked);
            Py_END_ALLOW_THREADS
        }
        pending = result < 0 ? raise_result(result) : new_pending(asked);
    }
    give_back_writer(what.metadata);
    Py_DECREF(group);
    return pending;
}

/* The most slots that a pool has. */
enum { MOST_SLOTS = 1024 };

static PyObject *list_of(const uint32_t *numbers, size_t count) {
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; list != NULL && i < count; i++) {
        PyObject *number = PyLong_FromUnsignedLong(numbers[i]);
        if (number == NULL) Py_CLEAR(list);
        else PyList_SetItem(list, (Py_ssize_t)i, number);
    }
    return list;
}

static PyObject *publisher_take_free(PyObject *self, PyObject *unused) {
    (void)unused;
    uint32_t slots[MOST_SLOTS];
    size_t count = 0;
    frameshare_publisher *handle = opened(self);
    int result = handle == NULL ? RAISED : frameshare_publisher_take_free(handle, slots, MOST_SLOTS, &count);
    return result < 0 ? raise_result(result) : list_of(slots, count);
}

static PyObject *publisher_held_slots(PyObject *self, PyObject *generation) {
    uint32_t slots[MOST_SLOTS];
    size_t count = 0;
    uint64_t number;
    if (!unsigned_of("generation", generation, UINT32_MAX, &number)) return NULL;
    frameshare_publisher *handle = opened(self);
    int result = handle == NULL ? RAISED
                                : frameshare_publisher_held_slots(handle, (uint32_t)number, slots, MOST_SLOTS, &count);
    PyObject *list = result < 0 ? raise_result(result) : list_of(slots, count);
    PyObject *set = list == NULL ? NULL : PyFrozenSet_New(list);
    Py_XDECREF(list);
    return set;
}

static PyObject *publisher_give_back(PyObject *self, PyObject *slot) {
    uint64_t number;
    frameshare_publisher *handle = opened(self);
    if (handle == NULL || !unsigned_of("slot", slot, UINT32_MAX, &number)) return NULL;
    return done(frameshare_publisher_give_back(handle, (uint32_t)number));
}

static PyObject *publisher_free_slot_fd(PyObject *self, PyObject *unused) {
    (void)unused;
    int fd = -1;
    frameshare_publisher *handle = opened(self);
    int result = handle == NULL ? RAISED : frameshare_publisher_free_slot_fd(handle, &fd);
    return result < 0 ? raise_result(result) : PyLong_FromLong(fd);
}

static PyObject *publisher_generation(PyObject *self, void *unused) {
    (void)unused;
    uint32_t generation = 0;
    frameshare_publisher *handle = opened(self);
    int result = handle == NULL ? RAISED : frameshare_publisher_generation(handle, &generation);
    return result < 0 ? raise_result(result) : PyLong_FromUnsignedLong(generation);
}

static PyObject *publisher_count_lost(PyObject *self, PyObject *arguments, PyObject *keywords) {
    static char *names[] = { "source", "no_free_slot", NULL };
    PyObject *source = NULL, *no_free_slot = NULL;
    uint64_t by_source = 0, by_shortage = 0;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "|$OO:count_lost", names, &source, &no_free_slot)) return NULL;
    if (source != NULL && !unsigned_of("source", source, UINT64_MAX, &by_source)) return NULL;
    if (no_free_slot != NULL && !unsigned_of("no_free_slot", no_free_slot, UINT64_MAX, &by_shortage)) return NULL;
    frameshare_publisher *handle = opened(self);
    return handle == NULL ? NULL : done(frameshare_publisher_count_lost(handle, by_source, by_shortage));
}

/* ------------------------------------------------------------------------------------------------ waiting */

static int wait_for_room(void *context, int64_t nanoseconds) {
    return frameshare_publisher_wait_for_room(((Wait *)context)->publisher, nanoseconds);
}

static int wait_for_subscribers(void *context, int64_t nanoseconds) {
    Wait *wait = context;
    return frameshare_publisher_wait_for_subscribers(wait->publisher, wait->count, nanoseconds);
}

static int wait_for_demand(void *context, int64_t nanoseconds) {
    return frameshare_publisher_wait_for_demand(((Wait *)context)->publisher, nanoseconds);
}

static int wait_for_no_demand(void *context, int64_t nanoseconds) {
    Wait *wait = context;
    return frameshare_publisher_wait_for_no_demand(wait->publisher, wait->linger, nanoseconds);
}

static int wait_for_group(void *context, int64_t nanoseconds) {
    Wait *wait = context;
    return frameshare_publisher_wait_for_group(wait->publisher, wait->group, nanoseconds);
}

static int drain(void *context, int64_t nanoseconds) {
    return frameshare_publisher_drain(((Wait *)context)->publisher, nanoseconds, NULL);
}

static PyObject *waited(PyObject *self, Waiting call, Wait *wait, PyObject *timeout) {
    int64_t nanoseconds;
    wait->publisher = opened(self);
    if (wait->publisher == NULL || !nanoseconds_of("timeout", timeout, &nanoseconds)) return NULL;
    return done(wait_for(call, wait, nanoseconds));
}

static PyObject *only_timeout(PyObject *self, Waiting call, const char *format, PyObject *arguments, PyObject *keywords) {
    static char *names[] = { "timeout", NULL };
    PyObject *timeout = Py_None;
    Wait wait = { 0 };
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, format, names, &timeout)) return NULL;
    return waited(self, call, &wait, timeout);
}

static PyObject *publisher_wait_for_room(PyObject *self, PyObject *arguments, PyObject *keywords) {
    return only_timeout(self, wait_for_room, "|O:wait_for_room", arguments, keywords);
}

static PyObject *publisher_drain(PyObject *self, PyObject *arguments, PyObject *keywords) {
    return only_timeout(self, drain, "|O:drain", arguments, keywords);
}

static PyObject *publisher_wait_for_demand(PyObject *self, PyObject *arguments, PyObject *keywords) {
    return only_timeout(self, wait_for_demand, "|O:wait_for_demand", arguments, keywords);
}

static PyObject *publisher_wait_for_no_demand(PyObject *self, PyObject *arguments, PyObject *keywords) {
    static char *names[] = { "linger", "timeout", NULL };
    PyObject *linger, *timeout = Py_None;
    Wait wait = { 0 };
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O|O:wait_for_no_demand", names, &linger, &timeout)) return NULL;
    if (!nanoseconds_of("linger", linger, &wait.linger)) return NULL;
    return waited(self, wait_for_no_demand, &wait, timeout);
}

static PyObject *publisher_set_source_trouble(PyObject *self, PyObject *text) {
    frameshare_publisher *handle = opened(self);
    PyObject *bytes = handle == NULL ? NULL : encoded(text);
    if (bytes == NULL) return NULL;
    PyObject *result = done(frameshare_publisher_set_source_trouble(handle, characters(bytes)));
    Py_DECREF(bytes);
    return result;
}

static PyObject *publisher_wait_for_group(PyObject *self, PyObject *arguments, PyObject *keywords) {
    static char *names[] = { "group", "timeout", NULL };
    PyObject *group, *timeout = Py_None;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O&|O:wait_for_group", names, encoded_argument, &group, &timeout)) {
        return NULL;
    }
    Wait wait = { .group = characters(group) };
    PyObject *result = waited(self, wait_for_group, &wait, timeout);
    Py_DECREF(group);
    return result;
}

static PyObject *publisher_wait_for_subscribers(PyObject *self, PyObject *arguments) {
    PyObject *count, *timeout;
    uint64_t number;
    if (!PyArg_ParseTuple(arguments, "OO:_wait_for_subscribers", &count, &timeout)) return NULL;
    if (!unsigned_of("count", count, UINT32_MAX, &number)) return NULL;
    Wait wait = { .count = (uint32_t)number };
    return waited(self, wait_for_subscribers, &wait, timeout);
}

/* ------------------------------------------------------------------------------------------------ all else */

static PyObject *publisher_set_metadata_capacity(PyObject *self, PyObject *bytes) {
    uint64_t number;
    frameshare_publisher *handle = opened(self);
    if (handle == NULL || !unsigned_of("metadata_capacity", bytes, UINT32_MAX, &number)) return NULL;
    return done(frameshare_publisher_set_metadata_capacity(handle, (uint32_t)number));
}

static PyObject *publisher_close(PyObject *object, PyObject *revoke) {
    Publisher *self = (Publisher *)object;
    int revokes = PyObject_IsTrue(revoke);
    if (revokes < 0) return NULL;
    frameshare_publisher *handle = self->handle;
    self->handle = NULL;
    if (handle != NULL) {
        Py_BEGIN_ALLOW_THREADS
        if (revokes) frameshare_publisher_close_revoking(handle);
        else frameshare_publisher_close(handle);
        Py_END_ALLOW_THREADS
    }
    Py_RETURN_NONE;
}

static PyObject *publisher_fail(PyObject *object, PyObject *reason) {
    Publisher *self = (Publisher *)object;
    PyObject *words = encoded(reason);
    frameshare_publisher *handle = words == NULL ? NULL : opened(object);
    int result = RAISED;
    if (handle != NULL) {
        Py_BEGIN_ALLOW_THREADS
        result = frameshare_publisher_fail(handle, characters(words));
        Py_END_ALLOW_THREADS
        if (result >= 0) self->handle = NULL;
    }
    Py_XDECREF(words);
    return done(result);
}

static void publisher_dealloc(PyObject *self) {
    Publisher *publisher = (Publisher *)self;
    PyTypeObject *type = Py_TYPE(self);
    if (publisher->handle != NULL) {
        Py_BEGIN_ALLOW_THREADS
        frameshare_publisher_close(publisher->handle);
        Py_END_ALLOW_THREADS
    }
    Py_XDECREF(publisher->channel);
    Py_XDECREF(publisher->names);
    freefunc free = (freefunc)PyType_GetSlot(type, Py_tp_free);
    free(self);
    Py_DECREF(type);
}

static PyObject *publisher_channel(PyObject *self, void *unused) {
    (void)unused;
    PyObject *channel = ((Publisher *)self)->channel;
    return Py_NewRef(channel == NULL ? Py_None : channel);
}

static PyObject *publisher_closed(PyObject *self, void *unused) {
    (void)unused;
    return PyBool_FromLong(((Publisher *)self)->handle == NULL);
}

static PyObject *publisher_repr(PyObject *object) {
    Publisher *self = (Publisher *)object;
    if (self->channel == NULL) return PyUnicode_FromString("<frameshare.Publisher, not opened>");
    return PyUnicode_FromFormat("<frameshare.Publisher of '%S'%s>", self->channel, self->handle == NULL ? ", closed" : "");
}

static PyObject *publisher_reduce(PyObject *self, PyObject *unused) {
    (void)unused;
    PyErr_Format(PyExc_TypeError, "%R can't be pickled or copied", self);
    return NULL;
}

#define WITH_KEYWORDS(function) (PyCFunction)(void (*)(void))function, METH_VARARGS | METH_KEYWORDS

static PyMethodDef publisher_methods[] = {
    { "_open", publisher_open, METH_VARARGS, "_open(channel, streams, slots, options, allowed_users, buffers)" },
    { "_reconfigure", publisher_reconfigure, METH_VARARGS, "_reconfigure(streams, slots, buffers)" },
    { "slot", (PyCFunction)(void (*)(void))publisher_slot, METH_FASTCALL | METH_KEYWORDS,
      "slot(timeout: float | None = None) -> Slot\n\nA free slot to fill in place; waits for it. ``TimedOut`` when it takes "
      "longer than so many seconds.\n\n>>> with publisher.slot() as slot:\n...     slot[\"main\"].array[:] = picture\n...     "
      "slot.metadata[\"ExposureTime\"] = 8000\n\nIt is published at the end of the block, or given back where the block raises." },
    { "try_slot", publisher_try_slot, METH_NOARGS,
      "try_slot() -> Slot | None\n\nA free slot if there is one now. A source that can't wait says so by ``count_lost``." },
    { "publish_slot", WITH_KEYWORDS(publisher_publish_slot),
      "publish_slot(slot: int, *, metadata=None, timestamp=None, clock=\"monotonic\", sequence=None, flags=0, bytes_used=None) -> int\n\n"
      "Publishes a slot that the source has filled. Never waits. ``bytes_used`` is for compressed streams." },
    { "_ask_slot", WITH_KEYWORDS(publisher_ask_slot), "_ask_slot(slot, group, options, *, ...)" },
    { "take_free", publisher_take_free, METH_NOARGS,
      "take_free() -> list[int]\n\nSlots that are free, by number: the source's from now on, until published or given back." },
    { "held_slots", publisher_held_slots, METH_O,
      "held_slots(generation: int) -> frozenset[int]\n\nThe slots of the present or an earlier generation whose frames subscribers "
      "still hold or are offered. A source that fills an earlier generation's buffers again must leave these alone." },
    { "give_back", publisher_give_back, METH_O, "give_back(slot: int) -> None\n\nTakes a slot back from the source, with no frame in it." },
    { "free_slot_fd", publisher_free_slot_fd, METH_NOARGS,
      "free_slot_fd() -> int\n\nAn eventfd, readable (read 8 bytes to clear it) when a slot may have come free after ``take_free`` "
      "left the source with no more than ``source_need``." },
    { "count_lost", WITH_KEYWORDS(publisher_count_lost),
      "count_lost(*, source: int = 0, no_free_slot: int = 0) -> None\n\nCounts frames that were lost before they could be published." },
    { "wait_for_room", WITH_KEYWORDS(publisher_wait_for_room),
      "wait_for_room(timeout: float | None = None) -> None\n\nWaits until each subscriber that asked for every frame can take one "
      "more, or its user has no time left (``stall_limit``): at once where that is 0." },
    { "wait_for_group", WITH_KEYWORDS(publisher_wait_for_group),
      "wait_for_group(group: str, timeout: float | None = None) -> None\n\nWaits until a member of a group can take a frame without "
      "losing another: the brake for a source that can wait." },
    { "drain", WITH_KEYWORDS(publisher_drain),
      "drain(timeout: float | None = None) -> None\n\nWaits until groups have answered all that they were asked, or failed: before "
      "``close``." },
    { "wait_for_demand", (PyCFunction)(void (*)(void))publisher_wait_for_demand, METH_VARARGS | METH_KEYWORDS,
      "wait_for_demand(timeout=None)\n\nWaits until a subscriber wants frames." },
    { "wait_for_no_demand", (PyCFunction)(void (*)(void))publisher_wait_for_no_demand, METH_VARARGS | METH_KEYWORDS,
      "wait_for_no_demand(linger, timeout=None)\n\nWaits until there has been no subscriber for so many seconds." },
    { "set_source_trouble", publisher_set_source_trouble, METH_O,
      "set_source_trouble(text)\n\nSays what is amiss with the source while the channel goes on; \"\": nothing any more. "
      "Subscribers and monitors are told." },
    { "_wait_for_subscribers", publisher_wait_for_subscribers, METH_VARARGS, "_wait_for_subscribers(count, timeout)" },
    { "_set_metadata_capacity", publisher_set_metadata_capacity, METH_O, "The most bytes of metadata from the next generation on." },
    { "_close", publisher_close, METH_O, "_close(revoke)" },
    { "fail", publisher_fail, METH_O,
      "fail(reason: str) -> None\n\nEnds the channel since its source has failed: subscribers get ``SourceFailed``." },
    { "__reduce__", publisher_reduce, METH_NOARGS, "A publisher can't be pickled." },
    { NULL, NULL, 0, NULL },
};

static PyGetSetDef publisher_attributes[] = {
    { "channel", publisher_channel, NULL, "The channel's name.", NULL },
    { "generation", publisher_generation, NULL, "Counts reconfigurations, from 1.", NULL },
    { "_closed", publisher_closed, NULL, "Whether it was closed.", NULL },
    { NULL, NULL, NULL, NULL, NULL },
};

static PyType_Slot publisher_slots[] = {
    { Py_tp_dealloc, publisher_dealloc },
    { Py_tp_repr, publisher_repr },
    { Py_tp_methods, publisher_methods },
    { Py_tp_getset, publisher_attributes },
    { Py_tp_doc, "What frameshare.Publisher publishes by." },
    { 0, NULL },
};

static PyType_Spec publisher_spec = {
    .name = "frameshare._native.Publisher",
    .basicsize = sizeof(Publisher),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = publisher_slots,
};

int add_publishers(PyObject *module) {
    publisher_type = add_type(module, &publisher_spec);
    return publisher_type == NULL ? -1 : 0;
}
