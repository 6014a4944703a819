// A trial's searches: every candidate that was tried for its counts.
#include <stdio.h>

#include "record/trial_groups.h"

_Static_assert(sizeof(size_t) == sizeof(int64_t), "counts are written as they stand in memory");

static void put_search(cull_h5 *file, const char *group, const cull_search_found *s)
{
    cull_h5_group(file, group);
    cull_h5_text(file, group, "settings", s->settings);
    cull_h5_text(file, group, "fitness_of", s->fitness);
    if (s->n == 0)
        return;
    cull_h5_put(file, group,
                &(cull_h5_array){ .name = "gone",
                                  .type = 'i',
                                  .rank = 2,
                                  .dims = { "candidate", "layer" },
                                  .shape = { s->n, s->L },
                                  .data = s->gone,
                                  .doc = "experts that go of each layer" });
    cull_h5_put(file, group,
                &(cull_h5_array){ .name = "fitness",
                                  .type = 'd',
                                  .rank = 1,
                                  .dims = { "candidate" },
                                  .shape = { s->n },
                                  .data = s->score,
                                  .doc = "the value, or minus it where less is better" });
    cull_h5_put(file, group,
                &(cull_h5_array){ .name = "generation",
                                  .type = 'i',
                                  .rank = 1,
                                  .dims = { "candidate" },
                                  .shape = { s->n },
                                  .data = s->generation });
}

void cull_put_searches(cull_h5 *file, size_t n, const cull_search_found *searches)
{
    for (size_t i = 0; i < n; i++) {
        char group[32] = "/search";
        if (i > 0)
            snprintf(group, sizeof group, "/search.%zu", i + 1);
        put_search(file, group, &searches[i]);
    }
}
