// Subscribers that no publisher would wish for.
#define _GNU_SOURCE
#include "attached.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static struct message m;

static void wait_for_ever(void) { for (;;) pause(); }

static void pause_ms(int ms) { poll(NULL, 0, ms); }

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int connected(const char *path) {
    int s = connect_to(path);
    if (s < 0) give_up("connect");
    return s;
}

/// A message that is wrong in itself. Returns whether `behaviour` named one.
static int make_bad_message(const char *behaviour) {
    begin(&m, HELLO);
    if (!strcmp(behaviour, "garbage")) m.size = 0, put_random(&m, 64);
    else if (!strcmp(behaviour, "much-garbage")) m.size = 0, put_random(&m, 65536);
    else if (!strcmp(behaviour, "one-byte")) m.size = 1;
    else if (!strcmp(behaviour, "cut-header")) m.size = 7;
    else if (!strcmp(behaviour, "header-only")) {}
    else if (!strcmp(behaviour, "cut-hello")) put_hello(&m, 0, 1, 4, 5, 0, 0), m.size -= 9;
    else if (!strcmp(behaviour, "hello-and-more")) put_hello(&m, 0, 1, 4, 5, 0, 0), seal(&m, (uint32_t)m.size - HEADER_SIZE), put_random(&m, 100);
    else if (!strcmp(behaviour, "size-too-large")) put_hello(&m, 0, 1, 4, 5, 0, 0), seal(&m, (uint32_t)m.size);
    else if (!strcmp(behaviour, "size-largest")) put_hello(&m, 0, 1, 4, 5, 0, 0), seal(&m, UINT32_MAX);
    else if (!strcmp(behaviour, "size-0")) put_hello(&m, 0, 1, 4, 5, 0, 0), seal(&m, 0);
    else if (!strcmp(behaviour, "too-long")) put_hello(&m, 0, 1, 4, 5, 0, 0), put_random(&m, 190000);
    else if (!strcmp(behaviour, "version")) begin_with(&m, MAGIC, 99, HELLO), put_hello(&m, 0, 1, 4, 5, 0, 0);
    else if (!strcmp(behaviour, "older-minor")) begin_with(&m, MAGIC, VERSION, HELLO), put_hello(&m, 0, 1, 4, 5, 0, 0);
    else if (!strcmp(behaviour, "older-major")) begin_with(&m, MAGIC, 2, HELLO), put_hello(&m, 0, 1, 4, 5, 0, 0);
    else if (!strcmp(behaviour, "unknown-type")) begin(&m, 999);
    else if (!strcmp(behaviour, "newer-type-at-first")) begin_with(&m, MAGIC, NEWER_MINOR, 999);
    else if (!strcmp(behaviour, "newer-policy")) begin_with(&m, MAGIC, NEWER_MINOR, HELLO), put_hello(&m, 0, 9, 4, 5, 0, 0);
    else if (!strcmp(behaviour, "out-of-turn")) begin(&m, READY), put32(&m, 1);
    else if (!strcmp(behaviour, "publishers-message")) begin(&m, WELCOME), put32(&m, 1), put32(&m, 1), put_text(&m, "x"), put_text(&m, "y");
    else if (!strcmp(behaviour, "unknown-role")) put_hello(&m, 7, 1, 4, 5, 0, 0);
    else if (!strcmp(behaviour, "unknown-policy")) put_hello(&m, 0, 9, 4, 5, 0, 0);
    else if (!strcmp(behaviour, "truth-value-2")) put_hello(&m, 0, 1, 4, 5, 2, 0);
    else if (!strcmp(behaviour, "depth-0")) put_hello(&m, 0, 1, 0, 5, 0, 0);
    else if (!strcmp(behaviour, "depth-above-budget")) put_hello(&m, 0, 1, 9, 5, 0, 0);
    else if (!strcmp(behaviour, "huge-depth")) put_hello(&m, 0, 1, INT64_MAX, 5, 0, 0);
    else if (!strcmp(behaviour, "negative-depth")) put_hello(&m, 0, 1, -1, 5, 0, 0);
    else if (!strcmp(behaviour, "budget-0")) put_hello(&m, 0, 0, 0, 0, 0, 0);
    else if (!strcmp(behaviour, "negative-budget")) put_hello(&m, 0, 0, 0, INT64_MIN, 0, 0);
    else if (!strcmp(behaviour, "whole-pool")) put_hello(&m, 0, 1, 4, 1000, 1, 0);
    else if (!strcmp(behaviour, "name-not-utf8")) put8(&m, 0), put16(&m, 2), put16(&m, 0xfffe), put_random(&m, 20);
    else if (!strcmp(behaviour, "name-past-the-end")) put8(&m, 0), put16(&m, 0xffff), put_random(&m, 40);
    else if (!strcmp(behaviour, "streams-past-the-end")) put_hello(&m, 0, 1, 4, 5, 0, 0), m.bytes[m.size - 2] = 8;
    else if (!strcmp(behaviour, "255-streams")) {
        put_hello(&m, 0, 1, 4, 5, 0, 0);
        m.bytes[m.size - 2] = 255;
        for (int i = 0; i < 255; i++) put_text(&m, "main");
    } else if (!strcmp(behaviour, "stream-unknown")) {
        put_hello(&m, 0, 1, 4, 5, 0, 0);
        m.bytes[m.size - 2] = 1;
        put_text(&m, "../../etc/passwd");
    } else if (!strcmp(behaviour, "descriptors")) {
        put_hello(&m, 0, 1, 4, 5, 0, 0);
        m.fds[m.fd_count++] = 0;
    } else if (!strcmp(behaviour, "253-descriptors")) {
        put_hello(&m, 0, 1, 4, 5, 0, 0);
        while (m.fd_count < MAXIMUM_FDS) m.fds[m.fd_count++] = 0;
    } else if (!strcmp(behaviour, "garbage-with-descriptors")) {
        m.size = 0;
        put_random(&m, 64);
        while (m.fd_count < 100) m.fds[m.fd_count++] = 0;
    } else return 0;
    return 1;
}

/// Something wrong said by a peer that was let in. Returns whether `behaviour` named it.
static int say_bad_thing_after_joining(const char *path, const char *behaviour) {
    struct attached a = { 0 };
    if (!strcmp(behaviour, "hello-twice")) begin(&m, HELLO), put_hello(&m, 0, 1, 4, 5, 0, 0);
    else if (!strcmp(behaviour, "joined-garbage")) m.size = 0, m.fd_count = 0, put_random(&m, 500);
    else if (!strcmp(behaviour, "joined-too-long")) m.size = 0, m.fd_count = 0, put_random(&m, 190000);
    else if (!strcmp(behaviour, "joined-descriptors")) begin(&m, SLOT_RELEASED), m.fds[m.fd_count++] = 0;
    else if (!strcmp(behaviour, "joined-statistics")) begin(&m, STATISTICS_REQUEST);
    else if (!strcmp(behaviour, "joined-unknown-type")) begin(&m, 999);
    else if (!strcmp(behaviour, "joined-newer-type-with-descriptors")) begin_with(&m, MAGIC, NEWER_MINOR, 999), m.fds[m.fd_count++] = 0;
    else return 0;
    struct message bad = m;
    attach_until(&a, path, AFTER_READY, 4, 0);
    if (send_message(a.socket, &bad) < 0) give_up("send");
    tell_end(a.socket);
    return 1;
}

/// Takes the frame that is due, as a good subscriber would; -1 when there is none.
static int take(struct attached *a, uint64_t *ticket) {
    for (int64_t i = 0; i < a->depth; i++) {
        uint64_t found = cells(a)[i];
        if (found != 0 && __sync_bool_compare_and_swap(&cells(a)[i], found, 0)) {
            *ticket = found;
            return (int)(found & 0xffff) - 1;
        }
    }
    return -1;
}

static int take_wait(struct attached *a, uint64_t *ticket) {
    for (;;) {
        int slot = take(a, ticket);
        if (slot >= 0) return slot;
        pause_ms(1);
    }
}

static int is_hung_up(int s) {
    struct pollfd entry = { .fd = s, .events = POLLIN };
    return poll(&entry, 1, 0) > 0;            // nothing else is ever sent to these peers
}

/// What a peer can do to its lane. Returns whether `behaviour` named it.
static int misuse_lane(const char *path, const char *behaviour, int count) {
    int scribble = !strcmp(behaviour, "scribble"), forge = !strcmp(behaviour, "forged-tickets");
    int release_all = !strcmp(behaviour, "release-everything"), queued = !strcmp(behaviour, "release-untaken");
    int stale = !strcmp(behaviour, "stale-releases"), replay = !strcmp(behaviour, "replayed-ticket");
    int beyond = !strcmp(behaviour, "tickets-beyond-pool"), counters = !strcmp(behaviour, "scribble-counters");
    if (!(scribble || forge || release_all || queued || stale || replay || beyond || counters)) return 0;
    struct attached a = { 0 };
    uint64_t ticket;
    attach_until(&a, path, AFTER_READY, 4, 0);
    say("attached");
    take_wait(&a, &ticket);                   // frames flow
    if (scribble) {
        volatile uint64_t *words = (volatile uint64_t *)a.lane;
        while (!is_hung_up(a.socket)) {
            for (size_t i = 0; i < a.lane_size / 8; i++) words[i] = random_number();
        }
    } else if (counters) {
        // Every word but cells and released bits: the publisher must not believe any of them.
        for (int i = 0; i < count; i++) {
            a.lane->offered = random_number();
            a.lane->dropped_policy = a.lane->dropped_budget = a.lane->dropped_shortage = UINT64_MAX;
            a.lane->asleep_futex = (uint32_t)random_number();
            a.lane->asleep_socket = (uint32_t)random_number();
            a.lane->release_wake = (uint32_t)random_number();
            a.lane->taken = a.lane->latency_p50 = a.lane->latency_p99 = a.lane->latency_max = UINT64_MAX;
            pause_ms(1);
        }
        say("done");
        wait_for_ever();
    } else if (forge) {
        while (!is_hung_up(a.socket)) {
            for (int64_t i = 0; i < a.depth; i++) cells(&a)[i] = (random_number() << 16) | (random_number() % (uint64_t)a.slots + 1);
        }
    } else if (beyond) {
        while (!is_hung_up(a.socket)) {
            for (int64_t i = 0; i < a.depth; i++) cells(&a)[i] = UINT64_MAX;
        }
    } else if (release_all) {
        while (!is_hung_up(a.socket)) {
            for (int i = 0; i < FS_SLOT_WORDS; i++) __sync_fetch_and_or(&a.lane->released[i], UINT64_MAX);
        }
    } else if (queued) {
        while (!is_hung_up(a.socket)) {
            uint64_t found = cells(&a)[0];
            int slot = (int)(found & 0xffff) - 1;
            if (found) __sync_fetch_and_or(&a.lane->released[slot >> 6], 1ull << (slot & 63));
        }
    } else if (stale) {
        // Gives each frame back again and again, long after; only its own frames can suffer.
        for (int i = 0; i < count && !is_hung_up(a.socket); i++) {
            int slot = take_wait(&a, &ticket);
            for (int again = 0; again < 3; again++) {
                __sync_fetch_and_or(&a.lane->released[slot >> 6], 1ull << (slot & 63));
                pause_ms(1);
            }
        }
        say("done");
        wait_for_ever();
    } else if (replay) {
        // Puts a ticket back that it took: the publisher may believe that it was never taken, and loses nothing by it.
        for (int i = 0; i < count && !is_hung_up(a.socket); i++) {
            take_wait(&a, &ticket);
            __sync_bool_compare_and_swap(&cells(&a)[(ticket >> 16) % (uint64_t)a.depth], 0, ticket);
        }
        say("done");
        wait_for_ever();
    }
    tell_end(a.socket);
    return 1;
}

/// Right in everything, and of a newer minor version: it says more than the publisher knows. Takes `count` frames.
static int be_newer(const char *path, int count) {
    struct attached a = { .says_more = 1 };
    uint64_t ticket;
    speak(NEWER_MINOR);
    attach_until(&a, path, AFTER_READY, 4, 0);
    say("attached");
    for (int i = 0; i < count; i++) {
        begin(&m, (uint16_t)(200 + i));       // of types that came later
        put_random(&m, 100);
        if (send_message(a.socket, &m) < 0) give_up("send");
        begin(&m, SLOT_RELEASED);
        put_random(&m, 10);
        if (send_message(a.socket, &m) < 0) give_up("send");
        int slot = take_wait(&a, &ticket);
        __sync_fetch_and_or(&a.lane->released[slot >> 6], 1ull << (slot & 63));
        if (is_hung_up(a.socket)) tell_end(a.socket);
    }
    say("took %d", count);
    wait_for_ever();
    return 0;
}

/// Connects `count` times, says nothing, and tells when all were hung up on.
static int stay_silent(const char *path, int count) {
    int sockets[256], refused = 0, made_way = 0;
    if (count > 256) count = 256;
    for (int i = 0; i < count; i++) sockets[i] = connected(path);
    say("connected");
    for (int i = 0; i < count; i++) {
        while (receive_message(sockets[i], &m)) {
            if (type_of(&m) == REFUSED) refused++;
            if (type_of(&m) == MADE_WAY) made_way++;
        }
    }
    say("all-hung-up refused=%d made-way=%d", refused, made_way);
    return 0;
}

static int connect_and_go(const char *path, int count) {
    for (int i = 0; i < count; i++) {
        int s = connect_to(path);
        if (s == -EAGAIN) { pause_ms(1); i--; continue; }
        if (s < 0) give_up("connect");
        if (i % 2) {                          // every other one leaves an unanswered hello behind
            begin(&m, HELLO);
            put_hello(&m, i % 4 == 1, 0, 0, 2, 0, 0);
            send_message(s, &m);
        }
        close(s);
    }
    say("done");
    wait_for_ever();
    return 0;
}

static int flood(const char *path, int count) {
    struct attached a = { 0 };
    attach_until(&a, path, AFTER_READY, 4, 0);
    say("attached");
    begin(&m, SLOT_RELEASED);
    for (int i = 0; i < count; i++) if (send_message(a.socket, &m) < 0) break;
    say("done");
    wait_for_ever();
    return 0;
}

/// Joins, then never reads its socket again, but keeps asking to be woken by it.
static int never_read(const char *path, int count) {
    struct attached a = { 0 };
    attach_until(&a, path, AFTER_READY, 4, 1);
    say("attached");
    for (uint32_t arming = 1; count == 0 || arming <= (uint32_t)count; arming++) {
        a.lane->asleep_socket = arming;
        pause_ms(1);
    }
    say("done");
    wait_for_ever();
    return 0;
}

/// A monitor that asks and asks, and never reads an answer.
static int ask_and_never_read(const char *path) {
    int s = connected(path);
    begin(&m, HELLO);
    put_hello(&m, 1, 0, 0, 1, 0, 0);
    if (send_message(s, &m) < 0) give_up("hello");
    begin(&m, STATISTICS_REQUEST);
    while (send_message(s, &m) == 0) {}
    say("hung-up");
    return 0;
}

/// Wakes every reader of its user, by a word that it can only read, for so many ms.
static int wake_all_the_time(const char *path, int ms) {
    struct attached a = { 0 };
    attach_until(&a, path, AFTER_READY, 4, 0);
    int64_t end = now_ms() + ms;
    while (now_ms() < end) syscall(SYS_futex, &a.wake_page->wake, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
    say("done");
    wait_for_ever();
    return 0;
}

/// Takes the memory of its own lane away, again and again: the seals allow that to who may write.
static int punch_lane(const char *path, int count) {
    struct attached a = { 0 };
    attach_until(&a, path, AFTER_READY, 4, 0);
    for (int i = 0; i < count; i++) {
        if (fallocate(a.lane_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)a.lane_size) < 0) give_up("punch");
        pause_ms(1);
    }
    say("done");
    wait_for_ever();
    return 0;
}

/// Leaves its queue unread, and scribbles over it once another generation has taken over.
static int scribble_on_retired_lane(const char *path) {
    struct attached a = { 0 };
    attach_until(&a, path, AFTER_READY, 4, 0);
    say("attached");
    while (a.page->generation == a.generation) pause_ms(1);
    for (int64_t i = 0; i < a.depth; i++) cells(&a)[i] = UINT64_MAX;
    say("scribbled");
    for (;;) {                                // reads what comes, so that it is not let go for its full socket
        if (!receive_message(a.socket, &m)) break;
        for (int i = 0; i < m.fd_count; i++) close(m.fds[i]);
        char text[512];
        if (type_of(&m) != ENDED) continue;
        get(&m, 1);
        get_text(&m, text, sizeof text);
        say("ended %s", text);
    }
    say("hung-up");
    return 0;
}

/// Says goodbye, and then goes on writing nonsense into its lane and onto its socket for so many ms.
static int leave_and_stay(const char *path, int ms) {
    struct attached a = { 0 };
    uint64_t ticket;
    attach_until(&a, path, AFTER_READY, 4, 0);
    take_wait(&a, &ticket);
    begin(&m, GOODBYE);
    send_message(a.socket, &m);
    volatile uint64_t *words = (volatile uint64_t *)a.lane;
    int64_t end = now_ms() + ms;
    while (now_ms() < end) {
        for (size_t i = 0; i < a.lane_size / 8; i++) words[i] = random_number();
        begin(&m, SLOT_RELEASED);
        send_message(a.socket, &m);
        begin(&m, GOODBYE);
        send_message(a.socket, &m);
    }
    say("done");
    wait_for_ever();
    return 0;
}

int hostile_subscriber(const char *path, const char *behaviour, int count) {
    if (!strncmp(behaviour, "stage-", 6)) {
        static const char *const stages[] = { "connect", "hello", "welcome", "generation", "buffers" };
        for (int stage = 0; stage < 5; stage++) {
            if (strcmp(behaviour + 6, stages[stage])) continue;
            struct attached a = { 0 };
            attach_until(&a, path, stage, 4, 0);
            say("at-stage");
            wait_for_ever();
        }
    }
    if (!strcmp(behaviour, "newer")) return be_newer(path, count);
    if (!strcmp(behaviour, "silent")) return stay_silent(path, count);
    if (!strcmp(behaviour, "connect-and-go")) return connect_and_go(path, count);
    if (!strcmp(behaviour, "flood")) return flood(path, count);
    if (!strcmp(behaviour, "never-read")) return never_read(path, count);
    if (!strcmp(behaviour, "ask-and-never-read")) return ask_and_never_read(path);
    if (!strcmp(behaviour, "wake-all")) return wake_all_the_time(path, count);
    if (!strcmp(behaviour, "move-sleepers")) return move_sleepers(path);
    if (!strcmp(behaviour, "block-sleepers")) return block_sleepers(path);
    if (!strcmp(behaviour, "every-call")) return try_every_call(path);
    if (!strcmp(behaviour, "punch-lane")) return punch_lane(path, count);
    if (!strcmp(behaviour, "scribble-retired")) return scribble_on_retired_lane(path);
    if (!strcmp(behaviour, "leave-and-stay")) return leave_and_stay(path, count);
    if (!strcmp(behaviour, "empty")) {
        int s = connected(path);
        if (send(s, "", 0, MSG_NOSIGNAL) < 0) give_up("send");
        tell_end(s);
        return 0;
    }
    if (misuse_lane(path, behaviour, count) || say_bad_thing_after_joining(path, behaviour)) return 0;
    if (!make_bad_message(behaviour)) give_up("no such behaviour");
    int s = connected(path);
    if (send_message(s, &m) < 0) give_up("send");
    tell_end(s);
    return 0;
}
