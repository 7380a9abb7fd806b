// Layouts, metadata, and buffers that a program brings.
#define _GNU_SOURCE
#include "check.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

// The pool shows a frame's image where the frame does, and each slot's at a place of its own.
static void check_pool(frameshare_subscriber *subscriber, frameshare_frame *frame, const struct frameshare_image *image) {
    struct frameshare_frame_info numbers = frameshare_frame_info_init();
    struct frameshare_pool_info info = frameshare_pool_info_init();
    frameshare_pool *pool = NULL;
    CHECK_RESULT(frameshare_frame_get_info(frame, &numbers), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_subscriber_pool(subscriber, &pool), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_pool_get_info(pool, &info), FRAMESHARE_OK);
    CHECK(info.generation == numbers.generation && info.slot_count == 2 && numbers.slot < info.slot_count);
    CHECK(info.first_copy_slot == 2 && info.stream_count == 1);
    for (uint32_t slot = 0; slot < info.slot_count; slot++) {
        struct frameshare_image there = frameshare_image_init();
        CHECK_RESULT(frameshare_pool_image(pool, slot, slot == 0 ? NULL : "main", &there), FRAMESHARE_OK);
        CHECK(there.fourcc == image->fourcc && there.protection == image->protection && there.plane_count == image->plane_count);
        for (uint32_t p = 0; p < there.plane_count; p++) {
            const struct frameshare_plane *one = &there.planes[p], *other = &image->planes[p];
            CHECK(one->stride == other->stride && one->size == other->size && one->bytes_used == one->size);
            CHECK((one->data == other->data && one->offset == other->offset) == (slot == numbers.slot));
        }
    }
    struct frameshare_image there = frameshare_image_init();
    CHECK_RESULT(frameshare_pool_image(pool, info.slot_count, "main", &there), FRAMESHARE_NOT_FOUND);
    CHECK_RESULT(frameshare_pool_image(pool, UINT32_MAX, NULL, &there), FRAMESHARE_NOT_FOUND);
    CHECK_RESULT(frameshare_pool_image(pool, 0, "other", &there), FRAMESHARE_ERROR_NO_SUCH_STREAM);
    CHECK_RESULT(frameshare_pool_release(pool), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_pool_release(pool), FRAMESHARE_ERROR_INVALID_HANDLE);
}

void test_layouts(void) {
    struct frameshare_format_info info = frameshare_format_info_init();
    size_t formats = 0;
    for (size_t i = 0; frameshare_format_at(i, &info) == FRAMESHARE_OK; i++, formats++) {
        struct frameshare_stream stream = frameshare_stream_init();
        if (info.color_model == FRAMESHARE_COLOR_COMPRESSED) {
            CHECK_RESULT(frameshare_stream_compute("main", 64, 48, info.name, 0, &stream), FRAMESHARE_ERROR_LAYOUT);
            CHECK_RESULT(frameshare_stream_opaque("main", 64, 48, info.fourcc, info.modifier, 5000, &stream),
                         FRAMESHARE_OK);
        } else {
            CHECK_RESULT(frameshare_stream_compute("main", 64, 48, info.name, 256, &stream), FRAMESHARE_OK);
        }
        CHECK(stream.fourcc == info.fourcc && stream.modifier == info.modifier);
        frameshare_publisher *publisher = NULL;
        CHECK_RESULT(frameshare_publisher_open("layouts", &stream, 1, 2, NULL, &publisher), FRAMESHARE_OK);
        frameshare_subscriber *subscriber = open_subscriber("layouts", NULL);
        frameshare_slot *slot = NULL;
        CHECK_RESULT(frameshare_publisher_next_slot(publisher, PATIENCE, &slot), FRAMESHARE_OK);
        struct frameshare_image image = frameshare_image_init();
        CHECK_RESULT(frameshare_slot_image(slot, "main", &image), FRAMESHARE_OK);
        for (uint32_t p = 0; p < image.plane_count; p++) memset(image.planes[p].data, 10 + (int)p, image.planes[p].size);
        struct frameshare_description description = frameshare_description_init();
        description.has_bytes_used = info.color_model == FRAMESHARE_COLOR_COMPRESSED;
        description.bytes_used[0][0] = 777;
        CHECK_RESULT(frameshare_slot_publish(slot, &description, NULL, NULL), FRAMESHARE_OK);

        frameshare_frame *frame = NULL;
        CHECK_RESULT(frameshare_subscriber_next(subscriber, PATIENCE, &frame), FRAMESHARE_OK);
        image = frameshare_image_init();
        CHECK_RESULT(frameshare_frame_image(frame, "main", &image), FRAMESHARE_OK);
        CHECK(image.fourcc == info.fourcc && image.modifier == info.modifier && strcmp(image.stream, "main") == 0);
        CHECK(image.plane_count == (info.plane_count == 0 ? 1 : info.plane_count));
        CHECK(image.memory == FRAMESHARE_MEMORY_MEMFD && image.protection == FRAMESHARE_PROTECTION_SEALED);
        for (uint32_t p = 0; p < image.plane_count; p++) {
            const struct frameshare_plane *plane = &image.planes[p];
            const uint8_t *bytes = plane->data;
            CHECK(bytes[0] == 10 + p && bytes[plane->size - 1] == 10 + p);
            // The slot lies from a page on in a descriptor that has others, too.
            CHECK((plane->offset - stream.planes[p].offset) % 4096 == 0);
            CHECK(plane->fd >= 0 && plane->size == stream.planes[p].size);
            // The descriptor is the very memory, which nobody can map for writing.
            uint8_t byte = 0;
            CHECK(pread(plane->fd, &byte, 1, (off_t)plane->offset) == 1 && byte == 10 + p);
            CHECK(mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, plane->fd, 0) == MAP_FAILED);
            if (info.plane_count == 0) {
                CHECK(plane->bytes_used == 777 && plane->row_bytes == 0);
            } else {
                CHECK(plane->stride % 256 == 0 && plane->row_bytes <= plane->stride);
                CHECK(plane->rows * info.planes[p].vertical_subsampling == 48);
                CHECK(plane->bytes_used == plane->size);
            }
        }
        struct frameshare_image other = frameshare_image_init();
        CHECK_RESULT(frameshare_frame_image_at(frame, 1, &other), FRAMESHARE_NOT_FOUND);
        check_pool(subscriber, frame, &image);
        frameshare_frame_release(frame);
        frameshare_subscriber_close(subscriber);
        frameshare_publisher_close(publisher);
    }
    CHECK(formats > 70);
    struct frameshare_color_space space;
    char name[FRAMESHARE_NAME_SIZE];
    CHECK_RESULT(frameshare_color_space_by_name("Rec709", &space), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_color_space_name(space, name, sizeof name), FRAMESHARE_OK);
    CHECK(strcmp(name, "Rec709") == 0);
}

void test_metadata(void) {
    frameshare_publisher *publisher = open_publisher("metadata", 4);
    frameshare_subscriber *subscriber = open_subscriber("metadata", NULL);
    frameshare_metadata *metadata = NULL;
    CHECK_RESULT(frameshare_metadata_create(&metadata), FRAMESHARE_OK);
    const float gains[2] = {1.5f, 2.25f};
    const int32_t crop[4] = {-1, 2, 640, 480};
    CHECK_RESULT(frameshare_metadata_set_int32(metadata, "ExposureTime", 8000), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_metadata_set_int64(metadata, "SensorTimestamp", 1234567890123), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_metadata_set_double(metadata, "Lux", 12.5), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_metadata_set_float(metadata, "AnalogueGain", 1.5f), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_metadata_set_bool(metadata, "AeLocked", 1), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_metadata_set_string(metadata, "Model", "imx708 \xc3\xa9"), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_metadata_set(metadata, "ColourGains", FRAMESHARE_TYPE_FLOAT | FRAMESHARE_TYPE_ARRAY, gains,
                                         sizeof gains),
                 FRAMESHARE_OK);
    CHECK_RESULT(frameshare_metadata_set(metadata, "ScalerCrop", FRAMESHARE_TYPE_RECTANGLE, crop, sizeof crop),
                 FRAMESHARE_OK);
    CHECK_RESULT(frameshare_metadata_set_int32(metadata, "Gone", 1), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_metadata_remove(metadata, "Gone"), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_metadata_set(metadata, "Bad", FRAMESHARE_TYPE_INT32, crop, 3), FRAMESHARE_ERROR_TYPE);
    CHECK_RESULT(frameshare_metadata_set_int32(metadata, "", 1), FRAMESHARE_ERROR_METADATA);
    publish_value(publisher, 1, metadata);

    frameshare_frame *frame = NULL;
    CHECK_RESULT(frameshare_subscriber_next(subscriber, PATIENCE, &frame), FRAMESHARE_OK);
    int64_t integer = 0;
    double number = 0;
    char text[32];
    size_t needed = 0;
    CHECK_RESULT(frameshare_frame_metadata_int64(frame, "SensorTimestamp", &integer), FRAMESHARE_OK);
    CHECK(integer == 1234567890123);
    CHECK_RESULT(frameshare_frame_metadata_int64(frame, "Lux", &integer), FRAMESHARE_ERROR_TYPE);
    CHECK_RESULT(frameshare_frame_metadata_double(frame, "Lux", &number), FRAMESHARE_OK);
    CHECK(number == 12.5);
    CHECK_RESULT(frameshare_frame_metadata_double(frame, "ExposureTime", &number), FRAMESHARE_OK);
    CHECK(number == 8000);
    CHECK_RESULT(frameshare_frame_metadata_string(frame, "Model", text, sizeof text, &needed), FRAMESHARE_OK);
    CHECK(strcmp(text, "imx708 \xc3\xa9") == 0 && needed == 10);
    CHECK_RESULT(frameshare_frame_metadata_string(frame, "Model", text, 4, &needed), FRAMESHARE_ERROR_TOO_SMALL);
    CHECK_RESULT(frameshare_frame_metadata_int64(frame, "Gone", &integer), FRAMESHARE_NOT_FOUND);
    struct frameshare_entry entry;
    CHECK_RESULT(frameshare_frame_metadata(frame, "ScalerCrop", &entry), FRAMESHARE_OK);
    CHECK(entry.type == FRAMESHARE_TYPE_RECTANGLE && entry.size == 16 && memcmp(entry.data, crop, 16) == 0);
    const char *keys[] = {"ExposureTime", "SensorTimestamp", "Lux", "AnalogueGain",
                          "AeLocked",     "Model",           "ColourGains", "ScalerCrop"};
    size_t cursor = 0, count = 0;
    while (frameshare_frame_metadata_next(frame, &cursor, &entry) == FRAMESHARE_OK) {
        CHECK(count < 8 && entry.key_size == strlen(keys[count]) && memcmp(entry.key, keys[count], entry.key_size) == 0);
        count += 1;
    }
    CHECK(count == 8);
    // Any cursor is taken.
    for (size_t i = 0; i < 500; i++) {
        cursor = i * 7919;
        frameshare_frame_metadata_next(frame, &cursor, &entry);
    }
    cursor = SIZE_MAX;
    CHECK_RESULT(frameshare_frame_metadata_next(frame, &cursor, &entry), FRAMESHARE_NOT_FOUND);
    frameshare_frame_release(frame);

    // What does not fit is refused, and the slot goes back.
    char *long_text = malloc(70000);
    memset(long_text, 'x', 69999);
    long_text[69999] = 0;
    CHECK_RESULT(frameshare_metadata_set_string(metadata, "Long", long_text), FRAMESHARE_OK);
    for (int i = 0; i < 10; i++) {
        frameshare_slot *slot = NULL;
        CHECK_RESULT(frameshare_publisher_next_slot(publisher, PATIENCE, &slot), FRAMESHARE_OK);
        CHECK_RESULT(frameshare_slot_publish(slot, NULL, metadata, NULL), FRAMESHARE_ERROR_METADATA);
    }
    free(long_text);
    CHECK_RESULT(frameshare_metadata_clear(metadata), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_metadata_destroy(metadata), FRAMESHARE_OK);
    frameshare_subscriber_close(subscriber);
    frameshare_publisher_close(publisher);
}

void test_own_buffers(void) {
    struct frameshare_stream stream = frameshare_stream_init();
    CHECK_RESULT(frameshare_stream_compute("main", 64, 48, "R8", 0, &stream), FRAMESHARE_OK);
    struct frameshare_buffer buffers[3];
    uint8_t *bytes[3];
    for (int i = 0; i < 3; i++) {
        int fd = memfd_create("own", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        CHECK(ftruncate(fd, 64 * 48) == 0);
        bytes[i] = mmap(NULL, 64 * 48, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        buffers[i].fd = fd;
        buffers[i].memory = FRAMESHARE_MEMORY_MEMFD;
        buffers[i].size = 64 * 48;
    }
    frameshare_publisher *publisher = NULL;
    // A buffer that its maker could still shrink would make readers fault.
    CHECK_RESULT(frameshare_publisher_open_buffers("own", &stream, 1, 3, buffers, 3, NULL, &publisher),
                 FRAMESHARE_ERROR_MEMORY);
    for (int i = 0; i < 3; i++) CHECK(fcntl(buffers[i].fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == 0);
    CHECK_RESULT(frameshare_publisher_open_buffers("own", &stream, 1, 3, buffers, 2, NULL, &publisher),
                 FRAMESHARE_ERROR_LAYOUT);
    buffers[1].memory = FRAMESHARE_MEMORY_DMA_BUF;
    CHECK_RESULT(frameshare_publisher_open_buffers("own", &stream, 1, 3, buffers, 3, NULL, &publisher),
                 FRAMESHARE_ERROR_MEMORY);
    buffers[1].memory = FRAMESHARE_MEMORY_MEMFD;
    CHECK_RESULT(frameshare_publisher_open_buffers("own", &stream, 1, 3, buffers, 3, NULL, &publisher), FRAMESHARE_OK);
    for (int i = 0; i < 3; i++) close(buffers[i].fd);

    frameshare_subscriber *subscriber = open_subscriber("own", NULL);
    uint32_t slots[8];
    size_t count = 0;
    CHECK_RESULT(frameshare_publisher_take_free(publisher, slots, 8, &count), FRAMESHARE_OK);
    CHECK(count == 3);
    memset(bytes[slots[1]], 42, 64 * 48);
    struct frameshare_description description = frameshare_description_init();
    description.has_sequence = description.has_timestamp = 1;
    description.sequence = 99;
    description.timestamp = 12345;
    description.clock = FRAMESHARE_CLOCK_BOOTTIME;
    uint64_t number = 0;
    CHECK_RESULT(frameshare_publisher_publish(publisher, slots[1], &description, NULL, &number), FRAMESHARE_OK);
    CHECK(number == 1);
    // It is not the source's any more.
    CHECK_RESULT(frameshare_publisher_publish(publisher, slots[1], NULL, NULL, NULL), FRAMESHARE_ERROR_SLOT);
    CHECK_RESULT(frameshare_publisher_publish(publisher, 4000000000u, NULL, NULL, NULL), FRAMESHARE_ERROR_SLOT);
    frameshare_frame *frame = NULL;
    struct frameshare_frame_info info = frameshare_frame_info_init();
    struct frameshare_image image = frameshare_image_init();
    CHECK_RESULT(frameshare_subscriber_next(subscriber, PATIENCE, &frame), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_frame_get_info(frame, &info), FRAMESHARE_OK);
    CHECK(info.sequence == 99 && info.timestamp == 12345 && info.clock == FRAMESHARE_CLOCK_BOOTTIME);
    CHECK_RESULT(frameshare_frame_image(frame, "main", &image), FRAMESHARE_OK);
    CHECK(*(const uint8_t *)image.planes[0].data == 42);
    CHECK(image.protection == FRAMESHARE_PROTECTION_NONE);
    CHECK_RESULT(frameshare_publisher_take_free(publisher, slots, 8, &count), FRAMESHARE_OK);
    CHECK(count == 0);
    // A camera that waits for its buffers hears of the one that the reader gives back, and of no other.
    struct pollfd free_slots = {.fd = -1, .events = POLLIN};
    CHECK_RESULT(frameshare_publisher_free_slot_fd(publisher, &free_slots.fd), FRAMESHARE_OK);
    const uint32_t held = slots[1];
    CHECK_RESULT(frameshare_publisher_publish(publisher, slots[0], NULL, NULL, NULL), FRAMESHARE_OK);  // one is left to it
    uint64_t drained = 0;
    while (poll(&free_slots, 1, 0) == 1) CHECK(read(free_slots.fd, &drained, sizeof drained) == sizeof drained);
    CHECK_RESULT(frameshare_publisher_take_free(publisher, slots, 8, &count), FRAMESHARE_OK);
    CHECK(count == 0 && poll(&free_slots, 1, 50) == 0);
    frameshare_frame_release(frame);
    CHECK(poll(&free_slots, 1, 60 * 1000) == 1);
    CHECK_RESULT(frameshare_publisher_take_free(publisher, slots, 8, &count), FRAMESHARE_OK);
    CHECK(count == 1 && slots[0] == held && bytes[held][0] == 42);
    CHECK_RESULT(frameshare_publisher_give_back(publisher, slots[0]), FRAMESHARE_OK);
    frameshare_subscriber_close(subscriber);
    frameshare_publisher_close(publisher);
    for (int i = 0; i < 3; i++) munmap(bytes[i], 64 * 48);
}

void test_kept_memory(void) {
    frameshare_publisher *publisher = open_publisher("kept", 2);
    frameshare_slot *slot = NULL;
    struct frameshare_image image = frameshare_image_init();
    frameshare_memory *memory = NULL;
    CHECK_RESULT(frameshare_publisher_next_slot(publisher, PATIENCE, &slot), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_slot_image(slot, NULL, &image), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_slot_keep_memory(slot, NULL), FRAMESHARE_ERROR_INVALID_ARGUMENT);
    CHECK_RESULT(frameshare_slot_keep_memory(slot, &memory), FRAMESHARE_OK);
    *(uint8_t *)image.planes[0].data = 7;
    CHECK_RESULT(frameshare_slot_publish(slot, NULL, NULL, NULL), FRAMESHARE_OK);
    frameshare_memory *none = NULL;
    CHECK_RESULT(frameshare_slot_keep_memory(slot, &none), FRAMESHARE_ERROR_INVALID_HANDLE);
    CHECK_RESULT(frameshare_publisher_close(publisher), FRAMESHARE_OK);
    CHECK(*(const uint8_t *)image.planes[0].data == 7);
    CHECK_RESULT(frameshare_memory_release(memory), FRAMESHARE_OK);
    CHECK_RESULT(frameshare_memory_release(memory), FRAMESHARE_ERROR_INVALID_HANDLE);
}
