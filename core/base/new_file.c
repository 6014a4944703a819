// Files that appear whole or not at all.
#define _GNU_SOURCE // O_TMPFILE
#include "base/new_file.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"

static cull_status io_error(cull_ctx *ctx, const char *path, const char *what, int error)
{
    if (error == ENOMEM)
        return cull_no_memory(ctx);
    return cull_fail(ctx, CULL_EIO, "%s: cannot be %s: %s", path, what, strerror(error));
}

void cull_temporary_prefix(char prefix[CULL_TEMPORARY_PREFIX])
{
    char host[CULL_TEMPORARY_PREFIX - 7] = "unknown"; // less ".tmp.", "." and NUL

    if (gethostname(host, sizeof host - 1) != 0)
        strcpy(host, "unknown");
    host[sizeof host - 1] = '\0';
    for (char *c = host; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '-')
            *c = '_';
    snprintf(prefix, CULL_TEMPORARY_PREFIX, ".tmp.%s.", host);
}

bool cull_temporary_abandoned(const char *name)
{
    char prefix[CULL_TEMPORARY_PREFIX];

    if (*name != '.') // most files: the host need not be asked for its name
        return false;
    cull_temporary_prefix(prefix);
    const size_t n = strlen(prefix);
    if (strncmp(name, prefix, n) != 0 || !isdigit((unsigned char)name[n]))
        return false;
    const long pid = strtol(name + n, NULL, 10);
    return pid > 0 && pid != (long)getpid() && cull_process_ended(pid);
}

// Does a temporary name, ".tmp.HOST.PID.NAME", end in that NAME? HOST has no dots.
static bool is_of(const char *temporary, const char *name)
{
    const char *at = temporary;

    for (int dots = 0; at && dots < 4; dots++)
        at = strchr(at + (dots > 0), '.');
    return at && strcmp(at + 1, name) == 0;
}

void cull_temporary_sweep(const char *path, void (*remove)(const char *left))
{
    cull_buf left = CULL_BUF_INIT;
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

    cull_buf_add(&left, path, (size_t)(name - path));
    cull_buf_puts(&left, slash ? "" : "./");
    const size_t n = left.n;
    DIR *folder = left.failed ? NULL : opendir(left.s);
    for (const struct dirent *entry; folder && !left.failed && (entry = readdir(folder));) {
        if (!cull_temporary_abandoned(entry->d_name) || !is_of(entry->d_name, name))
            continue;
        cull_buf_cut(&left, n);
        cull_buf_puts(&left, entry->d_name);
        if (!left.failed && remove)
            remove(left.s);
        else if (!left.failed)
            (void)unlink(left.s);
    }
    if (folder)
        closedir(folder);
    cull_buf_release(&left);
}

// What cannot be replaced by a file.
static cull_status check_target(cull_ctx *ctx, const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0 || S_ISREG(st.st_mode))
        return CULL_OK;
    if (S_ISDIR(st.st_mode))
        return io_error(ctx, path, "written", EISDIR);
    return cull_fail(ctx, CULL_EIO, "%s: cannot be written: it is not a regular file", path);
}

// What stands under the name was left by a process of the same number, or put there by somebody: it
// goes, and is neither followed nor written to.
static int open_new(const char *name)
{
    const int how = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
    const int fd = open(name, how, 0666);

    if (fd >= 0 || errno != EEXIST || unlink(name) != 0)
        return fd;
    return open(name, how, 0666);
}

cull_status cull_new_file_begin(cull_ctx *ctx, cull_new_file *file, const char *path)
{
    cull_buf name = CULL_BUF_INIT;
    char prefix[CULL_TEMPORARY_PREFIX];
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;

    *file = (cull_new_file){ .fd = -1 };
    CULL_TRY(check_target(ctx, path));
    cull_temporary_prefix(prefix);
    cull_buf_add(&name, path, (size_t)(base - path));
    cull_buf_printf(&name, "%s%ld.%s", prefix, (long)getpid(), base);
    *file = (cull_new_file){ .fd = -1, .path = cull_strdup(path), .temporary = name.s };
    if (name.failed || !file->path) {
        cull_buf_release(&name);
        file->temporary = NULL;
        cull_new_file_abandon(file);
        return cull_no_memory(ctx);
    }
    file->fd = open_new(file->temporary);
    if (file->fd >= 0)
        return CULL_OK;

    const cull_status status = io_error(ctx, path, "created", errno);
    cull_new_file_abandon(file);
    return status;
}

cull_status cull_new_file_put(cull_ctx *ctx, cull_new_file *file, uint64_t offset, const void *data,
                              size_t bytes)
{
    const char *from = data;

    for (size_t n = 0; n < bytes;) {
        const ssize_t wrote = pwrite(file->fd, from + n, bytes - n, (off_t)(offset + n));
        if (wrote < 0 && errno != EINTR)
            return io_error(ctx, file->path, "written", errno);
        n += wrote > 0 ? (size_t)wrote : 0;
    }
    return CULL_OK;
}

int cull_sync_folder_of(const char *path)
{
    cull_buf dir = CULL_BUF_INIT;
    const char *slash = strrchr(path, '/');

    if (!slash)
        cull_buf_puts(&dir, ".");
    else
        cull_buf_add(&dir, path, slash == path ? 1 : (size_t)(slash - path));
    if (dir.failed)
        return ENOMEM;
    const int fd = open(dir.s, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int error = fd < 0 ? errno : 0;
    if (fd >= 0 && fsync(fd) && errno != EINVAL) // EINVAL: a file system that cannot
        error = errno;
    if (fd >= 0)
        close(fd);
    cull_buf_release(&dir);
    return error;
}

cull_status cull_new_file_commit(cull_ctx *ctx, cull_new_file *file)
{
    if (fsync(file->fd))
        return io_error(ctx, file->path, "synced", errno);
    const int fd = file->fd;
    file->fd = -1;
    if (close(fd))
        return io_error(ctx, file->path, "closed", errno);
    if (rename(file->temporary, file->path))
        return io_error(ctx, file->path, "put in place", errno);
    cull_free(file->temporary);
    file->temporary = NULL;
    const int error = cull_sync_folder_of(file->path);
    return error ? io_error(ctx, file->path, "synced", error) : CULL_OK;
}

void cull_new_file_abandon(cull_new_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    if (file->temporary)
        unlink(file->temporary);
    cull_free(file->temporary);
    cull_free(file->path);
    *file = (cull_new_file){ .fd = -1 };
}

cull_status cull_nameless_file(cull_ctx *ctx, const char *folder, int *fd)
{
    cull_buf path = CULL_BUF_INIT;
    char prefix[CULL_TEMPORARY_PREFIX];

    cull_temporary_prefix(prefix);
    cull_buf_printf(&path, "%s/%s%ld.XXXXXX", folder, prefix, (long)getpid());
    *fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (*fd < 0) { // this file system makes none without a name
        *fd = path.failed ? -1 : mkstemp(path.s);
        if (*fd >= 0)
            (void)unlink(path.s);
    }
    const cull_status status =
        path.failed ? cull_no_memory(ctx)
        : *fd < 0   ? cull_fail(ctx, CULL_EIO, "%s: a temporary file cannot be made: %s", folder,
                                strerror(errno))
                    : CULL_OK;
    cull_buf_release(&path);
    return status;
}

cull_status cull_nameless_stream(cull_ctx *ctx, const char *folder, FILE **out)
{
    int fd;

    *out = NULL;
    CULL_TRY(cull_nameless_file(ctx, folder, &fd));
    *out = fdopen(fd, "w+b");
    if (*out)
        return CULL_OK;
    close(fd);
    return cull_no_memory(ctx);
}

// The descriptor of this process's output that leads to the same file; −1: none.
static int own_output(const struct stat *file)
{
    struct stat own;

    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++)
        if (fstat(fd, &own) == 0 && own.st_dev == file->st_dev && own.st_ino == file->st_ino)
            return fd;
    return -1;
}

bool cull_is_stream(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && !S_ISDIR(st.st_mode) &&
           (!S_ISREG(st.st_mode) || own_output(&st) >= 0);
}

static int open_stream(const char *path)
{
    struct stat st;
    const int own = stat(path, &st) == 0 ? own_output(&st) : -1;

    if (own < 0)
        return open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    (void)fflush(stdout); // what was printed before comes before
    return fcntl(own, F_DUPFD_CLOEXEC, 0);
}

static cull_status write_stream(cull_ctx *ctx, const char *path, const char *data, size_t bytes)
{
    const int fd = open_stream(path);
    int error = fd < 0 ? errno : 0;

    for (size_t n = 0; !error && n < bytes;) {
        const ssize_t wrote = write(fd, data + n, bytes - n);
        if (wrote < 0 && errno != EINTR)
            error = errno;
        n += wrote > 0 ? (size_t)wrote : 0;
    }
    if (fd >= 0 && close(fd) && !error)
        error = errno;
    return error ? io_error(ctx, path, "written", error) : CULL_OK;
}

cull_status cull_write_new_file(cull_ctx *ctx, const char *path, const void *data, size_t bytes)
{
    cull_new_file file;

    CULL_TRY(cull_new_file_begin(ctx, &file, path));
    cull_status status = cull_new_file_put(ctx, &file, 0, data, bytes);
    if (status == CULL_OK)
        status = cull_new_file_commit(ctx, &file);
    cull_new_file_abandon(&file);
    return status;
}

cull_status cull_write_file(cull_ctx *ctx, const char *path, const void *data, size_t bytes)
{
    if (cull_is_stream(path))
        return write_stream(ctx, path, data, bytes);
    cull_temporary_sweep(path, NULL);
    return cull_write_new_file(ctx, path, data, bytes);
}
