// What is wrong with a request, in words.
#include "plugin/border/request.h"

#include <string.h>

#include "base/text.h"

const char *cull_request_fault(const cull_request *r)
{
    const uint32_t wants =
        CULL_WANT_GREEDY | CULL_WANT_TOKENS | CULL_WANT_KL | CULL_WANT_TOP1 | CULL_WANT_OVERLAP;

    if (r->kind != CULL_SCORE && r->kind != CULL_GENERATE)
        return "a request of an unknown kind";
    if (r->n == 0 || !r->ids)
        return "a request without token ids";
    if (r->kind == CULL_SCORE && (r->scored == 0 || r->scored >= r->n))
        return "a request that scores none of its ids, or all";
    if (r->kind == CULL_GENERATE && r->max_new == 0)
        return "a request for an answer of no ids";
    if (r->wants & ~wants)
        return "a request that wants what there is not";
    if (r->kind == CULL_GENERATE && r->wants)
        return "a request for an answer that wants what scores alone have";
    if (r->n_until > 0 && !r->until)
        return "a request with a number of stop strings, but none of them";
    for (size_t i = 0; i < r->n_until; i++)
        if (!r->until[i])
            return "a request with a stop string that is none";
        else if (!cull_utf8_valid(r->until[i], strlen(r->until[i])))
            return "a request with a stop string that is not UTF-8";
    return NULL;
}
