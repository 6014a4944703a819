// Usable processors: the scheduler's mask, and what control groups leave of it.
#define _GNU_SOURCE // sched_getaffinity
#include "base/cpus.h"

#include <limits.h>
#include <math.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES = 4096 };

// The first line of folder/name, without its end.
static bool read_line(const char *folder, const char *name, char line[LINE_BYTES])
{
    char path[PATH_MAX];
    const int n = snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = n > 0 && (size_t)n < sizeof path ? fopen(path, "r") : NULL;
    const bool read = f && fgets(line, LINE_BYTES, f);

    if (f)
        (void)fclose(f);
    if (read)
        line[strcspn(line, "\n")] = '\0';
    return read;
}

// Processors that one group's own quota is worth; 0: it has none ("max", or −1).
static double quota_of(const char *folder, bool unified)
{
    char line[LINE_BYTES], *rest = line;
    double quota, period;

    if (!read_line(folder, unified ? "cpu.max" : "cpu.cfs_quota_us", line))
        return 0;
    quota = strtod(line, &rest);
    if (rest == line || !(quota > 0))
        return 0;
    if (!unified && !read_line(folder, "cpu.cfs_period_us", line))
        return 0;
    period = strtod(unified ? rest : line, NULL);
    return period > 0 ? quota / period : 0;
}

// The smallest quota from root + path upwards to the root. `path` is shortened on the way.
static double smallest_quota(const char *root, char *path, bool unified)
{
    double least = 0;

    for (;;) {
        char folder[PATH_MAX];
        const int n = snprintf(folder, sizeof folder, "%s%s", root, path);
        const double here = n > 0 && (size_t)n < sizeof folder ? quota_of(folder, unified) : 0;
        char *slash = strrchr(path, '/');
        least = here > 0 && (least == 0 || here < least) ? here : least;
        if (!slash)
            return least;
        *slash = '\0';
    }
}

// Is `word` one of a list that commas part?
static bool lists(const char *list, size_t n, const char *word)
{
    const size_t length = strlen(word);

    for (const char *at = list; at < list + n; at += strcspn(at, ",:") + 1)
        if (strcspn(at, ",:") == length && memcmp(at, word, length) == 0)
            return true;
    return false;
}

// A line is "number:controllers:path", without controllers in version 2.
static double quota_of_line(const char *line, const char *root)
{
    const size_t length = strcspn(line, "\n");
    const char *controllers = memchr(line, ':', length);
    const char *path = controllers ? strchr(controllers + 1, ':') : NULL;
    char folder[PATH_MAX], own[PATH_MAX];

    if (!path || path >= line + length || (size_t)(line + length - path) >= sizeof own)
        return 0;
    controllers++;
    const size_t n = (size_t)(path - controllers);
    if (n && !lists(controllers, n, "cpu"))
        return 0;
    const int printed = snprintf(folder, sizeof folder, n ? "%s/cpu" : "%s", root);
    if (printed < 0 || (size_t)printed >= sizeof folder)
        return 0;
    (void)snprintf(own, sizeof own, "%.*s", (int)(line + length - path - 1), path + 1);
    return smallest_quota(folder, own, n == 0);
}

double cull_cpu_quota(const char *self, const char *root)
{
    double least = 0;

    for (const char *line = self; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        const double here = quota_of_line(line, root);
        least = here > 0 && (least == 0 || here < least) ? here : least;
    }
    return least;
}

static double quota_here(void)
{
    char self[4 * LINE_BYTES] = "";
    FILE *f = fopen("/proc/self/cgroup", "r");

    if (!f)
        return 0;
    self[fread(self, 1, sizeof self - 1, f)] = '\0';
    (void)fclose(f);
    return cull_cpu_quota(self, "/sys/fs/cgroup");
}

size_t cull_usable_cpus(void)
{
    const double quota = quota_here();
    cpu_set_t set;
    size_t n = 1;

    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        n = (size_t)CPU_COUNT(&set);
    if (quota > 0 && quota < (double)n)
        n = (size_t)ceil(quota);
    return n;
}
