// Files that go when a test ends.
#include "support/temp_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/test.h"

int temp_folder(char path[64])
{
    strcpy(path, "/tmp/cull-test-XXXXXX");
    return mkdtemp(path) ? 0 : -1;
}

int temp_folder_end(const char *path)
{
    char command[96];

    snprintf(command, sizeof command, "rm -rf '%s'", path);
    return system(command);
}

void temp_begin(temp_files *t)
{
    t->n = 0;
    assert_int_equal(temp_folder(t->folder), 0);
}

void temp_end(temp_files *t)
{
    for (size_t i = 0; i < t->n; i++)
        unlink(t->path[i]);
    rmdir(t->folder);
}

const char *temp_path(temp_files *t, const char *name)
{
    const size_t before = strlen(t->folder) + 1;

    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->path[i] + before, name) == 0)
            return t->path[i];
    char *path = t->path[t->n++];
    assert_true(t->n <= sizeof t->path / sizeof *t->path);
    assert_true(before + strlen(name) + 1 <= sizeof *t->path);
    strcpy(path, t->folder);
    strcat(path, "/");
    return strcat(path, name);
}

const char *temp_write(temp_files *t, const char *name, const void *bytes, size_t n)
{
    const char *path = temp_path(t, name);
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
    return path;
}

const char *temp_text(temp_files *t, const char *name, const char *text)
{
    return temp_write(t, name, text, strlen(text));
}

static char *read_all(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");

    assert_non_null(f);
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    *n = (size_t)ftell(f);
    rewind(f);
    char *bytes = test_malloc(*n + 1);
    assert_int_equal(fread(bytes, 1, *n, f), *n);
    assert_int_equal(fclose(f), 0);
    return bytes;
}

static size_t find(const char *bytes, size_t n, const char *text)
{
    const size_t m = strlen(text);
    size_t i = 0;

    while (i + m <= n && memcmp(bytes + i, text, m) != 0)
        i++;
    return i + m <= n ? i : SIZE_MAX;
}

void temp_damage(temp_files *t, const char *name, const char *from, const char *to)
{
    const char *path = temp_path(t, name);
    size_t n;

    if (!to && !from) {
        assert_int_equal(unlink(path), 0);
        return;
    }
    char *bytes = read_all(path, &n);
    if (from) {
        const size_t before = find(bytes, n, from), skip = before + strlen(from), m = strlen(to);
        if (before == SIZE_MAX)
            fail_msg("%s has no %s", name, from);
        char *out = test_malloc(n + m);
        memcpy(out, bytes, before);
        memcpy(out + before, to, m);
        memcpy(out + before + m, bytes + skip, n - skip);
        (void)temp_write(t, name, out, before + m + n - skip);
        test_free(out);
    } else
        (void)temp_write(t, name, bytes, n / 2);
    test_free(bytes);
}
