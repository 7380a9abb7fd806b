/* frameshare-pipewire: a channel as a camera of PipeWire's, or a camera of PipeWire's as a channel. */
#include "camera.h"
#include "capture.h"
#include "stopping.h"

#include <errno.h>
#include <frameshare.h>
#include <getopt.h>
#include <pipewire/pipewire.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: frameshare-pipewire CHANNEL [OPTION ...]\n"
    "       frameshare-pipewire --publish CHANNEL [--from NODE] [OPTION ...]\n"
    "\n"
    "The first makes a channel a camera of PipeWire's, for browsers, desktop applications and portals. Its buffers are the\n"
    "channel's own: nothing is copied. While nobody looks, the channel is not read. The second publishes a camera or a screen\n"
    "cast of PipeWire's as a channel.\n"
    "\n"
    "  --stream NAME       the channel's stream to show, instead of its first\n"
    "  --node-name NAME    the node's name, instead of frameshare.CHANNEL\n"
    "  --description TEXT  what people choose it by, instead of CHANNEL (FrameShare)\n"
    "  --budget N          the frames that PipeWire's programs may hold at once (1 to 64, instead of 4); later ones pass them by\n"
    "  --copy WHEN         auto: copies images whose rows are padded in a way that many programs don't know; always; never\n"
    "  --publish CHANNEL   publishes PipeWire's frames as this channel\n"
    "  --from NODE         the node to read, by name or serial number (pw-cli ls Node), instead of the session's choice\n"
    "  --slots N           the slots of the published channel (2 to 1000, instead of 8)\n"
    "  --once              ends when the channel ends, instead of waiting for it to come back\n"
    "  --quiet             says nothing but errors\n"
    "  --version, --help\n"
    "\n"
    "Ends in order at Ctrl-C. Exit status: 0, 1 for an error, 64 for a wrong command line.\n";

static int wrong(const char *what, const char *value) {
    fprintf(stderr, "frameshare-pipewire: %s%s%s\nTry 'frameshare-pipewire --help'.\n", what, value ? " " : "", value ? value : "");
    return 64;
}

/* A decimal number from `least` to `most`; false for anything else. */
static int number(const char *text, uint32_t least, uint32_t most, uint32_t *result) {
    char *end = NULL;
    if (*text < '0' || *text > '9') return 0;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (errno != 0 || *end != 0 || value < least || value > most) return 0;
    *result = (uint32_t)value;
    return 1;
}

int main(int count, char **arguments) {
    enum { STREAM = 256, NODE, DESCRIPTION, BUDGET, COPY, PUBLISH, FROM, SLOTS, ONCE, QUIET, VERSION, HELP };
    static const struct option names[] = {
        {"stream", required_argument, NULL, STREAM},
        {"node-name", required_argument, NULL, NODE},
        {"description", required_argument, NULL, DESCRIPTION},
        {"budget", required_argument, NULL, BUDGET},
        {"copy", required_argument, NULL, COPY},
        {"publish", required_argument, NULL, PUBLISH},
        {"from", required_argument, NULL, FROM},
        {"slots", required_argument, NULL, SLOTS},
        {"once", no_argument, NULL, ONCE},
        {"quiet", no_argument, NULL, QUIET},
        {"version", no_argument, NULL, VERSION},
        {"help", no_argument, NULL, HELP},
        {NULL, 0, NULL, 0},
    };
    struct camera_options camera = {.budget = 4};
    struct capture_options capture = {.slots = 8};
    int option;
    opterr = 0;
    while ((option = getopt_long(count, arguments, "h", names, NULL)) != -1) switch (option) {
        case STREAM: camera.stream = optarg; break;
        case NODE: camera.node = optarg; break;
        case DESCRIPTION: camera.description = optarg; break;
        case BUDGET:
            if (!number(optarg, 1, 64, &camera.budget)) return wrong("--budget takes 1 to 64 frames, not", optarg);
            break;
        case COPY:
            if (strcmp(optarg, "auto") == 0) camera.copying = COPY_WHERE_NEEDED;
            else if (strcmp(optarg, "always") == 0) camera.copying = COPY_ALWAYS;
            else if (strcmp(optarg, "never") == 0) camera.copying = COPY_NEVER;
            else return wrong("--copy takes auto, always or never, not", optarg);
            break;
        case PUBLISH: capture.channel = optarg; break;
        case FROM: capture.node = optarg; break;
        case SLOTS:
            if (!number(optarg, 2, 1000, &capture.slots)) return wrong("--slots takes 2 to 1000, not", optarg);
            break;
        case ONCE: camera.once = capture.once = true; break;
        case QUIET: camera.quiet = capture.quiet = true; break;
        case VERSION: printf("%s\n", frameshare_version()); return 0;
        case HELP:
        case 'h': fputs(usage, stdout); return 0;
        default: return wrong("unknown option, or one without its value:", arguments[optind - 1]);
        }
    if (capture.channel && optind < count) return wrong("with --publish there is no further argument, such as", arguments[optind]);
    if (!capture.channel && optind >= count) return wrong("name a channel ('frameshare list' shows them)", NULL);
    if (!capture.channel && count - optind > 1) return wrong("one channel, not also", arguments[optind + 1]);
    if (!capture.channel && capture.node) return wrong("--from goes with --publish", NULL);
    camera.channel = arguments[optind];
    int result = stopping_prepare();
    if (result < 0) {
        fprintf(stderr, "frameshare-pipewire: eventfd: %s\n", strerror(-result));
        return 1;
    }
    pw_init(&count, &arguments);
    int status = capture.channel ? capture_run(&capture) : camera_run(&camera);
    pw_deinit();
    return status;
}
