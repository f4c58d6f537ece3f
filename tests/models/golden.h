/* tests/models/golden.h
 *
 * What the tests against PyTorch share: the numbers that golden/make.py and golden/workloads.py begin with, and the files
 * that they wrote. */
#ifndef WM_TESTS_MODELS_GOLDEN_H
#define WM_TESTS_MODELS_GOLDEN_H

#include "tests/unit.h"

enum { GOLDEN_MAX = 1 << 20 }; /* bytes of a file */

/* make.py's Numbers: the next of the series *s, in [-0.5, 0.5). */
static inline float golden_number(uint64_t *s)
{
    *s = *s * 6364136223846793005u + 1442695040888963407u;
    return (float)(*s >> 40) * 0x1p-24f - 0.5f;
}

/* n of them, each times `factor`; the caller's to free(). */
static inline float *golden_numbers(uint64_t *s, size_t n, float factor)
{
    float *x = malloc((n + 1) * sizeof *x);

    assert_non_null(x);
    for (size_t i = 0; i < n; i++)
        x[i] = factor * golden_number(s);
    return x;
}

/* A file of golden/, with a zero after the last of its *size bytes; the caller's to free(). */
static inline void *golden_file(const char *name, size_t *size)
{
    char  path[4096], *bytes = malloc(GOLDEN_MAX);
    FILE *file;

    snprintf(path, sizeof path, "%s/tests/models/golden/%s", wm_test_source(), name);
    file = fopen(path, "rb");
    if (file == NULL || bytes == NULL)
        fail_msg("cannot read %s", path);
    *size = fread(bytes, 1, GOLDEN_MAX - 1, file);
    bytes[*size] = '\0';
    fclose(file);
    return bytes;
}

#endif
