/* common/rng.c */
#include "common/rng.h"

#include "common/crypto/digest.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static uint64_t splitmix64(uint64_t *x)
{
    uint64_t z = (*x += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void wm_rng_init(wm_rng *rng, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        rng->s[i] = splitmix64(&seed);
}

static void hash_u64(wm_sha256 *sha, uint64_t value)
{
    uint8_t bytes[8];

    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
    wm_sha256_add(sha, bytes, sizeof bytes);
}

void wm_rng_init_keyed(wm_rng *rng, uint64_t seed, const char *purpose, uint64_t round, const char *name)
{
    wm_sha256 sha;
    wm_digest digest;

    /* Lengths go in front of the texts, so that no two keys are the same bytes. */
    wm_sha256_init(&sha);
    hash_u64(&sha, seed);
    hash_u64(&sha, strlen(purpose));
    wm_sha256_add(&sha, purpose, strlen(purpose));
    hash_u64(&sha, round);
    hash_u64(&sha, strlen(name));
    wm_sha256_add(&sha, name, strlen(name));
    wm_sha256_take(&sha, &digest);
    for (int i = 0; i < 4; i++) {
        rng->s[i] = 0;
        for (int b = 0; b < 8; b++)
            rng->s[i] |= (uint64_t)digest.bytes[8 * i + b] << (8 * b);
    }
    rng->s[0] |= rng->s[0] == 0; /* the all-zero state is the one that xoshiro never leaves */
}

static uint64_t rotl(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

uint64_t wm_rng_next(wm_rng *rng)
{
    uint64_t *s = rng->s, result = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

uint64_t wm_rng_below(wm_rng *rng, uint64_t bound)
{
    uint64_t threshold, x;

    assert(bound > 0);
    threshold = -bound % bound; /* 2^64 mod bound: below it, small remainders would come too often */
    do
        x = wm_rng_next(rng);
    while (x < threshold);
    return x % bound;
}

double wm_rng_unit(wm_rng *rng)
{
    return (double)(wm_rng_next(rng) >> 11) * 0x1p-53;
}

double wm_rng_normal(wm_rng *rng)
{
    double u, v, s;

    do {
        u = 2 * wm_rng_unit(rng) - 1;
        v = 2 * wm_rng_unit(rng) - 1;
        s = u * u + v * v;
    } while (s >= 1 || s == 0);
    return u * sqrt(-2 * log(s) / s);
}

void wm_rng_shuffle(wm_rng *rng, uint32_t *items, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        size_t   j = (size_t)wm_rng_below(rng, i);
        uint32_t t = items[i - 1];

        items[i - 1] = items[j];
        items[j] = t;
    }
}
