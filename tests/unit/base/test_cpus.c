// Quotas of control groups, from folders laid out as the kernel does.
#include "base/cpus.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/test.h"

static char root[] = "/tmp/cull-cpus-XXXXXX";

static void put(const char *folder, const char *name, const char *text)
{
    char path[1024] = "", part[512];

    (void)snprintf(part, sizeof part, "%s/%s", root, folder);
    for (char *at = part + strlen(root); at; at = strchr(at + 1, '/')) {
        (void)snprintf(path, sizeof path, "%.*s", (int)(at - part), part);
        (void)mkdir(path, 0700);
    }
    (void)mkdir(part, 0700);
    (void)snprintf(path, sizeof path, "%s/%s", part, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static int make_root(void **state)
{
    (void)state;
    return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
    char command[128];

    (void)state;
    (void)snprintf(command, sizeof command, "rm -r %s", root);
    return system(command);
}

static void version_2(void **state)
{
    (void)state;
    put("pod/box", "cpu.max", "250000 100000\n");
    put("pod", "cpu.max", "max 100000\n");
    assert_true(cull_cpu_quota("0::/pod/box\n", root) == 2.5);
    put("pod", "cpu.max", "150000 100000\n"); // those above count, too
    assert_true(cull_cpu_quota("0::/pod/box\n", root) == 1.5);
    assert_true(cull_cpu_quota("0::/pod\n", root) == 1.5);
    assert_true(cull_cpu_quota("0::/elsewhere\n", root) == 0);
    put("", "cpu.max", "50000 100000\n"); // a container's own root
    assert_true(cull_cpu_quota("0::/elsewhere\n", root) == 0.5);
}

static void version_1(void **state)
{
    (void)state;
    put("cpu/box", "cpu.cfs_quota_us", "-1\n");
    put("cpu/box", "cpu.cfs_period_us", "100000\n");
    assert_true(cull_cpu_quota("4:memory:/box\n3:cpu,cpuacct:/box\n1:name=systemd:/\n", root) == 0);
    put("cpu/box", "cpu.cfs_quota_us", "300000\n");
    assert_true(cull_cpu_quota("4:memory:/box\n3:cpu,cpuacct:/box\n1:name=systemd:/\n", root) == 3);
    assert_true(cull_cpu_quota("3:cpuacct,cpu:/box", root) == 3);
    assert_true(cull_cpu_quota("3:cpuset:/box\n", root) == 0);
    assert_true(cull_cpu_quota("", root) == 0);
    assert_true(cull_cpu_quota("nonsense\n::\n", root) == 0);
}

static void some_are_usable(void **state)
{
    (void)state;
    assert_true(cull_usable_cpus() >= 1);
    assert_true(cull_usable_cpus() <= (size_t)sysconf(_SC_NPROCESSORS_CONF));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_1),
        cmocka_unit_test(version_2),
        cmocka_unit_test(some_are_usable),
    };

    return cmocka_run_group_tests(tests, make_root, remove_root);
}
