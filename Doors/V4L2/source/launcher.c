/* frameshare-v4l2 CHANNEL [--device PATH] [CHANNEL --device PATH ...] -- PROGRAM [ARGUMENT ...]: runs an unmodified program,
 * to which channels are V4L2 cameras. */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: frameshare-v4l2 CHANNEL [--device PATH] ... -- PROGRAM [ARGUMENT ...]\n"
    "\n"
    "Runs a program to which a FrameShare channel is the camera /dev/video0 (or PATH). No kernel module, no root: a library that\n"
    "is loaded before the program answers for the device. Several channels become several cameras.\n"
    "\n"
    "  frameshare-v4l2 camera0 -- ffplay -f v4l2 /dev/video0\n"
    "  frameshare-v4l2 front --device /dev/video0 back --device /dev/video2 -- motion\n"
    "\n"
    "It can't help programs that are linked statically, that are set-user-ID, or that make system calls without the C library\n"
    "(such as those in Go): use v4l2loopback for them.\n";

/* The library beside this program, as in a build folder, or where it was installed. */
static int
find_library(char *path, size_t size)
{
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length > 0) {
        self[length] = 0;
        snprintf(path, size, "%s/libframeshare-v4l2.so", dirname(self));
        if (access(path, R_OK) == 0) return 1;
    }
    snprintf(path, size, "%s/libframeshare-v4l2.so", LIBRARY_FOLDER);
    return access(path, R_OK) == 0;
}

int
main(int count, char **arguments)
{
    char devices[4096] = "", library[PATH_MAX], preload[2 * PATH_MAX];
    size_t used = 0;
    int i = 1, cameras = 0;

    if (count > 1 && (strcmp(arguments[1], "--help") == 0 || strcmp(arguments[1], "-h") == 0)) {
        fputs(usage, stdout);
        return 0;
    }
    for (; i < count && strcmp(arguments[i], "--") != 0; i++) {
        const char *channel = arguments[i];
        char standard[32];
        /* As cameras are numbered: a USB camera takes two. */
        snprintf(standard, sizeof standard, "/dev/video%d", 2 * cameras);
        const char *device = standard;
        if (channel[0] == '-') {
            fprintf(stderr, "frameshare-v4l2: unknown option %s\n%s", channel, usage);
            return 64;
        }
        if (i + 2 < count && strcmp(arguments[i + 1], "--device") == 0) {
            device = arguments[i + 2];
            i += 2;
        }
        if (strpbrk(channel, "=\n/") || strchr(device, '\n') || device[0] != '/') {
            fprintf(stderr, "frameshare-v4l2: '%s' is no channel's name, or '%s' no absolute path\n", channel, device);
            return 64;
        }
        int written = snprintf(devices + used, sizeof devices - used, "%s=%s\n", channel, device);
        if (written < 0 || (size_t)written >= sizeof devices - used) {
            fputs("frameshare-v4l2: too many channels\n", stderr);
            return 64;
        }
        used += (size_t)written;
        cameras++;
    }
    if (cameras == 0 || i + 1 >= count) {
        fputs(usage, stderr);
        return 64;
    }
    if (!find_library(library, sizeof library)) {
        fprintf(stderr, "frameshare-v4l2: libframeshare-v4l2.so is neither beside this program nor in %s\n", LIBRARY_FOLDER);
        return 1;
    }
    const char *before = getenv("LD_PRELOAD");
    snprintf(preload, sizeof preload, "%s%s%s", library, before && *before ? ":" : "", before ? before : "");
    setenv("LD_PRELOAD", preload, 1);
    setenv("FRAMESHARE_V4L2", devices, 1);
    execvp(arguments[i + 1], arguments + i + 1);
    fprintf(stderr, "frameshare-v4l2: can't run '%s': %s\n", arguments[i + 1], strerror(errno));
    return errno == ENOENT ? 127 : 126;
}
