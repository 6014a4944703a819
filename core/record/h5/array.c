// Arrays with scales, fill values and attributes.
#include "record/h5/common.h"

#include <hdf5_hl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

enum { CHUNK = 1 << 20, DEFLATE = 4, SMALL = 256 }; // bytes, level, bytes
enum { MANY = 32, LONGEST = 64 };                   // texts, bytes

// "group/name" in the scratch arena; NULL after a failure, this one included.
static const char *join(cull_h5 *file, const char *group, const char *name)
{
    if (file->status != CULL_OK)
        return NULL;
    const char *slash = strcmp(group, "/") == 0 ? "" : "/";
    const char *path =
        cull_arena_printf(cull_context_of(file->ctx)->scratch, "%s%s%s", group, slash, name);
    if (!path)
        cull_h5_no_memory(file);
    return path;
}

static size_t elements(const cull_h5_array *array)
{
    size_t n = 1;

    for (size_t i = 0; i < array->rank; i++)
        n *= array->shape[i];
    return n;
}

// What stands for a missing element, as bytes of the array's type; NULL for texts.
static const void *missing(char type)
{
    static const double d = NAN;
    static const float f = NAN;
    static const int64_t i = -1;
    static const int32_t n = -1;
    static const uint64_t u = UINT64_MAX;
    static const uint8_t b = UINT8_MAX;

    switch (type) {
    case 'd':
        return &d;
    case 'f':
        return &f;
    case 'i':
        return &i;
    case 'n':
        return &n;
    case 'u':
        return &u;
    case 'b':
        return &b;
    default:
        return NULL;
    }
}

// Is an element missing? Of what is filled in later nobody knows.
static bool has_missing(const cull_h5_array *array)
{
    const void *const none = missing(array->type);
    const size_t n = elements(array), size = none ? cull_h5_size(array->type) : 0;
    const double *d = array->data;
    const float *f = array->data;

    for (size_t i = 0; none && array->data && i < n; i++)
        if (array->type == 'd'   ? isnan(d[i])
            : array->type == 'f' ? isnan(f[i])
                                 : memcmp((const char *)array->data + i * size, none, size) == 0)
            return true;
    return none && !array->data;
}

static bool is_ascii(const char *text)
{
    while (*text > 0)
        text++;

    return *text == '\0';
}

// The length that many texts have in common, as hashes do; 0: they have none.
static size_t common_length(const cull_h5_array *array)
{
    const char *const *text = array->type == 's' ? array->data : NULL;
    const size_t n = elements(array), length = text && n >= MANY && text[0] ? strlen(text[0]) : 0;

    for (size_t i = 0; length && i < n; i++)
        if (!text[i] || strlen(text[i]) != length || !is_ascii(text[i]))
            return 0;
    return length <= LONGEST ? length : 0;
}

// How an array is stored: in compressed chunks of about a megabyte, unless it is small or of texts
// of many lengths.
static hid_t layout(const cull_h5 *file, const cull_h5_array *array, size_t length)
{
    const hid_t how = H5Pcreate(H5P_DATASET_CREATE);
    const size_t bytes = elements(array) * (length ? length : cull_h5_size(array->type));
    hsize_t chunk[CULL_H5_RANK];
    size_t chunk_bytes = bytes;
    herr_t ok = H5Pset_obj_track_times(how, false);

    if (ok >= 0 && missing(array->type))
        ok = H5Pset_fill_value(how, cull_h5_memory_type(array->type), missing(array->type));
    if (ok < 0 || bytes < SMALL || (array->type == 's' && !length) || file->on_disk)
        return how;

    for (size_t i = 0; i < array->rank; i++)
        chunk[i] = array->shape[i];
    for (size_t i = 0; i < array->rank; i++)
        while (chunk_bytes > CHUNK && chunk[i] > 1) {
            chunk_bytes = chunk_bytes / chunk[i] * ((chunk[i] + 1) / 2);
            chunk[i] = (chunk[i] + 1) / 2;
        }
    ok = H5Pset_chunk(how, (int)array->rank, chunk);
    if (ok >= 0 && !length)
        ok = H5Pset_shuffle(how);
    if (ok >= 0)
        (void)H5Pset_deflate(how, DEFLATE);
    return how;
}

// UTF-8 of one length, or of any (0); close it.
static hid_t text_type(size_t length)
{
    if (length == 0)
        return cull_h5_text_type();
    const hid_t type = H5Tcopy(H5T_C_S1);
    if (type < 0 || H5Tset_size(type, length) < 0 || H5Tset_strpad(type, H5T_STR_NULLPAD) < 0 ||
        H5Tset_cset(type, H5T_CSET_UTF8) < 0)
        return -1;
    return type;
}

// Make the array's dataset; its handle, or −1 with the failure kept.
static hid_t make(cull_h5 *file, const char *path, const cull_h5_array *array, size_t length)
{
    hsize_t shape[CULL_H5_RANK];

    for (size_t i = 0; i < array->rank; i++)
        shape[i] = array->shape[i];

    const bool text = array->type == 's';
    const hid_t type = text ? text_type(length) : cull_h5_memory_type(array->type);
    const hid_t space =
        array->rank ? H5Screate_simple((int)array->rank, shape, NULL) : H5Screate(H5S_SCALAR);
    const hid_t how = layout(file, array, length);
    const hid_t made = H5Dcreate2(file->file, path, type, space, H5P_DEFAULT, how, H5P_DEFAULT);
    if (made < 0)
        cull_h5_failed(file, "array", path);
    H5Pclose(how);
    H5Sclose(space);
    if (text)
        H5Tclose(type);
    return made;
}

static void write_data(cull_h5 *file, hid_t array, const char *path, char type, hid_t memory,
                       hid_t space, const void *data, size_t n)
{
    const bool text = type == 's';

    if (n == 0 || file->status != CULL_OK)
        return;
    if (text)
        data = cull_h5_clean(file, n, data);
    if (!data)
        return;
    const hid_t kind = text ? cull_h5_text_type() : cull_h5_memory_type(type);
    if (H5Dwrite(array, kind, memory, space, H5P_DEFAULT, data) < 0)
        cull_h5_failed(file, "array", path);
    if (text)
        H5Tclose(kind);
}

// Texts of one length, one behind the other.
static void write_packed(cull_h5 *file, hid_t array, const char *path, size_t length, size_t n,
                         const char *const *text)
{
    const hid_t type = text_type(length);
    char *packed = cull_h5_scratch(file, n, length);

    for (size_t i = 0; packed && i < n; i++)
        memcpy(packed + i * length, text[i], length);
    if (packed && H5Dwrite(array, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, packed) < 0)
        cull_h5_failed(file, "array", path);
    H5Tclose(type);
}

static void describe(cull_h5 *file, const char *path, const cull_h5_array *array, bool scale)
{
    if (array->doc)
        cull_h5_text(file, path, "long_name", array->doc);
    if (array->unit)
        cull_h5_text(file, path, "units", array->unit);
    if (!scale && has_missing(array))
        cull_h5_attribute(file, path, "_FillValue", cull_h5_memory_type(array->type), NULL,
                          missing(array->type));
    if (!array->meanings || array->type != 'b')
        return;
    uint8_t values[UINT8_MAX];
    size_t n = 1;
    for (const char *c = array->meanings; *c; c++)
        n += *c == ' ' && n < sizeof values;
    for (size_t i = 0; i < n; i++)
        values[i] = (uint8_t)i;
    cull_h5_attribute(file, path, "flag_values", H5T_NATIVE_UINT8, &n, values);
    cull_h5_text(file, path, "flag_meanings", array->meanings);
}

static bool is_scale(const cull_h5_array *array)
{
    return array->rank == 1 && array->dims[0] && strcmp(array->name, array->dims[0]) == 0;
}

// The scale of an axis is there already, or becomes 0, 1, 2, …
static void need_scale(cull_h5 *file, const char *group, const char *axis, size_t n)
{
    const char *path = join(file, group, axis);

    if (!path || H5Lexists(file->file, path, H5P_DEFAULT) > 0)
        return;
    int32_t *index = cull_alloc(n ? n : 1, sizeof *index);
    if (!index) {
        cull_h5_no_memory(file);
        return;
    }
    for (size_t i = 0; i < n; i++)
        index[i] = (int32_t)i;
    cull_h5_put(file, group,
                &(cull_h5_array){ .name = axis,
                                  .type = 'n',
                                  .rank = 1,
                                  .dims = { axis },
                                  .shape = { n },
                                  .data = index });
    cull_free(index);
}

static void attach(cull_h5 *file, hid_t array, const char *group, const cull_h5_array *a, size_t i)
{
    need_scale(file, group, a->dims[i], a->shape[i]);
    const char *path = join(file, group, a->dims[i]);
    if (!path)
        return;

    const hid_t scale = H5Dopen2(file->file, path, H5P_DEFAULT);
    const hid_t space = scale < 0 ? -1 : H5Dget_space(scale);
    const hssize_t n = space < 0 ? -1 : H5Sget_simple_extent_npoints(space);
    if (n >= 0 && (size_t)n != a->shape[i])
        file->status =
            cull_fail(file->ctx, CULL_EINVAL, "%s: axis %s is %zu long, but %zu in \"%s\"",
                      file->path, path, (size_t)n, a->shape[i], a->name);
    else if (n < 0 || H5DSattach_scale(array, scale, (unsigned)i) < 0)
        cull_h5_failed(file, "axis", path);
    if (space >= 0)
        H5Sclose(space);
    if (scale >= 0)
        H5Dclose(scale);
}

void cull_h5_put(cull_h5 *file, const char *group, const cull_h5_array *array)
{
    const char *path = join(file, group, array->name);
    const size_t length = common_length(array);
    const hid_t made = path ? make(file, path, array, length) : -1;

    if (made < 0)
        return;

    if (length)
        write_packed(file, made, path, length, elements(array), array->data);
    else if (array->data)
        write_data(file, made, path, array->type, H5S_ALL, H5S_ALL, array->data, elements(array));
    describe(file, path, array, is_scale(array));
    if (is_scale(array)) {
        if (file->status == CULL_OK && H5DSset_scale(made, array->name) < 0)
            cull_h5_failed(file, "axis", path);
    } else {
        for (size_t i = 0; i < array->rank && array->dims[i]; i++)
            attach(file, made, group, array, i);
    }
    H5Dclose(made);
}

void cull_h5_part(cull_h5 *file, const char *group, const cull_h5_array *array, const size_t *start,
                  const size_t *count, const void *data)
{
    const char *path = join(file, group, array->name);
    const hid_t made = path ? H5Dopen2(file->file, path, H5P_DEFAULT) : -1;
    hsize_t from[CULL_H5_RANK], n[CULL_H5_RANK];
    size_t total = 1;

    for (size_t i = 0; i < array->rank; i++) {
        from[i] = start[i];
        n[i] = count[i];
        total *= count[i];
    }

    const hid_t space = made < 0 ? -1 : H5Dget_space(made);
    const hid_t memory = H5Screate_simple((int)array->rank, n, NULL);
    if (path && (space < 0 || H5Sselect_hyperslab(space, H5S_SELECT_SET, from, NULL, n, NULL) < 0))
        cull_h5_failed(file, "array", path);
    else if (path)
        write_data(file, made, path, array->type, memory, space, data, total);
    if (space >= 0)
        H5Sclose(space);
    H5Sclose(memory);
    if (made >= 0)
        H5Dclose(made);
}

void cull_h5_document(cull_h5 *file, const char *group, const char *name, const char *text,
                      const char *doc)
{
    cull_h5_put(file, group,
                &(cull_h5_array){ .name = name, .type = 's', .data = &text, .doc = doc });
}
