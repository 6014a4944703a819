// A cell's settings, all defaults included, as JSON.
#include "plan/cell_settings.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "plugin/settings.h"
#include "spec/search.h"

// What is NULL had no memory, and jansson's packing hands that on; so do these.
static void append(json_t **list, json_t *value)
{
    if (json_array_append_new(*list, value) != 0) {
        json_decref(*list);
        *list = NULL;
    }
}

// The value that a text is; the text is released.
static json_t *value_of(cull_buf *text)
{
    json_t *value = text->failed ? NULL : json_loadb(text->s, text->n, 0, NULL);

    cull_buf_release(text);
    return value;
}

static json_t *use_json(const cull_use *use)
{
    cull_buf text = CULL_BUF_INIT;

    if (!use->plugin)
        return json_null();
    cull_settings_json(use->plugin, use->settings, &text);
    return json_pack("{s:o}", use->plugin->name, value_of(&text));
}

static json_t *number_json(double x)
{
    return isnan(x) ? json_null() : json_real(x);
}

static json_t *keep_json(const cull_keep *keep)
{
    if (keep->super)
        return json_string("super");
    json_t *list = json_array();
    for (size_t i = 0; i < keep->n; i++)
        append(&list, json_pack("[I, I]", (json_int_t)keep->at[i][0], (json_int_t)keep->at[i][1]));
    return list;
}

static json_t *stage_json(const cull_stage *stage)
{
    const bool keeps = stage->keep.place.file;
    json_t *share = isnan(stage->share) ? NULL : json_real(stage->share);
    json_t *keep = keeps ? keep_json(&stage->keep) : NULL;

    if ((!share && !isnan(stage->share)) || (!keep && keeps)) {
        json_decref(share);
        json_decref(keep);
        return NULL;
    }
    return json_pack("{s:o, s:o, s:o*, s:o*, s:b, s:s}", "criterion", use_json(&stage->criterion),
                     "strategy", use_json(&stage->strategy), "experts", share, "keep", keep,
                     "recalibrate", (int)stage->recalibrate, "propagate",
                     stage->propagate ? "pruned" : "dense");
}

static json_t *stages_json(const cull_method *method)
{
    json_t *list = json_array();

    for (size_t i = 0; method && i < method->n; i++)
        append(&list, stage_json(&method->stage[i]));
    return list;
}

static json_t *uses_json(size_t n, const cull_use *use)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++)
        append(&list, use_json(&use[i]));
    return list;
}

static json_t *layers_json(const cull_ints *layers)
{
    json_t *list = json_array();

    for (size_t i = 0; i < layers->n; i++)
        append(&list, json_integer(layers->at[i]));
    return list;
}

const cull_calibration_spec *cull_calibration_of(const cull_spec *spec, const cull_cell *cell)
{
    if (cell->calibration != CULL_NOT)
        return &spec->calibrations[cell->calibration];
    return spec->n_calibrations == 1 ? &spec->calibrations[0] : NULL;
}

static const cull_layers_spec *layers_spec(const cull_spec *spec, const cull_cell *cell)
{
    static const cull_layers_spec all = { 0 };

    if (cell->layers != CULL_NOT)
        return &spec->layers[cell->layers];
    return spec->n_layers == 1 ? &spec->layers[0] : &all;
}

// What the counts of the stages were searched by.
static json_t *searches_json(const cull_plan *plan, const cull_cell *cell)
{
    json_t *list = json_array();

    for (size_t i = cell->step; i != CULL_NOT; i = plan->step[i].before) {
        const cull_search *search = cull_search_of(plan, i);
        cull_buf text = CULL_BUF_INIT;
        if (!search)
            continue;
        cull_search_json(search, &text);
        append(&list, value_of(&text));
    }
    return list;
}

static json_t *settings_json(const cull_plan *plan, cull_precision precision, const cull_cell *cell)
{
    static const cull_calibration_spec nothing = { 0 };
    const cull_spec *spec = plan->spec;
    const cull_calibration_spec *given = cull_calibration_of(spec, cell);
    const cull_calibration_spec *calibration = given ? given : &nothing;
    const cull_layers_spec *layers = layers_spec(spec, cell);
    const cull_method *method = cell->method == CULL_NOT ? NULL : &spec->methods[cell->method];

    return json_pack(
        "{s:s, s:{s:s, s:o}, s:o, s:I, s:s*, s:o, s:o, s:s, s:I, s:o, s:{s:o, s:o}, s:s*, s:s, "
        "s:s}",
        // clang-format off
        "question", spec->question,
        "model", "name", spec->models[cell->model].name,
                 "backend", use_json(&spec->models[cell->model].backend),
        "calibrate", use_json(&calibration->data),
        "dense_rows", (json_int_t)calibration->dense_rows,
        "calibration", calibration->name,
        "method", stages_json(method),
        "sparsity", number_json(cell->sparsity),
        "allocation", cell->allocation ? cell->allocation : "",
        "seed", (json_int_t)cell->seed,
        "metrics", uses_json(spec->n_metrics, spec->metrics),
        "layers", "only", layers_json(&layers->only), "except", layers_json(&layers->except),
        "layers_name", layers->name,
        "precision", cull_precision_word(precision),
        "store", spec->store);
    // clang-format on
}

void cull_put_settings(cull_buf *out, const cull_plan *plan, cull_precision precision,
                       const cull_cell *cell)
{
    json_t *settings = settings_json(plan, precision, cell);
    json_t *searches = searches_json(plan, cell);

    if (!searches ||
        (json_array_size(searches) > 0 && json_object_set(settings, "searches", searches) != 0)) {
        json_decref(settings);
        settings = NULL;
    }
    json_decref(searches);
    cull_json_put(out, settings, JSON_COMPACT);
    json_decref(settings);
}
