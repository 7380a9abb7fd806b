// What the programs of event loops have in common: a subscriber that connects again, whose descriptor the loop polls before
// any frame was asked for. It takes one frame each time that the descriptor is readable. It must get all of them, over a
// reconfiguration, a new publisher and a wake-up for nothing.
#ifndef LOOP_H
#define LOOP_H

#include <frameshare.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AT_FIRST = 3, SPURIOUS_AT = 5, RECONFIGURED_AT = 10, REOPENED_AT = 20, ALL = 30, TICK_MS = 5, PATIENCE_MS = 60000 };

static frameshare_publisher *publisher;
static frameshare_subscriber *subscriber;
static int seen, ticks, is_away, was_spurious;

static void must(int result, const char *what) {
    if (result == FRAMESHARE_OK) return;
    fprintf(stderr, "%s: %s: %s\n", what, frameshare_result_name(result), frameshare_last_error());
    exit(1);
}

static struct frameshare_stream stream_of(uint32_t width) {
    struct frameshare_stream stream = frameshare_stream_init();
    must(frameshare_stream_compute("main", width, 48, "GREY", 0, &stream), "layout");
    return stream;
}

static void open_publisher(void) {
    struct frameshare_stream stream = stream_of(64);
    must(frameshare_publisher_open("loop", &stream, 1, 8, NULL, &publisher), "publisher");
}

static void publish(void) {
    frameshare_slot *slot = NULL;
    must(frameshare_publisher_next_slot(publisher, FRAMESHARE_FOREVER, &slot), "slot");
    must(frameshare_slot_publish(slot, NULL, NULL, NULL), "publish");
}

// Returns the descriptor that the loop is to poll. Some frames are there already.
static int begin(void) {
    char folder[] = "/tmp/frameshare-loop-XXXXXX";
    if (mkdtemp(folder) == NULL || setenv("FRAMESHARE_DIR", folder, 1) != 0) exit(1);
    open_publisher();
    struct frameshare_subscriber_options options = frameshare_subscriber_options_init();
    options.pollable = 1;
    options.reconnect = 1;
    options.policy = FRAMESHARE_POLICY_QUEUE;
    options.queue_depth = 4;
    must(frameshare_subscriber_open("loop", &options, &subscriber), "subscriber");
    for (int i = 0; i < AT_FIRST; i++) publish();
    int fd = -1;
    must(frameshare_subscriber_poll_fd(subscriber, &fd), "descriptor");
    return fd;
}

// After each frame what comes next. From the first ones on, one frame is under way at a time.
static void go_on(void) {
    if (seen < AT_FIRST) return;
    if (seen == RECONFIGURED_AT) {
        struct frameshare_stream stream = stream_of(128);
        must(frameshare_publisher_reconfigure(publisher, &stream, 1, 8), "reconfigure");
    }
    if (seen == REOPENED_AT) {
        must(frameshare_publisher_close(publisher), "close");
        open_publisher();
        is_away = 1;
    } else if (seen < ALL) {
        publish();
    }
}

// The descriptor is readable. Returns whether the program is at its end.
static int readable(void) {
    frameshare_frame *frame = NULL;
    int result = frameshare_subscriber_try_next(subscriber, &frame);
    if (result == FRAMESHARE_NO_FRAME) return 0;
    must(result, "take");
    must(frameshare_frame_release(frame), "release");
    seen++;
    go_on();
    return seen == ALL;
}

// Every few milliseconds. Returns whether the program is at its end, since it hangs.
static int tick(void) {
    if (++ticks > PATIENCE_MS / TICK_MS) return 1;
    if (is_away && frameshare_publisher_wait_for_subscribers(publisher, 1, 0) == FRAMESHARE_OK) {
        is_away = 0;
        publish();
    }
    if (seen == SPURIOUS_AT && !was_spurious) {
        // A loop may call for nothing, and may so take what it was to be woken for.
        was_spurious = 1;
        return readable() || readable();
    }
    return 0;
}

static int end(void) {
    frameshare_subscriber_close(subscriber);
    frameshare_publisher_close(publisher);
    remove(getenv("FRAMESHARE_DIR"));
    if (seen != ALL) fprintf(stderr, "the loop saw %d of %d frames\n", seen, ALL);
    return seen == ALL ? 0 : 1;
}

#endif
