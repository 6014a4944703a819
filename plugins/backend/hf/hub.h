// Where a model's folder is.
#ifndef HF_HUB_H
#define HF_HUB_H

#include <cull/cull.h>

// `path` if it is a folder; else its last two parts, "org/name", looked up in the local Hub cache
// ($HF_HUB_CACHE, $HF_HOME/hub, ~/.cache/huggingface/hub), in the revision that refs/main names.
cull_status hf_hub_folder(cull_ctx *, const char *path, const char **folder);

#endif
