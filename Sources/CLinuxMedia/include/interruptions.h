#pragma once

// Whether a signal ends what the calling thread waits for, as it ends system calls.

struct fs_interruption {
    int is_wanted;
    int came;
};

extern _Thread_local struct fs_interruption fs_interruption;

/// Not 0: a signal whose handler runs in the calling thread ends its waits from now on. Forgets one that came before.
void fs_set_interruptible(int on);

/// A system call of the calling thread was cut short by a signal.
static inline void fs_note_signal(void) {
    if (fs_interruption.is_wanted) fs_interruption.came = 1;
}

/// Whether one has come.
static inline int fs_signal_came(void) { return fs_interruption.came; }

/// The caller was told of it.
static inline void fs_forget_signal(void) { fs_interruption.came = 0; }
