// Whatever is passed in, the answer is a number: nothing exits, aborts or faults.
#define _GNU_SOURCE
#include "check.h"

#include <pthread.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// Calls every function that takes this handle, with everything else in order. All must say that it is none.
static void call_all(void *handle) {
    const int none = FRAMESHARE_ERROR_INVALID_HANDLE;
    struct frameshare_image image = frameshare_image_init();
    struct frameshare_frame_info info = frameshare_frame_info_init();
    struct frameshare_stream stream = frameshare_stream_init();
    struct frameshare_subscriber_statistics own = frameshare_subscriber_statistics_init();
    struct frameshare_channel_statistics channel = frameshare_channel_statistics_init();
    struct frameshare_entry entry;
    frameshare_frame *frame = NULL;
    frameshare_slot *slot = NULL;
    struct frameshare_pool_info pool_info = frameshare_pool_info_init();
    frameshare_pool *pool = handle;
    uint32_t slots[2];
    size_t count = 0;
    int64_t integer;
    double number;
    int fd;
    char text[8];
    frameshare_stream_compute("main", 64, 48, "R8", 0, &stream);
    CHECK_RESULT(frameshare_frame_get_info(handle, &info), none);
    CHECK_RESULT(frameshare_frame_image(handle, "main", &image), none);
    CHECK_RESULT(frameshare_frame_image_at(handle, 0, &image), none);
    CHECK_RESULT(frameshare_frame_metadata(handle, "a", &entry), none);
    CHECK_RESULT(frameshare_frame_metadata_next(handle, &count, &entry), none);
    CHECK_RESULT(frameshare_frame_metadata_int64(handle, "a", &integer), none);
    CHECK_RESULT(frameshare_frame_metadata_double(handle, "a", &number), none);
    CHECK_RESULT(frameshare_frame_metadata_string(handle, "a", text, sizeof text, NULL), none);
    CHECK_RESULT(frameshare_frame_is_revoked(handle, &fd), none);
    CHECK_RESULT(frameshare_frame_release(handle), none);
    CHECK_RESULT(frameshare_subscriber_next(handle, 0, &frame), none);
    CHECK_RESULT(frameshare_subscriber_next_after(handle, 0, 0, &frame), none);
    CHECK_RESULT(frameshare_subscriber_try_next(handle, &frame), none);
    CHECK_RESULT(frameshare_subscriber_poll_fd(handle, &fd), none);
    CHECK_RESULT(frameshare_subscriber_interrupt(handle), none);
    CHECK_RESULT(frameshare_subscriber_stream_at(handle, 0, &stream), none);
    CHECK_RESULT(frameshare_subscriber_get_statistics(handle, &own), none);
    CHECK_RESULT(frameshare_subscriber_pool(handle, &pool), none);
    CHECK(pool == NULL);
    CHECK_RESULT(frameshare_pool_get_info(handle, &pool_info), none);
    CHECK_RESULT(frameshare_pool_image(handle, 0, NULL, &image), none);
    CHECK_RESULT(frameshare_pool_release(handle), none);
    CHECK_RESULT(frameshare_subscriber_close(handle), none);
    CHECK_RESULT(frameshare_publisher_next_slot(handle, 0, &slot), none);
    CHECK_RESULT(frameshare_publisher_try_next_slot(handle, &slot), none);
    CHECK_RESULT(frameshare_slot_image(handle, NULL, &image), none);
    CHECK_RESULT(frameshare_slot_publish(handle, NULL, NULL, NULL), none);
    CHECK_RESULT(frameshare_slot_discard(handle), none);
    CHECK_RESULT(frameshare_publisher_take_free(handle, slots, 2, &count), none);
    CHECK_RESULT(frameshare_publisher_publish(handle, 0, NULL, NULL, NULL), none);
    CHECK_RESULT(frameshare_publisher_give_back(handle, 0), none);
    CHECK_RESULT(frameshare_publisher_free_slot_fd(handle, &fd), none);
    CHECK_RESULT(frameshare_publisher_wait_for_room(handle, 0), none);
    CHECK_RESULT(frameshare_publisher_count_lost(handle, 1, 1), none);
    CHECK_RESULT(frameshare_publisher_wait_for_subscribers(handle, 1, 0), none);
    CHECK_RESULT(frameshare_publisher_wait_for_demand(handle, 0), none);
    CHECK_RESULT(frameshare_publisher_wait_for_no_demand(handle, 0, 0), none);
    CHECK_RESULT(frameshare_publisher_set_source_trouble(handle, ""), none);
    CHECK_RESULT(frameshare_subscriber_source_trouble(handle, NULL, 0), none);
    CHECK_RESULT(frameshare_publisher_generation(handle, slots), none);
    CHECK_RESULT(frameshare_publisher_held_slots(handle, 1, slots, 2, &count), none);
    CHECK_RESULT(frameshare_publisher_set_metadata_capacity(handle, 100), none);
    CHECK_RESULT(frameshare_publisher_close_revoking(handle), none);
    frameshare_stream_compute("main", 64, 48, "R8", 0, &stream);
    CHECK_RESULT(frameshare_publisher_reconfigure(handle, &stream, 1, 2), none);
    CHECK_RESULT(frameshare_publisher_reconfigure_buffers(handle, &stream, 1, 2, NULL, 0), none);
    CHECK_RESULT(frameshare_publisher_get_statistics(handle, &channel, NULL, 0), none);
    CHECK_RESULT(frameshare_publisher_close(handle), none);
    CHECK_RESULT(frameshare_publisher_fail(handle, "x"), none);
    CHECK_RESULT(frameshare_monitor_get_statistics(handle, &channel, NULL, 0), none);
    CHECK_RESULT(frameshare_monitor_close(handle), none);
    CHECK_RESULT(frameshare_metadata_set_int32(handle, "a", 1), none);
    CHECK_RESULT(frameshare_metadata_set_string(handle, "a", "b"), none);
    CHECK_RESULT(frameshare_metadata_remove(handle, "a"), none);
    CHECK_RESULT(frameshare_metadata_clear(handle), none);
    CHECK_RESULT(frameshare_metadata_destroy(handle), none);
    call_all_of_groups(handle);
    call_all_of_controls(handle);
    call_all_of_channels(handle);
    call_all_of_overlays(handle);
    call_all_of_copy_stages(handle);
    CHECK(strlen(frameshare_last_error()) > 0);
}

void test_null(void) {
    const int bad = FRAMESHARE_ERROR_INVALID_ARGUMENT;
    call_all(NULL);
    CHECK_RESULT(frameshare_subscriber_open("x", NULL, NULL), bad);
    CHECK_RESULT(frameshare_publisher_open("x", NULL, 1, 2, NULL, NULL), bad);
    CHECK_RESULT(frameshare_monitor_open("x", NULL, NULL), bad);
    CHECK_RESULT(frameshare_metadata_create(NULL), bad);
    CHECK_RESULT(frameshare_format_by_name(NULL, NULL), bad);
    CHECK_RESULT(frameshare_format_by_name("YUV420", NULL), bad);
    CHECK_RESULT(frameshare_format_get(0x32315559, 0, NULL), bad);
    CHECK_RESULT(frameshare_format_at(0, NULL), bad);
    CHECK_RESULT(frameshare_stream_compute(NULL, 1, 1, NULL, 0, NULL), bad);
    CHECK_RESULT(frameshare_stream_opaque("a", 1, 1, 1, 0, 1, NULL), bad);
    CHECK_RESULT(frameshare_color_space_by_name(NULL, NULL), bad);
    CHECK_RESULT(frameshare_color_space_name((struct frameshare_color_space){9, 9, 9, 9}, NULL, 4), bad);
    CHECK_RESULT(frameshare_publisher_fail(NULL, NULL), bad);
    CHECK(strcmp(frameshare_result_name(12345), "unknown") == 0);

    frameshare_publisher *publisher = open_publisher("null", 2);
    frameshare_subscriber *subscriber = open_subscriber("null", NULL);
    frameshare_metadata *metadata = NULL;
    frameshare_metadata_create(&metadata);
    publish_value(publisher, 1, NULL);
    frameshare_frame *frame = NULL;
    frameshare_slot *slot = NULL;
    CHECK_RESULT(frameshare_subscriber_next(subscriber, PATIENCE, NULL), bad);
    CHECK_RESULT(frameshare_subscriber_next(subscriber, PATIENCE, &frame), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_frame_get_info(frame, NULL), bad);
    CHECK_RESULT(frameshare_frame_image(frame, NULL, NULL), bad);
    CHECK_RESULT(frameshare_frame_metadata(frame, NULL, NULL), bad);
    CHECK_RESULT(frameshare_frame_metadata_next(frame, NULL, NULL), bad);
    CHECK_RESULT(frameshare_frame_metadata_int64(frame, NULL, NULL), bad);
    CHECK_RESULT(frameshare_frame_metadata_double(frame, "a", NULL), bad);
    CHECK_RESULT(frameshare_frame_is_revoked(frame, NULL), bad);
    CHECK_RESULT(frameshare_subscriber_poll_fd(subscriber, NULL), bad);
    CHECK_RESULT(frameshare_subscriber_stream_at(subscriber, 0, NULL), bad);
    CHECK_RESULT(frameshare_subscriber_get_statistics(subscriber, NULL), bad);
    CHECK_RESULT(frameshare_publisher_next_slot(publisher, 0, NULL), bad);
    CHECK_RESULT(frameshare_publisher_next_slot(publisher, PATIENCE, &slot), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_slot_image(slot, NULL, NULL), bad);
    CHECK_RESULT(frameshare_slot_discard(slot), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_publisher_take_free(publisher, NULL, 1, NULL), bad);
    CHECK_RESULT(frameshare_publisher_free_slot_fd(publisher, NULL), bad);
    CHECK_RESULT(frameshare_publisher_reconfigure(publisher, NULL, 1, 2), bad);
    CHECK_RESULT(frameshare_publisher_get_statistics(publisher, NULL, NULL, 0), bad);
    CHECK_RESULT(frameshare_publisher_get_statistics(publisher, NULL, NULL, 3), bad);
    CHECK_RESULT(frameshare_publisher_fail(publisher, NULL), bad);
    CHECK_RESULT(frameshare_metadata_set(metadata, "a", FRAMESHARE_TYPE_BYTES, NULL, 5), bad);
    CHECK_RESULT(frameshare_metadata_set(metadata, "a", FRAMESHARE_TYPE_BYTES, NULL, SIZE_MAX), bad);
    CHECK_RESULT(frameshare_metadata_set_string(metadata, NULL, NULL), bad);
    frameshare_metadata_destroy(metadata);
    frameshare_frame_release(frame);
    frameshare_subscriber_close(subscriber);
    frameshare_publisher_close(publisher);
}

void test_stale_handles(void) {
    frameshare_publisher *publisher = open_publisher("stale", 4);
    frameshare_subscriber *subscriber = open_subscriber("stale", NULL);
    publish_value(publisher, 1, NULL);
    frameshare_frame *frame = NULL, *second = NULL;
    frameshare_subscriber_next(subscriber, PATIENCE, &frame);
    CHECK_RESULT(frameshare_frame_release(frame), FRAMESHARE_OK);
    call_all(frame);
    // The next frame is another handle: the old one does not find it.
    publish_value(publisher, 2, NULL);
    frameshare_subscriber_next(subscriber, PATIENCE, &second);
    CHECK(frame != second);
    call_all(frame);
    struct frameshare_frame_info info = frameshare_frame_info_init();
    CHECK_RESULT(frameshare_frame_get_info(second, &info), FRAMESHARE_OK);
    // One of another kind.
    CHECK_RESULT(frameshare_frame_release((frameshare_frame *)(void *)subscriber), FRAMESHARE_ERROR_INVALID_HANDLE);
    CHECK_RESULT(frameshare_subscriber_close((frameshare_subscriber *)(void *)second), FRAMESHARE_ERROR_INVALID_HANDLE);
    struct frameshare_image image = frameshare_image_init();
    CHECK_RESULT(frameshare_frame_image(second, "lores", &image), FRAMESHARE_ERROR_NO_SUCH_STREAM);
    frameshare_frame_release(second);
    CHECK_RESULT(frameshare_subscriber_close(subscriber), FRAMESHARE_OK);
    call_all(subscriber);
    CHECK_RESULT(frameshare_publisher_close(publisher), FRAMESHARE_OK);
    call_all(publisher);
    uint64_t seed = 88172645463325252u;
    for (int i = 0; i < 200; i++) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        call_all((void *)(uintptr_t)seed);
    }
    call_all(&seed);
}

void test_wrong_structs(void) {
    const int bad = FRAMESHARE_ERROR_INVALID_ARGUMENT;
    struct frameshare_stream stream = frameshare_stream_init();
    stream.struct_size = 0;
    CHECK_RESULT(frameshare_stream_compute("main", 64, 48, "R8", 0, &stream), bad);
    CHECK(strstr(frameshare_last_error(), "_init") != NULL);
    stream.struct_size = UINT32_MAX;
    CHECK_RESULT(frameshare_stream_compute("main", 64, 48, "R8", 0, &stream), bad);

    // A later release's struct: what it has more is zero, or it asks for what is not known here.
    struct {
        struct frameshare_subscriber_options known;
        uint64_t more;
    } later;
    memset(&later, 0, sizeof later);
    later.known.struct_size = sizeof later;
    frameshare_publisher *publisher = open_publisher("structs", 4);
    frameshare_subscriber *subscriber = NULL;
    CHECK_RESULT(frameshare_subscriber_open("structs", &later.known, &subscriber), FRAMESHARE_OK);
    later.more = 1;
    frameshare_subscriber *refused = NULL;
    CHECK_RESULT(frameshare_subscriber_open("structs", &later.known, &refused), bad);
    // An earlier release's: it has less, and nothing beyond it is touched.
    publish_value(publisher, 1, NULL);
    frameshare_frame *frame = NULL;
    frameshare_subscriber_next(subscriber, PATIENCE, &frame);
    struct frameshare_frame_info info;
    memset(&info, 0xee, sizeof info);
    info.struct_size = offsetof(struct frameshare_frame_info, timestamp);
    CHECK_RESULT(frameshare_frame_get_info(frame, &info), FRAMESHARE_OK);
    CHECK(info.number == 1 && (uint64_t)info.timestamp == 0xeeeeeeeeeeeeeeee);
    CHECK(info.struct_size == offsetof(struct frameshare_frame_info, timestamp));
    frameshare_frame_release(frame);

    // Numbers and texts that are not possible.
    struct frameshare_subscriber_options options = frameshare_subscriber_options_init();
    options.policy = 77;
    CHECK_RESULT(frameshare_subscriber_open("structs", &options, &refused), bad);
    options = frameshare_subscriber_options_init();
    options.stream_count = 2000000000;
    CHECK(frameshare_subscriber_open("structs", &options, &refused) < 0);
    const char *streams[] = {"lores"};
    options.stream_count = 1;
    options.streams = streams;
    CHECK_RESULT(frameshare_subscriber_open("structs", &options, &refused), FRAMESHARE_ERROR_REFUSED);
    options = frameshare_subscriber_options_init();
    options.policy = FRAMESHARE_POLICY_QUEUE;
    options.queue_depth = UINT32_MAX;
    options.budget = UINT32_MAX;
    options.wait = FRAMESHARE_WAIT_SPIN_THEN_SLEEP;
    options.spin_time = INT64_MAX;
    CHECK_RESULT(frameshare_subscriber_open("structs", &options, &refused), FRAMESHARE_ERROR_REFUSED);
    CHECK_RESULT(frameshare_subscriber_open("../../etc", NULL, &refused), bad);
    CHECK_RESULT(frameshare_subscriber_open("\xff\xfe", NULL, &refused), bad);
    CHECK_RESULT(frameshare_format_by_name("no such format", &(struct frameshare_format_info){.struct_size = 200}),
                 FRAMESHARE_ERROR_LAYOUT);
    stream = frameshare_stream_init();
    CHECK_RESULT(frameshare_stream_compute("main", 0, UINT32_MAX, "R8", UINT32_MAX, &stream), FRAMESHARE_ERROR_LAYOUT);
    CHECK_RESULT(frameshare_stream_opaque("main", 8, 8, 1, 0, UINT64_MAX, &stream), FRAMESHARE_OK);
    CHECK(frameshare_publisher_open("huge", &stream, 1, 1024, NULL, &(frameshare_publisher *){NULL}) < 0);
    stream = frameshare_stream_init();
    memset((char *)&stream + 4, 0xff, sizeof stream - 4);
    CHECK(frameshare_publisher_open("noise", &stream, 1, UINT32_MAX, NULL, &(frameshare_publisher *){NULL}) < 0);
    CHECK(frameshare_publisher_open("many", &stream, SIZE_MAX, 2, NULL, &(frameshare_publisher *){NULL}) < 0);
    frameshare_subscriber_close(subscriber);
    frameshare_publisher_close(publisher);
}

static void *wait_in_thread(void *subscriber) {
    frameshare_frame *frame = NULL;
    int result;
    intptr_t taken = 0;
    while ((result = frameshare_subscriber_next(subscriber, PATIENCE, &frame)) == FRAMESHARE_OK) {
        taken += 1;
        CHECK_RESULT(frameshare_frame_release(frame), FRAMESHARE_OK);
    }
    if (result != FRAMESHARE_ERROR_INVALID_HANDLE) CHECK_RESULT(result, FRAMESHARE_ERROR_CLOSED);
    // Each thread has words of its own.
    if (strlen(frameshare_last_error()) == 0) failures += 1;
    return (void *)taken;
}

void test_threads(void) {
    frameshare_publisher *publisher = open_publisher("threads", 8);
    struct frameshare_subscriber_options options = frameshare_subscriber_options_init();
    options.policy = FRAMESHARE_POLICY_EVERY_FRAME;
    options.budget = 4;
    frameshare_subscriber *subscriber = open_subscriber("threads", &options);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) CHECK(pthread_create(&threads[i], NULL, wait_in_thread, subscriber) == 0);
    for (int i = 0; i < 100; i++) publish_value(publisher, i, NULL);
    struct frameshare_subscriber_statistics statistics = frameshare_subscriber_statistics_init();
    for (int i = 0; i < 6000 && statistics.delivered < 100; i++) {
        CHECK_RESULT(frameshare_subscriber_get_statistics(subscriber, &statistics), FRAMESHARE_OK);
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    CHECK_RESULT(frameshare_subscriber_close(subscriber), FRAMESHARE_OK);
    intptr_t total = 0;
    for (int i = 0; i < 4; i++) {
        void *taken = NULL;
        pthread_join(threads[i], &taken);
        total += (intptr_t)taken;
    }
    CHECK(total == 100);

    subscriber = open_subscriber("threads", NULL);
    CHECK(pthread_create(&threads[0], NULL, wait_in_thread, subscriber) == 0);
    nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    CHECK_RESULT(frameshare_subscriber_close(subscriber), FRAMESHARE_OK);
    pthread_join(threads[0], NULL);
    frameshare_publisher_close(publisher);
}

void test_fork(void) {
    frameshare_publisher *publisher = open_publisher("fork", 4);
    frameshare_subscriber *subscriber = open_subscriber("fork", NULL);
    pid_t child = fork();
    if (child == 0) {
        frameshare_frame *frame = NULL;
        int waits = frameshare_subscriber_next(subscriber, FRAMESHARE_FOREVER, &frame);
        int opens = frameshare_subscriber_open("fork", NULL, &subscriber);
        int told = strstr(frameshare_last_error(), "forked") != NULL;
        _exit(waits == FRAMESHARE_ERROR_FORKED && opens == FRAMESHARE_ERROR_FORKED && told ? 0 : 1);
    }
    CHECK(wait_for(child) == 0);
    // The parent's own are as they were.
    publish_value(publisher, 1, NULL);
    frameshare_frame *frame = NULL;
    CHECK_RESULT(frameshare_subscriber_next(subscriber, PATIENCE, &frame), FRAMESHARE_OK);
    frameshare_frame_release(frame);
    frameshare_subscriber_close(subscriber);
    frameshare_publisher_close(publisher);
}
