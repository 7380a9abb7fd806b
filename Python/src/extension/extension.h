/* What the files of the extension `frameshare._native` have in common. It stands on frameshare.h alone, and is built
 * against Python's stable ABI (3.11). */
#ifndef FRAMESHARE_EXTENSION_H
#define FRAMESHARE_EXTENSION_H


#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#include <frameshare.h>
#include <stdbool.h>
#include <stdint.h>

/* In the limited API these are functions: they are given objects of all kinds here. */
#undef Py_INCREF
#undef Py_DECREF
#undef Py_XDECREF
#undef Py_REFCNT
#define Py_INCREF(object) Py_INCREF((PyObject *)(object))
#define Py_DECREF(object) Py_DECREF((PyObject *)(object))
#define Py_XDECREF(object) Py_XDECREF((PyObject *)(object))
#define Py_REFCNT(object) Py_REFCNT((PyObject *)(object))

/* ------------------------------------------------------------------------------------------------ module.c */

/* An attribute of a module of the package, such as ("frameshare.groups", "Pending"), looked up once. A borrowed
 * reference that lives as long as the process; NULL with an exception. */
PyObject *attribute_of(const char *module, const char *name, PyObject **cache);

/* Makes a type of a spec and adds it to the module. */
PyTypeObject *add_type(PyObject *module, PyType_Spec *spec);

/* Each file adds what it has to the module: 0, or -1 with an exception. */
int add_errors(PyObject *module);
int add_leases(PyObject *module);
int add_images(PyObject *module);
int add_frames(PyObject *module);
int add_subscribers(PyObject *module);
int add_slots(PyObject *module);
int add_publishers(PyObject *module);
int add_waiting(PyObject *module);
extern PyMethodDef argument_functions[], format_functions[], group_functions[], monitor_functions[], control_functions[],
    channel_functions[], stage_functions[], waiting_functions[];

/* ------------------------------------------------------------------------------------------------ errors.c */

/* Raises what stands for an error, with the calling thread's last reason. Returns NULL. */
void *raise_result(int result);

/* Raises what stands for an error, with a reason of one's own. Returns NULL. */
void *raise_error(int result, const char *format, ...);

/* The exception that stands for an error, not raised. */
PyObject *error_object(int result, const char *message);

/* ------------------------------------------------------------------------------------------------ arguments.c */

/* Whether something is a tuple; else a TypeError says that it should be. */
bool is_tuple(PyObject *object, const char *what);

/* Text or a path as bytes that C can read: UTF-8, no zero byte in it. A new reference. */
PyObject *encoded(PyObject *value);

/* The same for "O&", which releases it where a later argument is wrong. `place` is a PyObject **. */
int encoded_argument(PyObject *value, void *place);

/* As `encoded_argument`; None leaves NULL. */
int encoded_or_none(PyObject *value, void *place);

/* The characters of such bytes; NULL for NULL. */
const char *characters(PyObject *bytes);

/* A C text, in which wrong UTF-8 is replaced. */
PyObject *text_of(const char *characters);

/* A time in seconds as nanoseconds: None is -1, less than nothing 0, more than 146 years those. */
bool nanoseconds_of(const char *name, PyObject *seconds, int64_t *result);

/* Numbers that a type of C holds. `InvalidArgument` for others, `TypeError` for what is no whole number: by the argument's name. */
bool unsigned_of(const char *name, PyObject *value, uint64_t most, uint64_t *result);
bool signed_of(const char *name, PyObject *value, int64_t least, int64_t most, int64_t *result);

typedef enum { MEMBER_U8, MEMBER_U32, MEMBER_I32, MEMBER_U64, MEMBER_I64, MEMBER_F64, MEMBER_TEXT, MEMBER_CHARS } MemberKind;

/* A member of a struct of frameshare.h: setup.py writes tables of them (members.h). */
typedef struct {
    const char *name;
    MemberKind kind;
    size_t offset, size;
} Member;

/* Sets members by name. Texts are bytes, which the dictionary keeps. */
bool set_members(void *structure, const Member *members, PyObject *values);

/* All of a struct's members by name. */
PyObject *members_of(const void *structure, const Member *members);

/* ------------------------------------------------------------------------------------------------ waiting.c */

/* Calls something that waits for so many nanoseconds. It is called without Python's lock. */
typedef int (*Waiting)(void *context, int64_t nanoseconds);

/* What `wait_for` returns where a signal's handler has raised an exception. */
#define RAISED INT32_MIN

/* Waits; other threads run meanwhile, and signal handlers in the main thread. Returns the call's result, or RAISED. */
int wait_for(Waiting call, void *context, int64_t nanoseconds);

/* ------------------------------------------------------------------------------------------------ leases.c */

/* The hold on a frame or a slot. It ends when nobody has it any more: neither the frame nor an array over its bytes. */
typedef struct {
    PyObject_HEAD
    void *handle;
    /* A slot's is discarded, a frame's released. */
    bool is_slot;
    /* Its memory is one whose beginning and end of access may take time: other threads run then. */
    bool is_slow;
    /* A published slot's memory, where arrays over it outlive the slot; else NULL. */
    frameshare_memory *memory;
} Lease;

Lease *new_lease(void *handle, bool is_slot);

/* Takes the handle of a slot out, which is the caller's to publish or discard. Arrays over it keep its memory. */
void *take_out(Lease *lease);

/* Gives it up. It ends now if nobody else has it. */
void drop_lease(Lease *lease);

/* A handle of the C library that ends with this object. */
typedef struct {
    PyObject_HEAD
    void *pointer;
    int (*end)(void *);
    /* Ending it waits for nobody. */
    bool is_quick;
} Handle;

PyObject *new_handle(void *pointer, int (*end)(void *), bool is_quick);

/* A handle's pointer; NULL with an exception for what is no handle, one of another kind, or one that was ended. */
void *pointer_of(PyObject *handle, int (*end)(void *));

/* Memory of another object, which it keeps: what an image lies over that is not a frame's. */
PyObject *new_memory(PyObject *owner, Py_buffer *view);

/* ------------------------------------------------------------------------------------------------ shapes.c */

typedef enum { SAMPLE_U8, SAMPLE_U16, SAMPLE_U16_BIG } Sample;

/* How an array lies over bytes. */
typedef struct {
    Sample sample;
    int dimensions;
    Py_ssize_t shape[3], strides[3];
    /* Its only dimension is as long as the data. */
    bool is_data;
} Shape;

/* What all images of a stream have in common, as long as it is configured so. */
typedef struct {
    size_t references;
    struct frameshare_image image;
    PyObject *name, *format;
    Shape planes[FRAMESHARE_MAX_PLANES], whole;
    /* Why there is no `whole`: a text; NULL where there is one. */
    PyObject *no_whole;
} Form;

/* The form of an image: made when its like is first seen. A new reference. */
Form *form_of(const struct frameshare_image *image);
void drop_form(Form *form);

/* A stream as Python hands it on: (name, width, height, fourcc, modifier, colour space, planes). */
PyObject *described_stream(const struct frameshare_stream *stream);

/* ------------------------------------------------------------------------------------------------ arrays.c */

/* A numpy array over memory that `keeper` keeps. numpy is loaded with the first one. */
PyObject *array_over(PyObject *keeper, void *data, const Shape *shape, Py_ssize_t used, bool writable);

/* Fills in a buffer over memory that `keeper` keeps, which `releasebuffer` is to let go. */
int fill_buffer(PyObject *owner, PyObject *keeper, Py_buffer *view, void *data, const Shape *shape, Py_ssize_t used,
                bool writable, int flags);

/* Copies bytes without padding over a plane, or over all of an image; false where there are more or fewer than it takes. */
bool copy_packed(const void *bytes, Py_ssize_t count, void *data, const Shape *shape);

/* Copies an object's bytes over a plane. `name` is for the words of an error. */
bool copy_content(PyObject *content, void *data, const Shape *shape, Py_ssize_t used, PyObject *name);

/* ------------------------------------------------------------------------------------------------ image.c */

typedef struct {
    PyObject_HEAD
    /* A Lease, or a Memory; NULL: the frame was released. */
    PyObject *keeper;
    Form *form;
    struct frameshare_image c;
    bool writable;
    PyObject *weak_references;
} Image;

/* The images that were asked for of a frame or slot. */
typedef struct {
    unsigned count;
    Image *all[FRAMESHARE_MAX_STREAMS];
} Images;

/* The image of a stream (NULL: of the first), which is the same one as long as the frame is held. `place` is where the
 * frame has its lease. A new reference. */
PyObject *image_of(Images *images, Lease **place, PyObject *stream);

/* Takes the lease from the images, for their frame was released. */
void void_images(Images *images);

/* What a plane's array is as long as: its data, or its memory. */
Py_ssize_t used_of(const Image *image, unsigned plane);

/* ------------------------------------------------------------------------------------------------ frame.c */

PyObject *new_frame(frameshare_frame *handle);
/* Gives a frame back, as its `release()` does. */
void release_frame(PyObject *frame);

/* ------------------------------------------------------------------------------------------------ metadata.c */

/* Metadata of a frame or an answer, as a dictionary of its own. */
typedef int (*NextEntry)(const void *handle, size_t *cursor, struct frameshare_entry *entry);
PyObject *read_metadata(const void *handle, NextEntry next);
PyObject *decoded(const struct frameshare_entry *entry);

/* Metadata on its way, filled from a mapping; NULL with `*result` NULL where there is none. `keep_empty`: an empty mapping is
 * metadata, too. */
bool take_writer(PyObject *values, bool keep_empty, frameshare_metadata **result);
void give_back_writer(frameshare_metadata *writer);

/* ------------------------------------------------------------------------------------------------ publisher.c */

typedef struct {
    PyObject_HEAD
    frameshare_publisher *handle;
    PyObject *channel;
    /* A tuple of the streams' names. */
    PyObject *names;
    /* Copies are made while a frame is published. */
    bool makes_copies;
} Publisher;

extern PyTypeObject *publisher_type;

/* Its handle; NULL with an exception where it is closed. */
frameshare_publisher *open_publisher(Publisher *publisher);

PyObject *new_slot(Publisher *publisher, frameshare_slot *handle);

/* What a source says of a frame. All are NULL, or objects. */
typedef struct {
    PyObject *timestamp, *clock, *sequence, *flags, *used;
} Said;

/* Makes a description; *is_needed is whether it says anything. `used` is a dict of a stream's name and its planes' bytes. */
bool description_of(Publisher *publisher, const Said *said, struct frameshare_description *c, bool *is_needed);

/* ------------------------------------------------------------------------------------------------ monitoring.c */

/* Asks something for a channel's numbers: a monitor, a publisher, an overlay. */
typedef int (*AskStatistics)(void *object, struct frameshare_channel_statistics *statistics,
                             struct frameshare_subscriber_status *subscribers, size_t capacity);

/* (numbers, subscribers); None where the channel has ended. */
PyObject *statistics_of(AskStatistics ask, void *object);

/* ------------------------------------------------------------------------------------------------ groups.c */

/* Python's own of an answer, which is released: (frame, worker, value, None), or (frame, 0, None, error). */
PyObject *taken_answer(frameshare_answer *answer);
bool ask_options_of(PyObject *values, struct frameshare_ask_options *options);
/* Ends the handle of a member's request. */
int end_request(void *request);
PyObject *new_pending(frameshare_pending *pending);
/* Streams in the form in which Python hands them on. `malloc`ed. */
struct frameshare_stream *streams_of(PyObject *streams, size_t *count, PyObject **names);

#ifndef Py_XSETREF
#define Py_XSETREF(place, value)                                                                                       \
    do {                                                                                                               \
        PyObject *before = (PyObject *)(place);                                                                        \
        (place) = (value);                                                                                             \
        Py_XDECREF(before);                                                                                            \
    } while (0)
#endif

#endif
