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

#endif
