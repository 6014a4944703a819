// Writes a file of groups, attributes and arrays; the first failure counts.
#include "record/h5/common.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/memory.h"
#include "base/read_file.h"
#include "base/text.h"

// ---- failures ----

void cull_h5_failed(cull_h5 *file, const char *what, const char *name)
{
    if (file->status == CULL_OK)
        file->status = cull_fail(file->ctx, CULL_EIO, "%s: cannot write %s %s: %s", file->path,
                                 what, name, cull_h5_why(file->ctx));
}

void cull_h5_no_memory(cull_h5 *file)
{
    if (file->status == CULL_OK)
        file->status = cull_no_memory(file->ctx);
}

void *cull_h5_scratch(cull_h5 *file, size_t n, size_t size)
{
    if (file->status != CULL_OK)
        return NULL;
    void *p = cull_arena_alloc(cull_context_of(file->ctx)->scratch, n ? n : 1, size);
    if (!p)
        cull_h5_no_memory(file);
    return p;
}

cull_arena *cull_h5_arena(const cull_h5 *file)
{
    return cull_context_of(file->ctx)->scratch;
}

// ---- the file ----

// The order of making is kept, as netCDF wants. Names and attributes stay in the group's header:
// heaps and trees of their own would take more room than most groups' content.
static herr_t group_form(hid_t what)
{
    enum { ALL = 65535 };
    herr_t ok = H5Pset_link_creation_order(what, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);

    if (ok >= 0)
        ok = H5Pset_link_phase_change(what, ALL, 0);
    if (ok >= 0)
        ok = H5Pset_attr_phase_change(what, ALL, 0);
    if (ok >= 0)
        ok = H5Pset_obj_track_times(what, false);
    return ok;
}

// HDF5 1.10 can read it, whose form takes a third of the older one's room; what is laid out on disk
// (traces) keeps the older one.
static hid_t open_new(const cull_h5 *file)
{
    const hid_t how = H5Pcreate(H5P_FILE_ACCESS), what = H5Pcreate(H5P_FILE_CREATE);
    const char *name = file->on_disk ? file->disk.temporary : file->path;
    hid_t made = -1;

    herr_t ok = H5Pset_libver_bounds(how, file->on_disk ? H5F_LIBVER_EARLIEST : H5F_LIBVER_V110,
                                     H5F_LIBVER_V110);
    if (ok >= 0)
        ok = H5Pset_fclose_degree(how, H5F_CLOSE_STRONG);
    if (ok >= 0)
        ok = group_form(what);
    if (ok >= 0)
        ok = H5Pset_file_locking(how, false, true);
    if (ok >= 0 && !file->on_disk)
        ok = H5Pset_fapl_core(how, (size_t)1 << 20, false);
    if (ok >= 0)
        made = H5Fcreate(name, H5F_ACC_TRUNC, what, how);
    H5Pclose(how);
    H5Pclose(what);
    return made;
}

// HDF5 does not recover from a disk that fills up, so that the room is asked for before it begins.
static cull_status begin_on_disk(cull_h5 *file, uint64_t bytes)
{
    CULL_TRY(cull_new_file_begin(file->ctx, &file->disk, file->path));
    const int error = posix_fallocate(file->disk.fd, 0, (off_t)bytes);
    if (error)
        return cull_fail(file->ctx, CULL_EIO, "%s: cannot be written (%llu bytes): %s", file->path,
                         (unsigned long long)bytes, strerror(error));
    return CULL_OK;
}

cull_h5 *cull_h5_create(cull_ctx *ctx, const char *path, uint64_t bytes)
{
    cull_h5_quiet(path);
    cull_h5 *file = cull_alloc(1, sizeof *file);
    char *copy = cull_strdup(path);
    if (!file || !copy) {
        cull_free(file);
        cull_free(copy);
        cull_no_memory(ctx);
        return NULL;
    }

    *file = (cull_h5){ .ctx = ctx, .path = copy, .on_disk = bytes > 0, .file = -1, .disk.fd = -1 };
    cull_h5_enter(copy);
    if (file->on_disk)
        file->status = begin_on_disk(file, bytes);
    if (file->status == CULL_OK && (file->file = open_new(file)) < 0)
        cull_h5_failed(file, "the file", "itself");
    if (file->status == CULL_OK)
        return file;
    cull_h5_abandon(file);
    return NULL;
}

// The bytes of a file that is small enough for memory; free them. NULL: reported.
static char *read_whole(cull_ctx *ctx, const char *path, size_t *n)
{
    struct stat st;
    const int fd = cull_regular_fd(path);
    char *bytes = NULL;
    size_t got = 0;

    *n = fd >= 0 && fstat(fd, &st) == 0 ? (size_t)st.st_size : 0;
    if (*n > 0)
        bytes = cull_alloc(*n, 1);
    for (ssize_t some = 1; bytes && got < *n && some > 0; got += some > 0 ? (size_t)some : 0)
        some = pread(fd, bytes + got, *n - got, (off_t)got);
    if (*n == 0 || (bytes && got < *n))
        cull_fail(ctx, CULL_EIO, "%s: cannot be read: %s", path, strerror(errno));
    else if (!bytes)
        cull_no_memory(ctx);
    if (fd >= 0)
        close(fd);
    if (bytes && got == *n)
        return bytes;
    cull_free(bytes);
    return NULL;
}

// HDF5 wants a name for it that no file has.
static hid_t open_image(char *bytes, size_t n)
{
    const hid_t how = H5Pcreate(H5P_FILE_ACCESS);
    hid_t made = -1;

    if (H5Pset_fclose_degree(how, H5F_CLOSE_STRONG) >= 0 &&
        H5Pset_fapl_core(how, (size_t)1 << 20, false) >= 0 && H5Pset_file_image(how, bytes, n) >= 0)
        made = H5Fopen("/dev/null/image", H5F_ACC_RDWR, how);
    H5Pclose(how);
    return made;
}

cull_h5 *cull_h5_edit(cull_ctx *ctx, const char *from, const char *to)
{
    size_t n;

    cull_h5_quiet(from);
    char seal[CULL_H5_SEAL + 1];
    char *bytes = cull_h5_check(ctx, from, seal) == CULL_OK ? read_whole(ctx, from, &n) : NULL;
    cull_h5 *file = bytes ? cull_alloc(1, sizeof *file) : NULL;
    char *copy = file ? cull_strdup(to) : NULL;
    if (!copy) {
        if (bytes)
            cull_no_memory(ctx);
        cull_free(bytes);
        cull_free(file);
        return NULL;
    }
    *file = (cull_h5){ .ctx = ctx, .path = copy, .file = -1, .disk.fd = -1 };
    cull_h5_enter(copy);
    file->file = open_image(bytes, n);
    cull_free(bytes);
    if (file->file >= 0)
        return file;
    cull_h5_failed(file, "the file", "itself");
    cull_h5_abandon(file);
    return NULL;
}

// image: (n + CULL_H5_SEAL)
static cull_status write_sealed(const cull_h5 *file, char *image, size_t n)
{
    const cull_key key = cull_key_of(image, n);

    cull_h5_seal(image + n, &key);
    return cull_write_new_file(file->ctx, file->path, image, n + CULL_H5_SEAL);
}

// HDF5 marks the image as no longer open for writing, and leaves the superblock's checksum as it
// was before.
static void mend_superblock(char *image, size_t n)
{
    enum { VERSION = 8, SUMMED = 44 };

    if (n < SUMMED + 4 || image[VERSION] < 2)
        return;
    const uint32_t sum = cull_h5_checksum(image, SUMMED);
    for (size_t i = 0; i < 4; i++)
        image[SUMMED + i] = (char)(unsigned char)(sum >> 8 * i);
}

static void commit_image(cull_h5 *file)
{
    const ssize_t n = H5Fget_file_image(file->file, NULL, 0);
    char *image = n > 0 ? cull_alloc((size_t)n + CULL_H5_SEAL, 1) : NULL;

    if (n <= 0)
        cull_h5_failed(file, "the file", "itself");
    else if (!image)
        cull_h5_no_memory(file);
    else if (H5Fget_file_image(file->file, image, (size_t)n) != n)
        cull_h5_failed(file, "the file", "itself");
    else {
        mend_superblock(image, (size_t)n);
        file->status = write_sealed(file, image, (size_t)n);
    }
    cull_free(image);
}

static cull_status commit_on_disk(cull_h5 *file)
{
    struct stat st;
    char seal[CULL_H5_SEAL];
    cull_key key;

    int error = fstat(file->disk.fd, &st) != 0 ? errno : 0;
    if (!error)
        error = cull_key_of_start(file->disk.fd, (uint64_t)st.st_size, &key);
    if (error == ENOMEM)
        return cull_no_memory(file->ctx);
    if (error)
        return cull_fail(file->ctx, CULL_EIO, "%s: cannot be read back: %s", file->path,
                         strerror(error));
    cull_h5_seal(seal, &key);
    CULL_TRY(cull_new_file_put(file->ctx, &file->disk, (uint64_t)st.st_size, seal, sizeof seal));
    return cull_new_file_commit(file->ctx, &file->disk);
}

cull_status cull_h5_commit(cull_h5 *file)
{
    if (file->status == CULL_OK && H5Fflush(file->file, H5F_SCOPE_GLOBAL) < 0)
        cull_h5_failed(file, "the file", "itself");
    if (file->status == CULL_OK && !file->on_disk)
        commit_image(file);
    if (file->status == CULL_OK && file->on_disk) {
        if (H5Fclose(file->file) < 0)
            cull_h5_failed(file, "the file", "itself");
        else
            file->status = commit_on_disk(file);
        file->file = -1;
    }
    const cull_status status = file->status;
    cull_h5_abandon(file);
    return status;
}

void cull_h5_abandon(cull_h5 *file)
{
    if (!file)
        return;
    if (file->file >= 0)
        (void)H5Fclose(file->file);
    (void)cull_crash_leave();
    cull_new_file_abandon(&file->disk);
    cull_free(file->path);
    cull_free(file);
}

// ---- groups and attributes ----

void cull_h5_group(cull_h5 *file, const char *group)
{
    if (file->status != CULL_OK || H5Lexists(file->file, group, H5P_DEFAULT) > 0)
        return;
    const hid_t what = H5Pcreate(H5P_GROUP_CREATE);
    hid_t made = -1;
    if (group_form(what) >= 0)
        made = H5Gcreate2(file->file, group, H5P_DEFAULT, what, H5P_DEFAULT);
    if (made < 0 || H5Gclose(made) < 0)
        cull_h5_failed(file, "group", group);
    H5Pclose(what);
}

void cull_h5_link(cull_h5 *file, const char *path, const char *target, const char *object)
{
    if (file->status == CULL_OK &&
        H5Lcreate_external(target, object, file->file, path, H5P_DEFAULT, H5P_DEFAULT) < 0)
        cull_h5_failed(file, "link", path);
}

// Bytes of the UTF-8 character at s, 0 where there is none.
static size_t character(const char *s, size_t n)
{
    for (size_t k = 1; k <= 4 && k <= n; k++)
        if (cull_utf8_valid(s, k))
            return k;
    return 0;
}

static const char *repair(cull_arena *arena, const char *text)
{
    const size_t n = strlen(text);
    char *out = cull_arena_alloc(arena, 3 * n + 1, 1), *to = out;

    for (size_t i = 0; out && i < n;) {
        const size_t k = character(text + i, n - i);
        memcpy(to, k ? text + i : "\xef\xbf\xbd", k ? k : 3); // U+FFFD
        to += k ? k : 3;
        i += k ? k : 1;
    }
    return out;
}

const char **cull_h5_clean(cull_h5 *file, size_t n, const char *const *texts)
{
    cull_arena *arena = cull_context_of(file->ctx)->scratch;
    const char **out = cull_arena_alloc(arena, n ? n : 1, sizeof *out);

    for (size_t i = 0; out && i < n; i++) {
        const char *text = texts[i] ? texts[i] : "";
        if (!cull_utf8_valid(text, strlen(text)))
            text = repair(arena, text);
        if (!text)
            out = NULL;
        else
            out[i] = text;
    }
    if (!out)
        cull_h5_no_memory(file);
    return out;
}

void cull_h5_attribute(cull_h5 *file, const char *where, const char *name, hid_t type,
                       const size_t *n, const void *value)
{
    if (file->status != CULL_OK)
        return;
    const hsize_t count = n ? *n : 1;
    const hid_t space = n ? H5Screate_simple(1, &count, NULL) : H5Screate(H5S_SCALAR);
    const hid_t made = H5Acreate_by_name(file->file, where, name, type, space, H5P_DEFAULT,
                                         H5P_DEFAULT, H5P_DEFAULT);
    if (made < 0 || (count > 0 && H5Awrite(made, type, value) < 0))
        cull_h5_failed(file, "attribute", name);
    if (made >= 0)
        H5Aclose(made);
    if (space >= 0)
        H5Sclose(space);
}

static void text_attribute(cull_h5 *file, const char *where, const char *name, const size_t *n,
                           const char *const *texts)
{
    const char **cleaned = file->status == CULL_OK ? cull_h5_clean(file, n ? *n : 1, texts) : NULL;

    if (!cleaned)
        return;
    const hid_t type = cull_h5_text_type();
    cull_h5_attribute(file, where, name, type, n, cleaned);
    H5Tclose(type);
}

void cull_h5_text(cull_h5 *file, const char *where, const char *name, const char *text)
{
    text_attribute(file, where, name, NULL, &text);
}

void cull_h5_forget(cull_h5 *file, const char *where, const char *name)
{
    if (file->status == CULL_OK && H5Aexists_by_name(file->file, where, name, H5P_DEFAULT) > 0 &&
        H5Adelete_by_name(file->file, where, name, H5P_DEFAULT) < 0)
        cull_h5_failed(file, "attribute", name);
}

bool cull_h5_has_text(cull_h5 *file, const char *where, const char *name)
{
    return file->status == CULL_OK && H5Aexists_by_name(file->file, where, name, H5P_DEFAULT) > 0;
}

void cull_h5_texts(cull_h5 *file, const char *where, const char *name, size_t n,
                   const char *const *texts)
{
    text_attribute(file, where, name, &n, texts);
}

void cull_h5_real(cull_h5 *file, const char *where, const char *name, double value)
{
    cull_h5_attribute(file, where, name, H5T_NATIVE_DOUBLE, NULL, &value);
}

void cull_h5_count(cull_h5 *file, const char *where, const char *name, uint64_t value)
{
    cull_h5_attribute(file, where, name, H5T_NATIVE_UINT64, NULL, &value);
}
