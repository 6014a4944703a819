// How transformers' generate() departs from plain greedy decoding, as lm-evaluation-harness calls
// it: generation_config.json or, where there is none, the same keys of config.json.
#include <math.h>
#include <sys/stat.h>

#include "common/text/json_dumped.h"
#include "config.h"
#include "model.h"

// What changes greedy answers and is not done here. Values that change nothing: the one that stands
// here, null, false, and an empty list. All that only bends sampling or beams is left out, as
// lm-eval asks for neither.
static const struct {
    const char *key;
    double neutral;
} bends[] = {
    { "num_beams", 1 },
    { "num_return_sequences", 1 },
    { "guidance_scale", 1 },
    { "encoder_repetition_penalty", 1 }, // of the prompt, whatever its name says
    { "no_repeat_ngram_size", 0 },
    { "encoder_no_repeat_ngram_size", 0 },
    { "min_length", 0 },
    { "min_new_tokens", 0 },
    { "penalty_alpha", 0 },
    { "sequence_bias", NAN },
    { "bad_words_ids", NAN },
    { "forced_bos_token_id", NAN },
    { "forced_eos_token_id", NAN },
    { "exponential_decay_length_penalty", NAN },
    { "suppress_tokens", NAN },
    { "begin_suppress_tokens", NAN },
    { "watermarking_config", NAN },
    { "token_healing", NAN },
    { "stop_strings", NAN },
    { "max_time", NAN },
    { "dola_layers", NAN },
    { "constraints", NAN },
    { "force_words_ids", NAN },
};

static bool is_neutral(const json_t *value, double neutral)
{
    if (!value || json_is_false(value))
        return true;
    if (json_is_array(value) || json_is_object(value))
        return json_array_size(value) + json_object_size(value) == 0;
    return json_is_number(value) && json_number_value(value) == neutral;
}

static cull_status read_bends(hf_config *c, cull_model *m)
{
    for (size_t i = 0; i < sizeof bends / sizeof *bends && !m->facts.no_answers; i++) {
        const json_t *value = hf_config_value(c, bends[i].key);
        if (is_neutral(value, bends[i].neutral))
            continue;
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(6));
        m->facts.no_answers =
            hf_text(c->ctx, "%s: %s %.60s changes what is generated, which is not done here",
                    c->path, bends[i].key, text ? text : "?");
        json_free_dumped(text);
        if (!m->facts.no_answers)
            return CULL_ENOMEM;
    }
    return CULL_OK;
}

// The ids that end an answer: all of them, and none where the file names none, whatever the
// tokenizer says (its EOS is one more stop string of lm-eval's).
static cull_status read_stops(hf_config *c, cull_model *m)
{
    const json_t *value = hf_config_value(c, "eos_token_id");
    const size_t n = json_is_array(value) ? json_array_size(value) : value != NULL;
    int32_t *stop = c->ctx->host->alloc(c->ctx, n + 1, sizeof *stop);

    if (!stop)
        return CULL_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const json_t *id = json_is_array(value) ? json_array_get(value, i) : value;
        if (!json_is_integer(id) || json_integer_value(id) >= INT32_MAX ||
            json_integer_value(id) < -1)
            return hf_wrong(c, "eos_token_id", value, "a token's number, or a list of them");
        stop[i] = (int32_t)json_integer_value(id);
    }
    m->facts.stop = stop;
    m->facts.n_stop = n;
    return CULL_OK;
}

static cull_status read_length(hf_config *c, cull_model *m)
{
    m->facts.max_new = hf_size(c, (hf_num){ "max_new_tokens", 0 }, 1);
    return c->status;
}

static cull_status read_penalty(hf_config *c, cull_model *m)
{
    m->facts.repetition_penalty = hf_real(c, (hf_num){ "repetition_penalty", 1 });
    CULL_TRY(c->status);
    if (!(m->facts.repetition_penalty > 0))
        return hf_wrong(c, "repetition_penalty", hf_config_value(c, "repetition_penalty"),
                        "above zero");
    return CULL_OK;
}

cull_status hf_generation_read(cull_ctx *ctx, cull_model *m, const char *config_path)
{
    const char *path = hf_text(ctx, "%s/generation_config.json", m->facts.source);
    struct stat info;
    hf_config c;

    if (!path)
        return CULL_ENOMEM;
    cull_status status = hf_config_open(ctx, stat(path, &info) == 0 ? path : config_path, &c);
    if (status == CULL_OK)
        status = read_stops(&c, m);
    if (status == CULL_OK)
        status = read_length(&c, m);
    if (status == CULL_OK)
        status = read_penalty(&c, m);
    if (status == CULL_OK)
        status = read_bends(&c, m);
    hf_config_close(&c);
    return status;
}
