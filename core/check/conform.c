// The contract of all plugins: names, tables, defaults, bounds.
#include "check/conform.h"

#include <string.h>

#include "base/text.h"
#include "plugin/kind.h"
#include "plugin/settings.h"

enum { LONGEST_BRIEF = 100 };

static bool is_text(const char *text)
{
    return text && *text && cull_utf8_valid(text, strlen(text));
}

static void check_params(const cull_examiner *examiner, const cull_plugin *plugin)
{
    size_t faults = 0;

    for (size_t i = 0; i < plugin->n_params; i++) {
        const cull_param *p = cull_setting_at(plugin, i);
        if (is_text(p->doc))
            continue;
        faults++;
        cull_verdict_say(examiner, CULL_FAULT, "setting \"%s\" has no proper text", p->name);
    }
    if (!faults)
        cull_verdict_say(examiner, CULL_FINE,
                         "the settings table is complete, its defaults are within bounds");
}

void cull_conform_texts(const cull_examiner *examiner, const cull_plugin *plugin)
{
    const size_t brief = strlen(plugin->brief);

    check_params(examiner, plugin);
    cull_verdict_say(examiner, is_text(plugin->doc) ? CULL_FINE : CULL_FAULT,
                     is_text(plugin->doc) ? "it says what it computes"
                                          : "doc is missing: what it computes, its cost");
    cull_verdict_say(examiner, is_text(plugin->cite) ? CULL_FINE : CULL_FAULT,
                     is_text(plugin->cite) ? "it says where the method comes from"
                                           : "cite is missing: where the method comes from");
    if (brief > LONGEST_BRIEF || strchr(plugin->brief, '\n') || !is_text(plugin->brief))
        cull_verdict_say(examiner, CULL_FAULT, "brief is not one line of up to %d bytes",
                         LONGEST_BRIEF);
    else
        cull_verdict_say(examiner, CULL_FINE, "it says in one line what it is");
}

void cull_conform_runs(const cull_examiner *examiner, const cull_plugin *plugin)
{
    if (plugin->kind == CULL_METRIC || plugin->kind == CULL_DATA) {
        cull_conform_reader(examiner, plugin);
        return;
    }
    for (size_t i = 0; i < plugin->n_params; i++)
        if (cull_setting_at(plugin, i)->flags & CULL_REQUIRED) {
            cull_verdict_say(examiner, CULL_UNTESTED, "how it behaves: \"%s\" has no default",
                             cull_setting_at(plugin, i)->name);
            return;
        }
    if (plugin->kind == CULL_CRITERION)
        cull_conform_criterion(examiner, plugin);
    else if (plugin->kind == CULL_STRATEGY)
        cull_conform_strategy(examiner, plugin);
    else
        cull_verdict_say(examiner, CULL_UNTESTED, "how a %s behaves: that takes a model",
                         cull_kind_name(plugin->kind));
}
