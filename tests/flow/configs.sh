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

# Rotary parameters beside a wrapper's language model.
edited '1s/{/{ "rope_scaling": { "type": "default" },/' $VL || fail "rotary parameters of the default type are refused"
edited '1s/{/{ "rope_scaling": { "type": "yarn" },/' $VL && fail "YaRN beside text_config is taken"
says 'rope_scaling {"type":"yarn"} is not supported'

# A list of types beside it is left out, and what is no list is refused.
edited '1s/{/{ "layer_types": [],/' $VL || fail "layer_types beside text_config are refused"
edited '1s/{/{ "layer_types": 3,/' $VL && fail "layer_types 3 beside text_config is taken"
says 'layer_types must be a list, but is 3'

# A head that the class never ties counts beside the embedding, whatever config.json says.
for model in nvidia--NVIDIA-Nemotron-3-Nano-30B-A3B-BF16 moonshotai--Kimi-Linear-48B-A3B-Instruct; do
    edited 's/"tie_word_embeddings": false/"tie_word_embeddings": true/' $model || fail "tie_word_embeddings is refused"
    grep -q '"tie_word_embeddings": true' edited/config.json || fail "nothing is edited"
    total=$(awk -v name=$model '$1 == name { print $2 }' "$SOURCE/tests/golden/published/counts.txt")
    grep -q "^parameters .*($total)" page || fail "$model has $(grep '^parameters' page), not $total"
done
