// Statuses: what a function that can fail returns.
//
// A status is 0 (CULL_OK) or negative. The sentence that explains a failure travels beside it, in the
// call's context: a function that returns anything but CULL_OK has called cull_host.fail() exactly once,
// at the place where the failure happened; callers only pass the status on.
#ifndef CULL_STATUS_H
#define CULL_STATUS_H

// X(name, value, what it says)
#define CULL_STATUSES(X)                                                                           \
    X(OK, 0, "done")                                                                               \
    X(EINVAL, -1, "a value that makes no sense here")                                              \
    X(ENOMEM, -2, "out of memory")                                                                 \
    X(EIO, -3, "a file could not be read or written")                                              \
    X(EFORMAT, -4, "a file is not what it claims to be")                                           \
    X(ENOTSUP, -5, "not supported")                                                                \
    X(ENUMERIC, -6, "a number that is not finite")                                                 \
    X(EBUDGET, -7, "a cut outside its budget")                                                     \
    X(ECANCELED, -8, "interrupted")                                                                \
    X(EPLUGIN, -9, "a plugin broke its contract")                                                  \
    X(EUSAGE, -10, "a wrong command line or experiment")                                           \
    X(EENV, -11, "the environment lacks something")

typedef enum cull_status {
#define CULL_STATUS_ENUM(name, value, text) CULL_##name = value,
    CULL_STATUSES(CULL_STATUS_ENUM)
#undef CULL_STATUS_ENUM
} cull_status;

#if defined(__GNUC__)
#define CULL_MUST_CHECK __attribute__((warn_unused_result))
#define CULL_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define CULL_MUST_CHECK
#define CULL_PRINTF(f, a)
#endif

// CULL_TRY(f(…)): return from a function when f fails.
#define CULL_TRY(call)                                                                             \
    do {                                                                                           \
        const cull_status cull_try_ = (call);                                                      \
        if (cull_try_ != CULL_OK)                                                                  \
            return cull_try_;                                                                      \
    } while (0)

#endif
