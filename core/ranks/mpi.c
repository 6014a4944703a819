// The messenger: the process of a rank that knows MPI. A shared object of its own.
//
// It waits for its program and for the other messengers, asleep between looks but while bytes move,
// and looks after the run meanwhile: messengers send rank 0 a sign of life each second, and it
// them, for as long as their programs are neither stopped nor gone. Who falls silent, and who
// failed but is not met by the others in time, is told in one sentence, and the run ends on all
// ranks.
#include <mpi.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ranks/messenger.h"

enum { BEAT = 1, PART = 2, ENVIRONMENT = 3 };

static const double beat_seconds = 1, trouble_seconds = 7, parting_seconds = 3;

typedef struct beat {
    double place;              // in its pass
    int32_t hurry;             // end the pass
    cull_rank_failure trouble; // of the rank that sent it, which waits for the others to meet
} beat;

typedef struct messenger {
    const cull_messenger_job *job;
    pid_t program;
    MPI_Comm meetings, beats;
    int rank, size;
    char (*host)[CULL_RANKS_HOST]; // (size)
    double *heard, *place;         // (size) when a rank was last heard, and where it was
    beat *sent;                    // (size) in flight, with
    MPI_Request *sending;          // (size) these requests
    double next_beat, looked;
    bool asked;                // the program waits for an answer
    cull_rank_failure trouble; // a failure that not all have met for yet
    double troubled_since;     // 0: no trouble anywhere
    bool hurried;              // the program was asked to stop
    cull_rank_failure failure; // that all know of: the meetings are over
} messenger;

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void pause_for(double seconds)
{
    const struct timespec t = { .tv_sec = (time_t)seconds,
                                .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9) };

    (void)nanosleep(&t, NULL);
}

// ---- the program ----

static bool put(const messenger *m, const void *data, size_t n)
{
    return cull_link_write(m->job->socket, data, n);
}

static bool get(const messenger *m, void *data, size_t n)
{
    return cull_link_read(m->job->socket, data, n);
}

static bool program_gone(const messenger *m)
{
    struct pollfd end = { .fd = m->job->socket };

    return getppid() != m->program || (poll(&end, 1, 0) > 0 && (end.revents & (POLLHUP | POLLERR)));
}

static bool program_stopped(const messenger *m)
{
    char path[64], text[512];

    (void)snprintf(path, sizeof path, "/proc/%ld/stat", (long)m->program);
    FILE *file = fopen(path, "r");
    const size_t n = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file)
        (void)fclose(file);
    text[n] = '\0';
    const char *state = strrchr(text, ')'); // behind the name, which may hold anything
    return state && (state[2] == 'T' || state[2] == 't');
}

// ---- the end for all ----

// The program has said what it has to say when it asks for the last time, or is gone.
static void await_end(const messenger *m)
{
    struct pollfd asks = { .fd = m->job->socket, .events = POLLIN };

    (void)poll(&asks, 1, (int)(1000 * parting_seconds));
}

// The program of rank 0 says it where it still can, and else the messenger.
static bool told_by_program(messenger *m, const cull_rank_failure *why)
{
    struct pollfd asks = { .fd = m->job->socket, .events = POLLIN };
    cull_rank_request request;

    if (m->rank != 0 || program_gone(m) || program_stopped(m))
        return false;
    if (!m->asked) {
        if (!m->hurried)
            (void)kill(m->program, m->job->stopping);
        if (poll(&asks, 1, (int)(1000 * parting_seconds)) <= 0 || !get(m, &request, sizeof request))
            return false;
    }
    return put(m, why, sizeof *why);
}

static _Noreturn void leave_nothing(void)
{
    (void)alarm((unsigned)parting_seconds); // were MPI to wait for ranks that are gone
    (void)MPI_Abort(MPI_COMM_WORLD, ENVIRONMENT);
    _exit(ENVIRONMENT);
}

static _Noreturn void end_all(messenger *m, const cull_rank_failure *why)
{
    if (told_by_program(m, why))
        await_end(m);
    else
        (void)dprintf(STDERR_FILENO, "error: rank %u (%s): %s\n", (unsigned)why->rank,
                      m->host[why->rank], why->words);
    leave_nothing();
}

static _Noreturn void end_for(messenger *m, int rank, const char *words)
{
    cull_rank_failure why = { .status = m->job->lost, .rank = (uint32_t)rank };

    (void)snprintf(why.words, sizeof why.words, "%s", words);
    end_all(m, &why);
}

// ---- signs of life ----

static void send_beat(messenger *m, int to)
{
    int done = 1;

    if (m->sending[to] != MPI_REQUEST_NULL)
        MPI_Test(&m->sending[to], &done, MPI_STATUS_IGNORE);
    if (!done)
        return;
    m->sent[to] = (beat){ .place = atomic_load(&m->job->page->part),
                          .hurry = m->troubled_since > 0,
                          .trouble = m->trouble };
    MPI_Isend(&m->sent[to], sizeof(beat), MPI_BYTE, to, BEAT, m->beats, &m->sending[to]);
}

static void take_beats(messenger *m)
{
    MPI_Status status;
    int there = 1;

    for (;;) {
        beat b;
        MPI_Iprobe(MPI_ANY_SOURCE, BEAT, m->beats, &there, &status);
        if (!there)
            return;
        MPI_Recv(&b, sizeof b, MPI_BYTE, status.MPI_SOURCE, BEAT, m->beats, MPI_STATUS_IGNORE);
        m->heard[status.MPI_SOURCE] = now();
        m->place[status.MPI_SOURCE] = b.place;
        if (b.hurry && m->troubled_since == 0 && m->failure.status == 0)
            m->troubled_since = now();
        if (b.trouble.status != 0 && m->rank == 0)
            m->trouble = b.trouble;
    }
}

static void tell_parts(messenger *m)
{
    const double own = atomic_load(&m->job->page->part), phase = (double)(uint64_t)own;
    double sum = 0;

    m->place[m->rank] = own;
    for (int r = 0; r < m->size; r++)
        sum += cull_ranks_part(m->place[r], phase);
    atomic_store(&m->job->page->all, cull_ranks_place(phase, sum / m->size));
}

// Who was stopped itself, as with the whole machine, has heard nobody meanwhile.
static void forgive_own_absence(messenger *m)
{
    const double at = now();

    for (int r = 0; at - m->looked > 3 * beat_seconds && r < m->size; r++)
        m->heard[r] = at;
    m->looked = at;
}

// By the time of this look's beginning: were this process stopped since, the next look forgives.
static void look_for_silence(messenger *m)
{
    char words[128];
    const double patience = m->job->patience;

    for (int r = m->rank == 0 ? 1 : 0; r < (m->rank == 0 ? m->size : 1); r++) {
        // rank 0 speaks for the others; for rank 0 the first that still can
        if (m->looked - m->heard[r] < patience + (m->rank > 0 ? 2 * (m->rank - 1) : 0))
            continue;
        (void)snprintf(words, sizeof words,
                       "no sign of life for %g seconds: it is stopped or cannot be reached",
                       patience);
        end_for(m, r, words);
    }
}

// A rank that failed, or was asked to end, waits for the others: they are not left to finish.
static void look_after_trouble(messenger *m)
{
    if (m->troubled_since == 0)
        return;
    if (!m->asked && !m->hurried) {
        m->hurried = true;
        (void)kill(m->program, m->job->stopping);
    }
    const double late = m->rank == 0 ? trouble_seconds : trouble_seconds + 1;
    if (m->trouble.status != 0 && now() - m->troubled_since > late)
        end_all(m, &m->trouble);
}

// The launcher says so, too, where it ended the program itself; then nothing more needs to be said.
static _Noreturn void mourn(messenger *m)
{
    pause_for(0.5);
    end_for(m, m->rank, "the program ended before the run did");
}

// What is to be done between two looks at what is waited for.
static void look_around(messenger *m)
{
    if (program_gone(m))
        mourn(m);
    forgive_own_absence(m);
    take_beats(m);
    look_after_trouble(m);
    if (now() < m->next_beat)
        return;
    m->next_beat = now() + beat_seconds;
    tell_parts(m);
    if (!program_stopped(m))
        for (int r = m->rank == 0 ? 1 : 0; r < (m->rank == 0 ? m->size : 1); r++)
            send_beat(m, r);
    look_for_silence(m);
}

// What others may be long in coming to.
static void await(messenger *m, MPI_Request *request)
{
    static const double least = 2e-5, most = 2e-3;
    int done = 0;

    for (double pause = least;; pause = pause < most ? 2 * pause : most) {
        MPI_Test(request, &done, MPI_STATUS_IGNORE);
        if (done)
            return;
        look_around(m);
        pause_for(pause);
    }
}

// ---- meetings ----

enum { MEETINGS = CULL_LEAVE + 1 };

// Are all well, and at the same meeting? Of several failures the lowest rank's counts, and one that
// was only asked to stop least.
static void begin_meeting(messenger *m, const cull_rank_request *request)
{
    const bool fails = request->own.status != 0;
    const int order = request->own.asked ? m->rank + m->size : m->rank;
    const int which = request->meeting + MEETINGS * (int)request->to;
    const int own[] = { fails ? order : 2 * m->size, which, -which };
    int least[3];
    MPI_Request wait;

    if (fails) {
        m->trouble = request->own;
        m->troubled_since = m->troubled_since > 0 ? m->troubled_since : now();
        m->next_beat = 0; // the others hear of it at once
    }
    MPI_Iallreduce(own, least, 3, MPI_INT, MPI_MIN, m->meetings, &wait);
    await(m, &wait);
    m->troubled_since = 0;
    if (least[0] < 2 * m->size) {
        m->failure = request->own;
        MPI_Ibcast(&m->failure, sizeof m->failure, MPI_BYTE, least[0] % m->size, m->meetings,
                   &wait);
        await(m, &wait);
    } else if (least[1] != -least[2]) {
        m->failure = (cull_rank_failure){ .status = m->job->lost };
        (void)snprintf(m->failure.words, sizeof m->failure.words,
                       "the ranks went different ways (meetings %d and %d): a fault of Cull's own",
                       least[1], -least[2]);
    }
}

static void must(messenger *m, bool well)
{
    if (!well)
        mourn(m);
}

// ---- bytes ----

typedef struct portions { // on their way through the page's slots, in turn
    messenger *m;
    bool broadcast, gives;      // the program fills the slots
    uint64_t all, begun, ended; // where it gives, all that there are; those begun and ended
    double moved;               // when the last one ended
    MPI_Request wait[CULL_RANKS_SLOTS];
} portions;

// Is there one to be sent, or room for one to come?
static bool has_slot(const portions *p)
{
    const uint64_t moved = atomic_load(&p->m->job->page->moved);

    return p->gives ? p->begun < moved : p->begun < moved + CULL_RANKS_SLOTS;
}

static void begin_portion(portions *p, int rank, int n)
{
    const messenger *m = p->m;
    unsigned char *slot = m->job->page->slot[p->begun % CULL_RANKS_SLOTS];
    MPI_Request *wait = p->wait + p->begun++ % CULL_RANKS_SLOTS;

    if (p->broadcast)
        MPI_Ibcast(slot, n, MPI_BYTE, rank, m->meetings, wait);
    else if (p->gives)
        MPI_Isend(slot, n, MPI_BYTE, rank, PART, m->meetings, wait);
    else
        MPI_Irecv(slot, n, MPI_BYTE, rank, PART, m->meetings, wait);
}

static void end_portion(portions *p)
{
    const char next = 0;

    if (!p->gives || p->ended + CULL_RANKS_SLOTS < p->all)
        must(p->m, put(p->m, &next, sizeof next));
    p->ended++;
    p->moved = now();
    look_around(p->m);
}

// Bytes move only while somebody looks, and so it looks all the time for as long as they do; a
// program that copies its own goes first.
static void look_at_portions(portions *p)
{
    static const double eager = 5e-3, nap = 1e-4;
    int done = 0;

    if (p->ended < p->begun)
        MPI_Test(p->wait + p->ended % CULL_RANKS_SLOTS, &done, MPI_STATUS_IGNORE);
    if (done) {
        end_portion(p);
    } else if (now() - p->moved < eager) {
        (void)sched_yield();
    } else {
        look_around(p->m);
        pause_for(nap);
    }
}

// n bytes to a rank or from it.
static void move(portions *p, int rank, uint64_t n)
{
    while (n > 0) {
        const size_t some = cull_ranks_portion(n);
        if (!has_slot(p)) {
            look_at_portions(p);
            continue;
        }
        begin_portion(p, rank, (int)some);
        n -= some;
    }
}

static void move_rest(portions *p)
{
    while (p->ended < p->begun)
        look_at_portions(p);
}

static portions new_portions(messenger *m, bool gives, uint64_t n)
{
    return (portions){
        .m = m, .gives = gives, .all = (n + CULL_RANKS_SLOT - 1) / CULL_RANKS_SLOT, .moved = now()
    };
}

static void broadcast(messenger *m, uint64_t n)
{
    MPI_Request wait;

    MPI_Ibcast(&n, 1, MPI_UINT64_T, 0, m->meetings, &wait);
    await(m, &wait);
    if (m->rank != 0)
        must(m, put(m, &n, sizeof n));
    portions p = new_portions(m, m->rank == 0, n);
    p.broadcast = true;
    move(&p, 0, n);
    move_rest(&p);
}

static void gather(messenger *m, int to, uint64_t n)
{
    MPI_Request wait;
    uint64_t *all = m->rank == to ? calloc((size_t)m->size, sizeof *all) : NULL;

    if (m->rank == to && !all)
        end_for(m, m->rank, "out of memory");
    MPI_Igather(&n, 1, MPI_UINT64_T, all, 1, MPI_UINT64_T, to, m->meetings, &wait);
    await(m, &wait);
    portions p = new_portions(m, m->rank != to, n);
    if (m->rank == to)
        must(m, put(m, all, (size_t)m->size * sizeof *all));
    else
        move(&p, to, n);
    for (int r = 0; all && r < m->size; r++)
        if (r != to)
            move(&p, r, all[r]);
    move_rest(&p);
    free(all);
}

// Nobody leaves before all do: a program may still have things to write.
static void part_company(messenger *m)
{
    MPI_Request wait;

    MPI_Ibarrier(m->meetings, &wait);
    await(m, &wait);
}

static void answer(messenger *m, const cull_rank_request *request)
{
    m->asked = true;
    if (m->failure.status == 0)
        begin_meeting(m, request);
    if (request->meeting == CULL_LEAVE)
        part_company(m);
    m->asked = false;
    atomic_store(&m->job->page->moved, 0);
    must(m, put(m, &m->failure, sizeof m->failure));
    if (m->failure.status != 0)
        return;
    if (request->meeting == CULL_BROADCAST)
        broadcast(m, request->n);
    else if (request->meeting == CULL_GATHER)
        gather(m, (int)request->to, request->n);
}

// Until the program leaves.
static void serve(messenger *m)
{
    struct pollfd asks = { .fd = m->job->socket, .events = POLLIN };

    for (;;) {
        cull_rank_request request;
        const int n = poll(&asks, 1, m->troubled_since > 0 ? 20 : 200);
        if (n <= 0 || !(asks.revents & POLLIN)) {
            look_around(m);
            continue;
        }
        must(m, get(m, &request, sizeof request));
        answer(m, &request);
        if (request.meeting == CULL_LEAVE)
            return;
    }
}

// ---- from hello to the end ----

static bool make_room(messenger *m)
{
    const size_t n = (size_t)m->size;

    m->host = calloc(n, sizeof *m->host);
    m->heard = calloc(n, sizeof *m->heard);
    m->place = calloc(n, sizeof *m->place);
    m->sent = calloc(n, sizeof *m->sent);
    m->sending = calloc(n, sizeof(MPI_Request));
    if (!m->host || !m->heard || !m->place || !m->sent || !m->sending)
        return false;
    m->looked = now();
    for (size_t r = 0; r < n; r++) {
        m->heard[r] = now();
        m->sending[r] = MPI_REQUEST_NULL;
    }
    return true;
}

static bool say_hello(messenger *m)
{
    char own[CULL_RANKS_HOST] = { 0 };
    cull_hello hello = { .rank = (uint32_t)m->rank, .size = (uint32_t)m->size };

    if (!make_room(m)) {
        hello.failed = 1;
        (void)snprintf(hello.why, sizeof hello.why, "out of memory");
        return put(m, &hello, sizeof hello) && false;
    }
    (void)gethostname(own, sizeof own - 1);
    MPI_Allgather(own, CULL_RANKS_HOST, MPI_CHAR, m->host, CULL_RANKS_HOST, MPI_CHAR, m->meetings);
    return put(m, &hello, sizeof hello) && put(m, m->host, (size_t)m->size * sizeof *m->host);
}

// The messenger goes last. A program that is stopped when all is done has only its own end before
// it, and nobody would miss it but the launcher, which would wait for ever: it is woken.
static void see_off(const messenger *m)
{
    (void)close(m->job->socket); // for the program: all is said
    while (getppid() == m->program) {
        if (program_stopped(m))
            (void)kill(m->program, SIGCONT);
        pause_for(0.02);
    }
}

static void take_leave(messenger *m)
{
    for (int r = 0; r < m->size; r++)
        if (m->sending[r] != MPI_REQUEST_NULL)
            MPI_Request_free(&m->sending[r]);
    (void)alarm(CULL_RANKS_LEAVING);
    (void)MPI_Finalize();
    (void)alarm(0);
    see_off(m);
}

cull_messenger_main cull_messenger_v1;

void cull_messenger_v1(const cull_messenger_job *job)
{
    messenger m = { .job = job, .program = getppid() };

    if (MPI_Init(NULL, NULL) != MPI_SUCCESS)
        return;
    MPI_Comm_dup(MPI_COMM_WORLD, &m.meetings);
    MPI_Comm_dup(MPI_COMM_WORLD, &m.beats);
    MPI_Comm_rank(m.meetings, &m.rank);
    MPI_Comm_size(m.meetings, &m.size);
    if (!say_hello(&m))
        return;
    serve(&m);
    take_leave(&m);
}
