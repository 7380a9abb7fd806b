// FrameShare from C: libframeshare, as its header teaches it.
#include "contestant.h"

#include <errno.h>
#include <frameshare.h>
#include <unistd.h>

struct side {
    struct contestant *options;
    frameshare_publisher *publisher;
    frameshare_slot *slot;
    struct frameshare_image image;
};

static void must(int result) {
    if (result < 0) contestant_fail(frameshare_last_error(), 0);
}

static int prepare(void *context) {
    struct side *side = context;
    if (side->slot) return 0;
    must(frameshare_publisher_next_slot(side->publisher, FRAMESHARE_FOREVER, &side->slot));
    must(frameshare_slot_image(side->slot, NULL, &side->image));
    return 0;
}

static int publish(void *context, uint64_t number, int64_t stamp) {
    struct side *side = context;
    prepare(side);
    contestant_fill(side->options, side->image.planes[0].data, number, stamp);
    must(frameshare_slot_publish(side->slot, NULL, NULL, NULL));
    side->slot = NULL;
    return 0;
}

static void run_publisher(struct side *side) {
    struct contestant *options = side->options;
    struct frameshare_format_info format = frameshare_format_info_init();
    struct frameshare_stream stream = frameshare_stream_init();
    struct frameshare_publisher_options how = frameshare_publisher_options_init();
    uint32_t most = 1 + options->in_flight * options->readers;
    how.stall_limit = -1;
    must(frameshare_format_by_name("MJPEG", &format));
    must(frameshare_stream_opaque("main", 640, 480, format.fourcc, format.modifier, options->size, &stream));
    uint32_t slots = options->rate == 0 && most > options->slots ? most : options->slots;
    must(frameshare_publisher_open(options->channel, &stream, 1, slots, &how, &side->publisher));
    side->image = frameshare_image_init();
    // Without a rate a subscriber to every frame holds the source up by itself.
    contestant_publisher_run(options, side, prepare, publish, NULL);
    if (side->slot) frameshare_slot_discard(side->slot);
    frameshare_publisher_close(side->publisher);
}

static void run_reader(struct side *side) {
    struct contestant *options = side->options;
    struct frameshare_subscriber_options how = frameshare_subscriber_options_init();
    if (options->rate == 0) {
        how.policy = FRAMESHARE_POLICY_EVERY_FRAME;
        how.budget = options->in_flight;
    }
    frameshare_subscriber *subscriber;
    how.wait_for_channel = 10000000000;
    contestant_connecting(options);
    must(frameshare_subscriber_open(options->channel, &how, &subscriber));
    contestant_connected(options);
    struct frameshare_image image = frameshare_image_init();
    frameshare_frame *frame;
    int more = 1;
    while (more && frameshare_subscriber_next(subscriber, FRAMESHARE_FOREVER, &frame) == FRAMESHARE_OK) {
        must(frameshare_frame_image(frame, NULL, &image));
        more = contestant_received(options, image.planes[0].data);
        frameshare_frame_release(frame);
    }
    contestant_reader_end(options);
    frameshare_subscriber_close(subscriber);
}

int main(int argc, char **argv) {
    struct contestant options = { 0 };
    struct side side = { .options = &options };
    contestant_begin(&options, argc, argv);
    if (options.is_publisher) run_publisher(&side);
    else run_reader(&side);
    return 0;
}
