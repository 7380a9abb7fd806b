/* Waiting: other threads run meanwhile, and in the main thread Ctrl-C. */
#include "extension.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

/* Python runs signal handlers in the main thread alone, and not inside a call. A signal that this thread has ends the call at
 * once. One that another thread has, or that comes in the moment before this one sleeps, is seen after so many ns. */
#define SLICE ((int64_t)250 * 1000 * 1000)

static atomic_ulong main_thread;

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static int wait_in_main_thread(Waiting call, void *context, int64_t nanoseconds) {
    int64_t began = nanoseconds > 0 ? now() : 0;
    while (true) {
        int64_t left = began == 0 ? nanoseconds : nanoseconds - (now() - began);
        if (nanoseconds >= 0 && left < 0) left = 0;
        bool is_slice = left < 0 || left > SLICE;
        int result;
        Py_BEGIN_ALLOW_THREADS
        frameshare_set_interruptible(1);
        result = call(context, is_slice ? SLICE : left);
        frameshare_set_interruptible(0);
        Py_END_ALLOW_THREADS
        bool is_interrupted = result == FRAMESHARE_ERROR_INTERRUPTED;
        /* A frame that has come is not lost to a signal: Python looks at signals itself then. */
        if (result != FRAMESHARE_ERROR_TIMED_OUT && !is_interrupted) return result;
        if (PyErr_CheckSignals() < 0) return RAISED;
        if (!is_slice && !is_interrupted) return result;
    }
}

int wait_for(Waiting call, void *context, int64_t nanoseconds) {
    if (PyThread_get_thread_ident() == main_thread) return wait_in_main_thread(call, context, nanoseconds);
    int result;
    Py_BEGIN_ALLOW_THREADS
    result = call(context, nanoseconds);
    Py_END_ALLOW_THREADS
    return result;
}

/* In a forked process the thread that forked is the main one, whichever it was. */
static void after_fork_in_child(void) { main_thread = PyThread_get_thread_ident(); }

int add_waiting(PyObject *module) {
    (void)module;
    static bool hears_of_forks;
    if (!hears_of_forks) {
        int error = pthread_atfork(NULL, NULL, after_fork_in_child);
        if (error != 0) {
            errno = error;
            return PyErr_SetFromErrno(PyExc_OSError), -1;
        }
        hears_of_forks = true;
    }
    if (gettid() == getpid()) {
        main_thread = PyThread_get_thread_ident();
        return 0;
    }
    PyObject *threading = PyImport_ImportModule("threading");
    PyObject *thread = threading == NULL ? NULL : PyObject_CallMethod(threading, "main_thread", NULL);
    PyObject *ident = thread == NULL ? NULL : PyObject_GetAttrString(thread, "ident");
    if (ident != NULL) main_thread = PyLong_AsUnsignedLong(ident);
    Py_XDECREF(ident);
    Py_XDECREF(thread);
    Py_XDECREF(threading);
    return PyErr_Occurred() ? -1 : 0;
}
