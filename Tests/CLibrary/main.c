// Tests of libframeshare as a C program meets it. Run by Tests/CLibrary/run.
#define _GNU_SOURCE
#include "check.h"

#include <spawn.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int failures;
extern char **environ;

static const struct {
    const char *name;
    void (*run)(void);
} tests[] = {
    {"another process reads the bytes and numbers that were published", test_sharing},
    {"a publisher hears when frames are wanted, and readers hear why none come", test_demand},
    {"metadata of every type arrives, by name and in order", test_metadata},
    {"latest, queue and every frame lose what they should", test_policies},
    {"a signal ends the waits of a thread that wants it", test_signals},
    {"memory that was kept outlives its slot and publisher", test_kept_memory},
    {"ends, failures and deaths of publishers are told apart", test_endings},
    {"a poll loop sees every frame and the end", test_polling},
    {"loops that poll first, and take one frame each time, see every frame", test_polling_first},
    {"threads share a subscriber, and closing it ends their waits", test_threads},
    {"every format's planes lie where its layout says", test_layouts},
    {"buffers of one's own are shared, unless they are not safe", test_own_buffers},
    {"frames outlive a reconfiguration", test_reconfiguring},
    {"a loop that polls first follows a subscriber over connections, and hears that what was lost meanwhile is unknown", test_reconnecting},
    {"who lags is given copies, while the publisher keeps its slots", test_copies},
    {"statistics name who reads and what was lost", test_statistics},
    {"NULL everywhere gives errors", test_null},
    {"closed, released and invented handles give errors", test_stale_handles},
    {"structs of other releases are read, impossible ones refused", test_wrong_structs},
    {"any number in any struct is refused or borne", test_numbers},
    {"a time-out says that the whole budget is held", test_held_budget},
    {"a forked child gets a clear error", test_fork},
    {"a worker process answers, fails, says how far it is, and is told when nobody waits", test_asking},
    {"a frame whose worker is killed fails at once, or goes to the next", test_killed_workers},
    {"the results of a group come in the order of the frames", test_results},
    {"requests, answers and results used wrongly give errors", test_group_misuse},
    {"a source's controls are listed and set from outside, while its loop takes what is asked for", test_controls},
    {"controls and settings used wrongly give errors", test_control_misuse},
    {"a list of channels tells the live from those left behind, and who may connect", test_channel_list},
    {"a watch sees channels appear, change hands and vanish, and publishers that are killed", test_channel_watch},
    {"a watched folder may come later, go, and come again", test_watched_folder},
    {"lists and watches of channels used wrongly give errors", test_channel_misuse},
    {"an overlay has the frames in the same memory, with a worker's answers", test_overlays},
    {"overlays used wrongly give errors", test_overlay_misuse},
    {"a copy stage copies a part of each frame into memory of its own, and ends as its channel does", test_copy_stages},
    {"copy stages used wrongly give errors", test_copy_misuse},
};

frameshare_publisher *open_publisher(const char *channel, uint32_t slots) {
    struct frameshare_stream stream = frameshare_stream_init();
    CHECK_RESULT(frameshare_stream_compute("main", 64, 48, "YUV420", 0, &stream), FRAMESHARE_OK);
    // It waits for whoever wants every frame, so that none is lost on a slow machine.
    struct frameshare_publisher_options options = frameshare_publisher_options_init();
    options.stall_limit = FRAMESHARE_FOREVER;
    frameshare_publisher *publisher = NULL;
    CHECK_RESULT(frameshare_publisher_open(channel, &stream, 1, slots, &options, &publisher), FRAMESHARE_OK);
    return publisher;
}

frameshare_subscriber *open_subscriber(const char *channel, const struct frameshare_subscriber_options *options) {
    frameshare_subscriber *subscriber = NULL;
    CHECK_RESULT(frameshare_subscriber_open(channel, options, &subscriber), FRAMESHARE_OK);
    return subscriber;
}

void await_all_free(frameshare_publisher *publisher) {
    struct frameshare_channel_statistics channel = frameshare_channel_statistics_init();
    for (int i = 0; i < 6000; i++) {
        CHECK_RESULT(frameshare_publisher_get_statistics(publisher, &channel, NULL, 0), FRAMESHARE_OK);
        if (channel.slots_free == channel.slots) return;
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    CHECK(channel.slots_free == channel.slots);
}

void publish_value(frameshare_publisher *publisher, int value, const frameshare_metadata *metadata) {
    frameshare_slot *slot = NULL;
    CHECK_RESULT(frameshare_publisher_next_slot(publisher, PATIENCE, &slot), FRAMESHARE_OK);
    struct frameshare_image image = frameshare_image_init();
    CHECK_RESULT(frameshare_slot_image(slot, NULL, &image), FRAMESHARE_OK);
    for (uint32_t i = 0; i < image.plane_count; i++) memset(image.planes[i].data, value, image.planes[i].size);
    CHECK_RESULT(frameshare_slot_publish(slot, NULL, metadata, NULL), FRAMESHARE_OK);
}

int start_self(const char *role, const char *argument) {
    char path[4096];
    ssize_t size = readlink("/proc/self/exe", path, sizeof path - 1);
    if (size < 0) return -1;
    path[size] = 0;
    char *arguments[] = {path, (char *)role, (char *)argument, NULL};
    pid_t process = -1;
    CHECK(posix_spawn(&process, path, NULL, NULL, arguments, environ) == 0);
    return process;
}

int wait_for(int process) {
    int status = 0;
    if (waitpid(process, &status, 0) < 0) return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// The other process of a test: reads frames whose bytes are all the same, until the channel ends.
static int read_all(const char *channel) {
    struct frameshare_subscriber_options options = frameshare_subscriber_options_init();
    options.policy = FRAMESHARE_POLICY_EVERY_FRAME;
    frameshare_subscriber *subscriber = open_subscriber(channel, &options);
    frameshare_frame *frame = NULL;
    int result;
    uint64_t expected = 1;
    while ((result = frameshare_subscriber_next(subscriber, PATIENCE, &frame)) == FRAMESHARE_OK) {
        struct frameshare_frame_info info = frameshare_frame_info_init();
        struct frameshare_image image = frameshare_image_init();
        CHECK_RESULT(frameshare_frame_get_info(frame, &info), FRAMESHARE_OK);
        CHECK_RESULT(frameshare_frame_image(frame, "main", &image), FRAMESHARE_OK);
        CHECK(info.number == expected);
        for (uint32_t i = 0; i < image.plane_count; i++) {
            const uint8_t *bytes = image.planes[i].data;
            for (size_t j = 0; j < image.planes[i].size; j++) {
                if (bytes[j] != (uint8_t)expected) {
                    CHECK(bytes[j] == (uint8_t)expected);
                    break;
                }
            }
        }
        CHECK_RESULT(frameshare_frame_release(frame), FRAMESHARE_OK);
        expected += 1;
    }
    CHECK(result == FRAMESHARE_ENDED);
    CHECK(expected == 51);
    CHECK_RESULT(frameshare_subscriber_close(subscriber), FRAMESHARE_OK);
    return failures == 0 ? 0 : 1;
}

// Publishes a frame and waits to be killed.
static int publish_one(const char *channel) {
    frameshare_publisher *publisher = open_publisher(channel, 4);
    publish_value(publisher, 1, NULL);
    pause();
    return 0;
}

extern int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

// Before a short process ends. A thread of the library may be about to drop a weak reference to what was closed. The Swift runtime
// keeps the address of such a reference's record shifted, where the leak sanitizer does not find it: so the thread is waited for.
static int ended(int status) {
    for (int i = 0; i < 1000 && __lsan_do_recoverable_leak_check != NULL && __lsan_do_recoverable_leak_check() != 0; i++)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    return status;
}

int main(int count, char **arguments) {
    if (count == 3 && strcmp(arguments[1], "read-all") == 0) return ended(read_all(arguments[2]));
    if (count == 3 && strcmp(arguments[1], "work") == 0) return ended(work(arguments[2]));
    if (count == 3 && strcmp(arguments[1], "publish-one") == 0) return publish_one(arguments[2]);
    char folder[] = "/tmp/frameshare-c-XXXXXX";
    if (mkdtemp(folder) == NULL || setenv("FRAMESHARE_DIR", folder, 1) != 0) {
        perror("mkdtemp");
        return 1;
    }
    int passed = 0, failed = 0;
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        if (count == 2 && strstr(tests[i].name, arguments[1]) == NULL) continue;
        failures = 0;
        tests[i].run();
        if (failures == 0) passed += 1; else failed += 1;
        printf("%s %s\n", failures == 0 ? "ok    " : "FAILED", tests[i].name);
        fflush(stdout);
    }
    if (rmdir(folder) != 0) {
        perror("a socket was left behind");
        failed += 1;
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
