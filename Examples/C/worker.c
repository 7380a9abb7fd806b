/*
 * worker: a member of the group 'brightness', which says how bright each frame is that it is asked about. ask.c asks.
 *
 *     gcc worker.c $(pkg-config --cflags --libs frameshare) -o worker
 *     ./worker camera0
 */
#include <frameshare.h>
#include <stdio.h>

static double brightness(const struct frameshare_plane *plane) {
    unsigned long long sum = 0;
    for (size_t y = 0; y < plane->rows; y++) {
        const unsigned char *row = (const unsigned char *)plane->data + y * plane->stride;
        for (size_t x = 0; x < plane->row_bytes; x++) sum += row[x];
    }
    size_t bytes = plane->rows * plane->row_bytes;
    return bytes == 0 ? 0 : (double)sum / (double)bytes;
}

int main(int count, char **arguments) {
    struct frameshare_subscriber_options options = frameshare_subscriber_options_init();
    options.group = "brightness";
    options.policy = FRAMESHARE_POLICY_QUEUE;
    options.queue_depth = 1;
    options.wait_for_channel = 60000000000; /* 60 s */
    frameshare_subscriber *camera = NULL;
    frameshare_metadata *reply = NULL;
    frameshare_frame *frame;
    int result = frameshare_subscriber_open(count > 1 ? arguments[1] : "camera0", &options, &camera);
    if (result == FRAMESHARE_OK) result = frameshare_metadata_create(&reply);
    while (result == FRAMESHARE_OK &&
           (result = frameshare_subscriber_next(camera, FRAMESHARE_FOREVER, &frame)) == FRAMESHARE_OK) {
        /* Each frame of a member has a request. A job that takes long asks it frameshare_request_is_cancelled(). */
        frameshare_request *request = NULL;
        struct frameshare_image image = frameshare_image_init();
        result = frameshare_frame_request(frame, &request);
        if (result == FRAMESHARE_OK && frameshare_frame_image(frame, NULL, &image) == FRAMESHARE_OK &&
            image.planes[0].data != NULL) {
            frameshare_metadata_set_double(reply, "brightness", brightness(&image.planes[0]));
            frameshare_request_answer(request, reply, NULL, 0);
        } else {
            frameshare_request_fail(request, "the CPU can't read this frame");
        }
        frameshare_request_release(request);
        frameshare_frame_release(frame);
    }
    if (result < 0) fprintf(stderr, "worker: %s\n", frameshare_last_error());
    frameshare_metadata_destroy(reply);
    frameshare_subscriber_close(camera);
    return result < 0 ? 1 : 0;
}
