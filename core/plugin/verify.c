// Is a module's own description sound: names, tables, defaults within bounds?
#include "plugin/load.h"

#include <string.h>

#include "plugin/kind.h"
#include "plugin/settings.h"

bool cull_name_fine(const char *name, char joint)
{
    if (!name || name[0] < 'a' || name[0] > 'z')
        return false;
    for (const char *c = name; *c; c++)
        if (!(*c >= 'a' && *c <= 'z') && !(*c >= '0' && *c <= '9') && *c != joint)
            return false;
    return strlen(name) <= 64;
}

static size_t field_size(cull_type type)
{
    switch (type) {
    case CULL_BOOL:
        return sizeof(bool);
    case CULL_INT:
    case CULL_CHOICE:
        return sizeof(int64_t);
    case CULL_REAL:
        return sizeof(double);
    case CULL_TEXT:
    case CULL_PATH:
        return sizeof(const char *);
    case CULL_TEXTS:
    case CULL_PATHS:
        return sizeof(cull_texts);
    case CULL_INTS:
        return sizeof(cull_ints);
    }
    return 0;
}

static bool default_within(const cull_param *p)
{
    size_t n = 0;

    switch (p->type) {
    case CULL_INT:
    case CULL_REAL:
        return (p->flags & CULL_REQUIRED) || (p->def >= p->lo && p->def <= p->hi);
    case CULL_CHOICE:
        while (p->choices[n])
            n++;
        return p->def >= 0 && p->def < (double)n && p->def == (double)(size_t)p->def;
    default:
        return true;
    }
}

// What is wrong with one row of the table, or NULL.
static const char *wrong_with(const cull_plugin *plugin, const cull_param *p)
{
    const size_t size = field_size(p->type);

    if (!size)
        return "has a type that this Cull does not know";
    if (p->offset > plugin->settings_size || size > plugin->settings_size - p->offset)
        return "lies outside the settings struct";
    if (!p->doc || !*p->doc)
        return "has no text";
    if (p->type == CULL_CHOICE && (!p->choices || !p->choices[0]))
        return "has no choices";
    if ((p->type == CULL_INT || p->type == CULL_REAL) && !(p->lo <= p->hi))
        return "has bounds in the wrong order";
    if (!default_within(p))
        return "has a default outside its bounds";
    return NULL;
}

static cull_status verify_params(cull_ctx *ctx, const char *path, const cull_plugin *plugin)
{
    if (plugin->n_params && !plugin->params)
        return cull_fail(ctx, CULL_EPLUGIN, "%s: %s: a table of %zu settings that is not there",
                         path, plugin->name, plugin->n_params);
    for (size_t i = 0; i < plugin->n_params; i++) {
        const cull_param *p = cull_setting_at(plugin, i);
        if (!cull_name_fine(p->name, '_'))
            return cull_fail(ctx, CULL_EPLUGIN,
                             "%s: %s: setting %zu: \"%s\" is no name (lower case, digits, _)", path,
                             plugin->name, i, p->name ? p->name : "");
        if (cull_setting_find(plugin, p->name) != p)
            return cull_fail(ctx, CULL_EPLUGIN, "%s: %s: two settings are called \"%s\"", path,
                             plugin->name, p->name);
        const char *wrong = wrong_with(plugin, p);
        if (wrong)
            return cull_fail(ctx, CULL_EPLUGIN, "%s: %s: setting \"%s\" %s", path, plugin->name,
                             p->name, wrong);
    }
    return CULL_OK;
}

cull_status cull_plugin_verify(cull_ctx *ctx, const char *path, const cull_plugin *plugin)
{
    if (!cull_name_fine(plugin->name, '-'))
        return cull_fail(ctx, CULL_EPLUGIN, "%s: \"%s\" is no name (lower case, digits, hyphens)",
                         path, plugin->name ? plugin->name : "");
    if (!plugin->version || !*plugin->version || !plugin->brief || !*plugin->brief)
        return cull_fail(ctx, CULL_EPLUGIN, "%s: %s: %s is missing", path, plugin->name,
                         plugin->version && *plugin->version ? "brief" : "version");
    const char *lacks = cull_kind_lacks(plugin->kind, plugin->vtable);
    if (lacks)
        return cull_fail(ctx, CULL_EPLUGIN, "%s: %s: the %s's callback \"%s\" is missing", path,
                         plugin->name, cull_kind_name(plugin->kind), lacks);
    return verify_params(ctx, path, plugin);
}
