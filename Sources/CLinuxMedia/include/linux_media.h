// Everything of the kernel's that Swift can't import by itself: calls, ioctls, control-message macros and the layouts
// of shared memory. Thin static inlines that return -errno; no logic. One thing has state: whether a signal ends waits.
//
// _GNU_SOURCE is not defined here: it would change the layout of fd_set against Swift's own Glibc module. What glibc
// hides behind it is called by number.
#pragma once
#include "calls.h"
#include "cpu_relax.h"
#include "descriptor_passing.h"
#include "dma_buffers.h"
#include "interruptions.h"
#include "process.h"
#include "shared_layouts.h"
#include "text.h"
#include "v4l2.h"
