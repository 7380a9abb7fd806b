#define _GNU_SOURCE
#include "contestant.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static int64_t read_clock(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t contestant_now(void) { return read_clock(CLOCK_MONOTONIC); }

/// CPU time of all threads of this process, and of the daemon that works for it.
static int64_t cpu_now(const struct contestant *self) {
    int64_t own = read_clock(CLOCK_PROCESS_CPUTIME_ID);
    clockid_t clock;
    if (self->daemon_pid > 0 && clock_getcpuclockid(self->daemon_pid, &clock) == 0) own += read_clock(clock);
    return own;
}

void contestant_fail(const char *what, int error) {
    fprintf(stderr, "%s%s%s\n", what, error ? ": " : "", error ? strerror(error) : "");
    exit(1);
}

const char *contestant_path(const struct contestant *self, const char *name) {
    static char path[4096];
    snprintf(path, sizeof path, "%s/%s", self->folder, name);
    return path;
}

static double number_of(const char *option, const char *text, double least, double most) {
    char *end;
    double value = strtod(text, &end);
    if (*text == 0 || *end != 0 || !(value >= least && value <= most)) {
        fprintf(stderr, "--%s %s: give a number from %.0f to %.0f\n", option, text, least, most);
        exit(64);
    }
    return value;
}

static int is_all(const char *option, const char *text) {
    if (strcmp(text, "all") == 0) return 1;
    if (strcmp(text, "header") == 0) return 0;
    fprintf(stderr, "--%s %s: give header or all\n", option, text);
    exit(64);
}

void contestant_begin(struct contestant *self, int argc, char **argv) {
    static const struct option options[] = {
        { "channel", 1, 0, 'c' }, { "way", 1, 0, 'w' },     { "size", 1, 0, 'b' },      { "slots", 1, 0, 'l' },
        { "readers", 1, 0, 'n' }, { "reader", 1, 0, 'i' },  { "rate", 1, 0, 'r' },      { "frames", 1, 0, 'f' },
        { "seconds", 1, 0, 's' }, { "warm-up", 1, 0, 'u' }, { "in-flight", 1, 0, 'q' }, { "connects", 1, 0, 'k' },
        { "spin", 0, 0, 'p' },    { "samples", 1, 0, 'o' }, { "fill", 1, 0, 'a' },    { "touch", 1, 0, 't' },
        { 0, 0, 0, 0 },
    };
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    *self = (struct contestant){ .channel = "bench", .way = "", .size = 1000000, .slots = 8, .readers = 1, .rate = 120,
                                 .frames = 60, .seconds = 10, .warm_up = 5, .in_flight = 4, .samples = "" };
    self->folder = getenv("BENCH_DIR") ? getenv("BENCH_DIR") : ".";
    self->daemon_pid = getenv("BENCH_DAEMON") ? atoi(getenv("BENCH_DAEMON")) : 0;
    if (argc < 2 || (strcmp(argv[1], "publisher") != 0 && strcmp(argv[1], "reader") != 0)) {
        fprintf(stderr, "usage: %s publisher|reader OPTIONS; see Benchmarks/README.md\n", argv[0]);
        exit(64);
    }
    self->is_publisher = argv[1][0] == 'p';
    for (int option; optind = optind < 2 ? 2 : optind, (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'c': self->channel = optarg; break;
        case 'w': self->way = optarg; break;
        case 'b': self->size = (uint64_t)number_of("size", optarg, 64, 1e9); break;
        case 'l': self->slots = (uint32_t)number_of("slots", optarg, 2, 1024); break;
        case 'n': self->readers = (uint32_t)number_of("readers", optarg, 0, 64); break;
        case 'i': self->reader = (uint32_t)number_of("reader", optarg, 0, 63); break;
        case 'r': self->rate = number_of("rate", optarg, 0, 1e6); break;
        case 'f': self->frames = (uint32_t)number_of("frames", optarg, 1, 1e8); break;
        case 's': self->seconds = number_of("seconds", optarg, 0.01, 1e5); break;
        case 'u': self->warm_up = (uint32_t)number_of("warm-up", optarg, 0, 1e6); break;
        case 'q': self->in_flight = (uint32_t)number_of("in-flight", optarg, 1, 64); break;
        case 'k': self->connects = (uint32_t)number_of("connects", optarg, 0, 1e4); break;
        case 'p': self->spin = 1; break;
        case 'o': self->samples = optarg; break;
        case 'a': self->fill_all = is_all("fill", optarg); break;
        case 't': self->touch_all = is_all("touch", optarg); break;
        default: exit(64);
        }
    }
    uint64_t wanted = self->connects ? self->connects : self->frames;
    if (!self->is_publisher && self->readers == 0) self->readers = 1;
    self->capacity = wanted < 200000 ? wanted : 200000;
    self->values = calloc(self->capacity, sizeof *self->values);
    if (!self->values) contestant_fail("no memory for samples", ENOMEM);
    // Present before the first frame: what is measured takes no page faults for it.
    memset(self->values, 1, self->capacity * sizeof *self->values);
}

static void mark(const struct contestant *self, const char *name) {
    int fd = open(contestant_path(self, name), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0) contestant_fail(name, errno);
    close(fd);
}

static void book(struct contestant *self, int64_t value) {
    if (self->count < self->capacity) self->values[self->count++] = value;
}

// MARK: what is said at the end

static int compare(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/// A line of /proc/self/smaps_rollup in bytes; the sum of those that begin with `name`.
static uint64_t memory_of(const char *name) {
    char line[256];
    uint64_t sum = 0, kilobytes;
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    if (!file) return 0;
    while (fgets(line, sizeof line, file)) {
        if (strncmp(line, name, strlen(name)) != 0) continue;
        const char *colon = strchr(line, ':');
        if (colon && sscanf(colon + 1, "%lu", &kilobytes) == 1) sum += kilobytes * 1024;
    }
    fclose(file);
    return sum;
}

static void keep_samples(const struct contestant *self) {
    if (!*self->samples) return;
    FILE *file = fopen(self->samples, "wb");
    if (!file || fwrite(self->values, sizeof *self->values, self->count, file) != self->count || fclose(file) != 0)
        contestant_fail(self->samples, errno);
}

static void print_result(struct contestant *self, uint64_t frames) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    keep_samples(self);
    qsort(self->values, self->count, sizeof *self->values, compare);
    const char *kind = self->is_publisher ? "publish" : "latency";
    char numbers[512];
    int length = 0;
    static const struct { const char *name; double part; } parts[] = {
        { "p50", 0.5 }, { "p90", 0.9 }, { "p99", 0.99 }, { "p99_9", 0.999 }, { "max", 1 },
    };
    for (unsigned i = 0; i < sizeof parts / sizeof *parts; i++) {
        int64_t value = self->count ? self->values[(uint64_t)(parts[i].part * (double)(self->count - 1) + 0.5)] : 0;
        length += snprintf(
            numbers + length, sizeof numbers - (size_t)length, "\"%s_%s_ns\": %ld, ", kind, parts[i].name, value
        );
    }
    printf(
        "{\"role\": \"%s\", \"reader\": %u, \"frames\": %lu, \"lost\": %lu, \"wrong\": %lu, %s"
        "\"cpu_ns_per_frame\": %.1f, \"wall_ns\": %ld, \"connect_ns\": %ld, \"max_rss_bytes\": %ld, "
        "\"private_bytes\": %lu, \"pss_bytes\": %lu}\n",
        self->is_publisher ? "publisher" : "reader", self->reader, frames, self->lost, self->wrong, numbers,
        frames ? (double)self->cpu / (double)frames : 0, self->ended - self->began, self->connect,
        usage.ru_maxrss * 1024, memory_of("Private_"), memory_of("Pss:")
    );
    fflush(stdout);
}

// MARK: publisher

void contestant_fill(const struct contestant *self, void *frame, uint64_t number, int64_t stamp) {
    if (self->fill_all) memset((char *)frame + 16, (int)number, self->size - 16);
    ((volatile uint64_t *)frame)[0] = number;
    ((volatile int64_t *)frame)[1] = stamp;
}

/// Waits until every reader has left its mark. Sleeps meanwhile: system calls are counted, and these are few.
static int wait_for_marks(const struct contestant *self, const char *mark, int seconds) {
    int watch = inotify_init1(IN_CLOEXEC);
    if (watch < 0 || inotify_add_watch(watch, self->folder, IN_CREATE) < 0) contestant_fail("inotify", errno);
    int64_t limit = contestant_now() + seconds * 1000000000ll;
    uint32_t found = 0;
    while (1) {
        DIR *folder = opendir(self->folder);
        if (!folder) contestant_fail(self->folder, errno);
        found = 0;
        for (struct dirent *entry; (entry = readdir(folder));)
            found += strncmp(entry->d_name, mark, strlen(mark)) == 0;
        closedir(folder);
        int64_t rest = limit - contestant_now();
        if (found >= self->readers || rest <= 0) break;
        struct pollfd news = { .fd = watch, .events = POLLIN };
        char events[4096];
        if (poll(&news, 1, (int)(rest / 1000000) + 1) > 0 && read(watch, events, sizeof events) < 0)
            contestant_fail("inotify", errno);
    }
    close(watch);
    return found >= self->readers;
}

void contestant_wait_for_readers_end(const struct contestant *self) { wait_for_marks(self, "done-", 10); }

static void sleep_until(const struct contestant *self, int64_t due) {
    struct timespec t = { due / 1000000000, due % 1000000000 };
    if (self->spin) {
        while (contestant_now() < due) {}
    } else {
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR) {}
    }
}

void contestant_publisher_run(
    struct contestant *self, void *context, contestant_prepare prepare, contestant_publish publish, contestant_wait wait
) {
    mark(self, "open");
    if (!wait_for_marks(self, "ready-", 30)) contestant_fail("readers did not connect within 30 s", 0);
    usleep(20000);  // until they sleep
    mark(self, "began");
    int64_t period = self->rate > 0 ? (int64_t)(1e9 / self->rate) : 0;
    int64_t due = contestant_now() + period;
    uint64_t number = 0, total = (uint64_t)self->warm_up + self->frames;
    for (; number < total; number++) {
        if (period) {
            sleep_until(self, due);
            due += period;
        }
        if (number == self->warm_up) {
            self->cpu = -cpu_now(self);
            self->began = contestant_now();
        }
        int64_t stamp = contestant_now();
        if (!period && number > self->warm_up && stamp - self->began > (int64_t)(self->seconds * 1e9)) break;
        int error = publish(context, number, stamp);
        if (error) contestant_fail("publish", error);
        if (number >= self->warm_up) book(self, contestant_now() - stamp);
        if (period && prepare && (error = prepare(context))) contestant_fail("get a slot", error);
        // One too many would be lost where nothing else holds the publisher back.
        if (!period && wait && (error = wait(context, self->in_flight - 1))) contestant_fail("wait for readers", error);
    }
    self->ended = contestant_now();
    self->cpu += cpu_now(self);
    // The last frame's readers are done by then, so that the end replaces no frame.
    usleep(period ? (useconds_t)(period / 1000 < 100000 ? period / 1000 : 100000) : 1000);
    int error = publish(context, CONTESTANT_LAST, contestant_now());
    if (error) contestant_fail("publish", error);
    print_result(self, number - self->warm_up);
}

// MARK: reader

void contestant_connecting(struct contestant *self) { self->connect_began = contestant_now(); }

static void mark_as_reader(const struct contestant *self, const char *what) {
    char name[32];
    snprintf(name, sizeof name, "%s-%u", what, self->reader);
    mark(self, name);
}

void contestant_connected(struct contestant *self) {
    self->connect = contestant_now() - self->connect_began;
    if (self->count == 0) mark_as_reader(self, "ready");
}

int contestant_received(struct contestant *self, const void *frame) {
    int64_t now = contestant_now();
    uint64_t number = ((const volatile uint64_t *)frame)[0];
    int64_t latency = now - ((const volatile int64_t *)frame)[1];
    if (number == CONTESTANT_LAST) return 0;
    for (uint64_t i = 64; self->touch_all && i < self->size; i += 64) (void)((const volatile uint8_t *)frame)[i];
    if (self->seen == 0) self->connect += latency;
    if (number < self->next || latency < 0) {
        self->wrong++;
    } else {
        self->lost += number - self->next;
        self->next = number + 1;
    }
    if (self->seen == self->warm_up) {
        self->cpu = -read_clock(CLOCK_PROCESS_CPUTIME_ID);
        self->began = now;
    }
    if (self->seen++ >= self->warm_up) book(self, latency);
    self->ended = now;
    return 1;
}

void contestant_received_first(struct contestant *self, const void *frame) {
    int64_t latency = contestant_now() - ((const volatile int64_t *)frame)[1];
    self->connect += latency;
    book(self, self->connect);
    self->seen++;
}

void contestant_reader_end(struct contestant *self) {
    if (self->seen > self->warm_up && !self->connects) self->cpu += read_clock(CLOCK_PROCESS_CPUTIME_ID);
    mark_as_reader(self, "done");
    print_result(self, self->connects ? self->count : self->seen > self->warm_up ? self->seen - self->warm_up : 0);
}
