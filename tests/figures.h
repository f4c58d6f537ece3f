/* tests/figures.h
 *
 * What a test measured, kept beside its verdict. A test of a fault or of a load hands its figure here: it is printed in
 * the test's own output and, when WM_FIGURES names a file, added to it as one line, from which tests/faults and
 * tests/load make their tables. A figure says what was seen; the test itself decides whether that is good enough.
 *
 * Threads: any; a line is one write. Errors end the test: a figure that was asked for and lost would be a gap in a table
 * that claims to be whole. */
#ifndef WM_TESTS_FIGURES_H
#define WM_TESTS_FIGURES_H

#include <stdint.h>

/* One row of the fault table. */
typedef struct fault_figure {
    const char *fault;    /* a phrase: "aggregator killed at each durable step" */
    uint64_t    tries;    /* how often the fault was done */
    uint64_t    survived; /* after how many of them all was as it has to be */
    uint64_t    lost;     /* accepted updates that no committed round has */
    uint64_t    doubled;  /* updates that were counted more than once */
    double seconds; /* the longest from the fault to the next progress; negative: nothing had to be waited for */
} fault_figure;

void tell_fault(const fault_figure *figure);

/* One row of the load table. Less is better unless more_is_better. */
typedef struct load_figure {
    const char *figure;     /* a phrase: "round without training, 2NN, 100 clients, TLS" */
    const char *unit;       /* "s", "ms", "MiB", "clients" */
    double      value;      /* as measured */
    double      must, aim;  /* 0: none is named */
    const char *peer;       /* "Flower"; NULL: none was measured */
    double      peer_value; /* in the same unit */
    int         more_is_better;
} load_figure;

void tell_load(const load_figure *figure);

#endif
