/* Ctrl-C and the like: heard by a wait of the library, and by a loop of PipeWire's. */
#ifndef STOPPING_H
#define STOPPING_H

#include <stdbool.h>

/* From now on SIGINT, SIGTERM and SIGHUP ask to stop. 0, or a negative errno. */
int stopping_prepare(void);

bool stopping_asked(void);

/* Readable once it was asked for. */
int stopping_fd(void);

#endif
