#!/bin/sh
# What an export says of itself, in config.json and beside it, is true of it: no layers for several tokens at once, and
# no word of how weights were quantised where they no longer are.
. "$SOURCE/tests/flow/common.sh"

for i in 1 2 3 4; do echo "[$i, 7, 30, 101, 8, 55, 17, $((i + 60))]"; done > rows.jsonl

# exported FAMILY OPTION...: half of its experts pruned by chance, exported into FAMILY-exported and verified.
exported()
{
    family=$1
    shift
    cat > e.yaml << END
models:     { tiny: { hf: { path: $DIR/$family } } }
sparsities: 0.5
methods:    { random: { criterion: random, strategy: lowest } }
output:     { store: model }
metrics:    { perplexity: { files: $DIR/rows.jsonl, documents: ids } }
END
    OUT=$DIR/$family-out
    run 0 e.yaml
    "$CULL" export "$(find "$OUT/trials" -name 'tiny-random-*.h5')" -o "$family-exported" --verify "$@" 2> log ||
        fail "export of $family"
    says 'verified: '
}

golden() { cp -r "$SOURCE/tests/golden/architectures/$1" . && chmod -R u+w "$1"; }

golden minimax_m3_vl
sed -i '0,/{/s//{ "num_mtp_modules": 7, "num_nextn_predict_layers": 1,/' minimax_m3_vl/config.json
exported minimax_m3_vl
says 'MTP'
[ "$(grep -Ec '"(num_mtp_modules|num_nextn_predict_layers)": 0' minimax_m3_vl-exported/config.json)" -ge 1 ] || fail "MTP layers are counted"
grep -E '"(num_mtp_modules|num_nextn_predict_layers)": [1-9]' minimax_m3_vl-exported/config.json && fail "MTP layers are counted"

golden deepseek_v3-fp8
echo '{ "quantization": { "quant_algo": "FP8_PB_WO" } }' > deepseek_v3-fp8/hf_quant_config.json
exported deepseek_v3-fp8 --dequantise
grep -q quantization deepseek_v3-fp8-exported/config.json && fail "config.json says that weights are quantised"
[ ! -e deepseek_v3-fp8-exported/hf_quant_config.json ] || fail "hf_quant_config.json is there"
exit 0
