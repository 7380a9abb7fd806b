// The header is C++ too, and its structs have the same layout there.
#include <frameshare.h>

int main() {
    frameshare_image image = frameshare_image_init();
    frameshare_subscriber_options options = frameshare_subscriber_options_init();
    frameshare_frame *frame = nullptr;
    frameshare_subscriber *subscriber = nullptr;
    options.policy = FRAMESHARE_POLICY_EVERY_FRAME;
    if (frameshare_subscriber_open("nobody", &options, &subscriber) >= 0) return 1;
    return frameshare_frame_image(frame, nullptr, &image) == FRAMESHARE_ERROR_INVALID_HANDLE ? 0 : 1;
}
