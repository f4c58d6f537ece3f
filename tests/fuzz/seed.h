/* tests/fuzz/seed.h
 *
 * What make_seeds and its sources share: bytes put together, and a file made of them. Each source makes the seeds of some
 * targets, with the program's own encoders where there is one; a target's head says how it reads its bytes. */
#ifndef WM_TESTS_FUZZ_SEED_H
#define WM_TESTS_FUZZ_SEED_H

#include "common/text.h"
#include "common/wire/envelope.h"
#include "tests/fuzz/take.h"

/* Bytes as they are put together; wm_text takes any. */
typedef wm_text seed;

static inline void seed_number(seed *to, uint64_t value, size_t width)
{
    for (size_t i = 0; i < width; i++) {
        uint8_t byte = (uint8_t)(value >> (8 * i));

        wm_text_add_bytes(to, (const char *)&byte, 1);
    }
}

static inline void seed_big_endian(seed *to, uint64_t value, size_t width)
{
    for (size_t i = width; i-- > 0;)
        seed_number(to, value >> (8 * i), 1);
}

static inline void seed_bytes(seed *to, const void *bytes, size_t n)
{
    wm_text_add_bytes(to, bytes, n);
}

static inline void seed_text(seed *to, const char *text)
{
    wm_text_add(to, text);
}

static inline void seed_envelope(seed *to, const Wm__Envelope *envelope)
{
    size_t   n = wm_envelope_size(envelope);
    uint8_t *bytes = malloc(n);

    must(bytes != NULL && wm_envelope_pack(envelope, bytes) == n);
    seed_bytes(to, bytes, n);
    free(bytes);
}

/* FOLDER/target/name <- the seed, which is empty afterwards. */
void seed_write(const char *target, const char *name, seed *from);

/* The whole of a small file. */
void seed_write_text(const char *target, const char *name, unsigned first_byte, const char *text);

void seeds_of_files(void);
void seeds_of_messages(void);
void seeds_of_trust(void);
void seeds_of_stores(void);

#endif
