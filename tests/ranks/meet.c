// A program of several ranks without a model: meet SCENARIO [PATIENCE], under mpirun.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "plugin/host.h"
#include "ranks/ranks.h"

static volatile sig_atomic_t asked;

static void on_term(int number)
{
    (void)number;
    asked = 1;
}

static bool stop(void)
{
    return asked != 0;
}

#define CHECK(holds)                                                                               \
    do {                                                                                           \
        if (!(holds)) {                                                                            \
            fprintf(stderr, "failed: %s (rank %zu)\n", #holds, rank);                              \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

static unsigned char byte_of(size_t rank, size_t i)
{
    return (unsigned char)(i * 31 + rank * 7 + (i >> 20));
}

static unsigned char *bytes_of(size_t rank, size_t n)
{
    unsigned char *bytes = malloc(n + 1);

    for (size_t i = 0; bytes && i < n; i++)
        bytes[i] = byte_of(rank, i);
    return bytes;
}

static bool are_bytes_of(size_t rank, size_t n, const unsigned char *bytes)
{
    for (size_t i = 0; i < n; i++)
        if (bytes[i] != byte_of(rank, i))
            return false;
    return true;
}

static int broadcast(cull_ctx *ctx, size_t rank, size_t n)
{
    unsigned char *own = rank == 0 ? bytes_of(0, n) : NULL;
    void *data = own;
    size_t bytes = n;

    CHECK(cull_ranks_broadcast(ctx, &bytes, &data) == CULL_OK);
    CHECK(bytes == n && are_bytes_of(0, n, data));
    if (rank == 0)
        free(own);
    else
        cull_free(data);
    return 0;
}

static int gather(cull_ctx *ctx, size_t to, size_t rank, size_t size, size_t n)
{
    cull_parts parts;
    unsigned char *own = bytes_of(rank, n * rank);

    CHECK(cull_ranks_collect(ctx, to, n * rank, own, &parts) == CULL_OK);
    CHECK(parts.n == (rank == to ? size : 0));
    for (size_t r = 0; r < parts.n; r++)
        CHECK(parts.bytes[r] == n * r && are_bytes_of(r, n * r, parts.part[r]));
    cull_parts_release(&parts);
    free(own);
    return 0;
}

static int reduce(cull_ctx *ctx, size_t rank, size_t size)
{
    double x[] = { 1.0 / (3.0 + (double)rank), 1e16 * (rank % 2 ? -1.0 : 1.0) };
    double sum[] = { 0, 0 };
    size_t least = 100 - rank;

    for (size_t r = 0; r < size; r++) {
        sum[0] += 1.0 / (3.0 + (double)r);
        sum[1] += 1e16 * (r % 2 ? -1.0 : 1.0);
    }
    CHECK(cull_ranks_sum(ctx, 2, x) == CULL_OK);
    CHECK(memcmp(x, sum, sizeof x) == 0);
    CHECK(cull_ranks_least(ctx, &least) == CULL_OK);
    CHECK(least == 100 - (size - 1));
    return 0;
}

static int values(cull_ctx *ctx, size_t rank, size_t size)
{
    static const size_t sizes[] = { 0, 1, 4097, 1 << 20, (1 << 24) + 3 };

    CHECK(cull_ranks_agree(ctx, CULL_OK) == CULL_OK);
    const size_t n = sizeof sizes / sizeof *sizes - (size > 2); // two suffice for several chunks
    for (size_t i = 0; i < n; i++)
        if (broadcast(ctx, rank, sizes[i]) || gather(ctx, i % size, rank, size, sizes[i]) ||
            gather(ctx, size - 1, rank, size, sizes[i]))
            return 1;
    return reduce(ctx, rank, size);
}

static int large(cull_ctx *ctx, size_t rank, size_t size)
{
    return gather(ctx, 0, rank, size, ((size_t)2 << 30) + 5);
}

// How fast bytes meet on rank 0, and come from it.
static int rate(cull_ctx *ctx, size_t rank)
{
    const size_t n = (size_t)1 << 29;
    unsigned char *own = malloc(n);
    void *data = own;
    size_t bytes = n;
    cull_parts parts;

    CHECK(own);
    memset(own, 1, n);
    CHECK(cull_ranks_agree(ctx, CULL_OK) == CULL_OK);
    const double begin = cull_seconds();
    CHECK(cull_ranks_gather(ctx, n, own, &parts) == CULL_OK);
    const double gathered = cull_seconds();
    if (rank == 0)
        printf("%.2f GB/s gathered\n",
               (double)(parts.n - 1) * (double)n / (gathered - begin) / 1e9);
    cull_parts_release(&parts);
    CHECK(cull_ranks_agree(ctx, CULL_OK) == CULL_OK);
    const double again = cull_seconds();
    CHECK(cull_ranks_broadcast(ctx, &bytes, &data) == CULL_OK);
    CHECK(cull_ranks_agree(ctx, CULL_OK) == CULL_OK);
    if (rank == 0)
        printf("%.2f GB/s broadcast\n", (double)n / (cull_seconds() - again) / 1e9);
    else
        cull_free(data);
    free(own);
    return 0;
}

static int say(cull_ctx *ctx, size_t rank)
{
    if (rank == 0)
        fprintf(stderr, "error: %s\n", cull_context_of(ctx)->error.sentence);
    return 3;
}

// The last rank fails while the others hold another meeting.
static int fails(cull_ctx *ctx, size_t rank, size_t size)
{
    size_t n = 0;
    void *data = &n;
    cull_status status;

    if (rank + 1 == size)
        status = cull_ranks_agree(ctx, cull_fail(ctx, CULL_EIO, "the tape is torn"));
    else
        status = cull_ranks_broadcast(ctx, &n, &data);
    CHECK(status == CULL_EIO);
    CHECK(cull_ranks_agree(ctx, CULL_OK) == CULL_EIO);
    return say(ctx, rank);
}

// The last rank fails, or is asked to stop, while the others compute.
static int computes(cull_ctx *ctx, size_t rank, size_t size, bool interrupted)
{
    cull_status status = CULL_OK;

    if (rank + 1 == size && interrupted)
        (void)raise(SIGTERM);
    else if (rank + 1 == size)
        status = cull_fail(ctx, CULL_EIO, "the tape is torn");
    for (int i = 0; i < 600 && status == CULL_OK && !stop(); i++)
        usleep(100000);
    if (status == CULL_OK && stop())
        status = cull_fail(ctx, CULL_ECANCELED, "interrupted");
    status = cull_ranks_agree(ctx, status);
    CHECK(status == (interrupted ? CULL_ECANCELED : CULL_EIO));
    return say(ctx, rank);
}

// The last rank fails, and the others do not hear.
static int deaf(cull_ctx *ctx, size_t rank, size_t size)
{
    if (rank + 1 == size)
        return cull_ranks_agree(ctx, cull_fail(ctx, CULL_EIO, "the tape is torn")) != CULL_OK;
    for (int i = 0; i < 600; i++)
        usleep(100000);
    return 0;
}

static int stopped(cull_ctx *ctx, size_t rank, size_t victim)
{
    if (rank == victim)
        (void)raise(SIGSTOP);
    return cull_ranks_agree(ctx, CULL_OK) == CULL_OK ? 0 : say(ctx, rank);
}

static int play(cull_ctx *ctx, const char *scenario)
{
    const cull_ranks *ranks = cull_context_of(ctx)->ranks;
    const size_t rank = cull_ranks_rank(ranks), size = cull_ranks_size(ranks);

    if (strcmp(scenario, "agree") == 0)
        return cull_ranks_agree(ctx, CULL_OK);
    if (strcmp(scenario, "values") == 0)
        return values(ctx, rank, size);
    if (strcmp(scenario, "large") == 0)
        return large(ctx, rank, size);
    if (strcmp(scenario, "rate") == 0)
        return rate(ctx, rank);
    if (strcmp(scenario, "fails") == 0)
        return fails(ctx, rank, size);
    if (strcmp(scenario, "computes") == 0)
        return computes(ctx, rank, size, false);
    if (strcmp(scenario, "interrupted") == 0)
        return computes(ctx, rank, size, true);
    if (strcmp(scenario, "deaf") == 0)
        return deaf(ctx, rank, size);
    if (strcmp(scenario, "last-stops") == 0)
        return stopped(ctx, rank, size - 1);
    if (strcmp(scenario, "first-stops") == 0)
        return stopped(ctx, rank, 0);
    if (strcmp(scenario, "dies") == 0)
        return rank + 1 == size ? raise(SIGKILL) : deaf(ctx, rank, size + 1);
    return 2;
}

static bool is_early_victim(const char *scenario)
{
    return (strcmp(scenario, "last-never") == 0 && cull_ranks_launched_as() == 2) ||
           (strcmp(scenario, "first-never") == 0 && cull_ranks_launched_as() == 0);
}

int main(int argc, char **argv)
{
    const struct sigaction action = { .sa_handler = on_term, .sa_flags = SA_RESTART };
    const cull_ranks_options options = { CULL_RANKS_AUTO, argc > 2 ? atof(argv[2]) : 60, 2 };
    cull_ranks *ranks;
    cull_context context;
    char why[CULL_SENTENCE];

    (void)sigaction(SIGTERM, &action, NULL);
    if (argc < 2)
        return 2;
    if (is_early_victim(argv[1])) // before it has met anybody
        (void)raise(SIGSTOP);
    if (cull_ranks_begin(&options, why, &ranks) != CULL_OK) {
        if (why[0])
            fprintf(stderr, "error: %s\n", why);
        return 3;
    }
    if (cull_context_init(&context, NULL, NULL) != CULL_OK)
        return 3;
    context.stop = stop;
    context.ranks = ranks;
    const int status = play(&context.ctx, argv[1]);
    cull_ranks_end(ranks);
    cull_context_release(&context);
    return status;
}
