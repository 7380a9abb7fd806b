/*
 * ask: publishes grey frames, and asks the group 'brightness' about each. worker.c answers.
 *
 *     gcc ask.c $(pkg-config --cflags --libs frameshare) -o ask
 *     ./ask camera0 100
 */
#include <frameshare.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND ((int64_t)1000000000)

static int failed(void) {
    fprintf(stderr, "ask: %s\n", frameshare_last_error());
    return 1;
}

int main(int count, char **arguments) {
    const char *channel = count > 1 ? arguments[1] : "camera0";
    int frames = count > 2 ? atoi(arguments[2]) : 100, right = 0;
    struct frameshare_stream stream = frameshare_stream_init();
    frameshare_publisher *publisher;
    if (frameshare_stream_compute("main", 320, 240, "GREY", 0, &stream) != FRAMESHARE_OK ||
        frameshare_publisher_open(channel, &stream, 1, 8, NULL, &publisher) != FRAMESHARE_OK) {
        return failed();
    }
    for (int number = 0; number < frames; number++) {
        struct frameshare_image image = frameshare_image_init();
        frameshare_slot *slot;
        frameshare_pending *pending;
        frameshare_answer *answer;
        /* This source can wait for a worker that has room. A camera can't. */
        if (frameshare_publisher_wait_for_group(publisher, "brightness", 60 * SECOND) != FRAMESHARE_OK ||
            frameshare_publisher_next_slot(publisher, 10 * SECOND, &slot) != FRAMESHARE_OK ||
            frameshare_slot_image(slot, NULL, &image) != FRAMESHARE_OK) {
            return failed();
        }
        memset(image.planes[0].data, number % 256, image.planes[0].size);
        /* The handle of the slot is gone after this. */
        if (frameshare_slot_ask(slot, "brightness", NULL, NULL, NULL, &pending) != FRAMESHARE_OK) return failed();
        int result = frameshare_pending_answer(pending, 5 * SECOND, &answer);
        if (result == FRAMESHARE_OK) {
            struct frameshare_entry entry; /* lies in the answer: its bytes are copied, since they may be at any address */
            double brightness;
            if (frameshare_answer_metadata(answer, "brightness", &entry) == FRAMESHARE_OK &&
                entry.type == FRAMESHARE_TYPE_DOUBLE) {
                memcpy(&brightness, entry.data, sizeof brightness);
                if ((int)(brightness + 0.5) == number % 256) right++;
            }
            frameshare_answer_release(answer);
        } else {
            fprintf(stderr, "ask: frame %d has no answer: %s\n", number, frameshare_last_error());
            /* Too slow: the worker is told that nobody waits any more. */
            if (result == FRAMESHARE_ERROR_TIMED_OUT) frameshare_pending_cancel(pending);
        }
        frameshare_pending_release(pending);
    }
    printf("%d of %d answers are right\n", right, frames);
    frameshare_publisher_close(publisher);
    return 0;
}
