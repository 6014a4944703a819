// What is known of a model as a whole, and what is worth a note.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "config.h"
#include "model.h"
#include "save/save.h"
#include "tokenizer/tokenizer.h"

enum { MOST_NOTES = 64 };

char *hf_text(cull_ctx *ctx, const char *fmt, ...)
{
    va_list args, again;

    va_start(args, fmt);
    va_copy(again, args);
    const int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *text = n < 0 ? NULL : ctx->host->alloc(ctx, (size_t)n + 1, 1);
    if (text)
        (void)vsnprintf(text, (size_t)n + 1, fmt, again);
    va_end(again);
    return text;
}

void hf_note(cull_ctx *ctx, cull_model *m, const char *fmt, ...)
{
    char text[512];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (!m->note)
        m->note = ctx->host->alloc(ctx, MOST_NOTES, sizeof *m->note);
    if (m->note && m->n_notes < MOST_NOTES && (m->note[m->n_notes] = hf_text(ctx, "%s", text)))
        m->n_notes++;
}

static const char *dtype_name(cull_dtype type)
{
    switch (type) {
    case CULL_DT_F32:
        return "f32";
    case CULL_DT_F16:
        return "f16";
    case CULL_DT_F8_E4M3:
        return "fp8";
    case CULL_DT_F4:
        return "mxfp4";
    default:
        return "bf16";
    }
}

static void sum_up(cull_model *m)
{
    cull_model_facts *f = &m->facts;
    const cull_matrix *typical = m->ends;

    f->params_active = f->params_total; // embedding, head and last norm
    for (size_t l = m->s.L; l-- > 0;) {
        const hf_layer *layer = &m->layer[l];
        const uint64_t routed = layer->n_stored * layer->facts.expert_params +
                                (layer->facts.E - layer->n_stored) * m->s.D;
        f->params_total += layer->facts.other_params + routed;
        f->params_expert += routed;
        const size_t busy = layer->facts.K < layer->n_stored ? layer->facts.K : layer->n_stored;
        f->params_active += layer->facts.other_params + busy * layer->facts.expert_params;
        f->bytes += layer->facts.bytes;
        for (size_t e = layer->facts.E; e-- > 0;)
            typical = hf_is_stored(layer, e) ? &layer->expert[3 * e] : typical;
    }
    f->dtype = dtype_name(typical->dtype);
}

// Does a name begin with base + "layers."? Its length, or 0.
static size_t before_layer(const cull_model *m, const char *name)
{
    static const char layers[] = "layers.";
    const size_t n = strlen(m->base);
    const bool begins =
        strncmp(name, m->base, n) == 0 && strncmp(name + n, layers, sizeof layers - 1) == 0;

    return begins ? n + sizeof layers - 1 : 0;
}

// The number N of "model.layers.N.…", or −1.
static long layer_of(const cull_model *m, const char *name)
{
    const size_t before = before_layer(m, name);
    char *end;

    if (before == 0)
        return -1;
    const long n = strtol(name + before, &end, 10);
    return *end == '.' && n >= 0 ? n : -1;
}

// Has the name a component that is, or begins with, "mtp"?
static bool is_mtp(const char *name)
{
    return strncmp(name, "mtp", 3) == 0 || strstr(name, ".mtp");
}

// In a wrapper, what is no part of its language model: eyes, ears, a voice.
static bool is_beside(const cull_model *m, const char *name)
{
    return m->wrapped && strncmp(name, m->base, strlen(m->base)) != 0 && !is_mtp(name);
}

// A run of tensors that belong to no part, named by its first.
static void note_strangers(cull_ctx *ctx, cull_model *m)
{
    size_t strangers = 0, buffers = 0, beside = 0;
    const char *first = NULL, *first_beside = NULL;
    long beyond = -1;

    for (size_t i = 0; i < m->files.n_tensors; i++) {
        hf_tensor *t = &m->files.tensor[i];
        const long layer = layer_of(m, t->name);
        if (t->role)
            continue;
        if (is_beside(m, t->name)) {
            t->role = HF_BESIDE;
            first_beside = first_beside ? first_beside : t->name;
            beside++;
        } else if (layer >= (long)m->s.L) {
            if (layer != beyond)
                hf_note(ctx, m, "%s layer %ld is left out",
                        (size_t)layer < m->s.L + m->s.mtp ? "multi-token-prediction (MTP)"
                                                          : "beyond num_hidden_layers,",
                        layer);
            beyond = layer;
        } else if (strstr(t->name, "rotary_emb.inv_freq")) {
            buffers++;
        } else {
            first = first ? first : t->name;
            strangers++;
        }
    }
    if (beside)
        hf_note(
            ctx, m,
            "%zu tensors beside the language model take no part in text, \"%s\" first; an export "
            "keeps them",
            beside, first_beside);
    if (strangers && is_mtp(first))
        hf_note(ctx, m,
                "multi-token-prediction (MTP) parts are left out: %zu tensors, \"%s\" first",
                strangers, first);
    else if (strangers)
        hf_note(ctx, m, "%zu tensors belong to no part of %s and are left out, \"%s\" first",
                strangers, m->arch->model_type, first);
    if (buffers)
        hf_note(ctx, m, "%zu stored rotary_emb.inv_freq are left out: they follow from config.json",
                buffers);
    if (m->files.unlisted)
        hf_note(ctx, m, "%zu tensors stand in the shards but not in the index", m->files.unlisted);
}

// XXH3-128 over config.json and each file's own fingerprint, in the order of the files' names.
static cull_status fingerprint(cull_ctx *ctx, cull_model *m, const char *config_path)
{
    const char *config;
    char hex[33], all[64];
    size_t n;

    HF_TRY(ctx->host->read_file(ctx, config_path, &config, &n));
    XXH3_state_t *state = XXH3_createState();
    if (!state)
        return ctx->host->fail(ctx, CULL_ENOMEM, "out of memory");
    (void)XXH3_128bits_reset(state);
    (void)XXH3_128bits_update(state, config, n);
    for (size_t i = 0; i < m->files.n; i++) {
        m->files.st->fingerprint(m->files.file[i], hex);
        (void)XXH3_128bits_update(state, hex, 32);
    }
    const XXH128_hash_t hash = XXH3_128bits_digest(state);
    (void)XXH3_freeState(state);
    (void)snprintf(all, sizeof all, "%016llx%016llx", (unsigned long long)hash.high64,
                   (unsigned long long)hash.low64);
    m->facts.fingerprint = hf_text(ctx, "%s", all);
    return m->facts.fingerprint ? CULL_OK : CULL_ENOMEM;
}

cull_status hf_facts_finish(cull_ctx *ctx, cull_model *m, const char *config_path)
{
    cull_model_facts *f = &m->facts;

    f->size = sizeof *f;
    f->L = m->s.L;
    f->D = m->s.D;
    f->V = m->s.V;
    f->rope_switch = m->rope.switch_at;
    f->exports = hf_exports(ctx, m);
    if (m->files.n) {
        sum_up(m);
        note_strangers(ctx, m);
    }
    return fingerprint(ctx, m, config_path);
}
