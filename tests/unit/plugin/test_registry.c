// Finding and loading plugins: what is found, what is refused, and in which words.
#include "plugin/registry.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/fake_host.h"
#include "support/test.h"

#define MODULES CULL_BINARY_DIR "/tests/modules"

static fake_host *host;
static cull_registry *registry;
static char dir[64];

static void copy_file(const char *from, const char *to, size_t most)
{
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    int c;

    assert_true(in && out);
    for (size_t n = 0; n < most && (c = getc(in)) != EOF; n++)
        assert_int_equal(putc(c, out), c);
    assert_int_equal(fclose(in) | fclose(out), 0);
}

static const char *in_dir(const char *name)
{
    return cull_arena_printf(host->context.alloc, "%s/%s", dir, name);
}

static int setup(void **state)
{
    (void)state;
    host = fake_host_new(1);
    snprintf(dir, sizeof dir, "/tmp/cull-registry-XXXXXX");
    if (!mkdtemp(dir))
        return 1;
    unsetenv("CULL_PLUGIN_PATH");
    registry = cull_registry_new(fake_ctx(host));
    return registry ? 0 : 1;
}

static int teardown(void **state)
{
    static const char *const names[] = { "criterion-sample.so", "criterion-reap.so",
                                         "criterion-other.so", "short.so", "text.so" };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(in_dir(names[i]));
    rmdir(dir);
    cull_registry_free(registry);
    fake_host_free(host);
    return 0;
}

static void search_again(const char *path)
{
    cull_registry_free(registry);
    setenv("CULL_PLUGIN_PATH", path, 1);
    registry = cull_registry_new(fake_ctx(host));
    assert_non_null(registry);
}

static void finds_shipped_by_name(void **state)
{
    const cull_plugin *reap = cull_registry_find(registry, CULL_CRITERION, "reap");

    (void)state;
    assert_non_null(reap);
    assert_string_equal(reap->name, "reap");
    assert_int_equal(cull_registry_count(registry), 1); // only what was asked for
    assert_ptr_equal(cull_registry_find(registry, CULL_CRITERION, "reap"), reap);
    const cull_registered *entry = cull_registry_of(registry, reap);
    assert_true(entry->shipped);
    assert_string_equal(entry->from->path, CULL_BINARY_DIR "/plugins/criterion-reap.so");
    assert_string_equal(cull_registry_foreign_hash(registry, reap), "");
}

static void misses_and_suggests(void **state)
{
    (void)state;
    assert_null(cull_registry_find(registry, CULL_CRITERION, "raep"));
    assert_null(cull_registry_trouble(registry));
    assert_string_equal(cull_registry_nearest(registry, CULL_CRITERION, "raep"), "reap");
    assert_null(cull_registry_nearest(registry, CULL_BACKEND, "raep"));
    assert_null(cull_registry_find(registry, CULL_CRITERION, "../criterion-reap"));
    assert_null(cull_registry_find(registry, CULL_CRITERION, ""));
    for (size_t i = 1; i < cull_registry_count(registry); i++) { // sorted by kind, then name
        const cull_plugin *a = cull_registry_at(registry, i - 1)->plugin;
        const cull_plugin *b = cull_registry_at(registry, i)->plugin;
        assert_true(a->kind < b->kind || (a->kind == b->kind && strcmp(a->name, b->name) < 0));
    }
}

static void refuses_with_the_field_that_differs(void **state)
{
    static const struct {
        const char *file, *says;
    } cases[] = {
        { "NO_SYMBOL.so", "no symbol cull_module_v1" },
        { "OTHER_MAGIC.so", "its magic is 0x6c6c7564, not 0x6c6c7563" },
        { "OTHER_MAJOR.so", "built for ABI 7.0, but this Cull has 1." },
        { "OLD_ABI.so", "built for ABI 0.1, but this Cull has 1." },
        { "SHORT_MODULE.so", "its module's size is 12, less than" },
        { "NO_PLUGINS.so", "a module without plugins" },
        { "SHORT_PLUGIN.so", "a plugin's size is 16, less than" },
        { "UNKNOWN_KIND.so", "the unknown kind 77" },
        { "BAD_NAME.so", "\"Sample One\" is no name" },
        { "NO_VERSION.so", "sample: version is missing" },
        { "NO_VTABLE.so", "sample: its vtable is missing" },
        { "NO_CALLBACK.so", "the criterion's callback \"score\" is missing" },
        { "FIELD_OUTSIDE.so", "setting \"third\" lies outside the settings struct" },
        { "DEFAULT_OUTSIDE.so", "setting \"share\" has a default outside its bounds" },
        { "SAME_SETTING.so", "two settings are called \"mode\"" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *path = cull_arena_printf(host->context.alloc, "%s/%s", MODULES, cases[i].file);
        assert_fails(host, cull_registry_add(fake_ctx(host), registry, path), CULL_EPLUGIN,
                     cases[i].says);
        assert_int_equal(cull_registry_count(registry), 0);
    }
}

static void refuses_other_files(void **state)
{
    cull_ctx *ctx = fake_ctx(host);

    (void)state;
    assert_fails(host, cull_registry_add(ctx, registry, "/nowhere/x.so"), CULL_EENV,
                 "/nowhere/x.so: No such file");
    assert_fails(host, cull_registry_add(ctx, registry, dir), CULL_EENV, "a folder");
    assert_fails(host, cull_registry_add(ctx, registry, "/proc/self/mem"), CULL_EPLUGIN,
                 strerror(EIO)); // nothing can be read at its beginning
    copy_file(MODULES "/FINE.so", in_dir("short.so"), 9000);
    assert_fails(host, cull_registry_add(ctx, registry, in_dir("short.so")), CULL_EPLUGIN,
                 "the file is cut short");
    copy_file(CULL_SOURCE_DIR "/tests/unit/plugin/test_registry.c", in_dir("text.so"), SIZE_MAX);
    assert_fails(host, cull_registry_add(ctx, registry, in_dir("text.so")), CULL_EPLUGIN,
                 "not a shared library");
}

static void refuses_what_others_may_write(void **state)
{
    cull_ctx *ctx = fake_ctx(host);

    (void)state;
    copy_file(MODULES "/FINE.so", in_dir("criterion-sample.so"), SIZE_MAX);
    assert_int_equal(chmod(in_dir("criterion-sample.so"), 0666), 0);
    assert_fails(host, cull_registry_add(ctx, registry, in_dir("criterion-sample.so")), CULL_EENV,
                 "everybody may write this file");
    assert_int_equal(chmod(in_dir("criterion-sample.so"), 0600) | chmod(dir, 0777), 0);
    assert_fails(host, cull_registry_add(ctx, registry, in_dir("criterion-sample.so")), CULL_EENV,
                 "everybody may write this folder");
    search_again(dir);
    assert_null(cull_registry_find(registry, CULL_CRITERION, "sample"));
    assert_int_equal(chmod(dir, 0700), 0);
}

// A group, another user, and whoever may write a folder further up can change a plugin, too.
static void refuses_what_some_others_may_write(void **state)
{
    cull_ctx *ctx = fake_ctx(host);
    const char *file = in_dir("criterion-sample.so");

    (void)state;
    copy_file(MODULES "/FINE.so", file, SIZE_MAX);
    assert_int_equal(chmod(file, 0664), 0);
    assert_fails(host, cull_registry_add(ctx, registry, file), CULL_EENV,
                 "a group may write this file");
    assert_int_equal(chmod(file, 0600) | chmod(dir, 0775), 0);
    assert_fails(host, cull_registry_add(ctx, registry, file), CULL_EENV,
                 "a group may write this folder");
    search_again(dir);
    assert_null(cull_registry_find(registry, CULL_CRITERION, "sample"));
    assert_int_equal(chmod(dir, 0700), 0);

    char above[600], below[700];
    (void)snprintf(above, sizeof above, "%s/above", dir);
    (void)snprintf(below, sizeof below, "%s/below", above);
    assert_int_equal(mkdir(above, 0700) | mkdir(below, 0700) | chmod(above, 0777), 0);
    search_again(below);
    assert_fails(host, cull_trust_folder(ctx, below), CULL_EENV,
                 "above: everybody may write this folder, so no plugin is loaded from below it");
    assert_int_equal(chmod(above, 01777), 0); // as /tmp: ours stays ours
    assert_ok(host, cull_trust_folder(ctx, below));
    if (geteuid() == 0) {
        assert_int_equal(chown(below, 1, 1), 0);
        assert_fails(host, cull_trust_folder(ctx, below), CULL_EENV,
                     "another user owns this folder");
        assert_int_equal(chown(file, 1, 1), 0);
        assert_fails(host, cull_registry_add(ctx, registry, file), CULL_EENV,
                     "another user owns this file");
    }
    assert_int_equal(rmdir(below) | rmdir(above), 0);
}

static void takes_files_and_newer_structs(void **state)
{
    (void)state;
    assert_ok(host, cull_registry_add(fake_ctx(host), registry, MODULES "/NEWER.so"));
    const cull_plugin *sample = cull_registry_find(registry, CULL_CRITERION, "sample");
    assert_non_null(sample);
    assert_int_equal(sample->n_params, 3);
    assert_string_equal(sample->params[1].choices[0], "slow");
    assert_int_equal(strlen(cull_registry_foreign_hash(registry, sample)), 32);
    assert_ok(host, cull_registry_add(fake_ctx(host), registry, MODULES "/NEWER.so")); // again
    assert_int_equal(cull_registry_count(registry), 1);
}

static void refuses_two_of_a_name(void **state)
{
    cull_ctx *ctx = fake_ctx(host);

    (void)state;
    assert_ok(host, cull_registry_add(ctx, registry, MODULES "/FINE.so"));
    assert_fails(host, cull_registry_add(ctx, registry, MODULES "/criterion-sample.so"),
                 CULL_EPLUGIN,
                 "criterion \"sample\" is both in " MODULES "/FINE.so and in " MODULES
                 "/criterion-sample.so");
    assert_ok(host, cull_registry_add(ctx, registry, MODULES "/criterion-reap.so"));
    assert_null(cull_registry_find(registry, CULL_CRITERION, "reap")); // there is the shipped one
    assert_non_null(strstr(cull_registry_trouble(registry), "\"reap\" is both in " MODULES));
}

static void searches_the_path(void **state)
{
    (void)state;
    copy_file(MODULES "/criterion-sample.so", in_dir("criterion-sample.so"), SIZE_MAX);
    copy_file(MODULES "/criterion-other.so", in_dir("criterion-other.so"), SIZE_MAX);
    assert_null(cull_registry_find(registry, CULL_CRITERION, "sample"));
    search_again(cull_arena_printf(host->context.alloc, "tests:::/nowhere:%s", dir));
    const cull_plugin *sample = cull_registry_find(registry, CULL_CRITERION, "sample");
    assert_non_null(sample);
    assert_false(cull_registry_of(registry, sample)->shipped);
    assert_null(cull_registry_find(registry, CULL_CRITERION, "other")); // it holds "another"
    assert_non_null(
        strstr(cull_registry_trouble(registry), "there is no criterion \"other\" in it"));
    assert_non_null(cull_registry_find(registry, CULL_CRITERION, "another"));
}

static void experiments_need_trust(void **state)
{
    cull_ctx *ctx = fake_ctx(host);

    (void)state;
    copy_file(MODULES "/criterion-sample.so", in_dir("criterion-sample.so"), SIZE_MAX);
    assert_fails(host, cull_registry_declare(ctx, registry, dir, "./criterion-sample.so", false),
                 CULL_EUSAGE, "--trust-plugins");
    assert_ok(host, cull_registry_declare(ctx, registry, dir, "./criterion-sample.so", true));
    assert_non_null(cull_registry_find(registry, CULL_CRITERION, "sample"));
    search_again(dir);
    assert_ok(host, cull_registry_declare(ctx, registry, dir, "criterion-sample.so", false));
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(finds_shipped_by_name),
        CASE(misses_and_suggests),
        CASE(refuses_with_the_field_that_differs),
        CASE(refuses_other_files),
        CASE(refuses_what_others_may_write),
        CASE(refuses_what_some_others_may_write),
        CASE(takes_files_and_newer_structs),
        CASE(refuses_two_of_a_name),
        CASE(searches_the_path),
        CASE(experiments_need_trust),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
