// A folder for the files of a test.
#ifndef CULL_TESTS_TEMP_FILES_H
#define CULL_TESTS_TEMP_FILES_H

#include <stddef.h>

typedef struct temp_files {
    char folder[64];
    size_t n;
    char path[64][160]; // of what was written
} temp_files;

// A folder alone, its name in path; it goes with all that came into it. 0, or -1.
int temp_folder(char path[64]);
int temp_folder_end(const char *path);

void temp_begin(temp_files *);
void temp_end(temp_files *); // removes all
// All return a path that lives as long as the folder; a file of the same name is written anew.
const char *temp_write(temp_files *, const char *name, const void *bytes, size_t n);
const char *temp_text(temp_files *, const char *name, const char *text);
const char *temp_path(temp_files *, const char *name); // of what somebody else will write
// Replace the first `from` of a file by `to`; from NULL: cut the file in half; to NULL, too: remove
// it.
void temp_damage(temp_files *, const char *name, const char *from, const char *to);

#endif
