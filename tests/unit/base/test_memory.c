// Memory and arenas: zeroed, aligned, failing on demand.
#include "base/arena.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/poison.h"

#include <jansson.h>
#include <unistd.h>

#include "support/test.h"

static bool all_zero(const unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i])
            return false;
    return true;
}

static void allocates_zeroed_and_aligned(void **state)
{
    (void)state;
    for (size_t n = 0; n < 300; n += 7) {
        unsigned char *p = cull_alloc(n, 3);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 64, 0);
        assert_true(all_zero(p, 3 * n));
        memset(p, 1, 3 * n);
        p = cull_grow(p, 3 * n, 3 * n + 50, 1);
        assert_non_null(p);
        assert_true(all_zero(p + 3 * n, 50) && (!n || p[3 * n - 1] == 1));
        cull_free(p);
    }
    assert_null(cull_alloc(SIZE_MAX / 2, 3));
    assert_null(cull_alloc(SIZE_MAX, 1));
    cull_free(NULL);
}

static void fails_on_demand(void **state)
{
    (void)state;
    cull_torture_fail_after(2);
    void *first = cull_alloc(1, 1), *second = cull_alloc(1, 1), *third = cull_alloc(1, 1);
    cull_torture_fail_after(SIZE_MAX);
    assert_non_null(first);
    assert_null(second);
    assert_non_null(third);
    cull_free(first);
    cull_free(third);
}

static void arena_pieces_are_zero_again(void **state)
{
    cull_arena *arena = cull_arena_new();

    (void)state;
    assert_non_null(arena);
    for (int round = 0; round < 3; round++) {
        const cull_mark mark = cull_arena_mark(arena);
        for (size_t i = 1; i < 200; i++) {
            unsigned char *p = cull_arena_alloc(arena, i, 1000);
            assert_non_null(p);
            assert_int_equal((uintptr_t)p % 64, 0);
            assert_true(all_zero(p, 1000 * i));
            memset(p, 255, 1000 * i);
        }
        cull_arena_rewind(arena, mark);
    }
    const size_t held = cull_arena_bytes(arena);
    assert_non_null(cull_arena_alloc(arena, 100, 1000));
    assert_int_equal(cull_arena_bytes(arena), held); // what was rewound is used again
    assert_null(cull_arena_alloc(arena, SIZE_MAX / 4, 8));
    cull_arena_free(arena);
}

// Whatever the order in which pieces come again, the same chunks hold them.
static void arena_passes_nothing_over(void **state)
{
    static const size_t piece[] = { 1 << 20, 8 << 20, 3 << 20 };
    cull_arena *arena = cull_arena_new();
    size_t held = 0;

    (void)state;
    assert_non_null(arena);
    for (size_t round = 0; round < 6; round++) {
        const cull_mark mark = cull_arena_mark(arena);
        for (size_t i = 0; i < 3; i++)
            assert_non_null(cull_arena_room(arena, piece[(round + i) % 3], 1));
        cull_arena_rewind(arena, mark);
        held = held ? held : cull_arena_bytes(arena);
        assert_int_equal(cull_arena_bytes(arena), held);
    }
    cull_arena_free(arena);
}

// Pieces that vary leave few chunks behind, not one each.
static void arena_holds_few_sizes(void **state)
{
    static const size_t kib[] = { 5944, 7136, 6936, 7616, 7544, 6608, 7688, 7680, 7704, 6000 };
    cull_arena *arena = cull_arena_new();

    (void)state;
    assert_non_null(arena);
    for (size_t i = 0; i < sizeof kib / sizeof *kib; i++) {
        const cull_mark mark = cull_arena_mark(arena);
        assert_non_null(cull_arena_room(arena, kib[i], 1024));
        cull_arena_rewind(arena, mark);
    }
    assert_true(cull_arena_bytes(arena) < (size_t)24 << 20);
    cull_arena_free(arena);
}

static void arena_keeps_what_came_before_a_mark(void **state)
{
    cull_arena *arena = cull_arena_new();

    (void)state;
    char *kept = cull_arena_printf(arena, "%d-%s", 7, "seven");
    const cull_mark mark = cull_arena_mark(arena);
    for (int i = 0; i < 5; i++)
        memset(cull_arena_alloc(arena, 1, 100000), 'x', 100000);
    cull_arena_rewind(arena, mark);
    assert_string_equal(kept, "7-seven");
    assert_string_equal(cull_arena_copy(arena, "abc", 2), "ab");
    cull_arena_free(arena);
}

static void what_is_held_keeps_to_a_limit(void **state)
{
    enum { MEGABYTE = 1 << 20, ROOM = 4096 };
    cull_arena *arena = cull_arena_new();
    void *before = cull_alloc(MEGABYTE, 1);

    (void)state;
    assert_non_null(cull_arena_alloc(arena, MEGABYTE, 1));
    cull_hold_at_most(MEGABYTE + ROOM);
    assert_null(cull_arena_alloc(arena, 2 * MEGABYTE, 1));
    assert_true(cull_hold_refused());
    assert_int_equal(cull_hold_peak(), 0);
    void *after = cull_alloc(MEGABYTE, 1); // which there is room for
    assert_non_null(after);
    assert_null(cull_alloc(MEGABYTE, 1));
    cull_free(before); // what is let go makes room
    before = cull_alloc(MEGABYTE / 2, 1);
    assert_non_null(before);
    assert_in_range(cull_hold_peak(), MEGABYTE, MEGABYTE + ROOM);
    cull_hold_at_most(SIZE_MAX);
    assert_false(cull_hold_refused());
    assert_non_null(cull_arena_alloc(arena, 2 * MEGABYTE, 1));
    cull_free(before);
    cull_free(after);
    cull_arena_free(arena);
}

static void json_keeps_to_the_limit(void **state)
{
    (void)state;
    cull_json_memory_install();
    cull_hold_at_most(1 << 20);
    json_t *list = json_array();
    assert_non_null(list);
    size_t n = 0;
    while (n < 1 << 20 && json_array_append_new(list, json_integer((json_int_t)n)) == 0)
        n++;
    assert_true(cull_hold_refused() && cull_json_memory_lacked());
    assert_in_range(n, 1000, 1 << 19);
    json_decref(list);
    cull_hold_at_most(1 << 20); // all of it is there again
    void *p = cull_alloc(900000, 1);
    assert_non_null(p);
    cull_free(p);
    cull_hold_at_most(SIZE_MAX);
}

// Wherever the limit falls, what is read is whole, or nothing: jansson loses no letter of a string.
static void json_is_read_whole_or_not_at_all(void **state)
{
    enum { LETTERS = 3000, MOST = 16384 };
    char text[LETTERS + 32];
    size_t read = 0;

    (void)state;
    cull_json_memory_install();
    memset(text, 'a', sizeof text);
    memcpy(text, "{\"key\": \"", 9);
    memcpy(text + LETTERS, "\\n\", \"b\": [1, 2]}", 18);
    for (size_t limit = 0; limit < MOST; limit += 8) {
        cull_hold_at_most(limit);
        json_t *value = json_loadb(text, LETTERS + 17, 0, NULL);
        cull_hold_at_most(SIZE_MAX);
        assert_true(value || cull_json_memory_lacked());
        if (value)
            assert_int_equal(json_string_length(json_object_get(value, "key")), LETTERS - 8);
        read += value != NULL;
        json_decref(value);
    }
    assert_true(read > 0 && read < MOST / 8);
}

static void what_json_writes_is_let_go(void **state)
{
    enum { LONG = 1 << 18, TEXTS = 20 }; // all of them are more than the limit
    char *letters = cull_alloc(LONG, 1);

    (void)state;
    cull_json_memory_install();
    memset(letters, 'a', LONG - 1);
    json_t *value = json_string(letters);
    assert_non_null(value);
    cull_hold_at_most(4 * LONG);
    for (size_t i = 0; i < TEXTS; i++) {
        cull_buf text = CULL_BUF_INIT;
        cull_json_put(&text, value, JSON_ENCODE_ANY);
        assert_false(text.failed);
        assert_int_equal(text.n, LONG + 1);
        cull_buf_release(&text);
    }
    assert_false(cull_hold_refused());
    cull_hold_at_most(SIZE_MAX);
    json_decref(value);
    cull_free(letters);
}

static void what_is_not_there_is_not_held(void **state)
{
    const size_t more = SIZE_MAX / 8 * 3; // than any machine has, and not twice within the limit

    (void)state;
#ifdef CULL_HAVE_ASAN
    skip(); // which takes such a call for a fault
#endif
    cull_hold_at_most(SIZE_MAX / 2);
    assert_null(cull_alloc(more, 1));
    assert_null(cull_alloc(more, 1));
    assert_false(cull_hold_refused());
    cull_hold_at_most(SIZE_MAX);
}

static size_t resident_bytes(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    unsigned long all = 0, resident = 0;

    assert_non_null(f);
    assert_int_equal(fscanf(f, "%lu %lu", &all, &resident), 2);
    (void)fclose(f);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

// Also after such blocks have been written to and freed.
static void large_blocks_cost_what_is_touched(void **state)
{
    enum { LARGE = 8 << 20, BLOCKS = 8 };
    void *p[BLOCKS];

    (void)state;
#ifdef CULL_HAVE_ASAN
    skip(); // which keeps what was freed
#endif
    cull_large_blocks_apart();
    const size_t before = resident_bytes();
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < BLOCKS; i++) {
            p[i] = cull_alloc(LARGE, 1);
            assert_non_null(p[i]);
            assert_true(resident_bytes() < before + LARGE / 2);
        }
        memset(p[round], 1, LARGE);
        for (size_t i = 0; i < BLOCKS; i++)
            cull_free(p[i]);
    }
    assert_true(resident_bytes() < before + LARGE / 2);
}

static void the_peak_stays_when_memory_went(void **state)
{
    const size_t n = (size_t)256 << 20;
    unsigned char *p = cull_alloc(n, 1);

    (void)state;
    assert_non_null(p);
    memset(p, 1, n);
    cull_free(p);
    const uint64_t peak = cull_peak_memory();
    assert_true(peak >= n);
    assert_true(peak < 64 * (uint64_t)n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocates_zeroed_and_aligned),
        cmocka_unit_test(fails_on_demand),
        cmocka_unit_test(arena_pieces_are_zero_again),
        cmocka_unit_test(arena_passes_nothing_over),
        cmocka_unit_test(arena_holds_few_sizes),
        cmocka_unit_test(arena_keeps_what_came_before_a_mark),
        cmocka_unit_test(what_is_held_keeps_to_a_limit),
        cmocka_unit_test(json_keeps_to_the_limit),
        cmocka_unit_test(json_is_read_whole_or_not_at_all),
        cmocka_unit_test(what_json_writes_is_let_go),
        cmocka_unit_test(what_is_not_there_is_not_held),
        cmocka_unit_test(large_blocks_cost_what_is_touched),
        cmocka_unit_test(the_peak_stays_when_memory_went),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
