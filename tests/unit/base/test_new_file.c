// Files that appear whole, and what is no file to replace.
#include "base/new_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/fake_host.h"
#include "support/temp_files.h"
#include "support/test.h"

typedef struct fixture {
    fake_host *host;
    cull_ctx *ctx;
    temp_files files;
} fixture;

static int setup(void **state)
{
    static fixture f;

    f.host = fake_host_new(1);
    f.ctx = fake_ctx(f.host);
    temp_begin(&f.files);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;

    temp_end(&f->files);
    fake_host_free(f->host);
    return 0;
}

static void assert_holds(const char *path, const char *text)
{
    char got[64] = "";
    FILE *file = fopen(path, "rb");

    assert_non_null(file);
    got[fread(got, 1, sizeof got - 1, file)] = '\0';
    fclose(file);
    assert_string_equal(got, text);
}

static void a_file_is_replaced(void **state)
{
    fixture *f = *state;
    const char *path = temp_text(&f->files, "page.html", "a longer one that was there before");

    assert_false(cull_is_stream(path));
    assert_ok(f->host, cull_write_file(f->ctx, path, "new", 3));
    assert_holds(path, "new");
}

// Half a file, by a process that ends then.
static void die_writing(fixture *f, const char *path)
{
    cull_new_file file;
    int ended = -1;
    const pid_t child = fork();

    if (child == 0)
        _exit(cull_new_file_begin(f->ctx, &file, path) != CULL_OK);
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_int_equal(ended, 0);
}

static void what_the_dead_left_of_the_same_file_goes(void **state)
{
    fixture *f = *state;
    const char *path = temp_path(&f->files, "page.html"),
               *theirs = temp_path(&f->files, "a.page.html");
    char command[256];

    die_writing(f, path);
    die_writing(f, path);
    die_writing(f, theirs);
    assert_ok(f->host, cull_write_file(f->ctx, path, "new", 3));
    snprintf(command, sizeof command, "[ $(ls -A '%s' | grep -c tmp) = 1 ]", f->files.folder);
    assert_int_equal(system(command), 0);
    assert_ok(f->host, cull_write_file(f->ctx, theirs, "new", 3));
    snprintf(command, sizeof command, "[ $(ls -A '%s' | grep -c tmp) = 0 ]", f->files.folder);
    assert_int_equal(system(command), 0);
    assert_int_equal(unlink(theirs) + unlink(path), 0);
}

static void a_pipe_is_written_to(void **state)
{
    fixture *f = *state;
    const char *path = temp_path(&f->files, "pipe");
    char got[8] = "";
    struct stat st;

    assert_int_equal(mkfifo(path, 0600), 0);
    const int reader = open(path, O_RDONLY | O_NONBLOCK);

    assert_true(cull_is_stream(path));
    assert_ok(f->host, cull_write_file(f->ctx, path, "new", 3));
    assert_int_equal(read(reader, got, sizeof got), 3);
    assert_string_equal(got, "new");
    assert_int_equal(stat(path, &st), 0);
    assert_true(S_ISFIFO(st.st_mode));
    close(reader);
    unlink(path);
}

// By way of a link, so that a program that errs here does not remove the device.
static void a_device_is_written_to(void **state)
{
    fixture *f = *state;
    const char *path = temp_path(&f->files, "full");
    struct stat st;

    assert_int_equal(symlink("/dev/full", path), 0);
    assert_fails(f->host, cull_write_file(f->ctx, path, "new", 3), CULL_EIO,
                 "full: cannot be written: No space left on device");
    assert_int_equal(lstat(path, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    unlink(path);
}

static void where_this_process_prints_is_written_to(void **state)
{
    fixture *f = *state;
    const char *path = temp_text(&f->files, "out", "");

    fflush(stdout);
    const int before = dup(STDOUT_FILENO), out = open(path, O_WRONLY | O_APPEND);

    dup2(out, STDOUT_FILENO);
    printf("one ");
    const cull_status by_link = cull_write_file(f->ctx, "/proc/self/fd/1", "two ", 4);
    printf("three ");
    const cull_status by_name = cull_write_file(f->ctx, path, "four", 4);
    dup2(before, STDOUT_FILENO);
    close(before);
    close(out);
    assert_ok(f->host, by_link);
    assert_ok(f->host, by_name);
    assert_holds(path, "one two three four");
}

static void what_cannot_be_is_one_sentence(void **state)
{
    fixture *f = *state;
    char missing[96], sentence[192];
    cull_new_file file;

    snprintf(missing, sizeof missing, "%s/no/page.html", f->files.folder);
    snprintf(sentence, sizeof sentence, "%s: cannot be created: No such file", missing);
    assert_fails(f->host, cull_write_file(f->ctx, missing, "new", 3), CULL_EIO, sentence);
    snprintf(sentence, sizeof sentence, "%s: cannot be written: Is a directory", f->files.folder);
    assert_fails(f->host, cull_write_file(f->ctx, f->files.folder, "new", 3), CULL_EIO, sentence);

    const char *path = temp_path(&f->files, "null");
    assert_int_equal(symlink("/dev/null", path), 0);
    assert_fails(f->host, cull_new_file_begin(f->ctx, &file, path), CULL_EIO,
                 "null: cannot be written: it is not a regular file");
    cull_new_file_abandon(&file); // harmless
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_is_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(what_the_dead_left_of_the_same_file_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_pipe_is_written_to, setup, teardown),
        cmocka_unit_test_setup_teardown(a_device_is_written_to, setup, teardown),
        cmocka_unit_test_setup_teardown(where_this_process_prints_is_written_to, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_is_one_sentence, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
