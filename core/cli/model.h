// MODEL on the command line: a folder, or the id of a model in the local Hugging Face Hub cache.
#ifndef CULL_CLI_MODEL_H
#define CULL_CLI_MODEL_H

#include "cli/cli.h"
#include "flow/export.h"

// Opens MODEL with the backend `hf` (`what`: CULL_OPEN_*) and warns of what it leaves out. Close in
// any case.
cull_status cull_model_open(cull_cli *cli, const char *model, uint32_t what,
                            cull_prepared_model *out) CULL_MUST_CHECK;
// The same without warnings: for whoever shows the notes.
cull_status cull_model_examine(cull_cli *cli, const char *model, uint32_t what,
                               cull_prepared_model *out) CULL_MUST_CHECK;

// The recipe's cut for an opened model. With --memory, or where it would take more than half of
// what is free, its large matrices are in files beside `out`, what the command is to write, and of
// them a layer at a time is in memory.
cull_status cull_model_cut(cull_cli *cli, const cull_recipe *recipe,
                           const cull_prepared_model *prepared, const char *out,
                           cull_cut **cut) CULL_MUST_CHECK;
// Where files go that nobody asked for: TMPDIR, or /tmp.
const char *cull_temporary_folder(void);

#endif
