// How a run finds out that it is one of several, and starts its messenger.
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "ranks/link.h"

// ---- what the launcher says ----

static size_t number_in(const char *name)
{
    const char *text = getenv(name);
    char *end;

    if (!text)
        return 0;
    const unsigned long n = strtoul(text, &end, 10);
    return end == text || *end ? 0 : (size_t)n;
}

static size_t first_number(size_t n, const char *const *names)
{
    for (size_t i = 0; i < n; i++)
        if (getenv(names[i]))
            return number_in(names[i]);
    return 0;
}

size_t cull_ranks_launched_as(void)
{
    static const char *const names[] = { "OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK",
                                         "SLURM_PROCID" };

    return first_number(sizeof names / sizeof *names, names);
}

typedef struct launched {
    size_t n;        // processes that the launcher says there are
    bool slurm;      // it is Slurm that says so
    bool introduced; // the launcher has what MPI needs to find the others
} launched;

static launched how_launched(void)
{
    static const char *const mpi[] = { "OMPI_COMM_WORLD_SIZE", "PMI_SIZE" };
    static const char *const slurm[] = { "SLURM_STEP_NUM_TASKS", "SLURM_NTASKS" };
    const size_t by_mpi = first_number(2, mpi), by_slurm = first_number(2, slurm);

    return (launched){ .n = by_mpi     ? by_mpi
                            : by_slurm ? by_slurm
                                       : 1,
                       .slurm = !by_mpi && by_slurm > 1,
                       .introduced = by_mpi || getenv("PMIX_NAMESPACE") };
}

static cull_status refuse(char why[CULL_SENTENCE], const launched *l)
{
    if (cull_ranks_launched_as() > 0) {
        why[0] = '\0';
        return CULL_EENV;
    }
    const char *hint = l->slurm ? "start it with srun --mpi=pmix" : "start it with mpirun";

    (void)snprintf(why, CULL_SENTENCE,
                   "%s says there are %zu processes, but this one sees itself alone: %s of the MPI "
                   "that Cull was built with, or say --ranks none",
                   l->slurm ? "SLURM_NTASKS" : "the launcher", l->n, hint);
    return CULL_EENV;
}

// ---- the messenger ----

// Beside the program or above its tests while it is built, below the prefix once it is installed.
static void *load_module(char why[512])
{
    static const char *const places[] = { "cull-mpi.so", "../cull-mpi.so",
                                          "../" CULL_INSTALL_LIBDIR "/cull/cull-mpi.so" };
    char program[PATH_MAX], path[PATH_MAX + 256];
    const ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);

    program[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(program, '/');
    *(slash ? slash : program) = '\0';
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", program, places[i]);
        if (access(path, F_OK) != 0)
            continue;
        void *module = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
        if (!module)
            (void)snprintf(why, 512, "MPI cannot be loaded: %s", dlerror());
        return module;
    }
    (void)snprintf(why, 512,
                   "this Cull was built without MPI: install Open MPI's development files and "
                   "build it again, or say --ranks none");
    return NULL;
}

static _Noreturn void be_messenger(const cull_messenger_job *job, int voice)
{
    cull_hello hello = { .failed = 1 };
    void *symbol = NULL, *module;

    (void)dup2(voice, STDERR_FILENO);
    (void)prctl(PR_SET_PDEATHSIG, SIGCONT); // were it stopped, it would not notice
    (void)prctl(PR_SET_TIMERSLACK, 1000);   // its naps are short
    (void)signal(SIGINT, SIG_IGN);          // the program's affair
    (void)signal(SIGTERM, SIG_IGN);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGSEGV, SIG_DFL);
    (void)signal(SIGABRT, SIG_DFL);
    module = load_module(hello.why);
    if (module)
        symbol = dlsym(module, CULL_MESSENGER_MAIN);
    if (symbol) {
        cull_messenger_main *run;
        memcpy(&run, &symbol, sizeof run);
        run(job);
    } else {
        (void)cull_link_write(job->socket, &hello, sizeof hello);
    }
    _exit(0);
}

// MPI waits for all ranks to start, for ever: one that is stopped before it has, or whose host
// hangs, is noticed here. Launching many takes long; rank 0 speaks, where it can, and else the
// next.
static const double least_patience = 30, turn_seconds = 5;

static bool hears_in_time(const cull_ranks *ranks, double patience, char why[CULL_SENTENCE])
{
    const double least = patience > least_patience ? patience : least_patience;

    if (cull_link_await(ranks, least + turn_seconds * (double)cull_ranks_launched_as()))
        return true;
    (void)snprintf(why, CULL_SENTENCE,
                   "MPI has not started after %g seconds: a rank is stopped or cannot be reached",
                   least);
    return false;
}

static bool hear_hello(cull_ranks *ranks, double patience, char why[CULL_SENTENCE])
{
    cull_hello hello;

    if (!hears_in_time(ranks, patience, why))
        return false;
    if (!cull_link_read(ranks->socket, &hello, sizeof hello)) {
        (void)snprintf(why, CULL_SENTENCE, "MPI cannot be started");
        return false;
    }
    if (hello.failed) {
        (void)snprintf(why, CULL_SENTENCE, "%s", hello.why);
        return false;
    }
    ranks->rank = hello.rank;
    ranks->size = hello.size;
    ranks->host = cull_alloc(ranks->size, sizeof *ranks->host);
    return ranks->host &&
           cull_link_read(ranks->socket, ranks->host, ranks->size * sizeof *ranks->host);
}

// The program's end of a new messenger; −1: none could be started.
static int start_messenger(const cull_ranks_options *options, cull_ranks *ranks)
{
    int ends[2];

    ranks->page =
        mmap(NULL, sizeof *ranks->page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (ranks->page == MAP_FAILED || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return -1;
    (void)fflush(NULL);
    ranks->messenger = fork();
    if (ranks->messenger == 0) {
        const cull_messenger_job job = { .socket = ends[1],
                                         .stopping = SIGTERM,
                                         .lost = CULL_EENV,
                                         .patience = options->patience,
                                         .page = ranks->page };
        (void)close(ends[0]);
        be_messenger(&job, options->voice);
    }
    (void)close(ends[1]);
    if (ranks->messenger < 0)
        (void)close(ends[0]);
    return ranks->messenger < 0 ? -1 : ends[0];
}

cull_status cull_ranks_begin(const cull_ranks_options *options, char why[CULL_SENTENCE],
                             cull_ranks **out)
{
    const launched l = how_launched();

    *out = NULL;
    if (options->wish == CULL_RANKS_NONE || (options->wish == CULL_RANKS_AUTO && l.n <= 1))
        return CULL_OK;
    if (l.n > 1 && !l.introduced)
        return refuse(why, &l);
    cull_ranks *ranks = cull_alloc(1, sizeof *ranks);
    if (!ranks) {
        (void)snprintf(why, CULL_SENTENCE, "%s", cull_status_text(CULL_ENOMEM));
        return CULL_ENOMEM;
    }
    ranks->socket = start_messenger(options, ranks);
    if (ranks->socket < 0) {
        (void)snprintf(why, CULL_SENTENCE, "a process for MPI cannot be started: %s",
                       strerror(errno));
        cull_free(ranks);
        return CULL_EENV;
    }
    const bool heard = hear_hello(ranks, options->patience, why);
    if (heard && l.n > 1 && ranks->size == 1) {
        cull_ranks_end(ranks);
        return refuse(why, &l);
    }
    if (!heard) {
        ranks->lost = true;
        cull_ranks_end(ranks);
        return CULL_EENV;
    }
    *out = ranks;
    return CULL_OK;
}
