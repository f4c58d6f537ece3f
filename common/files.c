/* common/files.c */
#include "common/files.h"

#include "common/crash.h"
#include "common/grow.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* An errno as one of our statuses, with the sentence. */
static wm_status io_fail(wm_error *err, const char *deed, const char *path)
{
    int       e = errno;
    wm_status status = e == ENOSPC || e == EDQUOT || e == EFBIG ? WM_E_FULL
                       : e == ENOENT || e == ENOTDIR            ? WM_E_MISSING
                       : e == EEXIST                            ? WM_E_EXISTS
                       : e == ENOMEM                            ? WM_E_NOMEM
                                                                : WM_E_IO;

    return wm_fail(err, status, "cannot %s %s: %s", deed, path, strerror(e));
}

char *wm_path_join(const char *folder, const char *name)
{
    char *path = NULL;
    bool  slash = *folder != '\0' && folder[strlen(folder) - 1] == '/';

    return asprintf(&path, slash ? "%s%s" : "%s/%s", folder, name) < 0 ? NULL : path;
}

char *wm_path_folder(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
}

static wm_status write_all(int fd, const uint8_t *bytes, size_t n, const char *path, wm_error *err)
{
    while (n > 0) {
        ssize_t done = write(fd, bytes, n);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return io_fail(err, "write", path);
        bytes += done;
        n -= (size_t)done;
    }
    return WM_OK;
}

/* The names in the folder that `path` is in. `foreign`: it may be somebody else's, whose names we may use and not list;
 * then it is left alone. */
static wm_status sync_folder_of(const char *path, bool foreign, wm_error *err)
{
    char     *folder = wm_path_folder(path);
    int       fd;
    wm_status st = WM_OK;

    if (folder == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory to sync the folder of %s", path);
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 ? !(foreign && errno == EACCES) : fsync(fd) != 0)
        st = io_fail(err, "sync the folder of", path);
    if (fd >= 0)
        close(fd);
    free(folder);
    return st;
}

static wm_status system_replace(const wm_files *self, const char *path, const void *bytes, size_t n, unsigned mode,
                                wm_error *err)
{
    char     *beside = NULL;
    int       fd = -1;
    wm_status st;

    (void)self;
    if (asprintf(&beside, "%s.new-XXXXXX", path) < 0)
        return wm_fail(err, WM_E_NOMEM, "no memory to write %s", path);
    fd = mkostemp(beside, O_CLOEXEC);
    if (fd < 0) {
        st = io_fail(err, "create", path);
        free(beside);
        return st;
    }
    st = write_all(fd, bytes, n, path, err);
    if (st == WM_OK && (fchmod(fd, (mode_t)mode) != 0 || fsync(fd) != 0))
        st = io_fail(err, "sync", path);
    if (close(fd) != 0 && st == WM_OK)
        st = io_fail(err, "close", path);
    wm_crash_point("file-written");
    if (st == WM_OK && rename(beside, path) != 0)
        st = io_fail(err, "rename to", path);
    wm_crash_point("file-renamed");
    if (st == WM_OK)
        st = sync_folder_of(path, false, err);
    else
        unlink(beside);
    free(beside);
    return st;
}

static wm_status system_read(const wm_files *self, const char *path, size_t limit, uint8_t **ret, size_t *n,
                             wm_error *err)
{
    int         fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat info;
    uint8_t    *bytes = NULL;
    size_t      have = 0, want;
    wm_status   st = WM_OK;

    (void)self;
    if (fd < 0)
        return io_fail(err, "open", path);
    if (fstat(fd, &info) != 0) {
        st = io_fail(err, "read", path);
        goto out;
    }
    if (!S_ISREG(info.st_mode)) {
        st = wm_fail(err, WM_E_IO, "%s is not a file", path);
        goto out;
    }
    if (info.st_size < 0 || (uint64_t)info.st_size > limit) {
        st = wm_fail(err, WM_E_RANGE, "%s has %lld bytes, more than the %zu allowed", path, (long long)info.st_size,
                     limit);
        goto out;
    }
    want = (size_t)info.st_size;
    bytes = malloc(want + 1);
    if (bytes == NULL) {
        st = wm_fail(err, WM_E_NOMEM, "no memory for %s (%zu bytes)", path, want);
        goto out;
    }
    while (have < want) {
        ssize_t got = read(fd, bytes + have, want - have);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            st = io_fail(err, "read", path);
            goto out;
        }
        if (got == 0)
            break; /* it shrank while we read; what is there is what it is */
        have += (size_t)got;
    }
    bytes[have] = '\0';
    *ret = bytes;
    *n = have;
    bytes = NULL;
out:
    free(bytes);
    close(fd);
    return st;
}

static wm_status system_open(const wm_files *self, const char *path, intptr_t *ret, wm_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    (void)self;
    if (fd < 0)
        return io_fail(err, "open", path);
    *ret = fd;
    return WM_OK;
}

static wm_status system_read_at(const wm_files *self, intptr_t file, uint64_t offset, void *bytes, size_t n,
                                size_t *got, uint64_t *total, wm_error *err)
{
    struct stat info;
    size_t      have = 0;

    (void)self;
    if (fstat((int)file, &info) != 0)
        return io_fail(err, "read", "a file");
    if (info.st_nlink == 0)
        return wm_fail(err, WM_E_MISSING, "the file was removed or replaced");
    while (have < n) {
        ssize_t done = pread((int)file, (uint8_t *)bytes + have, n - have, (off_t)(offset + have));

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return io_fail(err, "read", "a file");
        if (done == 0)
            break;
        have += (size_t)done;
    }
    *got = have;
    *total = (uint64_t)info.st_size;
    return WM_OK;
}

static void system_close(const wm_files *self, intptr_t file)
{
    (void)self;
    close((int)file);
}

static wm_status system_append(const wm_files *self, const char *path, const void *bytes, size_t n, wm_error *err)
{
    int       fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    wm_status st;

    (void)self;
    if (fd < 0)
        return io_fail(err, "open", path);
    wm_crash_point("file-append-before");
    st = write_all(fd, bytes, n, path, err);
    wm_crash_point("file-append-after");
    if (close(fd) != 0 && st == WM_OK)
        st = io_fail(err, "close", path);
    return st;
}

static wm_status system_remove(const wm_files *self, const char *path, wm_error *err)
{
    (void)self;
    return unlink(path) == 0 || errno == ENOENT ? WM_OK : io_fail(err, "remove", path);
}

/* Those above get the usual mode; only the last one is the caller's. That it is there already may be the work of an
 * earlier life, which died before the sync. */
static wm_status make_one_folder(const char *path, bool last, unsigned mode, wm_error *err)
{
    if (mkdir(path, last ? (mode_t)mode : 0755) == 0)
        return sync_folder_of(path, false, err);
    if (errno != EEXIST)
        return io_fail(err, "make the folder", path);
    return last ? sync_folder_of(path, true, err) : WM_OK;
}

static wm_status system_make_folder(const wm_files *self, const char *path, unsigned mode, wm_error *err)
{
    char     *partial = strdup(path);
    wm_status st = WM_OK;

    (void)self;
    if (partial == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory to make the folder %s", path);
    for (char *c = partial + 1; st == WM_OK; c++) {
        char was = *c;

        if (was != '/' && was != '\0')
            continue;
        *c = '\0';
        st = make_one_folder(partial, was == '\0', mode, err);
        *c = was;
        if (was == '\0')
            break;
    }
    free(partial);
    return st;
}

static bool system_exists(const wm_files *self, const char *path)
{
    (void)self;
    return access(path, F_OK) == 0;
}

const wm_files *wm_files_system(void)
{
    static const wm_files files = {
        .replace = system_replace,
        .read = system_read,
        .open = system_open,
        .read_at = system_read_at,
        .close = system_close,
        .append = system_append,
        .remove = system_remove,
        .make_folder = system_make_folder,
        .exists = system_exists,
    };

    return &files;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void wm_names_free(char **names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(names[i]);
    free(names);
}

wm_status wm_folder_names(const char *path, char ***ret, size_t *n, wm_error *err)
{
    DIR           *folder = opendir(path);
    char         **names = NULL, **more;
    size_t         count = 0, room = 0;
    struct dirent *entry;
    wm_status      st = WM_OK;

    if (folder == NULL)
        return io_fail(err, "open the folder", path);
    while ((entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        more = wm_grow(names, count, &room, sizeof *more);
        names = more != NULL ? more : names;
        if (more == NULL || (names[count] = strdup(entry->d_name)) == NULL) {
            st = wm_fail(err, WM_E_NOMEM, "no memory for the names in %s", path);
            break;
        }
        count++;
    }
    closedir(folder);
    if (st != WM_OK) {
        wm_names_free(names, count);
        return st;
    }
    if (count > 0)
        qsort(names, count, sizeof *names, by_name);
    *ret = names;
    *n = count;
    return WM_OK;
}

wm_status wm_folder_sweep(const wm_files *files, const char *path, wm_error *err)
{
    static const char beside[] = ".new-XXXXXX"; /* as replace() names it */
    const size_t      n_beside = sizeof beside - 1, n_fixed = strlen(".new-");
    char            **names;
    size_t            n;
    wm_status         st = wm_folder_names(path, &names, &n, err);

    if (st != WM_OK)
        return st;
    for (size_t i = 0; st == WM_OK && i < n; i++) {
        size_t n_name = strlen(names[i]);
        char  *left;

        if (n_name <= n_beside || strncmp(names[i] + n_name - n_beside, beside, n_fixed) != 0)
            continue;
        left = wm_path_join(path, names[i]);
        st = left != NULL ? files->remove(files, left, err)
                          : wm_fail(err, WM_E_NOMEM, "no memory to sweep %s", path);
        free(left);
    }
    wm_names_free(names, n);
    return st;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info;
    (void)kind;
    (void)where;
    return remove(path);
}

wm_status wm_folder_remove(const char *path, wm_error *err)
{
    if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT)
        return io_fail(err, "remove", path);
    return WM_OK;
}
