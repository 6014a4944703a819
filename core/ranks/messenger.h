// What a program and its messenger say to each other, over a pair of sockets and a shared page.
// Words go over the sockets, bytes through the page.
//
// The messenger first says hello (cull_hello, then the ranks' hosts). Then the program asks and the
// messenger answers, always in turn: a request, and the answer whether all ranks are well; where
// they are, what the request is about follows.
//
//     AGREE      nothing
//     BROADCAST  from rank 0: its n bytes; to the others: n (uint64_t) and the bytes
//     GATHER     from all ranks but `to`: their n bytes; to that one: every rank's n, its own
//                included, and the others' bytes, rank by rank
//     LEAVE      nothing; the messenger ends
//
// Bytes go by portions, each rank's parts beginning a new one, through the page's slots in turn.
// The program counts in `moved` those that it has filled, or emptied. The messenger sends it a byte
// for each that it may go on with: one that is full, or, of those that the program is to fill from
// the CULL_RANKS_SLOTS-th on, one that is free again.
#ifndef CULL_RANKS_MESSENGER_H
#define CULL_RANKS_MESSENGER_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CULL_RANKS_WORDS = 2048, CULL_RANKS_HOST = 64 };
enum { CULL_RANKS_SLOTS = 8, CULL_RANKS_SLOT = 1 << 20 };

typedef struct cull_hello {
    int32_t failed; // 1: `why` says what there is instead of ranks
    uint32_t rank, size;
    char why[512];
} cull_hello;

typedef enum cull_meeting { CULL_AGREE, CULL_BROADCAST, CULL_GATHER, CULL_LEAVE } cull_meeting;

typedef struct cull_rank_failure {
    int32_t status; // a cull_status; 0: none
    int32_t asked;  // 1: it was asked to stop, which is less than a failure
    uint32_t rank;
    char words[CULL_RANKS_WORDS];
} cull_rank_failure;

typedef struct cull_rank_request {
    int32_t meeting;
    uint32_t to;           // GATHER: the rank that is handed the others' bytes
    cull_rank_failure own; // the program's, where it has one
    uint64_t n;
} cull_rank_request;

typedef struct cull_ranks_page { // shared
    _Atomic double part, all;    // the places of this rank, and of all on average
    _Atomic uint64_t moved;      // portions of this meeting; the answer makes it 0
    unsigned char slot[CULL_RANKS_SLOTS][CULL_RANKS_SLOT];
} cull_ranks_page;

// A place: the number of a phase, and behind the point how much of it is done. Of another place's,
// the part of this phase that lies before it.
static inline double cull_ranks_place(double phase, double part)
{
    return phase + 0.999 * part;
}

static inline double cull_ranks_part(double place, double phase)
{
    const double part = (place - phase) / 0.999;

    return part < 0 ? 0 : part > 1 ? 1 : part;
}

static inline size_t cull_ranks_portion(uint64_t left)
{
    return left < CULL_RANKS_SLOT ? (size_t)left : CULL_RANKS_SLOT;
}

// When all is done, MPI has so many seconds to end on all ranks: on a machine that is busy with
// other work it takes long, and what is finished is no failure. (One that is stopped then would
// keep the others for ever.)
enum { CULL_RANKS_LEAVING = 60 };

// What the module exports: runs in the messenger until the program leaves or is gone.
typedef struct cull_messenger_job {
    int socket;
    int stopping; // the signal by which a program is asked to stop
    int lost;     // the status of a rank that is gone
    double patience;
    cull_ranks_page *page;
} cull_messenger_job;

typedef void cull_messenger_main(const cull_messenger_job *job);
#define CULL_MESSENGER_MAIN "cull_messenger_v1"

// ---- all n bytes, by either side; false: the other one is gone ----

static inline bool cull_link_write(int fd, const void *data, size_t n)
{
    for (const char *at = data; n > 0;) {
        const ssize_t wrote = send(fd, at, n, MSG_NOSIGNAL);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return false;
        at += wrote;
        n -= (size_t)wrote;
    }
    return true;
}

static inline bool cull_link_read(int fd, void *data, size_t n)
{
    for (char *at = data; n > 0;) {
        const ssize_t got = read(fd, at, n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        at += got;
        n -= (size_t)got;
    }
    return true;
}

#endif
