/* Slots: filled in place, and published. */
#include "extension.h"

#include <string.h>

typedef struct {
    PyObject_HEAD
    Publisher *publisher;
    /* NULL: it was published or given back. */
    Lease *lease;
    Images images;
    /* What goes with the frame. NULL: nothing was said. */
    PyObject *metadata;
    Said said;
    PyObject *weak_references;
} Slot;

static PyTypeObject *slot_type;

static Lease *held(Slot *self) {
    return self->lease != NULL ? self->lease
                               : raise_error(FRAMESHARE_ERROR_INVALID_HANDLE, "this slot was published or given back");
}

PyObject *new_slot(Publisher *publisher, frameshare_slot *handle) {
    Lease *lease = new_lease(handle, true);
    Slot *slot = lease == NULL ? NULL : PyObject_GC_New(Slot, slot_type);
    if (slot == NULL) {
        Py_XDECREF(lease);
        return NULL;
    }
    slot->publisher = (Publisher *)Py_NewRef((PyObject *)publisher);
    slot->lease = lease;
    slot->images.count = 0;
    slot->metadata = slot->weak_references = NULL;
    memset(&slot->said, 0, sizeof slot->said);
    /* A program may keep it in its publisher, which it keeps: only the collector ends such two. */
    PyObject_GC_Track(slot);
    return (PyObject *)slot;
}

static int slot_traverse(PyObject *self, visitproc visit, void *arg) {
    Slot *slot = (Slot *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(slot->publisher);
    Py_VISIT(slot->metadata);
    Py_VISIT(slot->said.timestamp);
    Py_VISIT(slot->said.clock);
    Py_VISIT(slot->said.sequence);
    Py_VISIT(slot->said.flags);
    Py_VISIT(slot->said.used);
    return 0;
}

static int slot_clear(PyObject *self) {
    Slot *slot = (Slot *)self;
    Py_CLEAR(slot->metadata);
    Py_CLEAR(slot->said.timestamp);
    Py_CLEAR(slot->said.clock);
    Py_CLEAR(slot->said.sequence);
    Py_CLEAR(slot->said.flags);
    Py_CLEAR(slot->said.used);
    return 0;
}

static void slot_dealloc(PyObject *self) {
    Slot *slot = (Slot *)self;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (slot->weak_references != NULL) PyObject_ClearWeakRefs(self);
    slot_clear(self);
    for (unsigned i = 0; i < slot->images.count; i++) Py_DECREF(slot->images.all[i]);
    Py_XDECREF(slot->lease);
    Py_XDECREF(slot->publisher);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

/* ------------------------------------------------------------------------------------------------ filling */

static PyObject *slot_item(PyObject *self, PyObject *stream) {
    Slot *slot = (Slot *)self;
    return held(slot) == NULL ? NULL : image_of(&slot->images, &slot->lease, stream);
}

static PyObject *used_so_far(Slot *slot) {
    if (slot->said.used == NULL) slot->said.used = PyDict_New();
    return slot->said.used;
}

static bool set_used(Slot *slot, PyObject *stream, PyObject *count) {
    PyObject *used = used_so_far(slot), *list = used == NULL ? NULL : PyTuple_New(1);
    if (list == NULL) return false;
    PyTuple_SetItem(list, 0, Py_NewRef(count));
    int result = PyDict_SetItem(used, stream, list);
    Py_DECREF(list);
    return result == 0;
}

static bool fill_bytes(Slot *slot, Image *image, PyObject *stream, PyObject *content) {
    Py_buffer view;
    if (PyObject_GetBuffer(content, &view, PyBUF_SIMPLE) < 0) return false;
    struct frameshare_plane *plane = &image->c.planes[0];
    bool fits = image->form->planes[0].is_data && (size_t)view.len <= plane->size && plane->data != NULL;
    if (fits) {
        Py_BEGIN_ALLOW_THREADS
        memcpy(plane->data, view.buf, (size_t)view.len);
        Py_END_ALLOW_THREADS
    } else if (!image->form->planes[0].is_data && image->form->no_whole == NULL && plane->data != NULL
               && copy_packed(view.buf, view.len, plane->data, &image->form->whole)) {
        /* The pixels of a raw image, without padding. All of its planes are full. */
        PyBuffer_Release(&view);
        return true;
    } else {
        raise_error(FRAMESHARE_ERROR_LAYOUT, "%zd bytes don't fit '%S', which is %R", view.len, stream, image);
    }
    PyObject *size = fits ? PyLong_FromSsize_t(view.len) : NULL;
    PyBuffer_Release(&view);
    bool is_set = size != NULL && set_used(slot, stream, size);
    Py_XDECREF(size);
    return is_set;
}

static bool fill_plane(Image *image, unsigned index, const Shape *shape, PyObject *content, PyObject *stream) {
    struct frameshare_plane *plane = &image->c.planes[index];
    if (plane->data != NULL) return copy_content(content, plane->data, shape, used_of(image, index), stream);
    raise_error(0, "the CPU can't map this memory");
    return false;
}

static bool fill(Slot *slot, PyObject *stream, PyObject *content) {
    PyObject *object = slot_item((PyObject *)slot, stream);
    if (object == NULL) return false;
    Image *image = (Image *)object;
    Lease *lease = (Lease *)Py_NewRef((PyObject *)slot->lease);
    bool is_filled = false;
    if (PyBytes_Check(content) || PyByteArray_Check(content) || PyMemoryView_Check(content)) {
        is_filled = fill_bytes(slot, image, stream, content);
    } else if (PyObject_CheckBuffer(content) || !PySequence_Check(content)) {
        if (image->form->no_whole != NULL) raise_error(FRAMESHARE_ERROR_LAYOUT, "%U", image->form->no_whole);
        else is_filled = fill_plane(image, 0, &image->form->whole, content, stream);
    } else {
        unsigned count = image->form->image.plane_count;
        Py_ssize_t given = PySequence_Size(content);
        if (given >= 0 && given != (Py_ssize_t)count) {
            raise_error(FRAMESHARE_ERROR_LAYOUT, "'%S' has %u planes, %zd were given", stream, count, given);
        }
        is_filled = given == (Py_ssize_t)count;
        for (unsigned i = 0; is_filled && i < count; i++) {
            PyObject *plane = PySequence_GetItem(content, i);
            is_filled = plane != NULL && fill_plane(image, i, &image->form->planes[i], plane, stream);
            Py_XDECREF(plane);
        }
    }
    Py_DECREF(lease);
    Py_DECREF(object);
    return is_filled;
}

static PyObject *slot_fill(PyObject *self, PyObject *arguments, PyObject *keywords) {
    static char *names[] = { "stream", "content", NULL };
    PyObject *stream, *content;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "OO:fill", names, &stream, &content)) return NULL;
    if (!fill((Slot *)self, stream, content)) return NULL;
    Py_RETURN_NONE;
}

static PyObject *slot_set_bytes_used(PyObject *self, PyObject *arguments, PyObject *keywords) {
    static char *names[] = { "stream", "count", NULL };
    PyObject *stream, *count;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "UO:set_bytes_used", names, &stream, &count)) return NULL;
    uint64_t number;
    if (!unsigned_of("bytes_used", count, UINT64_MAX, &number) || !set_used((Slot *)self, stream, count)) return NULL;
    Py_RETURN_NONE;
}

/* ------------------------------------------------------------------------------------------------ publishing */

typedef struct {
    struct frameshare_description c;
    const struct frameshare_description *description;
    frameshare_metadata *metadata;
} Making;

/* What goes with the frame; nothing has happened to the slot where that is not possible. */
static bool prepare(Slot *slot, Making *making) {
    bool is_needed;
    if (held(slot) == NULL || !description_of(slot->publisher, &slot->said, &making->c, &is_needed)) return false;
    making->description = is_needed ? &making->c : NULL;
    bool has_metadata = slot->metadata != NULL && !(PyDict_CheckExact(slot->metadata) && PyDict_Size(slot->metadata) == 0);
    if (!take_writer(has_metadata ? slot->metadata : NULL, false, &making->metadata)) return false;
    /* What makes bytes of a value is the program's, and may have published it. */
    if (held(slot) != NULL) return true;
    give_back_writer(making->metadata);
    return false;
}

/* The slot's handle, which is the caller's to publish. */
static frameshare_slot *taken_out(Slot *slot) {
    Lease *lease = slot->lease;
    slot->lease = NULL;
    void_images(&slot->images);
    frameshare_slot *handle = take_out(lease);
    Py_DECREF(lease);
    return handle;
}

static PyObject *slot_publish(PyObject *self, PyObject *unused) {
    (void)unused;
    Slot *slot = (Slot *)self;
    Making making;
    if (!prepare(slot, &making)) return NULL;
    bool is_slow = slot->lease->is_slow || slot->publisher->makes_copies;
    frameshare_slot *handle = taken_out(slot);
    uint64_t number = 0;
    int result;
    if (is_slow) {
        Py_BEGIN_ALLOW_THREADS
        result = frameshare_slot_publish(handle, making.description, making.metadata, &number);
        Py_END_ALLOW_THREADS
    } else {
        result = frameshare_slot_publish(handle, making.description, making.metadata, &number);
    }
    give_back_writer(making.metadata);
    return result < 0 ? raise_result(result) : PyLong_FromUnsignedLongLong(number);
}

static PyObject *slot_ask(PyObject *self, PyObject *arguments, PyObject *keywords) {
    static char *names[] = { "group", "deadline", "attempts", "cut_off", NULL };
    static PyObject *function;
    PyObject *group = NULL, *deadline = NULL, *attempts = NULL, *cut_off = NULL;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O&|$OOO:ask", names, encoded_argument, &group, &deadline,
                                     &attempts, &cut_off)) {
        return NULL;
    }
    Slot *slot = (Slot *)self;
    Making making = { .metadata = NULL };
    PyObject *pending = NULL;
    PyObject *make_options = attribute_of("frameshare.groups", "ask_options", &function);
    PyObject *values = make_options == NULL ? NULL : PyDict_New();
    PyObject *none = values == NULL ? NULL : PyTuple_New(0), *options = NULL;
    if (none == NULL || (deadline != NULL && PyDict_SetItemString(values, "deadline", deadline) < 0)
        || (attempts != NULL && PyDict_SetItemString(values, "attempts", attempts) < 0)
        || (cut_off != NULL && PyDict_SetItemString(values, "cut_off", cut_off) < 0)) {
        goto end;
    }
    options = PyObject_Call(make_options, none, values);
    struct frameshare_ask_options c;
    if (options == NULL || !ask_options_of(options, &c) || !prepare(slot, &making)) goto end;
    frameshare_slot *handle = taken_out(slot);
    frameshare_pending *asked = NULL;
    int result;
    Py_BEGIN_ALLOW_THREADS
    result = frameshare_slot_ask(handle, characters(group), making.description, making.metadata, &c, &asked);
    Py_END_ALLOW_THREADS
    give_back_writer(making.metadata);
    pending = result < 0 ? raise_result(result) : new_pending(asked);
end:
    Py_XDECREF(options);
    Py_XDECREF(none);
    Py_XDECREF(values);
    Py_DECREF(group);
    return pending;
}

static PyObject *slot_discard(PyObject *self, PyObject *unused) {
    (void)unused;
    Slot *slot = (Slot *)self;
    if (slot->lease != NULL) {
        /* Now, also where arrays over it live. */
        frameshare_slot *handle = taken_out(slot);
        if (handle != NULL) frameshare_slot_discard(handle);
    }
    Py_RETURN_NONE;
}

static PyObject *slot_enter(PyObject *self, PyObject *unused) {
    (void)unused;
    return held((Slot *)self) == NULL ? NULL : Py_NewRef(self);
}

static PyObject *slot_exit(PyObject *self, PyObject *arguments) {
    PyObject *type = Py_None, *value, *traceback;
    if (!PyArg_UnpackTuple(arguments, "__exit__", 0, 3, &type, &value, &traceback)) return NULL;
    if (((Slot *)self)->lease == NULL) Py_RETURN_NONE;
    PyObject *result = type == Py_None ? slot_publish(self, NULL) : slot_discard(self, NULL);
    if (result == NULL) return NULL;
    Py_DECREF(result);
    Py_RETURN_NONE;
}

/* ------------------------------------------------------------------------------------------------ what is said */

static PyObject *slot_metadata(PyObject *self, void *unused) {
    (void)unused;
    Slot *slot = (Slot *)self;
    if (slot->metadata == NULL) {
        slot->metadata = PyDict_New();
        if (slot->metadata == NULL) return NULL;
    }
    return Py_NewRef(slot->metadata);
}

static int set_metadata(PyObject *self, PyObject *value, void *unused) {
    (void)unused;
    if (value == NULL || (value != Py_None && !PyMapping_Check(value))) {
        PyErr_SetString(PyExc_TypeError, "metadata are a mapping of names to values");
        return -1;
    }
    Py_XSETREF(((Slot *)self)->metadata, value == Py_None ? NULL : Py_NewRef(value));
    return 0;
}

/* Where a thing is that is said of the frame: `closure` is its place in Said. */
static PyObject **said_place(PyObject *self, void *closure) {
    return (PyObject **)((char *)&((Slot *)self)->said + (size_t)closure);
}

static PyObject *slot_said(PyObject *self, void *closure) {
    PyObject *value = *said_place(self, closure);
    if (value != NULL) return Py_NewRef(value);
    if (closure == (void *)offsetof(Said, clock)) return PyUnicode_InternFromString("monotonic");
    if (closure == (void *)offsetof(Said, flags)) return PyLong_FromLong(0);
    return Py_NewRef(Py_None);
}

static int set_said(PyObject *self, PyObject *value, void *closure) {
    if (value == NULL) {
        PyErr_SetString(PyExc_AttributeError, "it can't be deleted");
        return -1;
    }
    Py_XSETREF(*said_place(self, closure), Py_NewRef(value));
    return 0;
}

static PyObject *slot_reduce(PyObject *self, PyObject *unused) {
    (void)self, (void)unused;
    PyErr_SetString(PyExc_TypeError, "a slot can't be pickled or copied: it lies in shared memory");
    return NULL;
}

static PyMethodDef slot_methods[] = {
    { "fill", (PyCFunction)(void (*)(void))slot_fill, METH_VARARGS | METH_KEYWORDS,
      "fill(stream: str, content) -> None\n\nCopies an image into the slot: an array shaped like ``Image.array``, one for each "
      "plane, bytes of all pixels without padding, or a compressed frame's bytes. ``LayoutError`` for what does not fit." },
    { "set_bytes_used", (PyCFunction)(void (*)(void))slot_set_bytes_used, METH_VARARGS | METH_KEYWORDS,
      "set_bytes_used(stream: str, count: int) -> None\n\nSays how many bytes of a compressed image hold data: what was written "
      "to it in place." },
    { "publish", slot_publish, METH_NOARGS,
      "publish() -> int\n\nPublishes it and returns the frame's number. The slot can't be used any more." },
    { "ask", (PyCFunction)(void (*)(void))slot_ask, METH_VARARGS | METH_KEYWORDS,
      "ask(group: str, *, deadline: float | None = 10.0, attempts: int = 1, cut_off: bool = False) -> Pending\n\n"
      "Publishes it and asks a group about it, as ``Publisher.ask`` does." },
    { "discard", slot_discard, METH_NOARGS, "discard() -> None\n\nGives it back unpublished." },
    { "__enter__", slot_enter, METH_NOARGS, NULL },
    { "__exit__", slot_exit, METH_VARARGS, NULL },
    { "__reduce__", slot_reduce, METH_NOARGS, "A slot can't be pickled." },
    { NULL, NULL, 0, NULL },
};

static PyGetSetDef slot_attributes[] = {
    { "metadata", slot_metadata, set_metadata, "What goes with the frame: a dictionary.", NULL },
    { "timestamp", slot_said, set_said, "When it was captured, in nanoseconds on ``clock``; None: now.",
      (void *)offsetof(Said, timestamp) },
    { "clock", slot_said, set_said, "The timestamp's clock: \"monotonic\", \"boottime\", \"realtime\" or \"unknown\".",
      (void *)offsetof(Said, clock) },
    { "sequence", slot_said, set_said, "The source's own count; None: the publisher's.", (void *)offsetof(Said, sequence) },
    { "flags", slot_said, set_said, "``FrameFlags``, or their number.", (void *)offsetof(Said, flags) },
    { NULL, NULL, NULL, NULL, NULL },
};

static PyMemberDef slot_members[] = {
    { "__weaklistoffset__", T_PYSSIZET, offsetof(Slot, weak_references), READONLY, NULL },
    { NULL, 0, 0, 0, NULL },
};

static PyType_Slot slot_slots[] = {
    { Py_tp_dealloc, slot_dealloc },
    { Py_tp_traverse, slot_traverse },
    { Py_tp_clear, slot_clear },
    { Py_mp_subscript, slot_item },
    { Py_tp_methods, slot_methods },
    { Py_tp_getset, slot_attributes },
    { Py_tp_members, slot_members },
    { Py_tp_doc,
      "A free slot, to be filled in place. ``slot[\"main\"].array`` can be written until it is published; not after that, "
      "though numpy does not stop you." },
    { 0, NULL },
};

static PyType_Spec slot_spec = {
    .name = "frameshare.Slot",
    .basicsize = sizeof(Slot),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slot_slots,
};

int add_slots(PyObject *module) {
    slot_type = add_type(module, &slot_spec);
    return slot_type == NULL ? -1 : 0;
}
