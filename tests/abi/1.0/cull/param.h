// A settings table: one static array per plugin, one row a setting.
//
// The table drives everything that concerns settings: reading and checking YAML, `cull describe`, the
// generated docs, and the content keys. A plugin's functions receive a pointer to its settings struct,
// filled from the experiment; a setting that the experiment leaves out has its default.
//
//   struct settings { double damp; int64_t block; const char *linkage; };
//   static const cull_param params[] = {
//       CULL_P_REAL(struct settings, damp, 0.01, 0.0, 1.0, "added to the Hessian's diagonal"),
//       …
//   };
#ifndef CULL_PARAM_H
#define CULL_PARAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum cull_type {
    CULL_BOOL,   // bool
    CULL_INT,    // int64_t
    CULL_REAL,   // double
    CULL_TEXT,   // const char *, NULL when left out and without default
    CULL_PATH,   // const char *, made absolute; relative to the experiment file
    CULL_CHOICE, // int64_t: index into `choices`
    CULL_TEXTS,  // cull_texts: a list of texts, or one
    CULL_PATHS,  // cull_texts: a list of files or globs, or one; expanded, sorted; none: an error
    CULL_INTS,   // cull_ints: a list of integers, or one
} cull_type;

typedef struct cull_texts { // fixed, as cull_ints
    size_t n;
    const char *const *at;
} cull_texts;

typedef struct cull_ints {
    size_t n;
    const int64_t *at;
} cull_ints;

enum {
    CULL_REQUIRED = 1u, // no default: leaving it out is an error
    CULL_NO_KEY = 2u,   // does not change results, so is no part of a content key
};

typedef struct cull_param {
    const char *name, *doc, *unit;
    cull_type type;
    uint32_t flags;
    size_t offset; // of its field in the settings struct
    double lo, hi; // bounds, inclusive (INT, REAL)
    double def;    // BOOL, INT, REAL, CHOICE
    const char *def_text;
    const char *const *choices; // NULL-terminated (CHOICE)
} cull_param;

// Offset of settings field f; a field of another type does not compile.
#if defined(__cplusplus)
#define CULL_FIELD(S, f, T) offsetof(S, f)
#else
#define CULL_FIELD(S, f, T) (offsetof(S, f) + 0 * sizeof(char[_Generic(((S *)0)->f, T : 1)]))
#endif

// Wide bounds for integers and reals without any; every int64_t up to 2^53 passes.
#define CULL_ANY_LO (-9007199254740992.0)
#define CULL_ANY_HI 9007199254740992.0

#define CULL_P_BOOL(S, f, d, text)                                                                 \
    {                                                                                              \
        .name = #f, .doc = text, .type = CULL_BOOL, .offset = CULL_FIELD(S, f, bool), .def = (d)   \
    }
#define CULL_P_INT(S, f, d, min, max, text)                                                        \
    {                                                                                              \
        .name = #f, .doc = text, .type = CULL_INT, .offset = CULL_FIELD(S, f, int64_t),            \
        .lo = (double)(min), .hi = (double)(max), .def = (double)(d)                               \
    }
#define CULL_P_REAL(S, f, d, min, max, text)                                                       \
    {                                                                                              \
        .name = #f, .doc = text, .type = CULL_REAL, .offset = CULL_FIELD(S, f, double),            \
        .lo = (min), .hi = (max), .def = (d)                                                       \
    }
#define CULL_P_TEXT(S, f, d, fl, text)                                                             \
    {                                                                                              \
        .name = #f, .doc = text, .type = CULL_TEXT, .flags = (fl),                                 \
        .offset = CULL_FIELD(S, f, const char *), .def_text = (d)                                  \
    }
#define CULL_P_PATH(S, f, fl, text)                                                                \
    {                                                                                              \
        .name = #f, .doc = text, .type = CULL_PATH, .flags = (fl),                                 \
        .offset = CULL_FIELD(S, f, const char *)                                                   \
    }
#define CULL_P_CHOICE(S, f, d, list, text)                                                         \
    {                                                                                              \
        .name = #f, .doc = text, .type = CULL_CHOICE, .offset = CULL_FIELD(S, f, int64_t),         \
        .def = (double)(d), .choices = (list)                                                      \
    }
#define CULL_P_TEXTS(S, f, fl, text)                                                               \
    {                                                                                              \
        .name = #f, .doc = text, .type = CULL_TEXTS, .flags = (fl),                                \
        .offset = CULL_FIELD(S, f, cull_texts)                                                     \
    }
#define CULL_P_PATHS(S, f, fl, text)                                                               \
    {                                                                                              \
        .name = #f, .doc = text, .type = CULL_PATHS, .flags = (fl),                                \
        .offset = CULL_FIELD(S, f, cull_texts)                                                     \
    }
#define CULL_P_INTS(S, f, fl, text)                                                                \
    {                                                                                              \
        .name = #f, .doc = text, .type = CULL_INTS, .flags = (fl),                                 \
        .offset = CULL_FIELD(S, f, cull_ints)                                                      \
    }

#endif
