// ZeroMQ: XPUB and SUB over ipc://. The kernel's socket copies each frame, once for each reader and once more there.
//
// The publisher's own buffers are handed to ZeroMQ without a copy (zmq_msg_init_data), as a camera's would be.
// Paced: a reader keeps the newest (a high-water mark of one either side). Unpaced: XPUB_NODROP, so that sending waits.
#define _GNU_SOURCE
#include "contestant.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zmq.h>

struct side {
    struct contestant *options;
    void *socket;
    unsigned char **slot;
    _Atomic int *busy;                                 // for each slot, whether ZeroMQ still has it
    uint32_t next;
};

static void *open_socket(struct contestant *options, int type) {
    void *context = zmq_ctx_new();
    void *socket = context ? zmq_socket(context, type) : NULL;
    if (!socket) contestant_fail("zmq_socket", errno);
    int mark = options->rate > 0 ? 1 : (int)options->in_flight, forever = -1;
    zmq_setsockopt(socket, ZMQ_SNDHWM, &mark, sizeof mark);
    zmq_setsockopt(socket, ZMQ_RCVHWM, &mark, sizeof mark);
    zmq_setsockopt(socket, ZMQ_LINGER, &forever, sizeof forever);
    return socket;
}

static const char *address(struct contestant *options) {
    static char text[4200];
    snprintf(text, sizeof text, "ipc://%s", contestant_path(options, options->channel));
    return text;
}

static void give_back(void *slot, void *busy) {
    (void)slot;
    atomic_store((_Atomic int *)busy, 0);
}

// All readers must see the last. XPUB_NODROP would not do: it does not wait for a reader whose last frame was dropped, until
// the socket has heard that there is room for it again.
static void wait_until_sent(struct side *side) {
    for (uint32_t i = 0; i < side->options->slots; i++) {
        while (atomic_load(&side->busy[i])) usleep(50);
    }
    int events;
    size_t size = sizeof events;
    zmq_getsockopt(side->socket, ZMQ_EVENTS, &events, &size);
}

static int publish(void *context, uint64_t number, int64_t stamp) {
    struct side *side = context;
    if (number == CONTESTANT_LAST) wait_until_sent(side);
    // A slot that ZeroMQ still sends from can't be written; if it has all of them, wait for one.
    uint32_t place = side->next++ % side->options->slots;
    while (atomic_load(&side->busy[place])) usleep(50);
    contestant_fill(side->options, side->slot[place], number, stamp);
    atomic_store(&side->busy[place], 1);
    zmq_msg_t message;
    zmq_msg_init_data(&message, side->slot[place], side->options->size, give_back, &side->busy[place]);
    return zmq_msg_send(&message, side->socket, 0) < 0 ? errno : 0;
}

static void run_publisher(struct side *side) {
    struct contestant *options = side->options;
    side->slot = calloc(options->slots, sizeof *side->slot);
    side->busy = calloc(options->slots, sizeof *side->busy);
    for (uint32_t i = 0; i < options->slots; i++) {
        side->slot[i] = mmap(
            NULL, options->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0
        );
        if (side->slot[i] == MAP_FAILED) contestant_fail("mmap", errno);
    }
    side->socket = open_socket(options, ZMQ_XPUB);
    int lossless = options->rate > 0 ? 0 : 1, verbose = 1;
    zmq_setsockopt(side->socket, ZMQ_XPUB_NODROP, &lossless, sizeof lossless);
    zmq_setsockopt(side->socket, ZMQ_XPUB_VERBOSE, &verbose, sizeof verbose);
    if (zmq_bind(side->socket, address(options)) != 0) contestant_fail("zmq_bind", errno);
    contestant_publisher_run(options, side, NULL, publish, NULL);
}

static void run_reader(struct side *side) {
    struct contestant *options = side->options;
    contestant_connecting(options);
    side->socket = open_socket(options, ZMQ_SUB);
    zmq_setsockopt(side->socket, ZMQ_SUBSCRIBE, "", 0);
    if (zmq_connect(side->socket, address(options)) != 0) contestant_fail("zmq_connect", errno);
    usleep(100000);  // until the subscription has arrived: ZeroMQ does not tell a subscriber
    contestant_connected(options);
    for (int more = 1; more;) {
        zmq_msg_t message;
        zmq_msg_init(&message);
        if (zmq_msg_recv(&message, side->socket, 0) < 0) contestant_fail("zmq_msg_recv", errno);
        more = contestant_received(options, zmq_msg_data(&message));
        zmq_msg_close(&message);
    }
    contestant_reader_end(options);
}

int main(int argc, char **argv) {
    struct contestant options;
    contestant_begin(&options, argc, argv);
    struct side side = { .options = &options };
    if (options.is_publisher) {
        run_publisher(&side);
        contestant_wait_for_readers_end(&options);
    } else {
        run_reader(&side);
    }
    return 0;
}
