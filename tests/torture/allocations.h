/* tests/torture/allocations.h
 *
 * Memory that runs out when the test says so. A program that is linked with `torture_link` (meson.build) has every
 * allocation that the server's, the client's and the floor's own code asks for pass through here: malloc and its kin, a
 * text copied, a folder opened, a thread started. Each is counted, one can be told to fail, and what is still held is
 * known. The libraries' own allocations, and those of the test's sources (spared.h), are left alone; but where one of our
 * own asks a library for an object, that may be refused like memory (objects.c).
 *
 * A whole program that is linked so looks at WM_TORTURE_EVERY: one allocation in so many fails, spread as by dice, after
 * the first WM_TORTURE_AFTER. When it exits it says on its error stream how many did.
 *
 * Any thread may allocate; arming and asking is for one. */
#ifndef WM_TESTS_TORTURE_ALLOCATIONS_H
#define WM_TESTS_TORTURE_ALLOCATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Counts from 0; the fail_at-th from here on fails, once. 0: none does. */
void torture_arm(uint64_t fail_at);

/* One more is asked for, from `caller`: true if it is the one that has to fail. For the seam itself. */
bool torture_must_fail(void *caller);

/* None fails any more. Returns how many were asked for since. */
uint64_t torture_disarm(void);

/* Whether the one that had to fail was asked for, and by whom: an address, for addr2line. */
bool torture_has_failed(void);
void torture_failed_at(char *text, size_t room);

/* Blocks of our own code that are held now. */
uint64_t torture_live(void);

/* Names up to `most` of those that were taken since the last torture_arm and are still held. */
void torture_tell_live(unsigned most);

#endif
