/* tests/descriptors.h: for tests that open very many files and connections. */
#ifndef WM_TESTS_DESCRIPTORS_H
#define WM_TESTS_DESCRIPTORS_H

#include <stddef.h>
#include <sys/resource.h>

/* As many as the process is allowed; returns how many it has. */
static inline size_t raise_descriptors(void)
{
    struct rlimit files = { .rlim_cur = 0 };

    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    return (size_t)files.rlim_cur;
}

#endif
