#!/bin/sh
# Published configurations with what others have beside them: taken where transformers takes it, and else refused by name.
. "$SOURCE/tests/flow/common.sh"
MIXTRAL=mistralai--Mixtral-8x7B-v0.1 VL=Qwen--Qwen3-VL-30B-A3B-Instruct

# edited EXPRESSION MODEL: is its config.json, changed by sed, in ./edited taken?
edited()
{
    rm -rf edited && mkdir edited && sed "$1" "$SOURCE/tests/golden/published/$2.json" > edited/config.json
    "$CULL" inspect edited > page 2> log
}

# What ModelOpt says in a file of its own, of which config.json does not know.
edited '' $MIXTRAL || fail "a published configuration is refused"
echo '{"quantization": {"quant_algo": "NVFP4"}}' > edited/hf_quant_config.json
"$CULL" inspect edited > page 2> log && fail "NVFP4 is not refused"
says 'hf_quant_config.json: quantization.quant_algo "NVFP4" is not supported'
echo '{"quantization": {"quant_algo": null}}' > edited/hf_quant_config.json
"$CULL" inspect edited > page 2> log || fail "an hf_quant_config.json of nothing is refused"

# A null is no list, but for a class that asks whether there is such a key.
edited '1s/{/{ "layer_types": null,/' $MIXTRAL || fail "layer_types null is refused"
edited 's/"text_config": {/&"layer_types": null, /' $VL && fail "Qwen3-VL takes layer_types null"
says 'text_config.layer_types null is not supported'

edited '1s/{/{ "layer_types": null,/' nvidia--NVIDIA-Nemotron-3-Nano-30B-A3B-BF16 && fail "Nemotron takes layer_types null"
says 'layer_types null is not supported (supported: a list, or no such key)'

# Rotary parameters beside a wrapper's language model.
edited '1s/{/{ "rope_scaling": { "type": "default" },/' $VL || fail "rotary parameters of the default type are refused"
edited '1s/{/{ "rope_scaling": { "type": "yarn" },/' $VL && fail "YaRN beside text_config is taken"
says 'rope_scaling {"type":"yarn"} is not supported'

# A list of types beside it is left out, and what is no list is refused.
edited '1s/{/{ "layer_types": [],/' $VL || fail "layer_types beside text_config are refused"
edited '1s/{/{ "layer_types": 3,/' $VL && fail "layer_types 3 beside text_config is taken"
says 'layer_types must be a list, but is 3'

# What layers have one by one needs layers: the reference trips over it where there are none.
edited '1s/{/{ "per_layer_config": null,/' $VL || fail "per_layer_config null beside text_config is refused"
edited '1s/{/{ "per_layer_config": {},/' $VL && fail "per_layer_config beside text_config is taken"
says 'per_layer_config {} is not supported'

# Without num_key_value_heads the class has a number of its own; null is as many as there are heads, where it says so.
KIMI=moonshotai--Kimi-Linear-48B-A3B-Instruct
edited 's/"num_key_value_heads": 32/"num_key_value_heads": null/' $KIMI || fail "num_key_value_heads null is refused"
edited '/"num_key_value_heads"/d' $KIMI || fail "Kimi Linear of 32 heads needs num_key_value_heads"
edited '/"num_key_value_heads"/d; s/"num_attention_heads": 32/"num_attention_heads": 16/' $KIMI && fail "16 heads are taken"
says 'num_key_value_heads is missing'

# What no forward pass looks at has a type all the same.
OMNI=Qwen--Qwen3-Omni-30B-A3B-Instruct
edited 's/"sliding_window": null/"sliding_window": 4/' $OMNI || fail "a sliding_window is refused"
edited 's/"sliding_window": null/"sliding_window": "4"/' $OMNI && fail "a sliding_window that is a text is taken"
says 'sliding_window must be an integer, but is "4"'

# A head that the class never ties counts beside the embedding, whatever config.json says.
for model in nvidia--NVIDIA-Nemotron-3-Nano-30B-A3B-BF16 moonshotai--Kimi-Linear-48B-A3B-Instruct; do
    edited 's/"tie_word_embeddings": false/"tie_word_embeddings": true/' $model || fail "tie_word_embeddings is refused"
    grep -q '"tie_word_embeddings": true' edited/config.json || fail "nothing is edited"
    total=$(awk -v name=$model '$1 == name { print $2 }' "$SOURCE/tests/golden/published/counts.txt")
    grep -q "^parameters .*($total)" page || fail "$model has $(grep '^parameters' page), not $total"
done

# transformers' MiMo looks at nothing beside rope_parameters, where that is absent either, the model's own code does: what
# is published is what it takes, other values would be lost. A rope_scaling counts there in whatever form.
MIMO=XiaomiMiMo--MiMo-V2-Flash
edited '' $MIMO || fail "MiMo is refused"
edited 's/"rope_theta": 5000000/"rope_theta": 1000000/' $MIMO && fail "another rope_theta is taken"
says 'rope_theta 1000000 is not supported (supported: 5000000)'
edited 's/"swa_rope_theta": 10000/"swa_rope_theta": 500/' $MIMO && fail "another swa_rope_theta is taken"
says 'swa_rope_theta 500 is not supported (supported: 10000)'
edited 's/"partial_rotary_factor": 0.334/"partial_rotary_factor": 0.5/' $MIMO && fail "another share is taken"
says 'partial_rotary_factor 0.5 is not supported (supported: 0.334)'
for none in null {}; do
    edited "1s/{/{ \"rope_scaling\": $none,/" $MIMO && fail "rope_scaling $none is taken"
    says 'rope_scaling .* is not supported (supported: rope_parameters)'
done
types='"full_attention": { "rope_type": "default", "rope_theta": 7 }, "sliding_attention": { "rope_type": "default"'
edited "1s/{/{ \"rope_parameters\": { $types } },/" $MIMO && fail "a type without rope_theta is taken"
says 'rope_parameters.sliding_attention.rope_theta is missing'
edited "1s/{/{ \"rope_parameters\": { $types, \"rope_theta\": 8 } },/" $MIMO || fail "rope_parameters are refused"

# A layer with sparse attention has the matrices of what chooses there; transformers would make some up.
rm -rf edited && cp -r "$SOURCE/tests/golden/architectures/minimax_m3_vl" edited && chmod -R u+w edited
"$CULL" inspect edited > page 2> log || fail "MiniMax-M3 is refused"
sed -i '0,/"full_attention"/s//"minimax_m3_sparse"/' edited/config.json
"$CULL" inspect edited > page 2> log && fail "a layer without its indexer is taken"
says 'tensor "model.layers.0.self_attn.indexer.q_proj.weight" is missing, of a layer with sparse attention'
