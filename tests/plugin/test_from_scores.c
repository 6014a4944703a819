// Criterion from: scores in the forms that NumPy and safetensors write, and files that are none.
#include "support/methods.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/test.h"

static fake_host *host;
static tinyworld *world; // 4 layers of 16 experts
static char path[80];

enum { L = TINYWORLD_L, E = 16 };

static int open_world(void **state)
{
    (void)state;
    host = fake_host_new(1);
    world = tinyworld_open(host, "tinyworld-mixtral");
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    unlink(path);
    tinyworld_close(world);
    fake_host_free(host);
    return 0;
}

static double number(size_t l, size_t e)
{
    return 0.25 * (double)l - 1.5 * (double)e;
}

static FILE *begin(const char *ending)
{
    unlink(path);
    snprintf(path, sizeof path, "/tmp/cull-from-scores-%d%s", (int)getpid(), ending);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    return file;
}

// As numpy.save writes an array of this descr and shape, cut after `bytes` bytes of numbers.
static void write_npy(const char *descr, const char *order, const char *shape, size_t rows,
                      size_t cols, size_t bytes)
{
    FILE *file = begin(".npy");
    char header[119];
    const int n =
        snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': %s, 'shape': %s, }",
                 descr, order, shape);

    memset(header + n, ' ', sizeof header - (size_t)n);
    header[sizeof header - 1] = '\n';
    fwrite("\x93NUMPY\x01\x00\x77\x00", 1, 10, file);
    fwrite(header, 1, sizeof header - 1 + 1, file);
    for (size_t i = 0; i < rows * cols; i++) {
        const double wide = i % cols < E ? number(i / cols, i % cols) : NAN;
        const float narrow = (float)wide;
        const size_t width = descr[2] == '8' ? sizeof wide : sizeof narrow;
        if ((i + 1) * width <= bytes)
            fwrite(descr[2] == '8' ? (const void *)&wide : (const void *)&narrow, width, 1, file);
    }
    assert_int_equal(fclose(file), 0);
}

static cull_scores *scores(void)
{
    char word[100];

    snprintf(word, sizeof word, "path=%s", path);
    return methods_score(world, "from", WORDS(word));
}

static void assert_numbers(const cull_scores *got)
{
    for (size_t l = 0; l < L; l++)
        for (size_t e = 0; e < E; e++)
            assert_true(got->expert[l][e] == number(l, e));
}

static void arrays_of_numpy(void **state)
{
    (void)state;
    write_npy("<f8", "False", "(4, 16)", 4, 16, SIZE_MAX);
    assert_numbers(scores());
    write_npy("<f4", "False", "(4, 16)", 4, 16, SIZE_MAX);
    assert_numbers(scores());
    write_npy("<f8", "False", "(4, 20)", 4, 20, SIZE_MAX); // padded with NaN
    assert_numbers(scores());
}

static void write_safetensors(const char *header, size_t n)
{
    FILE *file = begin(".safetensors");
    const uint64_t length = strlen(header);

    fwrite(&length, sizeof length, 1, file);
    fputs(header, file);
    for (size_t i = 0; i < n; i++) {
        const double x = number(i / E, i % E);
        fwrite(&x, sizeof x, 1, file);
    }
    assert_int_equal(fclose(file), 0);
}

static void tensors(void **state)
{
    (void)state;
    write_safetensors("{\"score\":{\"dtype\":\"F64\",\"shape\":[4,16],\"data_offsets\":[0,512]}}",
                      L * E);
    assert_numbers(scores());
    write_safetensors(
        "{\"layer.0.score\":{\"dtype\":\"F64\",\"shape\":[16],\"data_offsets\":[0,128]},"
        "\"layer.1.score\":{\"dtype\":\"F64\",\"shape\":[16],\"data_offsets\":[128,256]},"
        "\"layer.2.score\":{\"dtype\":\"F64\",\"shape\":[16],\"data_offsets\":[256,384]},"
        "\"layer.3.score\":{\"dtype\":\"F64\",\"shape\":[16],\"data_offsets\":[384,512]}}",
        L * E);
    assert_numbers(scores());
}

static void refused(cull_status status, const char *part)
{
    methods_plugin p = methods_load(world, "criterion", "from", NULL);
    const cull_criterion *from = p.vtable;
    cull_scores *out = methods_scores(world, CULL_FORM_EXPERT);

    fake_set(host, p.plugin, p.settings, "path", path);
    assert_fails(host, from->score(fake_ctx(host), p.settings, &world->view, CULL_ALL_LAYERS, out),
                 status, part);
}

static void files_that_are_none(void **state)
{
    (void)state;
    write_npy("<f8", "False", "(3, 16)", 3, 16, SIZE_MAX);
    refused(CULL_EINVAL, "3 rows for a model of 4 layers");
    write_npy("<f8", "False", "(4, 15)", 4, 15, SIZE_MAX);
    refused(CULL_EINVAL, "layer 0 has no score for expert 15 of 16");
    write_npy("<f8", "True", "(4, 16)", 4, 16, SIZE_MAX);
    refused(CULL_EFORMAT, "in C order");
    write_npy("<i8", "False", "(4, 16)", 4, 16, SIZE_MAX);
    refused(CULL_EFORMAT, "float32 or float64");
    write_npy("<f8", "False", "(4, 16)", 4, 16, 100);
    refused(CULL_EFORMAT, "bytes of data");
    write_npy("<f8", "False", "(18446744073709551615, 16)", 1, 16, SIZE_MAX);
    refused(CULL_EFORMAT, "bytes of data");
    fclose(begin(".npy"));
    refused(CULL_EFORMAT, "this is no .npy file");
    fclose(begin(".safetensors"));
    refused(CULL_EFORMAT, "no safetensors file");
    write_safetensors("{\"score\":{\"dtype\":\"F64\",\"shape\":[4,16],\"data_offsets\":[0,9999]}}",
                      8);
    refused(CULL_EFORMAT, "beyond the file's end");
    write_safetensors("{\"other\":{\"dtype\":\"F64\",\"shape\":[4,16],\"data_offsets\":[0,512]}}",
                      64);
    refused(CULL_EINVAL, "neither a tensor \"score\" nor \"layer.0.score\"");
    fclose(begin(".txt"));
    refused(CULL_EINVAL, "a .npy or .safetensors file is wanted");
    unlink(path);
    snprintf(path, sizeof path, "/tmp/cull-no-such-file.npy");
    refused(CULL_EIO, "No such file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrays_of_numpy),
        cmocka_unit_test(tensors),
        cmocka_unit_test(files_that_are_none),
    };

    return cmocka_run_group_tests(tests, open_world, close_world);
}
