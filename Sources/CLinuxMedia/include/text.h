#pragma once
#include <stdint.h>
#include <wchar.h>

// <wchar.h> hides it behind _XOPEN_SOURCE.
int wcwidth(wchar_t character);

/// wcwidth(3): the columns of a Unicode scalar on a screen, in the calling thread's locale; -1 for what can't be shown.
static inline int fs_columns(uint32_t scalar) { return wcwidth((wchar_t)scalar); }
