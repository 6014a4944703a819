// What plugins get of this folder: "cull.math/1".
#ifndef CULL_MATH_SERVICE_H
#define CULL_MATH_SERVICE_H

#include <cull/ext/math.h>

extern const cull_math_ext cull_math_service;

#endif
