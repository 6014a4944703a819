// A function in a forked child with a time limit, and how it ended.
#include "flow/sandbox/child.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/new_file.h"
#include "base/pages.h"

typedef struct shared { // by parent and child
    cull_status status;
    bool ended; // the child came to its own end
    cull_error error;
    char doing[CULL_DOING];
} shared;

static _Noreturn void be_child(cull_ctx *ctx, const cull_child_job *job, shared *s, FILE *out)
{
    cull_context *context = cull_context_of(ctx);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)setpgid(0, 0);                              // what it starts ends with it
    setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 }); // a crash is told, not kept
    cull_crash_forget();
    context->ranks = NULL; // the parent meets them
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    if (context->pool)
        context->pool = cull_pool_new(cull_pool_threads(context->pool));
    if (context->pages)
        context->pages = cull_pages_new(job->folder);
    s->status = job->work(ctx, job->arg, out, s->doing);
    if (s->status == CULL_OK && fflush(out) != 0)
        s->status = cull_fail(ctx, CULL_EIO, "the results of a stage cannot be written: %s",
                              strerror(errno));
    s->error = context->error;
    s->ended = true;
    _exit(0);
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

enum { SELDOM = 100 }; // milliseconds

typedef enum outcome { ENDED, TIMED_OUT, STOPPED } outcome;

// A process that the child left behind may hold the pipe open longer than the child lives.
static bool is_over(pid_t child)
{
    siginfo_t info = { 0 };

    return waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == child;
}

// The child holds the other end of the pipe open until its very end, unless its plugin closes what
// it finds open: then it is looked at ever more seldom.
static outcome await(cull_ctx *ctx, pid_t child, int pipe_end, double seconds)
{
    const cull_context *context = cull_context_of(ctx);
    const double end = seconds > 0 ? now() + seconds : 0;
    struct pollfd wait = { .fd = pipe_end, .events = POLLIN };
    int pause = SELDOM;

    for (;;) {
        const int n = poll(&wait, 1, pause);
        if (is_over(child))
            return ENDED;
        if (n > 0)
            wait.fd = -1; // a negative one is never ready
        if (wait.fd < 0)
            pause = n > 0 ? 1 : 2 * pause < SELDOM ? 2 * pause : SELDOM;
        if (context->stop && context->stop()) {
            kill(child, SIGKILL);
            return STOPPED;
        }
        if (end > 0 && now() > end) {
            kill(child, SIGKILL);
            return TIMED_OUT;
        }
    }
}

static cull_status verdict(cull_ctx *ctx, const shared *s, outcome how, int status, double seconds)
{
    cull_context *context = cull_context_of(ctx);
    const char *doing = s->doing[0] ? s->doing : "a plugin";

    if (how == STOPPED || (context->stop && context->stop()))
        return cull_fail(ctx, CULL_ECANCELED, "interrupted");
    if (how == TIMED_OUT)
        return cull_fail(ctx, CULL_EPLUGIN, "%s: no end after %g seconds, so it was stopped", doing,
                         seconds);
    if (WIFSIGNALED(status))
        return cull_fail(ctx, CULL_EPLUGIN, "%s: crashed (%s)", doing, strsignal(WTERMSIG(status)));
    if (!s->ended)
        return cull_fail(ctx, CULL_EPLUGIN, "%s: ended the program (exit status %d)", doing,
                         WEXITSTATUS(status));
    if (s->status != CULL_OK && s->error.status != CULL_OK) {
        cull_error_clear(ctx);
        cull_fail(ctx, s->status, "%s", s->error.sentence);
        for (size_t i = 0; i < s->error.n_frames; i++)
            cull_while(ctx, s->status, "%s", s->error.frame[i]);
    } else if (s->status != CULL_OK) {
        cull_fail(ctx, s->status, "%s: failed without saying why (%s)", doing,
                  cull_status_text(s->status));
    }
    return s->status;
}

static cull_status run_forked(cull_ctx *ctx, const cull_child_job *job, shared *s, FILE *out)
{
    int ends[2], status = 0;

    if (pipe(ends) != 0)
        return cull_fail(ctx, CULL_EENV, "a pipe cannot be made: %s", strerror(errno));
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        be_child(ctx, job, s, out);
    }
    close(ends[1]);
    if (child < 0) {
        close(ends[0]);
        return cull_fail(ctx, CULL_EENV, "a process cannot be forked: %s", strerror(errno));
    }
    const outcome how = await(ctx, child, ends[0], job->seconds);
    close(ends[0]);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    (void)kill(-child, SIGKILL); // its group: what it left behind
    return verdict(ctx, s, how, status, job->seconds);
}

cull_status cull_child_run(cull_ctx *ctx, const cull_child_job *job, FILE **out)
{
    FILE *file;

    *out = NULL;
    CULL_TRY(cull_nameless_stream(ctx, job->folder, &file));
    shared *s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (s == MAP_FAILED) {
        fclose(file);
        return cull_no_memory(ctx);
    }
    const cull_status status = run_forked(ctx, job, s, file);
    munmap(s, sizeof *s);
    if (status != CULL_OK) {
        fclose(file);
        return status;
    }
    rewind(file);
    *out = file;
    return CULL_OK;
}
