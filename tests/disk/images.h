/* tests/disk/images.h
 *
 * Looking at many images of one disk. WM_IMAGES says how many (the moments in turn, each time with another part of what
 * was not synced); a failure is a number, and WM_IMAGE=n looks at that one alone. */
#ifndef WM_TESTS_DISK_IMAGES_H
#define WM_TESTS_DISK_IMAGES_H

#include "tests/disk/disk.h"

/* Opens `image`, a folder that a power cut after `moment` operations left, and fails the test if something does not hold.
 * May change it. */
typedef void images_check(void *context, const char *image, size_t moment);

/* Ends the watching, looks at WM_IMAGES images, or else at `usual`, and tells the figure `fault`. */
void images_look(disk *d, const char *fault, size_t usual, images_check *check, void *context);

/* Ends the test with what is being looked at and the sentence. */
__attribute__((format(printf, 1, 2), noreturn)) void images_fail(const char *fmt, ...);

#define images_assert(truth)                                               \
    do {                                                                   \
        if (!(truth))                                                      \
            images_fail("not so: %s (%s:%d)", #truth, __FILE__, __LINE__); \
    } while (0)

#define images_assert_ok(call, err)                                     \
    do {                                                                \
        if ((call) != WM_OK)                                            \
            images_fail("%s (%s:%d)", (err)->text, __FILE__, __LINE__); \
    } while (0)

/* What is being looked at, for the sentence of a failure. */
__attribute__((format(printf, 1, 2))) void images_case(const char *fmt, ...);

#endif
