// Who speaks, and the ranks begun before the program has threads.
#include "cli/ranks.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int cull_cli_hush_ranks(void)
{
    if (cull_ranks_launched_as() == 0)
        return STDERR_FILENO;
    const int voice = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0),
              nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

    if (nowhere < 0)
        return STDERR_FILENO;
    (void)dup2(nowhere, STDOUT_FILENO);
    (void)dup2(nowhere, STDERR_FILENO);
    (void)close(nowhere);
    return voice < 0 ? STDERR_FILENO : voice;
}

cull_status cull_cli_ranks(cull_cli *cli, const cull_ranks_options *options)
{
    char why[CULL_SENTENCE];
    const cull_status status = cull_ranks_begin(options, why, &cli->ranks);

    if (status != CULL_OK && why[0])
        (void)dprintf(options->voice, "error: %s\n", why);
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
