// Claims on what is to be computed, held by files that beat.
#include "record/folder/claims.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/new_file.h"
#include "base/process.h"
#include "base/thread.h"
#include "record/folder/folder.h"

enum { NAME = 160, LINE = 512 };

struct cull_claims {
    char *dir;        // <folder>/claims
    char run[NAME];   // this run's file
    char about[LINE]; // its content
    bool beating;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t end;
    bool ended;
};

// ---- what a run says of itself ----

typedef struct identity {
    char run[NAME], host[80], boot[48], space[48];
    long pid;
    unsigned long long start; // of the process, in the system's ticks
} identity;

static void read_line(const char *path, char *to, size_t size)
{
    FILE *file = fopen(path, "re");

    to[0] = '\0';
    if (file && fgets(to, (int)size, file))
        to[strcspn(to, "\n")] = '\0';
    if (file)
        fclose(file);
}

static void own_identity(identity *out)
{
    char prefix[CULL_TEMPORARY_PREFIX];
    uint32_t chance = 0;

    cull_temporary_prefix(prefix); // ".tmp.HOST."
    *out = (identity){ .pid = (long)getpid() };
    if (getrandom(&chance, sizeof chance, 0) != sizeof chance)
        chance = (uint32_t)time(NULL);
    snprintf(out->host, sizeof out->host, "%s", prefix + strlen(".tmp."));
    out->host[strlen(out->host) - 1] = '\0';
    read_line("/proc/sys/kernel/random/boot_id", out->boot, sizeof out->boot);
    const ssize_t n = readlink("/proc/self/ns/pid", out->space, sizeof out->space - 1);
    out->space[n > 0 ? n : 0] = '\0';
    out->start = cull_process_start(out->pid);
    snprintf(out->run, sizeof out->run, "%s.%ld.%08x.run", out->host, out->pid, chance);
}

static bool describe(const identity *own, char *text, size_t size)
{
    const time_t now = time(NULL);
    struct tm parts;
    char when[32] = "";

    if (gmtime_r(&now, &parts))
        strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &parts);
    json_t *json = json_pack("{s:s, s:s, s:i, s:s, s:s, s:I, s:s}", "run", own->run, "host",
                             own->host, "pid", (int)own->pid, "boot", own->boot, "pids", own->space,
                             "ticks", (json_int_t)own->start, "started", when);
    const size_t n = json ? json_dumpb(json, text, size - 1, JSON_COMPACT) : 0;
    json_decref(json);
    text[n < size - 1 ? n : 0] = '\0';
    return n > 0 && n < size - 1;
}

static void copy_text(const json_t *json, const char *key, char *to, size_t size)
{
    const char *text = json_string_value(json_object_get(json, key));

    snprintf(to, size, "%s", text ? text : "");
}

// What a run's file, or a claim, says; false: it is not there, or says nothing.
static bool read_identity(const char *dir, const char *name, identity *out)
{
    char path[4096];

    if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path)
        return false;
    json_t *json = cull_json_of_file(path, 0);
    *out = (identity){ 0 };
    copy_text(json, "run", out->run, sizeof out->run);
    copy_text(json, "host", out->host, sizeof out->host);
    copy_text(json, "boot", out->boot, sizeof out->boot);
    copy_text(json, "pids", out->space, sizeof out->space);
    out->pid = (long)json_integer_value(json_object_get(json, "pid"));
    out->start = (unsigned long long)json_integer_value(json_object_get(json, "ticks"));
    json_decref(json);
    return out->run[0] && !strchr(out->run, '/');
}

// ---- the living and the dead ----

// Now, by the clock that files here are stamped with.
static time_t file_clock(const char *dir)
{
    char prefix[CULL_TEMPORARY_PREFIX], path[4096];
    struct stat st;
    time_t now = time(NULL);

    cull_temporary_prefix(prefix);
    snprintf(path, sizeof path, "%s/%s%ld.clock", dir, prefix, (long)getpid());
    const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd >= 0 && futimens(fd, NULL) == 0 && fstat(fd, &st) == 0)
        now = st.st_mtime;
    if (fd >= 0) {
        close(fd);
        unlink(path);
    }
    return now;
}

static bool is_alive(const char *dir, const identity *run)
{
    char path[4096];
    struct stat st;
    identity here;

    if (snprintf(path, sizeof path, "%s/%s", dir, run->run) >= (int)sizeof path ||
        stat(path, &st) != 0)
        return false;
    own_identity(&here);
    if (run->boot[0] && strcmp(run->boot, here.boot) == 0 && strcmp(run->space, here.space) == 0 &&
        run->pid > 0)
        return cull_process_start(run->pid) == run->start;
    return file_clock(dir) - st.st_mtime <= CULL_CLAIM_STALE;
}

// Who owns `key`: the run of its claim, or the last heir of dead ones. False: nobody.
static bool owner_of(const char *dir, const char *key, identity *out)
{
    char name[2 * NAME];
    identity heir;

    snprintf(name, sizeof name, "%s.claim", key);
    if (!read_identity(dir, name, out))
        return false;
    for (;;) {
        snprintf(name, sizeof name, "%s.after.%s", key, out->run);
        if (!read_identity(dir, name, &heir))
            return true;
        *out = heir;
    }
}

// Calls `each` for every file of the folder.
static void walk(const char *dir, void (*each)(void *arg, const char *dir, const char *name),
                 void *arg)
{
    DIR *folder = opendir(dir);

    for (const struct dirent *entry; folder && (entry = readdir(folder));)
        if (entry->d_name[0] != '.')
            each(arg, dir, entry->d_name);
    if (folder)
        closedir(folder);
}

static bool is_run(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot && strcmp(dot, ".run") == 0 && !strstr(name, ".after.");
}

static void count_living(void *arg, const char *dir, const char *name)
{
    identity run;
    size_t *n = arg;

    if (is_run(name) && read_identity(dir, name, &run))
        *n += is_alive(dir, &run);
}

size_t cull_claims_runs(cull_claims *claims)
{
    size_t n = 0;

    walk(claims->dir, count_living, &n);
    return n > 0 ? n : 1;
}

bool cull_claims_any(cull_ctx *ctx, const char *folder)
{
    size_t n = 0;
    const char *dir = cull_arena_printf(cull_context_of(ctx)->scratch, "%s/claims", folder);

    if (dir)
        walk(dir, count_living, &n);
    return n > 0;
}

// ---- the run's file ----

static void *beat(void *arg)
{
    cull_claims *c = arg;
    char path[4096];

    snprintf(path, sizeof path, "%s/%s", c->dir, c->run);
    pthread_mutex_lock(&c->lock);
    while (!c->ended) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += CULL_CLAIM_BEAT;
        (void)pthread_cond_timedwait(&c->end, &c->lock, &until);
        (void)utimensat(AT_FDCWD, path, NULL, 0);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

// Signals are the main thread's affair.
static bool start_beat(cull_claims *c)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    c->beating = cull_thread_start(&c->thread, beat, c);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return c->beating;
}

// 0, or errno.
static int create_exclusively(const char *path, const char *text)
{
    const size_t n = strlen(text);
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);

    if (fd < 0)
        return errno;
    const bool ok = write(fd, text, n) == (ssize_t)n;
    const int error = ok ? 0 : errno ? errno : EIO;
    if (close(fd) != 0 || error) {
        unlink(path);
        return error ? error : EIO;
    }
    return 0;
}

static void remove_file(const char *dir, const char *name)
{
    char path[4096];

    if (snprintf(path, sizeof path, "%s/%s", dir, name) < (int)sizeof path)
        unlink(path);
}

// Whoever came meanwhile stays: only what names the dead goes, a claim with all its heirs.
static void remove_dead(void *arg, const char *dir, const char *name)
{
    char key[NAME / 2];
    identity owner;
    const char *end = strstr(name, ".after.");

    (void)arg;
    if (!end)
        end = strstr(name, ".claim");
    snprintf(key, sizeof key, "%.*s", end ? (int)(end - name) : 0, name);
    const bool named = end ? owner_of(dir, key, &owner) : read_identity(dir, name, &owner);
    if (named && !is_alive(dir, &owner))
        remove_file(dir, name);
}

// Where nobody else is alive, what others left means nothing.
static void sweep(cull_claims *c)
{
    if (cull_claims_runs(c) == 1)
        walk(c->dir, remove_dead, NULL);
}

// Under another name first, and there a second time: a file system that does not create exclusively
// or does not rename is found out before anything is computed.
static cull_status make_run_file(cull_ctx *ctx, const cull_claims *c)
{
    char made[4096], path[4096];

    if (snprintf(path, sizeof path, "%s/%s", c->dir, c->run) >= (int)sizeof path ||
        snprintf(made, sizeof made, "%s/.tmp.%s", c->dir, c->run) >= (int)sizeof made)
        return cull_fail(ctx, CULL_EENV, "%s: a claim cannot be written: its name is too long",
                         c->dir);
    int error = create_exclusively(made, c->about);
    if (error)
        return cull_fail(ctx, CULL_EIO, "%s: cannot be created: %s", path, strerror(error));
    error = create_exclusively(made, c->about);
    if (error == EEXIST && rename(made, path) == 0)
        return CULL_OK;
    const cull_status status =
        error == EEXIST
            ? cull_fail(ctx, CULL_EIO, "%s: cannot be renamed: %s", path, strerror(errno))
            : cull_fail(ctx, CULL_EIO,
                        "%s: this file system lets two processes create the same file, so that "
                        "runs would not know of each other",
                        c->dir);
    unlink(made);
    return status;
}

static cull_status enter(cull_ctx *ctx, cull_claims *c)
{
    identity own;

    own_identity(&own);
    snprintf(c->run, sizeof c->run, "%s", own.run);
    if (!describe(&own, c->about, sizeof c->about))
        return cull_no_memory(ctx);
    CULL_TRY(make_run_file(ctx, c));
    sweep(c);
    return start_beat(c) ? CULL_OK
                         : cull_fail(ctx, CULL_EENV, "%s: no thread for the run's beat", c->dir);
}

cull_status cull_claims_open(cull_ctx *ctx, const char *folder, cull_claims **out)
{
    const char *dir = cull_arena_printf(cull_context_of(ctx)->scratch, "%s/claims", folder);

    *out = NULL;
    if (!dir)
        return cull_no_memory(ctx);
    CULL_TRY(cull_make_folder(ctx, dir));
    cull_claims *c = cull_alloc(1, sizeof *c);
    if (!c)
        return cull_no_memory(ctx);
    *c = (cull_claims){ .dir = cull_strdup(dir) };
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->end, NULL);
    const cull_status status = c->dir ? enter(ctx, c) : cull_no_memory(ctx);
    if (status != CULL_OK)
        cull_claims_close(c);
    else
        *out = c;
    return status;
}

static void remove_own(void *arg, const char *dir, const char *name)
{
    const cull_claims *c = arg;
    identity owner;

    if (!is_run(name) && read_identity(dir, name, &owner) && strcmp(owner.run, c->run) == 0)
        remove_file(dir, name);
}

void cull_claims_close(cull_claims *c)
{
    if (!c)
        return;
    if (c->beating) {
        pthread_mutex_lock(&c->lock);
        c->ended = true;
        pthread_cond_signal(&c->end);
        pthread_mutex_unlock(&c->lock);
        pthread_join(c->thread, NULL);
    }
    if (c->dir && c->run[0]) {
        walk(c->dir, remove_own, c);
        sweep(c);
        remove_file(c->dir, c->run);
    }
    pthread_cond_destroy(&c->end);
    pthread_mutex_destroy(&c->lock);
    cull_free(c->dir);
    cull_free(c);
}

// ---- claims ----

// 0, EEXIST, or another errno.
static int link_exclusively(const cull_claims *c, const char *name)
{
    char from[4096], to[4096];

    if (snprintf(from, sizeof from, "%s/%s", c->dir, c->run) >= (int)sizeof from ||
        snprintf(to, sizeof to, "%s/%s", c->dir, name) >= (int)sizeof to)
        return ENAMETOOLONG;
    if (link(from, to) == 0)
        return 0;
    if (errno != EPERM && errno != EOPNOTSUPP && errno != EMLINK && errno != ENOSYS)
        return errno;
    return create_exclusively(to, c->about); // no links on this file system
}

// A claim that names nobody, and is not just being written.
static void remove_damaged(const cull_claims *c, const char *name)
{
    char path[4096];
    struct stat st;

    if (snprintf(path, sizeof path, "%s/%s", c->dir, name) < (int)sizeof path &&
        stat(path, &st) == 0 && file_clock(c->dir) - st.st_mtime > CULL_CLAIM_STALE)
        unlink(path);
}

cull_status cull_claim(cull_ctx *ctx, cull_claims *c, const char *key, bool *mine)
{
    char name[2 * NAME];
    identity owner;

    *mine = false;
    snprintf(name, sizeof name, "%s.claim", key);
    int error = link_exclusively(c, name);
    if (error == EEXIST) {
        if (!owner_of(c->dir, key, &owner)) {
            remove_damaged(c, name);
            return CULL_OK; // or just let go: the next look will tell
        }
        *mine = strcmp(owner.run, c->run) == 0;
        if (*mine || is_alive(c->dir, &owner))
            return CULL_OK;
        snprintf(name, sizeof name, "%s.after.%s", key, owner.run);
        error = link_exclusively(c, name);
    }
    *mine = error == 0;
    if (error && error != EEXIST)
        return cull_fail(ctx, CULL_EIO, "%s/%s: cannot be claimed: %s", c->dir, name,
                         strerror(error));
    return CULL_OK;
}

typedef struct releasing {
    const cull_claims *claims;
    const char *key;
} releasing;

static void remove_of_key(void *arg, const char *dir, const char *name)
{
    const releasing *r = arg;
    const size_t n = strlen(r->key);

    if (strncmp(name, r->key, n) == 0 && strncmp(name + n, ".after.", 7) == 0)
        remove_file(dir, name);
}

void cull_claim_release(cull_claims *c, const char *key)
{
    char name[2 * NAME];
    identity first, owner;
    releasing r = { c, key };

    if (!owner_of(c->dir, key, &owner) || strcmp(owner.run, c->run) != 0)
        return; // the folder went, and came back with claims of others
    snprintf(name, sizeof name, "%s.claim", key);
    const bool inherited = read_identity(c->dir, name, &first) && strcmp(first.run, c->run) != 0;
    remove_file(c->dir, name);
    if (inherited)
        walk(c->dir, remove_of_key, &r);
}
