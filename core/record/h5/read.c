// Reads datasets and attributes, checked against what is expected.
#include "record/h5/common.h"

#include <string.h>
#include <sys/stat.h>

#include "base/crash.h"
#include "base/memory.h"
#include "record/h5/excerpt.h"

struct cull_h5_in {
    cull_ctx *ctx;
    char *path;
    char seal[CULL_H5_SEAL + 1]; // "" where it has none
    cull_excerpt *known;         // what it answers without being opened; may be NULL
    cull_buf *noted;             // what it answers is noted here, too; may be NULL
    hid_t file;                  // −1: not opened
    hid_t how;                   // arrays are read
    hid_t at;                    // the object that was asked for last, or −1
    char where[512];             // its path
    bool lacked;                 // memory, where something was looked for
};

// HDF5 clears its room for conversions before each read, a megabyte by default: bytes at least and
// at most, and of an element.
enum { CONVERSION_LEAST = 1 << 10, CONVERSION = 1 << 16, ELEMENT = 64 };

static cull_status unreadable(cull_h5_in *file, const char *what)
{
    if (cull_h5_lacked_memory())
        return cull_no_memory(file->ctx);
    return cull_fail(file->ctx, CULL_EFORMAT, "%s: cannot read %s: %s", file->path, what,
                     cull_h5_why(file->ctx));
}

// Small files are read at once: HDF5 would read each of hundreds of objects by itself.
enum { SMALL = 1 << 22 };

static bool is_small(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && st.st_size <= SMALL;
}

static cull_status open_file(cull_h5_in *file)
{
    cull_h5_quiet(file->path);

    const hid_t how = H5Pcreate(H5P_FILE_ACCESS);
    file->how = H5Pcreate(H5P_DATASET_XFER);
    if (how < 0 || file->how < 0) // HDF5 itself could not begin
        return cull_no_memory(file->ctx);
    cull_h5_enter(file->path);
    if (H5Pset_fclose_degree(how, H5F_CLOSE_STRONG) >= 0 &&
        H5Pset_file_locking(how, false, true) >= 0 &&
        (!is_small(file->path) || H5Pset_fapl_core(how, SMALL, false) >= 0))
        file->file = H5Fopen(file->path, H5F_ACC_RDONLY, how);
    const cull_status status =
        file->file >= 0 ? CULL_OK
        : cull_h5_lacked_memory()
            ? cull_no_memory(file->ctx)
            : cull_fail(file->ctx, CULL_EFORMAT, "%s: is not a whole HDF5 file: %s", file->path,
                        cull_h5_why(file->ctx));
    H5Pclose(how);
    if (status != CULL_OK)
        (void)cull_crash_leave();
    return status;
}

// Checked, not opened.
static cull_status begin(cull_ctx *ctx, const char *path, cull_h5_in **out)
{
    char seal[CULL_H5_SEAL + 1] = "";

    *out = NULL;
    CULL_TRY(cull_h5_check(ctx, path, seal));
    cull_h5_in *file = cull_alloc(1, sizeof *file);
    char *copy = cull_strdup(path);
    if (!file || !copy) {
        cull_free(file);
        cull_free(copy);
        return cull_no_memory(ctx);
    }
    *file = (cull_h5_in){ .ctx = ctx, .path = copy, .file = -1, .how = -1, .at = -1 };
    memcpy(file->seal, seal, sizeof seal);
    *out = file;
    return CULL_OK;
}

// What is begun and cannot be opened is closed.
static cull_status finish(cull_h5_in **file, cull_status status)
{
    if (status != CULL_OK) {
        cull_h5_close(*file);
        *file = NULL;
    }
    return status;
}

// What is not there is not there for want of memory?
static cull_status found(const cull_h5_in *file)
{
    return file->lacked ? cull_no_memory(file->ctx) : CULL_OK;
}

cull_status cull_h5_open(cull_ctx *ctx, const char *path, cull_h5_in **out)
{
    CULL_TRY(begin(ctx, path, out));
    return finish(out, open_file(*out));
}

cull_status cull_h5_open_excerpt(cull_ctx *ctx, const char *path, const cull_h5_excerpt *excerpt,
                                 cull_h5_in **out)
{
    CULL_TRY(begin(ctx, path, out));
    cull_h5_in *file = *out;
    cull_status status = CULL_OK;
    if (*file->seal && strcmp(file->seal, excerpt->seal) == 0)
        status = cull_excerpt_open(ctx, excerpt->n, excerpt->bytes, &file->known);
    if (status == CULL_OK && !file->known)
        status = open_file(file);
    return finish(out, status);
}

bool cull_h5_has_excerpt(const cull_h5_in *file)
{
    return file->known;
}

const char *cull_h5_seal_of(const cull_h5_in *file)
{
    return file->seal;
}

void cull_h5_note(cull_h5_in *file, cull_buf *noted)
{
    file->noted = noted;
}

void cull_h5_close(cull_h5_in *file)
{
    if (!file)
        return;
    if (file->at >= 0)
        (void)H5Oclose(file->at);
    if (file->file >= 0)
        (void)H5Fclose(file->file);
    if (file->how >= 0)
        (void)H5Pclose(file->how);
    if (file->file >= 0)
        (void)cull_crash_leave();
    cull_free(file->path);
    cull_free(file);
}

cull_status cull_h5_done(cull_h5_in *file, cull_status status)
{
    const cull_status end = file && status == CULL_OK ? found(file) : status;

    cull_h5_close(file);
    return end;
}

// ---- names ----

// A file that is asked what its excerpt does not know is opened after all.
static bool is_open(cull_h5_in *file)
{
    const cull_status status = file->file >= 0 ? CULL_OK : open_file(file);

    file->lacked |= status == CULL_ENOMEM;
    return status == CULL_OK;
}

// An object by the first n bytes of its path; negative, with an error that nobody hears, where it
// is missing. One is asked for many times in a row, and to find it takes longer than to read.
static hid_t object_at(cull_h5_in *file, const char *path, size_t n)
{
    if (n >= sizeof file->where || !is_open(file))
        return -1;
    if (strlen(file->where) == n && memcmp(file->where, path, n) == 0)
        return file->at;
    if (file->at >= 0)
        (void)H5Oclose(file->at);
    memcpy(file->where, path, n);
    file->where[n] = '\0';
    file->at = H5Oopen(file->file, file->where, H5P_DEFAULT);
    file->lacked |= file->at < 0 && cull_h5_lacked_memory();
    return file->at;
}

// The group that a path ends in, and the name in it; of a path that is long the file, and all of
// it.
static hid_t group_of(cull_h5_in *file, const char *path, const char **name)
{
    const char *slash = strrchr(path, '/');
    const size_t n = slash ? (size_t)(slash - path) : 0;

    *name = slash && n < sizeof file->where ? slash + 1 : path;
    if (n >= sizeof file->where)
        return is_open(file) ? file->file : -1;
    return n == 0 ? object_at(file, "/", 1) : object_at(file, path, n);
}

bool cull_h5_has(cull_h5_in *file, const char *path)
{
    const char *name;
    bool there;

    if (strcmp(path, "/") == 0)
        return true;
    if (!file->known || !cull_excerpt_has(file->known, path, &there)) {
        const hid_t group = group_of(file, path, &name);
        const htri_t exists = group >= 0 ? H5Lexists(group, name, H5P_DEFAULT) : 0;
        file->lacked |= exists < 0 && cull_h5_lacked_memory();
        there = exists > 0;
        if (file->lacked)
            (void)cull_no_memory(file->ctx);
    }
    if (file->noted)
        cull_note_has(file->noted, path, there);
    return there;
}

// ---- values ----

// n texts read through `read(file, handle, type, buffer)` into the alloc arena.
typedef herr_t (*read_fn)(const cull_h5_in *file, hid_t handle, hid_t type, void *buffer);

static herr_t read_attribute(const cull_h5_in *file, hid_t handle, hid_t type, void *buffer)
{
    (void)file;
    return H5Aread(handle, type, buffer);
}

static herr_t read_array(const cull_h5_in *file, hid_t handle, hid_t type, void *buffer)
{
    return H5Dread(handle, type, H5S_ALL, H5S_ALL, file->how, buffer);
}

static cull_status read_texts(cull_h5_in *file, hid_t handle, read_fn read, hid_t space, size_t n,
                              const char *what, const char ***out)
{
    const char **texts = cull_take(file->ctx, n ? n : 1, sizeof *texts);
    char **raw = cull_alloc(n ? n : 1, sizeof *raw);
    const hid_t type = cull_h5_text_type();
    cull_status status = texts && raw ? CULL_OK : cull_no_memory(file->ctx);

    if (status == CULL_OK && n > 0 && read(file, handle, type, raw) < 0)
        status = unreadable(file, what);
    for (size_t i = 0; status == CULL_OK && i < n; i++) {
        const char *text = raw[i] ? raw[i] : "";
        texts[i] = cull_arena_copy(cull_context_of(file->ctx)->alloc, text, strlen(text));
        if (!texts[i])
            status = cull_no_memory(file->ctx);
    }
    if (status == CULL_OK && n > 0)
        (void)H5Dvlen_reclaim(type, space, H5P_DEFAULT, raw);
    cull_free(raw);
    H5Tclose(type);
    *out = texts;
    return status;
}

static hid_t open_attribute(cull_h5_in *file, const char *where, const char *name)
{
    const hid_t object = object_at(file, where, strlen(where));

    const htri_t exists = object >= 0 ? H5Aexists(object, name) : 0;
    const hid_t attribute = exists > 0 ? H5Aopen(object, name, H5P_DEFAULT) : -1;

    file->lacked |= (exists < 0 || (exists > 0 && attribute < 0)) && cull_h5_lacked_memory();
    return attribute;
}

// NULL in *out: there is no such attribute.
static cull_status attribute_texts(cull_h5_in *file, const char *where, const char *name, size_t *n,
                                   const char *const **out)
{
    const hid_t attribute = open_attribute(file, where, name);

    if (attribute < 0)
        return found(file);

    const hid_t space = H5Aget_space(attribute), type = H5Aget_type(attribute);
    const hssize_t count = H5Sget_simple_extent_npoints(space);
    const char **texts = NULL;
    cull_status status = CULL_OK;
    if (type < 0 || count < 0)
        status = unreadable(file, name);
    else if (H5Tis_variable_str(type) <= 0)
        status = cull_fail(file->ctx, CULL_EFORMAT, "%s: attribute %s of %s is not text",
                           file->path, name, where);
    else
        status = read_texts(file, attribute, read_attribute, space, (size_t)count, name, &texts);
    H5Tclose(type);
    H5Sclose(space);
    H5Aclose(attribute);
    if (status == CULL_OK) {
        *n = (size_t)count;
        *out = texts;
    }
    return status;
}

cull_status cull_h5_get_texts(cull_h5_in *file, const char *where, const char *name, size_t *n,
                              const char *const **out)
{
    const char *const *texts = NULL;
    size_t count = 0;
    bool known = false, there;

    if (file->known)
        CULL_TRY(cull_excerpt_texts(file->ctx, file->known, where, name, &known, &there, &count,
                                    &texts));
    if (!known)
        CULL_TRY(attribute_texts(file, where, name, &count, &texts));
    if (file->noted)
        cull_note_texts(file->noted, where, name, count, texts);
    if (texts) {
        *n = count;
        *out = texts;
    }
    return CULL_OK;
}

cull_status cull_h5_get_text(cull_h5_in *file, const char *where, const char *name,
                             const char **out)
{
    size_t n = 0;
    const char *const *texts = NULL;

    CULL_TRY(cull_h5_get_texts(file, where, name, &n, &texts));
    if (n > 0)
        *out = texts[0];
    return CULL_OK;
}

static cull_status attribute_real(cull_h5_in *file, const char *where, const char *name,
                                  bool *there, double *out)
{
    const hid_t attribute = open_attribute(file, where, name);

    *there = attribute >= 0;
    if (!*there)
        return found(file);

    const hid_t space = H5Aget_space(attribute);
    const bool ok =
        H5Sget_simple_extent_npoints(space) == 1 && H5Aread(attribute, H5T_NATIVE_DOUBLE, out) >= 0;
    const bool lacked = !ok && cull_h5_lacked_memory();
    H5Sclose(space);
    H5Aclose(attribute);
    return ok       ? CULL_OK
           : lacked ? cull_no_memory(file->ctx)
                    : cull_fail(file->ctx, CULL_EFORMAT, "%s: attribute %s of %s is not a number",
                                file->path, name, where);
}

cull_status cull_h5_get_real(cull_h5_in *file, const char *where, const char *name, double *out)
{
    double value = 0;
    bool there;

    if (!file->known || !cull_excerpt_real(file->known, where, name, &there, &value))
        CULL_TRY(attribute_real(file, where, name, &there, &value));
    if (file->noted)
        cull_note_real(file->noted, where, name, there ? &value : NULL);
    if (there)
        *out = value;
    return CULL_OK;
}

static cull_status shape_of(cull_h5_in *file, hid_t space, const char *path, cull_h5_shape *shape)
{
    hsize_t dims[H5S_MAX_RANK];
    const int rank = space < 0 ? -1 : H5Sget_simple_extent_dims(space, dims, NULL);

    if (space < 0)
        return unreadable(file, path);
    if (rank < 0 || rank > CULL_H5_RANK)
        return cull_fail(file->ctx, CULL_EFORMAT, "%s: %s has an unexpected shape", file->path,
                         path);
    shape->rank = (size_t)rank;
    shape->n = 1;
    for (size_t i = 0; i < shape->rank; i++) {
        shape->shape[i] = (size_t)dims[i];
        if (dims[i] && shape->n > SIZE_MAX / 16 / dims[i])
            return cull_fail(file->ctx, CULL_EFORMAT, "%s: %s is too large", file->path, path);
        shape->n *= (size_t)dims[i];
    }
    return CULL_OK;
}

// n texts of one length (array.c), NUL-ended, in the alloc arena.
static cull_status read_packed(cull_h5_in *file, hid_t array, hid_t stored, size_t n,
                               const char *path, const char ***out)
{
    const size_t length = H5Tget_size(stored);
    char *packed = n < SIZE_MAX / (length + 1) ? cull_alloc(n ? n : 1, length ? length : 1) : NULL;
    char *own = packed ? cull_take(file->ctx, n ? n : 1, length + 1) : NULL;
    const char **texts = own ? cull_take(file->ctx, n ? n : 1, sizeof *texts) : NULL;
    cull_status status = texts ? CULL_OK : cull_no_memory(file->ctx);

    if (texts && n > 0 && read_array(file, array, stored, packed) < 0)
        status = unreadable(file, path);
    for (size_t i = 0; status == CULL_OK && i < n; i++) {
        memcpy(own + i * (length + 1), packed + i * length, length);
        texts[i] = own + i * (length + 1);
    }
    cull_free(packed);
    *out = texts;
    return status;
}

static cull_status get_texts(cull_h5_in *file, hid_t array, hid_t space, const char *path, size_t n,
                             const void **data)
{
    const hid_t stored = H5Dget_type(array);
    const char **texts = NULL;
    cull_status status;

    if (H5Tis_variable_str(stored) > 0)
        status = read_texts(file, array, read_array, space, n, path, &texts);
    else
        status = read_packed(file, array, stored, n, path, &texts);
    H5Tclose(stored);
    *data = texts;
    return status;
}

static cull_status get(cull_h5_in *file, hid_t array, hid_t space, const char *path,
                       cull_h5_shape *shape, const void **data)
{
    CULL_TRY(shape_of(file, space, path, shape));
    const size_t room = shape->n < CONVERSION / ELEMENT ? ELEMENT * shape->n : CONVERSION;
    if (H5Pset_buffer(file->how, room < CONVERSION_LEAST ? CONVERSION_LEAST : room, NULL, NULL) < 0)
        return unreadable(file, path);
    const hid_t stored = H5Dget_type(array);
    if (stored < 0)
        return unreadable(file, path);
    const H5T_class_t kind = H5Tget_class(stored);
    H5Tclose(stored);
    if (shape->type == 's' ? kind != H5T_STRING : kind > H5T_FLOAT)
        return cull_fail(file->ctx, CULL_EFORMAT, "%s: %s does not hold %s", file->path, path,
                         shape->type == 's' ? "text" : "numbers");
    if (shape->type == 's')
        return get_texts(file, array, space, path, shape->n, data);

    void *numbers = cull_take(file->ctx, shape->n ? shape->n : 1, cull_h5_size(shape->type));
    if (!numbers)
        return CULL_ENOMEM;
    if (shape->n > 0 && read_array(file, array, cull_h5_memory_type(shape->type), numbers) < 0)
        return unreadable(file, path);
    *data = numbers;
    return CULL_OK;
}

// ---- links ----

static cull_status read_link(cull_h5_in *file, const char *path, const char **target,
                             const char **object)
{
    H5L_info_t info;
    const char *name;

    *target = *object = NULL;
    const hid_t group = group_of(file, path, &name);
    if (H5Lget_info(group, name, &info, H5P_DEFAULT) < 0)
        return cull_h5_lacked_memory() ? cull_no_memory(file->ctx) : CULL_OK;
    if (info.type != H5L_TYPE_EXTERNAL)
        return CULL_OK;
    char *value = cull_take(file->ctx, info.u.val_size + 1, 1);
    if (!value)
        return CULL_ENOMEM;
    if (H5Lget_val(group, name, value, info.u.val_size, H5P_DEFAULT) < 0 ||
        H5Lunpack_elink_val(value, info.u.val_size, NULL, target, object) < 0)
        return unreadable(file, path);
    return CULL_OK;
}

cull_status cull_h5_linked(cull_h5_in *file, const char *path, const char **to, const char **object)
{
    const char *target;

    *to = NULL;
    if (!file->known || !cull_excerpt_link(file->known, path, &target, object))
        CULL_TRY(read_link(file, path, &target, object));
    if (file->noted)
        cull_note_link(file->noted, path, target, *object);
    if (!target)
        return CULL_OK;
    const char *slash = *target == '/' ? NULL : strrchr(file->path, '/');
    const int folder = slash ? (int)(slash - file->path + 1) : 0;
    *to =
        cull_arena_printf(cull_context_of(file->ctx)->alloc, "%.*s%s", folder, file->path, target);
    return *to ? CULL_OK : cull_no_memory(file->ctx);
}

// HDF5 would follow by itself, and open what nobody has checked.
static cull_status get_linked(cull_ctx *ctx, const char *to, const char *object,
                              cull_h5_shape *shape, const void **data)
{
    cull_h5_in *file;
    const char *again, *inside;

    CULL_TRY(cull_h5_open(ctx, to, &file));
    cull_status status = cull_h5_linked(file, object, &again, &inside);
    if (status == CULL_OK && again)
        status = cull_fail(ctx, CULL_EFORMAT, "%s: %s is a link to yet another file", to, object);
    if (status == CULL_OK)
        status = cull_h5_get(file, object, shape->type, shape, data);
    cull_h5_close(file);
    return status;
}

static cull_status get_own(cull_h5_in *file, const char *path, cull_h5_shape *shape,
                           const void **data)
{
    const char *name;
    const hid_t group = group_of(file, path, &name);
    const hid_t array = H5Dopen2(group, name, H5P_DEFAULT);

    if (array < 0)
        return unreadable(file, path);
    const hid_t space = H5Dget_space(array);
    const cull_status status = get(file, array, space, path, shape, data);
    H5Sclose(space);
    H5Dclose(array);
    return status;
}

cull_status cull_h5_get(cull_h5_in *file, const char *path, char type, cull_h5_shape *shape,
                        const void **data)
{
    const char *to, *object;
    bool known = false;

    *shape = (cull_h5_shape){ .type = type };
    if (file->known)
        CULL_TRY(cull_excerpt_array(file->ctx, file->known, path, &known, shape, data));
    if (!known) {
        if (!cull_h5_has(file, path))
            return file->lacked
                       ? cull_no_memory(file->ctx)
                       : cull_fail(file->ctx, CULL_EFORMAT, "%s: %s is missing", file->path, path);
        CULL_TRY(cull_h5_linked(file, path, &to, &object));
        *shape = (cull_h5_shape){ .type = type };
        if (to)
            return get_linked(file->ctx, to, object, shape, data);
        CULL_TRY(get_own(file, path, shape, data));
    }
    if (file->noted)
        cull_note_array(file->noted, path, shape, *data);
    return CULL_OK;
}
