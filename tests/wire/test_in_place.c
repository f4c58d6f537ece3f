/* tests/wire/test_in_place.c
 *
 * What leaves a range's bytes where they are says the same as protobuf-c, of every message: those as we write them, and
 * those as only somebody else would. */
#include "tests/unit.h"

#include "common/wire/in_place.h"

typedef struct raw {
    uint8_t bytes[600];
    size_t  n;
} raw;

static void add(raw *r, const void *bytes, size_t n)
{
    assert_true(n <= sizeof r->bytes - r->n);
    memcpy(r->bytes + r->n, bytes, n);
    r->n += n;
}

static void add_varint(raw *r, uint64_t value)
{
    for (; value > 0x7f; value >>= 7)
        add(r, &(uint8_t){ (uint8_t)(value | 0x80) }, 1);
    add(r, &(uint8_t){ (uint8_t)value }, 1);
}

static void add_field(raw *r, uint64_t number, const raw *contents)
{
    add_varint(r, number << 3 | 2);
    add_varint(r, contents->n);
    add(r, contents->bytes, contents->n);
}

static void add_number(raw *r, uint64_t number, uint64_t value)
{
    add_varint(r, number << 3);
    add_varint(r, value);
}

static raw filled(uint8_t with, size_t n)
{
    raw r = { .n = n };

    memset(r.bytes, with, n);
    return r;
}

enum { DIGEST = 1, OFFSET = 2, BYTES = 3, VERSION = 1, PUT = 32, FETCH = 30 };

static raw honest_put(void)
{
    raw put = { .n = 0 }, digest = filled(7, 32), bytes = filled(9, 300);

    add_field(&put, DIGEST, &digest);
    add_number(&put, OFFSET, 123456);
    add_field(&put, BYTES, &bytes);
    return put;
}

/* An envelope of version 1 with that field. */
static raw around(uint64_t number, const raw *contents)
{
    raw r = { .n = 0 };

    add_number(&r, VERSION, 1);
    add_field(&r, number, contents);
    return r;
}

static raw as_we_write_it(void)
{
    raw put = honest_put();

    return around(PUT, &put);
}

static raw bytes_first(void)
{
    raw put = { .n = 0 }, bytes = filled(9, 300);

    add_field(&put, BYTES, &bytes);
    add_number(&put, OFFSET, 5);
    return around(PUT, &put);
}

static raw bytes_twice(void)
{
    raw put = { .n = 0 }, one = filled(1, 10), two = filled(2, 20);

    add_field(&put, BYTES, &one);
    add_field(&put, BYTES, &two);
    return around(PUT, &put);
}

static raw no_bytes(void)
{
    raw put = { .n = 0 }, none = { .n = 0 };

    add_number(&put, OFFSET, 5);
    add_field(&put, BYTES, &none);
    return around(PUT, &put);
}

static raw two_bodies(void)
{
    raw put = honest_put(), fetch = { .n = 0 }, r = around(FETCH, &fetch);

    add_field(&r, PUT, &put);
    return r;
}

static raw put_twice(void)
{
    raw put = { .n = 0 }, offset = { .n = 0 }, bytes = filled(3, 30), r;

    add_field(&put, BYTES, &bytes);
    add_number(&offset, OFFSET, 5);
    r = around(PUT, &offset);
    add_field(&r, PUT, &put);
    return r;
}

static raw fields_of_later_days(void)
{
    raw put = honest_put(), r = { .n = 0 };

    add_number(&r, VERSION, 1);
    add_number(&r, 99, 1);
    add_field(&r, PUT, &put);
    return r;
}

static raw many_fields_of_later_days(void)
{
    raw put = { .n = 0 }, bytes = filled(4, 40);

    for (uint64_t i = 0; i < 40; i++)
        add_number(&put, 50 + i, 300);
    add_field(&put, BYTES, &bytes);
    return around(PUT, &put);
}

static raw a_tag_made_long(void)
{
    raw put = honest_put(), r = { .n = 0 };

    add_number(&r, VERSION, 1);
    add(&r, (uint8_t[]){ 0x82, 0x82, 0x00 }, 3); /* 258 in three bytes */
    add_varint(&r, put.n);
    add(&r, put.bytes, put.n);
    return r;
}

static raw bytes_as_a_number(void)
{
    raw put = { .n = 0 };

    add_number(&put, BYTES, 5);
    return around(PUT, &put);
}

static raw another_message(void)
{
    raw fetch = { .n = 0 }, digest = filled(7, 32);

    add_field(&fetch, DIGEST, &digest);
    return around(FETCH, &fetch);
}

static raw another_version(void)
{
    raw put = honest_put(), r = { .n = 0 };

    add_number(&r, VERSION, 2);
    add_field(&r, PUT, &put);
    return r;
}

static raw no_version(void)
{
    raw put = honest_put(), r = { .n = 0 };

    add_field(&r, PUT, &put);
    return r;
}

static const struct {
    const char *says;
    raw (*make)(void);
    bool borrows;
} cases[] = {
    { "a Put as we write it", as_we_write_it, true },
    { "its bytes before its offset", bytes_first, false },
    { "bytes twice: the last ones count", bytes_twice, false },
    { "no bytes", no_bytes, false },
    { "two bodies: the last one counts", two_bodies, false },
    { "two Puts, which are one", put_twice, false },
    { "a field that nobody knows", fields_of_later_days, true },
    { "many of them", many_fields_of_later_days, false },
    { "a tag longer than it need be", a_tag_made_long, true },
    { "a number where bytes should be", bytes_as_a_number, false },
    { "another message", another_message, false },
    { "another version", another_version, false },
    { "no version", no_version, false },
};

static void check_same(const char *says, const uint8_t *bytes, size_t n, bool borrows)
{
    Wm__Envelope *plain = NULL;
    wm_view       view = { NULL, false };
    uint8_t      *packed[2];
    size_t        size;
    wm_error      err;
    wm_status     st = wm_envelope_unpack(bytes, n, WM_BULK_BYTES_MAX, &plain, NULL);

    assert_case(says, wm_view_open(bytes, n, WM_BULK_BYTES_MAX, &view, &err) == st);
    if (st != WM_OK)
        return;
    assert_case(says, view.borrows == borrows);
    size = wm_envelope_size(plain);
    assert_case(says, wm_envelope_size(view.envelope) == size);
    for (int i = 0; i < 2; i++) {
        assert_non_null(packed[i] = malloc(size + 1));
        wm_envelope_pack(i == 0 ? plain : view.envelope, packed[i]);
    }
    assert_case(says, memcmp(packed[0], packed[1], size) == 0);
    if (borrows)
        assert_case(says, view.envelope->put->bytes.data > bytes && view.envelope->put->bytes.data < bytes + n);
    free(packed[0]);
    free(packed[1]);
    wm_view_close(&view);
    wm_envelope_free(plain);
}

static void a_view_says_what_the_envelope_says(void **state)
{
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        raw r = cases[c].make();

        check_same(cases[c].says, r.bytes, r.n, cases[c].borrows);
    }
}

static void cut_anywhere_it_is_refused_as_the_envelope_is(void **state)
{
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        raw r = cases[c].make();

        for (size_t n = 0; n < r.n; n++) {
            Wm__Envelope *plain = NULL;
            wm_view       view = { NULL, false };
            uint8_t      *exact = malloc(n + 1); /* so that a byte too many is found by the sanitizer */
            wm_status     st;

            memcpy(exact, r.bytes, n);
            st = wm_envelope_unpack(exact, n, WM_BULK_BYTES_MAX, &plain, NULL);
            assert_case(cases[c].says, wm_view_open(exact, n, WM_BULK_BYTES_MAX, &view, NULL) == st);
            wm_view_close(&view);
            wm_envelope_free(plain);
            free(exact);
        }
    }
}

static void assert_head_is_protobufs(const Wm__Envelope *envelope, size_t n)
{
    static uint8_t whole[WM_BULK_BYTES_MAX], head[200];
    size_t         before = wm_envelope_pack(envelope, whole) - n;

    assert_true(before < sizeof head);
    assert_non_null(wm_bytes_left_out(envelope));
    assert_int_equal(wm_bytes_left_out(envelope)->len, n);
    wm_envelope_pack_head(envelope, head);
    assert_memory_equal(head, whole, before);
}

static void what_is_before_the_bytes_is_what_protobuf_writes_there(void **state)
{
    static const struct {
        uint64_t offset, total;
        size_t   n;
    } ranges[] = {
        { 0, 1, 1 }, { 5, 200, 100 }, { 0, 1 << 20, 1 << 20 }, { UINT64_MAX - 70000, UINT64_MAX, 70000 }
    };
    static uint8_t bytes[1 << 20];
    const uint8_t  digest[WM_DIGEST_SIZE] = { 1, 2, 3 };

    (void)state;
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        Wm__Envelope answer = wm_envelope(), question = wm_envelope();
        Wm__Range    range = WM__RANGE__INIT;
        Wm__Put      put = WM__PUT__INIT;

        range.offset = ranges[i].offset;
        range.total = ranges[i].total;
        range.bytes = wm_bytes_field(bytes, ranges[i].n);
        answer.body_case = WM__ENVELOPE__BODY_RANGE;
        answer.range = &range;
        assert_head_is_protobufs(&answer, ranges[i].n);
        put.offset = ranges[i].offset;
        put.digest = wm_bytes_field(digest, sizeof digest);
        put.bytes = wm_bytes_field(bytes, ranges[i].n);
        question.body_case = WM__ENVELOPE__BODY_PUT;
        question.put = &put;
        assert_head_is_protobufs(&question, ranges[i].n);
        put.bytes.len = 0;
        assert_null(wm_bytes_left_out(&question)); /* there is nothing to leave out */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_view_says_what_the_envelope_says),
        cmocka_unit_test(cut_anywhere_it_is_refused_as_the_envelope_is),
        cmocka_unit_test(what_is_before_the_bytes_is_what_protobuf_writes_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
