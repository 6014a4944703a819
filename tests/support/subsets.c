// All subsets of a size.
#include "support/subsets.h"

#include "support/test.h"

enum { MOST_MEMBERS = 64 };

static size_t choose(size_t n, size_t r)
{
    size_t count = 1;

    for (size_t i = 1; i <= r; i++)
        count = count * (n - r + i) / i;
    return count;
}

// The next choice in lexicographic order; false after the last.
static bool next(size_t *at, size_t E, size_t r)
{
    size_t i = r;

    while (i > 0 && at[i - 1] == E - r + i - 1)
        i--;
    if (i == 0)
        return false;
    at[i - 1]++;
    for (; i < r; i++)
        at[i] = at[i - 1] + 1;
    return true;
}

const uint64_t *subsets_all(fake_host *host, size_t E, size_t r, size_t *n)
{
    uint64_t *sets = cull_take(fake_ctx(host), choose(E, r), sizeof *sets);
    size_t at[MOST_MEMBERS];

    assert_non_null(sets);
    for (size_t i = 0; i < r; i++)
        at[i] = i;
    *n = 0;
    do {
        sets[*n] = 0;
        for (size_t i = 0; i < r; i++)
            sets[*n] |= (uint64_t)1 << at[i];
        ++*n;
    } while (next(at, E, r));
    return sets;
}

size_t subsets_count(uint64_t set)
{
    size_t n = 0;

    for (; set; set &= set - 1)
        n++;
    return n;
}
