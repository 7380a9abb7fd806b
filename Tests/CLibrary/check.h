// A few lines of a test harness. Each test is a function, named for what it holds.
#ifndef CHECK_H
#define CHECK_H

#include <frameshare.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern int failures;

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            failures += 1;                                                                                             \
            fprintf(stderr, "%s:%d: %s (last error: %s)\n", __FILE__, __LINE__, #condition, frameshare_last_error());  \
        }                                                                                                              \
    } while (0)

#define CHECK_RESULT(call, expected)                                                                                   \
    do {                                                                                                               \
        int result_ = (call);                                                                                          \
        if (result_ != (expected)) {                                                                                   \
            failures += 1;                                                                                             \
            fprintf(stderr, "%s:%d: %s is %s, not %s: %s\n", __FILE__, __LINE__, #call, frameshare_result_name(result_), \
                    frameshare_result_name(expected), frameshare_last_error());                                        \
        }                                                                                                              \
    } while (0)

// Long enough for a loaded machine under valgrind.
#define PATIENCE ((int64_t)60 * 1000000000)

// A channel of one stream `main`, 64x48 YUV420.
frameshare_publisher *open_publisher(const char *channel, uint32_t slots);
frameshare_subscriber *open_subscriber(const char *channel, const struct frameshare_subscriber_options *options);
// Publishes a frame whose bytes are all `value`, with metadata or NULL.
void publish_value(frameshare_publisher *publisher, int value, const frameshare_metadata *metadata);
// Waits until nobody holds a frame any more.
void await_all_free(frameshare_publisher *publisher);
// Runs this program again with two arguments, and returns its process.
int start_self(const char *role, const char *argument);
// Waits for it and returns its exit status, or 128 + signal.
int wait_for(int process);

void test_sharing(void);
void test_demand(void);
void test_metadata(void);
void test_policies(void);
void test_signals(void);
void test_kept_memory(void);
void test_endings(void);
void test_polling(void);
void test_polling_first(void);
void test_threads(void);
void test_layouts(void);
void test_own_buffers(void);
void test_reconfiguring(void);
void test_reconnecting(void);
void test_copies(void);
void test_statistics(void);
void test_null(void);
void test_stale_handles(void);
void test_wrong_structs(void);
void test_numbers(void);
void test_held_budget(void);
void test_fork(void);
void test_asking(void);
void test_killed_workers(void);
void test_results(void);
void test_group_misuse(void);
void test_controls(void);
void test_control_misuse(void);
void test_channel_list(void);
void test_channel_watch(void);
void test_watched_folder(void);
void test_channel_misuse(void);
void test_overlays(void);
void test_overlay_misuse(void);
void test_copy_stages(void);
void test_copy_misuse(void);
// The other process of the tests of groups.
int work(const char *channel);
// Calls every function of groups with a handle that is none.
void call_all_of_groups(void *handle);
// The same for controls.
void call_all_of_controls(void *handle);
// The same for the other kinds of handles.
void call_all_of_channels(void *handle);
void call_all_of_overlays(void *handle);
void call_all_of_copy_stages(void *handle);

#endif
