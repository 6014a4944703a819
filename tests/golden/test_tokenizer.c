// Encoding and decoding against what the library tokenizers made of the same texts: every line of
// tests/golden/tokenizers and of tests/unit/tokenizer/cases, in both directions, from several
// threads.
#include <dirent.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "support/fake_host.h"
#include "support/test.h"
#include "tokenizer/tokenizer.h"

static void assert_ids(const json_t *want, const int32_t *ids, size_t n, const char *text)
{
    bool same = json_array_size(want) == n;

    for (size_t i = 0; same && i < n; i++)
        same = json_integer_value(json_array_get(want, i)) == ids[i];
    if (!same)
        fail_msg("other ids than expected (%zu, not %zu) for: %s", n, json_array_size(want), text);
}

static void check_encode(fake_host *host, const hf_tokenizer *tk, const json_t *line,
                         const char *key, uint32_t flags)
{
    const json_t *text = json_object_get(line, "text");
    int32_t *ids;
    size_t n;

    assert_ok(host, hf_tokenizer_encode(fake_ctx(host), tk, json_string_value(text),
                                        json_string_length(text), flags, &ids, &n));
    assert_ids(json_object_get(line, key), ids, n, json_string_value(text));
}

static void check_decode(fake_host *host, const hf_tokenizer *tk, const json_t *line)
{
    const json_t *list = json_object_get(line, "ids"), *want = json_object_get(line, "decoded");
    const size_t n = json_array_size(list);
    int32_t *ids = calloc(n + 1, sizeof *ids);
    char *text;
    size_t len;

    assert_non_null(ids);
    for (size_t i = 0; i < n; i++)
        ids[i] = (int32_t)json_integer_value(json_array_get(list, i));
    assert_ok(host, hf_tokenizer_decode(fake_ctx(host), tk, ids, n, 0, &text, &len));
    if (len != json_string_length(want) || memcmp(text, json_string_value(want), len) != 0)
        fail_msg("decoded \"%s\", not \"%s\"", text, json_string_value(want));
    free(ids);
}

typedef struct lines {
    const hf_tokenizer *tk;
    json_t **line;
    size_t n, threads, thread;
} lines;

// Every `threads`-th line, with a context of this thread's own.
static void *check_lines(void *arg)
{
    const lines *work = arg;
    fake_host *host = fake_host_new(1);

    for (size_t i = work->thread; i < work->n; i += work->threads) {
        const cull_mark mark = cull_arena_mark(host->context.alloc);
        check_encode(host, work->tk, work->line[i], "ids", CULL_SPECIAL);
        check_encode(host, work->tk, work->line[i], "ids_without_special", 0);
        check_decode(host, work->tk, work->line[i]);
        cull_arena_rewind(host->context.alloc, mark);
    }
    fake_host_free(host);
    return NULL;
}

static json_t **read_lines(const char *path, size_t *n)
{
    enum { MOST = 4096, LONGEST = 1 << 20 };
    json_t **line = calloc(MOST, sizeof *line);
    char *text = malloc(LONGEST);
    FILE *file = fopen(path, "r");

    assert_non_null(line);
    assert_non_null(text);
    if (!file)
        fail_msg("%s: no such file", path);
    for (*n = 0; *n < MOST && fgets(text, LONGEST, file); ++*n) {
        line[*n] = json_loads(text, JSON_ALLOW_NUL, NULL);
        assert_non_null(line[*n]);
    }
    fclose(file);
    free(text);
    return line;
}

static void check_folder(const char *folder, const char *golden)
{
    enum { THREADS = 4 };
    fake_host *host = fake_host_new(1);
    hf_tokenizer *tk;
    size_t n;
    json_t **line = read_lines(golden, &n);

    assert_true(n > 0);
    assert_ok(host, hf_tokenizer_open(fake_ctx(host), folder, &tk));
    pthread_t thread[THREADS];
    lines work[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        work[i] = (lines){ tk, line, n, THREADS, i };
        assert_int_equal(pthread_create(&thread[i], NULL, check_lines, &work[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(thread[i], NULL), 0);
    hf_tokenizer_close(tk);
    fake_host_free(host);
    for (size_t i = 0; i < n; i++)
        json_decref(line[i]);
    free(line);
}

// Every folder below root with a golden.jsonl; its tokenizer is there too, or is the embedded
// model's.
static size_t check_all(const char *root)
{
    size_t n = 0;
    DIR *dir = opendir(root);

    if (!dir)
        fail_msg("%s: no such folder", root);
    for (struct dirent *entry; (entry = readdir(dir));) {
        char folder[1024], file[2048];
        struct stat info;
        snprintf(folder, sizeof folder, "%s/%s", root, entry->d_name);
        snprintf(file, sizeof file, "%s/golden.jsonl", folder);
        if (stat(file, &info) != 0)
            continue;
        char tokenizer[2048];
        snprintf(tokenizer, sizeof tokenizer, "%s/tokenizer.json", folder);
        const bool own = stat(tokenizer, &info) == 0;
        check_folder(own ? folder : CULL_SOURCE_DIR "/models/tinyworld-mixtral", file);
        n++;
    }
    closedir(dir);
    return n;
}

static void published_pipelines(void **state)
{
    (void)state;
    assert_int_equal(check_all(CULL_SOURCE_DIR "/tests/golden/tokenizers"), 9);
}

static void other_options(void **state)
{
    (void)state;
    assert_true(check_all(CULL_SOURCE_DIR "/tests/unit/tokenizer/cases") >= 12);
}

static void special_tokens(void **state)
{
    (void)state;
    fake_host *host = fake_host_new(1);
    hf_tokenizer *tk;
    assert_ok(host,
              hf_tokenizer_open(fake_ctx(host),
                                CULL_SOURCE_DIR "/tests/unit/tokenizer/cases/configured", &tk));
    size_t n;
    const char *bos = hf_tokenizer_token(tk, hf_tokenizer_bos(tk), &n);
    assert_int_equal(n, 3);
    assert_memory_equal(bos, "<s>", 3);
    const char *eos = hf_tokenizer_token(tk, hf_tokenizer_eos(tk), &n); // which the model lacks
    assert_memory_equal(eos, "[E]", 3);
    assert_true(hf_tokenizer_adds_bos(tk));
    assert_true((size_t)hf_tokenizer_eos(tk) < hf_tokenizer_size(tk));
    assert_null(hf_tokenizer_token(tk, (int32_t)hf_tokenizer_size(tk), &n));
    assert_null(hf_tokenizer_token(tk, -1, &n));
    hf_tokenizer_close(tk);
    fake_host_free(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_pipelines),
        cmocka_unit_test(other_options),
        cmocka_unit_test(special_tokens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
