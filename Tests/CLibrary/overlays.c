// A channel with another's frames and a group's answers, in the same memory.
#define _GNU_SOURCE
#include "check.h"

#include <sys/stat.h>

/* The memfd has all slots: the place in it tells which. */
static unsigned long long memory_of(frameshare_frame *frame) {
    struct frameshare_image image = frameshare_image_init();
    struct stat status = {0};
    CHECK_RESULT(frameshare_frame_image(frame, NULL, &image), FRAMESHARE_OK);
    CHECK(fstat(image.planes[0].fd, &status) == 0);
    return (unsigned long long)status.st_ino << 24 | image.planes[0].offset / 4096;
}

void test_overlays(void) {
    frameshare_publisher *publisher = open_publisher("shown", 12);
    frameshare_overlay *overlay = NULL, *second = NULL;
    struct frameshare_overlay_options options = frameshare_overlay_options_init();
    options.budget = 6;
    CHECK_RESULT(frameshare_overlay_open(publisher, "shown-overlay", "g", &options, &overlay), FRAMESHARE_OK);
    // One reads a group's results.
    CHECK_RESULT(frameshare_overlay_open(publisher, "shown-twice", "g", NULL, &second), FRAMESHARE_ERROR_REFUSED);
    CHECK(second == NULL);
    int worker = start_self("work", "shown");
    CHECK_RESULT(frameshare_publisher_wait_for_group(publisher, "g", PATIENCE), FRAMESHARE_OK);
    struct frameshare_subscriber_options reading = frameshare_subscriber_options_init();
    reading.policy = FRAMESHARE_POLICY_QUEUE;
    reading.queue_depth = 4;
    frameshare_subscriber *shown = open_subscriber("shown-overlay", &reading), *plain = open_subscriber("shown", &reading);
    for (int i = 1; i <= 20; i++) {
        // The worker fails at 251: that frame comes without an answer.
        int value = i == 7 ? 251 : i;
        // The overlay gives a frame back on a thread of its own. While it pins its whole budget it would lose the next one.
        await_all_free(publisher);
        publish_value(publisher, value, NULL);
        frameshare_frame *frame = NULL, *original = NULL;
        struct frameshare_frame_info info = frameshare_frame_info_init(), before = frameshare_frame_info_init();
        int64_t answer = -1;
        CHECK_RESULT(frameshare_subscriber_next(shown, PATIENCE, &frame), FRAMESHARE_OK);
        CHECK_RESULT(frameshare_subscriber_next(plain, PATIENCE, &original), FRAMESHARE_OK);
        CHECK_RESULT(frameshare_frame_get_info(frame, &info), FRAMESHARE_OK);
        CHECK_RESULT(frameshare_frame_get_info(original, &before), FRAMESHARE_OK);
        CHECK(info.sequence == before.sequence && info.timestamp == before.timestamp);
        CHECK(memory_of(frame) == memory_of(original));
        CHECK_RESULT(frameshare_frame_metadata_int64(frame, "value", &answer), i == 7 ? FRAMESHARE_NOT_FOUND : FRAMESHARE_OK);
        CHECK(answer == (i == 7 ? -1 : value));
        CHECK_RESULT(frameshare_frame_release(frame), FRAMESHARE_OK);
        CHECK_RESULT(frameshare_frame_release(original), FRAMESHARE_OK);
    }
    struct frameshare_channel_statistics statistics = frameshare_channel_statistics_init();
    struct frameshare_subscriber_status reader = frameshare_subscriber_status_init();
    CHECK_RESULT(frameshare_overlay_get_statistics(overlay, &statistics, &reader, 1), FRAMESHARE_OK);
    CHECK(statistics.published == 20 && statistics.subscriber_count == 1 && reader.delivered == 20);
    CHECK(strstr(statistics.source_name, "shown with g") != NULL);

    // What is held when the overlay closes is taken back.
    publish_value(publisher, 21, NULL);
    frameshare_frame *held = NULL, *none = NULL;
    int revoked = 0;
    CHECK_RESULT(frameshare_subscriber_next(shown, PATIENCE, &held), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_overlay_close(overlay), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_subscriber_next(shown, PATIENCE, &none), FRAMESHARE_ENDED);
    CHECK_RESULT(frameshare_frame_is_revoked(held, &revoked), FRAMESHARE_OK);
    CHECK(revoked == 1);
    frameshare_frame_release(held);
    frameshare_subscriber_close(shown);
    frameshare_subscriber_close(plain);
    // The group can have another reader.
    CHECK_RESULT(frameshare_overlay_open(publisher, "shown-overlay", "g", NULL, &overlay), FRAMESHARE_OK);
    // It ends with the publisher's channel.
    shown = open_subscriber("shown-overlay", NULL);
    CHECK_RESULT(frameshare_publisher_close(publisher), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_subscriber_next(shown, PATIENCE, &none), FRAMESHARE_ENDED);
    frameshare_subscriber_close(shown);
    CHECK_RESULT(frameshare_overlay_close(overlay), FRAMESHARE_OK);
    CHECK(wait_for(worker) == 0);
}

void test_overlay_misuse(void) {
    const int bad = FRAMESHARE_ERROR_INVALID_ARGUMENT;
    // A small pool will do: the budget is then smaller.
    frameshare_publisher *publisher = open_publisher("shown-misuse", 2);
    frameshare_overlay *overlay = NULL;
    struct frameshare_overlay_options options = frameshare_overlay_options_init();
    CHECK_RESULT(frameshare_overlay_open(publisher, "over", "g", NULL, NULL), bad);
    CHECK_RESULT(frameshare_overlay_open(publisher, NULL, "g", NULL, &overlay), bad);
    CHECK_RESULT(frameshare_overlay_open(publisher, "over", NULL, NULL, &overlay), bad);
    CHECK_RESULT(frameshare_overlay_open(publisher, "o/o", "g", NULL, &overlay), bad);
    CHECK_RESULT(frameshare_overlay_open(publisher, "over", "g/g", NULL, &overlay), bad);
    CHECK_RESULT(frameshare_overlay_open(publisher, "shown-misuse", "g", NULL, &overlay), FRAMESHARE_ERROR_CHANNEL_IN_USE);
    struct frameshare_ask_options asking;
    memset(&asking, 0, sizeof asking);
    options.ask = &asking;
    CHECK_RESULT(frameshare_overlay_open(publisher, "over", "g", &options, &overlay), bad);
    CHECK(overlay == NULL);
    static const uint32_t numbers[] = {1, 255, 1024, UINT32_MAX};
    for (size_t i = 0; i < 4; i++) {
        options = frameshare_overlay_options_init();
        options.budget = options.window = numbers[i];
        if (frameshare_overlay_open(publisher, "over", "g", &options, &overlay) == FRAMESHARE_OK) {
            publish_value(publisher, 1, NULL);
            CHECK_RESULT(frameshare_overlay_close(overlay), FRAMESHARE_OK);
        }
    }
    frameshare_publisher_close(publisher);
}

void call_all_of_overlays(void *handle) {
    const int none = FRAMESHARE_ERROR_INVALID_HANDLE;
    struct frameshare_channel_statistics statistics = frameshare_channel_statistics_init();
    frameshare_overlay *overlay = NULL;
    CHECK_RESULT(frameshare_overlay_open(handle, "over", "g", NULL, &overlay), none);
    CHECK_RESULT(frameshare_overlay_get_statistics(handle, &statistics, NULL, 0), none);
    CHECK_RESULT(frameshare_overlay_close(handle), none);
}
