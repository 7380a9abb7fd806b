/* Arguments for C, each checked; and C's structs as dictionaries. */
#include "extension.h"

#include <string.h>

bool is_tuple(PyObject *object, const char *what) {
    if (object != NULL && PyTuple_Check(object)) return true;
    if (!PyErr_Occurred()) PyErr_Format(PyExc_TypeError, "%s is a tuple", what);
    return false;
}

PyObject *encoded(PyObject *value) {
    PyObject *path = PyOS_FSPath(value);
    if (path == NULL) return NULL;
    PyObject *bytes = PyUnicode_Check(path) ? PyUnicode_AsEncodedString(path, "utf-8", "surrogateescape") : Py_NewRef(path);
    Py_DECREF(path);
    if (bytes == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_UnicodeError)) return NULL;
        PyErr_Clear();
        return raise_error(FRAMESHARE_ERROR_INVALID_ARGUMENT, "%A is no valid Unicode", value);
    }
    if (strlen(PyBytes_AsString(bytes)) != (size_t)PyBytes_Size(bytes)) {
        Py_DECREF(bytes);
        return raise_error(FRAMESHARE_ERROR_INVALID_ARGUMENT, "a text with a zero byte in it is not possible");
    }
    return bytes;
}

int encoded_argument(PyObject *value, void *place) {
    PyObject **result = place;
    if (value == NULL) {
        Py_CLEAR(*result);
        return 1;
    }
    *result = encoded(value);
    return *result == NULL ? 0 : Py_CLEANUP_SUPPORTED;
}

int encoded_or_none(PyObject *value, void *place) {
    if (value != Py_None) return encoded_argument(value, place);
    *(PyObject **)place = NULL;
    return Py_CLEANUP_SUPPORTED;
}

const char *characters(PyObject *bytes) { return bytes == NULL ? NULL : PyBytes_AsString(bytes); }

PyObject *text_of(const char *characters) {
    return PyUnicode_DecodeUTF8(characters, (Py_ssize_t)strlen(characters), "replace");
}

/* The longest time that means anything: 146 years. */
#define LONGEST ((int64_t)1 << 62)

/* Raises a TypeError that names the argument, its type and its value. Returns NULL. */
static void *wrong_type(const char *name, const char *wanted, PyObject *value) {
    PyErr_Clear();
    PyObject *type = PyType_GetName(Py_TYPE(value));
    if (type != NULL) PyErr_Format(PyExc_TypeError, "%s must be %s, not %U (%.200R)", name, wanted, type, value);
    Py_XDECREF(type);
    return NULL;
}

/* The number that an object stands for. */
static PyObject *whole_number(const char *name, PyObject *value) {
    PyObject *number = PyNumber_Index(value);
    if (number == NULL && PyErr_ExceptionMatches(PyExc_TypeError)) return wrong_type(name, "a whole number", value);
    return number;
}

bool nanoseconds_of(const char *name, PyObject *seconds, int64_t *result) {
    *result = -1;
    if (seconds == Py_None) return true;
    double number = PyFloat_AsDouble(seconds);
    if (number == -1.0 && PyErr_Occurred()) {
        if (PyErr_ExceptionMatches(PyExc_OverflowError)) {
            PyErr_Clear();
            PyObject *zero = PyLong_FromLong(0);
            int is_negative = zero == NULL ? -1 : PyObject_RichCompareBool(seconds, zero, Py_LT);
            Py_XDECREF(zero);
            *result = is_negative == 1 ? 0 : LONGEST;
            return is_negative >= 0;
        }
        if (PyErr_ExceptionMatches(PyExc_TypeError)) {
            wrong_type(name, "a number of seconds, or None", seconds);
        }
        return false;
    }
    if (number != number) return raise_error(FRAMESHARE_ERROR_INVALID_ARGUMENT, "%s is NaN; give a number of seconds", name);
    double nanoseconds = number * 1e9;
    *result = nanoseconds <= 0 ? 0 : nanoseconds >= (double)LONGEST ? LONGEST : (int64_t)nanoseconds;
    return true;
}

static bool refused(const char *name, PyObject *number, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    PyObject *range = PyUnicode_FromFormatV(format, arguments);
    va_end(arguments);
    /* Thousands of digits can't be written. */
    PyObject *digits = range == NULL ? NULL : PyObject_Str(number);
    if (digits == NULL && PyErr_ExceptionMatches(PyExc_ValueError)) PyErr_Clear();
    if (range != NULL) raise_error(FRAMESHARE_ERROR_INVALID_ARGUMENT, "%s is %V; it can be %U", name, digits, "a huge number", range);
    Py_XDECREF(digits);
    Py_XDECREF(range);
    return false;
}

bool unsigned_of(const char *name, PyObject *value, uint64_t most, uint64_t *result) {
    PyObject *number = whole_number(name, value);
    if (number == NULL) return false;
    unsigned long long held = PyLong_AsUnsignedLongLong(number);
    bool fits = true;
    if (held == (unsigned long long)-1 && PyErr_Occurred()) {
        PyErr_Clear();
        fits = false;
    }
    if (!fits || held > most) fits = refused(name, number, "0 to %llu", (unsigned long long)most);
    *result = held;
    Py_DECREF(number);
    return fits;
}

bool signed_of(const char *name, PyObject *value, int64_t least, int64_t most, int64_t *result) {
    PyObject *number = whole_number(name, value);
    if (number == NULL) return false;
    int overflow = 0;
    long long held = PyLong_AsLongLongAndOverflow(number, &overflow);
    bool fits = overflow == 0 && held >= least && held <= most;
    if (!fits) refused(name, number, "%lld to %lld", (long long)least, (long long)most);
    *result = held;
    Py_DECREF(number);
    return fits;
}

/* ------------------------------------------------------------------------------------------------ structs */

static bool set_member(void *structure, const Member *member, PyObject *value) {
    void *place = (char *)structure + member->offset;
    uint64_t number = 0;
    int64_t whole = 0;
    switch (member->kind) {
    case MEMBER_U8:
        if (!unsigned_of(member->name, value, UINT8_MAX, &number)) return false;
        *(uint8_t *)place = (uint8_t)number;
        return true;
    case MEMBER_U32:
        if (!unsigned_of(member->name, value, UINT32_MAX, &number)) return false;
        *(uint32_t *)place = (uint32_t)number;
        return true;
    case MEMBER_U64:
        if (!unsigned_of(member->name, value, UINT64_MAX, &number)) return false;
        *(uint64_t *)place = number;
        return true;
    case MEMBER_I32:
        if (!signed_of(member->name, value, INT32_MIN, INT32_MAX, &whole)) return false;
        *(int32_t *)place = (int32_t)whole;
        return true;
    case MEMBER_I64:
        if (!signed_of(member->name, value, INT64_MIN, INT64_MAX, &whole)) return false;
        *(int64_t *)place = whole;
        return true;
    case MEMBER_F64:
        *(double *)place = PyFloat_AsDouble(value);
        return PyErr_Occurred() == NULL;
    case MEMBER_TEXT: {
        if (value == Py_None) return true;
        const char *bytes = PyBytes_AsString(value);
        if (bytes == NULL) return false;
        *(const char **)place = bytes;
        return true;
    }
    case MEMBER_CHARS: {
        const char *bytes = PyBytes_AsString(value);
        if (bytes == NULL) return false;
        if (strlen(bytes) >= member->size) {
            raise_error(FRAMESHARE_ERROR_INVALID_ARGUMENT, "'%s' is too long for a %s: %zu bytes at most", bytes,
                        member->name, member->size - 1);
            return false;
        }
        memset(place, 0, member->size);
        memcpy(place, bytes, strlen(bytes));
        return true;
    }
    }
    return false;
}

bool set_members(void *structure, const Member *members, PyObject *values) {
    PyObject *key, *value;
    Py_ssize_t position = 0;
    if (!PyDict_Check(values)) {
        PyErr_SetString(PyExc_TypeError, "options are a dictionary");
        return false;
    }
    while (PyDict_Next(values, &position, &key, &value)) {
        const Member *member = members;
        while (member->name != NULL && PyUnicode_CompareWithASCIIString(key, member->name) != 0) member++;
        if (member->name == NULL) {
            PyErr_Format(PyExc_TypeError, "got an unexpected keyword argument %R", key);
            return false;
        }
        if (!set_member(structure, member, value)) return false;
    }
    return true;
}

static PyObject *member_of(const void *structure, const Member *member) {
    const void *place = (const char *)structure + member->offset;
    switch (member->kind) {
    case MEMBER_U8: return PyLong_FromUnsignedLong(*(const uint8_t *)place);
    case MEMBER_U32: return PyLong_FromUnsignedLong(*(const uint32_t *)place);
    case MEMBER_I32: return PyLong_FromLong(*(const int32_t *)place);
    case MEMBER_U64: return PyLong_FromUnsignedLongLong(*(const uint64_t *)place);
    case MEMBER_I64: return PyLong_FromLongLong(*(const int64_t *)place);
    case MEMBER_F64: return PyFloat_FromDouble(*(const double *)place);
    case MEMBER_TEXT: {
        const char *characters = *(const char *const *)place;
        return characters == NULL ? Py_NewRef(Py_None) : text_of(characters);
    }
    case MEMBER_CHARS: {
        const char *characters = place;
        return PyUnicode_DecodeUTF8(characters, (Py_ssize_t)strnlen(characters, member->size), "replace");
    }
    }
    return NULL;
}

PyObject *members_of(const void *structure, const Member *members) {
    PyObject *result = PyDict_New();
    for (const Member *member = members; result != NULL && member->name != NULL; member++) {
        PyObject *value = member_of(structure, member);
        if (value == NULL || PyDict_SetItemString(result, member->name, value) < 0) Py_CLEAR(result);
        Py_XDECREF(value);
    }
    return result;
}

static PyObject *encoded_function(PyObject *module, PyObject *value) {
    (void)module;
    return encoded(value);
}

static PyObject *nanoseconds_function(PyObject *module, PyObject *arguments) {
    (void)module;
    const char *name;
    PyObject *value;
    int64_t result;
    if (!PyArg_ParseTuple(arguments, "sO:nanoseconds", &name, &value)) return NULL;
    return nanoseconds_of(name, value, &result) ? PyLong_FromLongLong(result) : NULL;
}

PyMethodDef argument_functions[] = {
    { "encoded", encoded_function, METH_O, "Text or a path for C, which ends it at a zero byte." },
    { "nanoseconds", nanoseconds_function, METH_VARARGS, "nanoseconds(name, seconds): a time as C has it; None waits for ever" },
    { NULL, NULL, 0, NULL },
};
