/* tests/fuzz/take.h
 *
 * A fuzzer's bytes taken apart from the front, for targets that make several things of one input. What is not there
 * any more is zero, or empty. */
#ifndef WM_TESTS_FUZZ_TAKE_H
#define WM_TESTS_FUZZ_TAKE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

typedef struct taker {
    const uint8_t *bytes;
    size_t         n;
} taker;

static inline uint64_t take_number(taker *from, size_t width)
{
    uint64_t value = 0;

    for (size_t i = 0; i < width && from->n > 0; i++, from->bytes++, from->n--)
        value |= (uint64_t)*from->bytes << (8 * i);
    return value;
}

/* The next n bytes, or as many as there are; not copied. */
static inline taker take_bytes(taker *from, size_t n)
{
    taker part = { from->bytes, n < from->n ? n : from->n };

    from->bytes += part.n;
    from->n -= part.n;
    return part;
}

/* A copy of its own size, so that a sanitizer sees a read past its end; the caller's to free(). */
static inline uint8_t *take_copy(const taker *part)
{
    uint8_t *copy = malloc(part->n > 0 ? part->n : 1);

    if (copy == NULL)
        abort();
    if (part->n > 0)
        memcpy(copy, part->bytes, part->n);
    return copy;
}

/* Where a decoder breaks its word, the input is a finding. Not assert(): a release must find it too. */
#define must(truth)                                                             \
    do {                                                                        \
        if (!(truth)) {                                                         \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #truth); \
            abort();                                                            \
        }                                                                       \
    } while (0)

#endif
