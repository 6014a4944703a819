// The response cache is an SqliteDict: table "unnamed", a key and a pickled value. Pickles are
// written in protocol 0, which is text.
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "base/text.h"
#include "report/lm_eval/lm_answers.h"

struct cull_lm_cache {
    sqlite3 *database;
    sqlite3_stmt *put;
};

static cull_status failed(cull_ctx *ctx, cull_lm_cache *cache, const char *what)
{
    return cull_fail(ctx, CULL_EIO, "%s: %s", what, sqlite3_errmsg(cache->database));
}

cull_status cull_lm_cache_open(cull_ctx *ctx, const char *prefix, cull_lm_cache **out)
{
    static const char make[] = "CREATE TABLE IF NOT EXISTS \"unnamed\" (key TEXT PRIMARY KEY, "
                               "value BLOB); BEGIN";
    static const char put[] = "REPLACE INTO \"unnamed\" (key, value) VALUES (?, ?)";
    const char *path = cull_arena_printf(cull_context_of(ctx)->alloc, "%s_rank0.db", prefix);
    cull_lm_cache *cache = *out = cull_alloc(1, sizeof *cache);
    struct stat st;

    if (!path || !cache)
        return cull_no_memory(ctx);
    if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode))
        return cull_fail(ctx, CULL_EIO, "%s: not a regular file", path);
    if (sqlite3_open(path, &cache->database) != SQLITE_OK ||
        sqlite3_exec(cache->database, make, NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(cache->database, put, -1, &cache->put, NULL) != SQLITE_OK)
        return failed(ctx, cache, path);
    return CULL_OK;
}

void cull_lm_cache_close(cull_lm_cache *cache)
{
    if (!cache)
        return;
    sqlite3_finalize(cache->put);
    sqlite3_close(cache->database);
    cull_free(cache);
}

cull_status cull_lm_cache_commit(cull_ctx *ctx, cull_lm_cache *cache)
{
    return sqlite3_exec(cache->database, "COMMIT", NULL, NULL, NULL) == SQLITE_OK
               ? CULL_OK
               : failed(ctx, cache, "the response cache");
}

// V…: a unicode object in raw-unicode-escape.
static void pickle_text(cull_buf *out, const char *text)
{
    cull_buf_puts(out, "V");
    for (const unsigned char *s = (const unsigned char *)text; *s;) {
        const size_t n = *s < 0x80 ? 1 : *s < 0xE0 ? 2 : *s < 0xF0 ? 3 : 4;
        static const unsigned char lead[] = { 0x7F, 0x1F, 0x0F, 0x07 };
        uint32_t c = *s & lead[n - 1];
        for (size_t i = 1; i < n; i++)
            c = c << 6 | (s[i] & 0x3F);
        if (c >= ' ' && c <= '~' && c != '\\')
            cull_buf_printf(out, "%c", (char)c);
        else
            cull_buf_printf(out, c < 0x10000 ? "\\u%04x" : "\\U%08x", (unsigned)c);
        s += n;
    }
    cull_buf_puts(out, "\n.");
}

// A text, a float, or the tuple (float, bool).
static void pickle(cull_buf *out, const cull_lm_answers *a, size_t i, size_t c)
{
    char number[CULL_LM_FLOAT];

    if (a->text) {
        pickle_text(out, a->text[i]);
        return;
    }
    cull_lm_float(a->loglik[i * a->n_choices + c], number);
    if (!a->greedy)
        cull_buf_printf(out, "F%s\n.", number);
    else
        cull_buf_printf(out, "(F%s\nI0%d\nt.", number, a->greedy[i * a->n_choices + c] == 1);
}

static cull_status put(cull_ctx *ctx, cull_lm_cache *cache, const char *key, const cull_buf *value)
{
    if (value->failed)
        return cull_no_memory(ctx);
    const bool done =
        sqlite3_bind_text(cache->put, 1, key, -1, SQLITE_STATIC) == SQLITE_OK &&
        sqlite3_bind_blob64(cache->put, 2, value->s, value->n, SQLITE_STATIC) == SQLITE_OK &&
        sqlite3_step(cache->put) == SQLITE_DONE;
    sqlite3_reset(cache->put);
    return done ? CULL_OK : failed(ctx, cache, "the response cache");
}

static cull_status put_document(cull_ctx *ctx, cull_lm_cache *cache, const cull_lm_task *task,
                                const cull_lm_answers *a, size_t i, cull_buf *value)
{
    cull_document d;

    CULL_TRY(cull_lm_document(ctx, task, a, i, &d));
    for (size_t c = 0; c < d.n; c++) {
        cull_buf_clear(value);
        pickle(value, a, i, c);
        CULL_TRY(put(ctx, cache, d.key[c], value));
    }
    return CULL_OK;
}

cull_status cull_lm_cache_add(cull_ctx *ctx, cull_lm_cache *cache, const cull_lm_task *task,
                              size_t *answers)
{
    cull_lm_answers a;
    cull_buf value = CULL_BUF_INIT;

    CULL_TRY(cull_lm_answers_load(ctx, task, &a));
    cull_status status = CULL_OK;
    for (size_t i = 0; status == CULL_OK && i < a.n; i++) {
        cull_arena *passing = cull_context_of(task->ctx)->alloc;
        const cull_mark mark = cull_arena_mark(passing);
        status = put_document(ctx, cache, task, &a, i, &value);
        cull_arena_rewind(passing, mark);
    }
    *answers += a.n;
    cull_buf_release(&value);
    return status;
}
