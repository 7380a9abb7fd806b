// encoder_quirks: a V4L2 encoder that is no device, with the quirks of real drivers. For LD_PRELOAD.
//
// It answers open, ioctl and close of one device file, in the process that it is loaded into. It "encodes" grey frames to
// FWHT: each packet is a head as the codec has it, and the frame's first byte. The device file is a memfd, which holds the
// buffers too, so that mmap and poll need no answer of its own: it is always ready.
//
//   ENCODER_QUIRKS=NAME[=VALUE],...     without the variable, the library does nothing
//
//   device=PATH          the device file; it need not exist (/dev/video78)
//                        Where EIO stands below, N:ERRNO gives that error.
//   frame-dqbuf=N        the Nth VIDIOC_DQBUF of a frame takes the buffer and gives EIO instead of it
//   packet-dqbuf=N       the same of a packet
//   packet-dqbuf-dead=N  from the Nth packet on VIDIOC_DQBUF gives EIO until VIDIOC_STREAMOFF
//   packet-broken=N      from the Nth packet on each VIDIOC_DQBUF gives EIO, whatever is done
//   frame-qbuf=N         the Nth VIDIOC_QBUF of a frame gives EIO
//   packet-qbuf=N        the Nth VIDIOC_QBUF of a packet's buffer gives EIO
//   streamoff=N          the Nth VIDIOC_STREAMOFF gives EIO, and ends nothing
//   gone=N               after N packets every call gives ENODEV
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { BUFFERS = 8, ROOM = 1 << 20, HEAD = 44 };

// MARK: what is asked for

// The text after NAME= in ENCODER_QUIRKS; NULL if it isn't there.
static const char *text(const char *name) {
    const char *at = getenv("ENCODER_QUIRKS");
    size_t length = strlen(name);
    while (at && *at) {
        size_t end = strcspn(at, ",");
        if (strncmp(at, name, length) == 0 && at[length] == '=') return at + length + 1;
        at += end;
        if (*at == ',') at++;
    }
    return NULL;
}

static long quirk(const char *name) {
    const char *value = text(name);
    return value ? strtol(value, NULL, 10) : 0;
}

// A negative errno value.
static int error_of(const char *name) {
    const char *value = text(name);
    size_t digits = value ? strspn(value, "0123456789") : 0;
    return value && value[digits] == ':' ? -atoi(value + digits + 1) : -EIO;
}

static bool is_encoder(const char *path) {
    if (!getenv("ENCODER_QUIRKS") || !path) return false;
    const char *device = text("device");
    if (!device) device = "/dev/video78";
    size_t length = strcspn(device, ",");
    return strlen(path) == length && strncmp(path, device, length) == 0;
}

// MARK: the encoder

// One direction: what goes in, and what comes out.
struct queue {
    int count;
    bool streams;
    struct v4l2_buffer buffer[BUFFERS];
    int waiting[BUFFERS], waits; // in the order in which they came
    int done[BUFFERS], ready;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int file = -1;
static uint8_t *memory;
static uint32_t width = 64, height = 48;
static struct queue frames, packets;
static bool is_dead;
// Calls since the process began, so that a quirk comes once.
static long frame_qbufs, packet_qbufs, frame_dqbufs, packet_dqbufs, encoded;

static bool is_frames(uint32_t type) { return type == V4L2_BUF_TYPE_VIDEO_OUTPUT; }
static struct queue *queue_of(uint32_t type) { return is_frames(type) ? &frames : &packets; }
static uint32_t offset(uint32_t type, int index) { return (uint32_t)(is_frames(type) ? index : BUFFERS + index) * ROOM; }

static void number(uint8_t *place, uint32_t value) {
    for (int i = 0; i < 4; i++) place[i] = (uint8_t)(value >> (24 - 8 * i));
}

static int first(int *list, int *count) {
    int index = list[0];
    memmove(list, list + 1, (size_t)--*count * sizeof *list);
    return index;
}

static void encode(void) {
    while (frames.streams && packets.streams && frames.waits > 0 && packets.waits > 0) {
        int in = first(frames.waiting, &frames.waits), out = first(packets.waiting, &packets.waits);
        uint8_t *packet = memory + offset(V4L2_BUF_TYPE_VIDEO_CAPTURE, out);
        memset(packet, 0, HEAD);
        memset(packet, 0x4F, 4);
        memset(packet + 4, 0xFF, 4);
        number(packet + 8, 3);
        number(packet + 12, width);
        number(packet + 16, height);
        number(packet + 20, encoded % 10 == 0 ? 1 << 10 : 0);
        number(packet + 40, 1);
        packet[HEAD] = frames.buffer[in].memory == V4L2_MEMORY_MMAP ? memory[offset(V4L2_BUF_TYPE_VIDEO_OUTPUT, in)] : 0;
        encoded++;
        packets.buffer[out].bytesused = HEAD + 1;
        packets.buffer[out].timestamp = frames.buffer[in].timestamp;
        frames.buffer[in].flags = packets.buffer[out].flags = V4L2_BUF_FLAG_DONE;
        frames.done[frames.ready++] = in;
        packets.done[packets.ready++] = out;
    }
}

// MARK: its ioctls; each returns 0 or a negative errno value

static int make_buffers(struct v4l2_requestbuffers *r) {
    struct queue *q = queue_of(r->type);
    if (r->memory != V4L2_MEMORY_MMAP && !is_frames(r->type)) return -EINVAL;
    memset(q, 0, sizeof *q);
    q->count = r->count < BUFFERS ? (int)r->count : BUFFERS;
    for (int i = 0; i < q->count; i++)
        q->buffer[i] = (struct v4l2_buffer){
            .index = (uint32_t)i, .type = r->type, .memory = r->memory, .length = ROOM, .m.offset = offset(r->type, i),
        };
    r->count = (uint32_t)q->count;
    return 0;
}

static int queue(struct v4l2_buffer *b) {
    struct queue *q = queue_of(b->type);
    if (b->index >= (uint32_t)q->count || q->buffer[b->index].flags) return -EINVAL;
    const char *refused = is_frames(b->type) ? "frame-qbuf" : "packet-qbuf";
    if (++*(is_frames(b->type) ? &frame_qbufs : &packet_qbufs) == quirk(refused)) return error_of(refused);
    q->buffer[b->index].flags = V4L2_BUF_FLAG_QUEUED;
    q->buffer[b->index].timestamp = b->timestamp;
    q->waiting[q->waits++] = (int)b->index;
    encode();
    return 0;
}

static int dequeue(struct v4l2_buffer *b) {
    struct queue *q = queue_of(b->type);
    if (!q->streams) return -EINVAL;
    if (!is_frames(b->type) && is_dead) return error_of("packet-dqbuf-dead");
    if (q->ready == 0) return -EAGAIN;
    const char *failing = NULL;
    if (is_frames(b->type)) {
        if (++frame_dqbufs == quirk("frame-dqbuf")) failing = "frame-dqbuf";
    } else {
        packet_dqbufs++;
        long broken = quirk("packet-broken");
        if (packet_dqbufs == quirk("packet-dqbuf-dead")) {
            is_dead = true;
            return error_of("packet-dqbuf-dead");
        }
        if (packet_dqbufs == quirk("packet-dqbuf")) failing = "packet-dqbuf";
        if (broken && packet_dqbufs >= broken) failing = "packet-broken";
    }
    // A driver that says "try again" has taken nothing out.
    if (failing && error_of(failing) == -EAGAIN) return -EAGAIN;
    int index = first(q->done, &q->ready);
    q->buffer[index].flags = 0;
    if (failing) return error_of(failing);
    *b = q->buffer[index];
    return 0;
}

static void stop(uint32_t type) {
    struct queue *q = queue_of(type);
    q->streams = false;
    q->waits = q->ready = 0;
    for (int i = 0; i < q->count; i++) q->buffer[i].flags = 0;
    if (!is_frames(type)) is_dead = false;
}

static int set_format(struct v4l2_format *f) {
    struct v4l2_pix_format *p = &f->fmt.pix;
    width = p->width;
    height = p->height;
    if (width * height > ROOM) return -EINVAL;
    p->pixelformat = is_frames(f->type) ? V4L2_PIX_FMT_GREY : V4L2_PIX_FMT_FWHT;
    p->bytesperline = is_frames(f->type) ? width : 0;
    p->sizeimage = is_frames(f->type) ? width * height : ROOM;
    p->field = V4L2_FIELD_NONE;
    return 0;
}

static int answer(unsigned long request, void *argument) {
    long gone = quirk("gone");
    if (gone && packet_dqbufs >= gone) return -ENODEV;
    switch (request) {
    case VIDIOC_QUERYCAP: {
        struct v4l2_capability *c = argument;
        memset(c, 0, sizeof *c);
        strcpy((char *)c->driver, "quirks");
        strcpy((char *)c->card, "Quirky Encoder");
        c->device_caps = V4L2_CAP_VIDEO_M2M | V4L2_CAP_STREAMING | V4L2_CAP_EXT_PIX_FORMAT;
        c->capabilities = c->device_caps | V4L2_CAP_DEVICE_CAPS;
        return 0;
    }
    case VIDIOC_ENUM_FMT: {
        struct v4l2_fmtdesc *f = argument;
        if (f->index > 0) return -EINVAL;
        f->pixelformat = is_frames(f->type) ? V4L2_PIX_FMT_GREY : V4L2_PIX_FMT_FWHT;
        f->flags = is_frames(f->type) ? 0 : V4L2_FMT_FLAG_COMPRESSED;
        return 0;
    }
    case VIDIOC_S_FMT:
    case VIDIOC_TRY_FMT: return set_format(argument);
    case VIDIOC_REQBUFS: return make_buffers(argument);
    case VIDIOC_QUERYBUF: {
        struct v4l2_buffer *b = argument;
        struct queue *q = queue_of(b->type);
        if (b->index >= (uint32_t)q->count) return -EINVAL;
        *b = q->buffer[b->index];
        return 0;
    }
    case VIDIOC_QBUF: return queue(argument);
    case VIDIOC_DQBUF: return dequeue(argument);
    case VIDIOC_STREAMON:
        queue_of(*(uint32_t *)argument)->streams = true;
        encode();
        return 0;
    case VIDIOC_STREAMOFF: {
        static long count;
        if (++count == quirk("streamoff")) return error_of("streamoff");
        stop(*(uint32_t *)argument);
        return 0;
    }
    case VIDIOC_QUERY_EXT_CTRL:
    case VIDIOC_QUERYCTRL:
    case VIDIOC_G_EXT_CTRLS:
    case VIDIOC_S_EXT_CTRLS:
    case VIDIOC_G_CTRL:
    case VIDIOC_S_CTRL: return -EINVAL;
    default: return -ENOTTY;
    }
}

// MARK: what the process calls

static int open_encoder(void) {
    if (file >= 0) {
        errno = EBUSY;
        return -1;
    }
    int made = memfd_create("encoder-quirks", MFD_CLOEXEC);
    if (made < 0 || ftruncate(made, 2 * BUFFERS * (off_t)ROOM) < 0) return -1;
    memory = mmap(NULL, 2 * BUFFERS * (size_t)ROOM, PROT_READ | PROT_WRITE, MAP_SHARED, made, 0);
    if (memory == MAP_FAILED) return -1;
    return file = made;
}

#define OPEN(name)                                                                  \
    int name(const char *path, int flags, ...) {                                    \
        if (is_encoder(path)) return open_encoder();                                \
        static int (*real)(const char *, int, ...);                                 \
        if (!real) real = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #name); \
        va_list arguments;                                                          \
        va_start(arguments, flags);                                                 \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0; \
        va_end(arguments);                                                          \
        return real(path, flags, mode);                                             \
    }
OPEN(open)
OPEN(open64)

int close(int descriptor) {
    static int (*real)(int);
    if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "close");
    pthread_mutex_lock(&lock);
    if (descriptor >= 0 && descriptor == file) {
        munmap(memory, 2 * BUFFERS * (size_t)ROOM);
        memset(&frames, 0, sizeof frames);
        memset(&packets, 0, sizeof packets);
        file = -1;
    }
    pthread_mutex_unlock(&lock);
    return real(descriptor);
}

int ioctl(int descriptor, unsigned long request, ...) {
    static int (*real)(int, unsigned long, ...);
    if (!real) real = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
    va_list arguments;
    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    if (descriptor < 0 || descriptor != file) return real(descriptor, request, argument);
    pthread_mutex_lock(&lock);
    int result = answer(request, argument);
    pthread_mutex_unlock(&lock);
    if (result >= 0) return 0;
    errno = -result;
    return -1;
}
