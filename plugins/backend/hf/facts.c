// What is known of a model as a whole, and what is worth a note.
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "config/config.h"
#include "digest.h"
#include "model.h"
#include "save/save.h"
#include "tokenizer/tokenizer.h"

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

// XXH3-128 over config.json and each file's own fingerprint, in the order of the files' names.
static cull_status fingerprint(cull_ctx *ctx, cull_model *m, const char *config_path)
{
    const char *config;
    char hex[33], all[33];
    size_t n;

    CULL_TRY(ctx->host->read_file(ctx, config_path, &config, &n));
    XXH3_state_t *state = XXH3_createState();
    if (!state)
        return ctx->host->fail(ctx, CULL_ENOMEM, "out of memory");
    (void)XXH3_128bits_reset(state);
    (void)XXH3_128bits_update(state, config, n);
    for (size_t i = 0; i < m->files.n; i++) {
        m->files.st->fingerprint(m->files.file[i], hex);
        (void)XXH3_128bits_update(state, hex, 32);
    }
    hf_digest(state, all);
    (void)XXH3_freeState(state);
    m->facts.fingerprint = hf_text(ctx, "%s", all);
    return m->facts.fingerprint ? CULL_OK : CULL_ENOMEM;
}

// config.json gives the width of other parts by the key that gives that of routed experts.
static const char *one_width(cull_ctx *ctx, const cull_model *m)
{
    const hf_arch *arch = m->arch;
    const bool shared = !arch->shared_F.key && m->s.shared_F > 0 && !m->s.shared_as_dense;
    const bool same = arch->dense_F.key && strcmp(arch->dense_F.key, arch->F.key) == 0;
    bool dense = false;

    for (size_t l = 0; l < m->s.L; l++)
        dense |= m->layer[l].facts.E == 0;
    if (!shared && !(same && dense) && !arch->twofold)
        return NULL;
    return hf_text(ctx, "\"%s\" in config.json is the width of %s too", arch->F.key,
                   shared          ? "the shared experts"
                   : arch->twofold ? "a second set of experts"
                                   : "the dense layers");
}

cull_status hf_facts_finish(cull_ctx *ctx, cull_model *m, const char *config_path)
{
    cull_model_facts *f = &m->facts;

    f->size = sizeof *f;
    f->L = m->s.L;
    f->D = m->s.D;
    f->V = m->s.V;
    f->reading += m->arch->reading;
    f->rope_switch = m->heads[0].rope.switch_at;
    if (f->rope_switch == 0)
        f->rope_switch = m->heads[1].rope.switch_at;
    f->anew_at_switch = m->heads[0].rope.anew;
    f->exports = hf_exports(ctx, m);
    f->one_width = one_width(ctx, m);
    sum_up(m);
    if (m->files.missing)
        f->no_weights = "there are no weights in the folder: config.json alone is read";
    return fingerprint(ctx, m, config_path);
}
