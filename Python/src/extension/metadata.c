/* Metadata: plain numbers and texts here, all else by frameshare.metadata. */
#include "extension.h"

#include <string.h>

/* ------------------------------------------------------------------------------------------------ reading */

PyObject *decoded(const struct frameshare_entry *entry) {
    union {
        int32_t whole;
        int64_t long_whole;
        float number;
        double long_number;
    } value;
    const char *data = entry->data;
    Py_ssize_t size = (Py_ssize_t)entry->size;
    switch (entry->type) {
    case FRAMESHARE_TYPE_BOOL:
        if (size == 1) return PyBool_FromLong(*data);
        break;
    case FRAMESHARE_TYPE_INT32:
        if (size == 4) return memcpy(&value, data, 4), PyLong_FromLong(value.whole);
        break;
    case FRAMESHARE_TYPE_INT64:
        if (size == 8) return memcpy(&value, data, 8), PyLong_FromLongLong(value.long_whole);
        break;
    case FRAMESHARE_TYPE_FLOAT:
        if (size == 4) return memcpy(&value, data, 4), PyFloat_FromDouble((double)value.number);
        break;
    case FRAMESHARE_TYPE_DOUBLE:
        if (size == 8) return memcpy(&value, data, 8), PyFloat_FromDouble(value.long_number);
        break;
    case FRAMESHARE_TYPE_STRING: return PyUnicode_DecodeUTF8(size == 0 ? "" : data, size, "replace");
    case FRAMESHARE_TYPE_BYTES: return PyBytes_FromStringAndSize(size == 0 ? "" : data, size);
    default: break;
    }
    static PyObject *function;
    PyObject *decode = attribute_of("frameshare.metadata", "decode", &function);
    return decode == NULL ? NULL : PyObject_CallFunction(decode, "Iy#", entry->type, size == 0 ? "" : data, size);
}

PyObject *read_metadata(const void *handle, NextEntry next) {
    struct frameshare_entry entry;
    size_t cursor = 0;
    PyObject *values = PyDict_New();
    while (values != NULL) {
        int result = next(handle, &cursor, &entry);
        if (result == FRAMESHARE_NOT_FOUND) break;
        PyObject *key = result < 0 ? raise_result(result) : PyUnicode_DecodeUTF8(entry.key, (Py_ssize_t)entry.key_size, "replace");
        PyObject *value = key == NULL ? NULL : decoded(&entry);
        if (value == NULL || PyDict_SetItem(values, key, value) < 0) Py_CLEAR(values);
        Py_XDECREF(value);
        Py_XDECREF(key);
    }
    return values;
}

/* ------------------------------------------------------------------------------------------------ writing */

/* Writers that are not in use. Each is used again and again. */
static frameshare_metadata *writers[8];
static unsigned writer_count;

static frameshare_metadata *any_writer(void) {
    if (writer_count > 0) {
        frameshare_metadata *writer = writers[--writer_count];
        int result = frameshare_metadata_clear(writer);
        return result < 0 ? raise_result(result) : writer;
    }
    frameshare_metadata *writer = NULL;
    int result = frameshare_metadata_create(&writer);
    return result < 0 ? raise_result(result) : writer;
}

void give_back_writer(frameshare_metadata *writer) {
    if (writer == NULL) return;
    if (writer_count < sizeof writers / sizeof writers[0]) writers[writer_count++] = writer;
    else frameshare_metadata_destroy(writer);
}

static int set_encoded(frameshare_metadata *writer, const char *key, PyObject *value) {
    static PyObject *function;
    PyObject *encode = attribute_of("frameshare.metadata", "encode", &function);
    PyObject *encoded = encode == NULL ? NULL : PyObject_CallFunctionObjArgs(encode, value, NULL);
    unsigned type;
    Py_buffer data;
    if (encoded == NULL || !PyTuple_Check(encoded) || !PyArg_ParseTuple(encoded, "Iy*", &type, &data)) {
        if (encoded != NULL && !PyErr_Occurred()) PyErr_SetString(PyExc_TypeError, "an encoded value is a type and bytes");
        Py_XDECREF(encoded);
        return RAISED;
    }
    int result = frameshare_metadata_set(writer, key, type, data.buf, (size_t)data.len);
    PyBuffer_Release(&data);
    Py_DECREF(encoded);
    return result;
}

/* Of more numbers than these the array is made by Python's own module. */
enum { MOST_NUMBERS = 64 };

/* Exact floats, or exact whole numbers, as one array; false for all else, which is another's to write. */
static bool set_numbers(frameshare_metadata *writer, const char *key, PyObject *values, int *result) {
    union {
        double numbers[MOST_NUMBERS];
        int64_t long_wholes[MOST_NUMBERS];
        int32_t wholes[MOST_NUMBERS];
    } array;
    bool is_tuple = PyTuple_CheckExact(values), is_short = true;
    Py_ssize_t count = is_tuple ? PyTuple_Size(values) : PyList_Size(values);
    if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__ || count < 1 || count > MOST_NUMBERS) return false;
    bool are_floats = PyFloat_CheckExact(is_tuple ? PyTuple_GetItem(values, 0) : PyList_GetItem(values, 0));
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *value = is_tuple ? PyTuple_GetItem(values, i) : PyList_GetItem(values, i);
        if (are_floats) {
            if (!PyFloat_CheckExact(value)) return false;
            array.numbers[i] = PyFloat_AsDouble(value);
            continue;
        }
        int overflow;
        if (!PyLong_CheckExact(value)) return false;
        array.long_wholes[i] = PyLong_AsLongLongAndOverflow(value, &overflow);
        if (overflow != 0) return false;
        is_short = is_short && array.long_wholes[i] >= INT32_MIN && array.long_wholes[i] <= INT32_MAX;
    }
    unsigned type = are_floats ? FRAMESHARE_TYPE_DOUBLE : is_short ? FRAMESHARE_TYPE_INT32 : FRAMESHARE_TYPE_INT64;
    size_t size = !are_floats && is_short ? sizeof array.wholes[0] : sizeof array.long_wholes[0];
    /* From the first on: each goes where an earlier one was. */
    for (Py_ssize_t i = 0; size == sizeof array.wholes[0] && i < count; i++) array.wholes[i] = (int32_t)array.long_wholes[i];
    *result = frameshare_metadata_set(writer, key, type | FRAMESHARE_TYPE_ARRAY, &array, size * (size_t)count);
    return true;
}

static int set_value(frameshare_metadata *writer, const char *key, PyObject *value) {
    if (PyBool_Check(value)) return frameshare_metadata_set_bool(writer, key, value == Py_True);
    if (PyLong_CheckExact(value)) {
        int overflow;
        long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
        if (overflow == 0 && number >= INT32_MIN && number <= INT32_MAX) {
            return frameshare_metadata_set_int32(writer, key, (int32_t)number);
        }
        if (overflow == 0) return frameshare_metadata_set_int64(writer, key, number);
    } else if (PyFloat_CheckExact(value)) {
        return frameshare_metadata_set_double(writer, key, PyFloat_AsDouble(value));
    } else if (PyUnicode_CheckExact(value)) {
        Py_ssize_t size;
        const char *text = PyUnicode_AsUTF8AndSize(value, &size);
        if (text != NULL) return frameshare_metadata_set(writer, key, FRAMESHARE_TYPE_STRING, text, (size_t)size);
        PyErr_Clear();
    } else if (PyBytes_CheckExact(value)) {
        return frameshare_metadata_set(writer, key, FRAMESHARE_TYPE_BYTES, PyBytes_AsString(value), (size_t)PyBytes_Size(value));
    } else if (PyTuple_CheckExact(value) || PyList_CheckExact(value)) {
        int result;
        if (set_numbers(writer, key, value, &result)) return result;
    }
    return set_encoded(writer, key, value);
}

bool take_writer(PyObject *values, bool keep_empty, frameshare_metadata **result) {
    *result = NULL;
    if (values == NULL || values == Py_None) {
        if (!keep_empty) return true;
        *result = any_writer();
        return *result != NULL;
    }
    /* A copy: what turns a value into bytes may change the mapping. */
    PyObject *items = PyMapping_Items(values);
    if (items == NULL) return false;
    Py_ssize_t count = PyList_Size(items);
    frameshare_metadata *writer = NULL;
    if (count > 0 || keep_empty) {
        writer = any_writer();
        if (writer == NULL) goto failed;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *item = PyList_GetItem(items, i), *key, *value;
        if (!is_tuple(item, "an item") || !PyArg_ParseTuple(item, "OO", &key, &value)) goto failed;
        PyObject *name = encoded(key);
        int outcome = name == NULL ? RAISED : set_value(writer, characters(name), value);
        Py_XDECREF(name);
        if (outcome < 0) {
            raise_result(outcome);
            goto failed;
        }
    }
    Py_DECREF(items);
    *result = writer;
    return true;
failed:
    Py_DECREF(items);
    give_back_writer(writer);
    return false;
}
