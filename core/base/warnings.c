// Causes of warnings, in memory that parent and children share.
#include "base/warnings.h"

#include <ctype.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <xxhash.h>

enum { CAUSES = 64, TEXT = 512, LIKE = 64, CONCERNS = 3, CONCERN = 80 };

typedef struct cause {
    uint64_t key;
    char first[TEXT];
    size_t n_like; // different warnings
    uint64_t like[LIKE];
    size_t n_concerns; // of which the first have room
    char concern[CONCERNS][CONCERN];
    uint64_t concerned[LIKE];
} cause;

struct cull_warnings {
    pthread_mutex_t lock;
    size_t n;
    cause cause[CAUSES];
};

cull_warnings *cull_warnings_new(void)
{
    pthread_mutexattr_t attribute;
    cull_warnings *w =
        mmap(NULL, sizeof *w, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (w == MAP_FAILED)
        return NULL;
    pthread_mutexattr_init(&attribute);
    pthread_mutexattr_setpshared(&attribute, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attribute, PTHREAD_MUTEX_ROBUST); // a child may be killed
    pthread_mutex_init(&w->lock, &attribute);
    pthread_mutexattr_destroy(&attribute);
    return w;
}

void cull_warnings_free(cull_warnings *w)
{
    if (!w)
        return;
    pthread_mutex_destroy(&w->lock);
    munmap(w, sizeof *w);
}

static void lock(cull_warnings *w)
{
    if (pthread_mutex_lock(&w->lock) != 0) // its holder died
        pthread_mutex_consistent(&w->lock);
}

// Of the text without its numbers.
static uint64_t key_of(const char *text)
{
    char plain[TEXT];
    size_t n = 0;

    for (; *text && n + 1 < sizeof plain; text++)
        if (!isdigit((unsigned char)*text))
            plain[n++] = *text;
        else if (n == 0 || plain[n - 1] != '#')
            plain[n++] = '#';
    return XXH3_64bits(plain, n);
}

// Is the text among those noted? If not, it is; what there is no room for counts each time.
static bool is_new(uint64_t *noted, size_t n, const char *text)
{
    const uint64_t hash = XXH3_64bits(text, strlen(text));

    for (size_t i = 0; i < n && i < LIKE; i++)
        if (noted[i] == hash)
            return false;
    if (n < LIKE)
        noted[n] = hash;
    return true;
}

static void note(cause *c, const char *text, const char *concern)
{
    if (is_new(c->like, c->n_like, text))
        c->n_like++;
    if (!*concern || !is_new(c->concerned, c->n_concerns, concern))
        return;
    if (c->n_concerns < CONCERNS)
        snprintf(c->concern[c->n_concerns], CONCERN, "%s", concern);
    c->n_concerns++;
}

bool cull_warnings_add(cull_warnings *w, const char *text, const char *concern)
{
    const uint64_t key = key_of(text);
    size_t i = 0;

    lock(w);
    while (i < w->n && w->cause[i].key != key)
        i++;
    const bool room = i < CAUSES;
    if (room && i == w->n) {
        w->cause[i].key = key;
        snprintf(w->cause[i].first, TEXT, "%s", text);
        w->n++;
    }
    if (room)
        note(&w->cause[i], text, concern);
    pthread_mutex_unlock(&w->lock);
    return room;
}

// "…; and 3 more like it (tiny-wanda-s0.5, tiny-wanda-s0.6 and 2 more)"
static void put_line(const cause *c, char *line, size_t room)
{
    int used = snprintf(line, room, "%s", c->first);

    if (c->n_like > 1)
        used += snprintf(line + used, room - (size_t)used, "; and %zu more like it", c->n_like - 1);
    for (size_t i = 0; i < c->n_concerns && i < CONCERNS; i++)
        used += snprintf(line + used, room - (size_t)used, "%s%s", i ? ", " : " (", c->concern[i]);
    if (c->n_concerns > CONCERNS)
        used +=
            snprintf(line + used, room - (size_t)used, " and %zu more", c->n_concerns - CONCERNS);
    if (c->n_concerns > 0)
        snprintf(line + used, room - (size_t)used, ")");
}

void cull_warnings_each(cull_warnings *w, void (*show)(void *arg, const char *line), void *arg)
{
    char line[TEXT + CONCERNS * (CONCERN + 2) + 80];

    for (size_t i = 0; i < w->n; i++) {
        put_line(&w->cause[i], line, sizeof line);
        show(arg, line);
    }
}
