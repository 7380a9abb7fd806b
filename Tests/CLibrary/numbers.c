// Every number of every struct that a caller fills in, and every number that is passed, at the values that break arithmetic.
#define _GNU_SOURCE
#include "check.h"

#include <stdbool.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

static const uint64_t values[] = {
    0, 1, UINT64_MAX, INT64_MAX, (uint64_t)INT64_MIN, UINT32_MAX, INT32_MAX, (uint64_t)1 << 31, 1000000000, 1023, 255, 128,
};
#define EACH_VALUE(name) for (size_t name = 0; name < sizeof values / sizeof *values; name++)

struct member {
    const char *name;
    size_t offset, size;
};
#define MEMBER(type, name) {#name, offsetof(struct frameshare_##type, name), sizeof(((struct frameshare_##type *)0)->name)}
#define COUNT(array) (sizeof array / sizeof *array)

// The value's low bytes, as many as the member has.
static void set(void *one, const struct member *member, uint64_t value) {
    memcpy((char *)one + member->offset, &value, member->size);
}

// The publisher's own thread is there still, and serves.
static void is_alive(const char *channel) {
    frameshare_monitor *monitor = NULL;
    struct frameshare_channel_statistics statistics = frameshare_channel_statistics_init();
    CHECK_RESULT(frameshare_monitor_open(channel, NULL, &monitor), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_monitor_get_statistics(monitor, &statistics, NULL, 0), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_monitor_close(monitor), FRAMESHARE_OK);
}

static void subscribers(frameshare_publisher *publisher) {
    static const struct member members[] = {
        MEMBER(subscriber_options, policy), MEMBER(subscriber_options, queue_depth), MEMBER(subscriber_options, budget),
        MEMBER(subscriber_options, reserve), MEMBER(subscriber_options, reconnect), MEMBER(subscriber_options, pollable),
        MEMBER(subscriber_options, wait), MEMBER(subscriber_options, spin_time),
        MEMBER(subscriber_options, connect_timeout), MEMBER(subscriber_options, stream_count),
        MEMBER(subscriber_options, wait_for_channel), MEMBER(subscriber_options, rate),
        MEMBER(subscriber_options, rotation),
    };
    for (uint32_t policy = 0; policy < 3; policy++) {
        for (size_t i = 0; i < COUNT(members); i++) {
            EACH_VALUE(v) {
                struct frameshare_subscriber_options options = frameshare_subscriber_options_init();
                options.policy = policy;
                options.wait = FRAMESHARE_WAIT_SPIN_THEN_SLEEP;
                set(&options, &members[i], values[v]);
                frameshare_subscriber *subscriber = NULL;
                if (frameshare_subscriber_open("numbers", &options, &subscriber) != FRAMESHARE_OK) {
                    CHECK(subscriber == NULL && strlen(frameshare_last_error()) > 0);
                    continue;
                }
                frameshare_frame *frame = NULL;
                // There is a frame, so no time is waited for.
                publish_value(publisher, 1, NULL);
                CHECK_RESULT(frameshare_subscriber_next(subscriber, (int64_t)values[v], &frame), FRAMESHARE_OK);
                CHECK_RESULT(frameshare_frame_release(frame), FRAMESHARE_OK);
                CHECK_RESULT(frameshare_subscriber_next_after(subscriber, (int64_t)values[v], 0, &frame),
                             FRAMESHARE_ERROR_TIMED_OUT);
                struct frameshare_stream stream = frameshare_stream_init();
                frameshare_subscriber_stream_at(subscriber, (size_t)values[v], &stream);
                CHECK_RESULT(frameshare_subscriber_close(subscriber), FRAMESHARE_OK);
            }
        }
    }
}

static void publishers(void) {
    static const struct member members[] = {
        MEMBER(publisher_options, mode), MEMBER(publisher_options, allowed_user_count),
        MEMBER(publisher_options, metadata_capacity), MEMBER(publisher_options, source_need),
        MEMBER(publisher_options, control_access), MEMBER(publisher_options, stall_limit),
        MEMBER(publisher_options, lease_limit), MEMBER(publisher_options, copy_slots), MEMBER(publisher_options, copy_floor),
    };
    static uint32_t users[4096];
    struct frameshare_stream stream = frameshare_stream_init();
    CHECK_RESULT(frameshare_stream_compute("main", 16, 8, "R8", 0, &stream), FRAMESHARE_OK);
    for (size_t i = 0; i < COUNT(members); i++) {
        EACH_VALUE(v) {
            struct frameshare_publisher_options options = frameshare_publisher_options_init();
            options.allowed_users = users;
            if (i == COUNT(members) - 1) options.copy_slots = 2;
            set(&options, &members[i], values[v]);
            frameshare_publisher *publisher = NULL;
            if (frameshare_publisher_open("options", &stream, 1, 4, &options, &publisher) != FRAMESHARE_OK) {
                CHECK(publisher == NULL && strlen(frameshare_last_error()) > 0);
                continue;
            }
            frameshare_subscriber *subscriber = NULL;
            if (frameshare_subscriber_open("options", NULL, &subscriber) == FRAMESHARE_OK) {
                publish_value(publisher, 1, NULL);
                frameshare_frame *frame = NULL;
                // A lease limit of no time cuts it off.
                if (frameshare_subscriber_next(subscriber, PATIENCE, &frame) == FRAMESHARE_OK) frameshare_frame_release(frame);
                frameshare_subscriber_close(subscriber);
            }
            CHECK_RESULT(frameshare_publisher_close(publisher), FRAMESHARE_OK);
        }
    }
    EACH_VALUE(v) {
        frameshare_publisher *publisher = NULL;
        int result = frameshare_publisher_open("options", &stream, (size_t)values[v], (uint32_t)values[v], NULL, &publisher);
        if (result == FRAMESHARE_OK) frameshare_publisher_close(publisher);
    }
}

static void layouts(void) {
    static const struct member members[] = {
        MEMBER(stream, width), MEMBER(stream, height), MEMBER(stream, fourcc), MEMBER(stream, modifier),
        MEMBER(stream, color_space), MEMBER(stream, plane_count), MEMBER(stream, planes[0].offset),
        MEMBER(stream, planes[0].stride), MEMBER(stream, planes[0].size), MEMBER(stream, planes[0].buffer),
        MEMBER(stream, planes[3].size), MEMBER(stream, planes[3].buffer), MEMBER(stream, planes[3].offset),
    };
    static const struct member of_buffers[] = {MEMBER(buffer, fd), MEMBER(buffer, memory), MEMBER(buffer, size)};
    struct frameshare_buffer buffers[8];
    int memory = memfd_create("numbers", MFD_ALLOW_SEALING);
    CHECK(memory >= 0 && ftruncate(memory, 65536) == 0 && fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK) == 0);
    EACH_VALUE(v) {
        struct frameshare_stream stream = frameshare_stream_init();
        frameshare_publisher *publisher = NULL;
        for (size_t i = 0; i < COUNT(members); i++) {
            // Of a format of one plane, and of bytes of an unknown one in four.
            for (int planes = 1; planes <= 4; planes += 3) {
                CHECK_RESULT(frameshare_stream_compute("main", 16, 8, "R8", 0, &stream), FRAMESHARE_OK);
                stream.plane_count = (uint32_t)planes;
                if (planes == 4) stream.fourcc = 0x31313131;
                for (int p = 1; p < planes; p++) stream.planes[p] = stream.planes[0];
                set(&stream, &members[i], values[v]);
                if (frameshare_publisher_open("layouts", &stream, 1, 2, NULL, &publisher) == FRAMESHARE_OK)
                    frameshare_publisher_close(publisher);
                for (size_t b = 0; b < COUNT(of_buffers); b++) {
                    for (size_t j = 0; j < COUNT(buffers); j++)
                        buffers[j] = (struct frameshare_buffer){memory, FRAMESHARE_MEMORY_MEMFD, 4096};
                    set(&buffers[0], &of_buffers[b], values[v]);
                    if (frameshare_publisher_open_buffers("layouts", &stream, 1, 2, buffers, 2, NULL, &publisher) == 0)
                        frameshare_publisher_close(publisher);
                }
            }
        }
        frameshare_stream_compute("main", (uint32_t)values[v], 8, "YUV420", 0, &stream);
        frameshare_stream_compute("main", 8, (uint32_t)values[v], "YUV420", 0, &stream);
        frameshare_stream_compute("main", 8, 8, "YUV420", (uint32_t)values[v], &stream);
        frameshare_stream_opaque("main", (uint32_t)values[v], (uint32_t)values[v], 1, values[v], values[v], &stream);
        struct frameshare_format_info info = frameshare_format_info_init();
        frameshare_format_at((size_t)values[v], &info);
        frameshare_format_get((uint32_t)values[v], values[v], &info);
    }
    close(memory);
}

static void descriptions(frameshare_publisher *publisher) {
    static const struct member members[] = {
        MEMBER(description, flags), MEMBER(description, clock), MEMBER(description, sequence),
        MEMBER(description, timestamp), MEMBER(description, bytes_used[0][0]), MEMBER(description, bytes_used[7][3]),
        MEMBER(description, has_sequence), MEMBER(description, has_timestamp), MEMBER(description, has_bytes_used),
    };
    struct frameshare_subscriber_options options = frameshare_subscriber_options_init();
    options.startup_frames = 1;
    frameshare_subscriber *subscriber = open_subscriber("numbers", &options);
    // The publisher hears of the wish for start-up frames a moment after the hello.
    for (bool heard = false; !heard;) {
        struct frameshare_description description = frameshare_description_init();
        description.flags = FRAMESHARE_FLAG_STARTUP;
        frameshare_slot *slot = NULL;
        frameshare_frame *frame = NULL;
        CHECK_RESULT(frameshare_publisher_next_slot(publisher, PATIENCE, &slot), FRAMESHARE_OK);
        CHECK_RESULT(frameshare_slot_publish(slot, &description, NULL, NULL), FRAMESHARE_OK);
        heard = frameshare_subscriber_next(subscriber, 10000000, &frame) == FRAMESHARE_OK;
        if (heard) frameshare_frame_release(frame);
    }
    for (size_t i = 0; i < COUNT(members); i++) {
        EACH_VALUE(v) {
            struct frameshare_description description = frameshare_description_init();
            description.has_sequence = description.has_timestamp = description.has_bytes_used = 1;
            set(&description, &members[i], values[v]);
            frameshare_slot *slot = NULL;
            CHECK_RESULT(frameshare_publisher_next_slot(publisher, PATIENCE, &slot), FRAMESHARE_OK);
            if (frameshare_slot_publish(slot, &description, NULL, NULL) != FRAMESHARE_OK) continue;
            frameshare_frame *frame = NULL;
            CHECK_RESULT(frameshare_subscriber_next(subscriber, PATIENCE, &frame), FRAMESHARE_OK);
            struct frameshare_image image = frameshare_image_init();
            struct frameshare_entry entry;
            size_t cursor = (size_t)values[v];
            CHECK_RESULT(frameshare_frame_image(frame, NULL, &image), FRAMESHARE_OK);
            CHECK(image.planes[0].bytes_used <= image.planes[0].size);
            CHECK_RESULT(frameshare_frame_metadata_next(frame, &cursor, &entry), FRAMESHARE_NOT_FOUND);
            frameshare_frame_image_at(frame, (size_t)values[v], &image);
            CHECK_RESULT(frameshare_frame_release(frame), FRAMESHARE_OK);
            frameshare_publisher_count_lost(publisher, values[v], values[v]);
            frameshare_publisher_give_back(publisher, (uint32_t)values[v]);
            frameshare_publisher_publish(publisher, (uint32_t)values[v], &description, NULL, NULL);
        }
    }
    frameshare_subscriber_close(subscriber);
}

static void asking(frameshare_publisher *publisher) {
    static const struct member members[] = {
        MEMBER(ask_options, deadline), MEMBER(ask_options, attempts), MEMBER(ask_options, cut_off),
    };
    static const struct member of_results[] = {MEMBER(results_options, window), MEMBER(results_options, capacity)};
    EACH_VALUE(v) {
        for (size_t i = 0; i < COUNT(members); i++) {
            // A member that never answers, so that the publisher looks at the deadline.
            struct frameshare_subscriber_options joining = frameshare_subscriber_options_init();
            joining.group = "g";
            frameshare_subscriber *member = open_subscriber("numbers", &joining);
            struct frameshare_ask_options options = frameshare_ask_options_init();
            set(&options, &members[i], values[v]);
            frameshare_slot *slot = NULL;
            frameshare_pending *pending = NULL;
            frameshare_answer *answer = NULL;
            CHECK_RESULT(frameshare_publisher_next_slot(publisher, PATIENCE, &slot), FRAMESHARE_OK);
            CHECK_RESULT(frameshare_slot_ask(slot, "g", NULL, NULL, &options, &pending), FRAMESHARE_OK);
            is_alive("numbers");
            CHECK(frameshare_pending_answer(pending, 0, &answer) < 0);
            CHECK_RESULT(frameshare_subscriber_close(member), FRAMESHARE_OK);
            // It ends with its worker, whatever was waited for.
            CHECK(frameshare_pending_answer(pending, (int64_t)values[v] <= 1 ? PATIENCE : (int64_t)values[v], &answer) < 0);
            CHECK_RESULT(frameshare_pending_release(pending), FRAMESHARE_OK);
        }
        for (size_t i = 0; i < COUNT(of_results); i++) {
            struct frameshare_results_options options = frameshare_results_options_init();
            set(&options, &of_results[i], values[v]);
            frameshare_results *results = NULL;
            frameshare_answer *answer = NULL;
            CHECK_RESULT(frameshare_publisher_results(publisher, "r", &options, &results), FRAMESHARE_OK);
            publish_value(publisher, 1, NULL);
            CHECK_RESULT(frameshare_results_next(results, PATIENCE, &answer), FRAMESHARE_OK);
            frameshare_answer_release(answer);
            CHECK_RESULT(frameshare_results_close(results), FRAMESHARE_OK);
        }
    }
}

static void controls(frameshare_publisher *publisher) {
    static const struct member members[] = {
        MEMBER(control, kind), MEMBER(control, item_count), MEMBER(control, read_only), MEMBER(control, inactive),
    };
    static struct frameshare_control_item items[4096];
    for (size_t i = 0; i < COUNT(items); i++) items[i] = (struct frameshare_control_item){"1", "one"};
    for (size_t i = 0; i < COUNT(members); i++) {
        EACH_VALUE(v) {
            struct frameshare_control control = frameshare_control_init();
            control.name = "level";
            control.items = items;
            set(&control, &members[i], values[v]);
            frameshare_settings *settings = NULL;
            if (frameshare_publisher_offer_controls(publisher, &control, 1, &settings) == FRAMESHARE_OK)
                frameshare_settings_close(settings);
            if (values[v] > 1024)
                CHECK(frameshare_publisher_offer_controls(publisher, &control, (size_t)values[v], &settings) < 0);
        }
    }
}

void test_numbers(void) {
    // What is possible in itself, and too large for a test, is refused by this limit.
    struct rlimit before, limit;
    CHECK(getrlimit(RLIMIT_FSIZE, &before) == 0);
    limit = before;
    limit.rlim_cur = 64 << 20;
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    frameshare_publisher *publisher = open_publisher("numbers", 8);
    subscribers(publisher);
    publishers();
    layouts();
    descriptions(publisher);
    asking(publisher);
    controls(publisher);
    EACH_VALUE(v) {
        CHECK_RESULT(frameshare_publisher_wait_for_room(publisher, (int64_t)values[v]), FRAMESHARE_OK);
        CHECK_RESULT(frameshare_publisher_drain(publisher, (int64_t)values[v], NULL), FRAMESHARE_OK);
        uint32_t slots[8];
        size_t count = 0;
        if (values[v] >= 8) {
            CHECK_RESULT(frameshare_publisher_take_free(publisher, slots, (size_t)values[v], &count), FRAMESHARE_OK);
            for (size_t i = 0; i < count && i < 8; i++) frameshare_publisher_give_back(publisher, slots[i]);
        }
    }
    is_alive("numbers");
    frameshare_publisher_close(publisher);
    CHECK(setrlimit(RLIMIT_FSIZE, &before) == 0);
}

void test_held_budget(void) {
    frameshare_publisher *publisher = open_publisher("held", 8);
    struct frameshare_subscriber_options options = frameshare_subscriber_options_init();
    options.policy = FRAMESHARE_POLICY_QUEUE;
    options.queue_depth = 1;
    options.budget = 2;
    frameshare_subscriber *subscriber = open_subscriber("held", &options);
    frameshare_frame *frames[2] = {NULL, NULL}, *more = NULL;
    CHECK_RESULT(frameshare_subscriber_next(subscriber, 0, &more), FRAMESHARE_ERROR_TIMED_OUT);
    CHECK(strstr(frameshare_last_error(), "you hold") == NULL);
    for (int i = 0; i < 2; i++) {
        publish_value(publisher, i, NULL);
        CHECK_RESULT(frameshare_subscriber_next(subscriber, PATIENCE, &frames[i]), FRAMESHARE_OK);
    }
    publish_value(publisher, 3, NULL);
    CHECK_RESULT(frameshare_subscriber_next(subscriber, 1000000, &more), FRAMESHARE_ERROR_TIMED_OUT);
    CHECK(strstr(frameshare_last_error(), "you hold 2 of 2 frames") != NULL);
    for (int i = 0; i < 2; i++) frameshare_frame_release(frames[i]);
    frameshare_subscriber_close(subscriber);
    frameshare_publisher_close(publisher);
}
