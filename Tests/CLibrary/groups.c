// Frames for groups of workers, and their answers, as C programs see them.
#define _GNU_SOURCE
#include "check.h"

#include <poll.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

// A worker process: what the pixels are says what it does.
enum { DIES = 250, FAILS = 251, SAYS_MORE = 252, WAITS_FOR_CANCEL = 253, LARGE = 254 };

static uint8_t value_of(frameshare_frame *frame) {
    struct frameshare_image image = frameshare_image_init();
    CHECK_RESULT(frameshare_frame_image(frame, NULL, &image), FRAMESHARE_OK);
    return image.planes[0].data == NULL ? 0 : *(const uint8_t *)image.planes[0].data;
}

static void work_on(uint8_t value, frameshare_request *request, frameshare_metadata *metadata) {
    static uint8_t large[1000000];
    int cancelled = 0;
    CHECK_RESULT(frameshare_metadata_clear(metadata), FRAMESHARE_OK);
    switch (value) {
    case DIES: kill(getpid(), SIGKILL); break;
    case FAILS: CHECK_RESULT(frameshare_request_fail(request, "no model"), FRAMESHARE_OK); return;
    case SAYS_MORE:
        for (int32_t i = 1; i <= 3; i++) {
            CHECK_RESULT(frameshare_metadata_set_int32(metadata, "step", i), FRAMESHARE_OK);
            CHECK_RESULT(frameshare_request_progress(request, metadata, NULL, 0), FRAMESHARE_OK);
        }
        break;
    case WAITS_FOR_CANCEL:
        for (int i = 0; i < 6000 && !cancelled; i++) {
            CHECK_RESULT(frameshare_request_is_cancelled(request, &cancelled), FRAMESHARE_OK);
            nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        }
        break;
    case LARGE:
        memset(large, 7, sizeof large);
        CHECK_RESULT(frameshare_request_answer(request, NULL, large, sizeof large), FRAMESHARE_OK);
        return;
    }
    CHECK_RESULT(frameshare_metadata_clear(metadata), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_metadata_set_int32(metadata, "value", value), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_request_answer(request, metadata, NULL, 0), FRAMESHARE_OK);
}

int work(const char *channel) {
    struct frameshare_subscriber_options options = frameshare_subscriber_options_init();
    options.policy = FRAMESHARE_POLICY_QUEUE;
    options.queue_depth = 1;
    options.group = "g";
    frameshare_subscriber *subscriber = open_subscriber(channel, &options);
    frameshare_metadata *metadata = NULL;
    frameshare_metadata_create(&metadata);
    frameshare_frame *frame = NULL;
    int result;
    while ((result = frameshare_subscriber_next(subscriber, PATIENCE, &frame)) == FRAMESHARE_OK) {
        frameshare_request *request = NULL;
        CHECK_RESULT(frameshare_frame_request(frame, &request), FRAMESHARE_OK);
        work_on(value_of(frame), request, metadata);
        CHECK_RESULT(frameshare_request_release(request), FRAMESHARE_OK);
        CHECK_RESULT(frameshare_frame_release(frame), FRAMESHARE_OK);
    }
    CHECK_RESULT(result, FRAMESHARE_ENDED);
    frameshare_metadata_destroy(metadata);
    frameshare_subscriber_close(subscriber);
    return failures == 0 ? 0 : 1;
}

// Waits until the group has so many members.
static void await_members(frameshare_publisher *publisher, uint32_t members) {
    struct frameshare_group_status group = frameshare_group_status_init();
    for (int i = 0; i < 6000; i++) {
        size_t count = 0;
        CHECK_RESULT(frameshare_publisher_get_groups(publisher, &group, 1, &count), FRAMESHARE_OK);
        if ((count == 0 ? 0 : group.members) == members) return;
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    CHECK(group.members == members);
}

static frameshare_pending *ask(frameshare_publisher *publisher, int value, const struct frameshare_ask_options *options) {
    frameshare_slot *slot = NULL;
    frameshare_pending *pending = NULL;
    CHECK_RESULT(frameshare_publisher_next_slot(publisher, PATIENCE, &slot), FRAMESHARE_OK);
    struct frameshare_image image = frameshare_image_init();
    CHECK_RESULT(frameshare_slot_image(slot, NULL, &image), FRAMESHARE_OK);
    memset(image.planes[0].data, value, image.planes[0].size);
    CHECK_RESULT(frameshare_slot_ask(slot, "g", NULL, NULL, options, &pending), FRAMESHARE_OK);
    return pending;
}

// Asks, waits, and returns how it ended; the answer's value in *value.
static int outcome(frameshare_publisher *publisher, int asked, const struct frameshare_ask_options *options, int *value) {
    frameshare_pending *pending = ask(publisher, asked, options);
    frameshare_answer *answer = NULL;
    int result = frameshare_pending_answer(pending, PATIENCE, &answer);
    if (result == FRAMESHARE_OK) {
        struct frameshare_entry entry;
        int32_t number = -1;
        uint64_t frame = 0;
        struct frameshare_answer_info info = frameshare_answer_info_init();
        CHECK_RESULT(frameshare_answer_metadata(answer, "value", &entry), FRAMESHARE_OK);
        memcpy(&number, entry.data, sizeof number);
        *value = number;
        CHECK_RESULT(frameshare_answer_get_info(answer, &info), FRAMESHARE_OK);
        CHECK_RESULT(frameshare_pending_frame(pending, &frame), FRAMESHARE_OK);
        CHECK(info.frame == frame && info.worker != 0 && info.is_metadata && info.reason == NULL);
        CHECK_RESULT(frameshare_answer_release(answer), FRAMESHARE_OK);
    } else {
        CHECK(answer == NULL);
    }
    CHECK_RESULT(frameshare_pending_release(pending), FRAMESHARE_OK);
    return result;
}

void test_asking(void) {
    frameshare_publisher *publisher = open_publisher("asking", 6);
    int value = 0;
    CHECK_RESULT(outcome(publisher, 1, NULL, &value), FRAMESHARE_ERROR_NO_WORKER);
    int worker = start_self("work", "asking");
    CHECK_RESULT(frameshare_publisher_wait_for_group(publisher, "g", PATIENCE), FRAMESHARE_OK);
    for (int i = 1; i <= 20; i++) {
        CHECK_RESULT(outcome(publisher, i, NULL, &value), FRAMESHARE_OK);
        CHECK(value == i);
    }
    CHECK_RESULT(outcome(publisher, FAILS, NULL, &value), FRAMESHARE_ERROR_WORKER_FAILED);
    CHECK(strstr(frameshare_last_error(), "no model") != NULL);

    // Replies on the way, each once, then the answer as often as one likes.
    frameshare_pending *pending = ask(publisher, SAYS_MORE, NULL);
    frameshare_answer *answer = NULL;
    struct frameshare_entry entry;
    for (int32_t i = 1; i <= 3; i++) {
        size_t cursor = 0;
        int32_t step = 0;
        CHECK_RESULT(frameshare_pending_progress(pending, PATIENCE, &answer), FRAMESHARE_OK);
        CHECK_RESULT(frameshare_answer_metadata_next(answer, &cursor, &entry), FRAMESHARE_OK);
        memcpy(&step, entry.data, sizeof step);
        CHECK(step == i && entry.key_size == 4);
        CHECK_RESULT(frameshare_answer_metadata_next(answer, &cursor, &entry), FRAMESHARE_NOT_FOUND);
        frameshare_answer_release(answer);
    }
    CHECK_RESULT(frameshare_pending_progress(pending, PATIENCE, &answer), FRAMESHARE_ENDED);
    for (int i = 0; i < 2; i++) {
        CHECK_RESULT(frameshare_pending_answer(pending, 0, &answer), FRAMESHARE_OK);
        frameshare_answer_release(answer);
    }
    frameshare_pending_release(pending);

    // A reply too large for a message, waited for in an event loop.
    pending = ask(publisher, LARGE, NULL);
    int fd = -1;
    CHECK_RESULT(frameshare_pending_poll_fd(pending, &fd), FRAMESHARE_OK);
    CHECK(poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 60000) == 1);
    struct frameshare_answer_info info = frameshare_answer_info_init();
    CHECK_RESULT(frameshare_pending_answer(pending, 0, &answer), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_answer_get_info(answer, &info), FRAMESHARE_OK);
    CHECK(info.size == 1000000 && ((const uint8_t *)info.data)[999999] == 7 && !info.is_metadata);
    frameshare_answer_release(answer);
    frameshare_pending_release(pending);

    // A deadline, and giving up: the worker is told, and goes on.
    struct frameshare_ask_options options = frameshare_ask_options_init();
    options.deadline = 100000000;
    CHECK_RESULT(outcome(publisher, WAITS_FOR_CANCEL, &options, &value), FRAMESHARE_ERROR_DEADLINE);
    pending = ask(publisher, WAITS_FOR_CANCEL, NULL);
    CHECK_RESULT(frameshare_pending_answer(pending, 1000000, &answer), FRAMESHARE_ERROR_TIMED_OUT);
    CHECK_RESULT(frameshare_pending_cancel(pending), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_pending_answer(pending, PATIENCE, &answer), FRAMESHARE_ERROR_CANCELLED);
    frameshare_pending_release(pending);
    CHECK_RESULT(outcome(publisher, 9, NULL, &value), FRAMESHARE_OK);
    CHECK(value == 9);
    size_t open = 77;
    CHECK_RESULT(frameshare_publisher_drain(publisher, PATIENCE, &open), FRAMESHARE_OK);
    CHECK(open == 0);
    CHECK_RESULT(frameshare_publisher_close(publisher), FRAMESHARE_OK);
    CHECK(wait_for(worker) == 0);
}

void test_killed_workers(void) {
    frameshare_publisher *publisher = open_publisher("killed", 6);
    int first = start_self("work", "killed"), value = 0;
    await_members(publisher, 1);
    CHECK_RESULT(outcome(publisher, DIES, NULL, &value), FRAMESHARE_ERROR_WORKER_LOST);
    CHECK(wait_for(first) == 128 + SIGKILL);
    await_members(publisher, 0);
    // Given to the next, as often as is allowed.
    int workers[3];
    for (uint32_t i = 0; i < 3; i++) {
        workers[i] = start_self("work", "killed");
        await_members(publisher, i + 1);
    }
    struct frameshare_ask_options options = frameshare_ask_options_init();
    options.attempts = 2;
    CHECK_RESULT(outcome(publisher, DIES, &options, &value), FRAMESHARE_ERROR_WORKER_LOST);
    CHECK(strstr(frameshare_last_error(), "2 in all") != NULL);
    await_members(publisher, 1);
    CHECK_RESULT(outcome(publisher, 5, &options, &value), FRAMESHARE_OK);
    CHECK(value == 5);
    // Nothing is left behind of those that died.
    await_all_free(publisher);
    struct frameshare_group_status group = frameshare_group_status_init();
    size_t count = 0;
    frameshare_monitor *monitor = NULL;
    CHECK_RESULT(frameshare_monitor_open("killed", NULL, &monitor), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_monitor_get_groups(monitor, &group, 1, &count), FRAMESHARE_OK);
    CHECK(count == 1 && strcmp(group.name, "g") == 0 && group.answered == 1 && group.failed == 2 && group.pending == 0);
    CHECK_RESULT(frameshare_monitor_close(monitor), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_publisher_close(publisher), FRAMESHARE_OK);
    int killed = 0;
    for (int i = 0; i < 3; i++) killed += wait_for(workers[i]) == 128 + SIGKILL;
    CHECK(killed == 2);
}

void test_results(void) {
    frameshare_publisher *publisher = open_publisher("results", 8);
    struct frameshare_results_options options = frameshare_results_options_init();
    options.window = 4;
    frameshare_results *results = NULL, *second = NULL;
    CHECK_RESULT(frameshare_publisher_results(publisher, "g", &options, &results), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_publisher_results(publisher, "g", NULL, &second), FRAMESHARE_ERROR_REFUSED);
    CHECK_RESULT(frameshare_publisher_results(publisher, "a b", NULL, &second), FRAMESHARE_ERROR_INVALID_ARGUMENT);
    frameshare_answer *answer = NULL;
    CHECK_RESULT(frameshare_results_next(results, 0, &answer), FRAMESHARE_ERROR_TIMED_OUT);
    int worker = start_self("work", "results"), fd = -1;
    await_members(publisher, 1);
    CHECK_RESULT(frameshare_results_poll_fd(results, &fd), FRAMESHARE_OK);
    for (int i = 1; i <= 10; i++) {
        CHECK_RESULT(frameshare_publisher_wait_for_group(publisher, "g", PATIENCE), FRAMESHARE_OK);
        publish_value(publisher, i == 7 ? FAILS : i, NULL);
    }
    for (int i = 1; i <= 10; i++) {
        CHECK(poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 60000) == 1);
        struct frameshare_answer_info info = frameshare_answer_info_init();
        CHECK_RESULT(frameshare_results_next(results, PATIENCE, &answer), FRAMESHARE_OK);
        CHECK_RESULT(frameshare_answer_get_info(answer, &info), FRAMESHARE_OK);
        CHECK(info.frame == (uint64_t)i);
        CHECK(info.result == (i == 7 ? FRAMESHARE_ERROR_WORKER_FAILED : FRAMESHARE_OK));
        CHECK(i == 7 ? info.reason != NULL && strstr(info.reason, "no model") != NULL : info.reason == NULL);
        frameshare_answer_release(answer);
    }
    uint64_t missed = 9;
    CHECK_RESULT(frameshare_results_missed(results, &missed), FRAMESHARE_OK);
    CHECK(missed == 0);
    CHECK_RESULT(frameshare_publisher_close(publisher), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_results_next(results, PATIENCE, &answer), FRAMESHARE_ENDED);
    CHECK_RESULT(frameshare_results_close(results), FRAMESHARE_OK);
    CHECK(wait_for(worker) == 0);
}

void test_group_misuse(void) {
    const int bad = FRAMESHARE_ERROR_INVALID_ARGUMENT;
    frameshare_publisher *publisher = open_publisher("misused", 6);
    struct frameshare_subscriber_options options = frameshare_subscriber_options_init();
    frameshare_subscriber *plain = open_subscriber("misused", NULL), *member = NULL;
    options.group = "not a name";
    CHECK_RESULT(frameshare_subscriber_open("misused", &options, &member), bad);
    options.group = "g";
    member = open_subscriber("misused", &options);
    // Nothing but a member's frame has a request.
    frameshare_pending *pending = ask(publisher, 3, NULL);
    frameshare_frame *frame = NULL;
    frameshare_request *request = NULL;
    CHECK_RESULT(frameshare_subscriber_next(plain, PATIENCE, &frame), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_frame_request(frame, &request), FRAMESHARE_NOT_FOUND);
    CHECK(request == NULL);
    frameshare_frame_release(frame);
    CHECK_RESULT(frameshare_subscriber_next(member, PATIENCE, &frame), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_frame_request(frame, NULL), bad);
    CHECK_RESULT(frameshare_frame_request(frame, &request), FRAMESHARE_OK);
    frameshare_frame_release(frame);
    // Without its frame, impossible replies, then a right one, then one too many, which is nobody's.
    frameshare_metadata *metadata = NULL;
    frameshare_metadata_create(&metadata);
    CHECK_RESULT(frameshare_request_answer(request, NULL, NULL, 5), bad);
    CHECK_RESULT(frameshare_request_answer(request, NULL, "x", SIZE_MAX), bad);
    CHECK_RESULT(frameshare_request_answer(request, metadata, "x", 1), bad);
    CHECK_RESULT(frameshare_request_fail(request, NULL), bad);
    CHECK_RESULT(frameshare_request_is_cancelled(request, NULL), bad);
    CHECK_RESULT(frameshare_request_answer(request, NULL, "abc", 3), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_request_answer(request, NULL, "def", 3), FRAMESHARE_OK);
    frameshare_answer *answer = NULL;
    struct frameshare_answer_info info = frameshare_answer_info_init();
    CHECK_RESULT(frameshare_pending_answer(pending, PATIENCE, NULL), bad);
    CHECK_RESULT(frameshare_pending_answer(pending, PATIENCE, &answer), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_answer_get_info(answer, NULL), bad);
    CHECK_RESULT(frameshare_answer_get_info(answer, &info), FRAMESHARE_OK);
    CHECK(info.size == 3 && memcmp(info.data, "abc", 3) == 0);
    struct frameshare_entry entry;
    CHECK_RESULT(frameshare_answer_metadata(answer, NULL, &entry), bad);
    CHECK_RESULT(frameshare_answer_metadata(answer, "a", NULL), bad);
    CHECK_RESULT(frameshare_answer_metadata(answer, "a", &entry), FRAMESHARE_NOT_FOUND);
    CHECK_RESULT(frameshare_answer_release(answer), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_answer_release(answer), FRAMESHARE_ERROR_INVALID_HANDLE);
    CHECK_RESULT(frameshare_pending_frame(pending, NULL), bad);
    CHECK_RESULT(frameshare_pending_poll_fd(pending, NULL), bad);
    CHECK_RESULT(frameshare_pending_release(pending), FRAMESHARE_OK);
    // A slot is gone also where asking fails, and goes back to the pool.
    frameshare_slot *slot = NULL;
    CHECK_RESULT(frameshare_publisher_next_slot(publisher, PATIENCE, &slot), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_slot_ask(slot, NULL, NULL, NULL, NULL, &pending), bad);
    CHECK_RESULT(frameshare_slot_ask(slot, "g", NULL, NULL, NULL, &pending), FRAMESHARE_ERROR_INVALID_HANDLE);
    CHECK(pending == NULL);
    CHECK_RESULT(frameshare_publisher_ask(publisher, 0, "g", NULL, NULL, NULL, &pending), FRAMESHARE_ERROR_SLOT);
    CHECK_RESULT(frameshare_publisher_ask(publisher, 5000, "g", NULL, NULL, NULL, &pending), FRAMESHARE_ERROR_SLOT);
    CHECK_RESULT(frameshare_publisher_results(publisher, NULL, NULL, NULL), bad);
    CHECK_RESULT(frameshare_publisher_get_groups(publisher, NULL, 1, NULL), bad);
    CHECK_RESULT(frameshare_publisher_wait_for_group(publisher, NULL, 0), bad);
    CHECK_RESULT(frameshare_publisher_wait_for_group(publisher, "nobody", 0), FRAMESHARE_ERROR_TIMED_OUT);
    // A channel that ends while something is asked.
    pending = ask(publisher, 4, NULL);
    CHECK_RESULT(frameshare_publisher_drain(publisher, 0, NULL), FRAMESHARE_ERROR_TIMED_OUT);
    CHECK_RESULT(frameshare_publisher_close(publisher), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_pending_answer(pending, PATIENCE, &answer), FRAMESHARE_ERROR_CLOSED);
    CHECK_RESULT(frameshare_pending_cancel(pending), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_pending_release(pending), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_request_answer(request, NULL, "late", 4), FRAMESHARE_ERROR_CLOSED);
    CHECK_RESULT(frameshare_request_release(request), FRAMESHARE_OK);
    frameshare_metadata_destroy(metadata);
    frameshare_subscriber_close(plain);
    frameshare_subscriber_close(member);
}

void call_all_of_groups(void *handle) {
    const int none = FRAMESHARE_ERROR_INVALID_HANDLE;
    frameshare_request *request = NULL;
    frameshare_pending *pending = NULL;
    frameshare_answer *answer = NULL;
    frameshare_results *results = NULL;
    struct frameshare_answer_info info = frameshare_answer_info_init();
    struct frameshare_group_status group = frameshare_group_status_init();
    struct frameshare_entry entry;
    size_t count = 0;
    uint64_t number;
    int fd;
    CHECK_RESULT(frameshare_frame_request(handle, &request), none);
    CHECK_RESULT(frameshare_request_is_cancelled(handle, &fd), none);
    CHECK_RESULT(frameshare_request_progress(handle, NULL, "x", 1), none);
    CHECK_RESULT(frameshare_request_answer(handle, NULL, "x", 1), none);
    CHECK_RESULT(frameshare_request_fail(handle, "x"), none);
    CHECK_RESULT(frameshare_request_release(handle), none);
    CHECK_RESULT(frameshare_slot_ask(handle, "g", NULL, NULL, NULL, &pending), none);
    CHECK_RESULT(frameshare_publisher_ask(handle, 0, "g", NULL, NULL, NULL, &pending), none);
    CHECK_RESULT(frameshare_pending_frame(handle, &number), none);
    CHECK_RESULT(frameshare_pending_answer(handle, 0, &answer), none);
    CHECK_RESULT(frameshare_pending_progress(handle, 0, &answer), none);
    CHECK_RESULT(frameshare_pending_poll_fd(handle, &fd), none);
    CHECK_RESULT(frameshare_pending_cancel(handle), none);
    CHECK_RESULT(frameshare_pending_release(handle), none);
    CHECK_RESULT(frameshare_answer_get_info(handle, &info), none);
    CHECK_RESULT(frameshare_answer_metadata(handle, "a", &entry), none);
    CHECK_RESULT(frameshare_answer_metadata_next(handle, &count, &entry), none);
    CHECK_RESULT(frameshare_answer_release(handle), none);
    CHECK_RESULT(frameshare_publisher_results(handle, "g", NULL, &results), none);
    CHECK_RESULT(frameshare_results_next(handle, 0, &answer), none);
    CHECK_RESULT(frameshare_results_poll_fd(handle, &fd), none);
    CHECK_RESULT(frameshare_results_missed(handle, &number), none);
    CHECK_RESULT(frameshare_results_close(handle), none);
    CHECK_RESULT(frameshare_publisher_wait_for_group(handle, "g", 0), none);
    CHECK_RESULT(frameshare_publisher_drain(handle, 0, NULL), none);
    CHECK_RESULT(frameshare_publisher_get_groups(handle, &group, 1, &count), none);
    CHECK_RESULT(frameshare_monitor_get_groups(handle, &group, 1, &count), none);
}
