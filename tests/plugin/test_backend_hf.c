// The backend hf: what it says of a checkpoint, and that it refuses a damaged one with a sentence.
#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/fake_host.h"
#include "support/temp_files.h"

#define GOLDEN CULL_SOURCE_DIR "/tests/golden/architectures/"

typedef struct fixture {
    fake_host *host;
    const cull_plugin *plugin;
    const cull_backend *hf;
    void *settings;
    temp_files files;   // a copy of a checkpoint
    const char *folder; // in which it lies
} fixture;

static int set_up(void **state)
{
    fixture *f = test_calloc(1, sizeof *f);

    f->host = fake_host_new(1);
    f->plugin = fake_plugin(f->host, "backend", "hf");
    f->hf = f->plugin->vtable;
    f->settings = fake_settings(f->host, f->plugin);
    temp_begin(&f->files);
    f->folder = f->files.folder;
    *state = f;
    return 0;
}

static const char *const files[] = {
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "model.safetensors.index.json",
    "model-00001-of-00003.safetensors",
    "model-00002-of-00003.safetensors",
    "model-00003-of-00003.safetensors",
};
enum { N_FILES = sizeof files / sizeof *files };

static int tear_down(void **state)
{
    fixture *f = *state;

    temp_end(&f->files);
    fake_host_free(f->host);
    test_free(f);
    return 0;
}

static bool read_bytes(fixture *f, const char *path, const char **bytes, size_t *n)
{
    if (access(path, R_OK) != 0)
        return false;
    assert_ok(f->host, fake_ctx(f->host)->host->read_file(fake_ctx(f->host), path, bytes, n));
    return true;
}

// Copy a golden checkpoint into the fixture's folder.
static void copy(fixture *f, const char *name)
{
    char path[512];
    const char *bytes;
    size_t n;

    for (size_t i = 0; i < N_FILES; i++) {
        (void)snprintf(path, sizeof path, GOLDEN "%s/%s", name, files[i]);
        (void)unlink(temp_path(&f->files, files[i]));
        if (read_bytes(f, path, &bytes, &n))
            (void)temp_write(&f->files, files[i], bytes, n);
    }
}

static cull_status open_folder(fixture *f, const char *folder, uint32_t what, cull_model **model)
{
    fake_set(f->host, f->plugin, f->settings, "path", folder);
    return f->hf->open(fake_ctx(f->host), f->settings, what, model);
}

static const struct {
    const char *checkpoint, *file, *from, *to, *sentence;
    cull_status status;
} damages[] = {
#define CONFIG(model, from, to, sentence, status)                                                  \
    {                                                                                              \
        model, "config.json", from, to, sentence, CULL_##status                                    \
    }
#define WEIGHTS(model, from, to, sentence, status)                                                 \
    {                                                                                              \
        model, "model.safetensors", from, to, sentence, CULL_##status                              \
    }
#define INDEX(from, to, sentence, status)                                                          \
    {                                                                                              \
        "qwen3_moe", "model.safetensors.index.json", from, to, sentence, CULL_##status             \
    }
    // ---- config.json as a file
    { "mixtral", "config.json", NULL, NULL, "config.json", CULL_EIO },
    CONFIG("mixtral", NULL, "", "config.json:", EFORMAT),
    CONFIG("mixtral", "\"vocab_size\": 320", "\"vocab_size\": 320, \"vocab_size\": 320",
           "duplicate", EFORMAT),
    CONFIG("mixtral", "{", "[{", "config.json:", EFORMAT),
    // ---- what it says
    CONFIG("mixtral", "\"model_type\": \"mixtral\"", "\"model_type\": \"llama\"",
           "model_type \"llama\" is not supported (supported: mixtral, olmoe, qwen2_moe", ENOTSUP),
    CONFIG("mixtral", "\"model_type\": \"mixtral\"", "\"model_type\": 3",
           "model_type must be a text, but is 3", EFORMAT),
    CONFIG("mixtral", "\"model_type\": \"mixtral\",", "", "model_type is missing", EFORMAT),
    CONFIG("mixtral", "\"silu\"", "\"gelu\"",
           "hidden_act \"gelu\" is not supported (supported: silu", ENOTSUP),
    CONFIG("mixtral", "\"rope_type\": \"default\"", "\"rope_type\": \"axial\"",
           "rope_type \"axial\" is not supported (supported: default, dynamic, linear, llama3",
           ENOTSUP),
    CONFIG("mixtral", "\"rope_type\": \"default\"", "\"rope_type\": \"yarn\", \"factor\": \"4\"",
           "rope_parameters.factor must be a number, but is \"4\"", EFORMAT),
    CONFIG("mixtral", "\"rope_type\": \"default\"",
           "\"rope_type\": \"longrope\", \"short_factor\": [1, 2]",
           "short_factor must be a list with a number for each pair", EFORMAT),
    CONFIG("mixtral", "\"rope_type\": \"default\"", "\"partial_rotary_factor\": 0.5",
           "mixtral does not support a partial_rotary_factor of 0.5", ENOTSUP),
    CONFIG("mixtral", "\"rope_type\": \"default\"", "\"mrope_section\": [1, 2]",
           "mrope_section is not supported", ENOTSUP),
    CONFIG("mixtral", "\"rope_type\": \"default\"", "\"rope_type\": \"linear\", \"factor\": 0",
           "rope_parameters.factor must be a number other than 0, but is 0", EFORMAT),
    CONFIG(
        "mixtral", "\"rope_type\": \"default\"", "\"rope_type\": \"linear\", \"factor\": 1e300",
        "rope_parameters.factor must be a number of float32's range, but is 1.0000000000000001e300",
        EFORMAT),
    CONFIG("mixtral", "\"rope_type\": \"default\"",
           "\"rope_type\": \"yarn\", \"factor\": 4, \"beta_fast\": -1",
           "rope_parameters.beta_fast must be a positive number of turns, but is -1", EFORMAT),
    CONFIG("mixtral", "\"hidden_size\"",
           "\"layer_types\": [\"full_attention\", \"full_attention\", \"full_attention\"], "
           "\"mlp_layer_types\": [\"dense\"], \"hidden_size\"",
           "mlp_layer_types must be a list with a word for each layer", EFORMAT),
    // ---- layers that differ
    CONFIG("mixtral", "\"hidden_size\"", "\"cull_layers\": [null, null], \"hidden_size\"",
           "cull_layers must be a list with an entry for each layer", EFORMAT),
    CONFIG("mixtral", "\"hidden_size\"",
           "\"cull_layers\": [null, null, {\"experts\": 9}], \"hidden_size\"",
           "cull_layers[2].experts: more than config.json has", EFORMAT),
    CONFIG("mixtral", "\"hidden_size\"",
           "\"cull_layers\": [{\"constants\": [3, 3]}, null, null], \"hidden_size\"",
           "cull_layers[0].constants must be a rising list of experts", EFORMAT),
    CONFIG("mixtral", "\"hidden_size\"",
           "\"cull_layers\": [{\"groups\": [4, 4]}, null, null], \"hidden_size\"",
           "cull_layers[0].groups must be a number of experts for each of n_group groups", EFORMAT),
    CONFIG("deepseek_v3", "\"hidden_size\"",
           "\"cull_layers\": [null, {\"groups\": [4, 4, 9, -1]}, null], \"hidden_size\"",
           "cull_layers[1].groups must be numbers that add up to the layer's experts", EFORMAT),
    CONFIG("deepseek_v3", "\"hidden_size\"",
           "\"cull_layers\": [null, {\"groups\": [4, 4, 4, 3]}, null], \"hidden_size\"",
           "cull_layers[1].groups must be numbers that add up to the layer's experts", EFORMAT),
    CONFIG("deepseek_v3", "\"hidden_size\"",
           "\"cull_layers\": [null, {\"experts\": 15}, null], \"hidden_size\"",
           "15 experts do not make 4 groups of one size (n_routed_experts 16, n_group 4", EFORMAT),
    CONFIG("mixtral", "\"hidden_size\"",
           "\"cull_layers\": [{\"novices\": [3]}, null, null], \"hidden_size\"",
           "cull_layers[0].key \"novices\" is not supported (supported: experts, per_token",
           ENOTSUP),
    CONFIG("mixtral", "\"hidden_size\"",
           "\"cull_layers\": [{\"constants\": [3]}, null, null], \"hidden_size\"",
           "constants\" is missing", EFORMAT),
    CONFIG("mixtral", "\"hidden_size\": 64", "\"hidden_size\": \"64\"",
           "hidden_size must be an integer of at least 1 and below 2^31, but is \"64\"", EFORMAT),
    CONFIG("mixtral", "\"hidden_size\": 64", "\"hidden_size\": -64", "hidden_size must be",
           EFORMAT),
    CONFIG("mixtral", "\"hidden_size\": 64", "\"hidden_size\": 72", "must be [320, 72]", EFORMAT),
    CONFIG("mixtral", "\"num_local_experts\": 8,", "", "num_local_experts is missing", EFORMAT),
    CONFIG("mixtral", "\"num_local_experts\": 8", "\"num_local_experts\": 9",
           "tensor \"model.layers.0.block_sparse_moe.gate.weight\" is [8, 64], but by config.json "
           "it must be [9, 64]",
           EFORMAT),
    CONFIG("mixtral", "\"num_experts_per_tok\": 2", "\"num_experts_per_tok\": [2, 2, 2]",
           "num_experts_per_tok must be an integer of at least 1", EFORMAT),
    CONFIG("mixtral", "\"num_local_experts\": 8", "\"num_local_experts\": [], \"num_experts\": 8",
           "num_local_experts must be of the kind of its other name, but is []", EFORMAT),
    CONFIG("mixtral", "\"num_experts_per_tok\": 2", "\"num_experts_per_tok\": 9",
           "config.json: num_experts_per_tok 9 is more than the experts of num_local_experts 8",
           EFORMAT),
    CONFIG("granitemoehybrid", "\"mamba_n_groups\": 1", "\"mamba_n_groups\": 3",
           "config.json: mamba_n_heads 4 is no multiple of mamba_n_groups 3", EFORMAT),
    CONFIG("granitemoehybrid", "\"mamba_n_heads\": 4", "\"mamba_n_heads\": 5",
           "config.json: mamba_n_heads 5 of mamba_d_head", EFORMAT),
    CONFIG("nemotron_h", "\"moe_latent_size\": 16", "\"moe_latent_size\": 25",
           "config.json: moe_latent_size 25, a space of the experts wider than hidden_size 24",
           ENOTSUP),
    CONFIG("qwen3_vl_moe", "\"num_experts_per_tok\": 2", "\"num_experts_per_tok\": 5",
           "config.json: text_config.num_experts_per_tok 5 is more than", EFORMAT),
    CONFIG("mixtral", "\"num_hidden_layers\": 3", "\"num_hidden_layers\": 4",
           "tensor \"model.layers.3.input_layernorm.weight\" is missing", EFORMAT),
    CONFIG("mixtral", "\"num_hidden_layers\": 3", "\"num_hidden_layers\": 2000000000",
           "num_hidden_layers is 2000000000", EFORMAT),
    CONFIG("mixtral", "\"num_attention_heads\": 4", "\"num_attention_heads\": 6",
           "is [64, 64], but by config.json it must be [60, 64]", EFORMAT),
    CONFIG("mixtral", "\"num_key_value_heads\": 2", "\"num_key_value_heads\": 3",
           "num_attention_heads 4 is not a multiple of num_key_value_heads 3", EFORMAT),
    CONFIG("kimi_linear", "\"num_key_value_heads\": 2,", "", "num_key_value_heads is missing",
           EFORMAT),
    CONFIG("glm4_moe_lite", "\"num_key_value_heads\": 2,", "", "num_key_value_heads is missing",
           EFORMAT),
    CONFIG("deepseek_v2", "\"norm_topk_prob\": false", "\"norm_topk_prob\": 1",
           "norm_topk_prob 1 is not supported (supported: false, null)", ENOTSUP),
    CONFIG("nemotron_h", "\"hidden_dropout\": 0.0", "\"hidden_dropout\": \"0\"",
           "hidden_dropout must be a number, but is \"0\"", EFORMAT),
    CONFIG("mixtral", "\"use_cache\"",
           "\"quantization_config\": {\"quant_method\": \"gptq\"}, \"use_cache\"",
           "quantization_config.quant_method \"gptq\" is not supported (supported: fp8)", ENOTSUP),
    CONFIG("mixtral", "\"tie_word_embeddings\": false", "\"tie_word_embeddings\": 0",
           "tie_word_embeddings must be true or false, but is 0", EFORMAT),
    CONFIG("deepseek_v3", "\"n_group\": 4", "\"n_group\": 3",
           "16 experts do not make 3 groups of one size (n_routed_experts 16, n_group 3, "
           "topk_group 2, num_experts_per_tok 4)",
           EFORMAT),
    CONFIG("deepseek_v3", "\"topk_group\": 2", "\"topk_group\": 5",
           "config.json: topk_group 5 of n_group 4 groups cannot be chosen", EFORMAT),
    CONFIG("deepseek_v3", "\"topk_group\": 2", "\"topk_group\": 0", "topk_group must be", EFORMAT),
    CONFIG("deepseek_v3", "\"n_group\": 4", "\"n_group\": 16",
           "16 experts do not make 16 groups of two or more, whose best two count", EFORMAT),
    CONFIG("deepseek_v3", "\"num_experts_per_tok\": 4", "\"num_experts_per_tok\": 9",
           "groups that hold a token's experts (n_routed_experts 16, n_group 4, topk_group 2, "
           "num_experts_per_tok 9)",
           EFORMAT),
    CONFIG("deepseek_v3", "\"use_cache\"", "\"scoring_func\": \"softmax\", \"use_cache\"",
           "scoring_func \"softmax\" is not supported (supported: \"sigmoid\", null)", ENOTSUP),
    CONFIG("deepseek_v2", "\"greedy\"", "\"best\"",
           "topk_method \"best\" is not supported (supported: greedy, group_limited_greedy)",
           ENOTSUP),
    CONFIG("deepseek_v3-fp8", "128,", "100,", "weight_scale_inv\" is [", EFORMAT),
    CONFIG("deepseek_v3-fp8", "\"fp8\"", "\"mxfp4\"", "quant_method \"mxfp4\" is not supported",
           ENOTSUP),
    CONFIG("deepseek_v3-fp8", "\"quantization_config\"", "\"quantisation_config\"",
           "is F8_E4M3, but config.json has no fp8 quantization_config", EFORMAT),
    CONFIG(
        "phimoe", "\"num_experts_per_tok\": 2", "\"num_experts_per_tok\": 3",
        "config.json: num_experts_per_tok 3 is not supported: phimoe routes to 2 experts a token",
        ENOTSUP),
    CONFIG("gpt_oss", "\"full_attention\"", "\"chunked_attention\"",
           "layer_types \"chunked_attention\" is not supported", ENOTSUP),
    CONFIG("gpt_oss", "\"full_attention\",", "",
           "layer_types must be a list with a word for each layer", EFORMAT),
    CONFIG("qwen2_moe", "\"mlp_only_layers\": []", "\"mlp_only_layers\": [\"a\"]",
           "mlp_only_layers must be a list of integers", EFORMAT),
    CONFIG("qwen2_moe", "\"mlp_only_layers\": []", "\"mlp_only_layers\": [1]",
           "tensor \"model.layers.1.mlp.gate_proj.weight\" is missing", EFORMAT),
    // ---- the weights
    { "mixtral", "model.safetensors", NULL, NULL, "neither model.safetensors nor", CULL_EIO },
    WEIGHTS("mixtral", NULL, "", "model.safetensors: ", EFORMAT),
    WEIGHTS("mixtral", "\"model.layers.1.self_attn.q_proj.weight\"",
            "\"model.layers.1.self_attn.q_prox.weight\"",
            "tensor \"model.layers.1.self_attn.q_proj.weight\" is missing", EFORMAT),
    WEIGHTS("mixtral", "\"model.layers.2.block_sparse_moe.experts.7.w2.weight\"",
            "\"model.layers.2.block_sparse_moe.experts.8.w2.weight\"",
            "tensor \"model.layers.2.block_sparse_moe.experts.7.w2.weight\" is missing", EFORMAT),
    WEIGHTS("mixtral", "\"BF16\"", "\"I16\" ", "cannot be of type I16", ENOTSUP),
    WEIGHTS("mixtral", "[320,64]", "[64,320]",
            "is [64, 320], but by config.json it must be [320, 64]", EFORMAT),
    CONFIG("mixtral", "\"num_local_experts\": 8",
           "\"num_local_experts\": 8, \"quantization_config\": 3",
           "quantization_config must be an object, but is 3", EFORMAT),
    CONFIG("gemma4", "\"num_kv_shared_layers\": 0", "\"num_kv_shared_layers\": 0.0",
           "num_kv_shared_layers 0.0 is not supported (supported: 0, null)", ENOTSUP),
    CONFIG("minimax_m3_vl", "\"swiglu_limit\": 7.0", "\"swiglu_limit\": -7.0",
           "swiglu_limit must be zero or more, but is -7.0", EFORMAT),
    CONFIG(
        "cohere2_moe",
        "\"rope_parameters\": {\n    \"rope_theta\": 10000.0,\n    \"rope_type\": \"default\"\n  }",
        "\"rope_parameters\": null",
        "rope_parameters null is not supported (supported: an object, or no such key)", ENOTSUP),
    CONFIG("granitemoehybrid",
           "\"time_step_limit\": [\n    0.0,\n    {\n      \"__float__\": \"Infinity\"\n    }\n  ]",
           "\"time_step_limit\": [0.0, -1.0]",
           "the least and the greatest, not below zero, but is [0.0,-1.0]", EFORMAT),
    // ---- the index
    INDEX("\"weight_map\"", "\"weight_nap\"", "weight_map must list tensors", EFORMAT),
    INDEX("model-00001-of-00003.safetensors", "../model-00001.safetensors",
          "must be mapped to the bare name", EFORMAT),
    INDEX("model-00001-of-00003.safetensors", "model-00004-of-00003.safetensors",
          "model-00004-of-00003.safetensors", EIO),
    INDEX("\"model-00001-of-00003.safetensors\"", "\"model-00002-of-00003.safetensors\"",
          "is not in model-00002-of-00003.safetensors but in model-00001-of-00003.safetensors",
          EFORMAT),
    INDEX("\"weight_map\": {", "\"weight_map\": {\"ghost\": \"model-00001-of-00003.safetensors\",",
          "tensor \"ghost\" is not in model-00001-of-00003.safetensors", EFORMAT),
    INDEX("\"weight_map\": {", "\"weight_map\": {\"ghost\": 3,",
          "\"ghost\" must be mapped to the bare name", EFORMAT),
    { "qwen3_moe", "model-00002-of-00003.safetensors", NULL, NULL,
      "model-00002-of-00003.safetensors", CULL_EIO },
};

static void test_damages(void **state)
{
    fixture *f = *state;

    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        cull_model *model = NULL;
        copy(f, damages[i].checkpoint);
        temp_damage(&f->files, damages[i].file, damages[i].from, damages[i].to);
        assert_fails(f->host, open_folder(f, f->folder, CULL_OPEN_WEIGHTS, &model),
                     damages[i].status, damages[i].sentence);
        assert_null(model);
    }
}

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

static const cull_model_facts *open_generation(fixture *f, const char *text, cull_model **model)
{
    (void)temp_text(&f->files, "generation_config.json", text);
    assert_ok(f->host, open_folder(f, f->folder, CULL_OPEN_WEIGHTS, model));
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
    fixture *f = *state;
    cull_model *model;

    copy(f, "mixtral");
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
        assert_fails(f->host, open_folder(f, f->folder, CULL_OPEN_WEIGHTS, &model), CULL_EFORMAT,
                     wrong[i][1]);
    }
}

// The same tensor in two shards.
static void test_twice(void **state)
{
    fixture *f = *state;
    cull_model *model = NULL;
    const char *bytes;
    size_t n;

    copy(f, "qwen3_moe");
    const char *from = temp_path(&f->files, "model-00001-of-00003.safetensors");
    assert_true(read_bytes(f, from, &bytes, &n));
    (void)temp_write(&f->files, "model-00002-of-00003.safetensors", bytes, n);
    assert_fails(f->host, open_folder(f, f->folder, CULL_OPEN_WEIGHTS, &model), CULL_EFORMAT,
                 "is in both");
}

static bool has_note(fixture *f, const cull_model *model, const char *part)
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
    fixture *f = *state;
    cull_model *model;
    const char *const *texts;

    assert_ok(f->host, open_folder(f, GOLDEN "deepseek_v3-yarn-mtp", CULL_OPEN_WEIGHTS, &model));
    assert_true(has_note(f, model,
                         "44 tensors are left out, \"model.layers.3.eh_proj.weight\" first: a "
                         "multi-token-prediction (MTP) layer"));
    assert_int_equal(f->hf->notes(model, &texts), 1);
    f->hf->close(model);

    copy(f, "mixtral");
    temp_damage(&f->files, "config.json", "\"num_hidden_layers\": 3",
                "\"num_hidden_layers\": 2, \"my_key\": 1");
    assert_ok(f->host, open_folder(f, f->folder, CULL_OPEN_WEIGHTS, &model));
    assert_true(has_note(f, model, "first: a layer beyond num_hidden_layers"));
    assert_true(has_note(f, model, "my_key has no meaning for mixtral"));
    f->hf->close(model);

    copy(f, "qwen2_moe"); // biases that config.json does not speak of
    temp_damage(&f->files, "config.json", "\"qkv_bias\": true", "\"qkv_bias\": false");
    assert_fails(f->host, open_folder(f, f->folder, CULL_OPEN_WEIGHTS, &model), CULL_ENOTSUP,
                 "tensor \"model.layers.0.self_attn.k_proj.bias\" is unknown");
}

static void test_facts(void **state)
{
    fixture *f = *state;
    cull_model *model;

    assert_ok(f->host, open_folder(f, GOLDEN "olmoe", CULL_OPEN_WEIGHTS, &model));
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

    assert_ok(f->host, open_folder(f, GOLDEN "gpt_oss-mxfp4", CULL_OPEN_WEIGHTS, &model));
    assert_string_equal(f->hf->facts(model)->dtype, "mxfp4");
    assert_int_equal(f->hf->layer_facts(model, 0)->expert_params, 3 * 64 * 32 + 2 * 32 + 64);
    assert_int_equal(f->hf->layer_facts(model, 0)->window, 16);
    assert_int_equal(f->hf->layer_facts(model, 1)->window, 0);
    f->hf->close(model);

    assert_ok(f->host, open_folder(f, GOLDEN "deepseek_v2", CULL_OPEN_WEIGHTS, &model));
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
    fixture *f = *state;
    cull_model *model;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        copy(f, cases[i].name);
        temp_damage(&f->files, "config.json", cases[i].from, cases[i].to);
        if (strncmp(cases[i].name, "qwen", 4) == 0)
            temp_damage(&f->files, "config.json", "\"use_sliding_window\": false",
                        "\"use_sliding_window\": true");
        if (strcmp(cases[i].name, "qwen2_moe") == 0) // its layers are listed
            temp_damage(&f->files, "config.json", "\"full_attention\"", "\"sliding_attention\"");
        assert_ok(f->host, open_folder(f, f->folder, CULL_OPEN_WEIGHTS, &model));
        for (size_t l = 0; l < 3; l++)
            assert_int_equal(f->hf->layer_facts(model, l)->window, cases[i].window[l]);
        f->hf->close(model);
    }
}

// Two checkpoints that differ in a byte of config.json have different fingerprints; the same one
// has the same.
static void test_fingerprint(void **state)
{
    fixture *f = *state;
    cull_model *a, *b, *c;

    copy(f, "mixtral");
    assert_ok(f->host, open_folder(f, GOLDEN "mixtral", CULL_OPEN_WEIGHTS, &a));
    assert_ok(f->host, open_folder(f, f->folder, CULL_OPEN_WEIGHTS, &b));
    temp_damage(&f->files, "config.json", "\"rms_norm_eps\": 1e-05", "\"rms_norm_eps\": 1e-06");
    assert_ok(f->host, open_folder(f, f->folder, CULL_OPEN_WEIGHTS, &c));
    assert_string_equal(f->hf->facts(a)->fingerprint, f->hf->facts(b)->fingerprint);
    assert_string_not_equal(f->hf->facts(b)->fingerprint, f->hf->facts(c)->fingerprint);
    f->hf->close(a);
    f->hf->close(b);
    f->hf->close(c);
}

static void test_matrix(void **state)
{
    fixture *f = *state;
    cull_model *model;
    cull_matrix m;
    cull_ctx *ctx = fake_ctx(f->host);

    assert_ok(f->host, open_folder(f, GOLDEN "gpt_oss", CULL_OPEN_WEIGHTS, &model));
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
    fixture *f = *state;
    cull_model *model;
    char path[256];

    assert_fails(f->host, open_folder(f, "/nowhere/org/name", CULL_OPEN_WEIGHTS, &model), CULL_EIO,
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
    assert_ok(f->host, open_folder(f, "/nowhere/org/name", CULL_OPEN_WEIGHTS, &model));
    assert_string_equal(f->hf->facts(model)->arch, "mixtral");
    f->hf->close(model);
    (void)snprintf(command, sizeof command, "rm -r %s", path);
    assert_int_equal(system(command), 0);
    assert_int_equal(unsetenv("HF_HUB_CACHE"), 0);
}

// A folder with a tokenizer and nothing else is enough to tokenize.
static void test_tokenizer_only(void **state)
{
    fixture *f = *state;
    cull_model *model;
    cull_ctx *ctx = fake_ctx(f->host);
    int32_t *ids;
    char *text;
    size_t n, len;

    assert_ok(f->host, open_folder(f, CULL_SOURCE_DIR "/models/tinyworld-mixtral",
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
    fixture *f = *state;
    cull_model *model;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        copy(f, cases[i].name);
        for (size_t j = 0; j < 2 && cases[i].from[j]; j++)
            temp_damage(&f->files, "config.json", cases[i].from[j], cases[i].to[j]);
        assert_ok(f->host, open_folder(f, f->folder, CULL_OPEN_WEIGHTS, &model));
        assert_int_equal(f->hf->facts(model)->reading, cases[i].reading);
        f->hf->close(model);
    }
}

// A second set of experts, which no text reaches, is as wide as config.json says: ERNIE's layer 1
// as ERNIE VL stores it, with one expert of that set.
static void test_second_set(void **state)
{
    static const struct {
        const char *widths, *sentence;
        cull_status status;
    } cases[] = {
        { "size\": [32, 16]",
          "tensor \"model.layers.1.mlp.experts.000008.down_proj.weight\" is of experts of width "
          "32, "
          "but by config.json (moe_intermediate_size) those of the second set have 16",
          CULL_EFORMAT },
        { "size\": [32, 32]",
          "tensor \"model.layers.1.mlp.shared_experts.gate_proj.weight\" is unknown",
          CULL_ENOTSUP },
        { "size\": [32, 0]", "moe_intermediate_size must be a list of two widths, but is [32,0]",
          CULL_EFORMAT },
    };
    fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cull_model *model = NULL;
        copy(f, "ernie4_5_moe");
        temp_damage(&f->files, "config.json", "ernie4_5_moe\"", "ernie4_5_vl_moe_text\"");
        temp_damage(&f->files, "config.json", "size\": 32", cases[i].widths);
        temp_damage(&f->files, "config.json", "shared_experts\": 1", "shared_experts\": 0");
        temp_damage(&f->files, "config.json", "\"rope_type\"",
                    "\"mrope_section\": [3, 3, 2], \"rope_type\"");
        temp_damage(&f->files, "model.safetensors", "layers.1.mlp.shared_experts.down",
                    "layers.1.mlp.experts.000008.down");
        for (size_t l = 1; l < 3; l++) // the router is stored turned
            temp_damage(&f->files, "model.safetensors", "[8,64]", "[64,8]");
        assert_fails(f->host, open_folder(f, f->folder, CULL_OPEN_WEIGHTS, &model), cases[i].status,
                     cases[i].sentence);
        assert_null(model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_damages),        TEST(test_generation), TEST(test_twice),
        TEST(test_notes),          TEST(test_facts),      TEST(test_default_windows),
        TEST(test_fingerprint),    TEST(test_matrix),     TEST(test_places),
        TEST(test_tokenizer_only), TEST(test_reading),    TEST(test_second_set),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
