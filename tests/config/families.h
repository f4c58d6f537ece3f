/* tests/config/families.h
 *
 * Small families for reading jobs, so that the tests of the floor need no layer above it. */
#ifndef WM_TESTS_CONFIG_FAMILIES_H
#define WM_TESTS_CONFIG_FAMILIES_H

#include "common/job/job.h"

typedef struct test_dense {
    int64_t units;
    bool    bias;
} test_dense;

typedef struct test_number {
    double value;
} test_number;

typedef struct test_list {
    wm_reals values;
} test_list;

typedef struct test_words {
    const char *first, *second;
} test_words;

/* Everything that both examples of the grammar name, and no more. */
extern const wm_job_families test_families;

#endif
