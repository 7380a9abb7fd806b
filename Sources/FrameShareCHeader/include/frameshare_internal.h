// What the Swift side of the C library needs in C: text and flags that outlive no thread. Not installed.
#ifndef FRAMESHARE_INTERNAL_H
#define FRAMESHARE_INTERNAL_H

#include "frameshare.h"

/// Makes `text` the calling thread's last error, cut off at 1023 bytes.
void fs_c_set_last_error(const char *text);

/// Notes that this process has used locks and threads of the library.
void fs_c_note_use(void);

/// Not 0 in a process that was forked after that.
int fs_c_is_forked(void);

#define FS_TEXT(x) #x
#define FS_VERSION(major, minor, patch) FS_TEXT(major) "." FS_TEXT(minor) "." FS_TEXT(patch)

/// The version, such as "0.2.0", as the numbers of frameshare.h have it.
static inline const char *fs_c_version(void)
{
    return FS_VERSION(FRAMESHARE_VERSION_MAJOR, FRAMESHARE_VERSION_MINOR, FRAMESHARE_VERSION_PATCH);
}

#endif
