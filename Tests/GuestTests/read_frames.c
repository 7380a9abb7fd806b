// read_frames CHANNEL: every frame of a channel, and of those that follow under its name, as C sees it:
// "FOURCC NUMBER CRC32 CHECKSUM", the latter as Swift's readers make it.
#define _DEFAULT_SOURCE
#include <frameshare.h>
#include <stdio.h>

static uint32_t crc32_of(uint32_t sum, const uint8_t *bytes, size_t count) {
    static uint32_t table[256];
    if (table[1] == 0) {
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t value = i;
            for (int bit = 0; bit < 8; bit++) value = value & 1 ? value >> 1 ^ 0xEDB88320 : value >> 1;
            table[i] = value;
        }
    }
    sum = ~sum;
    for (size_t i = 0; i < count; i++) sum = table[(sum ^ bytes[i]) & 255] ^ sum >> 8;
    return ~sum;
}

// As Sources/FrameShareCLI/Measuring/PixelChecksum.swift has it.
static uint64_t checksum_of(uint64_t sum, const uint8_t *bytes, size_t count) {
    for (size_t i = 0; i + 8 <= count; i += 8) {
        uint64_t word;
        memcpy(&word, bytes + i, 8);
        sum = (sum ^ word) * 0x00000100000001B3u;
        sum ^= sum >> 32;
    }
    for (size_t i = count - count % 8; i < count; i++) sum = (sum ^ bytes[i]) * 0x00000100000001B3u;
    return sum;
}

int main(int count, char **arguments) {
    if (count != 2) return 64;
    struct frameshare_subscriber_options options = frameshare_subscriber_options_init();
    options.policy = FRAMESHARE_POLICY_EVERY_FRAME;
    options.reconnect = 1;
    frameshare_subscriber *subscriber;
    // Until there is a publisher.
    while (frameshare_subscriber_open(arguments[1], &options, &subscriber) == FRAMESHARE_ERROR_NO_SUCH_CHANNEL) {}
    frameshare_frame *frame;
    while (frameshare_subscriber_next(subscriber, FRAMESHARE_FOREVER, &frame) == FRAMESHARE_OK) {
        struct frameshare_image image = frameshare_image_init();
        struct frameshare_frame_info info = frameshare_frame_info_init();
        uint64_t sum = 0xCBF29CE484222325u;
        uint32_t crc = 0;
        if (frameshare_frame_image(frame, "main", &image) != FRAMESHARE_OK) break;
        if (frameshare_frame_get_info(frame, &info) != FRAMESHARE_OK) break;
        for (uint32_t i = 0; i < image.plane_count; i++) {
            sum = checksum_of(sum, image.planes[i].data, image.planes[i].bytes_used);
            crc = crc32_of(crc, image.planes[i].data, image.planes[i].bytes_used);
        }
        printf("%08x %llu %08x %016llx\n", image.fourcc, (unsigned long long)info.number, crc, (unsigned long long)sum);
        fflush(stdout);
        frameshare_frame_release(frame);
    }
    fprintf(stderr, "%s\n", frameshare_last_error());
    return 1;
}
