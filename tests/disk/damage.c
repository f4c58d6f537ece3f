/* tests/disk/damage.c */
#include "tests/disk/damage.h"

#include "common/files.h"
#include "common/rng.h"
#include "tests/unit.h"

#include <unistd.h>

static size_t head_of(const damage *d)
{
    return d->head < d->n ? d->head : d->n;
}

size_t damage_ways(const damage *d)
{
    return 1 + 2 * head_of(d) + d->chances;
}

/* One at random; returns the new length. */
static size_t at_random(uint8_t *bytes, size_t n, size_t way, char *says, size_t room)
{
    wm_rng rng;
    size_t at, many;

    wm_rng_init_keyed(&rng, n, "damage", way, "");
    at = n > 0 ? wm_rng_below(&rng, n) : 0;
    many = 1 + wm_rng_below(&rng, 4096);
    many = many < n - at ? many : n - at;
    switch (wm_rng_below(&rng, 5)) {
    case 0:
        snprintf(says, room, "cut at %zu of %zu", at, n);
        return at;
    case 1:
        snprintf(says, room, "%zu zeros at %zu of %zu", many, at, n);
        memset(bytes + at, 0, many);
        return n;
    case 2:
        snprintf(says, room, "%zu bytes of garbage at %zu of %zu", many, at, n);
        for (size_t i = 0; i < many; i++)
            bytes[at + i] = (uint8_t)wm_rng_next(&rng);
        return n;
    default:
        snprintf(says, room, "a bit flipped at %zu of %zu", at, n);
        if (n > 0)
            bytes[at] ^= (uint8_t)(1u << wm_rng_below(&rng, 8));
        return n;
    }
}

void damage_do(const damage *d, size_t way, const char *path, char *says, size_t room)
{
    uint8_t *bytes = malloc(d->n + 1);
    size_t   n = d->n, head = head_of(d);
    wm_error err;

    assert_non_null(bytes);
    memcpy(bytes, d->bytes, d->n);
    if (way == 0) {
        snprintf(says, room, "gone");
        assert_int_equal(unlink(path), 0);
        free(bytes);
        return;
    }
    if (way <= head) {
        snprintf(says, room, "byte %zu inverted", way - 1);
        bytes[way - 1] ^= 0xff;
    } else if (way <= 2 * head) {
        n = way - 1 - head;
        snprintf(says, room, "cut at %zu of %zu", n, d->n);
    } else {
        n = at_random(bytes, n, way, says, room);
    }
    assert_ok(wm_files_system()->replace(wm_files_system(), path, bytes, n, 0600, &err), &err);
    free(bytes);
}
