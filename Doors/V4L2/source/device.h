/* A channel as a V4L2 capture device: one opening of it. */
#pragma once

#include <frameshare.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef struct device device;

/* Opens a channel, for the descriptor that the program is given: *fd. NULL, with errno. */
device *device_open(const char *channel, const char *path, int flags, int *fd);

/* Descriptors share what they were made of by dup(). */
device *device_ref(device *device);
void device_unref(device *device);

/* O_NONBLOCK, by fcntl(F_SETFL) or FIONBIO. */
void device_set_flags(device *device, int flags);
int device_flags(device *device);

/* As ioctl(2): -1 with errno. */
int device_ioctl(device *device, unsigned long request, void *argument);

/* As mmap(2), of an offset that VIDIOC_QUERYBUF gave. */
void *device_mmap(device *device, void *address, size_t length, int protection, int flags, off_t offset);

/* Forgets mappings of a region that is being unmapped. */
void device_munmap(device *device, void *address, size_t length);

/* As read(2): one frame. */
ssize_t device_read(device *device, void *data, size_t size);

/* Before the program polls the descriptor. True: it can wait; false: the descriptor is in error (POLLERR), as the kernel
 * says of a device that was not asked for anything. */
bool device_before_poll(device *device);

/* The minor number of its path's device. */
unsigned device_minor(const device *device);

/* VIDIOC_G_PRIORITY of this opening alone, and the path that was opened. */
int device_priority(const device *device);
const char *device_path(const device *device);
