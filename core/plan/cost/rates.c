// Rates of this machine: measured briefly, kept in a file.
#include "plan/cost/rates.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/memory.h"
#include "base/new_file.h"
#include "base/order.h"
#include "base/read_file.h"
#include "base/text.h"
#include "engine/column_sums.h"
#include "engine/kv.h"
#include "math/blas.h"
#include "math/cpu.h"
#include "math/rows.h"

static const double rate_rows[CULL_RATE_ROWS] = { 16, 64, 512 };
static const double rate_widths[CULL_RATE_WIDTHS] = { 64, 1024, 4096 };

// ---- measuring ----

// Processor seconds: the clock of a machine that does nothing else.
static double seconds_of(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double n_threads(const cull_run *run)
{
    return (double)(run->n_workers ? run->n_workers : 1);
}

// Of the program, a thread's share.
static double now(const cull_run *run)
{
    return seconds_of(CLOCK_PROCESS_CPUTIME_ID) / n_threads(run);
}

enum {
    EACH = 2,   // calls of a thread in a round
    ROUNDS = 3, // the middle one counts: a run is as slow as machines are on the whole
};

// Of n numbers, which are sorted; of an even number the lower one in the middle.
static double median(size_t n, double *x)
{
    qsort(x, n, sizeof *x, cull_by_value);
    return x[(n - 1) / 2];
}

static double middle(double seconds[ROUNDS])
{
    return fmax(median(ROUNDS, seconds), 1e-9);
}

enum {
    COLUMNS = 128,   // of a measured matrix's rows
    WIDEST = 4096,   // its input channels, at most
    MOST_ROWS = 512, // rows that meet it, at most
    KEYS = 256,
    HEADS = 8,
    HEAD = 64,
};

typedef struct work { // what each worker does once, in memory of its own
    cull_run *run;
    size_t rows, width;
    size_t room; // floats of a worker
    float *memory;
    cull_status (*call)(void *, size_t, size_t);
    double *seconds; // (calls) of the thread that made each
} work;

static float *memory_of(const work *w, size_t worker)
{
    return w->memory + (worker % (w->run->n_workers + 1)) * w->room;
}

// A tile of bf16 weights made ready, and met by the rows.
static cull_status multiply(void *arg, size_t i, size_t worker)
{
    const work *w = arg;
    cull_worker *own = w->run->worker + worker;
    float *x = memory_of(w, worker), *y = x + MOST_ROWS * WIDEST;
    const void *weights = y + MOST_ROWS * COLUMNS;
    float *wide = (float *)(uintptr_t)weights + COLUMNS * WIDEST;

    (void)i;
    for (size_t r = 0; r < COLUMNS * w->width; r++)
        wide[r] = ((const float *)weights)[r];
    const void *tile = cull_gemm_tile(own->gemm, CULL_PRODUCT_F32, CULL_TILE_F32, COLUMNS, w->width,
                                      wide, own->panels);
    const cull_rows_by_tile product = { .product = CULL_PRODUCT_F32,
                                        .m = w->rows,
                                        .n = COLUMNS,
                                        .K = w->width,
                                        .ldx = w->width,
                                        .ldy = COLUMNS,
                                        .x = x,
                                        .tile = tile,
                                        .y = y };
    return cull_gemm_rows(own->gemm, &product) ? CULL_OK : cull_no_memory(w->run->ctx);
}

static cull_status walk_rows(void *arg, size_t i, size_t worker)
{
    const work *w = arg;
    float *x = memory_of(w, worker);

    (void)i;
    cull_row_add(MOST_ROWS * WIDEST, x, 0.5f, x + MOST_ROWS * WIDEST / 2);
    return CULL_OK;
}

static cull_status add_hessian(void *arg, size_t i, size_t worker)
{
    const work *w = arg;
    double *x = (double *)(void *)memory_of(w, worker);

    (void)i;
    return cull_gemm_f64(true, false, COLUMNS, 512, 256, 1.0, x, 512, x, 512, 1.0, x + 256 * 512,
                         512)
               ? CULL_OK
               : cull_fail(w->run->ctx, CULL_ENOTSUP, "a product in double precision");
}

enum { SORTED = 4096 };

static cull_status sort_numbers(void *arg, size_t i, size_t worker)
{
    const work *w = arg;
    double *x = (double *)(void *)memory_of(w, worker);

    (void)i;
    for (size_t k = 0; k < SORTED; k++)
        x[k] = fmod((double)k * 0.618033988749895, 1);
    qsort(x, SORTED, sizeof *x, cull_by_value);
    return CULL_OK;
}

static cull_status timed_call(void *arg, size_t i, size_t worker)
{
    const work *w = arg;
    const double start = seconds_of(CLOCK_THREAD_CPUTIME_ID);
    const cull_status status = w->call(arg, i, worker);

    w->seconds[i] = seconds_of(CLOCK_THREAD_CPUTIME_ID) - start;
    return status;
}

// Calls a second of all threads together. Each thread times its own: the clock of the program lags
// behind what other threads do by more than a call takes.
static cull_status time_calls(work *w, cull_status (*call)(void *, size_t, size_t), double *out)
{
    const size_t n = EACH * (size_t)n_threads(w->run);
    double took[ROUNDS + 1] = { 0 };

    w->call = call;
    for (size_t round = 0; round <= ROUNDS; round++) { // the first is not counted
        CULL_TRY(cull_run_each(w->run, n, timed_call, w));
        for (size_t i = 0; i < n; i++)
            took[round] += w->seconds[i];
    }
    *out = (double)n * n_threads(w->run) / middle(took + 1);
    return CULL_OK;
}

static cull_status measure_products(work *w, cull_rates *out)
{
    for (size_t r = 0; r < CULL_RATE_ROWS; r++)
        for (size_t c = 0; c < CULL_RATE_WIDTHS; c++) {
            double calls;
            w->rows = (size_t)rate_rows[r];
            w->width = (size_t)rate_widths[c];
            CULL_TRY(time_calls(w, multiply, &calls));
            out->product[r][c] = calls * 2.0 * (double)(w->rows * w->width * COLUMNS);
        }
    return CULL_OK;
}

// Calls a second of the engine's attention over spans that end at KEYS positions.
static cull_status time_attention(work *w, size_t n_spans, const cull_span *span, size_t width,
                                  double *out)
{
    const cull_kv kv = { .n_spans = n_spans, .span = span };
    const cull_attention a = {
        .H = HEADS, .KV = HEADS, .qk_width = width, .v_width = width, .scale = 0.1f
    };
    const size_t n = (size_t)KEYS * HEADS * width;
    cull_piece piece = cull_piece_outer(w->run);
    double took[ROUNDS];

    piece.kv = &kv;
    piece.pass.core = &piece;
    for (size_t round = 0; round < ROUNDS; round++) {
        const double start = now(w->run);
        CULL_TRY(cull_attention_rows(&piece.pass, &a, w->memory, w->memory + n, w->memory + 2 * n,
                                     w->memory + 3 * n));
        took[round] = now(w->run) - start;
    }
    *out = 1 / middle(took);
    return CULL_OK;
}

// A sequence of as many rows as keys; and sequences of one new row, as in generation.
static cull_status measure_attention(work *w, cull_rates *out)
{
    enum { SPANS = 8, NARROW = 16 };
    const cull_span whole = { .parent = CULL_ROOT, .n_kv = KEYS, .n_rows = KEYS };
    cull_span one[SPANS];
    double calls;

    CULL_TRY(time_attention(w, 1, &whole, HEAD, &calls));
    out->attention = calls * 4.0 * HEADS * HEAD * KEYS * (KEYS + 1) / 2.0;
    for (size_t i = 0; i < SPANS; i++)
        one[i] = (cull_span){ .parent = CULL_ROOT, .n_kv = KEYS, .row_first = i, .n_rows = 1 };
    CULL_TRY(time_attention(w, SPANS, one, NARROW, &calls));
    out->fetch = calls * 2.0 * SPANS * HEADS * NARROW * KEYS;
    return CULL_OK;
}

static cull_status measure_sums(work *w, cull_rates *out)
{
    enum { N = 256, COLS = 4096 };
    const float *row[N];
    uint8_t slice[N] = { 0 };
    cull_column_sums sums;
    double took[ROUNDS] = { 0 };

    for (size_t i = 0; i < N; i++)
        row[i] = w->memory + i * COLS;
    const cull_column_work one = { &sums, { N, row, NULL, slice } };
    cull_status status =
        cull_column_sums_init(w->run->ctx, &sums, CULL_COLUMN_SQUARES, COLS, 0, CULL_SLICES);
    for (size_t round = 0; status == CULL_OK && round < ROUNDS; round++) {
        const double start = now(w->run);
        status = cull_column_sums_add(w->run, 1, &one);
        took[round] = now(w->run) - start;
    }
    cull_column_sums_release(&sums);
    out->sums = N * COLS / middle(took);
    return status;
}

static cull_status measure_all(work *w, cull_rates *out)
{
    double calls;

    CULL_TRY(measure_products(w, out));
    CULL_TRY(measure_attention(w, out));
    CULL_TRY(measure_sums(w, out));
    CULL_TRY(time_calls(w, walk_rows, &calls));
    out->rows = calls * 3.0 * MOST_ROWS * WIDEST;
    CULL_TRY(time_calls(w, add_hessian, &calls));
    out->hessian = calls * 2.0 * COLUMNS * 512 * 256;
    CULL_TRY(time_calls(w, sort_numbers, &calls));
    out->steps = calls * SORTED * log2(SORTED);
    return CULL_OK;
}

static cull_status measure(cull_ctx *ctx, cull_rates *out)
{
    cull_run run;
    work w = { .run = &run,
               .room = MOST_ROWS * WIDEST + MOST_ROWS * COLUMNS + 2 * COLUMNS * WIDEST };
    cull_status status = cull_run_init(&run, ctx, NULL, CULL_F32);

    if (status == CULL_OK) {
        w.memory = cull_alloc((run.n_workers + 1) * w.room, sizeof *w.memory);
        w.seconds = cull_alloc(EACH * (run.n_workers + 1), sizeof *w.seconds);
        status = w.memory && w.seconds ? measure_all(&w, out) : cull_no_memory(ctx);
    }
    cull_free(w.seconds);
    cull_free(w.memory);
    cull_run_release(&run);
    return status;
}

// ---- the file ----

enum { N_RATES = sizeof(cull_rates) / sizeof(double) };

// Processor, build and threads.
static cull_key key_here(const cull_ctx *ctx)
{
    const cull_cpu cpu = cull_cpu_features();
    const cull_pool *pool = cull_context_of((cull_ctx *)(uintptr_t)ctx)->pool;
    char words[256], text[512];
    struct stat program = { 0 };

    cull_cpu_words(&cpu, words, sizeof words);
    (void)stat("/proc/self/exe", &program);
    (void)snprintf(text, sizeof text, "%s %s %s %lld %lld %zu", cpu.name, words, CULL_VERSION,
                   (long long)program.st_size, (long long)program.st_mtime,
                   pool ? cull_pool_threads(pool) : 1);
    return cull_key_of(text, strlen(text));
}

// <cache>/cull/rates-<key>; NULL: there is no place for it.
static const char *file_here(cull_ctx *ctx)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    cull_arena *arena = cull_context_of(ctx)->scratch;
    const char *folder = cache && *cache == '/' ? cull_arena_printf(arena, "%s/cull", cache)
                         : home && *home        ? cull_arena_printf(arena, "%s/.cache/cull", home)
                                                : NULL;

    return folder ? cull_arena_printf(arena, "%s/rates-%s", folder, key_here(ctx).hex) : NULL;
}

enum { TIMES = 5 }; // measurements that are kept

typedef struct history {
    size_t n;
    cull_rates each[TIMES];
} history;

static bool read_one(FILE *file, cull_rates *out)
{
    double *to = (double *)(void *)out;
    size_t n = 0;

    while (n < N_RATES && fscanf(file, "%lf", &to[n]) == 1 && to[n] > 0 && isfinite(to[n]))
        n++;
    return n == N_RATES;
}

static void read_history(const char *path, history *out)
{
    FILE *file = cull_regular_stream(path);

    out->n = 0;
    while (file && out->n < TIMES && read_one(file, &out->each[out->n]))
        out->n++;
    if (file)
        (void)fclose(file);
}

static void make_folders(const char *path)
{
    char part[4096];

    for (size_t i = 1; path[i] && i < sizeof part; i++)
        if (path[i] == '/') {
            memcpy(part, path, i);
            part[i] = '\0';
            (void)mkdir(part, 0777);
        }
}

// Nobody minds where it cannot be kept: the next plan measures again.
static void write_history(cull_ctx *ctx, const char *path, const history *known)
{
    const double *from = (const double *)(const void *)known->each;
    cull_buf text = CULL_BUF_INIT;

    make_folders(path);
    for (size_t i = 0; i < known->n * N_RATES; i++)
        cull_buf_printf(&text, "%.6g\n", from[i]);
    if (!text.failed && cull_write_file(ctx, path, text.s ? text.s : "", text.n) != CULL_OK)
        cull_error_clear(ctx);
    cull_buf_release(&text);
}

// Each rate's median; of two the slower.
static void medians(const history *known, cull_rates *out)
{
    double *to = (double *)(void *)out, of[TIMES];

    for (size_t i = 0; i < N_RATES; i++) {
        for (size_t k = 0; k < known->n; k++)
            of[k] = ((const double *)(const void *)&known->each[k])[i];
        to[i] = median(known->n, of);
    }
}

cull_status cull_rates_here(cull_ctx *ctx, cull_rates *out)
{
    const char *path = file_here(ctx);
    history known = { 0 };

    if (path)
        read_history(path, &known);
    if (known.n < TIMES) {
        CULL_TRY(measure(ctx, &known.each[known.n++]));
        if (path)
            write_history(ctx, path, &known);
    }
    medians(&known, out);
    return CULL_OK;
}

// ---- between what was measured ----

// Where x stands among n ascending marks, on a logarithmic scale: *at and how far to the next one.
static double place_of(size_t n, const double *mark, double x, size_t *at)
{
    const double clamped = fmin(fmax(x, mark[0]), mark[n - 1]);

    for (*at = 0; *at + 2 < n && clamped > mark[*at + 1];)
        ++*at;
    return log(clamped / mark[*at]) / log(mark[*at + 1] / mark[*at]);
}

double cull_product_rate(const cull_rates *rates, double rows, double width)
{
    size_t r, c;
    const double down = place_of(CULL_RATE_ROWS, rate_rows, rows, &r);
    const double right = place_of(CULL_RATE_WIDTHS, rate_widths, width, &c);
    const double upper = rates->product[r][c] * (1 - right) + rates->product[r][c + 1] * right;
    const double lower =
        rates->product[r + 1][c] * (1 - right) + rates->product[r + 1][c + 1] * right;
    const double rate = upper * (1 - down) + lower * down;

    // fewer rows than were measured cost as many: they are padded
    return rows < rate_rows[0] ? rate * fmax(rows, 1) / rate_rows[0] : rate;
}
