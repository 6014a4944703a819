// What /proc says of processes.
#include "base/process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

enum { LINE = 1024 };

// The state's place in /proc/PID/stat, behind the name, which may hold anything; NULL: not to be
// had.
static const char *state_of(long pid, char line[LINE])
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    FILE *file = fopen(path, "re");
    const bool read = file && fgets(line, LINE, file);
    if (file)
        (void)fclose(file);
    const char *end = read ? strrchr(line, ')') : NULL;
    return end && end[1] == ' ' ? end + 2 : NULL;
}

static bool is_ended(const char *state)
{
    return *state == 'Z' || *state == 'X';
}

bool cull_process_ended(long pid)
{
    char line[LINE];
    const char *state = state_of(pid, line);

    return state ? is_ended(state) : kill((pid_t)pid, 0) != 0 && errno == ESRCH;
}

unsigned long long cull_process_start(long pid)
{
    char line[LINE];
    const char *c = state_of(pid, line);

    if (!c || is_ended(c))
        return 0;
    for (size_t field = 3; c && field < 22; field++) {
        c = strchr(c, ' ');
        c = c ? c + 1 : NULL;
    }
    return c ? strtoull(c, NULL, 10) : 0;
}
