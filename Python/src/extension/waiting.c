/* Waiting: other threads run meanwhile, and in the main thread Ctrl-C. */
#include "extension.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
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

/* ------------------------------------------------------------------------------------------------ descriptors */

/* Calls of a frame's way that never wait. They keep Python's lock, which Python's own give up: another thread would take it. */

static PyObject *inode(PyObject *module, PyObject *number) {
    (void)module;
    int64_t fd;
    struct stat status;
    if (!signed_of("a descriptor", number, INT32_MIN, INT32_MAX, &fd)) return NULL;
    if (fstat((int)fd, &status) != 0) return PyErr_SetFromErrno(PyExc_OSError);
    return Py_BuildValue("KK", (unsigned long long)status.st_dev, (unsigned long long)status.st_ino);
}

static PyObject *epoll_modify(PyObject *module, PyObject *arguments) {
    (void)module;
    int epoll, fd;
    unsigned events;
    if (!PyArg_ParseTuple(arguments, "iiI:epoll_modify", &epoll, &fd, &events)) return NULL;
    struct epoll_event event = { .events = events, .data.fd = fd };
    if (epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event) != 0) return PyErr_SetFromErrno(PyExc_OSError);
    Py_RETURN_NONE;
}

static PyObject *eventfd_clear(PyObject *module, PyObject *number) {
    (void)module;
    int64_t fd;
    uint64_t count;
    if (!signed_of("a descriptor", number, INT32_MIN, INT32_MAX, &fd)) return NULL;
    struct pollfd entry = { .fd = (int)fd, .events = POLLIN };
    int ready = poll(&entry, 1, 0);
    if (ready == 0 || (ready < 0 && errno == EINTR)) Py_RETURN_FALSE;
    if (ready < 0 || read((int)fd, &count, sizeof count) < 0) return PyErr_SetFromErrno(PyExc_OSError);
    Py_RETURN_TRUE;
}

static PyObject *timer_open(PyObject *module, PyObject *unused) {
    (void)module;
    (void)unused;
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    return fd < 0 ? PyErr_SetFromErrno(PyExc_OSError) : PyLong_FromLong(fd);
}

static PyObject *timer_set(PyObject *module, PyObject *arguments) {
    (void)module;
    int fd;
    long long nanoseconds;
    if (!PyArg_ParseTuple(arguments, "iL:timer_set", &fd, &nanoseconds)) return NULL;
    struct itimerspec when = { .it_value = { .tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000 } };
    if (timerfd_settime(fd, 0, &when, NULL) != 0) return PyErr_SetFromErrno(PyExc_OSError);
    Py_RETURN_NONE;
}

PyMethodDef waiting_functions[] = {
    { "inode", inode, METH_O, "inode(fd): the numbers of device and file, which say what an open file is" },
    { "epoll_modify", epoll_modify, METH_VARARGS, "epoll_modify(epoll, fd, events)" },
    { "eventfd_clear", eventfd_clear, METH_O, "eventfd_clear(fd): whether it was set" },
    { "timer_open", timer_open, METH_NOARGS, "timer_open(): a descriptor that is readable once its time has come" },
    { "timer_set", timer_set, METH_VARARGS, "timer_set(fd, nanoseconds): from now on, once; 0: never" },
    { NULL, NULL, 0, NULL },
};

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
