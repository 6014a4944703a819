// The components of a tokenizer, whatever file they stand in.
#include "parts.h"

cull_status tk_components_read(const tk_node *root, hf_tokenizer *tk)
{
    const tk_node normalizer = tk_field(root, "normalizer"),
                  split = tk_field(root, "pre_tokenizer");
    const tk_node post = tk_field(root, "post_processor"), decoder = tk_field(root, "decoder");

    CULL_TRY(tk_normalizers_read(&normalizer, &tk->patterns, &tk->normalizers));
    CULL_TRY(tk_steps_read(&split, &tk->patterns, &tk->steps));
    CULL_TRY(tk_post_read(&post, &tk->post));
    tk->has_decoder = !tk_absent(&decoder);
    return tk_decoders_read(&decoder, &tk->patterns, &tk->decoders);
}
