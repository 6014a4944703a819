// export --verify: is what was written what the trial measured?
#ifndef CULL_CLI_EXPORT_VERIFY_H
#define CULL_CLI_EXPORT_VERIFY_H

#include "cli/cli.h"

// Evaluates the checkpoint in `folder` by the metrics of a trial, and compares with its record.
// Metrics that compare with the dense model are left out, with a word. CULL_ENUMERIC: a value
// differs by more than 1e-4 of it.
cull_status cull_verify_metrics(cull_cli *cli, const char *trial,
                                const char *folder) CULL_MUST_CHECK;

#endif
