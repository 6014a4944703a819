// Files of what tasks ask, named by their content.
#include "record/questions.h"

#include <string.h>

#include "base/hash.h"
#include "record/folder/folder.h"
#include "record/trial_groups.h"

enum { LARGE = 8192 }; // bytes from which on a file of its own is worth its while

// The names are those of cull/metric.h and of docs/evaluation.md.
static bool is_question(const cull_column *column)
{
    static const char *const names[CULL_QUESTION_COLUMNS] = {
        "doc_hash", "prompt_hash", "cluster", "cont_tokens", "len_chars", "len_bytes", "truncated"
    };

    for (size_t i = 0; i < CULL_QUESTION_COLUMNS; i++)
        if (strcmp(column->name, names[i]) == 0)
            return true;
    return false;
}

static size_t elements(const cull_column *column)
{
    size_t n = 1;

    for (size_t i = 0; i < 3 && column->dims[i]; i++)
        n *= column->shape[i];
    return n;
}

// ---- which there are ----

static cull_question_set *set_of(cull_question_sets *sets, const char *group)
{
    for (size_t i = 0; i < sets->n; i++)
        if (strcmp(sets->at[i].group, group) == 0)
            return &sets->at[i];
    sets->at[sets->n] = (cull_question_set){ .group = group };
    return &sets->at[sets->n++];
}

static cull_status collect(cull_ctx *ctx, size_t n, const cull_evaluation *evaluations,
                           cull_question_sets *out)
{
    size_t most = 0;

    for (size_t i = 0; i < n; i++)
        most += evaluations[i].found->n_columns;
    *out = (cull_question_sets){ .at = cull_scratch(ctx, most + 1, sizeof *out->at) };
    if (!out->at)
        return CULL_ENOMEM;
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < evaluations[i].found->n_columns; c++) {
            const cull_column *column = &evaluations[i].found->columns[c];
            if (!is_question(column))
                continue;
            const char *group =
                cull_evaluation_group(cull_context_of(ctx)->scratch, evaluations, i, column->task);
            if (!group)
                return cull_no_memory(ctx);
            cull_question_set *set = set_of(out, group);
            set->column[set->n++] = column;
        }
    return CULL_OK;
}

// ---- a file ----

// Bytes of a set's columns; what they are goes into `hash`.
static size_t take_in(cull_hash *hash, const cull_question_set *set)
{
    size_t bytes = 0;

    for (size_t c = 0; c < set->n; c++) {
        const cull_column *column = set->column[c];
        const char *const *text = column->data;
        const size_t n = elements(column), size = column->type == 'b' ? 1 : 8;
        cull_hash_text(hash, column->name);
        cull_hash_text(hash, column->unit ? column->unit : "");
        cull_hash_text(hash, column->doc ? column->doc : "");
        cull_hash_bytes(hash, &column->type, 1);
        for (size_t i = 0; i < 3 && column->dims[i]; i++)
            cull_hash_u64(hash, column->shape[i]);
        if (column->type != 's')
            cull_hash_bytes(hash, column->data, n * size);
        for (size_t i = 0; column->type == 's' && i < n; i++) {
            cull_hash_text(hash, text[i] ? text[i] : "");
            bytes += text[i] ? strlen(text[i]) : 0;
        }
        bytes += column->type == 's' ? 0 : n * size;
    }
    return bytes;
}

static bool is_there(cull_ctx *ctx, const char *path)
{
    cull_h5_in *file;
    const bool whole = cull_h5_open(ctx, path, &file) == CULL_OK;

    cull_h5_close(file);
    cull_error_clear(ctx);
    return whole;
}

static cull_status write_set(cull_ctx *ctx, const char *dir, const cull_question_set *set,
                             const char *path)
{
    const char *folder = cull_arena_printf(cull_context_of(ctx)->scratch, "%s/questions", dir);

    if (!folder)
        return cull_no_memory(ctx);
    CULL_TRY(cull_make_folder(ctx, folder));
    cull_h5 *file = cull_h5_create(ctx, path, 0);
    if (!file)
        return cull_context_of(ctx)->error.status;
    for (size_t c = 0; c < set->n; c++) {
        cull_h5_array array = cull_column_array(set->column[c]);
        memset(array.dims, 0, sizeof array.dims); // a scale must be in the file that links here
        cull_h5_put(file, "/", &array);
    }
    return cull_h5_commit(file);
}

static cull_status store(cull_ctx *ctx, const char *dir, cull_question_set *set)
{
    cull_arena *scratch = cull_context_of(ctx)->scratch;
    cull_hash *hash = cull_hash_new();

    if (!hash)
        return cull_no_memory(ctx);
    const size_t bytes = take_in(hash, set);
    const cull_key key = cull_hash_key(hash);
    cull_hash_free(hash);
    if (bytes < LARGE)
        return CULL_OK;

    const char *path = cull_arena_printf(scratch, "%s/questions/%s.h5", dir, key.hex);
    set->link = cull_arena_printf(scratch, "../questions/%s.h5", key.hex);
    if (!path || !set->link)
        return cull_no_memory(ctx);
    return is_there(ctx, path) ? CULL_OK : write_set(ctx, dir, set, path);
}

cull_status cull_questions_write(cull_ctx *ctx, const char *dir, size_t n,
                                 const cull_evaluation *evaluations, cull_question_sets *out)
{
    CULL_TRY(collect(ctx, n, evaluations, out));
    for (size_t i = 0; i < out->n; i++)
        CULL_TRY(cull_while(ctx, store(ctx, dir, &out->at[i]), "recording what is asked"));
    return CULL_OK;
}

const char *cull_questions_link(const cull_question_sets *sets, const char *group,
                                const cull_column *column)
{
    for (size_t i = 0; is_question(column) && i < sets->n; i++)
        if (strcmp(sets->at[i].group, group) == 0)
            return sets->at[i].link;
    return NULL;
}
