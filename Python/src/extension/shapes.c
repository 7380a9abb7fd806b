/* What all images of a stream have in common: made once for a generation, looked up for each frame. */
#include "extension.h"

#include <string.h>

/* Forms that were used last, by a hash of their numbers. One that has the same place takes it over. */
static Form *forms[64];

static size_t place_of(const struct frameshare_image *c) {
    uint64_t name;
    memcpy(&name, c->stream, sizeof name);
    uint64_t hash = name ^ ((uint64_t)c->fourcc << 32 | c->width) ^ ((uint64_t)c->height << 20) ^ c->planes[0].stride << 7;
    return (size_t)((hash * 0x9E3779B97F4A7C15u) >> 58);
}

/* Where a plane begins behind the first one of its buffer: the buffer itself lies elsewhere in each slot. */
static size_t place_in_buffer(const struct frameshare_image *c, uint32_t plane) {
    uint32_t first = 0;
    while (c->planes[first].buffer != c->planes[plane].buffer) first++;
    return c->planes[plane].offset - c->planes[first].offset;
}

/* Whether an image differs from the form's in nothing but where its bytes are, and how many hold data. */
static bool fits(const Form *form, const struct frameshare_image *c) {
    const struct frameshare_image *own = &form->image;
    const size_t begin = offsetof(struct frameshare_image, width), end = offsetof(struct frameshare_image, memory);
    if (memcmp((const char *)own + begin, (const char *)c + begin, end - begin) != 0) return false;
    if (strcmp(own->stream, c->stream) != 0) return false;
    for (uint32_t i = 0; i < c->plane_count && i < FRAMESHARE_MAX_PLANES; i++) {
        const struct frameshare_plane *mine = &own->planes[i], *other = &c->planes[i];
        if (mine->stride != other->stride || mine->size != other->size || mine->buffer != other->buffer) return false;
        if (place_in_buffer(own, i) != place_in_buffer(c, i)) return false;
    }
    return true;
}

void drop_form(Form *form) {
    if (form == NULL || --form->references > 0) return;
    Py_XDECREF(form->name);
    Py_XDECREF(form->format);
    Py_XDECREF(form->no_whole);
    PyMem_Free(form);
}

/* Reads (type, shape, strides); None: as long as the data. */
static bool read_shape(PyObject *described, Shape *shape) {
    memset(shape, 0, sizeof *shape);
    if (described == Py_None) {
        *shape = (Shape){ .dimensions = 1, .strides = { 1 }, .is_data = true };
        return true;
    }
    const char *type;
    PyObject *lengths, *strides;
    if (!is_tuple(described, "a shape") || !PyArg_ParseTuple(described, "sO!O!", &type, &PyTuple_Type, &lengths, &PyTuple_Type, &strides)) return false;
    shape->sample = strcmp(type, "|u1") == 0 ? SAMPLE_U8 : strcmp(type, ">u2") == 0 ? SAMPLE_U16_BIG : SAMPLE_U16;
    shape->dimensions = (int)PyTuple_Size(lengths);
    for (int i = 0; i < shape->dimensions && i < 3; i++) {
        shape->shape[i] = PyLong_AsSsize_t(PyTuple_GetItem(lengths, i));
        shape->strides[i] = PyLong_AsSsize_t(PyTuple_GetItem(strides, i));
    }
    return !PyErr_Occurred();
}

/* Asks frameshare.formats, which knows what a format demands. */
static bool describe(Form *form) {
    static PyObject *format_function, *shapes_function;
    PyObject *format_of = attribute_of("frameshare.formats", "format_of", &format_function);
    PyObject *shapes_of = attribute_of("frameshare.formats", "shapes_of", &shapes_function);
    if (format_of == NULL || shapes_of == NULL) return false;
    const struct frameshare_image *c = &form->image;
    form->name = PyUnicode_InternFromString(c->stream);
    form->format = PyObject_CallFunction(format_of, "IK", c->fourcc, (unsigned long long)c->modifier);
    PyObject *planes = PyTuple_New(c->plane_count);
    for (uint32_t i = 0; planes != NULL && i < c->plane_count; i++) {
        const struct frameshare_plane *plane = &c->planes[i];
        PyObject *item = Py_BuildValue("nnnI", (Py_ssize_t)place_in_buffer(c, i), (Py_ssize_t)plane->stride,
                                       (Py_ssize_t)plane->size, plane->buffer);
        if (item == NULL) Py_CLEAR(planes);
        else PyTuple_SetItem(planes, i, item);
    }
    PyObject *found = form->name == NULL || form->format == NULL || planes == NULL
        ? NULL : PyObject_CallFunction(shapes_of, "OIIO", form->format, c->width, c->height, planes);
    Py_XDECREF(planes);
    PyObject *each, *whole;
    bool is_whole = found != NULL && is_tuple(found, "shapes") && PyArg_ParseTuple(found, "O!O", &PyTuple_Type, &each, &whole)
        && PyTuple_Size(each) == c->plane_count;
    for (uint32_t i = 0; is_whole && i < c->plane_count; i++) {
        is_whole = read_shape(PyTuple_GetItem(each, i), &form->planes[i]);
    }
    if (is_whole && PyUnicode_Check(whole)) form->no_whole = Py_NewRef(whole);
    else if (is_whole) is_whole = read_shape(whole, &form->whole);
    Py_XDECREF(found);
    if (!is_whole && !PyErr_Occurred()) PyErr_SetString(PyExc_SystemError, "frameshare.formats.shapes_of is wrong");
    return is_whole;
}

Form *form_of(const struct frameshare_image *image) {
    size_t place = place_of(image);
    Form *form = forms[place];
    if (form != NULL && fits(form, image)) {
        form->references++;
        return form;
    }
    form = PyMem_Calloc(1, sizeof *form);
    if (form == NULL) return (Form *)PyErr_NoMemory();
    form->references = 1;
    form->image = *image;
    if (form->image.plane_count > FRAMESHARE_MAX_PLANES) form->image.plane_count = FRAMESHARE_MAX_PLANES;
    if (!describe(form)) {
        drop_form(form);
        return NULL;
    }
    Form *before = forms[place];
    forms[place] = form;
    form->references++;
    drop_form(before);
    return form;
}
