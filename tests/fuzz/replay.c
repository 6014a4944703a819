// Runs a fuzz target over the files below a folder, and over every prefix of the short ones.
#define _XOPEN_SOURCE 700 // nftw
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#include "fuzz/fuzz.h"

enum { SHORT = 512 };

static size_t files; // nftw hands no argument to its callback

// A copy of exactly n bytes, so that the address sanitizer sees a step beyond them.
static void run(const uint8_t *bytes, size_t n)
{
    uint8_t *copy = malloc(n ? n : 1);

    if (!copy)
        exit(3);
    for (size_t i = 0; i < n; i++)
        copy[i] = bytes[i];
    LLVMFuzzerTestOneInput(copy, n);
    free(copy);
}

static int visit(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)where;
    if (type != FTW_F)
        return 0;
    const size_t n = (size_t)st->st_size;
    uint8_t *bytes = malloc(n ? n : 1);
    FILE *file = fopen(path, "rb");
    if (!bytes || !file || fread(bytes, 1, n, file) != n)
        return 1;
    fclose(file);
    run(bytes, n);
    for (size_t cut = 0; n <= SHORT && cut < n; cut++)
        run(bytes, cut);
    free(bytes);
    files++;
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 2 || nftw(argv[1], visit, 8, FTW_PHYS) || !files) {
        fprintf(stderr, "usage: %s FOLDER, with files in it\n", argv[0]);
        return 1;
    }
    printf("%zu files\n", files);
    return 0;
}
