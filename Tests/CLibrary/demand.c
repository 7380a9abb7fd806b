// Sources that run on demand: who wants frames, what readers hear of a source, and who publishes one.
#include "check.h"

static void publish_flagged(frameshare_publisher *publisher, uint32_t flags) {
    frameshare_slot *slot = NULL;
    CHECK_RESULT(frameshare_publisher_next_slot(publisher, PATIENCE, &slot), FRAMESHARE_OK);
    struct frameshare_description description = frameshare_description_init();
    description.flags = flags;
    CHECK_RESULT(frameshare_slot_publish(slot, &description, NULL, NULL), FRAMESHARE_OK);
}

void test_demand(void) {
    frameshare_publisher *publisher = open_publisher("demand", 4);
    CHECK_RESULT(frameshare_publisher_wait_for_demand(publisher, 0), FRAMESHARE_ERROR_TIMED_OUT);
    CHECK_RESULT(frameshare_publisher_wait_for_no_demand(publisher, 0, 0), FRAMESHARE_OK);
    frameshare_subscriber *usual = open_subscriber("demand", NULL);
    CHECK_RESULT(frameshare_publisher_wait_for_demand(publisher, PATIENCE), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_publisher_wait_for_no_demand(publisher, 0, 10000000), FRAMESHARE_ERROR_TIMED_OUT);

    char text[512] = "";
    CHECK_RESULT(frameshare_publisher_set_source_trouble(publisher, "the camera is busy"), FRAMESHARE_OK);
    while (text[0] == 0) CHECK_RESULT(frameshare_subscriber_source_trouble(usual, text, sizeof text), FRAMESHARE_OK);
    CHECK(strcmp(text, "the camera is busy") == 0);
    CHECK_RESULT(frameshare_subscriber_source_trouble(usual, text, 3), FRAMESHARE_ERROR_TOO_SMALL);
    frameshare_frame *frame = NULL;
    CHECK_RESULT(frameshare_subscriber_next(usual, 1000000, &frame), FRAMESHARE_ERROR_TIMED_OUT);
    CHECK(strstr(frameshare_last_error(), "the camera is busy") != NULL);
    CHECK_RESULT(frameshare_publisher_set_source_trouble(publisher, ""), FRAMESHARE_OK);
    while (text[0] != 0) CHECK_RESULT(frameshare_subscriber_source_trouble(usual, text, sizeof text), FRAMESHARE_OK);

    // Frames of a start-up are for those who ask.
    publish_flagged(publisher, FRAMESHARE_FLAG_STARTUP);
    publish_flagged(publisher, 0);
    struct frameshare_frame_info info = frameshare_frame_info_init();
    CHECK_RESULT(frameshare_subscriber_next(usual, PATIENCE, &frame), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_frame_get_info(frame, &info), FRAMESHARE_OK);
    CHECK(info.number == 2 && (info.flags & FRAMESHARE_FLAG_STARTUP) == 0);
    CHECK_RESULT(frameshare_frame_release(frame), FRAMESHARE_OK);

    CHECK_RESULT(frameshare_subscriber_close(usual), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_publisher_wait_for_no_demand(publisher, 1000000, PATIENCE), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_publisher_close(publisher), FRAMESHARE_OK);

    char name[FRAMESHARE_NAME_SIZE];
    CHECK_RESULT(frameshare_source_channel("camera0", NULL, 0, name, sizeof name), FRAMESHARE_ERROR_INVALID_ARGUMENT);
    CHECK_RESULT(frameshare_source_channel("/no/such", NULL, 0, name, sizeof name), FRAMESHARE_ERROR_INVALID_ARGUMENT);
    CHECK_RESULT(frameshare_source_channel(NULL, NULL, 0, name, sizeof name), FRAMESHARE_ERROR_INVALID_ARGUMENT);
}
