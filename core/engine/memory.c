// What a pass may hold and holds: what is resident, what is left, and how many rows fit into it.
#include "engine/memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    BLOCK_ROWS_MOST = 1 << 14,
    BLOCK_ROWS_LEAST = 256,
    BLOCK_ROWS_USUAL = 512,
    CACHED_BYTES = 8 << 20, // of a lane's rows: what stays near the processor from step to step
    ROWS_A_WEIGHT = 2048,   // that meet an expert, if there are: it is unpacked for each block
};

static uint64_t available(void)
{
    FILE *f = fopen("/proc/meminfo", "r");
    unsigned long long kib = 4ull << 20;
    char line[128];

    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
            break;
    if (f)
        (void)fclose(f);
    return (uint64_t)kib << 10;
}

// Where one number of the embedding's table is needed, the system maps pages around it.
static const double pages_around = 65536;

static const double program = 80000000;

uint64_t cull_memory_fixed(const cull_open_model *m, double ids, bool again)
{
    double layer = 0, ends = (double)m->facts->bytes;

    for (size_t l = 0; l < m->facts->L; l++) {
        layer = fmax(layer, (double)cull_layer_of(m, l)->bytes);
        ends -= (double)cull_layer_of(m, l)->bytes;
    }
    const double width = m->facts->dtype && strcmp(m->facts->dtype, "f32") == 0 ? 4 : 2;
    const double head = fmin(ends, (double)m->facts->V * (double)m->facts->D * width);
    const double embeddings = fmin(head, ids * pages_around);
    const double both = fmin(ends, embeddings + head); // one table may serve as both
    const bool stays = again || !cull_open_model_releases_all(m);
    return (uint64_t)(program + (stays ? layer + both : fmax(layer + embeddings, both)));
}

uint64_t cull_memory_mapped(const cull_open_model *m)
{
    return cull_memory_fixed(m, 0, false) - (uint64_t)program;
}

cull_neighbours cull_neighbours_of(const cull_open_model *m, size_t ranks)
{
    return (cull_neighbours){ ranks, (double)cull_memory_mapped(m) };
}

uint64_t cull_memory_of_rank(uint64_t memory, const cull_neighbours *node)
{
    const double pages = fmin(node->pages, (double)memory);

    return node->ranks > 1 ? (uint64_t)(pages + ((double)memory - pages) / (double)node->ranks)
                           : memory;
}

uint64_t cull_memory_share(const cull_open_model *m, const cull_engine_options *options)
{
    const cull_neighbours node = cull_neighbours_of(m, options->neighbours);

    return cull_memory_of_rank(options->memory, &node);
}

uint64_t cull_memory_limit(const cull_open_model *m, const cull_engine_options *options)
{
    if (!options || !options->memory)
        return available() / 2 / (options && options->neighbours ? options->neighbours : 1);
    const uint64_t fixed = cull_memory_fixed(m, INFINITY, false);
    const uint64_t share = cull_memory_share(m, options);
    return share > fixed ? share - fixed : 0;
}

size_t cull_memory_wave(const cull_open_model *m, const cull_engine_options *options, size_t n,
                        const uint64_t *bytes)
{
    const uint64_t room = cull_memory_limit(m, options) / 2;
    uint64_t taken = 0;
    size_t fit = 0;

    while (fit < n && (taken += bytes[fit]) <= room)
        fit++;
    return fit ? fit : 1;
}

uint64_t cull_calibrating_bytes(const cull_open_model *m, uint64_t rows, uint32_t groups,
                                bool again)
{
    uint64_t states = 1; // in (rows, D)

    if (again)
        states += groups & CULL_STAT_DENSE_SAMPLE ? 2 : 1;
    if (groups & CULL_STAT_LAYER_COSINES)
        states += m->facts->L;
    return rows * states * m->facts->D * sizeof(float);
}

cull_keeping cull_keep_states(const cull_open_model *m, const cull_engine_options *options,
                              uint64_t bytes, bool whole)
{
    const uint64_t room = cull_memory_limit(m, options) / 2;
    const double parts = room ? ceil((double)bytes / (double)room) : INFINITY;
    const double again = (parts - 1) * (double)m->facts->bytes;
    const double file = 2.0 * (double)m->facts->L * (double)bytes;

    if (bytes <= room)
        return (cull_keeping){ 1, false };
    if (options && options->spill && (whole || file < again))
        return (cull_keeping){ 1, true };
    return (cull_keeping){ whole || parts > (double)SIZE_MAX ? 1 : (size_t)parts, false };
}

// More rows do not make a block faster: its lanes' experts have enough of them, and the rows would
// go to memory and back between a layer's steps.
static size_t rows_that_pay(const cull_open_model *m, size_t floats, size_t n_lanes)
{
    const size_t cached = CACHED_BYTES / (floats * sizeof(float));
    size_t rows = cached > BLOCK_ROWS_USUAL ? cached : BLOCK_ROWS_USUAL;

    for (size_t l = 0; l < m->facts->L; l++) {
        const cull_layer_facts *f = cull_layer_of(m, l);
        const size_t enough = f->K ? ROWS_A_WEIGHT * f->E / (f->K * n_lanes) : 0;
        rows = enough > rows ? enough : rows;
    }
    return rows < BLOCK_ROWS_MOST ? rows : BLOCK_ROWS_MOST;
}

size_t cull_block_rows(const cull_open_model *m, const cull_engine_options *options, size_t n_lanes)
{
    const size_t lanes = n_lanes ? n_lanes : 1;
    double floats = 1;

    for (size_t l = 0; l < m->facts->L; l++)
        floats = fmax(floats, cull_reserved_floats(m->facts, cull_layer_of(m, l)));
    const uint64_t fit =
        cull_memory_limit(m, options) / 4 / ((uint64_t)floats * sizeof(float) * lanes);
    const size_t most = rows_that_pay(m, (size_t)floats, lanes);
    if (fit >= most)
        return most;
    return fit < BLOCK_ROWS_LEAST ? BLOCK_ROWS_LEAST : (size_t)fit;
}

double cull_live_floats(const cull_model_facts *f, const cull_layer_facts *layer, double histories)
{
    const double D = (double)f->D, side = layer->has_side ? 1 : 0;
    const double apart = layer->expert_width ? 2 : 0; // what experts read and yield in their space
    const double attend =
        layer->attend_width ? (double)layer->attend_width : 4 * D + 2 * (double)layer->kv_width;

    return (3 + side + apart) * D + attend + (histories - 1) * (2 + side) * D;
}

double cull_reserved_floats(const cull_model_facts *f, const cull_layer_facts *layer)
{
    return cull_live_floats(f, layer, 1) + 2 * (double)f->D + 2 * (double)layer->E +
           8 * (double)layer->K;
}

static double lanes_bytes(const cull_open_model *m, double rows, double lanes)
{
    double floats = 0;

    for (size_t l = 0; l < m->facts->L; l++)
        floats = fmax(floats, cull_live_floats(m->facts, cull_layer_of(m, l), lanes));
    return rows * (floats + lanes * (double)m->facts->D) * sizeof(float);
}

size_t cull_lanes_at_once(const cull_open_model *m, const cull_engine_options *options, size_t rows,
                          size_t n)
{
    const double room = (double)cull_memory_limit(m, options) / 2;

    while (n > 1 && lanes_bytes(m, (double)rows, (double)n) > room)
        n--;
    return n;
}
