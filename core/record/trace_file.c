// `cull trace`'s file: what every layer computed.
#include "record/trace_file.h"

#include <math.h>
#include <string.h>

#include "base/new_file.h"
#include "record/h5/h5.h"

static size_t most(const cull_open_model *model,
                   bool chosen) // experts, or experts routed, of a layer
{
    size_t n = 0;

    for (size_t l = 0; l < model->facts->L; l++) {
        const cull_layer_facts *facts = cull_layer_of(model, l);
        const size_t here = facts->E == 0 ? 0 : chosen ? facts->K : facts->E;
        n = here > n ? here : n;
    }
    return n;
}

static size_t moe_layers(const cull_open_model *model, int32_t *index)
{
    size_t n = 0;

    for (size_t l = 0; l < model->facts->L; l++)
        if (cull_layer_of(model, l)->E > 0)
            index[n++] = (int32_t)l;
    return n;
}

static void put_rows(cull_h5 *file, const cull_trace *trace, const cull_model_facts *facts)
{
    const size_t S = trace->n_seq, N = trace->len;

    if (trace->ids)
        cull_h5_put(file, "/",
                    &(cull_h5_array){ "tokens",
                                      'n',
                                      2,
                                      { "sequence", "position" },
                                      { S, N },
                                      trace->ids,
                                      NULL,
                                      "token ids",
                                      NULL });
    if (trace->logits)
        cull_h5_put(file, "/",
                    &(cull_h5_array){ "logits",
                                      'f',
                                      3,
                                      { "sequence", "position", "vocab" },
                                      { S, N, facts->V },
                                      trace->logits,
                                      NULL,
                                      NULL,
                                      NULL });
    if (trace->hidden)
        cull_h5_put(file, "/",
                    &(cull_h5_array){ "hidden",
                                      'f',
                                      4,
                                      { "layer", "sequence", "position", "width" },
                                      { facts->L + 1, S, N, facts->D },
                                      trace->hidden,
                                      NULL,
                                      "input of each layer, the last one after the final norm",
                                      NULL });
}

// One of the router's arrays: layers one below the other, the narrower ones padded by HDF5's fill
// value.
static void put_router(cull_h5 *file, const cull_trace *trace, const cull_open_model *model,
                       size_t n, const int32_t *layer, cull_h5_array *array)
{
    const bool logits = strcmp(array->name, "logits") == 0;
    const void *const *from = (const void *const *)array->data;

    array->data = NULL;
    cull_h5_put(file, "/router", array);
    for (size_t i = 0; i < n; i++) {
        const cull_layer_facts *facts = cull_layer_of(model, (size_t)layer[i]);
        if (from[layer[i]])
            cull_h5_part(file, "/router", array, (size_t[]){ i, 0, 0, 0 },
                         (size_t[]){ 1, trace->n_seq, trace->len, logits ? facts->E : facts->K },
                         from[layer[i]]);
    }
}

enum { LOGITS, INDEX, GATE, N_ROUTED };

static const void *rows_of(const cull_trace *trace, size_t which, size_t l)
{
    if (which == LOGITS)
        return trace->router_logits ? trace->router_logits[l] : NULL;
    if (which == INDEX)
        return trace->router_index ? trace->router_index[l] : NULL;
    return trace->router_gate ? trace->router_gate[l] : NULL;
}

// One of the arrays, of n layers, if any layer has it; `wide`: the most numbers a token has.
static void put_routed(cull_h5 *file, const cull_trace *trace, const cull_open_model *model,
                       size_t n, const int32_t *layer, size_t which, size_t wide)
{
    static const struct {
        const char *name;
        char type;
        const char *last, *doc; // axis
    } arrays[N_ROUTED] = {
        { "logits", 'f', "expert",
          "the router's linear output, before softmax, sigmoid or correction" },
        { "index", 'n', "choice", "the chosen experts, best first" },
        { "gate", 'f', "choice", "the coefficients really used" },
    };
    const void **rows = cull_h5_scratch(file, model->facts->L, sizeof *rows);
    bool any = false;

    for (size_t l = 0; rows && l < model->facts->L; l++) {
        rows[l] = rows_of(trace, which, l);
        any |= rows[l] != NULL;
    }
    cull_h5_array array = { arrays[which].name,
                            arrays[which].type,
                            4,
                            { "moe_layer", "sequence", "position", arrays[which].last },
                            { n, trace->n_seq, trace->len, wide },
                            rows,
                            NULL,
                            arrays[which].doc,
                            NULL };
    if (any)
        put_router(file, trace, model, n, layer, &array);
}

static void put_routers(cull_h5 *file, const cull_trace *trace, const cull_open_model *model)
{
    int32_t *layer = cull_h5_scratch(file, model->facts->L, sizeof *layer);
    const size_t n = layer ? moe_layers(model, layer) : 0;

    cull_h5_group(file, "/router");
    if (n == 0)
        return;

    cull_h5_put(file, "/router",
                &(cull_h5_array){ "layer",
                                  'n',
                                  1,
                                  { "moe_layer" },
                                  { n },
                                  layer,
                                  NULL,
                                  "index of the decoder layer",
                                  NULL });
    for (size_t which = 0; which < N_ROUTED; which++)
        put_routed(file, trace, model, n, layer, which, most(model, which != LOGITS));
}

// About how many bytes the file takes.
static uint64_t expected(const cull_open_model *model, const cull_trace *trace)
{
    const cull_model_facts *f = model->facts;
    const uint64_t N = (uint64_t)trace->n_seq * trace->len;
    const uint64_t router = f->L * (most(model, false) + 2 * most(model, true));

    return 65536 + 4 * N *
                       (1 + (trace->logits ? f->V : 0) + (trace->hidden ? (f->L + 1) * f->D : 0) +
                        (trace->router_logits ? router : 0));
}

cull_status cull_trace_write(cull_ctx *ctx, const char *path, const cull_open_model *model,
                             const cull_trace *trace)
{
    const cull_mark mark = cull_arena_mark(cull_context_of(ctx)->scratch);

    cull_temporary_sweep(path, NULL);
    cull_h5 *file = cull_h5_create(ctx, path, expected(model, trace));

    if (!file)
        return cull_context_of(ctx)->error.status;

    cull_h5_text(file, "/", "Conventions", "CF-1.8 cull-1");
    cull_h5_text(file, "/", "source", model->facts->source);
    cull_h5_text(file, "/", "fingerprint", model->facts->fingerprint);
    put_rows(file, trace, model->facts);
    put_routers(file, trace, model);
    const cull_status status = cull_h5_commit(file);
    cull_arena_rewind(cull_context_of(ctx)->scratch, mark);
    return cull_while(ctx, status, "writing the trace");
}
