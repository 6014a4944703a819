// A program's side of its ranks: requests to the messenger, and what they bring.
#include "ranks/ranks.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "ranks/link.h"

size_t cull_ranks_size(const cull_ranks *ranks)
{
    return ranks ? ranks->size : 1;
}

size_t cull_ranks_rank(const cull_ranks *ranks)
{
    return ranks ? ranks->rank : 0;
}

const char *cull_ranks_host(const cull_ranks *ranks, size_t rank)
{
    return ranks && rank < ranks->size ? ranks->host[rank] : "this host";
}

size_t cull_ranks_here(const cull_ranks *ranks)
{
    size_t n = 0;

    for (size_t r = 0; ranks && r < ranks->size; r++)
        n += strcmp(ranks->host[r], ranks->host[ranks->rank]) == 0;
    return n ? n : 1;
}

double cull_ranks_tell(const cull_ranks *ranks, size_t phase, double part)
{
    if (!ranks)
        return part;
    atomic_store(&ranks->page->part, cull_ranks_place((double)phase, part));
    return cull_ranks_part(atomic_load(&ranks->page->all), (double)phase);
}

cull_ranks_time cull_ranks_spent(const cull_ranks *ranks)
{
    return ranks ? ranks->spent : (cull_ranks_time){ 0 };
}

// ---- bytes through the page ----

static void count_bytes(cull_ranks *ranks, size_t n, double begun)
{
    ranks->spent.bytes += n;
    ranks->spent.moving += cull_seconds() - begun;
}

static bool give_bytes(cull_ranks *ranks, const void *data, size_t n)
{
    const double begun = cull_seconds();
    const char *at = data;
    char free_again;

    for (size_t i = 0, left = n; left > 0; i++) {
        const size_t some = cull_ranks_portion(left);
        if (i >= CULL_RANKS_SLOTS && !cull_link_read(ranks->socket, &free_again, 1))
            return false;
        memcpy(ranks->page->slot[i % CULL_RANKS_SLOTS], at, some);
        atomic_store(&ranks->page->moved, i + 1);
        at += some;
        left -= some;
    }
    count_bytes(ranks, n, begun);
    return true;
}

static bool take_bytes(cull_ranks *ranks, void *data, size_t n)
{
    const double begun = cull_seconds();
    char *at = data;
    char full;

    for (size_t i = (size_t)atomic_load(&ranks->page->moved), left = n; left > 0; i++) {
        const size_t some = cull_ranks_portion(left);
        if (!cull_link_read(ranks->socket, &full, 1))
            return false;
        memcpy(at, ranks->page->slot[i % CULL_RANKS_SLOTS], some);
        atomic_store(&ranks->page->moved, i + 1);
        at += some;
        left -= some;
    }
    count_bytes(ranks, n, begun);
    return true;
}

bool cull_link_await(const cull_ranks *ranks, double seconds)
{
    struct pollfd stirs = { .fd = ranks->socket, .events = POLLIN };

    for (; seconds > 0; seconds--)
        if (poll(&stirs, 1, 1000) > 0)
            return true;
    return false;
}

// ---- meetings ----

static cull_status lost(cull_ctx *ctx)
{
    cull_ranks *ranks = cull_context_of(ctx)->ranks;

    ranks->failure = (cull_rank_failure){ .status = CULL_EENV, .rank = (uint32_t)ranks->rank };
    ranks->lost = true;
    return cull_fail(ctx, CULL_EENV, "the process that speaks MPI for rank %zu (%s) is gone",
                     ranks->rank, cull_ranks_host(ranks, ranks->rank));
}

// Where there is no room for what the messenger brings, nothing more can be heard from it.
static cull_status no_room(cull_ctx *ctx)
{
    cull_ranks *ranks = cull_context_of(ctx)->ranks;

    ranks->failure = (cull_rank_failure){ .status = CULL_ENOMEM, .rank = (uint32_t)ranks->rank };
    ranks->lost = true;
    return cull_no_memory(ctx);
}

// The failure that the meeting found: this rank's own has its sentence in the context already.
static cull_status fail_as_agreed(cull_ctx *ctx, cull_status own)
{
    const cull_ranks *ranks = cull_context_of(ctx)->ranks;
    const cull_rank_failure *f = &ranks->failure;

    if (own != CULL_OK && f->rank == ranks->rank)
        return own;
    cull_error_clear(ctx);
    if (f->asked)
        return cull_fail(ctx, (cull_status)f->status, "%s", f->words);
    return cull_fail(ctx, (cull_status)f->status, "rank %u (%s): %s", (unsigned)f->rank,
                     cull_ranks_host(ranks, f->rank), f->words);
}

static void describe_own(cull_ctx *ctx, cull_status own, cull_rank_failure *out)
{
    cull_context *context = cull_context_of(ctx);

    *out = (cull_rank_failure){ .status = own,
                                .asked = own == CULL_ECANCELED,
                                .rank = (uint32_t)context->ranks->rank };
    if (own != CULL_OK)
        cull_error_text(&context->error, out->words, sizeof out->words);
}

// The beginning of every meeting.
static cull_status meet_at(cull_ctx *ctx, cull_meeting meeting, size_t to, cull_status own,
                           uint64_t n)
{
    cull_context *context = cull_context_of(ctx);
    cull_ranks *ranks = context->ranks;
    cull_rank_request request = { .meeting = (int32_t)meeting, .to = (uint32_t)to, .n = n };

    if (ranks->failure.status != 0)
        return fail_as_agreed(ctx, own);
    if (own == CULL_OK && context->stop && context->stop())
        own = cull_fail(ctx, CULL_ECANCELED, "interrupted");
    describe_own(ctx, own, &request.own);
    const double begun = cull_seconds();
    if (!cull_link_write(ranks->socket, &request, sizeof request) ||
        !cull_link_read(ranks->socket, &ranks->failure, sizeof ranks->failure))
        return lost(ctx);
    ranks->spent.meetings++;
    ranks->spent.waiting += cull_seconds() - begun;
    return ranks->failure.status == 0 ? CULL_OK : fail_as_agreed(ctx, own);
}

static cull_status meet(cull_ctx *ctx, cull_meeting meeting, cull_status own, uint64_t n)
{
    return meet_at(ctx, meeting, 0, own, n);
}

cull_status cull_ranks_agree(cull_ctx *ctx, cull_status own)
{
    return cull_context_of(ctx)->ranks ? meet(ctx, CULL_AGREE, own, 0) : own;
}

static cull_status receive(cull_ctx *ctx, size_t *n, void **data)
{
    cull_ranks *ranks = cull_context_of(ctx)->ranks;
    uint64_t bytes;

    *data = NULL;
    if (!cull_link_read(ranks->socket, &bytes, sizeof bytes))
        return lost(ctx);
    *n = (size_t)bytes;
    *data = cull_alloc(*n + 1, 1);
    if (!*data)
        return no_room(ctx);
    return take_bytes(ranks, *data, *n) ? CULL_OK : lost(ctx);
}

cull_status cull_ranks_broadcast(cull_ctx *ctx, size_t *n, void **data)
{
    cull_ranks *ranks = cull_context_of(ctx)->ranks;

    if (!ranks)
        return CULL_OK;
    if (ranks->rank != 0)
        *data = NULL;
    CULL_TRY(meet(ctx, CULL_BROADCAST, CULL_OK, ranks->rank == 0 ? *n : 0));
    if (ranks->rank != 0)
        return receive(ctx, n, data);
    return give_bytes(ranks, *data, *n) ? CULL_OK : lost(ctx);
}

cull_status cull_ranks_copy(cull_ctx *ctx, size_t n, void *x)
{
    size_t bytes = n;
    void *data = x;

    CULL_TRY(cull_ranks_broadcast(ctx, &bytes, &data));
    if (data == x)
        return CULL_OK;
    memcpy(x, data, n < bytes ? n : bytes);
    cull_free(data);
    return CULL_OK;
}

// ---- gathering ----

enum { ALIGN = 64 };

static size_t padded(uint64_t bytes)
{
    return (size_t)((bytes + ALIGN - 1) / ALIGN * ALIGN);
}

static cull_status receive_parts(cull_ctx *ctx, size_t n, const void *own, cull_parts *out)
{
    cull_ranks *ranks = cull_context_of(ctx)->ranks;
    const size_t size = ranks->size, self = ranks->rank;
    uint64_t *bytes = cull_alloc(size, sizeof *bytes);
    size_t all = 0;

    out->part = cull_alloc(size, sizeof *out->part);
    out->bytes = cull_alloc(size, sizeof *out->bytes);
    bool well = bytes && out->part && out->bytes;
    if (well && !cull_link_read(ranks->socket, bytes, size * sizeof *bytes)) {
        cull_free(bytes);
        return lost(ctx);
    }
    for (size_t r = 0; well && r < size; r++)
        all += r == self ? 0 : padded(bytes[r]);
    out->data = well ? cull_alloc(all + 1, 1) : NULL;
    for (size_t r = 0, at = 0; out->data && r < size; r++) {
        out->part[r] = r == self ? own : (const char *)out->data + at;
        out->bytes[r] = r == self ? n : (size_t)bytes[r];
        at += r == self ? 0 : padded(bytes[r]);
    }
    cull_free(bytes);
    if (!out->data)
        return no_room(ctx);
    out->n = size;
    for (size_t r = 0; r < size; r++)
        if (r != self && !take_bytes(ranks, (void *)(uintptr_t)out->part[r], out->bytes[r]))
            return lost(ctx);
    return CULL_OK;
}

cull_status cull_ranks_collect(cull_ctx *ctx, size_t to, size_t n, const void *own, cull_parts *out)
{
    cull_ranks *ranks = cull_context_of(ctx)->ranks;

    *out = (cull_parts){ 0 };
    if (!ranks) {
        out->part = cull_alloc(1, sizeof *out->part);
        out->bytes = cull_alloc(1, sizeof *out->bytes);
        if (!out->part || !out->bytes)
            return cull_no_memory(ctx);
        out->part[0] = own;
        out->bytes[0] = n;
        out->n = 1;
        return CULL_OK;
    }
    CULL_TRY(meet_at(ctx, CULL_GATHER, to, CULL_OK, n));
    if (ranks->rank == to)
        return receive_parts(ctx, n, own, out);
    return give_bytes(ranks, own, n) ? CULL_OK : lost(ctx);
}

cull_status cull_ranks_gather(cull_ctx *ctx, size_t n, const void *own, cull_parts *out)
{
    return cull_ranks_collect(ctx, 0, n, own, out);
}

void cull_parts_release(cull_parts *parts)
{
    cull_free(parts->part);
    cull_free(parts->bytes);
    cull_free(parts->data);
    *parts = (cull_parts){ 0 };
}

// ---- reductions: gathered, made on rank 0 in the ranks' order, and told ----

cull_status cull_ranks_sum(cull_ctx *ctx, size_t n, double *x)
{
    cull_parts parts;

    if (!cull_context_of(ctx)->ranks)
        return CULL_OK;
    const cull_status status = cull_ranks_gather(ctx, n * sizeof *x, x, &parts);
    for (size_t r = 1; status == CULL_OK && r < parts.n; r++)
        for (size_t i = 0; i < n; i++)
            x[i] += ((const double *)parts.part[r])[i];
    cull_parts_release(&parts);
    CULL_TRY(status);
    return cull_ranks_copy(ctx, n * sizeof *x, x);
}

cull_status cull_ranks_least(cull_ctx *ctx, size_t *x)
{
    cull_parts parts;
    size_t least = *x;

    if (!cull_context_of(ctx)->ranks)
        return CULL_OK;
    const cull_status status = cull_ranks_gather(ctx, sizeof *x, x, &parts);
    for (size_t r = 1; status == CULL_OK && r < parts.n; r++) {
        const size_t other = *(const size_t *)parts.part[r];
        least = other < least ? other : least;
    }
    cull_parts_release(&parts);
    CULL_TRY(status);
    *x = least;
    return cull_ranks_copy(ctx, sizeof *x, x);
}

// ---- the end ----

static void end_messenger(pid_t messenger)
{
    (void)kill(messenger, SIGKILL);
    (void)waitpid(messenger, NULL, 0);
}

// As the messenger sees its program off: one that is stopped in the end of MPI would keep all the
// others there, and nothing of the run is left to do but its own end.
static bool see_messenger_off(const cull_ranks *ranks, double seconds)
{
    for (; seconds > 0; seconds--) {
        if (cull_link_await(ranks, 1))
            return true;
        (void)kill(ranks->messenger, SIGCONT);
    }
    return false;
}

void cull_ranks_end(cull_ranks *ranks)
{
    const cull_rank_request request = { .meeting = CULL_LEAVE };
    cull_rank_failure answer;

    if (!ranks)
        return;
    // It closes its end when MPI is over, and then only waits for this program's.
    const bool left = !ranks->lost && cull_link_write(ranks->socket, &request, sizeof request) &&
                      cull_link_read(ranks->socket, &answer, sizeof answer) &&
                      see_messenger_off(ranks, CULL_RANKS_LEAVING + 1);
    if (!left)
        end_messenger(ranks->messenger);
    (void)close(ranks->socket);
    (void)munmap(ranks->page, sizeof *ranks->page);
    cull_free(ranks->host);
    cull_free(ranks);
}
