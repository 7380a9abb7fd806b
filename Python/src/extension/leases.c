/* What is held of the library, and ends with the last who has it. */
#include "extension.h"

static PyTypeObject *lease_type, *handle_type, *memory_type;

static void free_object(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    freefunc free = (freefunc)PyType_GetSlot(type, Py_tp_free);
    free(self);
    Py_DECREF(type);
}

/* ------------------------------------------------------------------------------------------------ leases */

static void end_lease(Lease *lease) {
    void *handle = lease->handle;
    lease->handle = NULL;
    if (handle == NULL) return;
    /* In a forked child, and for a slot that was published, this answers with an error, which is right. */
    if (lease->is_slot) {
        frameshare_slot_discard(handle);
    } else {
        frameshare_frame_release(handle);
    }
}

static void lease_dealloc(PyObject *self) {
    Lease *lease = (Lease *)self;
    /* The memory of a published slot may be unmapped now, which takes its time. */
    if (lease->is_slow || lease->memory != NULL) {
        Py_BEGIN_ALLOW_THREADS
        end_lease(lease);
        if (lease->memory != NULL) frameshare_memory_release(lease->memory);
        Py_END_ALLOW_THREADS
    } else {
        end_lease(lease);
    }
    free_object(self);
}

Lease *new_lease(void *handle, bool is_slot) {
    Lease *lease = PyObject_New(Lease, lease_type);
    if (lease == NULL) {
        if (is_slot) frameshare_slot_discard(handle);
        else frameshare_frame_release(handle);
        return NULL;
    }
    lease->handle = handle;
    lease->is_slot = is_slot;
    lease->is_slow = false;
    lease->memory = NULL;
    return lease;
}

void *take_out(Lease *lease) {
    void *handle = lease->handle;
    lease->handle = NULL;
    /* Where it can't be kept, as in a forked child, the slot is not published either. */
    if (handle != NULL && Py_REFCNT(lease) > 1) frameshare_slot_keep_memory(handle, &lease->memory);
    return handle;
}

void drop_lease(Lease *lease) {
    if (lease == NULL) return;
    if (lease->is_slow && Py_REFCNT(lease) == 1) {
        Py_BEGIN_ALLOW_THREADS
        end_lease(lease);
        Py_END_ALLOW_THREADS
    }
    Py_DECREF(lease);
}

static PyType_Slot lease_slots[] = {
    { Py_tp_dealloc, lease_dealloc },
    { Py_tp_doc, "The hold on a frame or slot, which each array over its bytes has, too." },
    { 0, NULL },
};

static PyType_Spec lease_spec = {
    .name = "frameshare._native.Lease",
    .basicsize = sizeof(Lease),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = lease_slots,
};

/* ------------------------------------------------------------------------------------------------ handles */

static void handle_dealloc(PyObject *self) {
    Handle *handle = (Handle *)self;
    if (handle->pointer != NULL && handle->is_quick) {
        handle->end(handle->pointer);
    } else if (handle->pointer != NULL) {
        Py_BEGIN_ALLOW_THREADS
        handle->end(handle->pointer);
        Py_END_ALLOW_THREADS
    }
    free_object(self);
}

PyObject *new_handle(void *pointer, int (*end)(void *), bool is_quick) {
    Handle *handle = PyObject_New(Handle, handle_type);
    if (handle == NULL) {
        end(pointer);
        return NULL;
    }
    handle->pointer = pointer;
    handle->end = end;
    handle->is_quick = is_quick;
    return (PyObject *)handle;
}

void *pointer_of(PyObject *object, int (*end)(void *)) {
    if (Py_TYPE(object) != handle_type || ((Handle *)object)->end != end) {
        PyErr_SetString(PyExc_TypeError, "this is another kind of handle");
        return NULL;
    }
    void *pointer = ((Handle *)object)->pointer;
    return pointer != NULL ? pointer : raise_error(FRAMESHARE_ERROR_INVALID_HANDLE, "it was closed");
}

static PyObject *handle_close(PyObject *self, PyObject *unused) {
    (void)unused;
    Handle *handle = (Handle *)self;
    void *pointer = handle->pointer;
    handle->pointer = NULL;
    if (pointer != NULL) {
        Py_BEGIN_ALLOW_THREADS
        handle->end(pointer);
        Py_END_ALLOW_THREADS
    }
    Py_RETURN_NONE;
}

static PyMethodDef handle_methods[] = {
    { "close", handle_close, METH_NOARGS, "Ends it now. Twice does nothing." },
    { NULL, NULL, 0, NULL },
};

static PyType_Slot handle_slots[] = {
    { Py_tp_dealloc, handle_dealloc },
    { Py_tp_methods, handle_methods },
    { Py_tp_doc, "A handle of the C library, which ends with it." },
    { 0, NULL },
};

static PyType_Spec handle_spec = {
    .name = "frameshare._native.Handle",
    .basicsize = sizeof(Handle),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = handle_slots,
};

/* ------------------------------------------------------------------------------------------------ memory */

typedef struct {
    PyObject_HEAD
    Py_buffer view;
} Memory;

static void memory_dealloc(PyObject *self) {
    PyBuffer_Release(&((Memory *)self)->view);
    free_object(self);
}

PyObject *new_memory(PyObject *owner, Py_buffer *view) {
    Memory *memory = PyObject_New(Memory, memory_type);
    if (memory == NULL) return NULL;
    memory->view.obj = NULL;
    if (PyObject_GetBuffer(owner, &memory->view, PyBUF_WRITABLE) < 0) {
        Py_DECREF(memory);
        return NULL;
    }
    *view = memory->view;
    return (PyObject *)memory;
}

static int memory_getbuffer(PyObject *self, Py_buffer *view, int flags) {
    Py_buffer *own = &((Memory *)self)->view;
    return PyBuffer_FillInfo(view, self, own->buf, own->len, own->readonly, flags);
}

static PyType_Slot memory_slots[] = {
    { Py_tp_dealloc, memory_dealloc },
    { Py_bf_getbuffer, memory_getbuffer },
    { Py_tp_doc, "Memory of another object, which it keeps." },
    { 0, NULL },
};

static PyType_Spec memory_spec = {
    .name = "frameshare._native.Memory",
    .basicsize = sizeof(Memory),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = memory_slots,
};

int add_leases(PyObject *module) {
    lease_type = add_type(module, &lease_spec);
    handle_type = lease_type == NULL ? NULL : add_type(module, &handle_spec);
    memory_type = handle_type == NULL ? NULL : add_type(module, &memory_spec);
    return memory_type == NULL ? -1 : 0;
}
