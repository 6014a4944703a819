// A long pass whose products were much slower than the processor can do is told, and no other.
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "engine/progress.h"
#include "support/fake_host.h"
#include "support/temp_files.h"
#include "support/test.h"

typedef struct passed { // a pass as its end finds it
    double seconds, product_seconds, flops;
} passed;

// How many warnings the pass's end leaves in the log.
static size_t warnings_of(passed p)
{
    fake_host *host = fake_host_new(2);
    temp_files files;
    cull_run run;
    char line[4096];
    size_t n = 0;

    temp_begin(&files);
    const char *path = temp_path(&files, "log.jsonl");
    cull_log *log = cull_log_new(CULL_ERROR);
    assert_non_null(log);
    assert_true(cull_log_file(log, path));
    host->context.log = log;
    assert_ok(host, cull_run_init(&run, fake_ctx(host), NULL, CULL_F32));
    cull_pass_begin(&run, "evaluate", 100);
    run.progress.begun = cull_seconds() - p.seconds;
    for (size_t w = 0; w < 2; w++) { // two threads shared it
        run.worker[w].product_seconds = p.product_seconds / 2;
        run.worker[w].flops = (uint64_t)(p.flops / 2);
    }
    cull_pass_end(&run);
    cull_run_release(&run);
    host->context.log = NULL;
    cull_log_free(log);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file))
        n += strstr(line, "the products of this pass ran at") != NULL;
    assert_int_equal(fclose(file), 0);
    temp_end(&files);
    fake_host_free(host);
    return n;
}

static void slow_products_are_told(void **state)
{
    const passed slow = { .seconds = 25, .product_seconds = 40, .flops = 40e6 };

    (void)state;
    assert_int_equal(warnings_of(slow), 1);
}

static void other_passes_are_not(void **state)
{
    const passed fast = { .seconds = 25, .product_seconds = 40, .flops = 40e15 };
    const passed brief = { .seconds = 15, .product_seconds = 25, .flops = 25e6 };
    const passed idle = { .seconds = 25 };

    (void)state;
    assert_int_equal(warnings_of(fast), 0);
    assert_int_equal(warnings_of(brief), 0);
    assert_int_equal(warnings_of(idle), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slow_products_are_told),
        cmocka_unit_test(other_passes_are_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
