/* Which paths are devices, and which descriptors are openings of them. */
#pragma once

#include <stdbool.h>

#include "device.h"

/* The channel that a path names, as $FRAMESHARE_V4L2 says ("CHANNEL[:STREAM]=PATH" a line); NULL: the path is not ours.
 * Relative paths and links are not looked through: programs name devices by /dev/. */
const char *devices_channel(const char *path);

/* The minor number that a device is told to have. */
unsigned devices_minor(const char *path);

/* The path of the device with a minor number; NULL: there is none. */
const char *devices_path(unsigned minor);

/* The device behind a descriptor, counted for the caller; NULL: none of ours. */
device *devices_get(int fd);

/* Takes a count of the device over. A device that the descriptor stood for before is let go. */
void devices_put(int fd, device *device);

/* The descriptor is being closed. */
void devices_drop(int fd);

/* All from one to another are being closed. */
void devices_drop_range(unsigned first, unsigned last);

/* Memory is being unmapped: mappings of buffers in it are forgotten. */
void devices_forget(void *address, size_t length);

/* The highest priority among this process's openings of a path. */
int devices_priority(const char *path);
