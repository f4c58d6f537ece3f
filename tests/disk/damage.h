/* tests/disk/damage.h
 *
 * The ways in which a file is damaged, by number, so that a test can try all of them or a part: every byte of its head
 * inverted, bits of its body at random, cut at any length, overwritten by zeros or by garbage from somewhere on, gone. */
#ifndef WM_TESTS_DISK_DAMAGE_H
#define WM_TESTS_DISK_DAMAGE_H

#include <stddef.h>
#include <stdint.h>

typedef struct damage {
    const uint8_t *bytes; /* the sound file; borrowed */
    size_t         n;
    size_t         head;    /* bytes of it, each of which is inverted once, and each of whose lengths is cut once */
    size_t         chances; /* tries at random beyond those */
} damage;

/* How many ways there are. */
size_t damage_ways(const damage *d);

/* Writes the file damaged in that way; says what was done. */
void damage_do(const damage *d, size_t way, const char *path, char *says, size_t room);

#endif
