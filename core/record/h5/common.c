// What reading and writing HDF5 share: quiet errors, and what the first one said.
#include "record/h5/common.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crash.h"

void cull_h5_enter(const char *path)
{
    cull_crash_enter((cull_calling){ CULL_CRASH_LIBRARY, "HDF5", path, SIZE_MAX });
}

void cull_h5_quiet(const char *path)
{
    cull_h5_enter(path);
    (void)H5dont_atexit(); // its cleaning up fails again, badly, on a file that could not be closed
    (void)H5open();
    (void)H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    (void)H5PLset_loading_state(0);
    (void)cull_crash_leave();
}

static herr_t keep_first(unsigned depth, const H5E_error2_t *error, void *why)
{
    if (depth == 0 && error->desc)
        snprintf(why, CULL_SENTENCE / 2, "%s", error->desc);
    return 0;
}

const char *cull_h5_why(cull_ctx *ctx)
{
    char *why = cull_arena_alloc(cull_context_of(ctx)->scratch, CULL_SENTENCE / 2, 1);

    if (!why)
        return "out of memory";
    if (H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_first, why) < 0 || !*why)
        return "no reason given";

    // "file write failed: time = …, errno = 28, error message = 'No space left on device', …"
    const char *number = strstr(why, "errno = ");
    const long code = number ? strtol(number + strlen("errno = "), NULL, 10) : 0;
    if (code > 0)
        snprintf(why, CULL_SENTENCE / 2, "%s", strerror((int)code));
    return why;
}

static herr_t find_lack(unsigned depth, const H5E_error2_t *error, void *lacked)
{
    (void)depth;
    *(bool *)lacked |= error->min_num == H5E_NOSPACE || error->min_num == H5E_CANTALLOC;
    return 0;
}

bool cull_h5_lacked_memory(void)
{
    bool lacked = false;

    return H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, find_lack, &lacked) < 0 || lacked;
}

hid_t cull_h5_text_type(void)
{
    const hid_t type = H5Tcopy(H5T_C_S1);

    if (type < 0 || H5Tset_size(type, H5T_VARIABLE) < 0 || H5Tset_cset(type, H5T_CSET_UTF8) < 0)
        return -1;
    return type;
}

hid_t cull_h5_memory_type(char type)
{
    switch (type) {
    case 'd':
        return H5T_NATIVE_DOUBLE;
    case 'f':
        return H5T_NATIVE_FLOAT;
    case 'i':
        return H5T_NATIVE_INT64;
    case 'n':
        return H5T_NATIVE_INT32;
    case 'u':
        return H5T_NATIVE_UINT64;
    case 'b':
        return H5T_NATIVE_UINT8;
    default:
        return -1;
    }
}

size_t cull_h5_size(char type)
{
    switch (type) {
    case 'f':
    case 'n':
        return 4;
    case 'b':
        return 1;
    case 's':
        return sizeof(char *);
    default:
        return 8;
    }
}
