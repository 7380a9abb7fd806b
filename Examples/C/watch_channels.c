// watch_channels: tells which channels of this machine appear and vanish, and which a killed publisher has left behind.
//
//     gcc watch_channels.c $(pkg-config --cflags --libs frameshare) -o watch_channels
//     ./watch_channels

#include <frameshare.h>
#include <stdio.h>

int main(void) {
    static const char *const changes[] = {"", "appeared", "changed", "vanished"};
    frameshare_channel_watch *watch;
    struct frameshare_channel_entry channel = frameshare_channel_entry_init();
    // The folder need not be there yet. frameshare_channel_watch_poll_fd() has a descriptor for event loops.
    if (frameshare_channel_watch_open(NULL, &watch) != FRAMESHARE_OK) {
        fprintf(stderr, "watch_channels: %s\n", frameshare_last_error());
        return 1;
    }
    int result;
    while ((result = frameshare_channel_watch_next(watch, FRAMESHARE_FOREVER, &channel)) == FRAMESHARE_OK) {
        const char *left = channel.state == FRAMESHARE_CHANNEL_LEFT_BEHIND ? ": left by a killed publisher" : "";
        printf("%s has %s%s\n", channel.name, channel.change <= 3 ? changes[channel.change] : "changed", left);
        fflush(stdout);
    }
    fprintf(stderr, "watch_channels: %s\n", frameshare_last_error());
    frameshare_channel_watch_close(watch);
    return 1;
}
