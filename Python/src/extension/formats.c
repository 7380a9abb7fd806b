/* Formats and streams: what frameshare.formats and frameshare.streams stand on. */
#include "extension.h"

#include <string.h>

/* ------------------------------------------------------------------------------------------------ formats */

/* (fourcc, modifier, name, model, bits, packing, order, planes), all by number. */
static PyObject *described_format(const struct frameshare_format_info *c) {
    PyObject *planes = PyTuple_New(c->plane_count);
    for (uint32_t i = 0; planes != NULL && i < c->plane_count; i++) {
        const struct frameshare_plane_info *plane = &c->planes[i];
        PyObject *item = Py_BuildValue("BBBBy#", plane->horizontal_subsampling, plane->vertical_subsampling,
                                       plane->bytes_per_group, plane->pixels_per_group, plane->components,
                                       (Py_ssize_t)plane->component_count);
        if (item == NULL) Py_CLEAR(planes);
        else PyTuple_SetItem(planes, i, item);
    }
    if (planes == NULL) return NULL;
    return Py_BuildValue("IKsBBBBN", c->fourcc, (unsigned long long)c->modifier, c->name, c->color_model, c->bit_depth,
                         c->packing, c->bayer_order, planes);
}

static PyObject *found_format(int result, const struct frameshare_format_info *c) {
    if (result < 0) return raise_result(result);
    if (result == FRAMESHARE_NOT_FOUND) Py_RETURN_NONE;
    return described_format(c);
}

static PyObject *format_by_name(PyObject *module, PyObject *name) {
    (void)module;
    PyObject *bytes = encoded(name);
    if (bytes == NULL) return NULL;
    struct frameshare_format_info c = frameshare_format_info_init();
    int result = frameshare_format_by_name(characters(bytes), &c);
    Py_DECREF(bytes);
    return found_format(result, &c);
}

static PyObject *format_get(PyObject *module, PyObject *arguments) {
    (void)module;
    PyObject *fourcc, *modifier;
    uint64_t code, variant;
    if (!PyArg_ParseTuple(arguments, "OO:format_get", &fourcc, &modifier)) return NULL;
    if (!unsigned_of("fourcc", fourcc, UINT32_MAX, &code) || !unsigned_of("modifier", modifier, UINT64_MAX, &variant)) return NULL;
    struct frameshare_format_info c = frameshare_format_info_init();
    return found_format(frameshare_format_get((uint32_t)code, variant, &c), &c);
}

static PyObject *format_at(PyObject *module, PyObject *index) {
    (void)module;
    uint64_t number;
    if (!unsigned_of("index", index, UINT32_MAX, &number)) return NULL;
    struct frameshare_format_info c = frameshare_format_info_init();
    return found_format(frameshare_format_at((size_t)number, &c), &c);
}

/* ------------------------------------------------------------------------------------------------ streams */

PyObject *described_stream(const struct frameshare_stream *c) {
    char color_space[FRAMESHARE_NAME_SIZE];
    int result = frameshare_color_space_name(c->color_space, color_space, sizeof color_space);
    if (result < 0) return raise_result(result);
    PyObject *planes = PyTuple_New(c->plane_count);
    for (uint32_t i = 0; planes != NULL && i < c->plane_count; i++) {
        const struct frameshare_plane_layout *plane = &c->planes[i];
        PyObject *item = Py_BuildValue("KKKI", (unsigned long long)plane->offset, (unsigned long long)plane->stride,
                                       (unsigned long long)plane->size, plane->buffer);
        if (item == NULL) Py_CLEAR(planes);
        else PyTuple_SetItem(planes, i, item);
    }
    if (planes == NULL) return NULL;
    return Py_BuildValue("sIIIKsN", c->name, c->width, c->height, c->fourcc, (unsigned long long)c->modifier, color_space, planes);
}

static bool side_of(const char *name, PyObject *value, uint32_t *result) {
    uint64_t number;
    if (unsigned_of(name, value, UINT32_MAX, &number)) {
        *result = (uint32_t)number;
        return true;
    }
    if (!PyErr_ExceptionMatches(PyExc_TypeError)) {
        PyErr_Clear();
        raise_error(FRAMESHARE_ERROR_LAYOUT, "%s can't be %R pixels or bytes", name, value);
    }
    return false;
}

static bool set_color_space(struct frameshare_stream *c, const char *name) {
    int result = frameshare_color_space_by_name(name, &c->color_space);
    if (result < 0) raise_result(result);
    return result >= 0;
}

static PyObject *stream_compute(PyObject *module, PyObject *arguments) {
    (void)module;
    PyObject *name = NULL, *format = NULL, *space = NULL, *width, *height, *alignment, *stream = NULL;
    if (!PyArg_ParseTuple(arguments, "O&OOO&OO&:stream_compute", encoded_argument, &name, &width, &height, encoded_argument,
                          &format, &alignment, encoded_argument, &space)) {
        return NULL;
    }
    struct frameshare_stream c = frameshare_stream_init();
    uint32_t columns, rows, step;
    if (side_of("width", width, &columns) && side_of("height", height, &rows) && side_of("alignment", alignment, &step)) {
        int result = frameshare_stream_compute(characters(name), columns, rows, characters(format), step, &c);
        if (result < 0) raise_result(result);
        else if (set_color_space(&c, characters(space))) stream = described_stream(&c);
    }
    Py_DECREF(name);
    Py_DECREF(format);
    Py_DECREF(space);
    return stream;
}

static PyObject *stream_opaque(PyObject *module, PyObject *arguments) {
    (void)module;
    PyObject *name = NULL, *width, *height, *capacity, *stream = NULL;
    unsigned fourcc;
    unsigned long long modifier;
    if (!PyArg_ParseTuple(arguments, "O&OOIKO:stream_opaque", encoded_argument, &name, &width, &height, &fourcc, &modifier,
                          &capacity)) {
        return NULL;
    }
    struct frameshare_stream c = frameshare_stream_init();
    uint32_t columns, rows;
    uint64_t bytes;
    if (side_of("width", width, &columns) && side_of("height", height, &rows) && unsigned_of("capacity", capacity, UINT64_MAX, &bytes)) {
        int result = frameshare_stream_opaque(characters(name), columns, rows, fourcc, modifier, bytes, &c);
        stream = result < 0 ? raise_result(result) : described_stream(&c);
    }
    Py_DECREF(name);
    return stream;
}

static bool read_plane(PyObject *described, struct frameshare_plane_layout *plane) {
    PyObject *offset, *stride, *size, *buffer;
    uint64_t number;
    if (!PyArg_ParseTuple(described, "OOOO", &offset, &stride, &size, &buffer)) return false;
    if (!unsigned_of("a plane's offset", offset, UINT64_MAX, &plane->offset)) return false;
    if (!unsigned_of("a plane's stride", stride, UINT64_MAX, &plane->stride)) return false;
    if (!unsigned_of("a plane's size", size, UINT64_MAX, &plane->size)) return false;
    if (!unsigned_of("a plane's buffer", buffer, UINT32_MAX, &number)) return false;
    plane->buffer = (uint32_t)number;
    return true;
}

static bool read_stream(PyObject *described, struct frameshare_stream *c) {
    PyObject *name = NULL, *space = NULL, *width, *height, *fourcc, *modifier, *planes;
    uint64_t code = 0;
    bool is_right = false;
    if (!is_tuple(described, "a stream's description")) return false;
    if (!PyArg_ParseTuple(described, "O&OOOOO&O!", encoded_argument, &name, &width, &height, &fourcc, &modifier,
                          encoded_argument, &space, &PyTuple_Type, &planes)) {
        return false;
    }
    Py_ssize_t count = PyTuple_Size(planes);
    *c = frameshare_stream_init();
    if (!side_of("width", width, &c->width) || !side_of("height", height, &c->height) || !unsigned_of("fourcc", fourcc, UINT32_MAX, &code)
        || !unsigned_of("modifier", modifier, UINT64_MAX, &c->modifier) || !set_color_space(c, characters(space))) {
        goto end;
    }
    c->fourcc = (uint32_t)code;
    if (count < 1 || count > FRAMESHARE_MAX_PLANES) {
        raise_error(FRAMESHARE_ERROR_LAYOUT, "an image has 1 to 4 planes, not %zd", count);
        goto end;
    }
    c->plane_count = (uint32_t)count;
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *plane = PyTuple_GetItem(planes, i);
        if (!is_tuple(plane, "a plane") || !read_plane(plane, &c->planes[i])) goto end;
    }
    if (strlen(characters(name)) >= sizeof c->name) {
        raise_error(FRAMESHARE_ERROR_INVALID_ARGUMENT, "'%s' is too long for a stream's name: 32 characters at most", characters(name));
        goto end;
    }
    strcpy(c->name, characters(name));
    is_right = true;
end:
    Py_DECREF(name);
    Py_DECREF(space);
    return is_right;
}

struct frameshare_stream *streams_of(PyObject *streams, size_t *count, PyObject **names) {
    *count = (size_t)PyTuple_Size(streams);
    *names = PyTuple_New((Py_ssize_t)*count);
    struct frameshare_stream *result = *names == NULL ? NULL : PyMem_Calloc(*count + 1, sizeof *result);
    if (result == NULL) {
        Py_CLEAR(*names);
        return (struct frameshare_stream *)PyErr_NoMemory();
    }
    for (size_t i = 0; i < *count; i++) {
        PyObject *name = NULL;
        if (read_stream(PyTuple_GetItem(streams, (Py_ssize_t)i), &result[i])) name = text_of(result[i].name);
        if (name == NULL) {
            PyMem_Free(result);
            Py_CLEAR(*names);
            return NULL;
        }
        PyTuple_SetItem(*names, (Py_ssize_t)i, name);
    }
    return result;
}

PyMethodDef format_functions[] = {
    { "format_by_name", format_by_name, METH_O, "What is known of the format of a name." },
    { "format_get", format_get, METH_VARARGS, "What is known of a format; None for one that is not known." },
    { "format_at", format_at, METH_O, "The known formats in order; None beyond the last." },
    { "stream_compute", stream_compute, METH_VARARGS, "stream_compute(name, width, height, format, alignment, color_space)" },
    { "stream_opaque", stream_opaque, METH_VARARGS, "stream_opaque(name, width, height, fourcc, modifier, capacity)" },
    { NULL, NULL, 0, NULL },
};
