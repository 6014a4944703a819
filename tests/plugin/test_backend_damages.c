// The backend hf refuses a damaged checkpoint with a sentence.
#include "support/test.h"

#include "support/hf_folder.h"

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
    hf_folder *f = *state;

    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        cull_model *model = NULL;
        hf_folder_copy(f, damages[i].checkpoint);
        temp_damage(&f->files, damages[i].file, damages[i].from, damages[i].to);
        assert_fails(f->host, hf_folder_open(f, f->folder, CULL_OPEN_WEIGHTS, &model),
                     damages[i].status, damages[i].sentence);
        assert_null(model);
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
    hf_folder *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cull_model *model = NULL;
        hf_folder_copy(f, "ernie4_5_moe");
        temp_damage(&f->files, "config.json", "ernie4_5_moe\"", "ernie4_5_vl_moe_text\"");
        temp_damage(&f->files, "config.json", "size\": 32", cases[i].widths);
        temp_damage(&f->files, "config.json", "shared_experts\": 1", "shared_experts\": 0");
        temp_damage(&f->files, "config.json", "\"rope_type\"",
                    "\"mrope_section\": [3, 3, 2], \"rope_type\"");
        temp_damage(&f->files, "model.safetensors", "layers.1.mlp.shared_experts.down",
                    "layers.1.mlp.experts.000008.down");
        for (size_t l = 1; l < 3; l++) // the router is stored turned
            temp_damage(&f->files, "model.safetensors", "[8,64]", "[64,8]");
        assert_fails(f->host, hf_folder_open(f, f->folder, CULL_OPEN_WEIGHTS, &model),
                     cases[i].status, cases[i].sentence);
        assert_null(model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, hf_folder_new, hf_folder_free)
        TEST(test_damages),
        TEST(test_second_set),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
