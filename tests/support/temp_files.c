// Files that go when a test ends.
#include "support/temp_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/test.h"

void temp_begin(temp_files *t)
{
    t->n = 0;
    strcpy(t->folder, "/tmp/cull-test-XXXXXX");
    assert_non_null(mkdtemp(t->folder));
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
