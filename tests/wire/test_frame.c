/* tests/wire/test_frame.c
 *
 * The expected bytes are those of nng's own sockets (RFCs sp-tcp-mapping-01 and sp-request-reply-01 of nanomsg). */
#include "tests/unit.h"

#include "common/wire/frame.h"

static void heads_are_big_endian_and_marked_on_unix_sockets(void **state)
{
    static const uint8_t tcp[] = { 0, 0, 0, 0, 0, 0, 1, 4 }, local[] = { 1, 0, 0, 0, 0, 0, 0, 1, 4 };
    uint8_t              head[WM_FRAME_HEAD_MAX];
    uint64_t             n;

    (void)state;
    wm_frame_head_write(WM_FRAME_TCP, 260, head);
    assert_int_equal(wm_frame_head_size(WM_FRAME_TCP), sizeof tcp);
    assert_memory_equal(head, tcp, sizeof tcp);
    assert_true(wm_frame_head_read(WM_FRAME_TCP, head, &n));
    assert_int_equal(n, 260);
    wm_frame_head_write(WM_FRAME_LOCAL, 260, head);
    assert_int_equal(wm_frame_head_size(WM_FRAME_LOCAL), sizeof local);
    assert_memory_equal(head, local, sizeof local);
    assert_true(wm_frame_head_read(WM_FRAME_LOCAL, head, &n));
    assert_int_equal(n, 260);
    head[0] = 0;
    assert_false(wm_frame_head_read(WM_FRAME_LOCAL, head, &n));
    memset(head, 0xff, sizeof head);
    assert_true(wm_frame_head_read(WM_FRAME_TCP, head, &n));
    assert_true(n == UINT64_MAX);
}

static const struct {
    const char *says;
    uint8_t     bytes[40];
    size_t      n, want;
} routes[] = {
    { "a request id alone", { 0x80, 0, 0, 1, 'x' }, 5, 4 },
    { "one hop before the id", { 0, 0, 0, 9, 0x80, 0, 0, 1, 'x' }, 9, 8 },
    { "the last of eight words ends it", { [28] = 0x80 }, 32, 32 },
    { "nine words are too many", { [32] = 0x80 }, 36, 0 },
    { "no word has its top bit set", { 1, 2, 3, 4, 5, 6, 7, 8 }, 8, 0 },
    { "the word that ends it is cut short", { 0, 0, 0, 1, 0x80, 0, 0 }, 7, 0 },
    { "nothing at all", { 0 }, 0, 0 },
};

static void a_route_ends_with_the_first_word_whose_top_bit_is_set(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
        assert_case(routes[i].says, wm_frame_route(routes[i].bytes, routes[i].n) == routes[i].want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_are_big_endian_and_marked_on_unix_sockets),
        cmocka_unit_test(a_route_ends_with_the_first_word_whose_top_bit_is_set),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
