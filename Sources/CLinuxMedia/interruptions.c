#include "interruptions.h"

_Thread_local struct fs_interruption fs_interruption;

void fs_set_interruptible(int on) { fs_interruption = (struct fs_interruption){ on != 0, 0 }; }
