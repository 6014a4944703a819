// What is told while a command runs: lines for people on stderr, JSON lines in a file.
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <xxhash.h>

#include "base/crash.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/warnings.h"

enum { LINE = 2048, WORD = 48, BAR = 20, SAID = 32 };

typedef struct phase {
    bool on, shown;
    char name[3 * WORD], unit[WORD];
    double total, done, begun, told; // begun, told: seconds of the monotonic clock
} phase;

struct cull_log {
    cull_level most;
    bool terminal;
    FILE *json, *diverted;
    uint64_t said[SAID]; // hashes of the last INFO lines: each is shown once
    size_t n_said;
    pthread_mutex_t lock;
    phase phase;
    cull_warnings *collected; // NULL: warnings are shown as they come
    char concern[LINE / 16];  // of those to come
    char about[2 * WORD];     // the phases to come
};

static const char *const level_word[] = { "error", "warning", "info", "debug" };

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

cull_log *cull_log_new(cull_level most)
{
    cull_log *log = cull_alloc(1, sizeof *log);

    if (!log)
        return NULL;

    const char *term = getenv("TERM");
    log->most = most;
    log->terminal = isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
    pthread_mutex_init(&log->lock, NULL);
    return log;
}

static void close_json(FILE *json)
{
    cull_crash_log(-1);
    fclose(json);
}

void cull_log_free(cull_log *log)
{
    if (!log)
        return;
    if (log->json)
        close_json(log->json);
    cull_warnings_free(log->collected);
    pthread_mutex_destroy(&log->lock);
    cull_free(log);
}

// A link is not followed, and a pipe is not waited for: neither is a file of ours.
static FILE *open_json(const char *path)
{
    struct stat st;
    const int fd =
        open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
    FILE *json = NULL;

    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        json = fdopen(fd, "a");
    else
        errno = fd >= 0 ? EINVAL : errno == ENXIO ? EINVAL : errno;
    if (fd >= 0 && !json)
        close(fd);
    return json;
}

bool cull_log_file(cull_log *log, const char *path)
{
    FILE *json = open_json(path);

    if (!json)
        return false;

    pthread_mutex_lock(&log->lock);
    if (log->json)
        close_json(log->json);
    log->json = json;
    cull_crash_log(fileno(json));
    pthread_mutex_unlock(&log->lock);
    return true;
}

static void write_json(FILE *file, cull_level level, const char *text)
{
    struct timespec now;
    struct tm utc;
    char when[32];
    cull_buf line = CULL_BUF_INIT;

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &utc);
    cull_buf_printf(&line, "{\"time\":\"%s.%03ldZ\",\"level\":\"%s\",\"text\":", when,
                    now.tv_nsec / 1000000, level_word[level]);
    cull_buf_json(&line, text, strlen(text));
    cull_buf_puts(&line, "}\n");
    if (!line.failed) {
        fwrite(line.s, 1, line.n, file);
        fflush(file);
    }
    cull_buf_release(&line);
}

static void format_time(char *buf, size_t size, double s)
{
    const unsigned long t = s < 0 ? 0 : s > 9e6 ? 9000000 : (unsigned long)(s + 0.5);

    if (t >= 3600)
        snprintf(buf, size, "%lu:%02lu:%02lu", t / 3600, t / 60 % 60, t % 60);
    else
        snprintf(buf, size, "%lu:%02lu", t / 60, t % 60);
}

static void format_count(char *buf, size_t size, double x)
{
    static const char suffix[] = " kMGTPE";
    size_t i = 0;

    for (; x >= 9999.5 && suffix[i + 1]; i++)
        x /= 1000;
    snprintf(buf, size, i || x < 10 ? "%.3g" : "%.0f", x);
    if (i)
        snprintf(buf + strlen(buf), size - strlen(buf), "%c", suffix[i]);
}

// "calibrate [#####·····] 52%  1200 of 2304 tokens  310/s  0:04 left"
static void format_phase(const phase *p, double now, bool bar, char *buf, size_t size)
{
    char done[32], total[32], speed[32], left[32], graph[BAR + 16] = "";
    const double passed = now - p->begun, rate = passed > 0 ? p->done / passed : 0;
    const double part = p->total > 0 ? fmin(p->done / p->total, 1) : 0;

    format_count(done, sizeof done, p->done);
    format_count(total, sizeof total, p->total);
    format_count(speed, sizeof speed, rate);
    format_time(left, sizeof left, p->total > 0 && rate > 0 ? (p->total - p->done) / rate : 0);
    if (bar && p->total > 0) {
        char full[BAR + 1] = { 0 };
        memset(full, '#', (size_t)(part * BAR));
        snprintf(graph, sizeof graph, " [%-*s]", BAR, full);
    }
    if (p->total > 0)
        snprintf(buf, size, "%s%s %3.0f%%  %s of %s %s  %s/s  %s left", p->name, graph,
                 floor(100 * part), done, total, p->unit, speed, left);
    else
        snprintf(buf, size, "%s  %s %s  %s/s", p->name, done, p->unit, speed);
}

static void erase_bar(cull_log *log)
{
    if (log->terminal && log->phase.shown)
        fputs("\r\033[K", stderr);
}

static void draw(cull_log *log, double now)
{
    char text[384];

    log->phase.told = now;
    log->phase.shown = true;
    format_phase(&log->phase, now, log->terminal, text, sizeof text);
    fprintf(stderr, log->terminal ? "\r%s\033[K" : "%s\n", text);
    fflush(stderr);
}

// Warnings and remarks are shown once; what goes wrong, and what is traced, each time.
static bool is_folded(cull_level level)
{
    return level == CULL_WARN || level == CULL_INFO;
}

// Was this line shown before?
static bool was_said(const cull_log *log, uint64_t hash)
{
    const size_t n = log->n_said < SAID ? log->n_said : SAID;

    for (size_t i = 0; i < n; i++)
        if (log->said[i] == hash)
            return true;
    return false;
}

// The same; if not, it is noted.
static bool is_said(cull_log *log, const char *text)
{
    const uint64_t hash = XXH3_64bits(text, strlen(text));

    if (was_said(log, hash))
        return true;
    log->said[log->n_said++ % SAID] = hash;
    return false;
}

// Is it kept, to be told later, unless it was shown before there was anything to keep?
static bool is_collected(cull_log *log, cull_level level, const char *text)
{
    if (level != CULL_WARN || !log->collected)
        return false;
    return was_said(log, XXH3_64bits(text, strlen(text))) ||
           cull_warnings_add(log->collected, text, log->concern);
}

// Texts hold names of others' making, which a terminal must not obey.
static void show(cull_level level, const char *text)
{
    cull_buf line = CULL_BUF_INIT;

    if (level != CULL_INFO)
        cull_buf_printf(&line, "%s: ", level_word[level]);
    cull_buf_visible(&line, text);
    if (line.failed) // no room for it: as it is, without what could be obeyed
        fprintf(stderr, "%.*s\n", (int)strcspn(text, "\033\x9b"), text);
    else
        fprintf(stderr, "%s\n", line.s ? line.s : "");
    cull_buf_release(&line);
}

// Its level and its text, ended by a NUL; at once, for a child may not come to its end.
static void divert(FILE *file, cull_level level, const char *text)
{
    (void)fputc('0' + (int)level, file);
    (void)fwrite(text, 1, strlen(text) + 1, file);
    (void)fflush(file);
}

void cull_log_divert(cull_log *log, FILE *file)
{
    if (!log)
        return;
    pthread_mutex_lock(&log->lock);
    log->diverted = file;
    pthread_mutex_unlock(&log->lock);
}

void cull_log_retell(cull_log *log, const char *diverted, size_t n)
{
    for (size_t at = 0; at < n;) {
        const size_t length = strnlen(diverted + at, n - at);
        if (at + length == n)
            return; // a line that was not ended
        const int level = diverted[at] - '0';
        if (level >= CULL_ERROR && level <= CULL_DEBUG)
            cull_log_line(log, (cull_level)level, "%s", diverted + at + 1);
        at += length + 1;
    }
}

void cull_log_vline(cull_log *log, cull_level level, const char *fmt, va_list args)
{
    char text[LINE];

    if (!log || (level > log->most && !log->json && !log->diverted))
        return;
    vsnprintf(text, sizeof text, fmt, args);
    pthread_mutex_lock(&log->lock);
    if (log->diverted) {
        divert(log->diverted, level, text);
        pthread_mutex_unlock(&log->lock);
        return;
    }
    const bool kept = is_collected(log, level, text);
    if (level <= log->most && !kept && !(is_folded(level) && is_said(log, text))) {
        erase_bar(log);
        show(level, text);
        if (log->phase.on && log->phase.shown && log->terminal)
            draw(log, seconds());
    }
    if (log->json)
        write_json(log->json, level, text);
    pthread_mutex_unlock(&log->lock);
}

void cull_log_line(cull_log *log, cull_level level, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    cull_log_vline(log, level, fmt, args);
    va_end(args);
}

bool cull_log_collect(cull_log *log)
{
    if (log && !log->collected)
        log->collected = cull_warnings_new();
    return log && log->collected;
}

void cull_log_concern(cull_log *log, const char *trial)
{
    if (!log)
        return;
    pthread_mutex_lock(&log->lock);
    snprintf(log->concern, sizeof log->concern, "%s", trial ? trial : "");
    pthread_mutex_unlock(&log->lock);
}

static void show_collected(void *arg, const char *line)
{
    const cull_log *log = arg;

    if (log->most >= CULL_INFO)
        show(CULL_WARN, line);
}

void cull_log_tell(cull_log *log)
{
    if (!log || !log->collected)
        return;
    cull_warnings_each(log->collected, show_collected, log);
    cull_warnings_free(log->collected);
    log->collected = NULL;
}

void cull_progress_about(cull_log *log, const char *about)
{
    if (!log)
        return;
    pthread_mutex_lock(&log->lock);
    snprintf(log->about, sizeof log->about, "%s", about ? about : "");
    pthread_mutex_unlock(&log->lock);
}

void cull_progress_begin(cull_log *log, const char *name, const char *unit, double total)
{
    if (!log)
        return;

    pthread_mutex_lock(&log->lock);
    erase_bar(log);
    log->phase = (phase){ .on = true, .total = total, .begun = seconds() };
    log->phase.told = log->phase.begun;
    snprintf(log->phase.name, sizeof log->phase.name, "%s%s%s", name, *log->about ? " " : "",
             log->about);
    snprintf(log->phase.unit, sizeof log->phase.unit, "%s", unit);
    pthread_mutex_unlock(&log->lock);
}

void cull_progress_tell(cull_log *log, double done)
{
    if (!log)
        return;

    pthread_mutex_lock(&log->lock);
    const double now = seconds();
    phase *p = &log->phase;
    p->done = done > p->done ? done : p->done;
    if (p->on && log->most >= CULL_INFO && now - p->told >= (log->terminal ? 0.1 : 60))
        draw(log, now);
    pthread_mutex_unlock(&log->lock);
}

bool cull_progress_on(cull_log *log)
{
    if (!log)
        return false;

    pthread_mutex_lock(&log->lock);
    const bool on = log->phase.on;
    pthread_mutex_unlock(&log->lock);
    return on;
}

void cull_progress_end(cull_log *log)
{
    if (!log)
        return;

    pthread_mutex_lock(&log->lock);
    if (log->phase.shown && log->terminal)
        erase_bar(log);
    log->phase = (phase){ 0 };
    pthread_mutex_unlock(&log->lock);
}
