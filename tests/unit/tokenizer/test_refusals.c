// What is not known, wrong or unreadable is refused in a sentence that names the file and the
// place.
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/fake_host.h"
#include "support/test.h"
#include "tokenizer/tokenizer.h"

static char folder[] = "/tmp/cull-tokenizer-XXXXXX";
static fake_host *host;

static int setup(void **state)
{
    (void)state;
    host = fake_host_new(1);
    return mkdtemp(folder) ? 0 : -1;
}

static void put(const char *name, const char *text)
{
    char path[256];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    unlink(path);
    FILE *file = text ? fopen(path, "w") : NULL;
    if (text) {
        assert_non_null(file);
        fputs(text, file);
        fclose(file);
    }
}

static int teardown(void **state)
{
    (void)state;
    put("tokenizer.json", NULL);
    put("tokenizer_config.json", NULL);
    put("special_tokens_map.json", NULL);
    put("tiktoken.model", NULL);
    rmdir(folder);
    fake_host_free(host);
    return 0;
}

static cull_status open_it(hf_tokenizer **tk)
{
    return hf_tokenizer_open(fake_ctx(host), folder, tk);
}

#define MODEL                                                                                      \
    "\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"b\": 1, \"ab\": 2}, \"merges\": [\"a " \
    "b\"]}"

typedef struct refusal {
    const char *json;
    cull_status status;
    const char *part; // of the sentence
} refusal;

static void refuse(size_t n, const refusal *cases)
{
    for (size_t i = 0; i < n; i++) {
        hf_tokenizer *tk = NULL;
        put("tokenizer.json", cases[i].json);
        assert_fails(host, open_it(&tk), cases[i].status, cases[i].part);
    }
}

static const refusal models[] = {
    { "{", CULL_EFORMAT, "tokenizer.json:1:1" },
    { "[1, 2]", CULL_EFORMAT, "not an object" },
    { "{}", CULL_EFORMAT, "model: is missing" },
    { "{" MODEL ", \"extra\": 1}", CULL_ENOTSUP, "extra: this option is not known" },
    { "{\"model\": {\"type\": \"Unigram\"}}", CULL_ENOTSUP, "model.type: \"Unigram\"" },
    { "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"a\": 1}, \"merges\": []}}",
      CULL_EFORMAT, "duplicate" },
    { "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"b\": 0}, \"merges\": []}}",
      CULL_EFORMAT, "model.vocab.b: another token has the id 0" },
    { "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": -1}, \"merges\": []}}", CULL_EFORMAT,
      "model.vocab.a" },
    { "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 4000000000}, \"merges\": []}}",
      CULL_EFORMAT, "model.vocab.a" },
    { "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": [\"a a\"]}}",
      CULL_EFORMAT, "model.merges[0]: \"aa\" is not in the vocabulary" },
    { "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": [\"a  a\"]}}",
      CULL_EFORMAT, "model.merges[0]" },
    { "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": [[\"a\"]]}}",
      CULL_EFORMAT, "two sides" },
    { "{\"model\": {\"type\": \"BPE\", \"vocab\": {}, \"merges\": [], \"dropout\": 0.1}}",
      CULL_ENOTSUP, "model.dropout" },
};

static void models_are_refused(void **state)
{
    (void)state;
    refuse(sizeof models / sizeof *models, models);
}

static const refusal pieces[] = {
    { "{" MODEL ", \"normalizer\": {\"type\": \"Precompiled\"}}", CULL_ENOTSUP,
      "normalizer.type: \"Precompiled\"" },
    { "{" MODEL ", \"normalizer\": {\"type\": \"NFC\", \"form\": 3}}", CULL_ENOTSUP,
      "normalizer.form" },
    { "{" MODEL ", \"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"NFC\"}, "
      "{\"type\": \"Nmt\"}]}}",
      CULL_ENOTSUP, "normalizer.normalizers[1].type: \"Nmt\"" },
    { "{" MODEL ", \"normalizer\": {\"type\": \"Replace\", \"pattern\": {\"Regex\": \"x*\"}, "
      "\"content\": \"y\"}}",
      CULL_ENOTSUP, "matches the empty text" },
    { "{" MODEL ", \"pre_tokenizer\": {\"type\": \"UnicodeScripts\"}}", CULL_ENOTSUP,
      "\"UnicodeScripts\"" },
    { "{" MODEL ", \"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"(?<n>a)\"}, "
      "\"behavior\": \"Isolated\", \"invert\": false}}",
      CULL_ENOTSUP, "pre_tokenizer.pattern.Regex: the pattern is not understood at byte 0" },
    { "{" MODEL ", \"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"[a\"}, "
      "\"behavior\": \"Isolated\", \"invert\": false}}",
      CULL_ENOTSUP, "a class that does not end" },
    { "{" MODEL
      ", \"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"\\\\p{Nope}\"}, "
      "\"behavior\": \"Isolated\", \"invert\": false}}",
      CULL_EFORMAT, "pre_tokenizer.pattern.Regex" },
    { "{" MODEL ", \"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"String\": \"a\"}, "
      "\"behavior\": \"Eaten\", \"invert\": false}}",
      CULL_ENOTSUP, "pre_tokenizer.behavior: \"Eaten\"" },
    { "{" MODEL ", \"decoder\": {\"type\": \"CTC\"}}", CULL_ENOTSUP, "decoder.type: \"CTC\"" },
    { "{" MODEL
      ", \"decoder\": {\"type\": \"Strip\", \"content\": \"ab\", \"start\": 0, \"stop\": 0}}",
      CULL_EFORMAT, "single character" },
    { "{" MODEL
      ", \"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{\"Sequence\": "
      "{\"id\": \"A\", \"type_id\": 0}}, {\"SpecialToken\": {\"id\": \"x\", \"type_id\": 0}}], "
      "\"pair\": [], \"special_tokens\": {}}}",
      CULL_EFORMAT, "post_processor.special_tokens.x.ids: is missing" },
    { "{" MODEL ", \"added_tokens\": [{\"id\": 3, \"content\": 7}]}", CULL_EFORMAT,
      "added_tokens[0].content: not a string" },
};

static void pieces_beside_the_model_are_refused(void **state)
{
    (void)state;
    refuse(sizeof pieces / sizeof *pieces, pieces);
}

static void depth_is_bounded(void **state)
{
    (void)state;
    enum { DEPTH = 200000 };
    hf_tokenizer *tk = NULL;
    char *text = malloc(DEPTH + 1);
    assert_non_null(text);
    memset(text, '[', DEPTH);
    text[DEPTH] = '\0';
    put("tokenizer.json", text);
    assert_fails(host, open_it(&tk), CULL_EFORMAT, "depth");
    free(text);
}

static void other_files(void **state)
{
    (void)state;
    hf_tokenizer *tk = NULL;
    put("tokenizer.json", NULL);
    assert_fails(host, open_it(&tk), CULL_EIO, "tokenizer.json: there is no such file");
    put("tiktoken.model", "YQ== 0\n");
    assert_fails(host, open_it(&tk), CULL_ENOTSUP,
                 "tiktoken.model: the pattern that cuts words is not known for the tokenizer_class "
                 "\"\" of tokenizer_config.json (known: TikTokenTokenizer, ");
    put("tokenizer_config.json", "{\"tokenizer_class\": \"MyTokenizer\"}");
    assert_fails(host, open_it(&tk), CULL_ENOTSUP, "tokenizer_class \"MyTokenizer\"");
    put("tokenizer_config.json", "{\"tokenizer_class\": \"TikTokenTokenizer\"}");
    assert_fails(host, open_it(&tk), CULL_EFORMAT, "tiktoken.model: the byte 0x00 has no rank");
    put("tiktoken.model", "YQ== 0\nYg== 0\n");
    assert_fails(host, open_it(&tk), CULL_EFORMAT,
                 "tiktoken.model:2: a token, or a rank, that was");
    put("tiktoken.model", "YQ== 0\r\n\nYg 1\n");
    assert_fails(host, open_it(&tk), CULL_EFORMAT, "tiktoken.model:3: not a token in base64");
    put("tiktoken.model", "YQ== 5000000000\n");
    assert_fails(host, open_it(&tk), CULL_EFORMAT, "tiktoken.model:1: not a token in base64");
    put("x.tiktoken", "YQ== 0\n");
    assert_fails(host, open_it(&tk), CULL_EFORMAT, "2 files of tiktoken's are too many");
    put("x.tiktoken", NULL);
    put("tiktoken.model", NULL);
    put("tokenizer.model", "\n\x0e\n\x05<unk>");
    assert_fails(host, open_it(&tk), CULL_ENOTSUP, "make a tokenizer.json of it: python -c");
    put("tokenizer.model", NULL);
    put("tokenizer_config.json", NULL);
    put("tokenizer.json", "{" MODEL "}");
    put("tokenizer_config.json", "{\"bos_token\": 3}");
    assert_fails(host, open_it(&tk), CULL_EFORMAT, "tokenizer_config.json: bos_token: not a token");
    put("tokenizer_config.json", "{\"added_tokens_decoder\": {\"x\": {\"content\": \"<s>\"}}}");
    assert_fails(host, open_it(&tk), CULL_EFORMAT, "added_tokens_decoder.x: the key is not an id");
    put("tokenizer_config.json", "{\"split_special_tokens\": true}");
    assert_fails(host, open_it(&tk), CULL_ENOTSUP, "split_special_tokens");
    put("tokenizer_config.json", "{\"model_max_length\": 1000000000000000019884624838656}");
    put("special_tokens_map.json", "{\"eos_token\": {\"content\": \"ab\"}}");
    assert_ok(host, open_it(&tk));
    assert_int_equal(hf_tokenizer_bos(tk), -1);
    assert_int_equal(hf_tokenizer_eos(tk), 2);
    assert_false(hf_tokenizer_adds_bos(tk));
    hf_tokenizer_close(tk);
    put("tokenizer_config.json", NULL);
    put("special_tokens_map.json", NULL);
}

static void not_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
    } cases[] = {
        { "ab\xff", "byte 2 is 0xff" },           { "a\xc3", "byte 1 is 0xc3" },
        { "\xed\xa0\x80", "byte 0 is 0xed" },     { "abcdefgh\xc0\x80", "byte 8 is 0xc0" },
        { "\xf4\x90\x80\x80", "byte 0 is 0xf4" }, { "\xe0\x9f\xbf", "byte 0 is 0xe0" },
    };
    hf_tokenizer *tk = NULL;
    put("tokenizer.json", "{" MODEL "}");
    assert_ok(host, open_it(&tk));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int32_t *ids;
        size_t n;
        assert_fails(host,
                     hf_tokenizer_encode(fake_ctx(host), tk, cases[i].text, strlen(cases[i].text),
                                         0, &ids, &n),
                     CULL_EINVAL, cases[i].part);
    }
    hf_tokenizer_close(tk);
}

// A word of n characters that no cut makes shorter takes n log n steps, not n².
static void long_word(void **state)
{
    (void)state;
    enum { N = 2000000 };
    hf_tokenizer *tk = NULL;
    int32_t *ids;
    size_t n;
    char *text = malloc(N);
    assert_non_null(text);
    for (size_t i = 0; i < N; i++)
        text[i] = i % 2 ? 'b' : 'a';
    put("tokenizer.json",
        "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"b\": 1, \"ba\": 2, \"ab\": 3, "
        "\"abab\": 4}, \"merges\": [[\"a\", \"b\"], [\"b\", \"a\"], [\"ab\", \"ab\"]]}}");
    assert_ok(host, open_it(&tk));
    assert_ok(host, hf_tokenizer_encode(fake_ctx(host), tk, text, N, 0, &ids, &n));
    assert_int_equal(n, N / 4);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(ids[i], 4);
    hf_tokenizer_close(tk);
    free(text);
}

// An id in a gap, and one beyond the vocabulary.
static void ids_without_a_token(void **state)
{
    (void)state;
    static const int32_t ids[] = { 2, 3, 0, 5 };
    hf_tokenizer *tk;
    cull_ctx *ctx = fake_ctx(host);
    char *text;
    size_t len;

    put("tokenizer_config.json", NULL);
    put("special_tokens_map.json", NULL);
    put("tokenizer.json", "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"b\": 2, "
                          "\"c\": 4}, \"merges\": []}, \"decoder\": {\"type\": \"Fuse\"}}");
    assert_ok(host, open_it(&tk));
    assert_ok(host, hf_tokenizer_decode(ctx, tk, ids, 4, 0, &text, &len));
    assert_string_equal(text, "ba");
    assert_fails(host, hf_tokenizer_decode(ctx, tk, ids, 4, CULL_KNOWN, &text, &len), CULL_EFORMAT,
                 "id 3 has no token: it lies in a gap of the tokenizer's ids, 0 to 4");
    assert_fails(host, hf_tokenizer_decode(ctx, tk, ids + 3, 1, CULL_KNOWN, &text, &len),
                 CULL_EFORMAT, "id 5 has no token: it is none of the tokenizer's ids, 0 to 4");
    hf_tokenizer_close(tk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models_are_refused),
        cmocka_unit_test(pieces_beside_the_model_are_refused),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(other_files),
        cmocka_unit_test(not_utf8),
        cmocka_unit_test(long_word),
        cmocka_unit_test(ids_without_a_token),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
