// What the commands ls, rm and gc share.
#ifndef CULL_CLI_KEPT_H
#define CULL_CLI_KEPT_H

#include "cli/cli.h"
#include "record/folder/inventory.h"

// Bytes of all files of a kind, and how many they are.
double cull_kept_sum(const cull_inventory *inventory, cull_kept_kind kind, size_t *n);

// Remove what is marked, saying each file; refused while a run is at work in the folder.
cull_status cull_kept_remove(cull_cli *cli, const char *folder, const cull_inventory *inventory,
                             const bool *marked, bool dry) CULL_MUST_CHECK;

// Mark the cuts and stages that none but marked trials use.
void cull_kept_mark_cuts(const cull_inventory *inventory, bool *marked);

// Mark the files of questions that none but marked trials ask.
void cull_kept_mark_questions(const cull_inventory *inventory, bool *marked);

#endif
