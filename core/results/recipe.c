// What made a trial's cut, whatever its seed. Trials of one name but different recipes are no
// repetitions of each other.
#include <jansson.h>
#include <string.h>

#include "base/json.h"
#include "results/load.h"

// Files go by their names: folders differ between machines.
static json_t *without_folders(const json_t *value)
{
    const char *key;
    json_t *one, *out;
    size_t i;

    if (json_is_string(value)) {
        const char *slash = strrchr(json_string_value(value), '/');
        return json_string(slash ? slash + 1 : json_string_value(value));
    }
    if (json_is_array(value)) {
        out = json_array();
        json_array_foreach(value, i, one) json_array_append_new(out, without_folders(one));
        return out;
    }
    if (!json_is_object(value))
        return json_deep_copy(value);
    out = json_object();
    json_object_foreach((json_t *)(uintptr_t)value, key, one)
        json_object_set_new(out, key, without_folders(one));
    return out;
}

static void put_recipe(cull_buf *out, const json_t *all, bool calibrated)
{
    static const char *const keys[] = { "method", "layers", "store", "calibrate", "dense_rows" };
    json_t *own = json_object();

    for (size_t i = 0; i < (calibrated ? 5 : 3); i++) {
        const json_t *value = json_object_get(all, keys[i]);
        if (value)
            json_object_set_new(own, keys[i], without_folders(value));
    }
    cull_json_put(out, own, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(own);
}

cull_status cull_read_recipe(cull_ctx *ctx, cull_h5_in *file, cull_frame_trial *trial)
{
    const char *calibration = "";
    cull_h5_shape shape;
    const void *data;

    trial->recipe = "";
    if (!cull_h5_has(file, "/provenance/config_resolved"))
        return CULL_OK;
    CULL_TRY(cull_h5_get_text(file, "/", "calibration_id", &calibration));
    CULL_TRY(cull_h5_get(file, "/provenance/config_resolved", 's', &shape, &data));
    if (shape.n == 0)
        return CULL_OK;
    const char *config = *(const char *const *)data;
    cull_buf text = CULL_BUF_INIT;
    json_t *all;
    CULL_TRY(cull_json_stored(ctx, config, &all));
    put_recipe(&text, all, *calibration);
    json_decref(all);
    trial->recipe =
        text.failed ? NULL : cull_arena_copy(cull_context_of(ctx)->alloc, text.s, text.n);
    cull_buf_release(&text);
    if (!trial->recipe)
        return cull_no_memory(ctx);
    return cull_settings_of(ctx, config, *calibration, &trial->settings);
}
