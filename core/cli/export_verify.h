// export --verify: is what was written what the trial measured?
#ifndef CULL_CLI_EXPORT_VERIFY_H
#define CULL_CLI_EXPORT_VERIFY_H

#include "cli/cli.h"
#include "plan/cost/memory.h"

// Evaluates the checkpoint in `folder` by the metrics of a trial, and compares with its record.
// Metrics that compare with the dense model are left out, with a word. CULL_ENUMERIC: a value
// differs by more than 1e-4 of it.
cull_status cull_verify_metrics(cull_cli *cli, const char *trial,
                                const char *folder) CULL_MUST_CHECK;

// Before anything is written: CULL_EENV where --memory is less than `writing` needs, or what these
// metrics do on the trial's own model, in `folder`.
cull_status cull_verify_fits(cull_cli *cli, const char *trial, const char *folder,
                             const cull_memory_need *writing) CULL_MUST_CHECK;

#endif
