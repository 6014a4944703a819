"""What `cull plan --ranks` says of three models of published shapes: no weights are needed, nothing is computed.

    bench/ranks.py [--cull PROGRAM] [--ranks 1,4,16] [OPTION of cull plan…]
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
COMMON = dict(torch_dtype="bfloat16", rms_norm_eps=1e-5, hidden_act="silu", tie_word_embeddings=False, use_cache=True,
              bos_token_id=1, eos_token_id=2, rope_theta=10000.0, max_position_embeddings=4096)
MODELS = {
    "OLMoE-1B-7B": dict(model_type="olmoe", architectures=["OlmoeForCausalLM"], num_hidden_layers=16, hidden_size=2048,
                        intermediate_size=1024, num_attention_heads=16, num_key_value_heads=16, num_experts=64,
                        num_experts_per_tok=8, norm_topk_prob=False, clip_qkv=None, attention_bias=False,
                        vocab_size=50304),
    "Qwen3-30B-A3B": dict(model_type="qwen3_moe", architectures=["Qwen3MoeForCausalLM"], num_hidden_layers=48,
                          hidden_size=2048, intermediate_size=6144, moe_intermediate_size=768, num_attention_heads=32,
                          num_key_value_heads=4, head_dim=128, num_experts=128, num_experts_per_tok=8,
                          norm_topk_prob=True, decoder_sparse_step=1, mlp_only_layers=[], attention_bias=False,
                          sliding_window=None, use_sliding_window=False, vocab_size=151936),
    "Arctic": dict(model_type="arctic", architectures=["ArcticForCausalLM"], num_hidden_layers=35, hidden_size=7168,
                   intermediate_size=4864, num_attention_heads=56, num_key_value_heads=8, num_local_experts=128,
                   num_experts_per_tok=2, moe_layer_frequency=1, parallel_attn_mlp_res=True, use_residual=True,
                   moe_train_capacity_factor=1, moe_eval_capacity_factor=1, sliding_window=None, vocab_size=32000),
}
EXPERIMENT = """\
models:     {{ {name}: {{ hf: {{ path: {folder} }} }} }}
calibrate:  {{ text: {{ files: {text}/*.calibration.txt, length: 512, rows: 128 }} }}
sparsities: [ 0.25, 0.5 ]
metrics:    [ {{ perplexity: {{ files: {text}/*.heldout.txt, length: 512, rows_per_file: 16 }} }} ]
methods:
  reap:      {{ criterion: reap, strategy: lowest }}
  wanda:     {{ criterion: wanda, strategy: unstructured }}
  sparsegpt: {{ strategy: sparsegpt }}
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cull", default=ROOT / "build/release/cull")
    parser.add_argument("--ranks", default="1,4,16")
    args, others = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as work:
        for name, config in MODELS.items():
            folder = pathlib.Path(work, name)
            folder.mkdir()
            (folder / "config.json").write_text(json.dumps({**COMMON, **config}))
            experiment = pathlib.Path(work, name + ".yaml")
            experiment.write_text(EXPERIMENT.format(name=name, folder=folder, text=ROOT / "models/tinyworld/text"))
            print(f"# {name}")
            for ranks in args.ranks.split(","):
                done = subprocess.run([args.cull, "plan", experiment, "--ranks", ranks, *others], text=True,
                                      capture_output=True)
                if done.returncode != 0:
                    sys.exit(done.stderr)
                lines = done.stdout.splitlines()
                print("\n".join(lines[next(i for i, line in enumerate(lines) if line.startswith("on ")):]))


if __name__ == "__main__":
    main()
