// Who computes what, where several runs work in one folder.
//
// Each run has a file, <folder>/claims/<host>.<pid>.<chance>.run: a JSON object of its host,
// process, pid namespace, boot id and start. A claim on a key is a hard link to that file under the
// name <key>.claim, made exclusively, so that it has an owner from its first moment on; where a
// file system has no links it is a file of the same content, created exclusively. A thread touches
// the run's file every ten seconds: its beat.
//
// A run is dead when its file is gone; on this host (the same boot id and pid namespace) when its
// process is; elsewhere when its beat is older than CULL_CLAIM_STALE seconds, by the clock of the
// file system. Who finds the owner of a claim dead links <key>.after.<file of the dead run>,
// exclusively again, and is then the owner: of several heirs one wins, and nobody removes what
// another has just made.
//
// Who has got a claim must look once more whether what it wants has been published meanwhile, and
// publishes before letting go. Nobody waits for a calibration or a cut while holding one.
#ifndef CULL_RECORD_FOLDER_CLAIMS_H
#define CULL_RECORD_FOLDER_CLAIMS_H

#include "base/context.h"

enum { CULL_CLAIM_BEAT = 10, CULL_CLAIM_STALE = 120 }; // seconds

typedef struct cull_claims cull_claims;

// Enter `folder`, which is there: the run's file, its beat. What no living run can want is removed.
cull_status cull_claims_open(cull_ctx *ctx, const char *folder, cull_claims **out) CULL_MUST_CHECK;
// Let go of everything. NULL is fine.
void cull_claims_close(cull_claims *claims);

// Is `key` (letters, digits, '-') this run's from now on, or already? [one thread]
cull_status cull_claim(cull_ctx *ctx, cull_claims *claims, const char *key,
                       bool *mine) CULL_MUST_CHECK;
// Let go of it, where it is this run's still.
void cull_claim_release(cull_claims *claims, const char *key);

// Living runs in the folder, this one among them.
size_t cull_claims_runs(cull_claims *claims);
// Is any run at work in `folder`? For those that have not entered it.
bool cull_claims_any(cull_ctx *ctx, const char *folder);

#endif
