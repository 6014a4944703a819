// config.json → in which types quantised weights are stored.
#include <string.h>
#include <sys/stat.h>

#include "lists.h"

// ModelOpt (NVFP4, FP8 a tensor) says what it did in a file of its own, beside a config.json that
// may not know of it.
static cull_status check_modelopt(hf_config *c, cull_model *m)
{
    const char *path = hf_text(c->ctx, "%s/hf_quant_config.json", m->facts.source);
    struct stat info;
    hf_config file, q;

    if (!path)
        return CULL_ENOMEM;
    if (stat(path, &info) != 0)
        return CULL_OK;
    cull_status status = hf_config_open(c->ctx, path, &file);
    if (status == CULL_OK && hf_config_sub(&file, "quantization", &q)) {
        const char *algorithm = hf_word(&q, "quant_algo", NULL);
        status = algorithm ? hf_refuse(&q, "quant_algo", algorithm, "null") : q.status;
        hf_config_close(&q);
    }
    status = status ? status : file.status;
    hf_config_close(&file);
    return status;
}

cull_status hf_quantization_read(hf_config *c, cull_model *m)
{
    // clang-format off
    static const hf_key keys[] = {
        { "activation_scheme", "\"dynamic\"|null", "activations are not quantised here" },
        { "modules_to_not_convert|ignored_layers|modules_to_convert|dequantize", HF_ANY, NULL },
        { "scale_fmt", HF_ANY, NULL }, // of activations' scales; those of weights stand beside them
        { 0 }
    };
    // clang-format on
    const bool may_mxfp4 = m->arch->stack_bias;
    hf_shape *s = &m->s;
    hf_config q, *in = c;

    while (in->outer && !hf_config_has(in, "quantization_config"))
        in = in->outer;
    if (!hf_config_sub(in, "quantization_config", &q))
        return in->status ? in->status : check_modelopt(c, m);
    const char *works = may_mxfp4 ? "fp8, mxfp4" : "fp8";
    const char *method = hf_word(&q, "quant_method", "none");
    const char *format = hf_word(&q, "fmt", "e4m3");
    const json_t *block = hf_config_value(&q, "weight_block_size");
    cull_status status = q.status;

    if (status == CULL_OK && !hf_one_of(method, may_mxfp4 ? "fp8|mxfp4" : "fp8"))
        status = hf_refuse(&q, "quant_method", method, works);
    else if (status == CULL_OK && !hf_one_of(format, "e4m3|float8_e4m3fn"))
        status = hf_refuse(&q, "fmt", format, "e4m3");
    s->mxfp4 = status == CULL_OK && strcmp(method, "mxfp4") == 0;
    if (status == CULL_OK && !s->mxfp4) {
        const json_int_t rows = json_integer_value(json_array_get(block, 0));
        const json_int_t cols = json_integer_value(json_array_get(block, 1));
        if (block &&
            (json_array_size(block) != 2 || rows < 1 || cols < 1 || rows > 65536 || cols > 65536))
            status = hf_wrong(&q, "weight_block_size", block, "two positive integers");
        s->block_rows = block ? (size_t)rows : 128;
        s->block_cols = block ? (size_t)cols : 128;
    }
    if (status == CULL_OK)
        status = hf_lists_sub_keys(&q, m, keys);
    hf_config_close(&q);
    return status;
}
