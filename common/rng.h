/* common/rng.h
 *
 * The generator of everything that must be the same again from a seed: cohorts, initial parameters, the order
 * of examples, simulated faults. Never for keys, tokens or privacy noise: those come from OpenSSL.
 *
 * xoshiro256** (Blackman and Vigna 2018, "Scrambled linear pseudorandom number generators"), seeded through
 * SplitMix64 as its authors advise. A stream is named by a key: the same (seed, purpose, round, name) is the same
 * stream on every machine, and streams of different keys are independent for our purposes, since the key goes
 * through SHA-256. State is an argument: one thread, one state. */
#ifndef WM_COMMON_RNG_H
#define WM_COMMON_RNG_H

#include <stddef.h>
#include <stdint.h>

typedef struct wm_rng {
    uint64_t s[4];
} wm_rng;

void wm_rng_init(wm_rng *rng, uint64_t seed);

/* The stream for (seed, purpose, round, name), for example (1, "cohort", 7, ""). */
void wm_rng_init_keyed(wm_rng *rng, uint64_t seed, const char *purpose, uint64_t round, const char *name);

uint64_t wm_rng_next(wm_rng *rng);

/* Uniform in [0, bound), without bias; bound > 0. */
uint64_t wm_rng_below(wm_rng *rng, uint64_t bound);

/* Uniform in [0, 1), 53 bits. */
double wm_rng_unit(wm_rng *rng);

/* Standard normal (Marsaglia's polar method; draws pairs and keeps one, so a stream stays a function of its calls). */
double wm_rng_normal(wm_rng *rng);

/* Fisher and Yates, in place. */
void wm_rng_shuffle(wm_rng *rng, uint32_t *items, size_t n);

#endif
