// Room for the tile in which stored weights are unpacked (see cull_gemm_tile_rows): the widest
// matrix that is taken fills it with one panel.
#ifndef CULL_ENGINE_TILE_H
#define CULL_ENGINE_TILE_H

enum {
    CULL_TILE_FLOATS = 1 << 21,
    CULL_TILE_BYTES = CULL_TILE_FLOATS * 4 + (1 << 17), // panels are padded
    CULL_MOST_COLS = CULL_TILE_FLOATS / 64,
    CULL_TILE_ROWS = 1024, // at most
};

#endif
