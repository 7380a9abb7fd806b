#define _GNU_SOURCE
#include "attached.h"
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct message m;

static void *map(int fd, size_t size, int protection) {
    void *address = mmap(NULL, size, protection, MAP_SHARED, fd, 0);
    if (address == MAP_FAILED) give_up("mmap");
    return address;
}

static void expect(int socket, int type) {
    char text[512] = "";
    if (!receive_message(socket, &m)) give_up("the publisher hung up during the handshake");
    if (type_of(&m) == type) return;
    if (type_of(&m) == REFUSED) get_text(&m, text, sizeof text);
    say("refused %s", text);
    give_up("an unexpected message");
}

static void read_generation(struct attached *a) {
    char name[64];
    a->generation = (uint32_t)get(&m, 4);
    a->slots = (int64_t)get(&m, 8);
    get(&m, 8);                               // slots for copies
    get(&m, 1);                               // their protection
    a->depth = (int64_t)get(&m, 8);
    a->lane_size = (size_t)get(&m, 8);
    get(&m, 8);                               // where the table's records begin
    get(&m, 8);                               // how long a record is
    get(&m, 8);                               // record stride
    get(&m, 8);                               // metadata capacity
    get(&m, 2);                               // streams: the tests have one
    get(&m, 4);                               // its record's size
    size_t layout = get(&m, 4), rest = m.read + layout;
    get_text(&m, name, sizeof name);
    get(&m, 8);                               // width
    get(&m, 8);                               // height
    get(&m, 4);                               // format
    get(&m, 8);                               // modifier
    get(&m, 4);                               // colour space
    for (int planes = (int)get(&m, 2); planes > 0; planes--) skip_record(&m);
    if (m.read != rest) give_up("a layout that is longer than it should be");
    get(&m, 8);                               // index
    get(&m, 2);                               // memory, protection
    get(&m, 2);                               // buffers
    get(&m, 4);                               // its record's size
    a->buffer_size = (int64_t)get(&m, 8);
    a->memory_size = (size_t)a->buffer_size;
    if (m.fd_count != 2) give_up("a generation without its two descriptors");
    a->table_fd = m.fds[0];
    a->lane_fd = m.fds[1];
}

/// How many descriptors there are for the only buffer of the only stream.
static int64_t read_places(struct attached *a) {
    get(&m, 4);                               // generation
    int64_t descriptors = (int64_t)get(&m, 8);
    get(&m, 2);                               // streams
    get(&m, 4);
    get(&m, 2);                               // buffers
    get(&m, 4);
    if (get(&m, 2) != 1) give_up("the slots lie in more than one run");
    get(&m, 4);
    int64_t slots = (int64_t)get(&m, 8);
    get(&m, 8);                               // its first descriptor
    int64_t step = (int64_t)get(&m, 8);
    get(&m, 8);                               // its first offset
    int64_t stride = (int64_t)get(&m, 8);
    if (step == 0) a->memory_size = (size_t)(stride * (slots - 1) + a->buffer_size);
    return descriptors;
}

void attach_until(struct attached *a, const char *path, int stage, int64_t depth, int pollable) {
    int says_more = a->says_more;
    memset(a, 0, sizeof *a);
    a->says_more = says_more;
    a->socket = connect_to(path);
    if (a->socket < 0) give_up("connect");
    if (stage == AFTER_CONNECT) return;
    begin(&m, HELLO);
    put_hello(&m, 0, 1, depth, depth + 1, 0, pollable);
    // No rate is asked for; and what nobody knows.
    if (a->says_more) put64(&m, 0), put_random(&m, 60);
    if (send_message(a->socket, &m) < 0) give_up("hello");
    if (stage == AFTER_HELLO) return;
    expect(a->socket, WELCOME);
    if (m.fd_count != 2) give_up("a welcome without its two descriptors");
    a->page_fd = m.fds[0];
    a->page = map(a->page_fd, sizeof *a->page, PROT_READ);
    a->wake_fd = m.fds[1];
    a->wake_page = map(a->wake_fd, sizeof *a->wake_page, PROT_READ);
    if (stage == AFTER_WELCOME) return;
    expect(a->socket, GENERATION);
    read_generation(a);
    if (a->lane_size < sizeof *a->lane + 8 * (size_t)a->depth) give_up("a lane that is too small");
    a->lane = map(a->lane_fd, a->lane_size, PROT_READ | PROT_WRITE);
    if (stage == AFTER_GENERATION) return;
    if (!receive_message(a->socket, &m)) give_up("the publisher hung up before the buffers");
    int64_t wanted = type_of(&m) == PLACES ? read_places(a) : a->slots;
    for (;;) {
        for (int i = 0; i < m.fd_count; i++) a->buffers[a->buffer_count++] = m.fds[i];
        if (a->buffer_count >= wanted) break;
        expect(a->socket, BUFFERS);
    }
    if (stage == AFTER_BUFFERS) return;
    begin(&m, READY);
    put32(&m, a->generation);
    if (send_message(a->socket, &m) < 0) give_up("ready");
}

volatile uint64_t *cells(struct attached *a) { return (volatile uint64_t *)(a->lane + 1); }

void tell_end(int socket) {
    char text[512];
    while (receive_message(socket, &m)) {
        for (int i = 0; i < m.fd_count; i++) close(m.fds[i]);
        switch (type_of(&m)) {
        case REFUSED:
            get_text(&m, text, sizeof text);
            say("refused %s", text);
            break;
        case ENDED:
            get(&m, 1);
            get_text(&m, text, sizeof text);
            say("ended %s", text);
            break;
        }
    }
    say("hung-up");
}
