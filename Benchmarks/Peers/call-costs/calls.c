// What publishing, and taking and releasing, cost in C: as Sources/call-bench, by libframeshare.
#define _GNU_SOURCE
#include <frameshare.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 16 };

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void must(int result) {
    if (result == FRAMESHARE_OK) return;
    fprintf(stderr, "calls: %s\n", frameshare_last_error());
    exit(1);
}

int main(int count, char **arguments) {
    long batches = count == 2 ? atol(arguments[1]) : 0;
    if (batches <= 0) return fprintf(stderr, "usage: calls BATCHES\n"), 64;
    char folder[64];
    snprintf(folder, sizeof folder, "/tmp/call-bench-%d", getpid());
    struct frameshare_stream stream = frameshare_stream_init();
    must(frameshare_stream_compute("main", 64, 64, "YUV420", 0, &stream));
    struct frameshare_publisher_options options = frameshare_publisher_options_init();
    options.directory = folder;
    frameshare_publisher *publisher;
    must(frameshare_publisher_open("calls", &stream, 1, 40, &options, &publisher));
    struct frameshare_subscriber_options wanted = frameshare_subscriber_options_init();
    wanted.directory = folder;
    wanted.policy = FRAMESHARE_POLICY_QUEUE;
    wanted.queue_depth = BATCH;
    frameshare_subscriber *subscriber;
    must(frameshare_subscriber_open("calls", &wanted, &subscriber));
    int64_t publishing = 0, taking = 0;
    long sum = 0;
    struct frameshare_image image = frameshare_image_init();
    for (long round = 0; round < batches + batches / 10; round++) {
        int64_t began = now();
        for (int i = 0; i < BATCH; i++) {
            frameshare_slot *slot;
            must(frameshare_publisher_next_slot(publisher, FRAMESHARE_FOREVER, &slot));
            must(frameshare_slot_image(slot, "main", &image));
            *(uint8_t *)image.planes[0].data = 1;
            must(frameshare_slot_publish(slot, NULL, NULL, NULL));
        }
        int64_t published = now();
        for (int i = 0; i < BATCH; i++) {
            frameshare_frame *frame;
            must(frameshare_subscriber_next(subscriber, FRAMESHARE_FOREVER, &frame));
            must(frameshare_frame_image(frame, "main", &image));
            sum += *(const uint8_t *)image.planes[0].data;
            must(frameshare_frame_release(frame));
        }
        if (round < batches / 10) continue; /* until all is warm */
        publishing += published - began;
        taking += now() - published;
    }
    double frames = (double)batches * BATCH;
    printf("{\"publish_ns\": %f, \"take_ns\": %f, \"sum\": %ld}\n", (double)publishing / frames, (double)taking / frames,
           sum);
    frameshare_subscriber_close(subscriber);
    frameshare_publisher_close(publisher);
    rmdir(folder);
    return 0;
}
