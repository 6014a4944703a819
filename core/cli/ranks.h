// `cull run` as one of several ranks.
#ifndef CULL_CLI_RANKS_H
#define CULL_CLI_RANKS_H

#include "cli/cli.h"
#include "ranks/ranks.h"

// Before anything is said: what all ranks would say is said by the first. Returns a file descriptor
// that still reaches the terminal, for what only this rank can say.
int cull_cli_hush_ranks(void);

// Before cull_cli_begin. On failure the reason is printed. cull_ranks_end in any case.
cull_status cull_cli_ranks(cull_cli *cli, const cull_ranks_options *options) CULL_MUST_CHECK;

// "auto", "mpi" or "none".
bool cull_parse_ranks(const char *word, cull_ranks_wish *out);

#endif
