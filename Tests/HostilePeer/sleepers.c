// Readers that go for the sleep of others: by every word that they were given, with every futex call that needs no more
// than reading.
#define _GNU_SOURCE
#include "attached.h"
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SOME_WORDS = 64 };                     // of each buffer and table: where words to sleep on would be

static volatile uint32_t *words[4096];
static int word_count;

static void add_words(int fd, size_t size) {
    size_t count = size / 4 < SOME_WORDS ? size / 4 : SOME_WORDS;
    volatile uint32_t *base = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED) give_up("mmap");
    for (size_t i = 0; i < count; i++) words[word_count++] = base + i;
}

static void attach_to_all(const char *path) {
    static struct attached a;
    attach_until(&a, path, AFTER_READY, 4, 0);
    add_words(a.page_fd, sizeof(struct fs_channel_page));
    add_words(a.wake_fd, sizeof(struct fs_wake_page));
    add_words(a.table_fd, sizeof(struct fs_frame_table) + (size_t)a.slots * sizeof(struct fs_frame_record));
    for (int i = 0; i < a.buffer_count && i < 8; i++) add_words(a.buffers[i], a.memory_size);
}

static volatile sig_atomic_t asked;
static void ask(int signal) { asked = signal; }

/// Moves all sleepers of every word to a word of its own, and wakes those that came since, until its input ends. Says, at a
/// SIGUSR1, how many it has reached so far.
int move_sleepers(const char *path) {
    static _Atomic uint32_t own;
    long reached = 0;
    signal(SIGUSR1, ask);
    attach_to_all(path);
    say("attached");
    for (long round = 0;; round++) {
        if (asked) {
            asked = 0;
            say("sleepers rounds=%ld reached=%ld", round, reached);
        }
        // A thread sanitizer calls a signal's handler only inside such a call of the C library.
        if (round % 16 == 0) poll(NULL, 0, 0);
        // The small pages each time; what is larger now and then.
        int count = round % 16 ? 64 : word_count;
        for (int i = 0; i < count; i++) {
            long moved = syscall(SYS_futex, words[i], FUTEX_CMP_REQUEUE, 0, (void *)(intptr_t)INT32_MAX, &own, *words[i]);
            long woken = round % 4 ? 0 : syscall(SYS_futex, words[i], FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
            if (moved > 0) reached += moved;
            if (woken > 0) reached += woken;
        }
    }
}

static void *block(void *raw) {
    volatile uint32_t *word = raw;
    static _Atomic uint32_t own;
    for (;;) {
        // The kernel gives up waking a word's sleepers at the first that waits so.
        syscall(SYS_futex, word, FUTEX_WAIT_REQUEUE_PI, *word, NULL, &own, 0);
    }
    return NULL;
}

/// Sleeps on every word in a way that keeps FUTEX_WAKE from going on to the sleepers behind.
int block_sleepers(const char *path) {
    attach_to_all(path);
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 65536);
    for (int i = 0; i < word_count && i < 128; i++) {
        pthread_t thread;
        if (pthread_create(&thread, &small, block, (void *)words[i]) != 0) give_up("pthread_create");
    }
    say("attached");
    for (;;) pause();
}
