/* tests/fuzz/bytes_file.h
 *
 * Bytes as a file with a path and no disk, for decoders that open files themselves. */
#ifndef WM_TESTS_FUZZ_BYTES_FILE_H
#define WM_TESTS_FUZZ_BYTES_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

enum { BYTES_FILE_PATH = 40 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* The path, in `text`; the caller closes *fd. */
static inline const char *bytes_file(const uint8_t *bytes, size_t n, int *fd, char text[BYTES_FILE_PATH])
{
    *fd = memfd_create("bytes", MFD_CLOEXEC);
    if (*fd < 0 || write(*fd, bytes, n) != (ssize_t)n)
        abort();
    snprintf(text, BYTES_FILE_PATH, "/proc/self/fd/%d", *fd);
    return text;
}

/* The same, packed by gzip: no fuzzer changes what is in a gzip file and keeps its check. */
static inline const char *bytes_file_packed(const uint8_t *bytes, size_t n, int *fd, char text[BYTES_FILE_PATH])
{
    const char *path = bytes_file(bytes, 0, fd, text);
    gzFile      packed = gzdopen(dup(*fd), "wb1");

    if (packed == NULL || (n > 0 && gzwrite(packed, bytes, (unsigned)n) != (int)n) || gzclose(packed) != Z_OK)
        abort();
    return path;
}

#endif
