/*
 * watch: reads a channel's newest frames and says how bright they are.
 *
 *     gcc watch.c $(pkg-config --cflags --libs frameshare) -o watch
 *     frameshare publish --channel camera0 &
 *     ./watch camera0 100
 */
#include <frameshare.h>
#include <stdio.h>
#include <stdlib.h>

int main(int count, char **arguments) {
    const char *channel = count > 1 ? arguments[1] : "camera0";
    long frames = count > 2 ? atol(arguments[2]) : -1;
    frameshare_subscriber *camera;
    if (frameshare_subscriber_open(channel, NULL, &camera) != FRAMESHARE_OK) {
        fprintf(stderr, "watch: %s\n", frameshare_last_error());
        return 1;
    }
    frameshare_frame *frame;
    int result = FRAMESHARE_OK;
    while (frames-- != 0 && (result = frameshare_subscriber_next(camera, FRAMESHARE_FOREVER, &frame)) == FRAMESHARE_OK) {
        struct frameshare_frame_info info = frameshare_frame_info_init();
        struct frameshare_image image = frameshare_image_init();
        frameshare_frame_get_info(frame, &info);
        if (frameshare_frame_image(frame, "main", &image) == FRAMESHARE_OK) {
            /* The first plane's bytes, in the very memory that the camera wrote; padding left out. */
            const struct frameshare_plane *plane = &image.planes[0];
            unsigned long long sum = 0;
            for (size_t y = 0; y < plane->rows; y++) {
                const unsigned char *row = (const unsigned char *)plane->data + y * plane->stride;
                for (size_t x = 0; x < plane->row_bytes; x++) sum += row[x];
            }
            size_t bytes = plane->rows * plane->row_bytes;
            printf("frame %llu: %ux%u, mean %.1f, lost %llu\n", (unsigned long long)info.number, image.width,
                   image.height, bytes == 0 ? 0.0 : (double)sum / (double)bytes, (unsigned long long)info.lost_policy);
        }
        frameshare_frame_release(frame); /* the publisher may use the slot again */
    }
    if (result < 0) fprintf(stderr, "watch: %s\n", frameshare_last_error());
    frameshare_subscriber_close(camera);
    return result < 0 ? 1 : 0;
}
