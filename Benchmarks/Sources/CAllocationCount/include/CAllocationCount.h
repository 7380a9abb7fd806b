#pragma once
#include <stdint.h>

/// How often this process has asked for heap memory so far, from all threads. Linking this module puts a counting
/// malloc, calloc, realloc and the aligned kinds in front of the C library's.
uint64_t allocation_count(void);

/// Writes to a word whose address `frame_mark_address` tells: so a trace of memory accesses shows where a frame begins.
void mark_frame(void);
uintptr_t frame_mark_address(void);
