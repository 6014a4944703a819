// config.json → rotary embeddings: default, linear, dynamic, YaRN, Llama 3's, longrope.
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "model.h"

enum { MOST_ROTATED = 65536 }; // channels of a head, before any tensor has been looked at

#define WORKS "default, dynamic, linear, llama3, longrope, proportional, yarn"

// What a config says of rotary embedding, in both its forms.
typedef struct rope_config {
    hf_config *top, sub; // sub.root NULL: nothing beside theta
    const hf_arch *arch;
    bool local, described; // described: there are no weights
    bool nested, truncate; // sub is one of several, beside which this key of YaRN stands
    double theta, share;   // of the head that is rotated
    size_t span;           // its channels; where they are odd one more is rotated
    size_t original;       // original_max_position_embeddings
    size_t max_positions;
    const char *type;
} rope_config;

static float *frequencies(rope_config *c, const hf_rope *rope)
{
    cull_ctx *ctx = c->top->ctx;
    float *freq = ctx->host->alloc(ctx, rope->rot / 2, sizeof *freq);

    for (size_t j = 0; freq && j < rope->rot / 2; j++)
        freq[j] = 1.0f / powf((float)c->theta, (float)(2 * j) / (float)c->span);
    return freq;
}

static cull_status done(rope_config *c, const float *freq)
{
    return c->sub.status != CULL_OK ? c->sub.status : freq ? c->top->status : CULL_ENOMEM;
}

static cull_status read_default(rope_config *c, hf_rope *rope)
{
    rope->freq = frequencies(c, rope);
    return done(c, rope->freq);
}

// A number of the scaling that something is divided by.
static float read_divisor(rope_config *c, const char *key)
{
    const float x = (float)hf_real(&c->sub, (hf_num)HF_NEEDS(key));

    if (c->sub.status == CULL_OK && x == 0)
        (void)hf_wrong(&c->sub, key, hf_config_value(&c->sub, key), "a number other than 0");
    return x;
}

static cull_status read_linear(rope_config *c, hf_rope *rope)
{
    float *freq = frequencies(c, rope);
    const float factor = read_divisor(c, "factor");

    for (size_t j = 0; freq && j < rope->rot / 2; j++)
        freq[j] /= factor;
    rope->freq = freq;
    return done(c, freq);
}

// Dynamic NTK scaling stretches θ only beyond max_position_embeddings, and no path is that long.
// Hunyuan's alpha stretches it always.
static cull_status read_dynamic(rope_config *c, hf_rope *rope)
{
    const hf_num key = HF_KEY("alpha", 0);
    const double alpha = c->arch->alpha ? hf_real(&c->sub, key) : 0, rot = (double)c->span;

    if (c->span == 2)
        return hf_refuse(&c->sub, "rope_type", "dynamic", "any other, for heads of two channels");
    (void)hf_real(&c->sub, (hf_num){ "factor", alpha > 0 ? 1 : NAN });
    if (alpha > 0)
        c->theta *= pow(alpha, rot / (rot - 2));
    return read_default(c, rope);
}

// Gemma 4: all channels are rotated, but those beyond their share by no angle.
static cull_status read_proportional(rope_config *c, hf_rope *rope)
{
    float *freq = frequencies(c, rope);
    const float factor = (float)hf_real(&c->sub, (hf_num)HF_KEY("factor", 1));
    const size_t turned = (size_t)(c->share * (double)rope->rot) / 2;

    for (size_t j = 0; freq && j < rope->rot / 2; j++)
        freq[j] = j < turned ? freq[j] / factor : 0;
    rope->freq = freq;
    return done(c, freq);
}

static cull_status read_llama3(rope_config *c, hf_rope *rope)
{
    float *freq = frequencies(c, rope);
    const float factor = read_divisor(c, "factor");
    const float low = read_divisor(c, "low_freq_factor");
    const float high = read_divisor(c, "high_freq_factor");
    const float original = (float)c->original;

    for (size_t j = 0; freq && j < rope->rot / 2; j++) {
        const float wave = (float)(2 * M_PI) / freq[j];
        if (wave > original / low) {
            freq[j] /= factor;
        } else if (wave >= original / high && high != low) {
            const float smooth = (original / wave - low) / (high - low);
            freq[j] = (1 - smooth) * freq[j] / factor + smooth * freq[j];
        }
    }
    rope->freq = freq;
    return done(c, freq);
}

// 0.1 m ln(factor) + 1: YaRN's temperature, section 3.4.
static double temperature(double factor, double m)
{
    return factor <= 1 ? 1 : 0.1 * m * log(factor) + 1;
}

// The channel pair that turns `turns` times within the original length.
static double channel_of(const rope_config *c, double turns)
{
    return (double)c->span * log((double)c->original / (turns * 2 * M_PI)) / (2 * log(c->theta));
}

typedef struct yarn {
    double factor, beta_fast, beta_slow, attention_factor, mscale, mscale_all;
    bool truncate;
} yarn;

static yarn read_yarn_config(rope_config *c)
{
    if (!c->sub.root) // gpt-oss without any scaling in its config.json
        return (yarn){ .factor = 32, .beta_fast = 32, .beta_slow = 1, .attention_factor = NAN };
    yarn y = {
        .factor = read_divisor(c, "factor"),
        .beta_fast = hf_real(&c->sub, (hf_num)HF_KEY("beta_fast", 32)),
        .beta_slow = hf_real(&c->sub, (hf_num)HF_KEY("beta_slow", 1)),
        .attention_factor = hf_config_has(&c->sub, "attention_factor")
                                ? hf_real(&c->sub, (hf_num)HF_KEY("attention_factor", 0))
                                : NAN,
        .mscale = hf_real(&c->sub, (hf_num)HF_KEY("mscale", 0)),
        .mscale_all = hf_real(&c->sub, (hf_num)HF_KEY("mscale_all_dim", 0)),
        .truncate = c->nested ? c->truncate : hf_flag(&c->sub, (hf_num)HF_KEY("truncate", 1)),
    };
    y.beta_fast = y.beta_fast == 0 ? 32 : y.beta_fast;
    y.beta_slow = y.beta_slow == 0 ? 1 : y.beta_slow;
    return y;
}

static cull_status read_yarn(rope_config *c, hf_rope *rope)
{
    const yarn y = read_yarn_config(c);
    float *freq = frequencies(c, rope);
    double low = channel_of(c, y.beta_fast);
    double high = channel_of(c, y.beta_slow);

    if (!isfinite(low) || !isfinite(high))
        return hf_wrong(&c->sub, isfinite(low) ? "beta_slow" : "beta_fast",
                        hf_config_value(&c->sub, isfinite(low) ? "beta_slow" : "beta_fast"),
                        "a positive number of turns");
    if (y.truncate) {
        low = floor(low);
        high = ceil(high);
    }
    low = fmax(low, 0);
    high = fmin(high, (double)c->span - 1);
    if (low == high)
        high += 0.001;
    for (size_t j = 0; freq && j < rope->rot / 2; j++) {
        const float ramp = ((float)j - (float)low) / (float)(high - low);
        const float keep = 1 - fminf(fmaxf(ramp, 0), 1);
        const float wave = powf((float)c->theta, (float)(2 * j) / (float)c->span);
        freq[j] = 1.0f / ((float)y.factor * wave) * (1 - keep) + 1.0f / wave * keep;
    }
    rope->freq = freq;
    rope->scale =
        (float)(!isnan(y.attention_factor) ? y.attention_factor
                : y.mscale != 0 && y.mscale_all != 0
                    ? temperature(y.factor, y.mscale) / temperature(y.factor, y.mscale_all)
                    : temperature(y.factor, 1));
    return done(c, freq);
}

// θ^(−2j/rot) divided by the factors of a list.
static float *stretched(rope_config *c, const hf_rope *rope, const char *key)
{
    cull_ctx *ctx = c->top->ctx;
    const json_t *list = hf_config_value(&c->sub, key);
    float *freq = ctx->host->alloc(ctx, rope->rot / 2, sizeof *freq);

    if (!freq || c->sub.status != CULL_OK)
        return NULL;
    if (!json_is_array(list) || json_array_size(list) != rope->rot / 2) {
        (void)hf_wrong(&c->sub, key, list,
                       "a list with a number for each pair of rotated channels");
        return NULL;
    }
    for (size_t j = 0; j < rope->rot / 2; j++) {
        const json_t *factor = json_array_get(list, j);
        if (!json_is_number(factor) || !(json_number_value(factor) > 0)) {
            (void)hf_wrong(&c->sub, key, factor, "a list of positive numbers");
            return NULL;
        }
        const float wave = powf((float)c->theta, (float)(2 * j) / (float)c->span);
        freq[j] = 1.0f / ((float)json_number_value(factor) * wave);
    }
    return freq;
}

static cull_status read_longrope(rope_config *c, hf_rope *rope)
{
    rope->freq = stretched(c, rope, "short_factor");
    rope->freq_beyond = stretched(c, rope, "long_factor");
    rope->switch_at = c->original;
    if (c->arch->own_mscale) {
        // transformers' Phi-MoE takes its frequencies from short_factor whatever the length (its
        // forward calls the initialiser without one); only the multiplier switches. Golden data
        // follow it.
        rope->freq_beyond = rope->freq;
        rope->anew = true; // its generate() drops the cache; other families go on with theirs
        rope->scale = (float)hf_real(&c->sub, (hf_num)HF_NEEDS("short_mscale"));
        rope->scale_beyond = (float)hf_real(&c->sub, (hf_num)HF_NEEDS("long_mscale"));
        return done(c, rope->freq);
    }
    const double ratio = (double)c->max_positions / (double)c->original;
    const double factor = hf_real(&c->sub, (hf_num)HF_KEY("factor", ratio));
    const double natural = factor <= 1 ? 1 : sqrt(1 + log(factor) / log((double)c->original));
    const double given = hf_real(&c->sub, (hf_num)HF_KEY("attention_factor", natural));
    rope->scale = rope->scale_beyond = (float)given;
    return rope->freq && !rope->freq_beyond && c->sub.status == CULL_OK ? CULL_ENOMEM
                                                                        : done(c, rope->freq);
}

static const struct {
    const char *type;
    cull_status (*read)(rope_config *, hf_rope *);
} types[] = {
    { "default", read_default },
    { "dynamic", read_dynamic },
    { "linear", read_linear },
    { "llama3", read_llama3 },
    { "yarn", read_yarn },
    { "longrope", read_longrope },
    { "proportional", read_proportional },
};

// The rotated channels of a head of `width`. An object for each type of layer says it alone, and
// the family's own share is then that of the default type.
static cull_status read_width(rope_config *c, size_t width, size_t nope, hf_rope *rope)
{
    const hf_arch *arch = c->arch;
    const bool apart = arch->by_type && arch->partial.key;
    const bool nested = apart && c->sub.root;
    const bool own = arch->partial.key && (!nested || strcmp(c->type, "default") == 0);
    double share = own ? arch->partial.def : 1;

    if (arch->rotary_dim && hf_config_value(c->top, arch->rotary_dim))
        share = (double)hf_size(c->top, (hf_num){ arch->rotary_dim, 0 }, 1) / (double)width;
    if (!apart)
        share = hf_real(c->top, (hf_num)HF_KEY("partial_rotary_factor", share));
    if (c->sub.root)
        share = hf_real(&c->sub, (hf_num)HF_KEY("partial_rotary_factor", share));
    c->share = share;
    if (strcmp(c->type, "proportional") == 0)
        share = 1;
    if (arch->attention == HF_MLA && share == (double)width / (double)(width + nope))
        share = 1; // of the whole head: what is rotated stands apart from the rest
    if (!arch->partial.key && share != 1)
        return c->top->status =
                   c->top->ctx->host->fail(c->top->ctx, CULL_ENOTSUP,
                                           "%s: %s does not support a partial_rotary_factor of %g",
                                           c->top->path, arch->model_type, share);
    c->span = share > 0 && share <= 1 ? (size_t)((double)width * share) : 0;
    rope->rot = c->span + c->span % 2;
    const bool whole = c->span % 2 == 0 || strcmp(c->type, "yarn") != 0; // whose ramp is of pairs
    const bool fits = c->described || (rope->rot <= width && whole);     // described: never rotated
    if (c->top->status == CULL_OK && (rope->rot == 0 || !fits || rope->rot > MOST_ROTATED))
        c->top->status = c->top->ctx->host->fail(
            c->top->ctx, CULL_ENOTSUP,
            "%s: %zu of a head's %zu channels (partial_rotary_factor) cannot be rotated in pairs",
            c->top->path, c->span, width);
    return c->top->status;
}

// Latent attention's scale grows with YaRN's temperature, whatever stretches the frequencies.
static void read_mscale(rope_config *c, hf_rope *rope)
{
    if (c->arch->attention != HF_MLA || !c->sub.root || strcmp(c->type, "default") == 0)
        return;
    const double all = hf_real(&c->sub, (hf_num)HF_KEY("mscale_all_dim", 0));
    if (all != 0)
        rope->yarn_mscale = temperature(hf_real(&c->sub, (hf_num)HF_NEEDS("factor")), all);
}

// The length that the model was first trained for, where it is asked for: the key beside the
// object stands above the one in it, but not above those in several.
static void read_original(rope_config *c, hf_rope *rope)
{
    static const char key[] = "original_max_position_embeddings";
    const bool stretched = hf_one_of(c->type, "llama3|yarn|longrope");

    c->original = c->arch->yarn_default && !c->sub.root ? 4096 : c->max_positions;
    if (stretched && c->sub.root)
        c->original = hf_size(&c->sub, (hf_num)HF_KEY(key, (double)c->original), 1);
    if (stretched && !c->nested)
        c->original = hf_size(c->top, (hf_num)HF_KEY(key, (double)c->original), 1);
    rope->original = c->original;
    rope->beta = c->sub.root ? hf_real(&c->sub, (hf_num)HF_KEY("llama_4_scaling_beta", 0)) : 0;
    if (rope->beta != 0 && !stretched) // queries that grow sharper ask for it with every type
        rope->original = hf_size(&c->sub, (hf_num)HF_KEY(key, (double)c->original), 1);
    rope->asked = rope->original != c->original;
}

static cull_status read_type(rope_config *c, size_t width, hf_rope *rope)
{
    c->theta = c->local && c->arch->local.theta.def != 0 ? c->arch->local.theta.def
               : c->arch->by_type                        ? c->arch->theta
                                  : hf_real(c->top, (hf_num)HF_KEY("rope_theta", c->arch->theta));
    if (c->nested && !hf_config_has(&c->sub, "rope_theta"))
        return hf_wrong(&c->sub, "rope_theta", NULL, "");
    c->type = c->arch->yarn_default && !c->sub.root ? "yarn" : "default";
    if (c->sub.root) {
        c->theta = hf_real(&c->sub, (hf_num)HF_KEY("rope_theta", c->theta));
        c->type = hf_word(&c->sub, "rope_type|type", "default");
    }
    read_original(c, rope);
    read_mscale(c, rope);
    if (c->top->status == CULL_OK && !(c->theta > 1))
        c->top->status = c->top->ctx->host->fail(c->top->ctx, CULL_EFORMAT,
                                                 "%s: rope_theta must be above 1, but is %g",
                                                 c->top->path, c->theta);
    CULL_TRY(c->top->status);
    CULL_TRY(c->sub.status);
    CULL_TRY(read_width(c, width, rope->first, rope));
    if (c->arch->own_mscale && !hf_one_of(c->type, "default|longrope"))
        return hf_refuse(&c->sub, "rope_type", c->type, "default, longrope");
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].type, c->type) == 0)
            return types[i].read(c, rope);
    return hf_refuse(&c->sub, "rope_type", c->type, WORKS);
}

// M-RoPE's sections change nothing on text, but must be what the reference can slice by.
static cull_status check_sections(rope_config *c)
{
    static const char key[] = "mrope_section";
    const json_t *list = c->sub.root ? json_object_get(c->sub.root, key) : NULL;
    bool right = json_array_size(list) == 3;

    for (size_t i = 0; i < json_array_size(list); i++)
        right &= json_is_integer(json_array_get(list, i));
    return !list || right || !c->arch->mrope
               ? CULL_OK
               : hf_wrong(&c->sub, key, list, "a list of three integers");
}

// Nothing in the scaling's object may go unread without a word.
static cull_status note_unread(rope_config *c, cull_model *model)
{
    static const char sections[] = "mrope_section|mrope_interleaved|interleaved";
    const char *key;

    for (size_t i = 0; c->sub.root && (key = hf_config_unread(&c->sub, i)); i++) {
        const json_t *value = json_object_get(c->sub.root, key);
        if ((c->arch->mrope && hf_one_of(key, sections)) ||
            strcmp(key, "max_position_embeddings") == 0) // Mistral 4 repeats it here
            continue;
        if (json_is_object(value) || json_is_array(value))
            return c->top->ctx->host->fail(c->top->ctx, CULL_ENOTSUP,
                                           "%s: %s%s is not supported (supported types: %s)",
                                           c->top->path, c->sub.where, key, WORKS);
        hf_note(c->top->ctx, model, "config.json: %s%s has no meaning for %s and is ignored",
                c->sub.where, key, c->type);
    }
    return CULL_OK;
}

// rope_scaling, the older key, counts unless it is absent, null or empty; then rope_parameters
// does, empty or not.
static void open_scaling(hf_config *config, hf_config *sub)
{
    const json_t *scaling = hf_config_value(config, "rope_scaling");
    const bool empty = json_is_object(scaling) && json_object_size(scaling) == 0;

    if ((empty || !hf_config_sub(config, "rope_scaling", sub)) && config->status == CULL_OK)
        (void)hf_config_sub(config, "rope_parameters", sub);
}

// Of some families rope_parameters, if it is there, holds an object for each type of layer: c->sub
// becomes this type's.
static cull_status choose_type(rope_config *c)
{
    const char *word = c->local ? "sliding_attention" : "full_attention";
    hf_config own;

    const json_t *older = json_object_get(c->top->root, "rope_scaling");
    if (c->arch->by_type && older && json_object_size(older) == 0) // it counts all the same
        return hf_refuse_value(c->top, "rope_scaling",
                               json_is_null(older) ? "null" : "without types", "rope_parameters");
    if (!c->arch->by_type || !c->sub.root)
        return CULL_OK; // others refuse such objects
    c->nested = true;
    c->truncate = hf_flag(&c->sub, (hf_num)HF_KEY("truncate", 1));
    if (c->sub.status == CULL_OK && !hf_config_sub(&c->sub, word, &own))
        return c->sub.status ? c->sub.status : hf_wrong(&c->sub, word, NULL, "");
    CULL_TRY(c->sub.status);
    hf_config_close(&c->sub);
    c->sub = own;
    return CULL_OK;
}

// What stands beside the objects for types of layers is looked at by a checkpoint's own code, and
// by transformers only where one of them scales: it is what the family has anyway.
static cull_status check_beside(rope_config *c)
{
    const hf_num own[] = { HF_KEY("rope_theta", c->arch->theta), c->arch->local.theta,
                           c->arch->partial };
    char is[32], works[32];

    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        if (!c->arch->by_type || !own[i].key)
            continue;
        const double value = hf_real(c->top, own[i]);
        (void)snprintf(is, sizeof is, "%.17g", value);
        (void)snprintf(works, sizeof works, "%.15g", own[i].def);
        if (c->top->status == CULL_OK && value != own[i].def)
            return hf_refuse_value(c->top, own[i].key, is, works);
        CULL_TRY(c->top->status);
    }
    return CULL_OK;
}

cull_status hf_rope_no_older(hf_config *config, const char *needs)
{
    const char *older = json_object_get(config->root, "rope_scaling") ? "rope_scaling" : NULL;
    hf_config sub;
    char key[64];

    if (older && json_object_size(json_object_get(config->root, older)))
        return hf_refuse_value(config, older, "of older files", "rope_parameters");
    if (hf_config_is_null(config, "rope_parameters"))
        return hf_refuse_value(config, "rope_parameters", "null", "an object, or no such key");
    if (!hf_config_sub(config, "rope_parameters", &sub))
        return config->status;
    for (; config->status == CULL_OK && *needs; needs += *needs == '|') {
        const size_t n = strcspn(needs, "|");
        (void)snprintf(key, sizeof key, "%.*s", (int)n, needs);
        if (!json_is_number(json_object_get(sub.root, key)))
            config->status = hf_wrong(&sub, key, NULL, "");
        needs += n;
    }
    hf_config_close(&sub);
    return config->status;
}

// Are no positions rotated at all? Then the reference looks at nothing that is said of them.
static bool is_unrotated(hf_config *config, const cull_model *model)
{
    const enum hf_rotates rotates = model->arch->rotates;

    if ((rotates != HF_ROTATE_NONE && rotates != HF_ROTATE_SAID) || model->layer[0].rotates)
        return false;
    (void)hf_config_value(config, "rope_theta|rope_scaling|rope_parameters|partial_rotary_factor");
    return true;
}

cull_status hf_rope_read(hf_config *config, cull_model *model, size_t width, bool local,
                         hf_rope *rope)
{
    rope_config c = { .top = config,
                      .arch = model->arch,
                      .local = local,
                      .described = model->files.missing,
                      .max_positions = model->facts.max_positions };

    rope->scale = rope->scale_beyond = 1;
    rope->yarn_mscale = 1;
    if (is_unrotated(config, model))
        return config->status;
    open_scaling(config, &c.sub);
    cull_status status = config->status;
    if (status == CULL_OK)
        status = choose_type(&c);
    if (status == CULL_OK)
        status = check_beside(&c);
    if (status == CULL_OK)
        status = read_type(&c, width, rope);
    if (status == CULL_OK)
        status = check_sections(&c);
    if (status == CULL_OK)
        status = note_unread(&c, model);
    hf_config_close(&c.sub);
    return status;
}
