/* tests/disk/vfs.c
 *
 * A VFS in front of SQLite's own for Unix: passes everything on, and tells the watched disk of what changes a file. It is
 * the default while a folder is watched, so that whatever the program opens goes through it.
 *
 * What it hides of the one behind it: shared maps of the file (a write to memory would not be seen), and all promises
 * about the device but the one that SQLite's Unix VFS always makes, that a write spoils nothing beside it. What it adds: a
 * sync of a file that was just made as a journal syncs its folder too, as os_unix.c does with a call of its own. */
#include "tests/disk/inside.h"

#include "tests/unit.h"

#include <errno.h>
#include <sqlite3.h>

typedef struct shim_file {
    sqlite3_file  base;
    disk         *d; /* NULL: not of the watched folder */
    int           node;
    bool          new_journal; /* its first sync syncs its folder */
    char         *path;        /* SQLite's, lives as long as the file */
    sqlite3_file *real;        /* behind this one, in the same memory */
} shim_file;

static sqlite3_vfs *behind(void)
{
    return sqlite3_vfs_find("unix");
}

static shim_file *of(sqlite3_file *file)
{
    return (shim_file *)(void *)file;
}

static int failing(shim_file *f, unsigned deed, int code)
{
    int e;

    if (f->d == NULL)
        return SQLITE_OK;
    disk_lock(f->d);
    e = disk_try(f->d, deed, f->path);
    disk_unlock(f->d);
    return e == 0 ? SQLITE_OK : e == ENOSPC && deed == DISK_WRITE ? SQLITE_FULL : code;
}

static int shim_close(sqlite3_file *file)
{
    shim_file *f = of(file);

    return f->real->pMethods != NULL ? f->real->pMethods->xClose(f->real) : SQLITE_OK;
}

static int shim_read(sqlite3_file *file, void *to, int n, sqlite3_int64 offset)
{
    shim_file *f = of(file);
    int        code = failing(f, DISK_READ, SQLITE_IOERR_READ);

    return code != SQLITE_OK ? code : f->real->pMethods->xRead(f->real, to, n, offset);
}

static void keep_write(shim_file *f, const void *from, int n, sqlite3_int64 offset)
{
    if (f->d == NULL || n <= 0)
        return;
    disk_lock(f->d);
    disk_wrote(f->d, f->node, from, (size_t)n, (uint64_t)offset);
    disk_unlock(f->d);
}

static int shim_write(sqlite3_file *file, const void *from, int n, sqlite3_int64 offset)
{
    shim_file *f = of(file);
    int        code = failing(f, DISK_WRITE, SQLITE_IOERR_WRITE);

    if (code != SQLITE_OK) { /* half of it is there all the same */
        if (f->real->pMethods->xWrite(f->real, from, n / 2, offset) == SQLITE_OK)
            keep_write(f, from, n / 2, offset);
        return code;
    }
    code = f->real->pMethods->xWrite(f->real, from, n, offset);
    if (code == SQLITE_OK)
        keep_write(f, from, n, offset);
    return code;
}

static int shim_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    shim_file *f = of(file);
    int        code = failing(f, DISK_WRITE, SQLITE_IOERR_TRUNCATE);

    if (code == SQLITE_OK)
        code = f->real->pMethods->xTruncate(f->real, size);
    if (code == SQLITE_OK && f->d != NULL) {
        disk_lock(f->d);
        disk_sized(f->d, f->node, (uint64_t)size);
        disk_unlock(f->d);
    }
    return code;
}

/* The sync itself is left out: the disk below is not the one that loses power. */
static int shim_sync(sqlite3_file *file, int flags)
{
    shim_file *f = of(file);
    int        code = failing(f, DISK_SYNC, SQLITE_IOERR_FSYNC);

    if (f->d == NULL)
        return f->real->pMethods->xSync(f->real, flags);
    disk_lock(f->d);
    disk_synced(f->d, f->node, code == SQLITE_OK);
    disk_unlock(f->d);
    if (code == SQLITE_OK &&
        f->new_journal) { /* os_unix.c does not look whether this went well, and does not repeat it */
        bool well = failing(f, DISK_SYNC_NAMES, SQLITE_IOERR_DIR_FSYNC) == SQLITE_OK;

        f->new_journal = false;
        disk_lock(f->d);
        disk_synced(f->d, disk_parent(f->d, f->path), well);
        disk_unlock(f->d);
    }
    return code;
}

static int shim_size(sqlite3_file *file, sqlite3_int64 *size)
{
    return of(file)->real->pMethods->xFileSize(of(file)->real, size);
}

static int shim_lock(sqlite3_file *file, int level)
{
    return of(file)->real->pMethods->xLock(of(file)->real, level);
}

static int shim_unlock(sqlite3_file *file, int level)
{
    return of(file)->real->pMethods->xUnlock(of(file)->real, level);
}

static int shim_reserved(sqlite3_file *file, int *ret)
{
    return of(file)->real->pMethods->xCheckReservedLock(of(file)->real, ret);
}

static int shim_control(sqlite3_file *file, int what, void *with)
{
    return of(file)->real->pMethods->xFileControl(of(file)->real, what, with);
}

static int shim_sector(sqlite3_file *file)
{
    return of(file)->real->pMethods->xSectorSize(of(file)->real);
}

static int shim_device(sqlite3_file *file)
{
    (void)file;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static int shim_shm_map(sqlite3_file *file, int region, int size, int extend, void volatile **ret)
{
    return of(file)->real->pMethods->xShmMap(of(file)->real, region, size, extend, ret);
}

static int shim_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    return of(file)->real->pMethods->xShmLock(of(file)->real, offset, n, flags);
}

static void shim_shm_barrier(sqlite3_file *file)
{
    of(file)->real->pMethods->xShmBarrier(of(file)->real);
}

static int shim_shm_unmap(sqlite3_file *file, int remove)
{
    return of(file)->real->pMethods->xShmUnmap(of(file)->real, remove);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2, /* no xFetch: nothing is mapped */
    .xClose = shim_close,
    .xRead = shim_read,
    .xWrite = shim_write,
    .xTruncate = shim_truncate,
    .xSync = shim_sync,
    .xFileSize = shim_size,
    .xLock = shim_lock,
    .xUnlock = shim_unlock,
    .xCheckReservedLock = shim_reserved,
    .xFileControl = shim_control,
    .xSectorSize = shim_sector,
    .xDeviceCharacteristics = shim_device,
    .xShmMap = shim_shm_map,
    .xShmLock = shim_shm_lock,
    .xShmBarrier = shim_shm_barrier,
    .xShmUnmap = shim_shm_unmap,
};

static int shim_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *out)
{
    shim_file *f = of(file);
    disk      *d = disk_now();
    int        e = 0, code;

    (void)vfs;
    *f = (shim_file){ .node = NO_NODE, .path = (char *)path, .real = (sqlite3_file *)(void *)(f + 1) };
    if (path != NULL && d != NULL && disk_has(d, path))
        f->d = d;
    if (f->d != NULL) {
        disk_lock(d);
        f->node = disk_find(d, path);
        e = disk_try(d, f->node != NO_NODE ? DISK_OPEN : DISK_CREATE, path);
        disk_unlock(d);
        if (e != 0)
            return SQLITE_CANTOPEN;
    }
    code = behind()->xOpen(behind(), path, f->real, flags, out);
    if (f->real->pMethods != NULL)
        f->base.pMethods = &methods;
    if (code != SQLITE_OK || f->d == NULL)
        return code;
    disk_lock(d);
    if (f->node == NO_NODE)
        f->node = disk_create(d, path, false);
    disk_unlock(d);
    f->new_journal = (flags & SQLITE_OPEN_CREATE) != 0 &&
                     (flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL)) != 0;
    return SQLITE_OK;
}

static int shim_delete(sqlite3_vfs *vfs, const char *path, int sync_folder)
{
    disk *d = disk_now();
    int   e, code;

    (void)vfs;
    if (d == NULL || !disk_has(d, path))
        return behind()->xDelete(behind(), path, sync_folder);
    disk_lock(d);
    e = disk_try(d, DISK_REMOVE, path);
    disk_unlock(d);
    if (e != 0)
        return SQLITE_IOERR_DELETE;
    code = behind()->xDelete(behind(), path, 0);
    if (code != SQLITE_OK)
        return code;
    disk_lock(d);
    disk_removed(d, path);
    if (sync_folder) {
        e = disk_try(d, DISK_SYNC_NAMES, path);
        disk_synced(d, disk_parent(d, path), e == 0);
    }
    disk_unlock(d);
    return e != 0 ? SQLITE_IOERR_DIR_FSYNC : SQLITE_OK;
}

static int shim_access(sqlite3_vfs *vfs, const char *path, int flags, int *ret)
{
    (void)vfs;
    return behind()->xAccess(behind(), path, flags, ret);
}

static int shim_full_path(sqlite3_vfs *vfs, const char *path, int room, char *ret)
{
    (void)vfs;
    return behind()->xFullPathname(behind(), path, room, ret);
}

static int shim_random(sqlite3_vfs *vfs, int n, char *ret)
{
    (void)vfs;
    return behind()->xRandomness(behind(), n, ret);
}

static int shim_sleep(sqlite3_vfs *vfs, int microseconds)
{
    (void)vfs;
    return behind()->xSleep(behind(), microseconds);
}

static int shim_time(sqlite3_vfs *vfs, sqlite3_int64 *ret)
{
    (void)vfs;
    return behind()->xCurrentTimeInt64(behind(), ret);
}

static int shim_last_error(sqlite3_vfs *vfs, int room, char *ret)
{
    (void)vfs;
    return behind()->xGetLastError(behind(), room, ret);
}

static sqlite3_vfs shim = {
    .iVersion = 2,
    .zName = "wardmote-disk",
    .xOpen = shim_open,
    .xDelete = shim_delete,
    .xAccess = shim_access,
    .xFullPathname = shim_full_path,
    .xRandomness = shim_random,
    .xSleep = shim_sleep,
    .xCurrentTimeInt64 = shim_time,
    .xGetLastError = shim_last_error,
};

void disk_vfs_begin(void)
{
    assert_non_null(behind());
    shim.szOsFile = (int)sizeof(shim_file) + behind()->szOsFile;
    shim.mxPathname = behind()->mxPathname;
    assert_int_equal(sqlite3_vfs_register(&shim, 1), SQLITE_OK);
}

void disk_vfs_end(void)
{
    assert_int_equal(sqlite3_vfs_unregister(&shim), SQLITE_OK);
    assert_int_equal(sqlite3_vfs_register(behind(), 1), SQLITE_OK);
}
