/* What the documents' C snippets leave to their reader. */
#include <errno.h>
#include <frameshare.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static frameshare_subscriber *camera;
static frameshare_publisher *publisher;
static frameshare_frame *frame;
static frameshare_slot *slot;
static volatile sig_atomic_t running;

static inline int fail(const char *reason) { return fprintf(stderr, "%s\n", reason); }
static inline void detect(const struct frameshare_image *image, const void *pixels) { (void)image, (void)pixels; }
