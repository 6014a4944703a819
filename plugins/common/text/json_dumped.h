// What jansson writes as a text, let go.
#ifndef COMMON_JSON_DUMPED_H
#define COMMON_JSON_DUMPED_H

#include <jansson.h>

// A text of json_dumps; NULL is fine. It is not free's: the program counts what jansson takes
// (json_set_alloc_funcs), and --memory would count it for ever.
static inline void json_free_dumped(char *text)
{
    json_malloc_t give;
    json_free_t take;

    json_get_alloc_funcs(&give, &take);
    take(text);
}

#endif
