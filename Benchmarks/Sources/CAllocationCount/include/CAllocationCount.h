#pragma once
#include <stdint.h>

/// How often this process has asked for heap memory so far, from all threads. Linking this module puts a counting
/// malloc, calloc, realloc and the aligned kinds in front of the C library's.
uint64_t allocation_count(void);

/// Write to words whose addresses the others tell: so a trace of memory accesses shows where a frame begins, and from where on
/// it is with its readers.
void mark_frame(void);
void mark_readers(void);
uintptr_t frame_mark_address(void);
uintptr_t readers_mark_address(void);
