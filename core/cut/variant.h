// The service "cull.variant/1" (cull/ext/variant.h): a variant's matrices as numbers.
#ifndef CULL_CUT_VARIANT_H
#define CULL_CUT_VARIANT_H

#include <cull/ext/variant.h>

extern const cull_variant_ext cull_variant_service;

#endif
