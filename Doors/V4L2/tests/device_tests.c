/* A program that knows V4L2 alone reads channels. This program publishes; it runs itself again under frameshare-v4l2 to read.
 *
 *     device-tests LAUNCHER            runs all tests
 *     device-tests --read WAY FRAMES   opens /dev/video0, reads, checks each byte, and prints what it saw
 */
#include <errno.h>
#include <fcntl.h>
#include <frameshare.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int passed, failed;
static const char *launcher;
static char own_program[4096];

static void
result(const char *name, bool good)
{
    printf("%s: %s\n", good ? "ok" : "FAILED", name);
    fflush(stdout);
    if (good) passed++;
    else failed++;
}

/* A frame says its own number: the first byte of each plane's first row is that of the frame; the others depend on it. */
static uint8_t
sample(uint8_t value, uint32_t plane, size_t row, size_t column)
{
    return row == 0 && column == 0 ? value : (uint8_t)(value * 31 + plane * 71 + row * 13 + column * 7 + (column >> 8));
}

/* ------------------------------------------------------------------------------------------------ the reader */

static void
fail(const char *what)
{
    fprintf(stderr, "reader: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* What the kernel's documents say of where planes lie, for the formats of these tests. */
static size_t
check(const struct v4l2_pix_format *format, const uint8_t *bytes)
{
    size_t stride = format->bytesperline, at = 0;
    struct {
        size_t row, used, rows;
    } planes[3] = {0};
    int count = 1;
    switch (format->pixelformat) {
    case V4L2_PIX_FMT_YUYV: planes[0].used = format->width * 2; break;
    case V4L2_PIX_FMT_BGR24: planes[0].used = format->width * 3; break;
    case V4L2_PIX_FMT_GREY: planes[0].used = format->width; break;
    case V4L2_PIX_FMT_NV12:
        planes[0].used = format->width;
        planes[1].used = format->width;
        planes[1].row = stride;
        planes[1].rows = format->height / 2;
        count = 2;
        break;
    case V4L2_PIX_FMT_YUV420:
        planes[0].used = format->width;
        for (int i = 1; i < 3; i++) {
            planes[i].used = format->width / 2;
            planes[i].row = stride / 2;
            planes[i].rows = format->height / 2;
        }
        count = 3;
        break;
    default: fail("unexpected format");
    }
    planes[0].row = stride;
    planes[0].rows = format->height;
    uint8_t value = bytes[0];
    for (int plane = 0; plane < count; plane++) {
        for (size_t row = 0; row < planes[plane].rows; row++)
            for (size_t column = 0; column < planes[plane].used; column++)
                if (bytes[at + row * planes[plane].row + column] != sample(value, (uint32_t)plane, row, column)) {
                    fprintf(stderr, "reader: plane %d, row %zu, column %zu differs\n", plane, row, column);
                    exit(1);
                }
        at += planes[plane].row * planes[plane].rows;
    }
    return value;
}

static int
reader(const char *way, int frames)
{
    struct stat status;
    struct v4l2_format format = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE};
    struct v4l2_capability capability;
    bool waits = strcmp(way, "block") == 0;
    int fd = open("/dev/video0", O_RDWR | (waits || strcmp(way, "read") == 0 ? 0 : O_NONBLOCK));
    if (fd < 0) fail("open");
    if (fstat(fd, &status) != 0 || !S_ISCHR(status.st_mode)) fail("fstat");
    if (ioctl(fd, VIDIOC_QUERYCAP, &capability) != 0) fail("QUERYCAP");
    if (ioctl(fd, VIDIOC_G_FMT, &format) != 0) fail("G_FMT");
    struct v4l2_pix_format *picture = &format.fmt.pix;
    printf("%ux%u\n", picture->width, picture->height);

    if (strcmp(way, "read") == 0) {
        uint8_t *bytes = malloc(picture->sizeimage);
        for (int i = 0; i < frames; i++) {
            size_t got = 0;
            /* In two pieces, as a pipe would. */
            while (got < picture->sizeimage) {
                size_t wanted = got == 0 ? picture->sizeimage / 3 : picture->sizeimage - got;
                ssize_t now = read(fd, bytes + got, wanted);
                if (now <= 0) fail("read");
                got += (size_t)now;
            }
            printf("frame %zu\n", check(picture, bytes));
            fflush(stdout);
        }
        free(bytes);
        return close(fd) == 0 ? 0 : 1;
    }

    struct v4l2_requestbuffers request = {.count = 4, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP};
    void *mapped[32];
    if (ioctl(fd, VIDIOC_REQBUFS, &request) != 0 || request.count < 2) fail("REQBUFS");
    for (uint32_t i = 0; i < request.count; i++) {
        struct v4l2_buffer buffer = {.index = i, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP};
        if (ioctl(fd, VIDIOC_QUERYBUF, &buffer) != 0) fail("QUERYBUF");
        mapped[i] = mmap(NULL, buffer.length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, buffer.m.offset);
        if (mapped[i] == MAP_FAILED) fail("mmap");
        if (ioctl(fd, VIDIOC_QBUF, &buffer) != 0) fail("QBUF");
    }
    int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    if (ioctl(fd, VIDIOC_STREAMON, &type) != 0) fail("STREAMON");
    /* Copies of a descriptor are the device too. */
    int copy = dup(fd);
    close(fd);
    fd = copy;
    int set = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN};
    epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
    uint32_t sequence = 0;
    for (int i = 0; i < frames;) {
        struct v4l2_buffer buffer = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP};
        if (strcmp(way, "poll") == 0) {
            struct pollfd wait = {.fd = fd, .events = POLLIN};
            if (poll(&wait, 1, -1) < 0) fail("poll");
        } else if (strcmp(way, "select") == 0) {
            fd_set readable;
            FD_ZERO(&readable);
            FD_SET(fd, &readable);
            if (select(fd + 1, &readable, NULL, NULL, NULL) < 0) fail("select");
        } else if (strcmp(way, "epoll") == 0) {
            if (epoll_wait(set, &event, 1, -1) < 0) fail("epoll_wait");
        }
        if (ioctl(fd, VIDIOC_DQBUF, &buffer) != 0) {
            if (errno == EAGAIN && !waits) continue;
            printf("DQBUF: %s\n", strerror(errno));
            fflush(stdout);
            return errno == EIO ? 5 : errno == ENODEV ? 6 : 1;
        }
        if (i == 0 && buffer.sequence != 0) fail("the first sequence number");
        if (i > 0 && buffer.sequence <= sequence) fail("sequence");
        sequence = buffer.sequence;
        printf("frame %zu\n", check(picture, mapped[buffer.index]));
        fflush(stdout);
        /* A program may draw in its buffer: nobody else sees it, and it is gone with the next frame. */
        memset(mapped[buffer.index], 0xEE, picture->sizeimage);
        if (ioctl(fd, VIDIOC_QBUF, &buffer) != 0) fail("QBUF");
        i++;
    }
    if (ioctl(fd, VIDIOC_STREAMOFF, &type) != 0) fail("STREAMOFF");
    for (uint32_t i = 0; i < request.count; i++) munmap(mapped[i], picture->sizeimage);
    request.count = 0;
    if (ioctl(fd, VIDIOC_REQBUFS, &request) != 0) fail("REQBUFS 0");
    return close(fd) == 0 ? 0 : 1;
}

/* ------------------------------------------------------------------------------------------------ the publisher */

static frameshare_publisher *
publisher_of(const char *format, uint32_t width, uint32_t height, uint32_t alignment)
{
    struct frameshare_stream stream = frameshare_stream_init();
    frameshare_publisher *publisher = NULL;
    if (frameshare_stream_compute("main", width, height, format, alignment, &stream) != FRAMESHARE_OK ||
        frameshare_publisher_open("camera", &stream, 1, 6, NULL, &publisher) != FRAMESHARE_OK) {
        fprintf(stderr, "publisher: %s\n", frameshare_last_error());
        exit(1);
    }
    return publisher;
}

static void
publish(frameshare_publisher *publisher, uint8_t value)
{
    frameshare_slot *slot;
    struct frameshare_image image = frameshare_image_init();
    if (frameshare_publisher_try_next_slot(publisher, &slot) != FRAMESHARE_OK) return;
    frameshare_slot_image(slot, NULL, &image);
    for (uint32_t plane = 0; plane < image.plane_count; plane++)
        for (size_t row = 0; row < image.planes[plane].rows; row++)
            for (size_t column = 0; column < image.planes[plane].row_bytes; column++)
                ((uint8_t *)image.planes[plane].data)[row * image.planes[plane].stride + column] =
                    sample(value, plane, row, column);
    frameshare_slot_publish(slot, NULL, NULL, NULL);
}

static pid_t
start_reader(const char *way, int frames, FILE **output)
{
    int ends[2];
    char count[16];
    snprintf(count, sizeof count, "%d", frames);
    if (pipe(ends) != 0) exit(1);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        execl(launcher, launcher, "camera", "--", own_program, "--read", way, count, NULL);
        _exit(127);
    }
    close(ends[1]);
    *output = fdopen(ends[0], "r");
    return child;
}

/* Publishes until the reader ends; its exit status, or -1 where a signal ended it. */
static int
serve(frameshare_publisher *publisher, pid_t child)
{
    int status;
    for (uint8_t value = 1; waitpid(child, &status, WNOHANG) == 0; value++) {
        publish(publisher, value);
        usleep(3000);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int
lines_with(FILE *output, const char *word)
{
    char line[128];
    int count = 0;
    while (fgets(line, sizeof line, output)) count += strstr(line, word) != NULL;
    fclose(output);
    return count;
}

static void
every_way_to_read(void)
{
    static const char *ways[] = {"block", "poll", "select", "epoll", "read"};
    static const struct {
        const char *format;
        uint32_t width, height, alignment;
    } kinds[] = {{"YUYV", 320, 240, 1}, {"NV12", 322, 242, 64}, {"YUV420", 642, 480, 64}, {"RGB888", 642, 480, 1},
                 {"R8", 1920, 1080, 1}};
    for (size_t w = 0; w < sizeof ways / sizeof *ways; w++)
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
            char name[128];
            FILE *output;
            frameshare_publisher *publisher =
                publisher_of(kinds[k].format, kinds[k].width, kinds[k].height, kinds[k].alignment);
            pid_t child = start_reader(ways[w], 20, &output);
            int status = serve(publisher, child);
            int frames = lines_with(output, "frame ");
            snprintf(name, sizeof name, "%s %ux%u by %s", kinds[k].format, kinds[k].width, kinds[k].height, ways[w]);
            result(name, status == 0 && frames == 20);
            frameshare_publisher_close(publisher);
        }
}

/* Goes on with a publisher that comes back as it was; one of another size is an error, as a lost signal is. */
static void
a_publisher_that_comes_back(void)
{
    FILE *output;
    char line[128];
    int status = 0, seen = 0;
    frameshare_publisher *publisher = publisher_of("YUYV", 320, 240, 1);
    pid_t child = start_reader("poll", 1000000, &output);
    fcntl(fileno(output), F_SETFL, O_NONBLOCK);
    bool right = true;
    for (int round = 0; round < 3; round++) {
        /* Each publisher's frames have numbers of their own: a buffer that shows an earlier one's memory is seen. */
        int lowest = 1 + round * 80, number;
        bool begun = false;
        for (seen = 0; seen < 20;) {
            publish(publisher, (uint8_t)(lowest + seen));
            usleep(3000);
            while (fgets(line, sizeof line, output)) {
                if (sscanf(line, "frame %d", &number) != 1) continue;
                bool is_own = number >= lowest && number < lowest + 80;
                if (begun && !is_own) right = false;
                begun |= is_own;
                seen += is_own;
            }
            clearerr(output);
            if (!right || waitpid(child, &status, WNOHANG) != 0) {
                result("a publisher that comes back", false);
                kill(child, SIGKILL);
                frameshare_publisher_close(publisher);
                return;
            }
        }
        frameshare_publisher_close(publisher);
        publisher = publisher_of(round == 2 ? "NV12" : "YUYV", 320, 240, 1);
    }
    result("a publisher that comes back", true);
    result("images of another kind are EIO", serve(publisher, child) == 5);
    fclose(output);
    frameshare_publisher_close(publisher);
}

static void
a_reader_that_is_killed(void)
{
    FILE *output;
    char line[128];
    frameshare_publisher *publisher = publisher_of("YUYV", 320, 240, 1);
    for (int round = 0; round < 10; round++) {
        pid_t child = start_reader("block", 1000000, &output);
        fcntl(fileno(output), F_SETFL, O_NONBLOCK);
        for (int seen = 0; seen < 3;) {
            publish(publisher, (uint8_t)(seen + 1));
            usleep(3000);
            while (fgets(line, sizeof line, output)) seen += strstr(line, "frame ") != NULL;
            clearerr(output);
        }
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        fclose(output);
    }
    struct frameshare_channel_statistics statistics = {.struct_size = sizeof statistics};
    do {
        usleep(10000);
        frameshare_publisher_get_statistics(publisher, &statistics, NULL, 0);
    } while (statistics.subscriber_count > 0 || statistics.slots_free + statistics.slots_at_source < statistics.slots);
    result("readers that are killed leave nothing behind", true);
    frameshare_publisher_close(publisher);
}

/* v4l2-ctl sets and reads a source's controls; the source is this program, which takes settings between two frames. */
static void
controls(void)
{
    struct frameshare_control list[3] = {frameshare_control_init(), frameshare_control_init(), frameshare_control_init()};
    static const struct frameshare_control_item items[] = {{"0", "Disabled"}, {"1", "50 Hz"}, {"2", "60 Hz"}};
    frameshare_settings *settings;
    frameshare_publisher *publisher = publisher_of("YUYV", 320, 240, 1);
    list[0].kind = FRAMESHARE_CONTROL_INTEGER;
    list[0].name = "brightness";
    list[0].minimum = "0";
    list[0].maximum = "255";
    list[0].standard = "128";
    list[0].value = "100";
    list[1].kind = FRAMESHARE_CONTROL_MENU;
    list[1].name = "power_line_frequency";
    list[1].value = "1";
    list[1].items = items;
    list[1].item_count = 3;
    list[2].kind = FRAMESHARE_CONTROL_BOOLEAN;
    list[2].name = "horizontal_flip";
    list[2].value = "false";
    if (frameshare_publisher_offer_controls(publisher, list, 3, &settings) != FRAMESHARE_OK) exit(1);

    int ends[2], status, taken = 0;
    char line[256], said[4096] = "";
    if (pipe(ends) != 0) exit(1);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        execl(launcher, launcher, "camera", "--", "v4l2-ctl", "--set-ctrl",
              "brightness=42,power_line_frequency=2,horizontal_flip=1", "--get-ctrl",
              "brightness,power_line_frequency,horizontal_flip", "--list-ctrls-menus", NULL);
        _exit(127);
    }
    close(ends[1]);
    while (waitpid(child, &status, WNOHANG) == 0) {
        frameshare_setting *setting;
        const char *name, *value;
        if (frameshare_settings_next(settings, 10000000, &setting) != FRAMESHARE_OK) continue;
        if (frameshare_setting_get(setting, &name, &value) != FRAMESHARE_OK) exit(1);
        taken += (strcmp(name, "brightness") == 0 && strcmp(value, "42") == 0) ||
                 (strcmp(name, "power_line_frequency") == 0 && strcmp(value, "2") == 0) ||
                 (strcmp(name, "horizontal_flip") == 0 && strcmp(value, "true") == 0);
        frameshare_setting_accept(setting, value);
    }
    FILE *output = fdopen(ends[0], "r");
    while (fgets(line, sizeof line, output)) strncat(said, line, sizeof said - strlen(said) - 1);
    fclose(output);
    bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0 && taken == 3 && strstr(said, "brightness: 42") &&
                strstr(said, "power_line_frequency: 2") && strstr(said, "60 Hz");
    if (!good) fputs(said, stdout);
    result("v4l2-ctl sets and reads the controls", good);
    frameshare_settings_close(settings);
    frameshare_publisher_close(publisher);
}

static void
no_channel(void)
{
    FILE *output;
    int status;
    pid_t child = start_reader("block", 1, &output);
    waitpid(child, &status, 0);
    fclose(output);
    result("no channel is no device", WIFEXITED(status) && WEXITSTATUS(status) == 1);
}

int
main(int count, char **arguments)
{
    if (count == 4 && strcmp(arguments[1], "--read") == 0) return reader(arguments[2], atoi(arguments[3]));
    if (count != 2 || !realpath(arguments[0], own_program)) {
        fprintf(stderr, "usage: device-tests LAUNCHER\n");
        return 64;
    }
    launcher = arguments[1];
    char folder[] = "/tmp/frameshare-v4l2-XXXXXX";
    if (!mkdtemp(folder)) return 1;
    setenv("FRAMESHARE_DIR", folder, 1);
    no_channel();
    every_way_to_read();
    a_publisher_that_comes_back();
    a_reader_that_is_killed();
    controls();
    rmdir(folder);
    printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
