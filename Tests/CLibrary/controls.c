// A source's controls, offered and set by C programs.
#define _GNU_SOURCE
#include "check.h"

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

static const struct frameshare_control_item patterns[] = {{"0", "bars"}, {"3", "grey"}};

// Three controls, one of them a menu, one that can only be read.
static void offered(struct frameshare_control controls[3]) {
    for (int i = 0; i < 3; i++) controls[i] = frameshare_control_init();
    controls[0].kind = FRAMESHARE_CONTROL_INTEGER;
    controls[0].name = "exposure";
    controls[0].label = "Exposure, absolute";
    controls[0].minimum = "0";
    controls[0].maximum = "100";
    controls[0].standard = "10";
    controls[0].value = "10";
    controls[1].kind = FRAMESHARE_CONTROL_MENU;
    controls[1].name = "pattern";
    controls[1].items = patterns;
    controls[1].item_count = 2;
    controls[1].inactive = 1;
    controls[2].kind = FRAMESHARE_CONTROL_TEXT;
    controls[2].name = "serial";
    controls[2].read_only = 1;
    controls[2].value = "é1";
}

// A camera's loop: an exposure is rounded to even numbers, a pattern is refused. Ends with the channel.
static void *serve(void *settings) {
    frameshare_setting *setting = NULL;
    int fd = -1;
    CHECK_RESULT(frameshare_settings_poll_fd(settings, &fd), FRAMESHARE_OK);
    for (;;) {
        struct pollfd entry = {.fd = fd, .events = POLLIN};
        uint64_t count;
        CHECK(poll(&entry, 1, 60000) == 1);
        CHECK(read(fd, &count, sizeof count) == sizeof count);
        int result;
        while ((result = frameshare_settings_next(settings, 0, &setting)) == FRAMESHARE_OK) {
            const char *name = NULL, *value = NULL;
            char now[32];
            CHECK_RESULT(frameshare_setting_get(setting, &name, &value), FRAMESHARE_OK);
            if (strcmp(name, "exposure") != 0) {
                CHECK_RESULT(frameshare_setting_refuse(setting, "the lens cap is on"), FRAMESHARE_OK);
                continue;
            }
            snprintf(now, sizeof now, "%d", atoi(value) / 2 * 2);
            CHECK_RESULT(frameshare_setting_accept(setting, now), FRAMESHARE_OK);
            CHECK_RESULT(frameshare_setting_accept(setting, now), FRAMESHARE_ERROR_INVALID_HANDLE);
        }
        if (result == FRAMESHARE_ENDED) return NULL;
        CHECK_RESULT(result, FRAMESHARE_ERROR_TIMED_OUT);
    }
}

void test_controls(void) {
    frameshare_publisher *publisher = open_publisher("controls", 4);
    frameshare_monitor *monitor = NULL;
    frameshare_control_list *list = NULL;
    CHECK_RESULT(frameshare_monitor_open("controls", NULL, &monitor), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_monitor_get_controls(monitor, &list), FRAMESHARE_ERROR_REFUSED);
    CHECK(list == NULL && strstr(frameshare_last_error(), "no controls") != NULL);

    struct frameshare_control controls[3], found = frameshare_control_init();
    frameshare_settings *settings = NULL;
    offered(controls);
    CHECK_RESULT(frameshare_publisher_offer_controls(publisher, controls, 3, &settings), FRAMESHARE_OK);
    pthread_t server;
    CHECK(pthread_create(&server, NULL, serve, settings) == 0);

    CHECK_RESULT(frameshare_monitor_get_controls(monitor, &list), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_control_list_get(list, 0, &found), FRAMESHARE_OK);
    CHECK(found.kind == FRAMESHARE_CONTROL_INTEGER && strcmp(found.name, "exposure") == 0);
    CHECK(strcmp(found.label, "Exposure, absolute") == 0 && strcmp(found.minimum, "0") == 0);
    CHECK(strcmp(found.maximum, "100") == 0 && strcmp(found.standard, "10") == 0 && strcmp(found.value, "10") == 0);
    CHECK(found.item_count == 0 && !found.read_only && !found.inactive);
    CHECK_RESULT(frameshare_control_list_get(list, 1, &found), FRAMESHARE_OK);
    CHECK(found.kind == FRAMESHARE_CONTROL_MENU && found.value == NULL && found.inactive && found.item_count == 2);
    CHECK(strcmp(found.items[1].value, "3") == 0 && strcmp(found.items[1].name, "grey") == 0);
    CHECK_RESULT(frameshare_control_list_get(list, 2, &found), FRAMESHARE_OK);
    CHECK(found.read_only && strcmp(found.value, "é1") == 0);
    CHECK_RESULT(frameshare_control_list_get(list, 3, &found), FRAMESHARE_NOT_FOUND);
    CHECK_RESULT(frameshare_control_list_release(list), FRAMESHARE_OK);

    char now[4] = "";
    CHECK_RESULT(frameshare_monitor_set_control(monitor, "exposure", "77", now, sizeof now), FRAMESHARE_OK);
    CHECK(strcmp(now, "76") == 0);
    CHECK_RESULT(frameshare_monitor_set_control(monitor, "exposure", "9", NULL, 0), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_monitor_set_control(monitor, "pattern", "3", now, sizeof now), FRAMESHARE_ERROR_REFUSED);
    CHECK(strstr(frameshare_last_error(), "the lens cap is on") != NULL);
    CHECK_RESULT(frameshare_monitor_set_control(monitor, "serial", "2", NULL, 0), FRAMESHARE_ERROR_REFUSED);
    CHECK_RESULT(frameshare_monitor_set_control(monitor, "tint", "2", NULL, 0), FRAMESHARE_ERROR_REFUSED);
    CHECK(strstr(frameshare_last_error(), "no control 'tint'") != NULL);
    CHECK_RESULT(frameshare_monitor_get_controls(monitor, &list), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_control_list_get(list, 0, &found), FRAMESHARE_OK);
    CHECK(strcmp(found.value, "8") == 0);
    CHECK_RESULT(frameshare_control_list_release(list), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_settings_update(settings, controls, 1), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_monitor_get_controls(monitor, &list), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_control_list_get(list, 1, &found), FRAMESHARE_NOT_FOUND);
    CHECK_RESULT(frameshare_control_list_release(list), FRAMESHARE_OK);

    CHECK_RESULT(frameshare_publisher_close(publisher), FRAMESHARE_OK);
    CHECK(pthread_join(server, NULL) == 0);
    CHECK_RESULT(frameshare_settings_close(settings), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_monitor_close(monitor), FRAMESHARE_OK);
}

void test_control_misuse(void) {
    const int bad = FRAMESHARE_ERROR_INVALID_ARGUMENT;
    struct frameshare_publisher_options options = frameshare_publisher_options_init();
    struct frameshare_stream stream = frameshare_stream_init();
    frameshare_publisher *publisher = NULL;
    frameshare_stream_compute("main", 64, 48, "R8", 0, &stream);
    options.control_access = 3;
    CHECK_RESULT(frameshare_publisher_open("misuse", &stream, 1, 2, &options, &publisher), bad);
    options.control_access = FRAMESHARE_CONTROL_ACCESS_NOBODY;
    CHECK_RESULT(frameshare_publisher_open("misuse", &stream, 1, 2, &options, &publisher), FRAMESHARE_OK);

    struct frameshare_control controls[3];
    frameshare_settings *settings = NULL, *second = NULL;
    offered(controls);
    CHECK_RESULT(frameshare_publisher_offer_controls(publisher, controls, 3, NULL), bad);
    CHECK_RESULT(frameshare_publisher_offer_controls(publisher, NULL, 3, &settings), bad);
    CHECK_RESULT(frameshare_publisher_offer_controls(publisher, controls, 1025, &settings), bad);
    controls[0].kind = 10;
    CHECK_RESULT(frameshare_publisher_offer_controls(publisher, controls, 3, &settings), bad);
    offered(controls);
    controls[1].name = controls[0].name;
    CHECK_RESULT(frameshare_publisher_offer_controls(publisher, controls, 3, &settings), bad);
    controls[1].name = "";
    CHECK_RESULT(frameshare_publisher_offer_controls(publisher, controls, 3, &settings), bad);
    offered(controls);
    controls[1].items = NULL;
    CHECK_RESULT(frameshare_publisher_offer_controls(publisher, controls, 3, &settings), bad);
    offered(controls);
    controls[2].struct_size = 0;
    CHECK_RESULT(frameshare_publisher_offer_controls(publisher, controls, 3, &settings), bad);
    CHECK(settings == NULL);
    offered(controls);
    CHECK_RESULT(frameshare_publisher_offer_controls(publisher, NULL, 0, &settings), FRAMESHARE_OK);
    // The later offer takes the earlier one's place, whose end changes nothing.
    CHECK_RESULT(frameshare_publisher_offer_controls(publisher, controls, 3, &second), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_settings_close(settings), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_settings_next(second, 0, NULL), bad);
    CHECK_RESULT(frameshare_settings_poll_fd(second, NULL), bad);

    frameshare_monitor *monitor = NULL;
    frameshare_control_list *list = NULL;
    CHECK_RESULT(frameshare_monitor_open("misuse", NULL, &monitor), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_monitor_get_controls(monitor, NULL), bad);
    CHECK_RESULT(frameshare_monitor_get_controls(monitor, &list), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_control_list_get(list, 0, NULL), bad);
    CHECK_RESULT(frameshare_control_list_release(list), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_monitor_set_control(monitor, NULL, "1", NULL, 0), bad);
    CHECK_RESULT(frameshare_monitor_set_control(monitor, "exposure", NULL, NULL, 0), bad);
    CHECK_RESULT(frameshare_monitor_set_control(monitor, "exposure", "1", NULL, 0), FRAMESHARE_ERROR_REFUSED);
    CHECK(strstr(frameshare_last_error(), "lets nobody set") != NULL);
    CHECK_RESULT(frameshare_settings_close(second), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_monitor_get_controls(monitor, &list), FRAMESHARE_ERROR_REFUSED);
    CHECK_RESULT(frameshare_monitor_close(monitor), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_publisher_close(publisher), FRAMESHARE_OK);
}

void call_all_of_controls(void *handle) {
    const int none = FRAMESHARE_ERROR_INVALID_HANDLE;
    struct frameshare_control control = frameshare_control_init();
    frameshare_control_list *list = NULL;
    frameshare_settings *settings = NULL;
    frameshare_setting *setting = NULL;
    const char *name = NULL, *value = NULL;
    int fd = -1;
    CHECK_RESULT(frameshare_monitor_get_controls(handle, &list), none);
    CHECK_RESULT(frameshare_monitor_set_control(handle, "a", "1", NULL, 0), none);
    CHECK_RESULT(frameshare_control_list_get(handle, 0, &control), none);
    CHECK_RESULT(frameshare_control_list_release(handle), none);
    CHECK_RESULT(frameshare_publisher_offer_controls(handle, NULL, 0, &settings), none);
    CHECK_RESULT(frameshare_settings_update(handle, NULL, 0), none);
    CHECK_RESULT(frameshare_settings_next(handle, 0, &setting), none);
    CHECK_RESULT(frameshare_settings_poll_fd(handle, &fd), none);
    CHECK_RESULT(frameshare_settings_close(handle), none);
    CHECK_RESULT(frameshare_setting_get(handle, &name, &value), none);
    CHECK_RESULT(frameshare_setting_accept(handle, "1"), none);
    CHECK_RESULT(frameshare_setting_refuse(handle, "no"), none);
}
