/* tests/unit.h
 *
 * cmocka with the headers that it forgets, and the few helpers that every test file wants. */
#ifndef WM_TESTS_UNIT_H
#define WM_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/sanitized.h" /* memory is a sanitizer's then, which counts it otherwise and keeps what was freed */
#include "common/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Fails with the sentence of the error. */
static inline void wm_assert_ok_(wm_status status, const wm_error *err, const char *file, int line)
{
    if (status != WM_OK) {
        print_error("%s:%d: %s: %s\n", file, line, wm_status_name(status), err != NULL ? err->text : "");
        _fail(file, line);
    }
}
#define assert_ok(call, err) wm_assert_ok_((call), (err), __FILE__, __LINE__)

/* The row of a table that failed, said before failing. */
#define assert_case(says, truth)                                                  \
    do {                                                                          \
        if (!(truth)) {                                                           \
            print_error("not so: \"%s\" (%s)\n", (says), #truth);                 \
            _fail(__FILE__, __LINE__);                                            \
        }                                                                         \
    } while (0)

/* The root of the source tree; meson says it to the tests. */
static inline const char *wm_test_source(void)
{
    const char *source = getenv("WM_SOURCE");

    if (source == NULL)
        fail_msg("WM_SOURCE is not set: run the tests with meson test");
    return source;
}

/* Ends a test that this machine has not what for, with a word. Not cmocka's skip(): its TAP says "not ok" first, which
 * Meson counts as a failure. */
#define leave_out(why)                            \
    do {                                          \
        print_message("# skipped: %s\n", (why)); \
        return;                                   \
    } while (0)

/* A new empty folder under the build folder's temporary place; text has room for 4096. Removed by the test. */
static inline const char *wm_test_folder(char text[4096])
{
    const char *base = getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp";

    snprintf(text, 4096, "%s/wardmote-test-XXXXXX", base);
    if (mkdtemp(text) == NULL)
        fail_msg("cannot make a folder in %s", base);
    return text;
}

#endif
