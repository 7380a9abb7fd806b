/* Images of frames and slots: numbers, arrays and buffers over their bytes. */
#include "extension.h"

#include <string.h>

void release_buffer(PyObject *owner, Py_buffer *view);

static PyTypeObject *image_type;

static PyObject *held(Image *self) {
    if (self->keeper != NULL) return self->keeper;
    return raise_error(FRAMESHARE_ERROR_INVALID_HANDLE,
                       "this image's frame was released; take arrays of '%U' before, or copy them", self->form->name);
}

static bool mapped(const struct frameshare_plane *plane) {
    if (plane->data != NULL) return true;
    raise_error(0, "the CPU can't map this memory; import its descriptor (fds)");
    return false;
}

/* ------------------------------------------------------------------------------------------------ making */

static Image *new_image(void) {
    Image *image = PyObject_New(Image, image_type);
    if (image == NULL) return NULL;
    image->keeper = NULL;
    image->form = NULL;
    image->weak_references = NULL;
    image->writable = false;
    memset(&image->c, 0, sizeof image->c);
    image->c.struct_size = sizeof image->c;
    return image;
}

static void image_dealloc(PyObject *self) {
    Image *image = (Image *)self;
    PyTypeObject *type = Py_TYPE(self);
    if (image->weak_references != NULL) PyObject_ClearWeakRefs(self);
    drop_form(image->form);
    Py_XDECREF(image->keeper);
    freefunc free = (freefunc)PyType_GetSlot(type, Py_tp_free);
    free(self);
    Py_DECREF(type);
}

static PyObject *find_image(const Images *images, PyObject *stream) {
    for (unsigned i = 0; i < images->count; i++) {
        PyObject *name = images->all[i]->form->name;
        if (name == stream || PyUnicode_Compare(name, stream) == 0) return Py_NewRef((PyObject *)images->all[i]);
    }
    return NULL;
}

PyObject *image_of(Images *images, Lease **place, PyObject *stream) {
    Lease *lease = *place;
    const char *name = NULL;
    if (stream != NULL) {
        if (!PyUnicode_Check(stream)) {
            PyErr_Format(PyExc_TypeError, "a stream's name is a text, not %R", stream);
            return NULL;
        }
        PyObject *found = find_image(images, stream);
        if (found != NULL) return found;
        Py_ssize_t size;
        name = PyUnicode_AsUTF8AndSize(stream, &size);
        if (name == NULL || strlen(name) != (size_t)size) {
            PyErr_Clear();
            return raise_error(FRAMESHARE_ERROR_NO_SUCH_STREAM, "there is no stream %A", stream);
        }
    }
    Image *image = new_image();
    if (image == NULL) return NULL;
    void *handle = lease->handle;
    Py_INCREF(lease);
    int result;
    if (lease->is_slow) {
        Py_BEGIN_ALLOW_THREADS
        result = lease->is_slot ? frameshare_slot_image(handle, name, &image->c) : frameshare_frame_image(handle, name, &image->c);
        Py_END_ALLOW_THREADS
    } else {
        result = lease->is_slot ? frameshare_slot_image(handle, name, &image->c) : frameshare_frame_image(handle, name, &image->c);
    }
    if (result == FRAMESHARE_OK) {
        /* A dma-buf: the CPU's access begins and ends by a system call that can take a millisecond. */
        lease->is_slow = lease->is_slow || image->c.memory != FRAMESHARE_MEMORY_MEMFD;
        image->form = form_of(&image->c);
    } else if (result < 0) {
        raise_result(result);
    } else {
        raise_error(FRAMESHARE_ERROR_NO_SUCH_STREAM, "there is no stream");
    }
    if (image->form == NULL) {
        Py_DECREF(image);
        Py_DECREF(lease);
        return NULL;
    }
    image->keeper = (PyObject *)lease;
    image->writable = lease->is_slot;
    if (*place != lease) {
        /* Another thread has released it meanwhile. */
        Py_DECREF(image);
        return raise_error(FRAMESHARE_ERROR_INVALID_HANDLE, "this frame was released");
    }
    PyObject *known = find_image(images, image->form->name);
    if (known == NULL && images->count < FRAMESHARE_MAX_STREAMS) {
        images->all[images->count++] = (Image *)Py_NewRef((PyObject *)image);
    }
    if (known == NULL) return (PyObject *)image;
    /* Another thread has asked, too, or this is the first stream's by its name. */
    Py_DECREF(image);
    return known;
}

void void_images(Images *images) {
    unsigned count = images->count;
    images->count = 0;
    for (unsigned i = 0; i < count; i++) {
        Image *image = images->all[i];
        images->all[i] = NULL;
        Py_CLEAR(image->keeper);
        Py_DECREF(image);
    }
}

/* ------------------------------------------------------------------------------------------------ arrays */

Py_ssize_t used_of(const Image *image, unsigned plane) {
    return (Py_ssize_t)image->c.planes[plane].bytes_used;
}

static PyObject *plane_array(Image *self, unsigned index) {
    PyObject *keeper = held(self);
    if (keeper == NULL || !mapped(&self->c.planes[index])) return NULL;
    return array_over(keeper, self->c.planes[index].data, &self->form->planes[index], used_of(self, index), self->writable);
}

static PyObject *image_array(PyObject *object, void *unused) {
    (void)unused;
    Image *self = (Image *)object;
    PyObject *keeper = held(self);
    if (keeper == NULL) return NULL;
    if (self->form->no_whole != NULL) return raise_error(FRAMESHARE_ERROR_LAYOUT, "%U", self->form->no_whole);
    if (!mapped(&self->c.planes[0])) return NULL;
    return array_over(keeper, self->c.planes[0].data, &self->form->whole, used_of(self, 0), self->writable);
}

static PyObject *image_planes(PyObject *object, void *unused) {
    (void)unused;
    Image *self = (Image *)object;
    PyObject *result = PyTuple_New(self->form->image.plane_count);
    for (unsigned i = 0; result != NULL && i < self->form->image.plane_count; i++) {
        PyObject *array = plane_array(self, i);
        if (array == NULL) Py_CLEAR(result);
        else PyTuple_SetItem(result, i, array);
    }
    return result;
}

static PyObject *bytes_of_plane(Image *self, unsigned index, Py_ssize_t rows, Py_ssize_t columns) {
    PyObject *keeper = held(self);
    const struct frameshare_plane *plane = &self->c.planes[index];
    if (keeper == NULL || !mapped(plane)) return NULL;
    Shape shape = { .dimensions = 1, .shape = { (Py_ssize_t)plane->size }, .strides = { 1 } };
    if (columns > 0) shape = (Shape){ .dimensions = 2, .shape = { rows, columns }, .strides = { columns, 1 } };
    return array_over(keeper, plane->data, &shape, 0, self->writable);
}

static PyObject *image_rows(PyObject *object, void *unused) {
    (void)unused;
    Image *self = (Image *)object;
    if (held(self) == NULL) return NULL;
    Py_ssize_t stride = (Py_ssize_t)self->c.planes[0].stride, size = (Py_ssize_t)self->c.planes[0].size;
    if (self->form->image.plane_count != 1 || stride <= 0) {
        return raise_error(FRAMESHARE_ERROR_LAYOUT, "a %S image is not one plane of rows: use 'planes'", self->form->format);
    }
    return bytes_of_plane(self, 0, size / stride, stride);
}

static PyObject *image_plane_bytes(PyObject *object, PyObject *index) {
    Image *self = (Image *)object;
    Py_ssize_t number = PyNumber_AsSsize_t(index, PyExc_IndexError), count = self->form->image.plane_count;
    if (number == -1 && PyErr_Occurred()) return NULL;
    if (number < 0) number += count;
    if (number < 0 || number >= count) {
        PyErr_Format(PyExc_IndexError, "this image has %zd planes", count);
        return NULL;
    }
    return bytes_of_plane(self, (unsigned)number, 0, 0);
}

static PyObject *method_of_array(PyObject *self, const char *name, PyObject *arguments, PyObject *keywords) {
    PyObject *array = image_array(self, NULL);
    PyObject *method = array == NULL ? NULL : PyObject_GetAttrString(array, name);
    PyObject *result = method == NULL ? NULL : PyObject_Call(method, arguments, keywords);
    Py_XDECREF(method);
    Py_XDECREF(array);
    return result;
}

static PyObject *image_dlpack(PyObject *self, PyObject *arguments, PyObject *keywords) {
    return method_of_array(self, "__dlpack__", arguments, keywords);
}

static PyObject *image_dlpack_device(PyObject *self, PyObject *unused) {
    (void)self, (void)unused;
    return Py_BuildValue("ii", 1, 0); /* kDLCPU */
}

static PyObject *image_to_array(PyObject *self, PyObject *arguments, PyObject *keywords) {
    static char *names[] = { "dtype", "copy", NULL };
    PyObject *type = Py_None, *copy = Py_None;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "|OO:__array__", names, &type, &copy)) return NULL;
    PyObject *array = image_array(self, NULL);
    if (array == NULL) return NULL;
    int copies = copy == Py_None ? 0 : PyObject_IsTrue(copy);
    PyObject *result = NULL, *own = NULL;
    if (copies < 0) goto end;
    if (type != Py_None) {
        own = PyObject_GetAttrString(array, "dtype");
        int is_own = own == NULL ? -1 : PyObject_RichCompareBool(own, type, Py_EQ);
        if (is_own < 0) goto end;
        if (is_own == 0) {
            if (copy == Py_False) {
                PyErr_SetString(PyExc_ValueError, "another dtype needs a copy");
                goto end;
            }
            result = PyObject_CallMethod(array, "astype", "O", type);
            goto end;
        }
    }
    result = copies ? PyObject_CallMethod(array, "copy", NULL) : Py_NewRef(array);
end:
    Py_XDECREF(own);
    Py_DECREF(array);
    return result;
}

/* ------------------------------------------------------------------------------------------------ the buffer protocol */

static int image_getbuffer(PyObject *object, Py_buffer *view, int flags) {
    Image *self = (Image *)object;
    view->obj = NULL;
    PyObject *keeper = held(self);
    if (keeper == NULL) return -1;
    if (self->form->no_whole != NULL) {
        PyErr_Format(PyExc_BufferError, "%U", self->form->no_whole);
        return -1;
    }
    if (!mapped(&self->c.planes[0])) return -1;
    return fill_buffer(object, keeper, view, self->c.planes[0].data, &self->form->whole, used_of(self, 0), self->writable, flags);
}

/* All bytes of the first plane, as an object of its own that has them as a buffer. */
typedef struct {
    PyObject_HEAD
    PyObject *keeper;
    void *data;
    Py_ssize_t size;
    bool writable;
} Bytes;

static PyTypeObject *bytes_type;

static void bytes_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(((Bytes *)self)->keeper);
    freefunc free = (freefunc)PyType_GetSlot(type, Py_tp_free);
    free(self);
    Py_DECREF(type);
}

static int bytes_getbuffer(PyObject *self, Py_buffer *view, int flags) {
    Bytes *bytes = (Bytes *)self;
    return PyBuffer_FillInfo(view, self, bytes->data, bytes->size, !bytes->writable, flags);
}

static PyObject *image_buffer(PyObject *object, void *unused) {
    (void)unused;
    Image *self = (Image *)object;
    PyObject *keeper = held(self);
    if (keeper == NULL || !mapped(&self->c.planes[0])) return NULL;
    Bytes *bytes = PyObject_New(Bytes, bytes_type);
    if (bytes == NULL) return NULL;
    bytes->keeper = Py_NewRef(keeper);
    bytes->data = self->c.planes[0].data;
    bytes->size = (Py_ssize_t)self->c.planes[0].size;
    if (self->form->planes[0].is_data) bytes->size = (Py_ssize_t)self->c.planes[0].bytes_used;
    bytes->writable = self->writable;
    PyObject *view = PyMemoryView_FromObject((PyObject *)bytes);
    Py_DECREF(bytes);
    return view;
}

/* ------------------------------------------------------------------------------------------------ other memory */

static PyObject *image_over(PyObject *object, PyObject *arguments) {
    Image *self = (Image *)object;
    PyObject *owner, *offsets;
    int packed;
    if (!PyArg_ParseTuple(arguments, "OO!p:_over", &owner, &PyTuple_Type, &offsets, &packed)) return NULL;
    unsigned count = self->form->image.plane_count;
    if (held(self) == NULL) return NULL;
    if ((unsigned)PyTuple_Size(offsets) != count) {
        PyErr_SetString(PyExc_ValueError, "there is an offset for each plane");
        return NULL;
    }
    Image *image = new_image();
    if (image == NULL) return NULL;
    Py_buffer view;
    image->c = self->c;
    image->keeper = new_memory(owner, &view);
    for (unsigned i = 0; image->keeper != NULL && i < count; i++) {
        struct frameshare_plane *plane = &image->c.planes[i];
        Py_ssize_t offset = PyLong_AsSsize_t(PyTuple_GetItem(offsets, i));
        Py_ssize_t size = (Py_ssize_t)(packed && self->form->planes[i].is_data ? plane->bytes_used : plane->size);
        if (offset < 0 || size > view.len || offset > view.len - size) {
            if (!PyErr_Occurred()) PyErr_SetString(PyExc_ValueError, "the planes don't lie in this memory");
            Py_CLEAR(image->keeper);
            break;
        }
        plane->data = (char *)view.buf + offset;
        if (packed) {
            plane->offset = (size_t)offset;
            plane->buffer = 0;
            plane->size = (size_t)size;
        }
    }
    image->form = image->keeper == NULL ? NULL : form_of(&image->c);
    image->writable = true;
    if (image->form == NULL) Py_CLEAR(image);
    return (PyObject *)image;
}

/* ------------------------------------------------------------------------------------------------ what it is */

static PyObject *image_layout(PyObject *object, void *unused) {
    (void)unused;
    Image *self = (Image *)object;
    static PyObject *type;
    PyObject *layout = attribute_of("frameshare.images", "PlaneLayout", &type);
    if (layout == NULL || held(self) == NULL) return NULL;
    unsigned count = self->form->image.plane_count;
    PyObject *result = PyTuple_New(count);
    for (unsigned i = 0; result != NULL && i < count; i++) {
        const struct frameshare_plane *plane = &self->c.planes[i];
        PyObject *item = PyObject_CallFunction(layout, "nnnnIi", (Py_ssize_t)plane->offset, (Py_ssize_t)plane->stride,
                                               (Py_ssize_t)plane->size, (Py_ssize_t)plane->bytes_used, plane->buffer,
                                               plane->fd);
        if (item == NULL) Py_CLEAR(result);
        else PyTuple_SetItem(result, i, item);
    }
    return result;
}

static PyObject *image_fds(PyObject *object, void *unused) {
    (void)unused;
    Image *self = (Image *)object;
    if (held(self) == NULL) return NULL;
    PyObject *list = PyList_New(0);
    for (uint32_t buffer = 0; list != NULL && buffer < FRAMESHARE_MAX_PLANES; buffer++) {
        for (unsigned i = 0; i < self->form->image.plane_count; i++) {
            if (self->c.planes[i].buffer != buffer) continue;
            PyObject *fd = PyLong_FromLong(self->c.planes[i].fd);
            if (fd == NULL || PyList_Append(list, fd) < 0) Py_CLEAR(list);
            Py_XDECREF(fd);
            break;
        }
    }
    PyObject *result = list == NULL ? NULL : PyList_AsTuple(list);
    Py_XDECREF(list);
    return result;
}

static PyObject *image_memory(PyObject *self, void *unused) {
    (void)unused;
    static const char *const names[] = { "unknown", "memfd", "dma-heap", "udmabuf", "dma-buf" };
    uint32_t memory = ((Image *)self)->c.memory;
    return PyUnicode_InternFromString(names[memory < 5 ? memory : 0]);
}

static PyObject *image_protection(PyObject *self, void *unused) {
    (void)unused;
    static const char *const names[] = { "unknown", "sealed", "read-only-export", "none" };
    uint32_t protection = ((Image *)self)->c.protection;
    return PyUnicode_InternFromString(names[protection < 4 ? protection : 0]);
}

static PyObject *image_color_space(PyObject *self, void *unused) {
    (void)unused;
    char name[FRAMESHARE_NAME_SIZE];
    int result = frameshare_color_space_name(((Image *)self)->c.color_space, name, sizeof name);
    return result < 0 ? raise_result(result) : text_of(name);
}

static PyObject *image_color_numbers(PyObject *self, void *unused) {
    (void)unused;
    struct frameshare_color_space space = ((Image *)self)->c.color_space;
    return Py_BuildValue("BBBB", space.primaries, space.transfer, space.encoding, space.range);
}

static PyObject *image_name(PyObject *self, void *unused) {
    (void)unused;
    return Py_NewRef(((Image *)self)->form->name);
}

static PyObject *image_format(PyObject *self, void *unused) {
    (void)unused;
    return Py_NewRef(((Image *)self)->form->format);
}

static PyObject *image_width(PyObject *self, void *unused) {
    (void)unused;
    return PyLong_FromUnsignedLong(((Image *)self)->c.width);
}

static PyObject *image_height(PyObject *self, void *unused) {
    (void)unused;
    return PyLong_FromUnsignedLong(((Image *)self)->c.height);
}

static PyObject *image_repr(PyObject *object) {
    Image *self = (Image *)object;
    return PyUnicode_FromFormat("<frameshare.Image %U %ux%u %S>", self->form->name, self->c.width, self->c.height,
                                self->form->format);
}

/* What is not done for each frame is Python's: a function of frameshare.images by the method's name. */
static PyObject *in_python(PyObject *self, const char *name, PyObject *argument) {
    if (held((Image *)self) == NULL) return NULL;
    PyObject *images = PyImport_ImportModule("frameshare.images");
    PyObject *function = images == NULL ? NULL : PyObject_GetAttrString(images, name);
    PyObject *result = function == NULL ? NULL : PyObject_CallFunctionObjArgs(function, self, argument, NULL);
    Py_XDECREF(function);
    Py_XDECREF(images);
    return result;
}

static PyObject *image_channel_order(PyObject *self, void *unused) {
    (void)unused;
    Image *image = (Image *)self;
    static PyObject *function;
    PyObject *order = attribute_of("frameshare.images", "channel_order", &function);
    int samples = image->form->no_whole == NULL && image->form->whole.dimensions == 3 ? (int)image->form->whole.shape[2] : 0;
    return order == NULL ? NULL : PyObject_CallFunction(order, "Oi", image->form->format, samples);
}

static PyObject *image_to_bgr(PyObject *self, PyObject *unused) {
    (void)unused;
    return in_python(self, "to_bgr", NULL);
}

static PyObject *image_to_rgb(PyObject *self, PyObject *unused) {
    (void)unused;
    return in_python(self, "to_rgb", NULL);
}

static PyObject *image_to_pil(PyObject *self, PyObject *unused) {
    (void)unused;
    return in_python(self, "to_pil", NULL);
}

static PyObject *image_save(PyObject *self, PyObject *arguments, PyObject *keywords) {
    static char *names[] = { "path", NULL };
    PyObject *path;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O:save", names, &path)) return NULL;
    return in_python(self, "save", path);
}

static PyObject *image_reduce(PyObject *self, PyObject *unused) {
    (void)unused;
    PyErr_Format(PyExc_TypeError, "%R can't be pickled or copied: it lies in shared memory. Copy its array: image.array.copy()", self);
    return NULL;
}

static PyMethodDef image_methods[] = {
    { "plane_bytes", image_plane_bytes, METH_O,
      "plane_bytes(index: int) -> numpy.ndarray\n\nAll bytes of a plane, padding included: uint8 of one dimension, in place." },
    { "to_bgr", image_to_bgr, METH_NOARGS,
      "to_bgr() -> numpy.ndarray\n\nA copy as blue, green, red of 8 bits each, as OpenCV has it: height, width, 3. Needs what "
      "``to_rgb`` needs." },
    { "to_rgb", image_to_rgb, METH_NOARGS,
      "to_rgb() -> numpy.ndarray\n\nA copy as red, green, blue of 8 bits each: height, width, 3. Bayer formats need OpenCV, "
      "MJPEG OpenCV or Pillow: ``MissingPackage`` says so." },
    { "to_pil", image_to_pil, METH_NOARGS, "to_pil() -> PIL.Image.Image\n\nA copy as a Pillow image. ``MissingPackage`` where there is no Pillow." },
    { "save", (PyCFunction)(void (*)(void))image_save, METH_VARARGS | METH_KEYWORDS,
      "save(path: str | os.PathLike[str]) -> None\n\nWrites it to a file. ``.png`` needs no other package: grey and RGB "
      "of 8 and 16 bits and alpha are kept, all else is RGB of 8 bits. ``.npy`` is the array, and ``.jpg`` of a MJPEG frame the bytes as "
      "they came. Pillow, or else OpenCV, writes other endings.\n\n``MissingPackage`` says what to install, ``InvalidArgument`` that no "
      "package knows the ending." },
    { "_over", image_over, METH_VARARGS,
      "_over(memory, offsets, packed) -> Image\n\nThe same image over other memory, which may be written to." },
    { "__dlpack__", (PyCFunction)(void (*)(void))image_dlpack, METH_VARARGS | METH_KEYWORDS,
      "For ``np.from_dlpack`` and ``torch.from_dlpack``: the array's memory. It is read-only, which consumers must know of "
      "(DLPack 1.0); older ones are refused by numpy: give them a copy." },
    { "__dlpack_device__", image_dlpack_device, METH_NOARGS, "The CPU." },
    { "__array__", (PyCFunction)(void (*)(void))image_to_array, METH_VARARGS | METH_KEYWORDS, "For ``np.asarray``." },
    { "__reduce__", image_reduce, METH_NOARGS, "An image can't be pickled." },
    { NULL, NULL, 0, NULL },
};

static PyGetSetDef image_attributes[] = {
    { "name", image_name, NULL, "The stream's name.", NULL },
    { "width", image_width, NULL, "In pixels.", NULL },
    { "height", image_height, NULL, "In pixels.", NULL },
    { "format", image_format, NULL, "Its ``Format``.", NULL },
    { "array", image_array, NULL,
      "The image as one array, in place, shaped as its format demands.\n\n"
      "For formats of one plane, rows, columns and samples, with the padding at the ends of rows left out. For planar and "
      "semi-planar YUV all planes one below the other, as OpenCV's conversions and picamera2 have them: rows of the first "
      "plane's stride (height * 3 / 2 of them for YUV420 and NV12), which the image's width may not fill; ``planes`` has each "
      "plane without padding. Compressed images are one row of bytes. ``LayoutError`` where the planes don't lie together, "
      "``Released`` once the frame was released.",
      NULL },
    { "planes", image_planes, NULL,
      "An array over each plane, padding left out: Y, U and V of a YUV420 image; one for most other formats. See "
      ":func:`frameshare.formats.plane_shape` for shapes.",
      NULL },
    { "rows", image_rows, NULL,
      "The image's bytes by rows of its stride, padding included: rows, bytes of a row. Of a raw image that is what "
      "picamera2's ``make_array`` gives. ``LayoutError`` for an image of several planes.",
      NULL },
    { "buffer", image_buffer, NULL,
      "All bytes of the image's first plane, padding included, as a memoryview. ``memoryview(image)`` is shaped as ``array``.",
      NULL },
    { "layout", image_layout, NULL,
      "Where the planes lie, for import into a GPU, encoder or display: a tuple of ``PlaneLayout``.", NULL },
    { "fds", image_fds, NULL, "The descriptors of the image's buffers, once each.", NULL },
    { "memory", image_memory, NULL, "What the pixels are in: \"memfd\", \"dma-heap\", \"udmabuf\" or \"dma-buf\".", NULL },
    { "protection", image_protection, NULL, "What keeps readers from writing: \"sealed\", \"read-only-export\" or \"none\".", NULL },
    { "color_space", image_color_space, NULL, "libcamera's name, such as \"sYCC\" or \"Rec709\".", NULL },
    { "_color_numbers", image_color_numbers, NULL, "The colour space's primaries, transfer, encoding and range, by number.", NULL },
    { "channel_order", image_channel_order, NULL,
      "The order of ``array``'s last axis, such as \"BGR\" or \"RGBX\"; None where that has no colours of its own. DRM and "
      "libcamera name a format by its word: RGB888 is blue, green, red in memory, as OpenCV has it.",
      NULL },
    { NULL, NULL, NULL, NULL, NULL },
};

static PyMemberDef image_members[] = {
    { "__weaklistoffset__", T_PYSSIZET, offsetof(Image, weak_references), READONLY, NULL },
    { NULL, 0, 0, 0, NULL },
};

static PyType_Slot image_slots[] = {
    { Py_tp_dealloc, image_dealloc },
    { Py_tp_repr, image_repr },
    { Py_tp_methods, image_methods },
    { Py_tp_getset, image_attributes },
    { Py_tp_members, image_members },
    { Py_bf_getbuffer, image_getbuffer },
    { Py_bf_releasebuffer, release_buffer },
    { Py_tp_doc,
      "An image of a frame, in place. Nothing is copied, and nothing can be written.\n\n"
      "``array`` is a view of the camera's own memory, and so are ``memoryview(image)`` and ``np.from_dlpack(image)``. As long "
      "as a view lives, so does the lease on the frame: its slot is not used again. Copy what is to be kept for long." },
    { 0, NULL },
};

static PyType_Spec image_spec = {
    .name = "frameshare.Image",
    .basicsize = sizeof(Image),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = image_slots,
};

static PyType_Slot bytes_slots[] = {
    { Py_tp_dealloc, bytes_dealloc },
    { Py_bf_getbuffer, bytes_getbuffer },
    { Py_tp_doc, "The bytes of a plane." },
    { 0, NULL },
};

static PyType_Spec bytes_spec = {
    .name = "frameshare._native.Bytes",
    .basicsize = sizeof(Bytes),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = bytes_slots,
};

int add_images(PyObject *module) {
    image_type = add_type(module, &image_spec);
    bytes_type = image_type == NULL ? NULL : add_type(module, &bytes_spec);
    return bytes_type == NULL ? -1 : 0;
}
