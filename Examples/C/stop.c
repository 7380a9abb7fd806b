/*
 * stop: counts frames until Ctrl-C, SIGTERM, or the channel's end. One poll waits for signals and frames.
 *
 *     gcc stop.c $(pkg-config --cflags --libs frameshare) -o stop
 */
#include <errno.h>
#include <frameshare.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

int main(int count, char **arguments) {
    /* Before the library makes a thread: the signals are read as data, and interrupt nothing. */
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    int signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);

    struct frameshare_subscriber_options options = frameshare_subscriber_options_init();
    options.pollable = 1;
    frameshare_subscriber *camera;
    int frame_fd = -1;
    if (signal_fd < 0 || frameshare_subscriber_open(count > 1 ? arguments[1] : "camera0", &options, &camera) != FRAMESHARE_OK ||
        frameshare_subscriber_poll_fd(camera, &frame_fd) != FRAMESHARE_OK) {
        fprintf(stderr, "stop: %s\n", signal_fd < 0 ? "no signalfd" : frameshare_last_error());
        return 1;
    }
    struct pollfd waits[2] = {{.fd = signal_fd, .events = POLLIN}, {.fd = frame_fd, .events = POLLIN}};
    unsigned long frames = 0;
    int result, stopped = 0;
    while (!stopped) {
        /* With a frame in hand there may be more: then poll looks at the signals alone, and returns at once. */
        frameshare_frame *frame;
        result = frameshare_subscriber_try_next(camera, &frame);
        if (result == FRAMESHARE_OK) {
            frames++;
            frameshare_frame_release(frame);
        } else if (result != FRAMESHARE_NO_FRAME) {
            break;
        }
        if (poll(waits, 2, result == FRAMESHARE_OK ? 0 : -1) < 0 && errno != EINTR) break;
        stopped = waits[0].revents != 0;
    }
    if (result < 0) fprintf(stderr, "stop: %s\n", frameshare_last_error());
    printf("%s after %lu frames\n", stopped ? "stopped" : "ended", frames);
    frameshare_subscriber_close(camera);
    close(signal_fd);
    return result < 0 ? 1 : 0;
}
