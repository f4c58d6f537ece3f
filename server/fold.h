/* server/fold.h
 *
 * The inner loop of the exact sum:  sum[i] += llrint((double)x[i] * 2^shift) * weight
 *
 * The caller has made sure that nothing can overflow: |x[i]| * 2^shift * weight, and the sum, stay below
 * 2^62. Where |x[i]| * 2^shift stays below 2^51 (`bits` <= 51) the rounding is done by adding 1.5 * 2^52,
 * which leaves the rounded integer in the low bits of the double: the same bits as llrint() in
 * round-to-nearest, and vectorisable. */
#ifndef WM_SERVER_FOLD_H
#define WM_SERVER_FOLD_H

#include <stddef.h>
#include <stdint.h>

/* bits: |x[i]| * 2^shift <= 2^bits for every i; weight below 2^32 for the quick kernels, any for the plain
 * one. */
void wm_fold(int64_t *sum, const float *x, size_t n, int shift, int bits, uint64_t weight);

/* The reference: one llrint() a value. */
void wm_fold_plain(int64_t *sum, const float *x, size_t n, int shift, uint64_t weight);

#endif
