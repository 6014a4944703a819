// How many processors this process may keep busy.
#ifndef CULL_BASE_CPUS_H
#define CULL_BASE_CPUS_H

#include <stddef.h>

// Those that it may run on, and no more than the quotas of its control groups pay for, rounded up;
// at least 1.
size_t cull_usable_cpus(void);

// The quota alone, in processors; 0: none is set. `self` is what /proc/self/cgroup holds, `root`
// the folder where control groups are mounted; of version 2, or the controller "cpu" of version 1.
// The smallest of the group and those above it counts.
double cull_cpu_quota(const char *self, const char *root);

#endif
