// Who speaks, and the ranks begun before the program has threads.
#include "cli/ranks.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

void cull_cli_hush_ranks(void)
{
    if (cull_ranks_launched_as() == 0)
        return;
    const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere < 0)
        return;
    (void)dup2(nowhere, STDOUT_FILENO);
    (void)dup2(nowhere, STDERR_FILENO);
    (void)close(nowhere);
}

cull_status cull_cli_ranks(cull_cli *cli, const cull_ranks_options *options)
{
    char why[CULL_SENTENCE];
    const cull_status status = cull_ranks_begin(options, why, &cli->ranks);

    if (status != CULL_OK)
        fprintf(stderr, "error: %s\n", why);
    return status;
}

bool cull_parse_ranks(const char *word, cull_ranks_wish *out)
{
    static const char *const words[] = {
        [CULL_RANKS_AUTO] = "auto", [CULL_RANKS_MPI] = "mpi", [CULL_RANKS_NONE] = "none"
    };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i], word) == 0) {
            *out = (cull_ranks_wish)i;
            return true;
        }
    return false;
}
