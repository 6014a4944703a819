// A program's end of the link to its messenger; private to ranks/.
#ifndef CULL_RANKS_LINK_H
#define CULL_RANKS_LINK_H

#include <signal.h>
#include <sys/types.h>

#include "ranks/messenger.h"
#include "ranks/ranks.h"

struct cull_ranks {
    int socket;
    pid_t messenger;
    cull_ranks_page *page;
    size_t rank, size;
    char (*host)[CULL_RANKS_HOST]; // (size)
    cull_rank_failure failure;     // that a meeting found: the ranks are over
    bool lost;                     // the messenger is gone
    cull_ranks_time spent;
};

// Has the messenger said something, or closed its end, within so many seconds? Those for which this
// process was stopped itself do not count.
bool cull_link_await(const cull_ranks *ranks, double seconds);

#endif
