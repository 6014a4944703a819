// What turning a budget into a sparsity asks of a step and its model.
#include "plan/meet/meeting.h"

#include <math.h>
#include <string.h>

#include "plugin/settings.h"

void cull_meeting_refuse(const cull_meeting *m, const char *why)
{
    cull_problem_add(m->problems, m->step->budget->place, "method \"%s\" on model \"%s\": %s",
                     m->plan->spec->methods[m->step->method].name, m->s->spec->name, why);
}

bool cull_meeting_is_free(const cull_meeting *m, size_t l)
{
    const size_t choice = m->step->layers == CULL_NOT ? 0 : m->step->layers;

    return !m->s->frozen[choice * m->s->opened.facts->L + l];
}

bool cull_meeting_all_free(const cull_meeting *m)
{
    for (size_t l = 0; l < m->s->opened.facts->L; l++)
        if (m->s->layer[l]->E > 0 && !cull_meeting_is_free(m, l))
            return false;
    return true;
}

const void *cull_meeting_setting(const cull_step *step, const char *name, cull_type type)
{
    const cull_use *use = &step->spec->strategy;
    const cull_param *param = cull_setting_find(use->plugin, name);

    return param && param->type == type ? (const char *)use->settings + param->offset : NULL;
}

// Is a setting of the strategy's the word "equal"?
static bool is_equal(const cull_step *step, const char *name)
{
    const cull_param *param = cull_setting_find(step->spec->strategy.plugin, name);
    const int64_t *choice = cull_meeting_setting(step, name, CULL_CHOICE);

    return choice && strcmp(param->choices[*choice], "equal") == 0;
}

bool cull_meeting_narrows(const cull_step *step)
{
    return is_equal(step, "widths");
}

bool cull_meeting_levels(const cull_step *step)
{
    const uint32_t merged = 1u << CULL_ACTION_DROP | CULL_EMITS_MATRIX;

    return (step->emits & merged) == merged || is_equal(step, "groups");
}

static double units_of_layer(const cull_meeting *m, size_t l)
{
    const cull_layer_facts *layer = m->s->layer[l];

    switch (m->step->unit) {
    case CULL_UNIT_EXPERT:
        return (double)layer->E;
    case CULL_UNIT_CHANNEL:
        return (double)layer->F;
    case CULL_UNIT_WEIGHT: // of a row
        return fmax((double)m->s->opened.facts->D, (double)layer->F);
    default:
        return 1;
    }
}

double cull_meeting_units(const cull_meeting *m)
{
    double most = 0, all = 0;

    for (size_t l = 0; l < m->s->opened.facts->L; l++) {
        if (!cull_meeting_is_free(m, l))
            continue;
        most = fmax(most, units_of_layer(m, l));
        all += units_of_layer(m, l);
    }
    const bool ranked = m->step->unit == CULL_UNIT_EXPERT && m->step->scope == CULL_ALLOCATE_GLOBAL;
    return ranked || m->step->unit == CULL_UNIT_LAYER ? all : most;
}

double cull_least_sparsity(const cull_meeting *m, const void *arg, cull_saving *saved, double need)
{
    const double units = cull_meeting_units(m);

    for (double n = 0; n < units; n++)
        if (saved(m, arg, n / units) >= need)
            return n / units;
    return NAN;
}
