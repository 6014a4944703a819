// The log: levels, JSON lines, and that progress elsewhere than on a terminal stays quiet for a
// minute.
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/test.h"

// What `act` writes to stderr, as text in buf.
static void capture(void (*act)(cull_log *), cull_level most, const char *json, char *buf, size_t n)
{
    char path[] = "/tmp/cull-log-XXXXXX";
    const int file = mkstemp(path), kept = dup(STDERR_FILENO);

    assert_true(file >= 0 && kept >= 0);
    fflush(stderr);
    dup2(file, STDERR_FILENO);
    cull_log *log = cull_log_new(most);
    const int fine = log && (!json || cull_log_file(log, json));
    if (fine)
        act(log);
    cull_log_free(log);
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
    const ssize_t got = pread(file, buf, n - 1, 0);
    buf[got > 0 ? got : 0] = '\0';
    close(file);
    unlink(path);
    assert_true(fine);
}

static void say_all(cull_log *log)
{
    cull_log_line(log, CULL_ERROR, "e %d", 1);
    cull_log_line(log, CULL_WARN, "w \"x\"");
    cull_log_line(log, CULL_INFO, "i");
    cull_log_line(log, CULL_DEBUG, "d");
}

static void levels(void **state)
{
    char text[256];

    (void)state;
    capture(say_all, CULL_INFO, NULL, text, sizeof text);
    assert_string_equal(text, "error: e 1\nwarning: w \"x\"\ni\n");
    capture(say_all, CULL_DEBUG, NULL, text, sizeof text);
    assert_string_equal(text, "error: e 1\nwarning: w \"x\"\ni\ndebug: d\n");
    capture(say_all, CULL_WARN, NULL, text, sizeof text);
    assert_string_equal(text, "error: e 1\nwarning: w \"x\"\n");
    cull_log_line(NULL, CULL_ERROR, "nobody listens");
}

// Said to one log, and told again by this one; a line that was cut short is let be.
static void retell_all(cull_log *log)
{
    char bytes[256];
    FILE *file = tmpfile();
    cull_log *other = cull_log_new(CULL_ERROR);

    assert_true(file && other);
    cull_log_divert(other, file);
    say_all(other);
    cull_log_divert(other, NULL);
    cull_log_line(other, CULL_WARN, "not shown, and not in the file");
    cull_log_free(other);
    rewind(file);
    const size_t n = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    cull_log_retell(log, bytes, n);
    cull_log_retell(log, bytes, 4);
}

static void retold(void **state)
{
    char text[256];

    (void)state;
    capture(retell_all, CULL_DEBUG, NULL, text, sizeof text);
    assert_string_equal(text, "error: e 1\nwarning: w \"x\"\ni\ndebug: d\n");
    capture(retell_all, CULL_WARN, NULL, text, sizeof text);
    assert_string_equal(text, "error: e 1\nwarning: w \"x\"\n");
}

static void json_lines(void **state)
{
    char text[256], line[256], path[] = "/tmp/cull-log-XXXXXX";

    (void)state;
    close(mkstemp(path));
    capture(say_all, CULL_ERROR, path, text, sizeof text);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    for (int i = 0; i < 4; i++) // all levels, whatever is shown
        assert_non_null(fgets(line, sizeof line, file));
    assert_null(fgets(line, sizeof line, file));
    fclose(file);
    file = fopen(path, "r");
    assert_non_null(fgets(line, sizeof line, file));
    assert_non_null(fgets(line, sizeof line, file));
    fclose(file);
    unlink(path);
    assert_memory_equal(line, "{\"time\":\"20", 11);
    assert_non_null(strstr(line, "Z\",\"level\":\"warning\",\"text\":\"w \\\"x\\\"\"}\n"));
}

static void work(cull_log *log)
{
    cull_progress_begin(log, "calibrate", "tokens", 1000);
    for (int i = 0; i <= 1000; i++)
        cull_progress_tell(log, i);
    assert_true(cull_progress_on(log));
    cull_progress_end(log);
    assert_false(cull_progress_on(log));
}

static void no_bar_in_files(void **state)
{
    char text[256];

    (void)state;
    capture(work, CULL_INFO, NULL, text, sizeof text);
    assert_string_equal(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels),
        cmocka_unit_test(retold),
        cmocka_unit_test(json_lines),
        cmocka_unit_test(no_bar_in_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
