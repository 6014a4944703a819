// The backend hf: what it says of a checkpoint.
#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/hf_folder.h"

#define GOLDEN CULL_SOURCE_DIR "/tests/golden/architectures/"

// What is said of answers; the answers themselves: tests/golden/test_generation.c.
static const struct {
    const char *text, *sentence; // the file; why no answers can be made, NULL: they can
} generation[] = {
    { "{\"num_beams\": 1, \"min_length\": 0, \"suppress_tokens\": [], \"token_healing\": false,"
      " \"do_sample\": true, \"top_k\": 20, \"length_penalty\": 2, \"sequence_bias\": null}",
      NULL },
    { "{\"num_beams\": 4}", "generation_config.json: num_beams 4 changes what is generated" },
    { "{\"num_return_sequences\": 2}", "num_return_sequences 2" },
    { "{\"guidance_scale\": 1.5}", "guidance_scale 1.5" },
    { "{\"encoder_repetition_penalty\": 1.1}", "encoder_repetition_penalty 1.1" },
    { "{\"no_repeat_ngram_size\": 2}", "no_repeat_ngram_size 2" },
    { "{\"encoder_no_repeat_ngram_size\": 2}", "encoder_no_repeat_ngram_size 2" },
    { "{\"min_length\": 9}", "min_length 9" },
    { "{\"min_new_tokens\": 9}", "min_new_tokens 9" },
    { "{\"penalty_alpha\": 0.6}", "penalty_alpha 0.6" },
    { "{\"sequence_bias\": [[[3], -1.0]]}", "sequence_bias [[[3],-1.0]]" },
    { "{\"bad_words_ids\": [[3]]}", "bad_words_ids [[3]]" },
    { "{\"forced_bos_token_id\": 0}", "forced_bos_token_id 0" },
    { "{\"forced_eos_token_id\": [1]}", "forced_eos_token_id [1]" },
    { "{\"exponential_decay_length_penalty\": [5, 1.1]}", "exponential_decay_length_penalty" },
    { "{\"suppress_tokens\": [3]}", "suppress_tokens [3]" },
    { "{\"begin_suppress_tokens\": [3]}", "begin_suppress_tokens [3]" },
    { "{\"watermarking_config\": {\"bias\": 2}}", "watermarking_config {" },
    { "{\"token_healing\": true}", "token_healing true" },
    { "{\"stop_strings\": \"a\"}", "stop_strings \"a\"" },
    { "{\"max_time\": 1}", "max_time 1" },
};

static const cull_model_facts *open_generation(hf_folder *f, const char *text, cull_model **model)
{
    (void)temp_text(&f->files, "generation_config.json", text);
    assert_ok(f->host, hf_folder_open(f, f->folder, CULL_OPEN_WEIGHTS, model));
    return f->hf->facts(*model);
}

static void test_generation(void **state)
{
    static const char *const wrong[][2] = {
        { "{\"eos_token_id\": \"</s>\"}", "eos_token_id must be a token's number, or a list" },
        { "{\"eos_token_id\": [1, 2.0]}", "but is [1,2.0]" },
        { "{\"max_new_tokens\": 0}", "max_new_tokens must be an integer of at least 1" },
        { "{\"repetition_penalty\": 0}", "repetition_penalty must be above zero, but is 0" },
        { "{", "generation_config.json:1:" },
    };
    hf_folder *f = *state;
    cull_model *model;

    hf_folder_copy(f, "mixtral");
    for (size_t i = 0; i < sizeof generation / sizeof *generation; i++) {
        const char *why = open_generation(f, generation[i].text, &model)->no_answers;
        const char *sentence = generation[i].sentence;
        if (sentence ? !why || !strstr(why, sentence) : why != NULL)
            fail_msg("%s: %s", generation[i].text, why ? why : "can be done");
        f->hf->close(model);
    }
    const cull_model_facts *facts =
        open_generation(f,
                        "{\"eos_token_id\": [7, 9], \"max_new_tokens\": 5,"
                        " \"repetition_penalty\": 1.5}",
                        &model);
    assert_int_equal(facts->n_stop, 2);
    assert_int_equal(facts->stop[0], 7);
    assert_int_equal(facts->stop[1], 9);
    assert_int_equal(facts->max_new, 5);
    assert_true(facts->repetition_penalty == 1.5);
    f->hf->close(model);
    facts = open_generation(f, "{}", &model); // config.json's EOS does not count beside it
    assert_true(facts->stop && facts->n_stop == 0 && facts->max_new == 0);
    f->hf->close(model);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        (void)temp_text(&f->files, "generation_config.json", wrong[i][0]);
        assert_fails(f->host, hf_folder_open(f, f->folder, CULL_OPEN_WEIGHTS, &model), CULL_EFORMAT,
                     wrong[i][1]);
    }
}

// The same tensor in two shards.
static void test_twice(void **state)
{
    hf_folder *f = *state;
    cull_model *model = NULL;
    const char *bytes;
    size_t n;

    hf_folder_copy(f, "qwen3_moe");
    const char *from = temp_path(&f->files, "model-00001-of-00003.safetensors");
    assert_true(hf_folder_read(f, from, &bytes, &n));
    (void)temp_write(&f->files, "model-00002-of-00003.safetensors", bytes, n);
    assert_fails(f->host, hf_folder_open(f, f->folder, CULL_OPEN_WEIGHTS, &model), CULL_EFORMAT,
                 "is in both");
}

static bool has_note(hf_folder *f, const cull_model *model, const char *part)
{
    const char *const *texts;
    const size_t n = f->hf->notes(model, &texts);

    for (size_t i = 0; i < n; i++)
        if (strstr(texts[i], part))
            return true;
    for (size_t i = 0; i < n; i++)
        print_error("note: %s\n", texts[i]);
    return false;
}

static void test_notes(void **state)
{
    hf_folder *f = *state;
    cull_model *model;
    const char *const *texts;

    assert_ok(f->host, hf_folder_open(f, GOLDEN "deepseek_v3-yarn-mtp", CULL_OPEN_WEIGHTS, &model));
    assert_true(has_note(f, model,
                         "44 tensors are left out, \"model.layers.3.eh_proj.weight\" first: a "
                         "multi-token-prediction (MTP) layer"));
    assert_int_equal(f->hf->notes(model, &texts), 1);
    f->hf->close(model);

    hf_folder_copy(f, "mixtral");
    temp_damage(&f->files, "config.json", "\"num_hidden_layers\": 3",
                "\"num_hidden_layers\": 2, \"my_key\": 1");
    assert_ok(f->host, hf_folder_open(f, f->folder, CULL_OPEN_WEIGHTS, &model));
    assert_true(has_note(f, model, "first: a layer beyond num_hidden_layers"));
    assert_true(has_note(f, model, "my_key has no meaning for mixtral"));
    f->hf->close(model);

    hf_folder_copy(f, "qwen2_moe"); // biases that config.json does not speak of
    temp_damage(&f->files, "config.json", "\"qkv_bias\": true", "\"qkv_bias\": false");
    assert_fails(f->host, hf_folder_open(f, f->folder, CULL_OPEN_WEIGHTS, &model), CULL_ENOTSUP,
                 "tensor \"model.layers.0.self_attn.k_proj.bias\" is unknown");
}

static void test_facts(void **state)
{
    hf_folder *f = *state;
    cull_model *model;

    assert_ok(f->host, hf_folder_open(f, GOLDEN "olmoe", CULL_OPEN_WEIGHTS, &model));
    const cull_model_facts *facts = f->hf->facts(model);
    const uint64_t expert = 3 * 64 * 24, other = 2 * 64 + 4 * 64 * 64 + 2 * 64 + 16 * 64;
    assert_string_equal(facts->arch, "olmoe");
    assert_string_equal(facts->dtype, "bf16");
    assert_int_equal(strlen(facts->fingerprint), 32);
    assert_int_equal(facts->L, 3);
    assert_int_equal(facts->params_expert, 3 * 16 * expert);
    assert_int_equal(facts->params_total, 3 * (16 * expert + other) + 2 * 320 * 64 + 64);
    assert_int_equal(facts->params_active, facts->params_total - 3 * 12 * expert);
    assert_int_equal(facts->bytes, 2 * facts->params_total);
    const cull_layer_facts *layer = f->hf->layer_facts(model, 1);
    assert_int_equal(layer->expert_params, expert);
    assert_int_equal(layer->other_params, other);
    assert_int_equal(layer->kv_width, 2 * 64);
    assert_int_equal(layer->bytes, 2 * (16 * expert + other));
    assert_false(layer->has_side);
    assert_false(layer->renormalise);
    assert_int_equal(layer->parts & (1u << CULL_PART_ROUTER), 1u << CULL_PART_ROUTER);
    f->hf->close(model);

    assert_ok(f->host, hf_folder_open(f, GOLDEN "gpt_oss-mxfp4", CULL_OPEN_WEIGHTS, &model));
    assert_string_equal(f->hf->facts(model)->dtype, "mxfp4");
    assert_int_equal(f->hf->layer_facts(model, 0)->expert_params, 3 * 64 * 32 + 2 * 32 + 64);
    assert_int_equal(f->hf->layer_facts(model, 0)->window, 16);
    assert_int_equal(f->hf->layer_facts(model, 1)->window, 0);
    f->hf->close(model);

    assert_ok(f->host, hf_folder_open(f, GOLDEN "deepseek_v2", CULL_OPEN_WEIGHTS, &model));
    assert_int_equal(f->hf->layer_facts(model, 0)->E, 0);
    assert_true(f->hf->layer_facts(model, 0)->has_side);
    assert_int_equal(f->hf->layer_facts(model, 1)->kv_width, 4 * (16 + 8 + 16));
    f->hf->close(model);
}

// Where config.json leaves sliding_window out, it is what transformers 5.23's class has; null is
// none.
static void test_default_windows(void **state)
{
    static const struct {
        const char *name, *from, *to;
        size_t window[3];
    } cases[] = {
        { "gpt_oss", "\"sliding_window\": 16,", "", { 128, 0, 128 } },
        { "qwen3_moe", "\"sliding_window\": null,", "", { 4096, 4096, 4096 } },
        { "qwen3_moe", "\"sliding_window\": null,", "\"sliding_window\": 7,", { 7, 7, 7 } },
        { "qwen2_moe", "\"sliding_window\": 0,", "", { 4096, 0, 0 } },
        { "mixtral", "\"sliding_window\": null,", "", { 0, 0, 0 } },
        { "phimoe", "\"sliding_window\": null,", "", { 0, 0, 0 } },
    };
    hf_folder *f = *state;
    cull_model *model;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hf_folder_copy(f, cases[i].name);
        temp_damage(&f->files, "config.json", cases[i].from, cases[i].to);
        if (strncmp(cases[i].name, "qwen", 4) == 0)
            temp_damage(&f->files, "config.json", "\"use_sliding_window\": false",
                        "\"use_sliding_window\": true");
        if (strcmp(cases[i].name, "qwen2_moe") == 0) // its layers are listed
            temp_damage(&f->files, "config.json", "\"full_attention\"", "\"sliding_attention\"");
        assert_ok(f->host, hf_folder_open(f, f->folder, CULL_OPEN_WEIGHTS, &model));
        for (size_t l = 0; l < 3; l++)
            assert_int_equal(f->hf->layer_facts(model, l)->window, cases[i].window[l]);
        f->hf->close(model);
    }
}

// Two checkpoints that differ in a byte of config.json have different fingerprints; the same one
// has the same.
static void test_fingerprint(void **state)
{
    hf_folder *f = *state;
    cull_model *a, *b, *c;

    hf_folder_copy(f, "mixtral");
    assert_ok(f->host, hf_folder_open(f, GOLDEN "mixtral", CULL_OPEN_WEIGHTS, &a));
    assert_ok(f->host, hf_folder_open(f, f->folder, CULL_OPEN_WEIGHTS, &b));
    temp_damage(&f->files, "config.json", "\"rms_norm_eps\": 1e-05", "\"rms_norm_eps\": 1e-06");
    assert_ok(f->host, hf_folder_open(f, f->folder, CULL_OPEN_WEIGHTS, &c));
    assert_string_equal(f->hf->facts(a)->fingerprint, f->hf->facts(b)->fingerprint);
    assert_string_not_equal(f->hf->facts(b)->fingerprint, f->hf->facts(c)->fingerprint);
    f->hf->close(a);
    f->hf->close(b);
    f->hf->close(c);
}

static void test_matrix(void **state)
{
    hf_folder *f = *state;
    cull_model *model;
    cull_matrix m;
    cull_ctx *ctx = fake_ctx(f->host);

    assert_ok(f->host, hf_folder_open(f, GOLDEN "gpt_oss", CULL_OPEN_WEIGHTS, &model));
    assert_ok(f->host, f->hf->matrix(ctx, model, cull_at_expert(1, CULL_PART_UP, 7), &m));
    assert_int_equal(m.rows, 32);
    assert_int_equal(m.cols, 64);
    assert_int_equal(m.row_stride, 2);
    assert_int_equal(m.bias_stride, 2);
    assert_fails(f->host, f->hf->matrix(ctx, model, cull_at_expert(1, CULL_PART_UP, 8), &m),
                 CULL_ENOTSUP, "layer 1 has no matrix up (expert 8)");
    assert_fails(f->host, f->hf->matrix(ctx, model, cull_at(1, CULL_PART_SHARED_UP), &m),
                 CULL_ENOTSUP, "layer 1 has no matrix shared_up");
    assert_fails(f->host, f->hf->matrix(ctx, model, cull_at(3, CULL_PART_Q), &m), CULL_ENOTSUP,
                 "layer 3 has no matrix q");
    f->hf->close(model);
}

static void test_places(void **state)
{
    hf_folder *f = *state;
    cull_model *model;
    char path[256];

    assert_fails(f->host, hf_folder_open(f, "/nowhere/org/name", CULL_OPEN_WEIGHTS, &model),
                 CULL_EIO,
                 "/nowhere/org/name is not a folder, and org/name is not in the Hub cache");
    (void)snprintf(path, sizeof path, "%s/hub", f->folder);
    assert_int_equal(setenv("HF_HUB_CACHE", path, 1), 0);
    char command[2048];
    (void)snprintf(command, sizeof command,
                   "mkdir -p %s/models--org--name/refs %s/models--org--name/snapshots && "
                   "echo abc > %s/models--org--name/refs/main && "
                   "cp -r " GOLDEN "mixtral %s/models--org--name/snapshots/abc",
                   path, path, path, path);
    assert_int_equal(system(command), 0);
    assert_ok(f->host, hf_folder_open(f, "/nowhere/org/name", CULL_OPEN_WEIGHTS, &model));
    assert_string_equal(f->hf->facts(model)->arch, "mixtral");
    f->hf->close(model);
    (void)snprintf(command, sizeof command, "rm -r %s", path);
    assert_int_equal(system(command), 0);
    assert_int_equal(unsetenv("HF_HUB_CACHE"), 0);
}

// A folder with a tokenizer and nothing else is enough to tokenize.
static void test_tokenizer_only(void **state)
{
    hf_folder *f = *state;
    cull_model *model;
    cull_ctx *ctx = fake_ctx(f->host);
    int32_t *ids;
    char *text;
    size_t n, len;

    assert_ok(f->host, hf_folder_open(f, CULL_SOURCE_DIR "/models/tinyworld-mixtral",
                                      CULL_OPEN_TOKENIZER, &model));
    assert_ok(f->host, f->hf->encode(ctx, model, "a tale", 6, 0, &ids, &n));
    assert_ok(f->host, f->hf->decode(ctx, model, ids, n, 0, &text, &len));
    assert_string_equal(text, "a tale");
    f->hf->close(model);
}

// Only where the configuration says what was read otherwise before, results of before are not used
// again.
static void test_reading(void **state)
{
    static const char cap[] = "\"final_logit_softcapping\": 3.0";
    static const char type[] = "\"rope_type\": \"yarn\"", linear[] = "\"rope_type\": \"linear\"";
    static const char original[] = "\"original_max_position_embeddings\": 16";
    static const char beta[] = "\"llama_4_scaling_beta\": 0.1";
    static const struct {
        const char *name, *from[2], *to[2];
        uint32_t reading;
    } cases[] = {
        { "gemma4", { cap, NULL }, { cap, NULL }, 1 },
        { "gemma4", { cap, NULL }, { "\"final_logit_softcapping\": -3.0", NULL }, 2 },
        { "mistral4", { type, NULL }, { type, NULL }, 0 },
        { "mistral4", { type, NULL }, { linear, NULL }, 1 },
        { "mistral4",
          { type, original },
          { linear, "\"original_max_position_embeddings\": 128" }, // the longest path, as before
          0 },
        { "mistral4", { type, beta }, { linear, "\"llama_4_scaling_beta\": 0" }, 0 },
    };
    hf_folder *f = *state;
    cull_model *model;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hf_folder_copy(f, cases[i].name);
        for (size_t j = 0; j < 2 && cases[i].from[j]; j++)
            temp_damage(&f->files, "config.json", cases[i].from[j], cases[i].to[j]);
        assert_ok(f->host, hf_folder_open(f, f->folder, CULL_OPEN_WEIGHTS, &model));
        assert_int_equal(f->hf->facts(model)->reading, cases[i].reading);
        f->hf->close(model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, hf_folder_new, hf_folder_free)
        TEST(test_generation),      TEST(test_twice),       TEST(test_notes),  TEST(test_facts),
        TEST(test_default_windows), TEST(test_fingerprint), TEST(test_matrix), TEST(test_places),
        TEST(test_tokenizer_only),  TEST(test_reading),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
