/* tests/torture/spared.h
 *
 * Put before every source of a test that is linked with the seam: what the test allocates for itself, and the helpers of
 * ours that it calls for its own ends, do not fail and are not counted. */
#ifndef WM_TESTS_TORTURE_SPARED_H
#define WM_TESTS_TORTURE_SPARED_H

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *block, size_t n);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t n);
int   __real_asprintf(char **ret, const char *format, ...) __attribute__((format(printf, 2, 3)));
FILE *__real_fopen(const char *path, const char *mode);
int   __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *context);

#define malloc(n)           __real_malloc(n)
#define calloc(n, size)     __real_calloc(n, size)
#define realloc(block, n)   __real_realloc(block, n)
#define strdup(text)        __real_strdup(text)
#define strndup(text, n)    __real_strndup(text, n)
#define asprintf(ret, ...)  __real_asprintf(ret, __VA_ARGS__)
#define pthread_create(...) __real_pthread_create(__VA_ARGS__)
#define fopen(path, mode)   __real_fopen(path, mode)

/* wm_path_join is for paths of the test's own: nobody looks whether it is NULL. */
static inline char *spared_path_join(const char *folder, const char *name)
{
    char *path = NULL;

    return __real_asprintf(&path, "%s/%s", folder, name) >= 0 ? path : NULL;
}
#define wm_path_join(...) spared_path_join(__VA_ARGS__)

#endif
