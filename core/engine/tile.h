// The tile in which stored weights become float32: it stays in a core's second-level cache.
#ifndef CULL_ENGINE_TILE_H
#define CULL_ENGINE_TILE_H

enum {
    CULL_TILE_FLOATS = 1 << 21, // 4 MiB
    CULL_TILE_ROWS = 1024,       // of W at most
};

#endif
