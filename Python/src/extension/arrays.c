/* Arrays and buffers over an image's bytes. */
#define NPY_NO_DEPRECATED_API NPY_1_7_API_VERSION
#include "extension.h"

#include <numpy/arrayobject.h>
#include <string.h>

/* A memoryview reads items of the machine's own byte order alone. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
static const char *const codes[] = { "B", "H", ">H" };
#else
static const char *const codes[] = { "B", "<H", "H" };
#endif
static const Py_ssize_t sizes[] = { 1, 2, 2 };
static PyArray_Descr *types[3];

/* Makes a MissingPackage of the present exception, where that says that there is no numpy. Others are left as they are: a numpy
 * that is there and does not work says itself what is wrong with it. */
static void explain_missing_numpy(void) {
    if (!PyErr_ExceptionMatches(PyExc_ModuleNotFoundError)) return;
    PyObject *type, *cause, *traceback;
    PyErr_Fetch(&type, &cause, &traceback);
    PyErr_NormalizeException(&type, &cause, &traceback);
    PyObject *name = PyObject_GetAttrString(cause, "name");
    if (name == NULL) PyErr_Clear();
    bool is_numpy = name != NULL && PyUnicode_Check(name) && PyUnicode_CompareWithASCIIString(name, "numpy") == 0;
    Py_XDECREF(name);
    static PyObject *missing;
    PyObject *own = is_numpy ? attribute_of("frameshare.errors", "MissingPackage", &missing) : NULL;
    PyObject *error = own == NULL ? NULL : PyObject_CallFunction(
        own, "s", "arrays need numpy, which is not installed: pip install numpy. memoryview(image) does not");
    if (error == NULL) {
        /* What comes after it, if anything, is less than what it says. */
        PyErr_Restore(type, cause, traceback);
        return;
    }
    if (traceback != NULL) PyException_SetTraceback(cause, traceback);
    PyException_SetCause(error, Py_NewRef(cause));
    PyErr_SetObject(own, error);
    Py_DECREF(error);
    Py_DECREF(type);
    Py_DECREF(cause);
    Py_XDECREF(traceback);
}

/* numpy is loaded with the first array, for much of what the package does needs none. Other threads may run meanwhile. */
static bool load_numpy(void) {
    static bool is_loaded;
    if (is_loaded) return true;
    PyObject *numpy = PyImport_ImportModule("numpy");
    if (numpy == NULL) {
        explain_missing_numpy();
        return false;
    }
    /* Not by PyArray_ImportNumPyAPI, which prints what it fails with, and raises something else. */
    int result = PyArray_API == NULL ? _import_array() : 0;
    Py_DECREF(numpy);
    if (result < 0) {
        /* numpy sets it before it looks whether it is one that this was built for: the next call must not take it for loaded. */
        PyArray_API = NULL;
        return false;
    }
    static const char *const names[] = { "|u1", "<u2", ">u2" };
    for (int i = 0; i < 3; i++) {
        if (types[i] != NULL) continue;
        PyObject *name = PyUnicode_FromString(names[i]);
        if (name == NULL) return false;
        PyArray_DescrConverter(name, &types[i]);
        Py_DECREF(name);
        if (types[i] == NULL) return false;
    }
    is_loaded = true;
    return true;
}

PyObject *array_over(PyObject *keeper, void *data, const Shape *shape, Py_ssize_t used, bool writable) {
    /* Its own: while numpy is imported, another thread or a signal's handler may release the frame. */
    Py_INCREF(keeper);
    if (!load_numpy()) {
        Py_DECREF(keeper);
        return NULL;
    }
    npy_intp lengths[3], strides[3];
    for (int i = 0; i < shape->dimensions; i++) {
        lengths[i] = shape->shape[i];
        strides[i] = shape->strides[i];
    }
    if (shape->is_data) lengths[0] = used;
    PyArray_Descr *type = types[shape->sample];
    Py_INCREF(type);
    PyObject *array = PyArray_NewFromDescr(&PyArray_Type, type, shape->dimensions, lengths, strides, data,
                                           writable ? NPY_ARRAY_WRITEABLE : 0, NULL);
    if (array == NULL) {
        Py_DECREF(keeper);
        return NULL;
    }
    /* It takes the reference over, also where it fails. */
    if (PyArray_SetBaseObject((PyArrayObject *)array, keeper) < 0) Py_CLEAR(array);
    return array;
}

/* ------------------------------------------------------------------------------------------------ buffers */

/* What a buffer's pointers point to, and what keeps its bytes. */
typedef struct {
    PyObject *keeper;
    Py_ssize_t shape[3], strides[3];
} Exported;

int fill_buffer(PyObject *owner, PyObject *keeper, Py_buffer *view, void *data, const Shape *shape, Py_ssize_t used,
                bool writable, int flags) {
    view->obj = NULL;
    if ((flags & PyBUF_WRITABLE) && !writable) {
        PyErr_SetString(PyExc_BufferError, "a frame can't be written to");
        return -1;
    }
    Py_ssize_t size = sizes[shape->sample], count = 1;
    bool is_packed = true;
    for (int i = shape->dimensions - 1; i >= 0; i--) {
        Py_ssize_t length = shape->is_data ? used : shape->shape[i];
        is_packed = is_packed && (length <= 1 || shape->strides[i] == size * count);
        count *= length;
    }
    bool wants_fortran = (flags & PyBUF_F_CONTIGUOUS) == PyBUF_F_CONTIGUOUS && shape->dimensions > 1;
    bool wants_packed = (flags & PyBUF_STRIDES) != PyBUF_STRIDES || (flags & PyBUF_C_CONTIGUOUS) == PyBUF_C_CONTIGUOUS
        || (flags & PyBUF_F_CONTIGUOUS) == PyBUF_F_CONTIGUOUS || (flags & PyBUF_ANY_CONTIGUOUS) == PyBUF_ANY_CONTIGUOUS;
    if (wants_fortran || (wants_packed && !is_packed)) {
        PyErr_SetString(PyExc_BufferError, "this image's rows end with padding: ask for a buffer with strides, or copy it");
        return -1;
    }
    Exported *exported = PyMem_Malloc(sizeof *exported);
    if (exported == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    memcpy(exported->shape, shape->shape, sizeof exported->shape);
    memcpy(exported->strides, shape->strides, sizeof exported->strides);
    if (shape->is_data) exported->shape[0] = used;
    exported->keeper = Py_NewRef(keeper);
    view->buf = data;
    view->len = count * size;
    view->itemsize = size;
    view->readonly = !writable;
    view->ndim = shape->dimensions;
    view->format = (flags & PyBUF_FORMAT) ? (char *)codes[shape->sample] : NULL;
    view->shape = (flags & PyBUF_ND) ? exported->shape : NULL;
    view->strides = (flags & PyBUF_STRIDES) == PyBUF_STRIDES ? exported->strides : NULL;
    view->suboffsets = NULL;
    view->internal = exported;
    if (view->shape == NULL) {
        /* Plain bytes. */
        view->ndim = 1;
        if (!(flags & PyBUF_FORMAT)) view->itemsize = 1;
    }
    view->obj = Py_NewRef(owner);
    return 0;
}

void release_buffer(PyObject *owner, Py_buffer *view) {
    (void)owner;
    Exported *exported = view->internal;
    if (exported == NULL) return;
    Py_DECREF(exported->keeper);
    PyMem_Free(exported);
}

/* ------------------------------------------------------------------------------------------------ copying */

static bool misfit(PyObject *content, const Shape *shape, Py_ssize_t used, PyObject *name) {
    static PyObject *function;
    PyObject *said = attribute_of("frameshare.images", "misfit", &function);
    PyObject *lengths = PyTuple_New(shape->dimensions);
    if (said == NULL || lengths == NULL) return false;
    for (int i = 0; i < shape->dimensions; i++) {
        PyTuple_SetItem(lengths, i, PyLong_FromSsize_t(shape->is_data ? used : shape->shape[i]));
    }
    const char *type = shape->sample == SAMPLE_U8 ? "uint8" : shape->sample == SAMPLE_U16 ? "uint16" : ">u2";
    PyObject *result = PyObject_CallFunction(said, "OOsO", content, name, type, lengths);
    Py_XDECREF(result);
    Py_DECREF(lengths);
    return false;
}

/* Whether a buffer's items are samples as the image has them. */
static bool same_sample(const Py_buffer *view, Sample sample) {
    const char *code = view->format == NULL ? "B" : view->format;
    bool is_big = *code == '>' || *code == '!';
    if (*code == '@' || *code == '=' || *code == '<' || is_big) code++;
    if (strcmp(code, sample == SAMPLE_U8 ? "B" : "H") != 0) return false;
    return sample == SAMPLE_U8 || is_big == (sample == SAMPLE_U16_BIG);
}

static void copy_samples(char *target, const Shape *shape, const char *source, const Py_ssize_t *strides, Py_ssize_t size) {
    const Py_ssize_t *lengths = shape->shape, *own = shape->strides;
    int last = shape->dimensions - 1;
    /* As many of the last dimensions as lie packed on both sides go in one piece. */
    Py_ssize_t piece = size;
    while (last >= 0 && own[last] == piece && strides[last] == piece) piece *= lengths[last--];
    Py_ssize_t outer = last >= 1 ? lengths[0] : 1, middle = last >= 0 ? lengths[last == 2 ? 1 : last] : 1;
    Py_ssize_t inner = last == 2 ? lengths[2] : 1;
    int at_middle = last == 2 ? 1 : last;
    for (Py_ssize_t i = 0; i < outer; i++) {
        char *row = last >= 1 ? target + i * own[0] : target;
        const char *from = last >= 1 ? source + i * strides[0] : source;
        for (Py_ssize_t j = 0; j < middle; j++) {
            char *to = last >= 0 ? row + j * own[at_middle] : row;
            const char *at = last >= 0 ? from + j * strides[at_middle] : from;
            for (Py_ssize_t k = 0; k < inner; k++) {
                memcpy(last == 2 ? to + k * own[2] : to, last == 2 ? at + k * strides[2] : at, (size_t)piece);
            }
        }
    }
}

bool copy_packed(const void *bytes, Py_ssize_t count, void *data, const Shape *shape) {
    Py_ssize_t strides[3], total = (Py_ssize_t)sizes[shape->sample];
    for (int i = shape->dimensions - 1; i >= 0; i--) {
        strides[i] = total;
        total *= shape->shape[i];
    }
    if (total != count) return false;
    Py_BEGIN_ALLOW_THREADS
    copy_samples(data, shape, bytes, strides, sizes[shape->sample]);
    Py_END_ALLOW_THREADS
    return true;
}

bool copy_content(PyObject *content, void *data, const Shape *shape, Py_ssize_t used, PyObject *name) {
    Py_buffer view;
    PyObject *array = NULL;
    if (!PyObject_CheckBuffer(content)) {
        /* What numpy makes an array of. */
        PyObject *numpy = PyImport_ImportModule("numpy");
        array = numpy == NULL ? NULL : PyObject_CallMethod(numpy, "asarray", "O", content);
        Py_XDECREF(numpy);
        if (array == NULL) return false;
        content = array;
    }
    if (PyObject_GetBuffer(content, &view, PyBUF_FULL_RO) < 0) {
        PyErr_Clear();
        misfit(content, shape, used, name);
        Py_XDECREF(array);
        return false;
    }
    bool fits = view.ndim == shape->dimensions && same_sample(&view, shape->sample) && view.suboffsets == NULL;
    Shape target = *shape;
    if (target.is_data) target.shape[0] = used;
    for (int i = 0; fits && i < shape->dimensions; i++) fits = view.shape[i] == target.shape[i];
    if (fits) {
        Py_BEGIN_ALLOW_THREADS
        copy_samples(data, &target, view.buf, view.strides, sizes[shape->sample]);
        Py_END_ALLOW_THREADS
    } else {
        misfit(content, shape, used, name);
    }
    PyBuffer_Release(&view);
    Py_XDECREF(array);
    return fits;
}
