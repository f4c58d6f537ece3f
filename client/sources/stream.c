/* client/sources/stream.c */
#include "client/sources/stream.h"

#include "client/sources/patterns.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

struct wm_stream {
    gzFile   file; /* reads plain files as they are */
    char    *name;
    uint64_t left; /* of the limit */
    uint64_t limit;
    uint64_t file_bytes; /* as it lies on the disk */
};

wm_status wm_stream_open(const char *path, uint64_t limit, wm_stream **ret, wm_error *err)
{
    /* Not blocking, since opening a pipe would wait for its writer. */
    int         fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat info;
    wm_stream  *stream = NULL;
    wm_status   st = WM_OK;

    if (fd < 0)
        return wm_fail(err, errno == ENOENT ? WM_E_MISSING : WM_E_IO, "cannot open %s: %s", path, strerror(errno));
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        st = wm_fail(err, WM_E_IO, "%s is not a file", path);
        goto out;
    }
    stream = calloc(1, sizeof *stream);
    if (stream == NULL || (stream->name = strdup(wm_path_name(path))) == NULL ||
        (stream->file = gzdopen(fd, "rb")) == NULL) {
        st = wm_fail(err, WM_E_NOMEM, "no memory to read %s", path);
        goto out;
    }
    fd = -1; /* gzclose closes it */
    gzbuffer(stream->file, 128 << 10);
    stream->limit = stream->left = limit;
    stream->file_bytes = (uint64_t)info.st_size;
    *ret = stream;
    stream = NULL;
out:
    wm_stream_close(stream);
    if (fd >= 0)
        close(fd);
    return st;
}

void wm_stream_close(wm_stream *stream)
{
    if (stream == NULL)
        return;
    if (stream->file != NULL)
        gzclose_r(stream->file);
    free(stream->name);
    free(stream);
}

wm_status wm_stream_read(wm_stream *stream, void *to, size_t most, size_t *n, wm_error *err)
{
    int         got = gzread(stream->file, to, (unsigned)most), code;
    const char *text = gzerror(stream->file, &code);

    if (got < 0 || (code != Z_OK && code != Z_STREAM_END)) /* Z_BUF_ERROR: the file ends inside */
        return wm_fail(err,
                       code == Z_MEM_ERROR ? WM_E_NOMEM
                       : code == Z_ERRNO   ? WM_E_IO
                                           : WM_E_MALFORMED,
                       "%s: %s", stream->name,
                       code == Z_BUF_ERROR ? "the gzip file is cut off: copy it again"
                       : code == Z_ERRNO   ? strerror(errno)
                                           : text);
    if ((uint64_t)got > stream->left)
        return wm_fail(err, WM_E_MALFORMED, "%s: more than the %llu MiB that a file may hold: cut it in parts",
                       stream->name, (unsigned long long)(stream->limit >> 20));
    stream->left -= (uint64_t)got;
    *n = (size_t)got;
    return WM_OK;
}

uint64_t wm_stream_most(const wm_stream *stream)
{
    return gzdirect(stream->file) ? stream->file_bytes : stream->file_bytes * 1032;
}
