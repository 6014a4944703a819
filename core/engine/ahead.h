// Reading ahead: a thread of a run's own asks the system for the pages of layers to come.
//
// Asking blocks where the device's queue is full, for nearly as long as reading takes: so no thread
// that computes does it. A wish that is not begun when the next one comes is dropped: whoever
// computes has come to it by then.
#ifndef CULL_ENGINE_AHEAD_H
#define CULL_ENGINE_AHEAD_H

#include "plugin/open_model.h"

typedef struct cull_ahead cull_ahead;

// NULL: the backend cannot, or there is no thread to be had; then nothing is read ahead. The model
// outlives it.
cull_ahead *cull_ahead_new(const cull_open_model *m);
// Layers [first, end), in this order, soon. NULL: nothing is done. [coordinator]
void cull_ahead_want(cull_ahead *, size_t first, size_t end);
// Waits for the layer in hand. NULL is fine.
void cull_ahead_free(cull_ahead *);

#endif
