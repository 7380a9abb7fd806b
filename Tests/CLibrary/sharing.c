// What channels do, as C programs see it.
#define _GNU_SOURCE
#include "check.h"

#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

void test_sharing(void) {
    frameshare_publisher *publisher = open_publisher("sharing", 4);
    int reader = start_self("read-all", "sharing");
    CHECK_RESULT(frameshare_publisher_wait_for_subscribers(publisher, 0, 0), FRAMESHARE_ERROR_INVALID_ARGUMENT);
    CHECK_RESULT(frameshare_publisher_wait_for_subscribers(publisher, 2, 0), FRAMESHARE_ERROR_TIMED_OUT);
    CHECK_RESULT(frameshare_publisher_wait_for_subscribers(publisher, 1, PATIENCE), FRAMESHARE_OK);
    for (int i = 1; i <= 50; i++) publish_value(publisher, i, NULL);
    CHECK_RESULT(frameshare_publisher_close(publisher), FRAMESHARE_OK);
    CHECK(wait_for(reader) == 0);
}

void test_policies(void) {
    frameshare_publisher *publisher = open_publisher("policies", 8);
    struct frameshare_subscriber_options options = frameshare_subscriber_options_init();
    frameshare_subscriber *latest = open_subscriber("policies", &options);
    options.policy = FRAMESHARE_POLICY_QUEUE;
    options.queue_depth = 3;
    frameshare_subscriber *queue = open_subscriber("policies", &options);
    for (int i = 1; i <= 6; i++) publish_value(publisher, i, NULL);

    frameshare_frame *frame = NULL;
    struct frameshare_frame_info info = frameshare_frame_info_init();
    CHECK_RESULT(frameshare_subscriber_next(latest, 0, &frame), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_frame_get_info(frame, &info), FRAMESHARE_OK);
    CHECK(info.number == 6);
    CHECK_RESULT(frameshare_frame_release(frame), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_subscriber_next(latest, 0, &frame), FRAMESHARE_ERROR_TIMED_OUT);
    CHECK(frame == NULL);
    for (uint64_t i = 4; i <= 6; i++) {
        CHECK_RESULT(frameshare_subscriber_next(queue, PATIENCE, &frame), FRAMESHARE_OK);
        CHECK_RESULT(frameshare_frame_get_info(frame, &info), FRAMESHARE_OK);
        CHECK(info.number == i);
        CHECK_RESULT(frameshare_frame_release(frame), FRAMESHARE_OK);
    }

    // A frame captured after a moment: of two, the second.
    publish_value(publisher, 7, NULL);
    publish_value(publisher, 8, NULL);
    CHECK_RESULT(frameshare_subscriber_next(queue, PATIENCE, &frame), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_frame_get_info(frame, &info), FRAMESHARE_OK);
    frameshare_frame_release(frame);
    publish_value(publisher, 9, NULL);
    int64_t after = info.timestamp;
    CHECK_RESULT(frameshare_subscriber_next_after(queue, after, PATIENCE, &frame), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_frame_get_info(frame, &info), FRAMESHARE_OK);
    CHECK(info.timestamp > after && info.number == 8);
    frameshare_frame_release(frame);

    // More than the pool has can't be reserved, and the refusal says why.
    options.policy = FRAMESHARE_POLICY_EVERY_FRAME;
    options.budget = 100;
    frameshare_subscriber *greedy = NULL;
    CHECK_RESULT(frameshare_subscriber_open("policies", &options, &greedy), FRAMESHARE_ERROR_REFUSED);
    CHECK(greedy == NULL && strlen(frameshare_last_error()) > 0);
    CHECK_RESULT(frameshare_subscriber_close(latest), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_subscriber_close(queue), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_publisher_close(publisher), FRAMESHARE_OK);
}

void test_endings(void) {
    frameshare_subscriber *subscriber = NULL;
    frameshare_frame *frame = NULL;
    CHECK_RESULT(frameshare_subscriber_open("nobody", NULL, &subscriber), FRAMESHARE_ERROR_NO_SUCH_CHANNEL);

    frameshare_publisher *publisher = open_publisher("endings", 4);
    frameshare_publisher *second = NULL;
    struct frameshare_stream stream = frameshare_stream_init();
    frameshare_stream_compute("main", 64, 48, "R8", 0, &stream);
    CHECK_RESULT(frameshare_publisher_open("endings", &stream, 1, 4, NULL, &second), FRAMESHARE_ERROR_CHANNEL_IN_USE);
    subscriber = open_subscriber("endings", NULL);
    publish_value(publisher, 1, NULL);
    CHECK_RESULT(frameshare_publisher_close(publisher), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_subscriber_next(subscriber, PATIENCE, &frame), FRAMESHARE_OK);
    frameshare_frame *held = frame;
    CHECK_RESULT(frameshare_subscriber_next(subscriber, PATIENCE, &frame), FRAMESHARE_ENDED);
    CHECK_RESULT(frameshare_subscriber_close(subscriber), FRAMESHARE_OK);
    struct frameshare_image image = frameshare_image_init();
    CHECK_RESULT(frameshare_frame_image(held, NULL, &image), FRAMESHARE_OK);
    CHECK(*(const uint8_t *)image.planes[0].data == 1);
    CHECK_RESULT(frameshare_frame_release(held), FRAMESHARE_OK);

    publisher = open_publisher("endings", 4);
    subscriber = open_subscriber("endings", NULL);
    CHECK_RESULT(frameshare_publisher_fail(publisher, "it was unplugged"), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_subscriber_next(subscriber, PATIENCE, &frame), FRAMESHARE_ERROR_SOURCE_FAILED);
    CHECK(strstr(frameshare_last_error(), "it was unplugged") != NULL);
    frameshare_subscriber_close(subscriber);

    int process = start_self("publish-one", "doomed");
    for (int i = 0; i < 6000; i++) {
        if (frameshare_subscriber_open("doomed", NULL, &subscriber) == FRAMESHARE_OK) break;
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    CHECK(kill(process, SIGKILL) == 0);
    CHECK(wait_for(process) == 128 + SIGKILL);
    int result;
    while ((result = frameshare_subscriber_next(subscriber, PATIENCE, &frame)) == FRAMESHARE_OK) {
        frameshare_frame_release(frame);
    }
    CHECK(result == FRAMESHARE_ERROR_PUBLISHER_LOST);
    frameshare_subscriber_close(subscriber);
    // The next publisher takes the dead one's socket away with it.
    frameshare_publisher_close(open_publisher("doomed", 4));
}

void test_polling(void) {
    frameshare_publisher *publisher = open_publisher("polling", 8);
    struct frameshare_subscriber_options options = frameshare_subscriber_options_init();
    frameshare_subscriber *subscriber = open_subscriber("polling", &options);
    int fd = -1;
    CHECK_RESULT(frameshare_subscriber_poll_fd(subscriber, &fd), FRAMESHARE_ERROR_NOT_POLLABLE);
    frameshare_subscriber_close(subscriber);
    options.pollable = 1;
    options.policy = FRAMESHARE_POLICY_QUEUE;
    options.queue_depth = 4;
    subscriber = open_subscriber("polling", &options);
    CHECK_RESULT(frameshare_subscriber_poll_fd(subscriber, &fd), FRAMESHARE_OK);
    int seen = 0, published = 0, result;
    frameshare_frame *frame = NULL;
    do {
        while ((result = frameshare_subscriber_try_next(subscriber, &frame)) == FRAMESHARE_OK) {
            seen += 1;
            frameshare_frame_release(frame);
        }
        if (result != FRAMESHARE_NO_FRAME) break;
        CHECK(frame == NULL);
        if (published < 10) publish_value(publisher, ++published, NULL);
        else if (published++ == 10) CHECK_RESULT(frameshare_publisher_close(publisher), FRAMESHARE_OK);
    } while (poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 60000) == 1);
    CHECK(result == FRAMESHARE_ENDED);
    CHECK(seen == 10);
    frameshare_subscriber_close(subscriber);
}

/* Waits for a descriptor as poll(2), select(2) and an epoll(7) loop such as libuv's do. */
static int is_readable(int how, int fd, int epoll) {
    fd_set set;
    struct epoll_event event;
    switch (how) {
        case 0: return poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 60000) == 1;
        case 1:
            FD_ZERO(&set);
            FD_SET(fd, &set);
            return select(fd + 1, &set, NULL, NULL, &(struct timeval){.tv_sec = 60}) == 1;
        default: return epoll_wait(epoll, &event, 1, 60000) == 1;
    }
}

/* Loops that poll before they try, and take one frame each time. */
void test_polling_first(void) {
    for (int how = 0; how < 3; how++) {
        frameshare_publisher *publisher = open_publisher("polling-first", 8);
        struct frameshare_subscriber_options options = frameshare_subscriber_options_init();
        options.pollable = 1;
        options.policy = FRAMESHARE_POLICY_QUEUE;
        options.queue_depth = 4;
        frameshare_subscriber *subscriber = open_subscriber("polling-first", &options);
        int fd = -1, epoll = epoll_create1(EPOLL_CLOEXEC);
        CHECK_RESULT(frameshare_subscriber_poll_fd(subscriber, &fd), FRAMESHARE_OK);
        CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &(struct epoll_event){.events = EPOLLIN}) == 0);
        CHECK(poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 0) == 0);
        int seen = 0, published = 0, result = FRAMESHARE_OK;
        for (; published < 3; published++) publish_value(publisher, published, NULL);
        while (result != FRAMESHARE_ENDED && is_readable(how, fd, epoll)) {
            frameshare_frame *frame = NULL;
            result = frameshare_subscriber_try_next(subscriber, &frame);
            if (result == FRAMESHARE_OK) {
                seen += 1;
                frameshare_frame_release(frame);
                if (published < 20) publish_value(publisher, published++, NULL);
            } else if (result == FRAMESHARE_NO_FRAME && seen == 20 && publisher) {
                CHECK_RESULT(frameshare_publisher_close(publisher), FRAMESHARE_OK);
                publisher = NULL;
            }
        }
        CHECK(result == FRAMESHARE_ENDED);
        CHECK(seen == 20);
        frameshare_subscriber_close(subscriber);
        close(epoll);
    }
}

void test_reconfiguring(void) {
    frameshare_publisher *publisher = open_publisher("reconfiguring", 4);
    frameshare_subscriber *subscriber = open_subscriber("reconfiguring", NULL);
    publish_value(publisher, 1, NULL);
    frameshare_frame *old = NULL, *next = NULL;
    CHECK_RESULT(frameshare_subscriber_next(subscriber, PATIENCE, &old), FRAMESHARE_OK);
    struct frameshare_stream stream = frameshare_stream_init();
    CHECK_RESULT(frameshare_stream_compute("main", 128, 96, "BGR888", 64, &stream), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_publisher_reconfigure(publisher, &stream, 1, 3), FRAMESHARE_OK);
    publish_value(publisher, 2, NULL);
    CHECK_RESULT(frameshare_subscriber_next(subscriber, PATIENCE, &next), FRAMESHARE_OK);
    struct frameshare_image image = frameshare_image_init();
    struct frameshare_frame_info info = frameshare_frame_info_init();
    CHECK_RESULT(frameshare_frame_image(next, "main", &image), FRAMESHARE_OK);
    CHECK(image.width == 128 && image.plane_count == 1 && image.planes[0].stride == 384);
    CHECK_RESULT(frameshare_frame_get_info(next, &info), FRAMESHARE_OK);
    CHECK(info.generation == 2);
    CHECK_RESULT(frameshare_frame_image(old, "main", &image), FRAMESHARE_OK);
    CHECK(image.width == 64 && *(const uint8_t *)image.planes[2].data == 1);
    frameshare_frame_release(next);
    frameshare_frame_release(old);
    frameshare_subscriber_close(subscriber);
    frameshare_publisher_close(publisher);
}

void test_reconnecting(void) {
    struct frameshare_subscriber_options options = frameshare_subscriber_options_init();
    options.reconnect = 1;
    options.pollable = 1;
    frameshare_publisher *publisher = open_publisher("reconnecting", 4);
    frameshare_subscriber *subscriber = open_subscriber("reconnecting", &options);
    struct pollfd wait = {.events = POLLIN};
    CHECK_RESULT(frameshare_subscriber_poll_fd(subscriber, &wait.fd), FRAMESHARE_OK);
    for (int connection = 1; connection <= 3; connection++) {
        // Numbers begin anew, and what was lost meanwhile is unknown, but of the first connection.
        for (int number = 1; number <= 2;) {
            frameshare_frame *frame = NULL;
            struct frameshare_frame_info info = frameshare_frame_info_init();
            struct frameshare_subscriber_statistics statistics = frameshare_subscriber_statistics_init();
            if (poll(&wait, 1, 0) == 0) publish_value(publisher, number, NULL);
            CHECK(poll(&wait, 1, (int)(PATIENCE / 1000000)) == 1);
            int result = frameshare_subscriber_try_next(subscriber, &frame);
            if (result == FRAMESHARE_NO_FRAME) continue;
            CHECK_RESULT(result, FRAMESHARE_OK);
            CHECK_RESULT(frameshare_frame_get_info(frame, &info), FRAMESHARE_OK);
            CHECK_RESULT(frameshare_subscriber_get_statistics(subscriber, &statistics), FRAMESHARE_OK);
            int is_break = connection > 1 && number == 1;
            CHECK(info.flags == (is_break ? FRAMESHARE_FLAG_DISCONTINUITY : 0u));
            CHECK(info.lost_unknown == (uint32_t)is_break && statistics.lost_unknown == (connection > 1));
            CHECK(statistics.connections == (uint64_t)connection);
            frameshare_frame_release(frame);
            number++;
        }
        frameshare_publisher_close(publisher);
        if (connection < 3) publisher = open_publisher("reconnecting", 4);
    }
    frameshare_subscriber_close(subscriber);
}

void test_copies(void) {
    struct frameshare_stream stream = frameshare_stream_init();
    CHECK_RESULT(frameshare_stream_compute("main", 64, 48, "YUV420", 0, &stream), FRAMESHARE_OK);
    struct frameshare_publisher_options offer = frameshare_publisher_options_init();
    frameshare_publisher *publisher = NULL;
    offer.copy_floor = 3;
    CHECK_RESULT(frameshare_publisher_open("copies", &stream, 1, 4, &offer, &publisher),
                 FRAMESHARE_ERROR_INVALID_ARGUMENT);
    offer.copy_slots = 2000;
    CHECK_RESULT(frameshare_publisher_open("copies", &stream, 1, 4, &offer, &publisher),
                 FRAMESHARE_ERROR_INVALID_ARGUMENT);
    offer.copy_slots = 10;
    CHECK_RESULT(frameshare_publisher_open("copies", &stream, 1, 4, &offer, &publisher), FRAMESHARE_OK);
    struct frameshare_subscriber_options options = frameshare_subscriber_options_init();
    options.policy = FRAMESHARE_POLICY_EVERY_FRAME;
    options.budget = 12;
    frameshare_subscriber *slow = open_subscriber("copies", &options);
    for (int i = 1; i <= 12; i++) publish_value(publisher, i, NULL);

    struct frameshare_channel_statistics channel = frameshare_channel_statistics_init();
    struct frameshare_subscriber_status status = frameshare_subscriber_status_init();
    CHECK_RESULT(frameshare_publisher_get_statistics(publisher, &channel, &status, 1), FRAMESHARE_OK);
    CHECK(channel.slots == 4 && channel.copy_slots == 10 && channel.copy_slots_free == 0);
    CHECK(channel.copy_floor == 3 && channel.copied == 10);
    CHECK(channel.source_errors == 0 && channel.source_trouble[0] == '\0');
    CHECK(status.copies == 10 && status.gets_copies == 1 && status.dropped_by_policy == 0);
    for (uint64_t i = 1; i <= 12; i++) {
        frameshare_frame *frame = NULL;
        struct frameshare_frame_info info = frameshare_frame_info_init();
        struct frameshare_image image = frameshare_image_init();
        CHECK_RESULT(frameshare_subscriber_next(slow, PATIENCE, &frame), FRAMESHARE_OK);
        CHECK_RESULT(frameshare_frame_get_info(frame, &info), FRAMESHARE_OK);
        CHECK_RESULT(frameshare_frame_image(frame, NULL, &image), FRAMESHARE_OK);
        CHECK(info.number == i && *(const uint8_t *)image.planes[0].data == i);
        CHECK_RESULT(frameshare_frame_release(frame), FRAMESHARE_OK);
    }
    CHECK_RESULT(frameshare_subscriber_close(slow), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_publisher_close(publisher), FRAMESHARE_OK);
}

void test_statistics(void) {
    frameshare_publisher *publisher = open_publisher("statistics", 4);
    struct frameshare_subscriber_options options = frameshare_subscriber_options_init();
    options.name = "a C program";
    frameshare_subscriber *subscriber = open_subscriber("statistics", &options);
    for (int i = 0; i < 3; i++) publish_value(publisher, i, NULL);
    CHECK_RESULT(frameshare_publisher_count_lost(publisher, 2, 1), FRAMESHARE_OK);
    frameshare_frame *frame = NULL;
    CHECK_RESULT(frameshare_subscriber_next(subscriber, PATIENCE, &frame), FRAMESHARE_OK);

    struct frameshare_subscriber_statistics own = frameshare_subscriber_statistics_init();
    CHECK_RESULT(frameshare_subscriber_get_statistics(subscriber, &own), FRAMESHARE_OK);
    CHECK(own.delivered == 1 && own.held == 1 && own.slots == 4 && own.publisher_pid == getpid());

    frameshare_monitor *monitor = NULL;
    CHECK_RESULT(frameshare_monitor_open("statistics", NULL, &monitor), FRAMESHARE_OK);
    struct frameshare_channel_statistics channel = frameshare_channel_statistics_init();
    struct frameshare_subscriber_status status[2] = {frameshare_subscriber_status_init(),
                                                     frameshare_subscriber_status_init()};
    CHECK_RESULT(frameshare_monitor_get_statistics(monitor, &channel, status, 2), FRAMESHARE_OK);
    CHECK(channel.published == 3 && channel.lost_source == 2 && channel.lost_no_free_slot == 1);
    CHECK(channel.subscriber_count == 1 && strcmp(status[0].name, "a C program") == 0);
    CHECK(status[0].held == 1 && status[0].dropped_by_policy == 2 && status[1].pid == 0);

    char names[256];
    size_t needed = 0;
    CHECK_RESULT(frameshare_channels(NULL, names, sizeof names, &needed), FRAMESHARE_OK);
    CHECK(strcmp(names, "statistics") == 0 && needed == strlen(names) + 1);
    CHECK_RESULT(frameshare_channels(NULL, names, 3, &needed), FRAMESHARE_ERROR_TOO_SMALL);
    frameshare_frame_release(frame);
    frameshare_subscriber_close(subscriber);
    frameshare_publisher_close(publisher);
    int result = frameshare_monitor_get_statistics(monitor, &channel, NULL, 0);
    CHECK(result == FRAMESHARE_ENDED || result == FRAMESHARE_ERROR_PUBLISHER_LOST);
    CHECK_RESULT(frameshare_monitor_close(monitor), FRAMESHARE_OK);
}

static void do_nothing(int signal) { (void)signal; }

void test_signals(void) {
    frameshare_publisher *publisher = open_publisher("signals", 2);
    frameshare_subscriber *subscriber = open_subscriber("signals", NULL);
    struct sigaction action = { .sa_handler = do_nothing }, before;
    CHECK(sigaction(SIGALRM, &action, &before) == 0);
    // Again and again: the first may come before the thread sleeps.
    struct itimerval often = { { 0, 20000 }, { 0, 20000 } }, never = { { 0, 0 }, { 0, 0 } };
    CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
    frameshare_frame *frame = NULL;
    frameshare_slot *slots[3] = { NULL, NULL, NULL };
    CHECK_RESULT(frameshare_subscriber_next(subscriber, 100000000, &frame), FRAMESHARE_ERROR_TIMED_OUT);
    CHECK_RESULT(frameshare_set_interruptible(1), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_subscriber_next(subscriber, FRAMESHARE_FOREVER, &frame), FRAMESHARE_ERROR_INTERRUPTED);
    CHECK(strcmp(frameshare_last_error(), "a signal has ended the wait") == 0);
    CHECK_RESULT(frameshare_publisher_wait_for_subscribers(publisher, 2, FRAMESHARE_FOREVER), FRAMESHARE_ERROR_INTERRUPTED);
    for (int i = 0; i < 2; i++) CHECK_RESULT(frameshare_publisher_next_slot(publisher, PATIENCE, &slots[i]), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_publisher_next_slot(publisher, FRAMESHARE_FOREVER, &slots[2]), FRAMESHARE_ERROR_INTERRUPTED);
    // Also that for a channel, which is not there yet or may never be.
    struct frameshare_subscriber_options patient = frameshare_subscriber_options_init();
    patient.wait_for_channel = -1;
    frameshare_subscriber *nobody = NULL;
    CHECK_RESULT(frameshare_subscriber_open("never-there", &patient, &nobody), FRAMESHARE_ERROR_INTERRUPTED);
    CHECK(nobody == NULL && strcmp(frameshare_last_error(), "a signal has ended the wait") == 0);
    frameshare_channel_watch *watch = NULL;
    struct frameshare_channel_entry entry = frameshare_channel_entry_init();
    CHECK_RESULT(frameshare_channel_watch_open(NULL, &watch), FRAMESHARE_OK);
    int change;
    while ((change = frameshare_channel_watch_next(watch, FRAMESHARE_FOREVER, &entry)) == FRAMESHARE_OK) {}
    CHECK_RESULT(change, FRAMESHARE_ERROR_INTERRUPTED);
    CHECK_RESULT(frameshare_channel_watch_close(watch), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_set_interruptible(0), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_subscriber_next(subscriber, 100000000, &frame), FRAMESHARE_ERROR_TIMED_OUT);
    // The last one may still be on its way.
    before.sa_handler = SIG_IGN;
    CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0 && sigaction(SIGALRM, &before, NULL) == 0);
    for (int i = 0; i < 2; i++) CHECK_RESULT(frameshare_slot_discard(slots[i]), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_subscriber_close(subscriber), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_publisher_close(publisher), FRAMESHARE_OK);
}
