// The arguments of commands that read results: folders, and what of them is wanted.
#ifndef CULL_CLI_FOLDERS_H
#define CULL_CLI_FOLDERS_H

#include "cli/cli.h"
#include "results/frame.h"

typedef struct cull_folders {
    size_t n;
    const char **at;
    size_t n_where;
    const char **where;
} cull_folders;

enum { CULL_FOLDERS_WHERE = 0x400 };

// An entry of a command's options.
#define CULL_FOLDERS_OPTION                                                                        \
    {                                                                                              \
        "where", CULL_FOLDERS_WHERE, "KEY=VALUE", CULL_MAY_REPEAT,                                 \
            "only what meets this, as method=reap,wanda or sparsity=0.5..0.7 or criterion!=rand* " \
            "or length=1024 or rows_per_file=4; may be repeated",                                  \
            0                                                                                      \
    }

// What a command's parser does not know itself.
error_t cull_folders_parse(int key, char *arg, struct argp_state *state, cull_folders *folders);

// One more condition, borrowed; false: no memory.
bool cull_folders_where(cull_folders *folders, const char *condition);

cull_status cull_folders_load(cull_ctx *ctx, const cull_folders *folders,
                              cull_frame *out) CULL_MUST_CHECK;
void cull_folders_release(cull_folders *folders);

#endif
