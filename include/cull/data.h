// A data reader yields sequences of token ids.
#ifndef CULL_DATA_H
#define CULL_DATA_H

#include <cull/text.h>

typedef struct cull_sequence {
    uint32_t size; // sizeof(cull_sequence), in every one
    const int32_t *ids;
    size_t n;
    const char *source; // where it comes from: "facts.calibration.txt", for reports
    size_t ordinal;     // within its source
    const char *chat_template; // hash of the template that the row was rendered through; NULL: none is known
} cull_sequence;

typedef struct cull_sequences {
    uint32_t size;
    size_t n;
    cull_sequence *at; // (n), host->alloc
} cull_sequences;

typedef struct cull_data {
    uint32_t size;
    // (optional) whether these settings draw on the seed
    bool (*random)(const void *settings);
    cull_status (*load)(cull_ctx *, const void *settings, const cull_text *, cull_sequences *out);
} cull_data;

#endif
