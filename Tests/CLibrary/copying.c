// Copies of a channel as another channel, with memory of its own.
#define _GNU_SOURCE
#include "check.h"

#include <poll.h>
#include <sys/resource.h>
#include <time.h>

void test_copy_stages(void) {
    frameshare_publisher *publisher = open_publisher("original", 4);
    struct frameshare_crop crop = {.stream = "main", .x = 16, .y = 8, .width = 32, .height = 16};
    struct frameshare_subscriber_options subscribing = frameshare_subscriber_options_init();
    // It reserves, so nothing is lost on a slow machine.
    subscribing.policy = FRAMESHARE_POLICY_EVERY_FRAME;
    struct frameshare_copy_options options = frameshare_copy_options_init();
    options.slots = 40;
    options.crops = &crop;
    options.crop_count = 1;
    options.subscriber = &subscribing;
    frameshare_copy_stage *stage = NULL;
    CHECK_RESULT(frameshare_copy_stage_open("original", &options, &stage), FRAMESHARE_OK);
    struct frameshare_copy_plan plan = frameshare_copy_plan_init();
    struct frameshare_stream stream = frameshare_stream_init();
    CHECK_RESULT(frameshare_copy_stage_get_plan(stage, &plan), FRAMESHARE_OK);
    CHECK(plan.slots == 40 && plan.stream_count == 1 && plan.bytes == 40 * plan.bytes_per_frame);
    CHECK_RESULT(frameshare_copy_stage_stream_at(stage, 0, &stream), FRAMESHARE_OK);
    CHECK(stream.width == 32 && stream.height == 16 && strcmp(stream.name, "main") == 0);
    CHECK_RESULT(frameshare_copy_stage_stream_at(stage, 1, &stream), FRAMESHARE_NOT_FOUND);
    CHECK_RESULT(frameshare_copy_stage_wait(stage, 0), FRAMESHARE_ERROR_INVALID_ARGUMENT);
    CHECK_RESULT(frameshare_copy_stage_start(stage, "original"), FRAMESHARE_ERROR_CHANNEL_IN_USE);
    CHECK_RESULT(frameshare_copy_stage_start(stage, "copy"), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_copy_stage_start(stage, "again"), FRAMESHARE_ERROR_INVALID_ARGUMENT);

    // A reader that takes nothing holds none of the original's four slots.
    struct frameshare_subscriber_options reading = frameshare_subscriber_options_init();
    reading.policy = FRAMESHARE_POLICY_QUEUE;
    reading.queue_depth = 30;
    frameshare_subscriber *reader = open_subscriber("copy", &reading);
    for (int i = 1; i <= 30; i++) publish_value(publisher, i, NULL);
    for (uint64_t i = 1; i <= 30; i++) {
        frameshare_frame *frame = NULL;
        struct frameshare_frame_info info = frameshare_frame_info_init();
        struct frameshare_image image = frameshare_image_init();
        CHECK_RESULT(frameshare_subscriber_next(reader, PATIENCE, &frame), FRAMESHARE_OK);
        CHECK_RESULT(frameshare_frame_get_info(frame, &info), FRAMESHARE_OK);
        CHECK_RESULT(frameshare_frame_image(frame, "main", &image), FRAMESHARE_OK);
        CHECK(info.number == i && image.width == 32 && *(const uint8_t *)image.planes[0].data == i);
        CHECK_RESULT(frameshare_frame_release(frame), FRAMESHARE_OK);
    }
    struct frameshare_copy_statistics done = frameshare_copy_statistics_init();
    // A frame is counted after it was published.
    for (int i = 0; i < 6000 && done.copied < 30; i++) {
        if (i > 0) nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        CHECK_RESULT(frameshare_copy_stage_get_statistics(stage, &done), FRAMESHARE_OK);
    }
    CHECK(done.copied == 30 && done.no_room == 0 && done.lost_policy == 0 && done.bytes == 30 * 32 * 16 * 3 / 2);
    CHECK_RESULT(frameshare_copy_stage_wait(stage, 20000000), FRAMESHARE_ERROR_TIMED_OUT);

    // It ends as the channel does, and its own channel too.
    int fd = -1;
    frameshare_frame *none = NULL;
    CHECK_RESULT(frameshare_copy_stage_poll_fd(stage, &fd), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_publisher_fail(publisher, "the cable is out"), FRAMESHARE_OK);
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    CHECK(poll(&ready, 1, (int)(PATIENCE / 1000000)) == 1);
    CHECK_RESULT(frameshare_copy_stage_wait(stage, 0), FRAMESHARE_ERROR_SOURCE_FAILED);
    CHECK(strstr(frameshare_last_error(), "the cable is out") != NULL);
    CHECK_RESULT(frameshare_subscriber_next(reader, PATIENCE, &none), FRAMESHARE_ERROR_SOURCE_FAILED);
    frameshare_subscriber_close(reader);
    CHECK_RESULT(frameshare_copy_stage_close(stage), FRAMESHARE_OK);

    // Stopped: in order.
    publisher = open_publisher("original", 4);
    CHECK_RESULT(frameshare_copy_stage_open("original", NULL, &stage), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_copy_stage_start(stage, "copy"), FRAMESHARE_OK);
    reader = open_subscriber("copy", NULL);
    CHECK_RESULT(frameshare_copy_stage_stop(stage), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_copy_stage_wait(stage, PATIENCE), FRAMESHARE_ENDED);
    CHECK_RESULT(frameshare_subscriber_next(reader, PATIENCE, &none), FRAMESHARE_ENDED);
    frameshare_subscriber_close(reader);
    CHECK_RESULT(frameshare_copy_stage_close(stage), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_publisher_close(publisher), FRAMESHARE_OK);
}

void test_copy_misuse(void) {
    const int bad = FRAMESHARE_ERROR_INVALID_ARGUMENT;
    frameshare_copy_stage *stage = NULL;
    CHECK_RESULT(frameshare_copy_stage_open("none", NULL, &stage), FRAMESHARE_ERROR_NO_SUCH_CHANNEL);
    frameshare_publisher *publisher = open_publisher("copy-misuse", 4);
    CHECK_RESULT(frameshare_copy_stage_open("copy-misuse", NULL, NULL), bad);
    CHECK_RESULT(frameshare_copy_stage_open(NULL, NULL, &stage), bad);
    struct frameshare_crop crops[2] = {{"main", 1, 0, 8, 8}, {"main", 0, 0, 8, 8}};
#define REFUSED(result, ...)                                                                                           \
    do {                                                                                                               \
        struct frameshare_copy_options options = frameshare_copy_options_init();                                       \
        __VA_ARGS__;                                                                                                   \
        CHECK_RESULT(frameshare_copy_stage_open("copy-misuse", &options, &stage), result);                             \
        CHECK(stage == NULL);                                                                                          \
    } while (0)
    REFUSED(bad, options.slots = 1);
    REFUSED(bad, options.slots = 1025);
    REFUSED(bad, options.slots = 4; options.bytes = 1 << 20);
    REFUSED(bad, options.bytes = 1);
    REFUSED(bad, options.hold = 1000000000);
    REFUSED(bad, options.hold = -1; options.frames_per_second = 30);
    REFUSED(bad, options.hold = INT64_MAX; options.frames_per_second = 1e300);
    REFUSED(bad, options.maximum_rate = -1);
    REFUSED(bad, options.maximum_rate = __builtin_nan(""));
    REFUSED(bad, options.crop_count = 1);
    REFUSED(bad, options.crop_count = 9; options.crops = crops);
    REFUSED(bad, options.crop_count = 1; options.crops = crops);
    REFUSED(bad, options.crop_count = 2; options.crops = crops);
    crops[0] = (struct frameshare_crop){"lores", 0, 0, 8, 8};
    REFUSED(FRAMESHARE_ERROR_NO_SUCH_STREAM, options.crop_count = 1; options.crops = crops);
    crops[0] = (struct frameshare_crop){NULL, 0, 0, 8, 8};
    REFUSED(bad, options.crop_count = 1; options.crops = crops);
    crops[0] = (struct frameshare_crop){"main", UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX};
    REFUSED(bad, options.crop_count = 1; options.crops = crops);
    struct frameshare_subscriber_options subscribing = {0};
    struct frameshare_publisher_options publishing = {0};
    REFUSED(bad, options.subscriber = &subscribing);
    REFUSED(bad, options.publisher = &publishing);
    // Any other number is borne.
    struct rlimit before, limit;
    CHECK(getrlimit(RLIMIT_FSIZE, &before) == 0);
    limit = before;
    limit.rlim_cur = 64 << 20;
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    static const uint32_t every[] = {1, 7, INT32_MAX, UINT32_MAX};
    static const double rates[] = {1e-300, 0.5, 1e9, 1e300};
    for (int i = 0; i < 4; i++) {
        struct frameshare_copy_options options = frameshare_copy_options_init();
        options.every = every[i];
        options.maximum_rate = rates[i];
        CHECK_RESULT(frameshare_copy_stage_open("copy-misuse", &options, &stage), FRAMESHARE_OK);
        if (i == 0) {
            CHECK_RESULT(frameshare_copy_stage_get_plan(stage, NULL), bad);
            CHECK_RESULT(frameshare_copy_stage_get_statistics(stage, NULL), bad);
            CHECK_RESULT(frameshare_copy_stage_poll_fd(stage, NULL), bad);
            CHECK_RESULT(frameshare_copy_stage_start(stage, NULL), bad);
            CHECK_RESULT(frameshare_copy_stage_start(stage, "a/b"), bad);
        }
        CHECK_RESULT(frameshare_copy_stage_start(stage, "copy"), FRAMESHARE_OK);
        publish_value(publisher, i, NULL);
        publish_value(publisher, i, NULL);
        CHECK_RESULT(frameshare_copy_stage_close(stage), FRAMESHARE_OK);
        stage = NULL;
    }
    CHECK(setrlimit(RLIMIT_FSIZE, &before) == 0);
    frameshare_publisher_close(publisher);
}

void call_all_of_copy_stages(void *handle) {
    const int none = FRAMESHARE_ERROR_INVALID_HANDLE;
    struct frameshare_copy_plan plan = frameshare_copy_plan_init();
    struct frameshare_copy_statistics done = frameshare_copy_statistics_init();
    struct frameshare_stream stream = frameshare_stream_init();
    int fd = -1;
    CHECK_RESULT(frameshare_copy_stage_get_plan(handle, &plan), none);
    CHECK_RESULT(frameshare_copy_stage_stream_at(handle, 0, &stream), none);
    CHECK_RESULT(frameshare_copy_stage_start(handle, "copy"), none);
    CHECK_RESULT(frameshare_copy_stage_wait(handle, 0), none);
    CHECK_RESULT(frameshare_copy_stage_poll_fd(handle, &fd), none);
    CHECK_RESULT(frameshare_copy_stage_get_statistics(handle, &done), none);
    CHECK_RESULT(frameshare_copy_stage_stop(handle), none);
    CHECK_RESULT(frameshare_copy_stage_close(handle), none);
}
