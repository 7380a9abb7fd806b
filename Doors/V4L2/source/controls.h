/* A channel's controls as V4L2's: those that both sides have a number for. */
#pragma once

#include <frameshare.h>
#include <linux/videodev2.h>

/* VIDIOC_QUERYCTRL and its kin for the channel that `monitor` watches. -1 with errno; ENOTTY for other requests. */
int controls_ioctl(frameshare_monitor *monitor, unsigned long request, void *argument);
