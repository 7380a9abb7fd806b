/*
 * publish: shares a grey picture with a bright bar that moves, 30 times a second.
 *
 *     gcc publish.c $(pkg-config --cflags --libs frameshare) -o publish
 *     ./publish camera0 300 &
 *     frameshare watch camera0
 */
#include <frameshare.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int failed(void) {
    /* The text says what failed and what to do about it. */
    fprintf(stderr, "publish: %s\n", frameshare_last_error());
    return 1;
}

int main(int count, char **arguments) {
    const char *channel = count > 1 ? arguments[1] : "camera0";
    long frames = count > 2 ? atol(arguments[2]) : 300;
    struct frameshare_stream stream = frameshare_stream_init();
    frameshare_publisher *publisher;
    if (frameshare_stream_compute("main", 640, 480, "R8", 1, &stream) != FRAMESHARE_OK ||
        frameshare_publisher_open(channel, &stream, 1, 6, NULL, &publisher) != FRAMESHARE_OK) {
        return failed();
    }
    for (long number = 0; number < frames; number++) {
        frameshare_slot *slot;
        struct frameshare_image image = frameshare_image_init();
        /* Waits only for a free slot, never for a reader. */
        if (frameshare_publisher_next_slot(publisher, FRAMESHARE_FOREVER, &slot) != FRAMESHARE_OK ||
            frameshare_slot_image(slot, "main", &image) != FRAMESHARE_OK) {
            return failed();
        }
        const struct frameshare_plane *plane = &image.planes[0];
        for (size_t y = 0; y < plane->rows; y++) {
            unsigned char *row = (unsigned char *)plane->data + y * plane->stride;
            memset(row, 64, plane->row_bytes);
            memset(row + number * 4 % 624, 255, 16);
        }
        /* The handle of the slot is gone after this. */
        if (frameshare_slot_publish(slot, NULL, NULL, NULL) != FRAMESHARE_OK) return failed();
        nanosleep(&(struct timespec){.tv_nsec = 33000000}, NULL);
    }
    /* Subscribers get what is queued for them, and then the channel's end. */
    frameshare_publisher_close(publisher);
    return 0;
}
