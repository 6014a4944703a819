// What of a matrix a cut's overlays leave.
#include "cut/overlay.h"

#include "cut/cut.h"

cull_overlaid cull_overlay_of(const cull_cut *cut, cull_matrix_id where)
{
    cull_overlaid found = { .cut = cut, .first = cut ? cull_cut_first(cut, where) : SIZE_MAX };

    for (size_t i = found.first; i != SIZE_MAX; i = cull_cut_next(cut, i)) {
        if (cut->overlay[i].kind == CULL_MASK)
            found.masked = true;
        else
            found.matrix = cut->overlay[i].data;
    }
    return found;
}
