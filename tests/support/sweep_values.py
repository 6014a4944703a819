"""The values that sweep_config.py gives to the keys of a config.json: each key of a family's configuration class, keys
of the code that all families share, keys of other families, and every form that a description of rotary embedding
may have."""
import dataclasses
import json
import math
import types
import typing

# Without meaning for a model's numbers: Cull does not look at them, whatever they hold. transformers validates their
# types, or fails where its own code trips over them (a file to load, an implementation it lacks).
NOT_LOOKED_AT = """
    architectures attention_dropout attn_implementation auto_map bos_token_id chunk_size_feed_forward dtype eos_token_id
    experts_implementation id2label initializer_range label2id num_labels output_attentions output_hidden_states
    output_router_logits pad_token_id pretraining_tp problem_type return_dict router_aux_loss_coef router_jitter_noise
    input_jitter_noise max_window_layers torch_dtype transformers_version use_cache gradient_checkpointing
    num_mtp_layers num_nextn_predict_layers mamba_chunk_size chunk_size kv_sharing_modes vocab_size_per_layer_input
    index_n_heads index_head_dim index_local_blocks
""".split()

# Of what stands round a language model.
ROUND = ("image", "video", "audio", "vision", "projector", "multimodal", "boi", "eoi", "boa", "eoa", "position_id",
         "projection", "seconds", "user_token", "spatial", "initializer")

# Keys whose types alone are validated: no forward pass of the class looks at them.
UNREAD = {"AfmoeConfig": ["global_attn_every_n_layers"], "ExaoneMoeConfig": ["sliding_window_pattern", "first_k_dense_replace"],
          "GlmMoeDsaConfig": ["head_dim", "mlp_bias", "layer_types", "indexer_types"],
          "DeepseekV2Config": ["head_dim"], "DeepseekV32Config": ["head_dim", "mlp_bias", "layer_types"],
          "Mistral4Config": ["num_key_value_heads"],
          "NemotronHConfig": """
              time_step_limit mamba_dt_limit time_step_max time_step_floor expand mamba_proj_bias num_logits_to_keep
              rescale_prenorm_residual residual_in_fp32 use_mamba_kernels mamba_ssm_cache_dtype moe_shared_expert_overlap
              mtp_layers_block_type""".split()}
UNROTATED = ("KimiLinearConfig", "NemotronHConfig", "GraniteMoeHybridConfig")


def is_looked_at(key, outer):
    """Does Cull look at the key at all, of the language model or of what stands round it?"""
    return not (key in NOT_LOOKED_AT or key.endswith("_token_id") or (outer and key.startswith(ROUND)))


def why_accepted(cls, key, value, outer=False):
    """Why Cull may compute what transformers refuses; None: it may not."""
    field = names_of(cls).get(key)
    if not is_looked_at(key, outer):
        return "it changes nothing"
    kinds = kinds_of(field.type) if field else set()
    if float in kinds and int not in kinds and isinstance(value, int) and not isinstance(value, bool):
        return "an integer is a number, too"
    if value is None and field and not field.default and not outer:
        return "null is how older files say that there is none, where none is the default"
    if key == "time_step_limit" and isinstance(value, list) and all(type(v) is int for v in value):
        return "integers are numbers, too"
    if key in ("rope_parameters", "rope_scaling", "rope_theta", "partial_rotary_factor") and cls.__name__ in UNROTATED:
        return "positions are not rotated"
    if key in UNREAD.get(cls.__name__, ()):
        return "it is not read"
    if key == "attn_temperature_tuning" and isinstance(value, int):
        return "older files have a number"
    if key == "head_dim" and value is None:
        return "transformers trips over null where the class has no such field; D / H is meant"
    return None


# ---- rotary embedding ----

YARN = dict(rope_type="yarn", factor=2.0, original_max_position_embeddings=16)
LLAMA3 = dict(rope_type="llama3", factor=2.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=16)
LINEAR = dict(rope_type="linear", factor=2.0)
ODD = [0, 0.0, -1, 1, 2, 0.5, 1e308, "2", True, [], {}, [2.0]]  # values of a key that holds a number


def without(options, *keys):
    return {k: v for k, v in options.items() if k not in keys}


def longrope(pairs):
    return dict(rope_type="longrope", factor=2.0, original_max_position_embeddings=16,
                short_factor=[1.0] * pairs, long_factor=[1.0 + 0.5 * j for j in range(pairs)])


def rotated_pairs(saved):
    """The pairs of a head's channels that rotate, as far as longrope's lists need it."""
    head = saved.get("qk_rope_head_dim") or saved.get("head_dim") or 8
    share = (saved.get("rope_parameters") or {}).get("partial_rotary_factor", 1.0)
    return int(head * (1.0 if "qk_rope_head_dim" in saved else share or 1.0)) // 2


def rope_values(pairs):
    """What rope_parameters and rope_scaling may hold, and forms that lack something."""
    default = {"rope_type": "default", "rope_theta": 100.0}
    forms = [None, {}, {"rope_theta": 100.0}, {"rope_type": "default"}, {"type": "default"}, {"rope_type": "other"},
             dict(default, factor=2.0), LINEAR, {"rope_type": "linear"}, {"type": "linear", "factor": 2},
             {"type": "linear", "rope_type": "default", "factor": 2.0}, {"type": "default", "rope_type": "linear"},
             {"rope_type": "dynamic", "factor": 2.0}, {"rope_type": "dynamic"}, {"rope_type": "proportional"},
             {"rope_type": "dynamic", "factor": 2.0, "alpha": 10.0}, {"rope_type": "mrope"}, {"type": "mrope"},
             {"factor": 2.0}, {"rope_type": None}, {"rope_type": 3}, {"rope_type": ""}, {"rope_type": []},
             {"rope_type": "YARN", "factor": 2.0}, {"rope_theta": None}, {"other": 1}, {"other": {}},
             {"full_attention": default}, {"sliding_attention": default}, {"full_attention": {}}, 3, "linear", [], True,
             {"full_attention": default, "sliding_attention": dict(LINEAR, rope_theta=100.0)},
             {"full_attention": dict(YARN, rope_theta=100.0), "sliding_attention": default},
             {"full_attention": default, "sliding_attention": None}, {"full_attention": [], "sliding_attention": default}]
    forms += [{"rope_theta": value} for value in ODD]
    forms += [dict(default, partial_rotary_factor=value) for value in (0.5, 1.0, 1, None, 0, -0.5, 2.0, "0.5", True, {})]
    stretched = longrope(pairs)
    for base in (YARN, LLAMA3, stretched):
        forms += [base] + [without(base, key) for key in base if key != "rope_type"]
        forms += [dict(base, **{key: None}) for key in base if key != "rope_type"]
    for base, keys in ((LINEAR, ["factor"]), (YARN, YARN), (LLAMA3, LLAMA3), (stretched, ["factor"])):
        forms += [dict(base, **{key: value}) for key in keys if key != "rope_type" for value in ODD]
    forms += [dict(YARN, **{key: value}) for key in ("attention_factor", "beta_fast", "beta_slow", "mscale", "mscale_all_dim")
              for value in [1.2, 8, None] + ODD]
    forms += [dict(YARN, **{key: value}) for key, value in (
        ("truncate", False), ("truncate", None), ("truncate", 0), ("truncate", "no"), ("rope_theta", 100.0))]
    forms += [dict(YARN, mscale=0.7, mscale_all_dim=0.5), dict(YARN, type="yarn"), dict(YARN, type="linear"),
              dict(YARN, beta_fast=1, beta_slow=32), dict(LLAMA3, low_freq_factor=4.0),
              dict(LLAMA3, low_freq_factor=8.0), dict(LLAMA3, mscale_all_dim=0.7), dict(LINEAR, mscale_all_dim=0.7),
              {"full_attention": dict(YARN, rope_theta=100.0, truncate=False), "sliding_attention": default},
              {"full_attention": dict(YARN, rope_theta=100.0), "sliding_attention": default, "truncate": False}]
    forms += [dict(stretched, short_factor=value) for value in ([], [1.0], "x", [0.0] * pairs, ["1"] * pairs, 2.0)]
    forms += [dict(stretched, **{key: value}) for key, value in (
        ("attention_factor", 1.2), ("attention_factor", 0), ("mscale_all_dim", 0.5), ("short_mscale", 1.1), ("long_mscale", 1.2))]
    forms += [dict(stretched, short_mscale=1.1, long_mscale=1.2), dict(stretched, original_max_position_embeddings=64)]
    return forms


COMMON = ("rope_type", "rope_theta", "factor", "mscale", "mscale_all_dim")


def with_own(saved, forms):
    """The forms beside what is the family's own in its rope_parameters (sections, a share, sharper queries)."""
    own = without(saved.get("rope_parameters") or {}, *COMMON)
    if own and not any(isinstance(value, dict) for value in own.values()):
        yield from (dict(own, **form) for form in forms if isinstance(form, dict) and not any(
            isinstance(value, dict) for value in form.values()))


def rope_pairs(saved):
    """(keys, keys left out) where rotary embedding is said twice, or without its object."""
    old, new = dict(LINEAR, factor=2.0), dict(LINEAR, factor=4.0, rope_theta=50.0)
    yield dict(rope_theta=100.0, rope_scaling={}), ("rope_parameters",)
    yield dict(rope_theta=100.0, rope_scaling=old), ("rope_parameters",)
    yield dict(rope_theta=100.0, rope_scaling=None), ("rope_parameters",)
    yield dict(rope_theta=100.0, rope_scaling={}, rope_parameters=without(new, "rope_theta")), ()
    yield dict(rope_theta=100.0, rope_scaling=old, rope_parameters={}), ()
    yield dict(rope_theta=100.0, rope_scaling=old, rope_parameters=None), ()
    yield dict(rope_theta=100.0, rope_scaling=old, rope_parameters=new), ()
    yield dict(rope_parameters=new, rope_scaling=old, rope_theta=100.0), ()
    yield dict(rope_theta=100.0, rope_scaling=None, rope_parameters=without(new, "rope_theta")), ()
    for share in (0.5, None, 1.0, 0, "x"):
        yield dict(rope_theta=100.0, partial_rotary_factor=share), ("rope_parameters",)
    for value in (8, 64, None, "16", 0, 1e308):
        yield dict(rope_theta=100.0, original_max_position_embeddings=value, rope_scaling=YARN), ("rope_parameters",)
        yield dict(rope_theta=100.0, original_max_position_embeddings=value,
                   rope_scaling=without(YARN, "original_max_position_embeddings")), ("rope_parameters",)


# ---- other keys ----

WORDS = ["gelu", "silu", "swish", "relu", "gelu_pytorch_tanh", "full_attention", "sliding_attention", "softmax",
         "sigmoid", "greedy", "group_limited_greedy", "noaux_tc", "default", "", "SILU"]

# Keys of transformers' shared code, and of older files.
SHARED = {
    "is_causal": [True, False, None, 0, 1], "per_layer_config": [
        None, {}, [], {"0": {"hidden_act": "relu"}}, {"0": {"sliding_window": 4}}, {"0": {}}, {"9": {}}, 3, {"x": 1},
        {"0": {"num_experts": 4}}, {"0": {"head_dim": 8}}],
    "text_config": [None, {}, {"vocab_size": 8}, {"hidden_act": "relu"}, 3, []],
    "partial_rotary_factor": [0.5, 1.0, 1, None, 0.25, 0, -1, 2.0, "0.5", True], "rotary_dim": [4, 8, None, 0, 7, "8", -2],
    "rope_theta": [100.0, 100, None, 0, "x", 1.0, -5.0, 1e308, True, [], {}],
    "original_max_position_embeddings": [16, None, "16", 0], "layer_types": [
        None, [], ["full_attention"], "sliding", "full", "wrong", "longer", "numbers", {}, 3, "mixed"],  # see layer_types
    "sliding_window": [0, 1, 4, 7, -1, None, 0.5, True, "4", [], {}, 2**31, 4.0],
    "use_sliding_window": [True, False, None, 1, "true"],
    "attention_chunk_size": [4, None, 0, "4", -1], "tie_word_embeddings": [True, False, None, 1, "true", {}, 0],
    "quantization_config": [None, {}, [], {"quant_method": "fp8"}, {"quant_method": "other"}, "fp8", {"bits": 4}],
    "head_dim": [None, 8, 16, 0, -16, "16", 16.0], "torch_dtype": ["float16", None],
    "tie_last_hidden_states": [True, False], "is_decoder": [True], "is_encoder_decoder": [True, None],
    "add_cross_attention": [True], "cross_attention_hidden_size": [8], "tie_encoder_decoder": [True],
    "pruned_heads": [{}, {"0": [0]}], "transformers_weights": [None, "other.safetensors"], "fusion_config": [None, {}],
    "gradient_checkpointing": [True], "kv_sharing_modes": [None, ["x"]], "num_kv_shared_layers": [0, 1],
    "attn_logit_softcapping": [None, 5.0], "final_logit_softcapping": [None, 5.0, 0, -5.0], "logit_scale": [2.0],
    "query_pre_attn_scalar": [4], "attention_multiplier": [0.5], "mlp_layer_types": [None, [], {}, "sparse", 3],
    "distributed_config": [None], "auto_map": [None], "use_bidirectional_attention": [True, None],
    "mlp_only_layers": [None, [], [0], [-1], [99], ["0"], [True], {}, 0], "decoder_sparse_step": [0, 2, -1, None],
    "hidden_activation": [None, "relu", "silu"], "activation_function": ["relu"], "mlp_hidden_act": [None, "relu", "silu"],
}


NUMBERS = [0, 1, 2, 3, -1, None, "2", 1.5, True]
TICKS = [[1, 0, 1], [0, 0, 0], [1], 1, 0, None, "x"]
# Keys that a class takes beside its fields.
TAKEN = {
    "Qwen3NextConfig": {"full_attention_interval": NUMBERS}, "Qwen3_5MoeTextConfig": {"full_attention_interval": NUMBERS},
    "Cohere2MoeConfig": {"first_k_dense_replace": NUMBERS},
    "KimiLinearConfig": {"first_k_dense_replace": NUMBERS, "linear_attn_config": [
        None, {}, 3, {"num_heads": 3}, {"num_heads": 2}, {"head_dim": 16}, {"head_dim": None}, {"short_conv_kernel_size": 4},
        {"short_conv_kernel_size": 2}, {"full_attn_layers": [1]}, {"kda_layers": [1]}, {"other": 1},
        {"full_attn_layers": [5], "kda_layers": [1, 2, 3, 4]}, {"full_attn_layers": [5], "kda_layers": [1, 2, 3, 3]},
        {"full_attn_layers": [1, 5], "kda_layers": [1, 2, 3, 4]}, {"full_attn_layers": [6], "kda_layers": [1, 2, 3, 4]},
        {"full_attn_layers": [5, 5], "kda_layers": [1, 2, 3]}, {"full_attn_layers": 5, "kda_layers": [1, 2, 3, 4]}]},
    "NemotronHConfig": {"mamba_n_groups": [2, 1, 4, None], "mamba_d_conv": [4, 2, None], "mamba_expand": [1],
                        "mamba_conv_bias": [True, False, None], "mamba_dt_limit": [[0.0, 0.1], None, [], [0.5, 0.9, 1.0]],
                        "hybrid_override_pattern": ["ME*-ME", "ME", "MEX-ME", None, 3, ""], "mamba_chunk_size": [8]},
    "Lfm2MoeConfig": {"tie_embedding": [True, False, None, 1], "full_attn_idxs": [[0], [1], None]},
    "MiMoV2FlashConfig": {"sliding_window_size": NUMBERS, "hybrid_layer_pattern": TICKS, "moe_layer_freq": TICKS},
    "MiniMaxM3VLTextConfig": {"moe_layer_freq": TICKS, "sparse_attention_config": [
        None, {}, 3, {"sparse_block_size": 4}, {"sparse_topk_blocks": 1}, {"sparse_attention_freq": [0, 1, 1]},
        {"sparse_attention_freq": [0, 1, 1], "sparse_block_size": 4}, {"sparse_attention_freq": [1]},
        {"sparse_attention_freq": 1}, {"sparse_block_size": None}, {"other": 1}]},
    "Gemma4TextConfig": {"global_head_dim": [16, 32, None, 0, "x"], "num_global_key_value_heads": [1, 2, None, 0]},
    "DeepseekV32Config": {"num_experts": [8, 16, None, 0]}, "GlmMoeDsaConfig": {"num_experts": [8, 16, None, 0]},
}
# Lists that transformers writes, of what published files say by numbers: without them the numbers count.
DERIVED = ("layer_types", "mlp_layer_types", "layers_block_type", "no_rope_layers", "moe_layers", "per_layer_config")


def layer_types(word, count):
    return {"sliding": ["sliding_attention", "full_attention"] * count, "full": ["full_attention"] * count,
            "wrong": ["other_attention"] * count, "longer": ["full_attention"] * (count + 1), "numbers": [1] * count,
            "mixed": ["full_attention", 1, None] * count}[word][:count + (word == "longer")]


def kinds_of(annotation):
    """The plain types of a field's annotation."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return set().union(*(kinds_of(a) for a in typing.get_args(annotation)))
    if typing.get_origin(annotation) is typing.Literal:
        return {str}
    return {annotation} if annotation in (bool, int, float, str) else set()


def list_values(value):
    n = len(value)
    yield from ([], value[:-1], value + value[-1:], value[::-1], value[:1] * n, value[-1:] * n, ["other"] * n, [3] * n, [0] * n,
                [1] * n, [-1] * n, [0.5] * n, [None] * n, [True] * n, [[]] * n, "x", 3, {}, True)


def object_values(value):
    yield from ({}, [], 3, "x", True)
    for key, held in value.items():
        yield without(value, key)
        other = list_values(held) if isinstance(held, list) else [
            0, 1, 2, held + 1, held * 2, -1, 0.5, "4", True, [], {}] if type(held) in (int, float) else []
        for one in [None, *other]:
            yield dict(value, **{key: one})
    yield dict(value, other=1)


def values_of(value, annotation):
    kinds = kinds_of(annotation) | ({type(value)} if type(value) in (bool, int, float, str) else set())
    out = [None]
    if isinstance(value, list):
        out += list_values(value)
    if isinstance(value, dict):
        out += object_values(value)
    if bool in kinds:
        out += [True, False, 1, 0, "true", [], {}]
    if kinds & {int, float} and not isinstance(value, bool):
        base = value if isinstance(value, (int, float)) else 4
        out += [0, 1, 2, base + 1, base * 2, -1, base + 0.5, "4", -base, float(base), base / 2, base - 1, True, [], {},
                [base], 2**31, 10**12, 1e308, 1e-40, math.inf, -math.inf, math.nan]
    if str in kinds:
        out += WORDS + [3, True, [], {}]
    return out


def names_of(cls):
    return {f.name: f for f in dataclasses.fields(cls)}


def foreign(classes):
    """Numbers and flags of all classes, which another class may not know."""
    out = {}
    for cls in classes:
        for name, field in names_of(cls).items():
            if kinds_of(field.type if not isinstance(field.type, str) else type(field.default)) & {bool, int, float}:
                out.setdefault(name, True if isinstance(field.default, bool) else 2)
    return out


# ---- cases ----


class Case(typing.NamedTuple):
    """What a config.json holds beside, or in place of, its own keys; `outer`: that of the wrapper."""

    edit: dict = {}
    dropped: tuple = ()
    outer: bool = False

    def __str__(self):
        left = f" without {', '.join(self.dropped)}" if self.dropped else ""
        return f"{'outer ' if self.outer else ''}{json.dumps(self.edit)}{left}"


def keys_of(saved, cls, pairs):
    """{key: values}."""
    depth = saved.get("num_hidden_layers", len(saved.get("layers_block_type", ())))
    keys = {name: values_of(saved.get(name, field.default), field.type) for name, field in names_of(cls).items()}
    forms = rope_values(pairs)
    for key, values in dict(SHARED, rope_scaling=forms, rope_parameters=forms + list(with_own(saved, forms))).items():
        keys[key] = keys.get(key, []) + values
    for alias in cls.attribute_map:
        if alias in saved or cls.attribute_map[alias] in saved:
            base = saved.get(cls.attribute_map[alias], saved.get(alias))
            keys[alias] = [base, None, "x", {}, []] + ([base + 1, base - 1, 0] if isinstance(base, int) else [])
            keys[alias] += [base[::-1], base[1:] + base[:1]] if isinstance(base, list) else []
    keys.update(TAKEN.get(cls.__name__, {}))
    if "layer_types" in keys:
        keys["layer_types"] = [layer_types(v, depth) if isinstance(v, str) else v for v in keys["layer_types"]
                               if v != "x"]
    return {key: values for key, values in keys.items() if key not in ("model_type", "name_or_path")}


def cases_of(saved, cls, outer=False):
    """The cases of a family whose own keys are those of `saved`."""
    done, pairs = set(), rotated_pairs(saved)
    for key, values in keys_of(saved, cls, pairs).items():
        if outer and key in ("vision_config", "audio_config"):
            continue
        if outer and key.startswith("rope"):
            values = values[:12]
        for value in values:
            mark = (key, repr(value))
            if mark not in done and not (key in saved and saved[key] == value and type(saved[key]) is type(value)):
                done.add(mark)
                yield Case({key: value}, (), outer)
        if key in saved:
            yield Case({}, (key,), outer)
    if not outer:
        for edit, dropped in rope_pairs(saved):
            yield Case(edit, dropped)
        yield from published(saved, cls)


def published(saved, cls):
    """Without a list that transformers derives: the numbers that it is derived from."""
    numbers = {name: NUMBERS + [True, False] for name, field in names_of(cls).items() if kinds_of(field.type) & {int, bool}
               and any(word in name for word in ("window", "layer", "pattern", "step", "dense", "chunk"))}
    for derived in DERIVED:
        for key, values in dict(numbers, **TAKEN.get(cls.__name__, {})).items() if derived in saved else ():
            for value in values:
                yield Case({key: value}, (derived,))


def foreign_case(saved, cls, everything):
    """All keys that the class does not have, at once."""
    return Case({key: value for key, value in everything.items()
                 if key not in names_of(cls) and key not in saved and key not in SHARED and key not in cls.attribute_map
                 and not key.startswith("rope")})


def halves(case):
    """The case in two, of half its keys each."""
    keys = list(case.edit)
    middle = len(keys) // 2
    return [case._replace(edit={k: case.edit[k] for k in half}) for half in (keys[:middle], keys[middle:])]
