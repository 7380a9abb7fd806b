/* Frames: leases on slots, with images, numbers and metadata. */
#include "extension.h"

#include <string.h>

typedef struct {
    PyObject_HEAD
    /* NULL: it was released. */
    Lease *lease;
    Images images;
    bool has_info;
    struct frameshare_frame_info info;
    PyObject *metadata, *request;
    PyObject *weak_references;
} Frame;

static PyTypeObject *frame_type;

static Lease *held(Frame *self) {
    return self->lease != NULL ? self->lease : raise_error(FRAMESHARE_ERROR_INVALID_HANDLE, "this frame was released");
}

PyObject *new_frame(frameshare_frame *handle) {
    Lease *lease = new_lease(handle, false);
    /* The collector looks at it only once it has what can refer to it: a program's metadata. */
    Frame *frame = lease == NULL ? NULL : PyObject_GC_New(Frame, frame_type);
    if (frame == NULL) {
        Py_XDECREF(lease);
        return NULL;
    }
    frame->lease = lease;
    frame->images.count = 0;
    frame->has_info = false;
    frame->metadata = frame->request = frame->weak_references = NULL;
    return (PyObject *)frame;
}

void release_frame(PyObject *object) {
    Frame *frame = (Frame *)object;
    Lease *lease = frame->lease;
    frame->lease = NULL;
    void_images(&frame->images);
    drop_lease(lease);
}

static int frame_traverse(PyObject *self, visitproc visit, void *arg) {
    Frame *frame = (Frame *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(frame->metadata);
    Py_VISIT(frame->request);
    return 0;
}

static int frame_clear(PyObject *self) {
    Py_CLEAR(((Frame *)self)->metadata);
    Py_CLEAR(((Frame *)self)->request);
    return 0;
}

static void frame_dealloc(PyObject *self) {
    Frame *frame = (Frame *)self;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (frame->weak_references != NULL) PyObject_ClearWeakRefs(self);
    frame_clear(self);
    /* Images that somebody has stay as they are, and keep the lease. */
    for (unsigned i = 0; i < frame->images.count; i++) Py_DECREF(frame->images.all[i]);
    Py_XDECREF(frame->lease);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

/* ------------------------------------------------------------------------------------------------ images */

static PyObject *frame_item(PyObject *self, PyObject *stream) {
    Frame *frame = (Frame *)self;
    return held(frame) == NULL ? NULL : image_of(&frame->images, &frame->lease, stream);
}

static PyObject *frame_image(PyObject *self, PyObject *unused) {
    (void)unused;
    return frame_item(self, NULL);
}

static PyObject *frame_streams(PyObject *self, void *unused) {
    (void)unused;
    PyObject *list = PyList_New(0);
    for (size_t index = 0; list != NULL; index++) {
        Lease *lease = held((Frame *)self);
        struct frameshare_image c = frameshare_image_init();
        int result = lease == NULL ? RAISED : frameshare_frame_image_at(lease->handle, index, &c);
        if (result == FRAMESHARE_NOT_FOUND) break;
        PyObject *name = result < 0 ? raise_result(result) : text_of(c.stream);
        if (name == NULL || PyList_Append(list, name) < 0) Py_CLEAR(list);
        Py_XDECREF(name);
    }
    PyObject *result = list == NULL ? NULL : PyList_AsTuple(list);
    Py_XDECREF(list);
    return result;
}

static int frame_contains(PyObject *self, PyObject *stream) {
    PyObject *streams = frame_streams(self, NULL);
    int result = streams == NULL ? -1 : PySequence_Contains(streams, stream);
    Py_XDECREF(streams);
    return result;
}

static PyObject *frame_asked(PyObject *self, void *unused) {
    (void)unused;
    Images *images = &((Frame *)self)->images;
    PyObject *result = PyTuple_New(images->count);
    for (unsigned i = 0; result != NULL && i < images->count; i++) {
        PyTuple_SetItem(result, i, Py_NewRef((PyObject *)images->all[i]));
    }
    return result;
}

/* ------------------------------------------------------------------------------------------------ numbers */

static const struct frameshare_frame_info *info_of(PyObject *self) {
    Frame *frame = (Frame *)self;
    if (frame->has_info) return &frame->info;
    Lease *lease = held(frame);
    if (lease == NULL) return NULL;
    frame->info = frameshare_frame_info_init();
    int result = frameshare_frame_get_info(lease->handle, &frame->info);
    if (result < 0) return raise_result(result);
    frame->has_info = true;
    return &frame->info;
}

#define NUMBER(name, member, convert)                                                                                  \
    static PyObject *frame_##name(PyObject *self, void *unused) {                                                      \
        (void)unused;                                                                                                  \
        const struct frameshare_frame_info *info = info_of(self);                                                      \
        return info == NULL ? NULL : convert(info->member);                                                            \
    }

NUMBER(number, number, PyLong_FromUnsignedLongLong)
NUMBER(sequence, sequence, PyLong_FromUnsignedLongLong)
NUMBER(timestamp, timestamp, PyLong_FromLongLong)
NUMBER(publish_timestamp, publish_timestamp, PyLong_FromLongLong)
NUMBER(generation, generation, PyLong_FromUnsignedLong)

static PyObject *frame_clock(PyObject *self, void *unused) {
    (void)unused;
    static const char *const names[] = { "unknown", "monotonic", "boottime", "realtime" };
    const struct frameshare_frame_info *info = info_of(self);
    return info == NULL ? NULL : PyUnicode_InternFromString(names[info->clock < 4 ? info->clock : 0]);
}

static PyObject *frame_flags(PyObject *self, void *unused) {
    (void)unused;
    static PyObject *type;
    PyObject *flags = attribute_of("frameshare.frames", "FrameFlags", &type);
    const struct frameshare_frame_info *info = flags == NULL ? NULL : info_of(self);
    return info == NULL ? NULL : PyObject_CallFunction(flags, "I", info->flags);
}

static PyObject *frame_lost(PyObject *self, void *unused) {
    (void)unused;
    static PyObject *type;
    PyObject *loss = attribute_of("frameshare.frames", "Loss", &type);
    const struct frameshare_frame_info *info = loss == NULL ? NULL : info_of(self);
    return info == NULL ? NULL
                        : PyObject_CallFunction(loss, "KKKO", (unsigned long long)info->lost_source,
                                                (unsigned long long)info->lost_no_free_slot,
                                                (unsigned long long)info->lost_policy,
                                                info->lost_unknown ? Py_False : Py_True);
}

static PyObject *frame_revoked(PyObject *self, void *unused) {
    (void)unused;
    Lease *lease = held((Frame *)self);
    int revoked = 0, result = lease == NULL ? RAISED : frameshare_frame_is_revoked(lease->handle, &revoked);
    return result < 0 ? raise_result(result) : PyBool_FromLong(revoked);
}

static PyObject *frame_released(PyObject *self, void *unused) {
    (void)unused;
    return PyBool_FromLong(((Frame *)self)->lease == NULL);
}

/* ------------------------------------------------------------------------------------------------ metadata, request */

static int next_entry(const void *handle, size_t *cursor, struct frameshare_entry *entry) {
    return frameshare_frame_metadata_next(handle, cursor, entry);
}

static void keep(Frame *frame, PyObject **place, PyObject *value) {
    *place = value;
    if (!PyObject_GC_IsTracked((PyObject *)frame)) PyObject_GC_Track(frame);
}

static PyObject *frame_metadata(PyObject *self, void *unused) {
    (void)unused;
    Frame *frame = (Frame *)self;
    if (frame->metadata == NULL) {
        Lease *lease = held(frame);
        if (lease == NULL) return NULL;
        Py_INCREF(lease);
        PyObject *values = read_metadata(lease->handle, next_entry);
        Py_DECREF(lease);
        if (values == NULL) return NULL;
        if (frame->metadata == NULL) keep(frame, &frame->metadata, values);
        else Py_DECREF(values);
    }
    return Py_NewRef(frame->metadata);
}

static PyObject *frame_get(PyObject *self, PyObject *arguments, PyObject *keywords) {
    static char *names[] = { "key", "default", NULL };
    PyObject *key, *otherwise = Py_None;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O|O:get", names, &key, &otherwise)) return NULL;
    PyObject *name = encoded(key);
    Lease *lease = name == NULL ? NULL : held((Frame *)self);
    if (lease == NULL) {
        Py_XDECREF(name);
        return NULL;
    }
    struct frameshare_entry entry;
    int result = frameshare_frame_metadata(lease->handle, characters(name), &entry);
    Py_DECREF(name);
    if (result < 0) return raise_result(result);
    if (result == FRAMESHARE_NOT_FOUND) return Py_NewRef(otherwise);
    Py_INCREF(lease);
    PyObject *value = decoded(&entry);
    Py_DECREF(lease);
    return value;
}

static PyObject *frame_original_point(PyObject *self, PyObject *arguments) {
    double x, y;
    if (!PyArg_ParseTuple(arguments, "dd:original_point", &x, &y)) return NULL;
    Lease *lease = held((Frame *)self);
    if (lease == NULL) return NULL;
    int result = frameshare_frame_original_point(lease->handle, x, y, &x, &y);
    return result < 0 ? raise_result(result) : Py_BuildValue("(dd)", x, y);
}

static PyObject *frame_request(PyObject *self, void *unused) {
    (void)unused;
    Frame *frame = (Frame *)self;
    if (frame->request != NULL) return Py_NewRef(frame->request);
    static PyObject *type;
    PyObject *request_type = attribute_of("frameshare.groups", "Request", &type);
    const struct frameshare_frame_info *info = request_type == NULL ? NULL : info_of(self);
    Lease *lease = info == NULL ? NULL : held(frame);
    if (lease == NULL) return NULL;
    frameshare_request *request = NULL;
    int result = frameshare_frame_request(lease->handle, &request);
    if (result < 0) return raise_result(result);
    PyObject *made;
    if (result == FRAMESHARE_NOT_FOUND) {
        made = Py_NewRef(Py_None);
    } else {
        PyObject *handle = new_handle(request, end_request, true);
        made = handle == NULL ? NULL
                              : PyObject_CallFunction(request_type, "OK", handle, (unsigned long long)info->number);
        Py_XDECREF(handle);
    }
    if (made == NULL) return NULL;
    if (frame->request == NULL) keep(frame, &frame->request, made);
    else Py_DECREF(made);
    return Py_NewRef(frame->request);
}

/* ------------------------------------------------------------------------------------------------ the end */

static PyObject *frame_release(PyObject *self, PyObject *unused) {
    (void)unused;
    release_frame(self);
    Py_RETURN_NONE;
}

static PyObject *frame_enter(PyObject *self, PyObject *unused) {
    (void)unused;
    return held((Frame *)self) == NULL ? NULL : Py_NewRef(self);
}

static PyObject *frame_exit(PyObject *self, PyObject *arguments) {
    (void)arguments;
    release_frame(self);
    Py_RETURN_NONE;
}

static PyObject *frame_repr(PyObject *self) {
    if (((Frame *)self)->lease == NULL) return PyUnicode_FromString("<frameshare.Frame, released>");
    const struct frameshare_frame_info *info = info_of(self);
    PyObject *streams = info == NULL ? NULL : frame_streams(self, NULL);
    PyObject *comma = streams == NULL ? NULL : PyUnicode_FromString(", ");
    PyObject *names = comma == NULL ? NULL : PyUnicode_Join(comma, streams);
    PyObject *result = names == NULL ? NULL
                                     : PyUnicode_FromFormat("<frameshare.Frame %llu: %U>",
                                                            (unsigned long long)info->number, names);
    Py_XDECREF(names);
    Py_XDECREF(comma);
    Py_XDECREF(streams);
    return result;
}

static PyObject *frame_reduce(PyObject *self, PyObject *unused) {
    (void)unused;
    PyErr_Format(PyExc_TypeError, "%R can't be pickled or copied: it is held by this process. Copy its arrays: array.copy()", self);
    return NULL;
}

static PyMethodDef frame_methods[] = {
    { "original_point", frame_original_point, METH_VARARGS,
      "original_point(x, y) -> (x, y)\n\n"
      "Where a point of a converted frame lies in the frame that the camera gave, in pixels from the upper left corner. The same "
      "point where nothing has converted the frame." },
    { "image", frame_image, METH_NOARGS, "image() -> Image\n\nThe image of the first stream." },
    { "get", (PyCFunction)(void (*)(void))frame_get, METH_VARARGS | METH_KEYWORDS,
      "get(key: str, default=None)\n\nOne metadata value, without decoding the others." },
    { "release", frame_release, METH_NOARGS, "release() -> None\n\nGives it back. A second time does nothing." },
    { "__enter__", frame_enter, METH_NOARGS, NULL },
    { "__exit__", frame_exit, METH_VARARGS, NULL },
    { "__reduce__", frame_reduce, METH_NOARGS, "A frame can't be pickled." },
    { NULL, NULL, 0, NULL },
};

static PyGetSetDef frame_attributes[] = {
    { "streams", frame_streams, NULL, "The names of the streams that were subscribed to: a tuple.", NULL },
    { "number", frame_number, NULL, "Counts the channel's published frames from 1.", NULL },
    { "sequence", frame_sequence, NULL, "The source's own count; its gaps are frames that the source lost.", NULL },
    { "timestamp", frame_timestamp, NULL, "When it was captured, in nanoseconds on ``clock``.", NULL },
    { "clock", frame_clock, NULL,
      "The timestamp's clock: \"monotonic\", \"boottime\" (libcamera), \"realtime\" or \"unknown\".", NULL },
    { "publish_timestamp", frame_publish_timestamp, NULL,
      "When it was published, in nanoseconds on the monotonic clock (``time.monotonic_ns()``).", NULL },
    { "generation", frame_generation, NULL, "Counts the channel's reconfigurations, from 1.", NULL },
    { "flags", frame_flags, NULL, "What is particular about it: ``FrameFlags``.", NULL },
    { "lost", frame_lost, NULL, "What was lost since the frame before it: ``Loss``.", NULL },
    { "revoked", frame_revoked, NULL,
      "Whether the publisher has taken the frame back meanwhile. Ask after reading: as long as it is false, what was read is "
      "what was published.",
      NULL },
    { "metadata", frame_metadata, NULL, "What came with it, under libcamera's names. The dictionary may be kept.", NULL },
    { "request", frame_request, NULL,
      "The publisher's wish for an answer to it: ``Request``; None unless the subscriber is a member of a group.", NULL },
    { "released", frame_released, NULL, "Whether it was given back.", NULL },
    { "_images", frame_asked, NULL, "The images that were asked for.", NULL },
    { NULL, NULL, NULL, NULL, NULL },
};

static PyMemberDef frame_members[] = {
    { "__weaklistoffset__", T_PYSSIZET, offsetof(Frame, weak_references), READONLY, NULL },
    { NULL, 0, 0, 0, NULL },
};

static PyType_Slot frame_slots[] = {
    { Py_tp_dealloc, frame_dealloc },
    { Py_tp_traverse, frame_traverse },
    { Py_tp_clear, frame_clear },
    { Py_tp_repr, frame_repr },
    { Py_mp_subscript, frame_item },
    { Py_sq_contains, frame_contains },
    { Py_tp_methods, frame_methods },
    { Py_tp_getset, frame_attributes },
    { Py_tp_members, frame_members },
    { Py_tp_doc,
      "A frame that this process holds. ``frame[\"main\"].array`` is its image, in the very memory the camera wrote.\n\n"
      "It is given back by ``release()``, at the end of a ``with`` block, by the ``for`` loop that it came from, or when nothing "
      "refers to it. Arrays that were taken of it keep the slot leased as long as they live; the frame itself, and its images, "
      "can't be used once it was released: ``Released``. ``frame[stream]`` is the ``Image`` of a stream; ``NoSuchStream`` (a "
      "``KeyError``) for one that was not subscribed to." },
    { 0, NULL },
};

static PyType_Spec frame_spec = {
    .name = "frameshare.Frame",
    .basicsize = sizeof(Frame),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = frame_slots,
};

int add_frames(PyObject *module) {
    frame_type = add_type(module, &frame_spec);
    return frame_type == NULL ? -1 : 0;
}
