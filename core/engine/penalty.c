// What repeats what stood before becomes less likely.
#include "engine/penalty.h"

void cull_penalise(float penalty, size_t n, const cull_ids *list, bool *seen, float *logits)
{
    for (size_t l = 0; l < n; l++)
        for (size_t i = 0; i < list[l].n; i++) {
            const int32_t id = list[l].ids[i];
            if (!seen[id])
                logits[id] = logits[id] < 0 ? logits[id] * penalty : logits[id] / penalty;
            seen[id] = true;
        }
    for (size_t l = 0; l < n; l++)
        for (size_t i = 0; i < list[l].n; i++)
            seen[list[l].ids[i]] = false;
}
