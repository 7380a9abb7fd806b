/* The module `frameshare._native`: what it consists of, and where it can be loaded. */
#include "extension.h"

PyObject *attribute_of(const char *module, const char *name, PyObject **cache) {
    if (*cache != NULL) return *cache;
    PyObject *found = PyImport_ImportModule(module);
    if (found == NULL) return NULL;
    PyObject *attribute = PyObject_GetAttrString(found, name);
    Py_DECREF(found);
    /* Another thread may have been first: theirs is the same. */
    if (*cache == NULL) *cache = attribute;
    else Py_XDECREF(attribute);
    return *cache;
}

PyTypeObject *add_type(PyObject *module, PyType_Spec *spec) {
    PyObject *type = PyType_FromModuleAndSpec(module, spec, NULL);
    if (type == NULL || PyModule_AddType(module, (PyTypeObject *)type) < 0) {
        Py_XDECREF(type);
        return NULL;
    }
    /* Types stay as long as the process: objects of theirs may be made until its end. */
    return (PyTypeObject *)type;
}

static int execute(PyObject *module) {
    static bool is_loaded;
    /* The state is the process's, and so is the C library's. */
    if (PyInterpreterState_GetID(PyInterpreterState_Get()) != 0) {
        PyErr_SetString(PyExc_ImportError, "frameshare can't be used in a sub-interpreter: import it in the main one, or start a process");
        return -1;
    }
    if (is_loaded) {
        PyErr_SetString(PyExc_ImportError, "frameshare was loaded into this process before, and can't be loaded again");
        return -1;
    }
    PyMethodDef *const functions[] = { argument_functions, format_functions, group_functions, monitor_functions,
                                       control_functions, channel_functions, stage_functions, waiting_functions };
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        if (PyModule_AddFunctions(module, functions[i]) < 0) return -1;
    }
    int (*const parts[])(PyObject *) = { add_errors, add_waiting, add_leases, add_images, add_frames,
                                         add_subscribers, add_publishers, add_slots };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (parts[i](module) < 0) return -1;
    }
    if (PyModule_AddStringConstant(module, "version", frameshare_version()) < 0) return -1;
    is_loaded = true;
    return 0;
}

static PyModuleDef_Slot slots[] = {
    { Py_mod_exec, execute },
    { 0, NULL },
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "frameshare._native",
    .m_doc = "What of frameshare is done for each frame, and what else stands on the C library.",
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__native(void) { return PyModuleDef_Init(&definition); }
