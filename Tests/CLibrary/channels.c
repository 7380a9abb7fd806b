// The channels of a folder: listed, and watched while publishers come, go and are killed.
#define _GNU_SOURCE
#include "check.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

// Waits for the next change by the descriptor alone, as an event loop does.
static struct frameshare_channel_entry polled(frameshare_channel_watch *watch) {
    struct frameshare_channel_entry entry = frameshare_channel_entry_init();
    int fd = -1, result;
    CHECK_RESULT(frameshare_channel_watch_poll_fd(watch, &fd), FRAMESHARE_OK);
    while ((result = frameshare_channel_watch_next(watch, 0, &entry)) == FRAMESHARE_ERROR_TIMED_OUT) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        if (poll(&ready, 1, (int)(PATIENCE / 1000000)) != 1) break;
    }
    CHECK_RESULT(result, FRAMESHARE_OK);
    return entry;
}

#define CHECK_ENTRY(entry, what, is, named)                                                                            \
    do {                                                                                                               \
        struct frameshare_channel_entry seen_ = (entry);                                                               \
        CHECK(seen_.change == (what) && seen_.state == (is));                                                          \
        CHECK(strcmp(seen_.name, named) == 0);                                                                         \
    } while (0)

// Until `next` of a watch that was made for it tells of the channel, it is not there.
static int start_publisher(const char *channel) {
    int process = start_self("publish-one", channel);
    frameshare_subscriber *subscriber = NULL;
    struct frameshare_subscriber_options options = frameshare_subscriber_options_init();
    options.wait_for_channel = PATIENCE;
    CHECK_RESULT(frameshare_subscriber_open(channel, &options, &subscriber), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_subscriber_close(subscriber), FRAMESHARE_OK);
    return process;
}

void test_channel_list(void) {
    struct frameshare_channel_entry entries[3];
    for (int i = 0; i < 3; i++) entries[i] = frameshare_channel_entry_init();
    size_t count = 9;
    CHECK_RESULT(frameshare_channel_list("/tmp/frameshare-no-such-folder", entries, 3, &count), FRAMESHARE_OK);
    CHECK(count == 0);
    frameshare_publisher *second = open_publisher("list-b", 2), *first = open_publisher("list-a", 2);
    CHECK_RESULT(frameshare_channel_list(NULL, entries, 1, &count), FRAMESHARE_OK);
    CHECK(count == 2);
    CHECK_ENTRY(entries[0], 0, FRAMESHARE_CHANNEL_LIVE, "list-a");
    CHECK(entries[0].mode == 0600 && entries[0].uid == geteuid() && entries[0].gid == getegid());
    CHECK(entries[1].name[0] == 0);
    CHECK_RESULT(frameshare_channel_list(NULL, NULL, 0, &count), FRAMESHARE_OK);
    CHECK(count == 2);
    frameshare_publisher_close(second);

    int process = start_publisher("list-c");
    kill(process, SIGKILL);
    wait_for(process);
    CHECK_RESULT(frameshare_channel_list(NULL, entries, 3, &count), FRAMESHARE_OK);
    CHECK(count == 2);
    CHECK_ENTRY(entries[1], 0, FRAMESHARE_CHANNEL_LEFT_BEHIND, "list-c");
    frameshare_publisher_close(open_publisher("list-c", 2));
    frameshare_publisher_close(first);
}

void test_channel_watch(void) {
    frameshare_channel_watch *watch = NULL;
    struct frameshare_channel_entry entry = frameshare_channel_entry_init();
    frameshare_publisher *publisher = open_publisher("watch-a", 2);
    CHECK_RESULT(frameshare_channel_watch_open(NULL, &watch), FRAMESHARE_OK);
    // What is there comes first.
    CHECK_ENTRY(polled(watch), FRAMESHARE_CHANNEL_APPEARED, FRAMESHARE_CHANNEL_LIVE, "watch-a");
    CHECK_RESULT(frameshare_channel_watch_next(watch, 0, &entry), FRAMESHARE_ERROR_TIMED_OUT);
    CHECK_RESULT(frameshare_channel_watch_next(watch, 20000000, &entry), FRAMESHARE_ERROR_TIMED_OUT);
    CHECK(strstr(frameshare_last_error(), getenv("FRAMESHARE_DIR")) != NULL);
    frameshare_publisher_close(publisher);
    CHECK_RESULT(frameshare_channel_watch_next(watch, PATIENCE, &entry), FRAMESHARE_OK);
    CHECK_ENTRY(entry, FRAMESHARE_CHANNEL_VANISHED, FRAMESHARE_CHANNEL_LIVE, "watch-a");

    // A killed publisher is seen though its socket stays.
    int process = start_self("publish-one", "watch-b");
    CHECK_ENTRY(polled(watch), FRAMESHARE_CHANNEL_APPEARED, FRAMESHARE_CHANNEL_LIVE, "watch-b");
    kill(process, SIGKILL);
    CHECK_ENTRY(polled(watch), FRAMESHARE_CHANNEL_CHANGED, FRAMESHARE_CHANNEL_LEFT_BEHIND, "watch-b");
    wait_for(process);
    // The next one of its name takes the socket's place.
    publisher = open_publisher("watch-b", 2);
    CHECK_ENTRY(polled(watch), FRAMESHARE_CHANNEL_VANISHED, FRAMESHARE_CHANNEL_LEFT_BEHIND, "watch-b");
    CHECK_ENTRY(polled(watch), FRAMESHARE_CHANNEL_APPEARED, FRAMESHARE_CHANNEL_LIVE, "watch-b");
    // Who may connect changes.
    char path[200];
    snprintf(path, sizeof path, "%s/watch-b.sock", getenv("FRAMESHARE_DIR"));
    CHECK(chmod(path, 0666) == 0);
    entry = polled(watch);
    CHECK_ENTRY(entry, FRAMESHARE_CHANNEL_CHANGED, FRAMESHARE_CHANNEL_LIVE, "watch-b");
    CHECK(entry.mode == 0666);
    frameshare_publisher_close(publisher);
    CHECK_ENTRY(polled(watch), FRAMESHARE_CHANNEL_VANISHED, FRAMESHARE_CHANNEL_LIVE, "watch-b");
    CHECK_RESULT(frameshare_channel_watch_next(watch, 0, &entry), FRAMESHARE_ERROR_TIMED_OUT);
    CHECK_RESULT(frameshare_channel_watch_close(watch), FRAMESHARE_OK);
}

void test_watched_folder(void) {
    frameshare_channel_watch *watch = NULL;
    char above[] = "/tmp/frameshare-c-watch-XXXXXX", folder[100], moved[100];
    CHECK(mkdtemp(above) != NULL);
    snprintf(folder, sizeof folder, "%s/a/b", above);
    snprintf(moved, sizeof moved, "%s/a/moved", above);
    CHECK_RESULT(frameshare_channel_watch_open(folder, &watch), FRAMESHARE_OK);
    struct frameshare_channel_entry entry = frameshare_channel_entry_init();
    CHECK_RESULT(frameshare_channel_watch_next(watch, 0, &entry), FRAMESHARE_ERROR_TIMED_OUT);
    struct frameshare_publisher_options options = frameshare_publisher_options_init();
    struct frameshare_stream stream = frameshare_stream_init();
    CHECK_RESULT(frameshare_stream_compute("main", 16, 8, "R8", 0, &stream), FRAMESHARE_OK);
    options.directory = folder;
    for (int round = 0; round < 2; round++) {
        frameshare_publisher *publisher = NULL;
        if (round == 0) {
            *strrchr(folder, '/') = 0;
            CHECK(mkdir(folder, 0700) == 0);
            folder[strlen(folder)] = '/';
        }
        CHECK_RESULT(frameshare_publisher_open("late", &stream, 1, 2, &options, &publisher), FRAMESHARE_OK);
        CHECK_ENTRY(polled(watch), FRAMESHARE_CHANNEL_APPEARED, FRAMESHARE_CHANNEL_LIVE, "late");
        // A folder that has another name now is not the one that is watched.
        CHECK(rename(folder, moved) == 0);
        CHECK_ENTRY(polled(watch), FRAMESHARE_CHANNEL_VANISHED, FRAMESHARE_CHANNEL_LIVE, "late");
        CHECK(rename(moved, folder) == 0);
        CHECK_ENTRY(polled(watch), FRAMESHARE_CHANNEL_APPEARED, FRAMESHARE_CHANNEL_LIVE, "late");
        frameshare_publisher_close(publisher);
        CHECK_ENTRY(polled(watch), FRAMESHARE_CHANNEL_VANISHED, FRAMESHARE_CHANNEL_LIVE, "late");
        CHECK(rmdir(folder) == 0);
    }
    CHECK_RESULT(frameshare_channel_watch_close(watch), FRAMESHARE_OK);
    *strrchr(folder, '/') = 0;
    CHECK(rmdir(folder) == 0 && rmdir(above) == 0);
}

static void *wait_in_watch(void *watch) {
    struct frameshare_channel_entry entry = frameshare_channel_entry_init();
    return (void *)(intptr_t)frameshare_channel_watch_next(watch, FRAMESHARE_FOREVER, &entry);
}

void test_channel_misuse(void) {
    const int bad = FRAMESHARE_ERROR_INVALID_ARGUMENT;
    size_t count = 0;
    frameshare_channel_watch *watch = NULL;
    struct frameshare_channel_entry entry = frameshare_channel_entry_init();
    CHECK_RESULT(frameshare_channel_list(NULL, &entry, 1, NULL), bad);
    CHECK_RESULT(frameshare_channel_list("/dev/null", &entry, 1, &count), FRAMESHARE_ERROR_DIRECTORY);
    CHECK_RESULT(frameshare_channel_watch_open(NULL, NULL), bad);
    frameshare_publisher *publisher = open_publisher("watch-misuse", 2);
    CHECK_RESULT(frameshare_channel_list(NULL, NULL, 1, &count), bad);
    CHECK_RESULT(frameshare_channel_watch_open(NULL, &watch), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_channel_watch_poll_fd(watch, NULL), bad);
    CHECK_RESULT(frameshare_channel_watch_next(watch, 0, NULL), bad);
    entry.struct_size = 3;
    CHECK_RESULT(frameshare_channel_watch_next(watch, 0, &entry), bad);
    // A call that failed has taken nothing.
    entry = frameshare_channel_entry_init();
    CHECK_RESULT(frameshare_channel_watch_next(watch, 0, &entry), FRAMESHARE_OK);
    pthread_t thread;
    void *result = NULL;
    CHECK(pthread_create(&thread, NULL, wait_in_watch, watch) == 0);
    usleep(20000);
    CHECK_RESULT(frameshare_channel_watch_close(watch), FRAMESHARE_OK);
    CHECK(pthread_join(thread, &result) == 0);
    // Closed before the thread came to it, or while it waited.
    CHECK((intptr_t)result == FRAMESHARE_ERROR_CLOSED || (intptr_t)result == FRAMESHARE_ERROR_INVALID_HANDLE);
    frameshare_publisher_close(publisher);
}

void call_all_of_channels(void *handle) {
    const int none = FRAMESHARE_ERROR_INVALID_HANDLE;
    struct frameshare_channel_entry entry = frameshare_channel_entry_init();
    int fd = -1;
    CHECK_RESULT(frameshare_channel_watch_next(handle, 0, &entry), none);
    CHECK_RESULT(frameshare_channel_watch_poll_fd(handle, &fd), none);
    CHECK_RESULT(frameshare_channel_watch_close(handle), none);
}
