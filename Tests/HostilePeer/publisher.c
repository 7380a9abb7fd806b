// Publishers that no subscriber would wish for. Each is right in everything but what its behaviour names; `good` is
// right in everything, which shows that the others are refused for that alone.
#define _GNU_SOURCE
#include "wire.h"
#include "shared_layouts.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SLOTS 4
#define DEPTH 4
#define WIDTH 64
#define HEIGHT 32
#define IMAGE_SIZE (WIDTH * HEIGHT)
#define METADATA_CAPACITY 1024
// `newer` is right in everything, and of a newer minor version: whatever may be longer is longer.
#define NEWER is("newer")
#define PAGE_SIZE ((int64_t)sizeof(struct fs_channel_page) + (NEWER ? 512 : 0))
#define WAKE_SIZE ((int64_t)sizeof(struct fs_wake_page) + (NEWER ? 128 : 0))
#define TABLE_HEADER ((int64_t)sizeof(struct fs_frame_table) + (NEWER ? 64 : 0))
#define RECORD_SIZE ((int64_t)sizeof(struct fs_frame_record) + (NEWER ? 40 : 0))
#define RECORD_STRIDE ((RECORD_SIZE + METADATA_CAPACITY + 63) / 64 * 64)
#define TABLE_SIZE (TABLE_HEADER + SLOTS * RECORD_STRIDE)
#define LANE_SIZE ((int64_t)sizeof(struct fs_lane) + 8 * DEPTH + (NEWER ? 256 : 0))
#define R8 0x20203852u                        // DRM_FORMAT_R8
#define MEMORY_MEMFD 1
#define MEMORY_DMA_BUF 4

static struct message m;
static const char *behaviour;
static int is(const char *name) { return strcmp(behaviour, name) == 0; }
/// `value`, but `other` where the behaviour has this name.
static int64_t unless(const char *name, int64_t value, int64_t other) { return is(name) ? other : value; }

/// Memory as the behaviour wants it for `what`: `page`, `table`, `lane` or `buffer`.
static int memory(const char *what, int64_t size) {
    char name[64];
    snprintf(name, sizeof name, "%s-pipe", what);
    if (is(name)) {
        int ends[2];
        if (pipe(ends) < 0) give_up("pipe");
        return ends[0];
    }
    snprintf(name, sizeof name, "%s-file", what);
    if (is(name)) {
        char path[] = "/tmp/frameshare-hostile-XXXXXX";
        int fd = mkstemp(path);
        if (fd < 0 || unlink(path) < 0 || ftruncate(fd, size) < 0) give_up("mkstemp");
        return fd;
    }
    snprintf(name, sizeof name, "%s-small", what);
    int64_t real = is(name) ? size / 2 : size;
    int fd = memfd_create(what, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || ftruncate(fd, real) < 0) give_up("memfd_create");
    snprintf(name, sizeof name, "%s-sparse", what);
    if (!is(name) && fallocate(fd, 0, 0, real) < 0) give_up("fallocate");
    snprintf(name, sizeof name, "%s-unsealed", what);
    if (!is(name) && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0) give_up("seal");
    return fd;
}

static void *map(int fd, int64_t size) {
    void *address = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return address == MAP_FAILED ? NULL : address;
}

/// What a newer publisher adds at the end of a message or record.
static void add_more(void) { if (NEWER) put_random(&m, 24); }

/// What a page begins with, as the behaviour wants it for `what`.
static struct fs_page_header page_header(const char *what, uint32_t magic, int64_t size) {
    struct fs_page_header header = { magic, VERSION, NEWER ? 7 : 0, (uint16_t)size };
    char name[64];
    snprintf(name, sizeof name, "%s-magic", what);
    if (is(name)) header.magic = 0;
    snprintf(name, sizeof name, "%s-major", what);
    if (is(name)) header.major++;
    snprintf(name, sizeof name, "%s-says-small", what);
    if (is(name)) header.size -= 8;
    return header;
}

static void make_welcome(int page, int wake) {
    uint16_t version = is("version") ? 1 : is("newer-major") ? VERSION + 1 : NEWER ? NEWER_MINOR : VERSION;
    begin_with(&m, MAGIC, version, (uint16_t)(is("type") ? WAKE : is("newer-type-at-first") ? 999 : WELCOME));
    if (is("newer-type-at-first")) speak(NEWER_MINOR), begin(&m, 999);
    put32(&m, 1);
    put32(&m, (uint32_t)getpid());
    put_text(&m, "hostile");
    put_text(&m, "hostile");
    if (is("welcome-short")) m.size -= 3;
    add_more();
    if (is("welcome-long")) seal(&m, (uint32_t)m.size - HEADER_SIZE), put_random(&m, 60000);
    if (is("welcome-size")) seal(&m, (uint32_t)m.size - HEADER_SIZE + 1);
    if (is("welcome-size-largest")) seal(&m, UINT32_MAX);
    if (is("welcome-longer-than-any")) put_random(&m, 150000);
    if (is("welcome-garbage")) m.size = 0, put_random(&m, 64);
    if (!is("page-none")) m.fds[m.fd_count++] = page;
    if (!is("page-none") && !is("wake-none")) m.fds[m.fd_count++] = wake;
    while (is("welcome-250-descriptors") && m.fd_count < 250) m.fds[m.fd_count++] = page;
}

/// The generation that is sent, and its buffers with it.
static uint32_t generation = 1;

static void make_generation(int table, int lane) {
    begin(&m, GENERATION);
    put32(&m, generation);
    put64(&m, is("slots-0") ? 0 : is("slots-million") ? 1000000 : is("slots-negative") ? -1 : SLOTS);
    put64(&m, is("copies-all") ? SLOTS : is("copies-million") ? 1000000 : is("copies-negative") ? -1 : 0);
    put8(&m, is("copies-protection-unknown") ? 77 : 1);
    put64(&m, is("depth-0") ? 0 : is("depth-million") ? 1000000 : is("depth-max") ? 1024 : DEPTH);
    put64(&m, is("lane-size-small") ? LANE_SIZE - 8 : is("lane-size-huge") ? INT64_MAX : is("lane-size-lie") ? LANE_SIZE + 65536 : LANE_SIZE);
    put64(&m, is("table-header-small") ? TABLE_HEADER - 8 : is("table-header-huge") ? INT64_MAX : is("table-header-unaligned") ? TABLE_HEADER + 4 : is("table-header-lie") ? 4096 : TABLE_HEADER);
    put64(&m, is("record-small") ? RECORD_SIZE - 8 : is("record-huge") ? INT64_MAX : is("record-unaligned") ? RECORD_SIZE + 4 : is("record-of-its-stride") ? RECORD_STRIDE : RECORD_SIZE);
    put64(&m, is("records-overlap") ? 64 : is("records-unaligned") ? RECORD_STRIDE + 1 : is("records-huge") ? INT64_MAX : RECORD_STRIDE);
    put64(&m, is("metadata-huge") ? INT64_MAX : METADATA_CAPACITY);
    int64_t streams = is("streams-0") ? 0 : is("streams-9") ? 9 : 1;
    put16(&m, is("streams-65535") ? 65535 : (uint16_t)streams);
    for (int64_t i = 0; i < streams; i++) {
        size_t record = open_record(&m), layout = open_record(&m);
        put_text(&m, is("stream-bad-name") ? "a/../b" : "main");
        put64(&m, is("width-0") ? 0 : is("width-huge") ? INT64_MAX : WIDTH);
        put64(&m, unless("height-taller", HEIGHT, HEIGHT * 16));
        put32(&m, R8);
        put64(&m, 0);
        put32(&m, is("colour-unknown") ? 0xffffffffu : 0);
        int planes = is("planes-0") ? 0 : is("planes-5") ? 5 : 1;
        put16(&m, (uint16_t)planes);
        for (int p = 0; p < planes; p++) {
            size_t plane = open_record(&m);
            put64(&m, is("plane-offset") ? IMAGE_SIZE : is("plane-offset-huge") ? 1ll << 40 : is("plane-offset-negative") ? -8 : 0);
            put64(&m, unless("stride-small", WIDTH, 8));
            put64(&m, is("plane-size") ? IMAGE_SIZE * 2 : is("plane-size-huge") ? INT64_MAX : IMAGE_SIZE);
            put64(&m, unless("plane-buffer", 0, 3));
            add_more();
            close_record(&m, plane);
        }
        add_more();
        close_record(&m, layout);
        put64(&m, is("stream-index") ? 99 : 0);
        put8(&m, is("memory-unknown") ? 77 : is("buffer-called-dma-buf") ? MEMORY_DMA_BUF : MEMORY_MEMFD);
        put8(&m, 1);
        int buffers = is("buffers-0") ? 0 : is("buffers-2") ? 2 : 1;
        put16(&m, (uint16_t)buffers);
        for (int b = 0; b < buffers; b++) {
            size_t buffer = open_record(&m);
            put64(&m, is("buffer-size-0") ? 0 : is("buffer-size-lie") ? IMAGE_SIZE * 4096ll : IMAGE_SIZE);
            add_more();
            close_record(&m, buffer);
        }
        add_more();
        close_record(&m, record);
        // A record that ends too early, or that says so.
        if (is("stream-size-0")) m.size = record, close_record(&m, record);
        if (is("stream-size-largest")) m.bytes[record - 1] = 0xff;
    }
    add_more();
    if (is("generation-short")) m.size -= 5;
    if (is("generation-long")) seal(&m, (uint32_t)m.size - HEADER_SIZE), put_random(&m, 50);
    if (!is("generation-no-descriptors")) m.fds[m.fd_count++] = table;
    if (!is("generation-no-descriptors") && !is("generation-one-descriptor")) m.fds[m.fd_count++] = lane;
}

// A page: that of the machine, or each place would be wrong in this, too.
#define STRIDE ((int64_t)sysconf(_SC_PAGESIZE))

/// All slots in one memory: what a publisher says of it is wrong in one number.
static void make_places(int memory) {
    begin(&m, PLACES);
    put32(&m, (uint32_t)unless("places-of-another-generation", generation, 2));
    put64(&m, is("places-descriptors-0") ? 0 : is("places-descriptors-huge") ? INT64_MAX : is("places-descriptors-2") ? 2 : 1);
    int streams = is("places-streams-0") ? 0 : is("places-streams-2") ? 2 : 1;
    put16(&m, (uint16_t)streams);
    for (int s = 0; s < streams; s++) {
        size_t stream = open_record(&m);
        int buffers = is("places-buffers-0") ? 0 : is("places-buffers-2") ? 2 : 1;
        put16(&m, (uint16_t)buffers);
        for (int b = 0; b < buffers; b++) {
            size_t buffer = open_record(&m);
            int runs = is("places-runs-0") ? 0 : is("places-runs-2") ? 2 : is("places-runs-1025") ? 1025 : 1;
            put16(&m, (uint16_t)runs);
            for (int r = 0; r < runs; r++) {
                size_t run = open_record(&m);
                put64(&m, is("places-slots-0") ? 0 : is("places-slots-3") ? 3 : is("places-slots-huge") ? INT64_MAX : SLOTS);
                put64(&m, is("places-descriptor-1") ? 1 : is("places-descriptor-negative") ? -1 : 0);
                put64(&m, is("places-step-1") ? 1 : is("places-step-huge") ? INT64_MAX : 0);
                put64(&m, is("places-offset-beyond") ? STRIDE : is("places-offset-huge") ? 1ll << 50 : is("places-offset-largest") ? INT64_MAX
                    : is("places-offset-negative") ? -STRIDE : is("places-offset-unaligned") ? 64 : 0);
                put64(&m, is("places-stride-beyond") ? STRIDE * 2 : is("places-stride-huge") ? 1ll << 50 : is("places-stride-largest") ? INT64_MAX
                    : is("places-stride-negative") ? -STRIDE : is("places-stride-unaligned") ? STRIDE + 8 : STRIDE);
                close_record(&m, run);
            }
            close_record(&m, buffer);
        }
        close_record(&m, stream);
    }
    if (is("places-short")) m.size -= 5;
    if (!is("places-none")) m.fds[m.fd_count++] = memory;
    if (is("places-descriptors-2") || is("places-too-many")) m.fds[m.fd_count++] = memory;
}

static void make_buffers(const int *buffers) {
    begin(&m, BUFFERS);
    put32(&m, (uint32_t)unless("buffers-of-another-generation", generation, 2));
    put64(&m, is("buffers-first") ? 2 : is("buffers-first-negative") ? -1 : 0);
    put64(&m, is("buffers-count-lie") ? SLOTS - 1 : is("buffers-too-many") ? SLOTS + 2 : SLOTS);
    int count = is("buffers-too-few") ? SLOTS - 1 : is("buffers-none") ? 0 : SLOTS;
    for (int i = 0; i < count; i++) m.fds[m.fd_count++] = buffers[i];
    if (is("buffers-too-many")) m.fds[m.fd_count++] = buffers[0], m.fds[m.fd_count++] = buffers[1];
}

/// Floods the socket, or takes the memory away from under its reader, while good frames flow.
static void harass(int socket, int table_fd, int lane_fd, const int *buffers, struct fs_channel_page *page, struct fs_wake_page *wake) {
    int count = is("storm-generations") ? 100000 : is("frames-and-generations") ? 1 : is("frames-and-wakes") ? 5 : 0;
    for (int i = 0; i < count; i++) {
        if (is("frames-and-wakes")) {
            begin(&m, WAKE);
            send_message(socket, &m);
            continue;
        }
        generation++;
        make_generation(table_fd, lane_fd);
        if (send_message(socket, &m) < 0) return;
        make_buffers(buffers);
        if (send_message(socket, &m) < 0) return;
        if (is("storm-generations")) {
            __atomic_store_n(&page->generation, generation, __ATOMIC_RELEASE);
            __atomic_add_fetch(&wake->wake, 1, __ATOMIC_SEQ_CST);
            syscall(SYS_futex, &wake->wake, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
        }
    }
    if (!is("frames-in-holes")) return;
    // Nothing but a seal against writing forbids this.
    if (fallocate(table_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, TABLE_SIZE) < 0) give_up("punch");
    for (int i = 0; i < SLOTS; i++) {
        if (fallocate(buffers[i], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, IMAGE_SIZE) < 0) give_up("punch");
        if (ftruncate(buffers[i], 0) == 0) give_up("a sealed buffer shrank");
    }
}

/// What a publisher can write into the shared memory once it is mapped over there.
static void lie_in_memory(
    struct fs_channel_page *page, struct fs_wake_page *wake, char *table, struct fs_lane *lane, int socket, int table_fd, int lane_fd, const int *buffers) {
    volatile uint64_t *cells = (volatile uint64_t *)(lane + 1);
    // As publishers do: a reader that gets frames need not read its socket.
    if (strstr(behaviour, "frames-and-")) fcntl(socket, F_SETFL, O_NONBLOCK);
    for (uint64_t n = 0; n < 300; n++) {
        uint64_t slot = n % SLOTS;
        struct fs_frame_record *record = (void *)(table + TABLE_HEADER + (int64_t)slot * RECORD_STRIDE);
        memset(record, strstr(behaviour, "frames-") ? 0 : 0xff, (size_t)RECORD_STRIDE);
        record->number = record->sequence = n;
        record->publish_timestamp = 1;
        if (is("record-times-smallest")) record->timestamp = record->publish_timestamp = INT64_MIN;
        if (is("record-times-largest")) record->timestamp = record->publish_timestamp = INT64_MAX;
        if (is("record-random")) for (int64_t i = 0; i < RECORD_STRIDE; i++) ((char *)record)[i] = (char)random_number();
        uint64_t offered = n + 1, place = slot + 1;
        if (is("tickets-out-of-range")) place = n % 2 ? 0xffff : n % SLOTS + SLOTS + 1;
        cells[n % DEPTH] = n << 16 | place;
        if (is("tickets-random")) for (int i = 0; i < DEPTH; i++) cells[i] = random_number();
        if (is("offered-backward")) offered = n % 3 ? 300 - n : n;
        if (is("offered-largest")) offered = n % 2 ? UINT64_MAX : 0;
        if (is("offered-random")) offered = random_number();
        __atomic_store_n(&lane->offered, offered, __ATOMIC_RELEASE);
        if (is("page-random")) {
            page->generation = (uint32_t)random_number();
            page->state = (uint32_t)random_number();
            page->shortage = (uint32_t)random_number();
        }
        if (is("wake-random")) wake->wake = (uint32_t)random_number();
        __atomic_add_fetch(&wake->wake, 1, __ATOMIC_SEQ_CST);
        // Its reader has no timer: what it is to see it must be woken for.
        syscall(SYS_futex, &wake->wake, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
        harass(socket, table_fd, lane_fd, buffers, page, wake);
        poll(NULL, 0, 1);
    }
}

/// Publishes 100 frames as it should, with the test peer's pixels and metadata, and says things that came later.
static void be_newer(
    struct fs_channel_page *page, struct fs_wake_page *wake, char *table, struct fs_lane *lane, int socket, const int *buffers) {
    uint64_t *cells = (uint64_t *)(lane + 1), *pixels[SLOTS];
    for (int i = 0; i < SLOTS; i++) pixels[i] = map(buffers[i], IMAGE_SIZE);
    for (uint64_t n = 0; n < 100; n++) {
        uint64_t slot = n % SLOTS;
        while (n >= SLOTS && !(__atomic_load_n(&lane->released[0], __ATOMIC_ACQUIRE) & 1ull << slot)) poll(NULL, 0, 1);
        __atomic_and_fetch(&lane->released[0], ~(1ull << slot), __ATOMIC_SEQ_CST);
        uint64_t word = (n + 1) * 0xd1b54a32d192ed03u;
        for (int i = 0; i < IMAGE_SIZE / 8; i++, word += 0x9e3779b97f4a7c15u) pixels[slot][i] = word;
        struct fs_frame_record *record = (void *)(table + TABLE_HEADER + (int64_t)slot * RECORD_STRIDE);
        memset(record, 0, sizeof *record);
        memset((char *)record + sizeof *record, 0xff, (size_t)(RECORD_SIZE - (int64_t)sizeof *record));
        record->number = n + 1;
        record->sequence = n;
        // An entry of a type that came later, and then the one that the test peer looks at: a 64-bit number.
        unsigned char entries[] = { 4, 0x7f, 0, 0, 3, 0, 0, 0, 'L', 'a', 't', 'e', 1, 2, 3,
                                    6, 3, 0, 0, 8, 0, 0, 0, 'N', 'u', 'm', 'b', 'e', 'r', (unsigned char)n, 0, 0, 0, 0, 0, 0, 0 };
        memcpy((char *)record + RECORD_SIZE, entries, record->metadata_size = sizeof entries);
        __atomic_store_n(&page->published, n + 1, __ATOMIC_RELAXED);
        __atomic_store_n(&cells[n % DEPTH], n << 16 | (slot + 1), __ATOMIC_SEQ_CST);
        __atomic_store_n(&lane->offered, n + 1, __ATOMIC_SEQ_CST);
        __atomic_add_fetch(&wake->wake, 1, __ATOMIC_SEQ_CST);
        syscall(SYS_futex, &wake->wake, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
        begin(&m, (uint16_t)(200 + n));
        put_random(&m, 100);
        if (n % 2) m.fds[m.fd_count++] = buffers[0];
        send_message(socket, &m);
    }
    say("published");
}

static void serve(int socket) {
    int page_fd = memory("page", PAGE_SIZE), wake_fd = memory("wake", WAKE_SIZE);
    if (NEWER) speak(NEWER_MINOR);
    int table_fd = memory("table", TABLE_SIZE), lane_fd = memory("lane", LANE_SIZE), buffers[SLOTS];
    for (int i = 0; i < SLOTS; i++) buffers[i] = memory("buffer", IMAGE_SIZE);
    struct fs_channel_page *page = map(page_fd, sizeof *page);
    struct fs_wake_page *wake = map(wake_fd, sizeof *wake);
    char *table = map(table_fd, TABLE_SIZE);
    struct fs_lane *lane = map(lane_fd, LANE_SIZE);
    if (page && !strstr(behaviour, "page-small")) {
        page->header = page_header("page", FS_CHANNEL_PAGE_MAGIC, PAGE_SIZE);
        page->generation = 1;
    }
    if (wake && !strstr(behaviour, "wake-small")) wake->header = page_header("wake", FS_WAKE_PAGE_MAGIC, WAKE_SIZE);
    if (table && !strstr(behaviour, "table-small")) ((struct fs_frame_table *)table)->header = page_header("table", FS_FRAME_TABLE_MAGIC, TABLE_HEADER);
    if (is("hang-up")) return;
    if (is("hang-up-after-hello")) {
        receive_message(socket, &m);
        return;
    }
    receive_message(socket, &m);              // the hello
    if (is("silent")) goto wait;
    if (is("refuse-at-length")) {
        begin(&m, REFUSED);
        put16(&m, 60000);
        for (int i = 0; i < 60000; i++) put8(&m, 'x');
        send_message(socket, &m);
        goto wait;
    }
    make_welcome(page_fd, wake_fd);
    send_message(socket, &m);
    if (is("wakes-for-ever")) {
        begin(&m, WAKE);
        while (send_message(socket, &m) == 0) {}
        say("gone");
        return;
    }
    if (is("buffers-early")) {
        make_buffers(buffers);
        send_message(socket, &m);
    }
    if (is("welcome-twice")) {
        make_welcome(page_fd, wake_fd);
        send_message(socket, &m);
    }
    make_generation(table_fd, lane_fd);
    send_message(socket, &m);
    if (is("generation-twice")) {             // right is right, however often: only descriptors may not be lost
        make_generation(table_fd, lane_fd);
        send_message(socket, &m);
    }
    if (is("buffers-never")) goto wait;
    if (is("hang-up-before-buffers")) return;
    if (strncmp(behaviour, "places-", 7) == 0) {
        int pool = memory("places", STRIDE * (SLOTS - 1) + IMAGE_SIZE);
        if (is("places-after-buffers")) make_buffers(buffers), m.fd_count = 1, send_message(socket, &m);
        make_places(pool);
        send_message(socket, &m);
        if (is("places-twice")) make_places(pool), send_message(socket, &m);
        if (is("places-none")) make_buffers(buffers), send_message(socket, &m);
    } else {
        make_buffers(buffers);
        send_message(socket, &m);
    }
    if (receive_message(socket, &m) && type_of(&m) == READY) say("ready");
    if (NEWER) {
        be_newer(page, wake, table, lane, socket, buffers);
        goto wait;
    }
    if (strstr(behaviour, "frames-") || strstr(behaviour, "record-") || strstr(behaviour, "tickets-")
        || strstr(behaviour, "offered-") || strstr(behaviour, "storm-") || is("page-random") || is("wake-random")) {
        if (page && wake && table && lane) lie_in_memory(page, wake, table, lane, socket, table_fd, lane_fd, buffers);
        say("done");
        return;                               // dies, as far as the subscriber can see
    }
wait:
    while (receive_message(socket, &m)) {}
    say("gone");
}

int hostile_publisher(const char *path, const char *name) {
    behaviour = name;
    int listening = listen_at(path);
    say("listening");
    for (int i = 0; is("make-way-for-ever") || (is("frames-good-after-making-way") && i < 3); i++) {
        int socket = accept(listening, NULL, NULL);
        if (socket < 0) give_up("accept");
        begin(&m, MADE_WAY);
        send_message(socket, &m);
        close(socket);
    }
    int socket = accept(listening, NULL, NULL);
    if (socket < 0) give_up("accept");
    serve(socket);
    return 0;
}
