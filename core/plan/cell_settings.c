// A cell's settings, all defaults included, as JSON.
#include "plan/cell_settings.h"

#include <math.h>
#include <string.h>

#include "plugin/settings.h"
#include "spec/search.h"

static void put_use(cull_buf *out, const cull_use *use)
{
    if (!use->plugin) {
        cull_buf_puts(out, "null");
        return;
    }
    cull_buf_puts(out, "{");
    cull_buf_json(out, use->plugin->name, strlen(use->plugin->name));
    cull_buf_puts(out, ":");
    cull_settings_json(use->plugin, use->settings, out);
    cull_buf_puts(out, "}");
}

static void put_name(cull_buf *out, const char *key, const char *text)
{
    cull_buf_printf(out, "\"%s\":", key);
    cull_buf_json(out, text, strlen(text));
}

static void put_stage(cull_buf *out, const cull_stage *stage)
{
    cull_buf_puts(out, "{\"criterion\":");
    put_use(out, &stage->criterion);
    cull_buf_puts(out, ",\"strategy\":");
    put_use(out, &stage->strategy);
    if (!isnan(stage->share))
        cull_buf_printf(out, ",\"experts\":%.17g", stage->share);
    cull_buf_printf(out, ",\"recalibrate\":%s,\"propagate\":\"%s\"}",
                    stage->recalibrate ? "true" : "false", stage->propagate ? "pruned" : "dense");
}

static void put_layer_list(cull_buf *out, const char *key, const cull_ints *layers)
{
    cull_buf_printf(out, "\"%s\":[", key);
    for (size_t i = 0; i < layers->n; i++)
        cull_buf_printf(out, "%s%lld", i ? "," : "", (long long)layers->at[i]);
    cull_buf_puts(out, "]");
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

static void put_calibration(cull_buf *out, const cull_calibration_spec *calibration)
{
    static const cull_use none = { 0 };
    cull_buf_puts(out, "\"calibrate\":");
    put_use(out, calibration ? &calibration->data : &none);
    cull_buf_printf(out, ",\"dense_rows\":%lld",
                    (long long)(calibration ? calibration->dense_rows : 0));
    if (calibration && calibration->name) {
        cull_buf_puts(out, ",");
        put_name(out, "calibration", calibration->name);
    }
}

static void put_layers(cull_buf *out, const cull_layers_spec *layers)
{
    cull_buf_puts(out, "\"layers\":{");
    put_layer_list(out, "only", &layers->only);
    cull_buf_puts(out, ",");
    put_layer_list(out, "except", &layers->except);
    cull_buf_puts(out, "}");
    if (layers->name) {
        cull_buf_puts(out, ",");
        put_name(out, "layers_name", layers->name);
    }
}

// What the counts of the stages were searched by.
static void put_searches(cull_buf *out, const cull_plan *plan, const cull_cell *cell)
{
    size_t n = 0;
    for (size_t i = cell->step; i != CULL_NOT; i = plan->step[i].before) {
        const cull_search *search = cull_search_of(plan, i);
        if (!search)
            continue;
        cull_buf_puts(out, n++ ? "," : ",\"searches\":[");
        cull_search_json(search, out);
    }
    cull_buf_puts(out, n ? "]" : "");
}

void cull_put_settings(cull_buf *out, const cull_plan *plan, cull_precision precision,
                       const cull_cell *cell)
{
    const cull_spec *spec = plan->spec;
    cull_buf_puts(out, "{");
    put_name(out, "question", spec->question);
    cull_buf_puts(out, ",\"model\":{");
    put_name(out, "name", spec->models[cell->model].name);
    cull_buf_puts(out, ",\"backend\":");
    put_use(out, &spec->models[cell->model].backend);
    cull_buf_puts(out, "},");
    put_calibration(out, cull_calibration_of(spec, cell));
    cull_buf_puts(out, ",\"method\":[");
    for (size_t i = 0; cell->method != CULL_NOT && i < spec->methods[cell->method].n; i++) {
        cull_buf_puts(out, i ? "," : "");
        put_stage(out, &spec->methods[cell->method].stage[i]);
    }
    if (isnan(cell->sparsity))
        cull_buf_puts(out, "],\"sparsity\":null,");
    else
        cull_buf_printf(out, "],\"sparsity\":%.17g,", cell->sparsity);
    put_name(out, "allocation", cell->allocation ? cell->allocation : "");
    put_searches(out, plan, cell);
    cull_buf_printf(out, ",\"seed\":%llu,\"metrics\":[", (unsigned long long)cell->seed);
    for (size_t i = 0; i < spec->n_metrics; i++) {
        cull_buf_puts(out, i ? "," : "");
        put_use(out, &spec->metrics[i]);
    }
    cull_buf_puts(out, "],");
    put_layers(out, layers_spec(spec, cell));
    cull_buf_puts(out, ",");
    put_name(out, "precision", cull_precision_word(precision));
    cull_buf_puts(out, ",");
    put_name(out, "store", spec->store);
    cull_buf_puts(out, "}");
}
