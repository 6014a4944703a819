// Other processes of this machine.
#ifndef CULL_BASE_PROCESS_H
#define CULL_BASE_PROCESS_H

#include <stdbool.h>

// Has it ended, whether or not its parent has waited for it?
bool cull_process_ended(long pid);

// When it started, in ticks since the system did; 0: it is not there, or has ended.
unsigned long long cull_process_start(long pid);

#endif
