#include "devices.h"

#include <pthread.h>
#include <unistd.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_DEVICES = 16, MOST_DESCRIPTORS = 65536 };

static struct {
    char *path;
    char *channel;
} known[MOST_DEVICES];
static int known_count;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static device *table[MOST_DESCRIPTORS];
/* Looked at before the lock: programs make many calls on other descriptors. */
static unsigned char ours[MOST_DESCRIPTORS];
/* The highest descriptor that was ever ours: a program without any pays nothing where it unmaps memory. */
static int highest = -1;

/* The process whose table it is: a child of vfork() shares its parent's memory, and closes descriptors of its own. */
static pid_t owner;

static void take_lock(void) { pthread_mutex_lock(&lock); }
static void give_lock(void) { pthread_mutex_unlock(&lock); }

/* The library answers a child that does not exec with an error, and so do its devices. */
static void
begin_anew(void)
{
    owner = getpid();
    pthread_mutex_init(&lock, NULL);
}

static void
read_settings(void)
{
    const char *settings = getenv("FRAMESHARE_V4L2");
    char *copy = settings ? strdup(settings) : NULL, *rest = copy, *line;
    while (copy && known_count < MOST_DEVICES && (line = strsep(&rest, "\n"))) {
        char *path = strchr(line, '=');
        if (!path || path[1] != '/') continue;
        *path++ = 0;
        known[known_count].channel = strdup(line);
        known[known_count].path = strdup(path);
        if (known[known_count].channel && known[known_count].path) known_count++;
    }
    free(copy);
    owner = getpid();
    pthread_atfork(take_lock, give_lock, begin_anew);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

static int
index_of(const char *path)
{
    pthread_once(&once, read_settings);
    if (!path || path[0] != '/') return -1;
    for (int i = 0; i < known_count; i++)
        if (strcmp(known[i].path, path) == 0) return i;
    return -1;
}

const char *
devices_channel(const char *path)
{
    int index = index_of(path);
    return index < 0 ? NULL : known[index].channel;
}

unsigned
devices_minor(const char *path)
{
    int index = index_of(path);
    return index < 0 ? 0 : (unsigned)index;
}

const char *
devices_path(unsigned minor)
{
    pthread_once(&once, read_settings);
    return minor < (unsigned)known_count ? known[minor].path : NULL;
}

device *
devices_get(int fd)
{
    if (fd < 0 || fd >= MOST_DESCRIPTORS || !__atomic_load_n(&ours[fd], __ATOMIC_ACQUIRE)) return NULL;
    pthread_mutex_lock(&lock);
    device *found = table[fd] ? device_ref(table[fd]) : NULL;
    pthread_mutex_unlock(&lock);
    return found;
}

static device *
exchange(int fd, device *now)
{
    pthread_mutex_lock(&lock);
    device *before = table[fd];
    table[fd] = now;
    if (now && fd > highest) __atomic_store_n(&highest, fd, __ATOMIC_RELEASE);
    __atomic_store_n(&ours[fd], now != NULL, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&lock);
    return before;
}

void
devices_put(int fd, device *device)
{
    if (fd < 0 || fd >= MOST_DESCRIPTORS || getpid() != owner) {
        device_unref(device);
        return;
    }
    struct device *before = exchange(fd, device);
    if (before) device_unref(before);
}

void
devices_drop(int fd)
{
    if (fd < 0 || fd >= MOST_DESCRIPTORS || !__atomic_load_n(&ours[fd], __ATOMIC_ACQUIRE) || getpid() != owner) return;
    device *before = exchange(fd, NULL);
    if (before) device_unref(before);
}

void
devices_forget(void *address, size_t length)
{
    int last = __atomic_load_n(&highest, __ATOMIC_ACQUIRE);
    for (int fd = 0; fd <= last; fd++) {
        device *device = devices_get(fd);
        if (!device) continue;
        device_munmap(device, address, length);
        device_unref(device);
    }
}

int
devices_priority(const char *path)
{
    int highest_priority = 0;
    pthread_mutex_lock(&lock);
    for (int fd = 0; fd <= highest; fd++)
        if (table[fd] && strcmp(device_path(table[fd]), path) == 0 && device_priority(table[fd]) > highest_priority)
            highest_priority = device_priority(table[fd]);
    pthread_mutex_unlock(&lock);
    return highest_priority;
}

void
devices_drop_range(unsigned first, unsigned last)
{
    int most = __atomic_load_n(&highest, __ATOMIC_ACQUIRE);
    for (unsigned fd = first; most >= 0 && fd <= last && fd <= (unsigned)most; fd++) devices_drop((int)fd);
}
