/* tests/disk/syscalls.c
 *
 * The calls of libc that our own code makes of files, led through here by the linker: with --wrap=write every call of
 * write() in our objects becomes one of __wrap_write(), and __real_write() is libc's. What concerns the watched folder is
 * tried for a fault, done, and told to the disk; the rest is passed on. SQLite is a library of its own, which this does
 * not reach: see vfs.c.
 *
 * The list in meson.build names each call twice where libc has a second name for large files. Syncs of the watched folder
 * are told, and not done: the real disk below is not the one that loses power. */
#include "tests/disk/inside.h"

#include "tests/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum { FDS_MAX = 1024 };

/* What an open file of the watched folder is; guarded by the disk's lock. */
typedef struct open_file {
    bool     used, append;
    int      node; /* NO_NODE: a file without a name */
    uint64_t at;   /* of the next write */
    char     path[512];
} open_file;

static open_file files[FDS_MAX];

#define DECLARE(type, name, ...)            \
    extern type __real_##name(__VA_ARGS__); \
    extern type __wrap_##name(__VA_ARGS__)

DECLARE(int, open, const char *path, int flags, ...);
DECLARE(int, open64, const char *path, int flags, ...);
DECLARE(int, mkostemp, char *path, int flags);
DECLARE(int, mkostemp64, char *path, int flags);
DECLARE(int, close, int fd);
DECLARE(ssize_t, read, int fd, void *to, size_t n);
DECLARE(ssize_t, pread, int fd, void *to, size_t n, off_t offset);
DECLARE(ssize_t, pread64, int fd, void *to, size_t n, off_t offset);
DECLARE(ssize_t, write, int fd, const void *from, size_t n);
DECLARE(ssize_t, pwrite, int fd, const void *from, size_t n, off_t offset);
DECLARE(ssize_t, pwrite64, int fd, const void *from, size_t n, off_t offset);
DECLARE(int, ftruncate, int fd, off_t size);
DECLARE(int, ftruncate64, int fd, off_t size);
DECLARE(int, posix_fallocate, int fd, off_t offset, off_t n);
DECLARE(int, posix_fallocate64, int fd, off_t offset, off_t n);
DECLARE(int, fsync, int fd);
DECLARE(int, fdatasync, int fd);
DECLARE(int, rename, const char *from, const char *to);
DECLARE(int, unlink, const char *path);
DECLARE(int, remove, const char *path);
DECLARE(int, mkdir, const char *path, mode_t mode);

/* The disk, with its lock held, if that path is watched; else NULL. */
static disk *enter(const char *path)
{
    disk *d = disk_now();

    if (d == NULL || !disk_has(d, path))
        return NULL;
    disk_lock(d);
    return d;
}

/* Likewise by an open file. */
static disk *enter_file(int fd)
{
    disk *d = disk_now();

    if (d == NULL || fd < 0 || fd >= FDS_MAX)
        return NULL;
    disk_lock(d);
    if (files[fd].used)
        return d;
    disk_unlock(d);
    return NULL;
}

static int leave(disk *d, int result, int e)
{
    disk_unlock(d);
    if (e != 0)
        errno = e;
    return e != 0 ? -1 : result;
}

static void hold(int fd, int node, const char *path, bool append)
{
    assert_true(fd < FDS_MAX);
    files[fd] = (open_file){ .used = true, .append = append, .node = node };
    snprintf(files[fd].path, sizeof files[fd].path, "%s", path);
}

/* ---- opening ---- */

static int open_it(const char *path, int flags, mode_t mode)
{
    disk *d = enter(path);
    bool  nameless = (flags & O_TMPFILE) == O_TMPFILE;
    int   node, fd, e;

    if (d == NULL)
        return __real_open(path, flags, mode);
    node = disk_find(d, path);
    e = disk_try(d, nameless || (node == NO_NODE && (flags & O_CREAT) != 0) ? DISK_CREATE : DISK_OPEN, path);
    if (e != 0)
        return leave(d, -1, e);
    fd = __real_open(path, flags, mode);
    if (fd < 0)
        return leave(d, -1, errno);
    if (nameless)
        node = NO_NODE;
    else if (node == NO_NODE)
        node = disk_create(d, path, false);
    else if ((flags & O_TRUNC) != 0)
        disk_sized(d, node, 0);
    hold(fd, node, path, (flags & O_APPEND) != 0);
    return leave(d, fd, 0);
}

#define OPEN(name)                                                                                    \
    int __wrap_##name(const char *path, int flags, ...)                                               \
    {                                                                                                 \
        va_list args;                                                                                 \
        mode_t  mode;                                                                                 \
                                                                                                      \
        va_start(args, flags);                                                                        \
        mode = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(args, mode_t) : 0; \
        va_end(args);                                                                                 \
        return open_it(path, flags, mode);                                                            \
    }

OPEN(open)
OPEN(open64)

static int make_and_open(char *path, int flags)
{
    disk *d = enter(path);
    int   fd, e;

    if (d == NULL)
        return __real_mkostemp(path, flags);
    e = disk_try(d, DISK_CREATE, path);
    if (e != 0)
        return leave(d, -1, e);
    fd = __real_mkostemp(path, flags);
    if (fd < 0)
        return leave(d, -1, errno);
    hold(fd, disk_create(d, path, false), path, false);
    return leave(d, fd, 0);
}

int __wrap_mkostemp(char *path, int flags)
{
    return make_and_open(path, flags);
}

int __wrap_mkostemp64(char *path, int flags)
{
    return make_and_open(path, flags);
}

int __wrap_close(int fd)
{
    disk *d = enter_file(fd);

    if (d == NULL)
        return __real_close(fd);
    files[fd].used = false;
    return leave(d, __real_close(fd), 0);
}

/* ---- bytes ---- */

ssize_t __wrap_read(int fd, void *to, size_t n)
{
    disk *d = enter_file(fd);
    int   e;

    if (d == NULL)
        return __real_read(fd, to, n);
    e = disk_try(d, DISK_READ, files[fd].path);
    disk_unlock(d);
    errno = e;
    return e != 0 ? -1 : __real_read(fd, to, n);
}

static ssize_t read_at(int fd, void *to, size_t n, off_t offset)
{
    disk *d = enter_file(fd);
    int   e;

    if (d == NULL)
        return __real_pread(fd, to, n, offset);
    e = disk_try(d, DISK_READ, files[fd].path);
    disk_unlock(d);
    errno = e;
    return e != 0 ? -1 : __real_pread(fd, to, n, offset);
}

ssize_t __wrap_pread(int fd, void *to, size_t n, off_t offset)
{
    return read_at(fd, to, n, offset);
}

ssize_t __wrap_pread64(int fd, void *to, size_t n, off_t offset)
{
    return read_at(fd, to, n, offset);
}

/* A write that fails has written its half: what was done so far is said, and the fault is kept for the next one. */
static ssize_t write_at(disk *d, int fd, const void *from, size_t n, uint64_t offset, bool at_end)
{
    open_file *f = &files[fd];
    int        e = disk_try(d, DISK_WRITE, f->path);
    ssize_t    done;

    if (e != 0 && n < 2)
        return leave(d, -1, e);
    if (e != 0) {
        n /= 2;
        d->counted = d->fault.nth - 1;
    }
    done = at_end ? __real_write(fd, from, n) : __real_pwrite(fd, from, n, (off_t)offset);
    if (done < 0)
        return leave(d, -1, errno);
    if (f->node != NO_NODE)
        disk_wrote(d, f->node, from, (size_t)done, offset);
    if (at_end)
        f->at = offset + (uint64_t)done;
    disk_unlock(d);
    return done;
}

ssize_t __wrap_write(int fd, const void *from, size_t n)
{
    disk *d = enter_file(fd);

    if (d == NULL)
        return __real_write(fd, from, n);
    return write_at(d, fd, from, n,
                    files[fd].append && files[fd].node != NO_NODE ? d->nodes[files[fd].node].size : files[fd].at,
                    true);
}

ssize_t __wrap_pwrite(int fd, const void *from, size_t n, off_t offset)
{
    disk *d = enter_file(fd);

    return d == NULL ? __real_pwrite(fd, from, n, offset) : write_at(d, fd, from, n, (uint64_t)offset, false);
}

ssize_t __wrap_pwrite64(int fd, const void *from, size_t n, off_t offset)
{
    return __wrap_pwrite(fd, from, n, offset);
}

static int set_size(int fd, off_t size)
{
    disk *d = enter_file(fd);
    int   e;

    if (d == NULL)
        return __real_ftruncate(fd, size);
    e = disk_try(d, DISK_WRITE, files[fd].path);
    if (e == 0 && __real_ftruncate(fd, size) != 0)
        e = errno;
    if (e == 0 && files[fd].node != NO_NODE)
        disk_sized(d, files[fd].node, (uint64_t)size);
    return leave(d, 0, e);
}

int __wrap_ftruncate(int fd, off_t size)
{
    return set_size(fd, size);
}

int __wrap_ftruncate64(int fd, off_t size)
{
    return set_size(fd, size);
}

/* Returns the errno, as posix_fallocate does. */
static int give_room(int fd, off_t offset, off_t n)
{
    disk *d = enter_file(fd);
    int   e;

    if (d == NULL)
        return __real_posix_fallocate(fd, offset, n);
    e = disk_try(d, DISK_WRITE, files[fd].path);
    disk_unlock(d);
    return e != 0 ? e : __real_posix_fallocate(fd, offset, n);
}

int __wrap_posix_fallocate(int fd, off_t offset, off_t n)
{
    return give_room(fd, offset, n);
}

int __wrap_posix_fallocate64(int fd, off_t offset, off_t n)
{
    return give_room(fd, offset, n);
}

static int sync_it(int fd)
{
    disk *d = enter_file(fd);
    int   e, node;

    if (d == NULL)
        return __real_fsync(fd);
    node = files[fd].node;
    e = disk_try(d, node != NO_NODE && d->nodes[node].folder ? DISK_SYNC_NAMES : DISK_SYNC, files[fd].path);
    if (node != NO_NODE)
        disk_synced(d, node, e == 0);
    return leave(d, 0, e);
}

int __wrap_fsync(int fd)
{
    return sync_it(fd);
}

int __wrap_fdatasync(int fd)
{
    return sync_it(fd);
}

/* ---- names ---- */

int __wrap_rename(const char *from, const char *to)
{
    disk *d = enter(from);
    int   e;

    if (d == NULL)
        return __real_rename(from, to);
    e = disk_try(d, DISK_RENAME, to);
    if (e == 0 && __real_rename(from, to) != 0)
        e = errno;
    if (e == 0)
        disk_renamed(d, from, to);
    return leave(d, 0, e);
}

static int take_away(const char *path, int (*real)(const char *path))
{
    disk *d = enter(path);
    int   e;

    if (d == NULL)
        return real(path);
    e = disk_try(d, DISK_REMOVE, path);
    if (e == 0 && real(path) != 0)
        e = errno;
    if (e == 0)
        disk_removed(d, path);
    return leave(d, 0, e);
}

int __wrap_unlink(const char *path)
{
    return take_away(path, __real_unlink);
}

int __wrap_remove(const char *path)
{
    return take_away(path, __real_remove);
}

int __wrap_mkdir(const char *path, mode_t mode)
{
    disk *d = enter(path);
    int   e;

    if (d == NULL)
        return __real_mkdir(path, mode);
    e = disk_find(d, path) == NO_NODE ? disk_try(d, DISK_CREATE, path) : 0;
    if (e == 0 && __real_mkdir(path, mode) != 0)
        e = errno;
    if (e == 0)
        disk_create(d, path, true);
    return leave(d, 0, e);
}
