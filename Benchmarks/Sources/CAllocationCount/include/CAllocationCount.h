#pragma once
#include <stdint.h>

/// How often this process has asked for heap memory so far, from all threads. Linking this module puts a counting
/// malloc, calloc, realloc and the aligned kinds in front of the C library's.
uint64_t allocation_count(void);
