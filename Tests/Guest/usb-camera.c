// usb-camera: a USB video camera made in user space. It speaks the kernel's USB/IP protocol over a socket pair to
// vhci_hcd (no network, no gadget), so that the real uvcvideo driver finds a real USB camera. Plugging in, streaming
// and pulling out go through the kernel's own code. Needs root and the modules vhci_hcd and uvcvideo.
//
//   usb-camera [-r RATE] [-p PIDFILE]
//       Plugs a camera in and prints its device (/dev/videoN) once the driver has bound it. Ending the process, by
//       whatever signal, pulls it out; after SIGTERM or SIGINT the device is gone by the time the process has ended.
//       Start it again to plug it in again. Several processes are several cameras.
//       -r RATE     frames per second, instead of the size's own
//       -p PIDFILE  go on in the background once plugged in; PIDFILE then holds the process's id
//   usb-camera verify WIDTHxHEIGHT < FRAMES
//       Checks raw frames, one after the other, byte by byte; says which frame numbers it saw. Status 1: a wrong byte,
//       or no frame at all.
//
// The camera gives uncompressed YUYV: 640x480 at 30 frames per second, 1280x720 at 15, 320x240 at 60; lines without
// padding. It sends them over a bulk endpoint.
//
// Every byte of a frame follows from the frame's number, so that a reader can verify all of it. A frame is an array of
// 32-bit little-endian words (two pixels each). Word 0 is the frame's number n. Word i, for i > 0, is pattern(n, i):
//
//     x = i * 0x9E3779B1                        all in unsigned 32-bit arithmetic that wraps
//     x = (x ^ (x >> 16)) * 0x85EBCA6B
//     x = (x ^ (x >> 13)) * 0xC2B2AE35
//     pattern = (x ^ (x >> 16)) + n * 0x9E3779B1
//
// For one n no two such words are alike, and none is what it was in another frame: a shifted line, a stale page, a
// torn frame, a lost byte all show. (The part without n can be kept in a table.) The first frame of a process is number
// 1 and each one sent is one more. The camera itself drops nothing: when it can't keep its rate it is late. So a gap in
// the numbers is a frame that the driver dropped for want of a buffer, and its sequence number has the same gap.
//
// Not the camera's doing: on several processors uvcvideo (6.12) now and then hands out two neighbouring frames in the
// wrong order. Number and sequence number then both go ... 27, 29, 28, 30 ...
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONTROLLER "/sys/devices/platform/vhci_hcd.0"
#define SECOND 1000000000ll

static const struct mode { uint16_t width, height; uint32_t rate; } modes[] = {
    {640, 480, 30}, {1280, 720, 15}, {320, 240, 60},
};
#define MODES 3
static uint32_t bases[1280 * 720 / 2];         // base() of every word of the largest frame

static uint32_t frame_size(const struct mode *m) { return (uint32_t)m->width * m->height * 2; }

// The pattern of frame number 0.
static uint32_t base(uint32_t index) {
    uint32_t x = index * 0x9E3779B1u;
    x = (x ^ (x >> 16)) * 0x85EBCA6Bu;
    x = (x ^ (x >> 13)) * 0xC2B2AE35u;
    return x ^ (x >> 16);
}

static uint32_t pattern(uint32_t number, uint32_t index) {
    return index == 0 ? number : base(index) + number * 0x9E3779B1u;
}

// ---- What the camera says of itself: USB 2.0 chapter 9 and USB Video Class 1.0.

#define W16(x) (x) & 255, (x) >> 8 & 255
#define W32(x) W16(x), (x) >> 16 & 255, (x) >> 24 & 255
#define PACKET 512                 // of a high-speed bulk endpoint
#define HEADER 2                   // bytes before the pixels of each payload
#define PAYLOAD (32 * PACKET)      // the most that uvcvideo asks for in one request
#define PROBE 26                   // length of the probe and commit controls in UVC 1.0
#define CAMERA_FRAME(index, w, h, rate)                                                                 \
    30, 0x24, 5, index, 0, W16(w), W16(h), W32((uint32_t)(w) * (h) * 16 * (rate)),                      \
        W32((uint32_t)(w) * (h) * 16 * (rate)), W32((uint32_t)(w) * (h) * 2), W32(10000000u / (rate)), 1, \
        W32(10000000u / (rate))
#define CONTROL_LENGTH (13 + 18 + 11 + 9)
#define STREAMING_LENGTH (14 + 27 + MODES * 30 + 6)
#define TOTAL_LENGTH (9 + 8 + 9 + CONTROL_LENGTH + 9 + STREAMING_LENGTH + 7)

static const uint8_t device_descriptor[] = {
    18, 1, W16(0x200), 0xEF, 2, 1, 64, W16(0x1d6b), W16(0x0102), W16(0x100), 1, 2, 3, 1,
};
static const uint8_t configuration_descriptor[] = {
    9, 2, W16(TOTAL_LENGTH), 2, 1, 0, 0x80, 50,
    8, 11, 0, 2, 0x0E, 3, 0, 2,                                                // the two interfaces belong together
    9, 4, 0, 0, 0, 0x0E, 1, 0, 2,                                              // interface 0: control
    13, 0x24, 1, W16(0x100), W16(CONTROL_LENGTH), W32(48000000), 1, 1,
    18, 0x24, 2, 1, W16(0x0201), 0, 0, W16(0), W16(0), W16(0), 3, 0, 0, 0,     // camera terminal
    11, 0x24, 5, 2, 1, W16(0), 2, W16(1), 0,                                   // processing unit: it has a brightness
    9, 0x24, 3, 3, W16(0x0101), 0, 2, 0,                                       // output terminal
    9, 4, 1, 0, 1, 0x0E, 2, 0, 0,                                              // interface 1: streaming
    14, 0x24, 1, 1, W16(STREAMING_LENGTH), 0x81, 0, 3, 0, 0, 0, 1, 0,
    27, 0x24, 4, 1, MODES, 'Y', 'U', 'Y', '2', 0, 0, 16, 0, 128, 0, 0, 170, 0, 56, 155, 113, 16, 1, 0, 0, 0, 0,
    CAMERA_FRAME(1, 640, 480, 30), CAMERA_FRAME(2, 1280, 720, 15), CAMERA_FRAME(3, 320, 240, 60),
    6, 0x24, 13, 1, 1, 4,                                                      // colour: BT.709, matrix BT.601
    7, 5, 0x81, 2, W16(PACKET), 0,                                             // bulk in
};
_Static_assert(sizeof configuration_descriptor == TOTAL_LENGTH, "lengths of the descriptors");
static const char *const strings[] = {"", "FrameShare", "FrameShare USB Camera", "0001"};

// ---- USB/IP: Documentation/usb/usbip_protocol.rst

enum { SUBMIT = 1, UNLINK = 2, SUBMITTED = 3, UNLINKED = 4 };
struct request { uint32_t command, sequence, device, in, endpoint, word[5]; uint8_t setup[8]; };
_Static_assert(sizeof(struct request) == 48, "a USB/IP header has 48 bytes");

static int bus;                    // our end of the cable
static bool pulled_out;            // the kernel has closed its end
static volatile sig_atomic_t ending;

static struct { uint8_t probe[PROBE], committed[PROBE]; int16_t brightness; } controls;
static struct { uint32_t sequence, size; } waiting[64];      // requests for pixels, not yet answered
static int waiting_count;

static struct {
    uint32_t number, offset;       // the frame's, and how much of it is sent; 0: none begun
    uint8_t toggle;
    int64_t due;                   // when the next frame begins; 0: at once
} frame;

// The next pixels are the first of a frame that is due at once.
static void begin_anew(void) {
    frame.offset = 0;
    frame.due = 0;
}

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * SECOND + t.tv_nsec;
}

static void receive(void *data, size_t size) {
    for (char *p = data; size > 0 && !pulled_out;) {
        ssize_t n = read(bus, p, size);
        if (n > 0) p += n, size -= (size_t)n;
        else if (n == 0 || errno != EINTR) pulled_out = true;
    }
}

static void transmit(const void *data, size_t size) {
    for (const char *p = data; size > 0 && !pulled_out;) {
        ssize_t n = send(bus, p, size, MSG_NOSIGNAL);
        if (n > 0) p += n, size -= (size_t)n;
        else if (n == 0 || errno != EINTR) pulled_out = true;
    }
}

// Answers a request. `message` has room for the header before `size` bytes of data; data goes along when `in`.
static void answer(uint32_t sequence, bool in, int status, uint8_t *message, uint32_t size) {
    uint32_t header[12] = {htonl(SUBMITTED), htonl(sequence), 0, 0, 0, htonl((uint32_t)status), htonl(size)};
    memcpy(message, header, sizeof header);
    transmit(message, sizeof header + (in ? size : 0));
}

// ---- Control requests

static const struct mode *mode_of(const uint8_t *control) {
    return &modes[control[3] >= 1 && control[3] <= MODES ? control[3] - 1 : 0];
}

static void put32(uint8_t *p, uint32_t value) { memcpy(p, &value, 4); }

// Makes of a wish what the camera can do.
static void settle(uint8_t *control) {
    const struct mode *mode = mode_of(control);
    memset(control, 0, PROBE);
    control[2] = 1;
    control[3] = (uint8_t)(mode - modes + 1);
    put32(control + 4, 10000000u / mode->rate);
    put32(control + 18, frame_size(mode));
    put32(control + 22, PAYLOAD);
}

static uint32_t descriptor(uint8_t type, uint8_t index, uint8_t *reply, int *status) {
    switch (type) {
    case 1: memcpy(reply, device_descriptor, sizeof device_descriptor); return sizeof device_descriptor;
    case 2: memcpy(reply, configuration_descriptor, TOTAL_LENGTH); return TOTAL_LENGTH;
    case 3:
        if (index >= sizeof strings / sizeof *strings) break;
        memcpy(reply, (uint8_t[]){4, 3, 9, 4}, 4);                             // index 0: the language, US English
        if (index > 0) {
            reply[0] = (uint8_t)(2 + 2 * strlen(strings[index]));
            for (size_t i = 0; strings[index][i]; i++) {
                reply[2 + 2 * i] = (uint8_t)strings[index][i];
                reply[3 + 2 * i] = 0;
            }
        }
        return reply[0];
    }
    *status = -EPIPE;
    return 0;
}

// Requests of the video class to the streaming interface: probe (1) and commit (2).
static uint32_t video_request(uint8_t what, uint8_t selector, uint8_t interface, const uint8_t *data, uint32_t size,
                              uint8_t *reply, int *status) {
    if (interface != 1 || (selector != 1 && selector != 2)) what = 0;
    switch (what) {
    case 0x01:                                                                 // SET_CUR
        memcpy(controls.probe, data, size < PROBE ? size : PROBE);
        settle(controls.probe);
        if (selector == 2) {
            memcpy(controls.committed, controls.probe, PROBE);
            begin_anew();
        }
        return size;
    case 0x81: case 0x82: case 0x83: case 0x87:                                // GET_CUR, MIN, MAX, DEF
        memcpy(reply, selector == 1 ? controls.probe : controls.committed, PROBE);
        return PROBE;
    case 0x85: reply[0] = PROBE, reply[1] = 0; return 2;                       // GET_LEN
    case 0x86: reply[0] = 3; return 1;                                         // GET_INFO: can be read and set
    }
    *status = -EPIPE;
    return 0;
}

// Requests to the processing unit, which is entity 2 of the control interface: its brightness (2), -64 to 63. The pixels stay
// what they are.
static uint32_t unit_request(uint8_t what, uint8_t selector, const uint8_t *data, uint32_t size, uint8_t *reply,
                             int *status) {
    int16_t value = 0;
    if (selector != 2) what = 0;
    switch (what) {
    case 0x01:                                                                 // SET_CUR
        if (size < 2) break;
        controls.brightness = (int16_t)(data[0] | data[1] << 8);
        return 2;
    case 0x81: value = controls.brightness; break;                             // GET_CUR
    case 0x82: value = -64; break;                                             // GET_MIN
    case 0x83: value = 63; break;                                              // GET_MAX
    case 0x84: value = 1; break;                                               // GET_RES
    case 0x85: value = 2; break;                                               // GET_LEN
    case 0x86: reply[0] = 3; return 1;                                         // GET_INFO: can be read and set
    case 0x87: break;                                                          // GET_DEF
    default: what = 0;
    }
    if (what > 1) {
        reply[0] = (uint8_t)value, reply[1] = (uint8_t)(value >> 8);
        return 2;
    }
    *status = -EPIPE;
    return 0;
}

static void control_request(const struct request *request, const uint8_t *data) {
    static uint8_t message[sizeof(struct request) + TOTAL_LENGTH + 64];
    uint8_t *reply = message + sizeof(struct request);
    const uint8_t *setup = request->setup;
    uint32_t length = setup[6] | (uint32_t)setup[7] << 8, size = 0;
    bool in = setup[0] & 0x80;
    int status = 0;
    if (setup[0] == 0x80 && setup[1] == 6) size = descriptor(setup[3], setup[2], reply, &status);
    else if ((setup[0] & 0x60) == 0x20 && setup[4] == 0)
        size = unit_request(setup[1], setup[5] == 2 ? setup[3] : 0, data, length, reply, &status);
    else if ((setup[0] & 0x60) == 0x20)
        size = video_request(setup[1], setup[3], setup[4], data, length, reply, &status);
    else if (in) reply[0] = reply[1] = 0, size = setup[1] == 0 ? 2 : 1;        // GET_STATUS and the like
    answer(request->sequence, in, status, message, size < length ? size : length);
}

static void read_request(void) {
    static uint8_t data[65536];
    struct request request;
    receive(&request, sizeof request);
    if (pulled_out) return;
    for (uint32_t *w = &request.command; w < request.word + 5; w++) *w = ntohl(*w);
    uint32_t length = request.word[1];
    if (request.command == UNLINK) {                                           // takes back request word[0]
        bool found = false;
        for (int i = 0; i < waiting_count && !found; i++) {
            if (waiting[i].sequence != request.word[0]) continue;
            memmove(waiting + i, waiting + i + 1, (size_t)(--waiting_count - i) * sizeof *waiting);
            found = true;
        }
        uint32_t status = (uint32_t)(found ? -ECONNRESET : 0);
        uint32_t reply[12] = {htonl(UNLINKED), htonl(request.sequence), 0, 0, 0, htonl(status)};
        transmit(reply, sizeof reply);
        if (waiting_count == 0) begin_anew();                                  // the stream has ended
        return;
    }
    if (!request.in && length > 0) receive(data, length < sizeof data ? length : sizeof data);
    if (request.endpoint == 0) control_request(&request, data);
    else if (waiting_count < (int)(sizeof waiting / sizeof *waiting)) {
        waiting[waiting_count].sequence = request.sequence;
        waiting[waiting_count++].size = length < PAYLOAD ? length : PAYLOAD;
    }
}

// ---- Pixels

// Answers the oldest request with the next piece of the frame, beginning a frame if none is begun.
static void send_piece(uint32_t rate) {
    static uint32_t message[(sizeof(struct request) + PAYLOAD) / 4 + 2];
    // The pixels come after a header of 2 bytes: so that they lie at whole words, everything before is moved by 2.
    uint8_t *payload = (uint8_t *)message + 2 + sizeof(struct request);
    uint32_t *pixels = message + (2 + sizeof(struct request) + HEADER) / 4;
    uint32_t total = frame_size(mode_of(controls.committed));
    if (frame.offset == 0) {
        int64_t time = now(), interval = SECOND / rate;
        if (frame.due < time - interval / 4) frame.due = time;                 // late: no burst to catch up
        frame.due += interval;
        frame.toggle ^= 1;
        frame.number++;
    }
    uint32_t size = (waiting[0].size - HEADER) & ~3u;
    if (size > total - frame.offset) size = total - frame.offset;
    uint32_t first = frame.offset / 4, step = frame.number * 0x9E3779B1u;
    for (uint32_t i = 0; i < size / 4; i++) pixels[i] = bases[first + i] + step;
    if (first == 0) pixels[0] = frame.number;
    frame.offset = frame.offset + size == total ? 0 : frame.offset + size;
    payload[0] = HEADER;
    payload[1] = 0x80 | frame.toggle | (frame.offset == 0 ? 2 : 0);            // end of header; end of frame
    answer(waiting[0].sequence, true, 0, (uint8_t *)message + 2, size + HEADER);
    memmove(waiting, waiting + 1, (size_t)--waiting_count * sizeof *waiting);
}

// ---- Plugging in and pulling out

static void on_signal(int signal) { (void)signal; ending = 1; }

static bool write_file(const char *path, const char *text) {
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0) return false;
    bool written = write(file, text, strlen(text)) == (ssize_t)strlen(text);
    int error = errno;
    close(file);
    errno = error;
    return written;
}

// A free high-speed port of the controller; -1 if there is none. Lines of `status`: hub, port, state (4: free), ...
static int free_port(void) {
    FILE *file = fopen(CONTROLLER "/status", "re");
    char line[256], hub[8];
    int port, state, found = -1;
    while (file && found < 0 && fgets(line, sizeof line, file)) {
        if (sscanf(line, "%7s %d %d", hub, &port, &state) == 3 && strcmp(hub, "hs") == 0 && state == 4) found = port;
    }
    if (file) fclose(file);
    return found;
}

// The capture device that the driver made for our port: true, and its path.
static bool find_device(int port, char *path, size_t size) {
    char name[128];
    bool found = false;
    snprintf(name, sizeof name, CONTROLLER "/usb*/*-%d/*/video4linux/video*/index", port + 1);
    glob_t matches = {0};
    glob(name, 0, NULL, &matches);
    for (size_t i = 0; i < matches.gl_pathc && !found; i++) {
        FILE *file = fopen(matches.gl_pathv[i], "re");
        found = file && fgetc(file) == '0';                                    // index 1 is the one for metadata
        if (file) fclose(file);
        char *slash = strrchr(matches.gl_pathv[i], '/');
        *slash = 0;
        snprintf(path, size, "/dev/%s", strrchr(matches.gl_pathv[i], '/') + 1);
        found = found && access(path, F_OK) == 0;
    }
    globfree(&matches);
    return found;
}

static int fail(const char *what) {
    fprintf(stderr, "usb-camera: %s: %s\n", what, strerror(errno));
    return 1;
}

static int run_camera(uint32_t rate, const char *pid_file) {
    int told[2] = {-1, -1};
    if (pid_file) {                                                            // the parent waits for the device's name
        if (pipe2(told, O_CLOEXEC)) return fail("pipe");
        pid_t child = fork();
        if (child < 0) return fail("fork");
        if (child > 0) {
            char name[64] = "";
            close(told[1]);
            if (read(told[0], name, sizeof name - 1) <= 0) return 1;
            FILE *file = fopen(pid_file, "we");
            if (!file || fprintf(file, "%d\n", child) < 0 || fclose(file)) {
                kill(child, SIGTERM);
                return fail(pid_file);
            }
            fputs(name, stdout);
            return 0;
        }
        close(told[0]);
        setsid();
    }
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigset_t during_work, during_wait;                                         // signals come only while it waits
    sigemptyset(&during_work);
    sigaddset(&during_work, SIGTERM);
    sigaddset(&during_work, SIGINT);
    sigprocmask(SIG_BLOCK, &during_work, &during_wait);
    sigdelset(&during_wait, SIGTERM);
    sigdelset(&during_wait, SIGINT);

    int cable[2], port = free_port();
    char text[64], device[64] = "";
    if (port < 0) {
        fputs("usb-camera: no free port at " CONTROLLER " (is the module vhci_hcd loaded?)\n", stderr);
        return 1;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, cable)) return fail("socketpair");
    snprintf(text, sizeof text, "%d %d %d 3", port, cable[1], 1 << 16 | (port + 1));    // 3: high speed
    if (!write_file(CONTROLLER "/attach", text)) return fail(CONTROLLER "/attach");
    close(cable[1]);
    bus = cable[0];
    for (uint32_t i = 0; i < sizeof bases / sizeof *bases; i++) bases[i] = base(i);
    settle(controls.probe);
    settle(controls.committed);

    bool plugged_in = false;
    while (!ending && !pulled_out) {
        if (!plugged_in && find_device(port, device, sizeof device)) {
            plugged_in = true;
            dprintf(pid_file ? told[1] : STDOUT_FILENO, "%s\n", device);
            if (pid_file) close(told[1]), close(STDOUT_FILENO);
        }
        bool sending = waiting_count > 0;
        int64_t wait = sending && frame.offset == 0 ? frame.due - now() : 0;
        if (wait < 0) wait = 0;
        if (!sending) wait = plugged_in ? 3600 * SECOND : SECOND / 50;
        struct timespec time = {wait / SECOND, wait % SECOND};
        struct pollfd poll = {.fd = bus, .events = POLLIN};
        int ready = ppoll(&poll, 1, &time, &during_wait);
        if (ready > 0) read_request();
        else if (ready == 0 && sending) send_piece(rate ? rate : mode_of(controls.committed)->rate);
    }
    if (pulled_out) fputs("usb-camera: the kernel has pulled the camera out\n", stderr);
    snprintf(text, sizeof text, "%d", port);
    write_file(CONTROLLER "/detach", text);
    close(bus);
    for (int i = 0; i < 300 && plugged_in && access(device, F_OK) == 0; i++) usleep(10000);
    return ending ? 0 : 1;
}

static int verify(const char *size_text) {
    unsigned width, height;
    if (sscanf(size_text, "%ux%u", &width, &height) != 2 || width * height == 0) {
        fprintf(stderr, "usb-camera: no size: %s\n", size_text);
        return 2;
    }
    size_t words = (size_t)width * height / 2;
    uint32_t *pixels = malloc(words * 4), first = 0, last = 0, count = 0, missing = 0, back = 0;
    while (pixels && fread(pixels, 4, words, stdin) == words) {
        uint32_t number = pixels[0];
        for (uint32_t i = 1; i < words; i++) {
            if (pixels[i] == pattern(number, i)) continue;
            printf("frame %u (%u from the first): word %u is %08x, not %08x\n", number, count, i, pixels[i],
                   pattern(number, i));
            return 1;
        }
        if (count == 0) first = last = number;
        else if (number > last) missing += number - last - 1, last = number;
        else back++, missing -= missing > 0;                                   // late: it was counted as missing
        count++;
    }
    printf("%u frames, every byte right; numbers %u to %u, %u missing, %u out of order\n", count, first, last, missing,
           back);
    return count == 0;
}

int main(int count, char **arguments) {
    if (count == 3 && strcmp(arguments[1], "verify") == 0) return verify(arguments[2]);
    uint32_t rate = 0;
    const char *pid_file = NULL;
    for (int option; (option = getopt(count, arguments, "r:p:")) != -1;) {
        if (option == 'r' && atoi(optarg) > 0) rate = (uint32_t)atoi(optarg);
        else if (option == 'p') pid_file = optarg;
        else {
            fputs("usage: usb-camera [-r RATE] [-p PIDFILE] | usb-camera verify WIDTHxHEIGHT\n", stderr);
            return 2;
        }
    }
    return run_camera(rate, pid_file);
}
