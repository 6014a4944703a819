// Names that several families share.
#ifndef HF_NAMES_H
#define HF_NAMES_H

#include "arch.h"

#define HF_CONSTANTS_NAME "mlp.experts.constants"

// Layout A, Mixtral's; and what transformers 5 calls both layouts in memory.
#define HF_EXPERTS_W123                                                                            \
    {                                                                                              \
        HF_EACH,                                                                                   \
        {                                                                                          \
            "block_sparse_moe.experts.*.w1", "block_sparse_moe.experts.*.w3",                      \
                "block_sparse_moe.experts.*.w2"                                                    \
        }                                                                                          \
    }
// Layout B.
#define HF_EXPERTS_PROJ                                                                            \
    {                                                                                              \
        HF_EACH,                                                                                   \
        {                                                                                          \
            "mlp.experts.*.gate_proj", "mlp.experts.*.up_proj", "mlp.experts.*.down_proj"          \
        }                                                                                          \
    }
#define HF_EXPERTS_FUSED                                                                           \
    {                                                                                              \
        HF_ROWS,                                                                                   \
        {                                                                                          \
            "mlp.experts.gate_up_proj", NULL, "mlp.experts.down_proj"                              \
        }                                                                                          \
    }
#define HF_DENSE_PROJ                                                                              \
    {                                                                                              \
        "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"                                            \
    }
#define HF_SHARED_PROJ                                                                             \
    {                                                                                              \
        "mlp.shared_experts.gate_proj", "mlp.shared_experts.up_proj",                              \
            "mlp.shared_experts.down_proj"                                                         \
    }

#endif
