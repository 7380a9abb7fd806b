/* The C library's own calls, under those that this library puts in their place. */
#pragma once

#include <sys/types.h>

struct stat;

int real_open(const char *path, int flags, mode_t mode);
int real_close(int fd);
int real_ioctl(int fd, unsigned long request, void *argument);
void *real_mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset);
int real_munmap(void *address, size_t length);
