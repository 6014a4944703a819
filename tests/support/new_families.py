"""Small configurations of the families published since 2025, as make_checkpoints.py makes them: what is in a wrapper
has the keys of its language model in text_config, and a vision tower as small as its classes allow."""

YARN = dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=32, rope_theta=10000.0)
DEFAULT = dict(rope_type="default", rope_theta=10000.0)
GQA = dict(num_key_value_heads=2)
MLA = dict(num_attention_heads=4, num_key_value_heads=4, kv_lora_rank=24, q_lora_rank=20, qk_nope_head_dim=12,
           qk_rope_head_dim=8, v_head_dim=10)
DEEPSEEK = dict(intermediate_size=96, moe_intermediate_size=32, n_routed_experts=16, num_experts_per_tok=4,
                n_shared_experts=1)
FLASH = dict(DEEPSEEK, **MLA)
DOTS = dict(DEEPSEEK, head_dim=24, **GQA)
SOLAR = dict(moe_intermediate_size=32, n_routed_experts=8, num_experts_per_tok=2, n_shared_experts=1, head_dim=24, **GQA)
HY3 = dict(intermediate_size=96, moe_intermediate_size=32, num_experts=8, num_experts_per_tok=3, head_dim=24, **GQA)
HUNYUAN = dict(intermediate_size=40, num_experts=8, moe_topk=2, head_dim=24, **GQA)
GRANITE = dict(intermediate_size=32, num_local_experts=8, num_experts_per_tok=3, attention_multiplier=0.07,
               embedding_multiplier=5.0, residual_multiplier=0.4, logits_scaling=3.0, shared_intermediate_size=48, **GQA)
MELLUM = dict(intermediate_size=96, moe_intermediate_size=32, num_experts=8, num_experts_per_tok=3, head_dim=16,
              sliding_window=7, **GQA)
THREE_TYPES = ["sliding_attention", "full_attention", "sliding_attention"]
FLEX = dict(intermediate_size=24, num_experts=8, num_experts_per_tok=3)
DSA = dict(FLASH, first_k_dense_replace=1, index_topk=64, index_head_dim=16, index_n_heads=2)
VISION = dict(depth=1, hidden_size=32, intermediate_size=32, num_heads=2, patch_size=4, temporal_patch_size=1,
              spatial_merge_size=1, out_hidden_size=64)
QWEN_VL = dict(intermediate_size=96, moe_intermediate_size=24, num_experts=8, num_experts_per_tok=3, head_dim=16,
               rope_parameters=dict(DEFAULT, mrope_section=[4, 2, 2], mrope_interleaved=True), **GQA)
GLM_V = dict(DEEPSEEK, head_dim=32, n_routed_experts=8, num_experts_per_tok=2, first_k_dense_replace=1,
             rope_parameters=dict(DEFAULT, partial_rotary_factor=0.5, mrope_section=[4, 2, 2]), **GQA)
AUDIO = dict(d_model=16, encoder_layers=1, encoder_attention_heads=2, encoder_ffn_dim=16, num_mel_bins=16,
             output_dim=64, downsample_hidden_size=16, n_window=4)

EXAONE = dict(intermediate_size=96, moe_intermediate_size=32, num_experts=8, num_experts_per_tok=3,
              num_shared_experts=1, sliding_window=7, **GQA)
TRINITY = dict(intermediate_size=96, moe_intermediate_size=32, num_experts=8, num_experts_per_tok=3,
               num_shared_experts=1, head_dim=24, sliding_window=9, **GQA)
MIMO = dict(intermediate_size=96, moe_intermediate_size=32, n_routed_experts=8, num_experts_per_tok=3, head_dim=24,
            v_head_dim=16, num_key_value_heads=1, sliding_window=8)
M3 = dict(intermediate_size=32, dense_intermediate_size=80, shared_intermediate_size=40, num_local_experts=8,
          num_experts_per_tok=3, head_dim=16, rotary_dim=8, index_n_heads=2, index_head_dim=16, index_block_size=8,
          index_topk_blocks=8, layer_types=["full_attention", "minimax_m3_sparse", "minimax_m3_sparse"],
          mlp_layer_types=["dense", "sparse", "sparse"], **GQA)
COHERE = dict(intermediate_size=32, num_experts=8, num_experts_per_tok=3, head_dim=16, sliding_window=7, **GQA)
GEMMA = dict(intermediate_size=48, moe_intermediate_size=24, num_experts=8, top_k_experts=3, head_dim=16,
             global_head_dim=32, hidden_size_per_layer_input=0, enable_moe_block=True, sliding_window=7,
             layer_types=["sliding_attention", "full_attention", "full_attention"], **GQA)
LLAMA4 = dict(intermediate_size=32, intermediate_size_mlp=80, num_local_experts=8, head_dim=16,
              attention_chunk_size=16, num_hidden_layers=4, floor_scale=8, **GQA)
MISTRAL4_ROPE = dict(YARN, original_max_position_embeddings=16, mscale=1.0, mscale_all_dim=1.0,
                     llama_4_scaling_beta=0.1)
ERNIE_VL = dict(intermediate_size=96, moe_intermediate_size=[32, 16], moe_num_experts=8, moe_k=3,
                rope_parameters=dict(DEFAULT, mrope_section=[3, 3, 2]), **GQA)
KIMI_K25 = dict(FLASH, first_k_dense_replace=1)
BLOCKS = ("language_model.model.blocks.", "language_model.model.layers.")  # as transformers writes, and as published
MISTRAL4 = dict(DEEPSEEK, **MLA, rope_parameters=MISTRAL4_ROPE)
CLIP = dict(hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, image_size=8, patch_size=4)

# What stands round a language model: its class, and the rest of its config.
WRAPPERS = {
    "qwen3_vl_moe": ("Qwen3VLMoeForConditionalGeneration", dict(vision_config=dict(VISION, deepstack_visual_indexes=[0],
                                                                                   num_position_embeddings=16))),
    "glm4v_moe": ("Glm4vMoeForConditionalGeneration", dict(vision_config=dict(VISION, image_size=8))),
    "qwen3_omni_moe_thinker": ("Qwen3OmniMoeThinkerForConditionalGeneration",
                               dict(vision_config=dict(VISION, deepstack_visual_indexes=[0], num_position_embeddings=16),
                                    audio_config=AUDIO, vision_start_token_id=7)),  # which generate() asks for
    "minimax_m3_vl": ("MiniMaxM3SparseForConditionalGeneration", dict(vision_config=CLIP, projector_hidden_size=32)),
    "gemma4": ("Gemma4ForConditionalGeneration", dict(vision_config=None, audio_config=None)),
    "llama4": ("Llama4ForConditionalGeneration", dict(vision_config=dict(
        CLIP, vision_output_dim=32, projector_input_dim=32, projector_output_dim=32, pixel_shuffle_ratio=1.0))),
    "ernie4_5_vl_moe": ("Ernie4_5_VLMoeForConditionalGeneration", dict(vision_config=dict(
        depth=1, hidden_size=32, intermediate_size=32, num_heads=2, patch_size=4, temporal_merge_size=1,
        spatial_merge_size=1))),
    "kimi_k25": ("Kimi_K25ForConditionalGeneration", dict(projection_hidden_size=32, vision_config=dict(
        hidden_size=32, intermediate_size=32, num_hidden_layers=0, num_attention_heads=2, patch_size=4, pos_emb_height=4,
        pos_emb_width=4, pos_emb_time=2))),
    "mistral3": ("Mistral3ForConditionalGeneration", dict(vision_config=dict(
        model_type="pixtral", hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        head_dim=16, image_size=8, patch_size=4))),
}


def named_kimi_k2(config):
    """Kimi-K2.5's language model has another word in published files."""
    config["text_config"]["model_type"] = "kimi_k2"


# name: (model_type, config, how it is stored); "outer": keys of the wrapper.
CASES = {
    "flash": ("glm4_moe_lite", FLASH, {}),
    "flash-types": ("glm4_moe_lite", dict(FLASH, mlp_layer_types=["sparse", "dense", "sparse"], n_group=4, topk_group=2,
                                          rope_interleave=False), dict(mtp=True, with_key={"num_nextn_predict_layers": 1})),
    "flash-no-q-lora": ("glm4_moe_lite", dict(FLASH, q_lora_rank=None, norm_topk_prob=False, attention_bias=True),
                        dict(dtype="f32")),
    "flash-no-shared": ("glm4_moe_lite", dict(FLASH, n_shared_experts=0), {}),
    "flash-two": ("glm4_moe_lite", dict(FLASH, n_routed_experts=2, num_experts_per_tok=1), {}),
    "flash-fp8": ("glm4_moe_lite", dict(FLASH, hidden_size=72), dict(fp8=[32, 48])),
    "dots": ("dots1", dict(DOTS, norm_topk_prob=True, routed_scaling_factor=2.5, first_k_dense_replace=1,
                           max_window_layers=3), {}),
    "dots-windows": ("dots1", dict(DOTS, layer_types=THREE_TYPES, sliding_window=7, attention_bias=True, n_group=2,
                                   topk_group=1), dict(dtype="f16")),
    "dots-from": ("dots1", dict(DOTS, num_hidden_layers=4, max_window_layers=2, sliding_window=5,
                                n_shared_experts=2), dict(fused=True)),
    "solar": ("solar_open", dict(SOLAR, attention_bias=True, routed_scaling_factor=1.7), {}),
    "solar-yarn": ("solar_open", dict(SOLAR, rope_parameters=YARN, norm_topk_prob=False), dict(dtype="f32")),
    "solar-groups": ("solar_open", dict(SOLAR, n_group=2, topk_group=1, n_shared_experts=2, head_dim=16,
                                        tie_word_embeddings=True), dict(legacy=True)),
    "hy3": ("hy_v3", HY3, {}),
    "hy3-bias": ("hy_v3", dict(HY3, mlp_bias=False, attention_bias=True, num_shared_experts=2), dict(dtype="f32")),
    "hy3-types": ("hy_v3", dict(HY3, mlp_layer_types=["sparse", "sparse", "dense"], router_scaling_factor=1.5),
                  dict(mtp=True, with_key={"num_nextn_predict_layers": 1})),
    "hy3-no-shared": ("hy_v3", dict(HY3, num_shared_experts=0), {}),
    "hunyuan": ("hunyuan_v1_moe", HUNYUAN, {}),
    "hunyuan-list": ("hunyuan_v1_moe", dict(HUNYUAN, moe_topk=[3, 1, 2], attention_bias=True), dict(dtype="f32")),
    "hunyuan-alpha": ("hunyuan_v1_moe", dict(HUNYUAN, moe_topk=[2, 2, 2], tie_word_embeddings=True, rope_parameters=dict(
        rope_type="dynamic", alpha=100.0, factor=1.0, rope_theta=10000.0)), dict(legacy=True)),
    "granite-shared": ("granitemoeshared", GRANITE, {}),
    "granite-shared-tied": ("granitemoeshared", dict(GRANITE, tie_word_embeddings=True, attention_bias=True),
                            dict(dtype="f16")),
    "granite-shared-none": ("granitemoeshared", dict(GRANITE, shared_intermediate_size=0, num_key_value_heads=4),
                            dict(fused=True)),
    "mellum": ("mellum", MELLUM, {}),
    "mellum-types": ("mellum", dict(MELLUM, layer_types=THREE_TYPES, rope_parameters=dict(
        full_attention=dict(YARN, rope_theta=500000.0), sliding_attention=DEFAULT)), dict(dtype="f32")),
    "mellum-dense": ("mellum", dict(MELLUM, layer_types=THREE_TYPES[1:] + THREE_TYPES[:1], norm_topk_prob=False,
                                    mlp_layer_types=["dense", "sparse", "sparse"]),
                     dict(rename={"num_local_experts": "num_experts"})),
    "flex": ("flex_olmo", FLEX, {}),
    "flex-norm": ("flex_olmo", dict(FLEX, norm_topk_prob=True, num_key_value_heads=2, attention_bias=True),
                  dict(dtype="f32")),
    "flex-tied": ("flex_olmo", dict(FLEX, tie_word_embeddings=True, rms_norm_eps=1e-5), dict(fused=True)),
    "v32": ("deepseek_v32", dict(DSA, n_group=4, topk_group=2), {}),
    "v32-exact": ("deepseek_v32", dict(DSA, n_group=1, topk_group=1, index_topk=48, attention_bias=True),
                  dict(dtype="f32")),
    "v32-types": ("deepseek_v32", dict(DSA, n_group=2, topk_group=1, mlp_layer_types=["sparse", "dense", "sparse"]),
                  dict(mtp=True, with_key={"num_nextn_predict_layers": 1})),
    "dsa": ("glm_moe_dsa", DSA, {}),
    "dsa-shared": ("glm_moe_dsa", dict(DSA, indexer_types=["full", "shared", "shared"], norm_topk_prob=False),
                   dict(dtype="f32")),
    "dsa-types": ("glm_moe_dsa", dict(DSA, first_k_dense_replace=0, n_shared_experts=2), dict(fused=True)),
    "qwen-vl": ("qwen3_vl_moe", QWEN_VL, dict(outer=dict(tie_word_embeddings=False))),
    "qwen-vl-tied": ("qwen3_vl_moe", dict(QWEN_VL, mlp_only_layers=[1], attention_bias=True),
                     dict(outer=dict(tie_word_embeddings=True), dtype="f32")),
    "qwen-vl-step": ("qwen3_vl_moe", dict(QWEN_VL, decoder_sparse_step=2, num_hidden_layers=4, hidden_size=48,
                                          tie_word_embeddings=True),
                     dict(outer=dict(tie_word_embeddings=False), vision=dict(out_hidden_size=48), shard="60KB")),
    "qwen-vl-fp8": ("qwen3_vl_moe", dict(QWEN_VL, moe_intermediate_size=48), dict(fp8=[32, 32])),
    "omni": ("qwen3_omni_moe_thinker", QWEN_VL, {}),
    "omni-norm": ("qwen3_omni_moe_thinker", dict(QWEN_VL, norm_topk_prob=False, mlp_only_layers=[0]), dict(dtype="f32")),
    "omni-whole": ("qwen3_omni_moe_thinker", dict(QWEN_VL, attention_bias=True), dict(whole="thinker")),
    "qwen-vl-bare": ("qwen3_vl_moe", QWEN_VL, dict(outer=dict(tie_word_embeddings=False), bare=True)),
    "omni-bare": ("qwen3_omni_moe_thinker", dict(QWEN_VL, num_experts_per_tok=1), dict(
        outer=dict(tie_word_embeddings=False), bare=True, length=25)),
    "glm-v": ("glm4v_moe", GLM_V, {}),
    "glm-v-bare": ("glm4v_moe", dict(GLM_V, n_shared_experts=2), dict(outer=dict(tie_word_embeddings=True), bare=True)),
    "glm-v-plain": ("glm4v_moe", dict(GLM_V, attention_bias=False, n_group=2, topk_group=1, routed_scaling_factor=1.3),
                    dict(dtype="f32")),
    "exaone": ("exaone_moe", dict(EXAONE, num_hidden_layers=5), {}),
    "exaone-no-window": ("exaone_moe", dict(EXAONE, sliding_window=4, layer_types=["full_attention"] * 3,
                                            mlp_layer_types=["sparse", "dense", "sparse"], norm_topk_prob=False),
                         dict(dtype="f32")),
    "exaone-groups": ("exaone_moe", dict(EXAONE, n_group=2, topk_group=1, num_shared_experts=2, layer_types=THREE_TYPES,
                                         tie_word_embeddings=True),
                      dict(mtp=True, with_key={"num_nextn_predict_layers": 1})),
    "trinity": ("afmoe", dict(TRINITY, num_hidden_layers=5, mup_enabled=True), {}),
    "trinity-types": ("afmoe", dict(TRINITY, layer_types=THREE_TYPES, num_dense_layers=2, route_scale=2.2),
                      dict(dtype="f32")),
    "trinity-bias": ("afmoe", dict(TRINITY, attention_bias=True, num_dense_layers=0, global_attn_every_n_layers=2,
                                   num_shared_experts=2, mup_enabled=True), dict(fused=True)),
    "mimo": ("mimo_v2_flash", dict(MIMO, num_hidden_layers=6), {}),
    "mimo-types": ("mimo_v2_flash", dict(MIMO, layer_types=THREE_TYPES, attention_value_scale=None, attention_bias=True,
                                         norm_topk_prob=False), dict(dtype="f32")),
    "mimo-yarn": ("mimo_v2_flash", dict(MIMO, rope_parameters=dict(
        full_attention=YARN, sliding_attention=dict(rope_type="linear", factor=2.0, rope_theta=300.0,
                                                    partial_rotary_factor=0.5))), {}),
    "mimo-old": ("mimo_v2_flash", dict(MIMO, rope_parameters=dict(
        full_attention=dict(DEFAULT, rope_theta=5e6, partial_rotary_factor=0.334),
        sliding_attention=dict(DEFAULT, partial_rotary_factor=0.334))), dict(
            without=["layer_types", "mlp_layer_types", "rope_parameters", "sliding_window"],
            with_key=dict(hybrid_layer_pattern=[0, 1, 1], moe_layer_freq=[0, 1, 1], sliding_window_size=7,
                          rope_theta=5000000, swa_rope_theta=10000, partial_rotary_factor=0.334))),
    "m3": ("minimax_m3_vl", M3, {}),
    "m3-exact": ("minimax_m3_vl", dict(M3, index_topk_blocks=6, routed_scaling_factor=1.0, swiglu_limit=0.4,
                                       swiglu_alpha=1.2), dict(dtype="f32")),
    "m3-text": ("minimax_m3_vl_text", dict(M3, mlp_layer_types=["sparse"] * 3, tie_word_embeddings=True,
                                           layer_types=["full_attention"] * 3), {}),
    "m3-fp8": ("minimax_m3_vl", dict(M3, hidden_size=64), dict(fp8=[32, 32])),
    "cohere": ("cohere2_moe", dict(COHERE, num_hidden_layers=5, num_shared_experts=1, first_k_dense_replace=1,
                                   prefix_dense_intermediate_size=80), {}),
    "cohere-sum": ("cohere2_moe", dict(COHERE, expert_selection_fn="sigmoid", num_shared_experts=2,
                                       shared_expert_combination_strategy="sum", tie_word_embeddings=False,
                                       layer_types=THREE_TYPES, attention_bias=True), dict(dtype="f32")),
    "cohere-rms": ("cohere2_moe", dict(COHERE, expert_selection_fn="sigmoid", norm_topk_prob=False, rms_norm_eps=1e-6,
                                       first_k_dense_replace=2, prefix_dense_sliding_window_pattern=2,
                                       logit_scale=0.5), dict(fused=True)),
    "gemma": ("gemma4_text", GEMMA, {}),
    "gemma-k-is-v": ("gemma4_text", dict(GEMMA, attention_k_eq_v=True, num_global_key_value_heads=1,
                                         final_logit_softcapping=3.0, num_hidden_layers=4, rope_parameters=dict(
                                             full_attention=dict(rope_type="proportional", partial_rotary_factor=0.25,
                                                                 rope_theta=1e6), sliding_attention=DEFAULT),
                                         layer_types=THREE_TYPES[1:] * 2), dict(dtype="f32")),
    "gemma-one-width": ("gemma4_text", dict(GEMMA, global_head_dim=16), dict(dtype="f16")),
    "gemma-one-key": ("gemma4_text", dict(GEMMA, global_head_dim=16, attention_k_eq_v=True, num_global_key_value_heads=1),
                      {}),
    "gemma-wrapped": ("gemma4", dict(GEMMA, final_logit_softcapping=5.0, tie_word_embeddings=True),
                      dict(outer=dict(tie_word_embeddings=True))),
    "llama4": ("llama4_text", LLAMA4, {}),
    "llama4-maverick": ("llama4", dict(LLAMA4, interleave_moe_layer_step=2, use_qk_norm=False, attn_scale=0.3),
                        dict(dtype="f32")),
    "llama4-two": ("llama4_text", dict(LLAMA4, num_experts_per_tok=2, no_rope_layers=[1, 0, 1, 1], moe_layers=[0, 2, 3],
                                       attn_temperature_tuning=False, attention_bias=True), dict(dtype="f16")),
    "mistral4": ("mistral4", MISTRAL4, {}),
    "mistral4-groups": ("mistral4", dict(MISTRAL4, n_group=4, topk_group=2, first_k_dense_replace=1, q_lora_rank=None,
                                         rope_interleave=False, routed_scaling_factor=2.0), dict(dtype="f32")),
    "mistral4-linear": ("mistral4", dict(MISTRAL4, rope_parameters=dict(
        rope_type="linear", factor=2.5, rope_theta=10000.0, original_max_position_embeddings=16,
        llama_4_scaling_beta=0.1)), dict(dtype="f32")),
    "mistral4-two": ("mistral4", dict(MISTRAL4, n_routed_experts=2, num_experts_per_tok=1), dict(dtype="f32")),
    "mistral4-wrapped": ("mistral3", dict(MISTRAL4, model_type="mistral4", norm_topk_prob=False, n_shared_experts=2),
                         dict(outer=dict(tie_word_embeddings=False))),
    "ernie-vl": ("ernie4_5_vl_moe", ERNIE_VL, {}),
    "ernie-vl-types": ("ernie4_5_vl_moe", dict(
        ERNIE_VL, mlp_layer_types=["sparse", "dense", "sparse"], moe_num_shared_experts=0, num_attention_heads=6,
        num_key_value_heads=3, head_dim=12, rope_parameters=dict(DEFAULT, mrope_section=[1, 1, 4])),
        dict(fused=True, dtype="f16", outer=dict(tie_word_embeddings=False))),
    "ernie-vl-bias": ("ernie4_5_vl_moe", dict(ERNIE_VL, use_bias=True, moe_norm_min=0.7, moe_num_experts=5, moe_k=5,
                                              moe_intermediate_size=[20, 28]), dict(dtype="f32")),
    "kimi-k25": ("kimi_k25", dict(KIMI_K25, n_group=1, topk_group=1, routed_scaling_factor=2.8, rope_parameters=dict(
        YARN, mscale=1.0, mscale_all_dim=1.0)), dict(outer=dict(tie_word_embeddings=False), publish=named_kimi_k2, published=BLOCKS)),
    "kimi-k25-groups": ("kimi_k25", dict(KIMI_K25, q_lora_rank=11, n_group=4, topk_group=2),
                        dict(dtype="f32", outer=dict(tie_word_embeddings=False), published=BLOCKS)),
    "kimi-k25-plain": ("kimi_k25", dict(KIMI_K25, n_group=2, topk_group=1, rope_interleave=False, n_shared_experts=2,
                                        norm_topk_prob=False), dict(dtype="f16", outer=dict(tie_word_embeddings=False),
                                                                    published=BLOCKS)),
    "glm-v-tied": ("glm4v_moe", dict(GLM_V, tie_word_embeddings=True, first_k_dense_replace=2), {}),
}

# Smaller still, for tests/golden/architectures: `make_checkpoints.py --golden FOLDER` makes them.
TINY = dict(vocab_size=264, hidden_size=24, num_attention_heads=2, max_position_embeddings=128)
TINY_HOW = dict(sequences=1, length=16)
TINY_MOE = dict(TINY, intermediate_size=24, moe_intermediate_size=12, head_dim=8, num_key_value_heads=1)
TINY_MLA = dict(TINY_MOE, num_key_value_heads=2, kv_lora_rank=8, q_lora_rank=12, qk_nope_head_dim=6,
                qk_rope_head_dim=4, v_head_dim=5, n_routed_experts=4, num_experts_per_tok=2, n_shared_experts=1)
TINY_MLA.pop("head_dim")
TINY_QWEN = dict(TINY_MOE, num_experts=4, num_experts_per_tok=2)
TINY_VISION = dict(VISION, hidden_size=8, intermediate_size=8, out_hidden_size=24)
GOLDEN = {
    "glm4_moe_lite": ("glm4_moe_lite", TINY_MLA, TINY_HOW),
    "hunyuan_v1_moe": ("hunyuan_v1_moe", dict(TINY, intermediate_size=12, head_dim=8, num_key_value_heads=1, num_experts=4, moe_topk=[2, 1, 2]), TINY_HOW),
    "granitemoeshared": ("granitemoeshared", dict(TINY, intermediate_size=12, num_local_experts=4, num_key_value_heads=1,
                                                  num_experts_per_tok=2, shared_intermediate_size=20,
                                                  embedding_multiplier=5.0, residual_multiplier=0.4,
                                                  logits_scaling=3.0, attention_multiplier=0.2), TINY_HOW),
    "flex_olmo": ("flex_olmo", dict(TINY, intermediate_size=12, num_experts=4, num_experts_per_tok=2), TINY_HOW),
    "deepseek_v32": ("deepseek_v32", dict(TINY_MLA, first_k_dense_replace=1, n_group=2, topk_group=1, index_topk=32,
                                          index_head_dim=8, index_n_heads=1), TINY_HOW),
    "qwen3_vl_moe": ("qwen3_vl_moe", dict(TINY_QWEN, rope_parameters=dict(
        DEFAULT, mrope_section=[2, 1, 1], mrope_interleaved=True)), dict(
            TINY_HOW, vision=dict(TINY_VISION, deepstack_visual_indexes=[]), outer=dict(tie_word_embeddings=True))),
    "afmoe": ("afmoe", dict(TINY_QWEN, num_shared_experts=1, mup_enabled=True, global_attn_every_n_layers=2,
                            sliding_window=6), TINY_HOW),
    "mimo_v2_flash": ("mimo_v2_flash", dict(TINY_MOE, num_attention_heads=4, v_head_dim=6, n_routed_experts=4,
                                            num_experts_per_tok=2, layer_types=THREE_TYPES, sliding_window=6), TINY_HOW),
    "minimax_m3_vl": ("minimax_m3_vl_text", dict(TINY, intermediate_size=12, dense_intermediate_size=24,
                                                 shared_intermediate_size=16, num_local_experts=4, head_dim=8,
                                                 num_experts_per_tok=2, num_key_value_heads=1,
                                                 mlp_layer_types=["dense", "sparse", "sparse"]), TINY_HOW),
    "cohere2_moe": ("cohere2_moe", dict(TINY, intermediate_size=12, num_experts=4, head_dim=8, sliding_window=6,
                                        num_key_value_heads=1, num_shared_experts=1, first_k_dense_replace=1,
                                        prefix_dense_intermediate_size=24, layer_types=THREE_TYPES), TINY_HOW),
    "gemma4": ("gemma4", dict(TINY, intermediate_size=24, moe_intermediate_size=12, num_experts=4, top_k_experts=2,
                              head_dim=8, global_head_dim=16, num_key_value_heads=1, hidden_size_per_layer_input=0,
                              enable_moe_block=True, attention_k_eq_v=True, final_logit_softcapping=3.0,
                              sliding_window=6, layer_types=THREE_TYPES[:1] * 2 + THREE_TYPES[1:2]), TINY_HOW),
    "llama4": ("llama4_text", dict(TINY, intermediate_size=12, intermediate_size_mlp=24, num_local_experts=4, head_dim=8,
                                   num_key_value_heads=1, attention_chunk_size=8, floor_scale=4,
                                   no_rope_layers=[1, 0, 1], interleave_moe_layer_step=1), TINY_HOW),
    "mistral4": ("mistral4", dict(TINY_MLA, rope_parameters=MISTRAL4_ROPE, n_group=2, topk_group=1), TINY_HOW),
}

# The key that counts a family's routed experts.
EXPERTS = {"glm4_moe_lite": "n_routed_experts", "dots1": "n_routed_experts", "solar_open": "n_routed_experts",
           "hy_v3": "num_experts", "hunyuan_v1_moe": "num_experts", "granitemoeshared": "num_local_experts",
           "mellum": "num_local_experts", "flex_olmo": "num_experts", "deepseek_v32": "n_routed_experts",
           "glm_moe_dsa": "n_routed_experts", "qwen3_vl_moe": "num_local_experts",
           "qwen3_omni_moe_thinker": "num_experts", "glm4v_moe": "n_routed_experts", "exaone_moe": "num_experts",
           "afmoe": "num_experts", "mimo_v2_flash": "n_routed_experts", "minimax_m3_vl": "num_local_experts",
           "minimax_m3_vl_text": "num_local_experts", "cohere2_moe": "num_experts", "gemma4": "num_experts",
           "gemma4_text": "num_experts", "llama4": "num_local_experts", "llama4_text": "num_local_experts",
           "mistral4": "n_routed_experts", "mistral3": "n_routed_experts", "kimi_k25": "n_routed_experts",
           "ernie4_5_vl_moe": "moe_num_experts"}
