/* common/pipes.h: what a child process says on two pipes, to their ends. */
#ifndef WM_COMMON_PIPES_H
#define WM_COMMON_PIPES_H

#include "common/text.h"

#include <stddef.h>

/* Reads both pipes until the other ends are closed, so that the child never waits for either. A text that has `most` bytes
 * takes no more, one that is NULL takes nothing: what is said beyond is read, and dropped. */
void wm_pipes_drain(int out, int errors, size_t most, wm_text *output, wm_text *complaint);

#endif
