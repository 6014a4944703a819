// large-cut FOLDER CUT.safetensors: a Mixtral checkpoint whose weights are drawn, and a cut that
// merges its experts in pairs, both far larger than any of their layers.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/safetensors.h"
#include "cut/cut_file.h"
#include "support/fake_host.h"
#include "support/test.h"

enum { LAYERS = 20, D = 256, F = 512, E = 16, V = 1024, NAME = 96, MATRIX = F * D };

static const char config[] =
    "{\"architectures\": [\"MixtralForCausalLM\"], \"model_type\": \"mixtral\", \"dtype\": "
    "\"bfloat16\", \"hidden_size\": %d, \"intermediate_size\": %d, \"num_local_experts\": %d, "
    "\"num_experts_per_tok\": 2, \"num_hidden_layers\": %d, \"num_attention_heads\": 4, "
    "\"num_key_value_heads\": 2, \"head_dim\": 64, \"vocab_size\": %d, \"hidden_act\": \"silu\", "
    "\"max_position_embeddings\": 1024, \"rms_norm_eps\": 1e-05, \"rope_theta\": 1000000.0, "
    "\"sliding_window\": null, \"tie_word_embeddings\": false, \"bos_token_id\": 0, "
    "\"eos_token_id\": 1, \"output_router_logits\": false, \"router_jitter_noise\": 0.0}\n";

typedef struct checkpoint {
    size_t n;
    cull_entry entry[LAYERS * (3 * E + 7) + 3];
    char name[LAYERS * (3 * E + 7) + 3][NAME];
    uint16_t drawn[V * D]; // BF16, what all matrices begin with
} checkpoint;

// Small numbers of both signs that are exact in BF16.
static float draw(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return ((float)(*state >> 24) - 127.5f) / 4096;
}

static void add(checkpoint *c, const char *name, size_t rows, size_t cols)
{
    snprintf(c->name[c->n], NAME, "%s", name);
    c->entry[c->n] = (cull_entry){ .size = sizeof(cull_entry),
                                   .name = c->name[c->n],
                                   .dtype = CULL_DT_BF16,
                                   .rank = cols ? 2 : 1,
                                   .shape = { rows, cols } };
    c->n++;
}

static void add_layer(checkpoint *c, size_t l)
{
    static const struct {
        const char *name;
        size_t rows, cols;
    } parts[] = {
        { "input_layernorm", D, 0 },       { "post_attention_layernorm", D, 0 },
        { "self_attn.q_proj", D, D },      { "self_attn.k_proj", D / 2, D },
        { "self_attn.v_proj", D / 2, D },  { "self_attn.o_proj", D, D },
        { "block_sparse_moe.gate", E, D },
    };
    char name[NAME];

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        snprintf(name, sizeof name, "model.layers.%zu.%s.weight", l, parts[i].name);
        add(c, name, parts[i].rows, parts[i].cols);
    }
    for (size_t e = 0; e < E; e++)
        for (int w = 1; w <= 3; w++) {
            snprintf(name, sizeof name, "model.layers.%zu.block_sparse_moe.experts.%zu.w%d.weight",
                     l, e, w);
            add(c, name, w == 2 ? D : F, w == 2 ? F : D);
        }
}

static void write_checkpoint(fake_host *host, const char *folder)
{
    checkpoint *c = calloc(1, sizeof *c);
    cull_safetensors_writer *writer;
    char path[4096];
    uint32_t state = 1;

    assert_non_null(c);
    for (size_t i = 0; i < V * D; i++) {
        const float x = draw(&state);
        uint32_t bits;
        memcpy(&bits, &x, sizeof bits);
        c->drawn[i] = (uint16_t)(bits >> 16);
    }
    add(c, "model.embed_tokens.weight", V, D);
    add(c, "model.norm.weight", D, 0);
    add(c, "lm_head.weight", V, D);
    for (size_t l = 0; l < LAYERS; l++)
        add_layer(c, l);
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    assert_ok(host,
              cull_safetensors_create(fake_ctx(host), path, c->n, c->entry, 0, NULL, &writer));
    for (size_t i = 0; i < c->n; i++) {
        const size_t cols = c->entry[i].rank == 2 ? c->entry[i].shape[1] : 1;
        assert_ok(host, cull_safetensors_put(fake_ctx(host), writer, i, c->drawn,
                                             c->entry[i].shape[0] * cols * sizeof *c->drawn));
    }
    assert_ok(host, cull_safetensors_finish(fake_ctx(host), writer));
    snprintf(path, sizeof path, "%s/config.json", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, config, D, F, E, LAYERS, V);
    assert_int_equal(fclose(file), 0);
    free(c);
}

// Experts 2i and 2i + 1 share what stands for the first of them.
static void write_cut(fake_host *host, const char *path)
{
    static const cull_part parts[] = { CULL_PART_GATE, CULL_PART_UP, CULL_PART_DOWN };
    const cull_cut_about about = { .store = CULL_DT_BF16 };
    size_t experts[LAYERS];
    uint32_t state = 2;

    for (size_t l = 0; l < LAYERS; l++)
        experts[l] = E;
    cull_cut *cut = cull_cut_new(fake_ctx(host), LAYERS, D, experts);
    assert_non_null(cut);
    for (size_t l = 0; l < LAYERS; l++)
        for (size_t e = 0; e < E; e += 2) {
            cut->layer[l].action[e + 1] = CULL_ACTION_ALIAS;
            cut->layer[l].target[e + 1] = (uint32_t)e;
            for (size_t i = 0; i < 3; i++) {
                const bool down = parts[i] == CULL_PART_DOWN;
                float *to = cull_cut_overlay(fake_ctx(host), cut, cull_at_expert(l, parts[i], e),
                                             CULL_MATRIX, down ? D : F, down ? F : D);
                assert_non_null(to);
                for (size_t k = 0; k < MATRIX; k++)
                    to[k] = draw(&state);
            }
        }
    assert_ok(host, cull_cut_save(fake_ctx(host), cut, &about, path));
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    fake_host *host = fake_host_new(1);
    write_checkpoint(host, argv[1]);
    write_cut(host, argv[2]);
    fake_host_free(host);
    return 0;
}
