/* tests/server/test_descriptors.c: who gets how many connections where there are fewer descriptors than server.yaml asks for. */
#include "tests/unit.h"

#include "server/descriptors.h"

static const wm_connection_config usual = { .most = 8192, .strangers = 1024 },
                                  middling = { .most = 100, .strangers = 16 },
                                  small = { .most = 8, .strangers = 16 };

static void fewer_descriptors_are_shared_out(void **state)
{
    static const struct {
        const char                 *says;
        const wm_connection_config *limits;
        uint64_t                    allowed;
        bool                        enough;
        wm_descriptor_shares        want;
    } rows[] = {
        { "no limit is known", &usual, UINT64_MAX, true, { 8192, 8192, 1024 } },
        { "just enough", &usual, 3 * 1024 + 384 + 2 * 8192, true, { 8192, 8192, 1024 } },
        { "one fewer: bulk has one fewer", &usual, 3 * 1024 + 384 + 2 * 8192 - 1, false, { 8192, 8191, 1024 } },
        { "4096: strangers get a sixteenth, control three quarters of the rest",
          &usual,
          4096,
          false,
          { 2208, 736, 256 } },
        { "16000: hardly fewer strangers", &usual, 16000, false, { 8192, 4424, 1000 } },
        { "1024, as a shell has it", &usual, 1024, false, { 336, 112, 64 } },
        { "a small office has enough with 1024", &small, 1024, true, { 8, 8, 16 } },
        { "what is left would be enough for control alone", &middling, 552, false, { 90, 30, 16 } },
        { "hardly any: some for each all the same", &usual, 100, false, { 24, 8, 6 } },
        { "none", &usual, 0, false, { 24, 8, 1 } },
        { "never more than were asked for", &small, 400, false, { 8, 8, 16 } },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        wm_descriptor_shares have;

        assert_case(rows[i].says, wm_descriptors_share(rows[i].limits, rows[i].allowed, &have) == rows[i].enough);
        if (memcmp(&have, &rows[i].want, sizeof have) != 0)
            fail_msg("%s: %zu, %zu, %zu", rows[i].says, have.control, have.bulk, have.strangers);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fewer_descriptors_are_shared_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
