// The only door to malloc: everything in the core allocates through here or an arena, so that the
// torture tests can make the n-th allocation fail.
#ifndef CULL_BASE_MEMORY_H
#define CULL_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *cull_alloc(size_t n, size_t size); // zeroed, aligned to 64; NULL: none, or overflow
void *cull_grow(void *p, size_t old_n, size_t n,
                size_t size); // as realloc; p is untouched on failure
void cull_free(void *p);      // NULL is fine
char *cull_strdup(const char *s);

// Once, by the program: a block of four megabytes and more is pages of its own, which cost nothing
// before they are touched and go back to the system when it is freed.
void cull_large_blocks_apart(void);

// A limit on what is allocated here and by jansson: so many bytes more than are held now, SIZE_MAX:
// none. What is beyond it is refused as if there were no memory, until the next call. [one thread,
// while no other allocates]
void cull_hold_at_most(size_t more);
bool cull_hold_refused(void); // was something refused since then?
size_t cull_hold_peak(void);  // most bytes that were held since then, beyond those then

// jansson takes a lack of memory for a fault of the text. Once, by the program: it allocates
// through here from now on, and lacked() says whether it got none since it was last asked in this
// thread. What json_dumps gives is not free's: base/json.h writes JSON without it.
void cull_json_memory_install(void);
bool cull_json_memory_lacked(void);

// Most bytes this program has had in memory at once, pages of mapped files included; 0: not known.
// Since its own start: getrusage's figure would count what its parent had when it forked.
uint64_t cull_peak_memory(void);

void cull_torture_fail_after(size_t n); // the n-th allocation from now fails, SIZE_MAX: none
size_t cull_torture_count(void);        // allocations so far

#endif
