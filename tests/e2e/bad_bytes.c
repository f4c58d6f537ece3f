/* tests/e2e/bad_bytes.c: messages laid byte by byte: garbage, truncated, oversized, deeply nested, of another version. */
#include "tests/e2e/bad_messages.h"

#include "common/update.h"

static void put(letter *l, const void *bytes, size_t n)
{
    assert_true(n <= ROOM - l->n);
    memcpy(l->bytes + l->n, bytes, n);
    l->n += n;
}

static void put_byte(letter *l, uint8_t byte)
{
    put(l, &byte, 1);
}

static void put_varint(letter *l, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        put_byte(l, (uint8_t)(value | 0x80));
    put_byte(l, (uint8_t)value);
}

static void put_tag(letter *l, unsigned field, unsigned type)
{
    put_varint(l, field << 3 | type);
}

static void put_version(letter *l)
{
    put(l, "\x08\x01", 2);
}

static void nothing(letter *l)
{
    (void)l;
}

static void a_version_alone(letter *l)
{
    put_version(l);
}

static void version_two(letter *l)
{
    put(l, "\x08\x02\x62\x00", 4);
}

static void no_version(letter *l)
{
    put(l, "\x62\x00", 2); /* an empty Ask */
}

static void garbage(letter *l)
{
    uint32_t seed = 12345;

    for (int i = 0; i < 5000; i++, seed = seed * 1664525 + 1013904223)
        put_byte(l, (uint8_t)(seed >> 24));
}

static void all_ones(letter *l)
{
    memset(l->bytes, 0xff, WM_CONTROL_BYTES_MAX);
    l->n = WM_CONTROL_BYTES_MAX;
}

static void one_byte_too_many(letter *l)
{
    put_version(l);
    memset(l->bytes + l->n, 0, WM_CONTROL_BYTES_MAX);
    l->n = WM_CONTROL_BYTES_MAX + 1 + 64; /* over any route */
}

static void too_much_for_bulk(letter *l)
{
    put_version(l);
    l->n = WM_BULK_BYTES_MAX + 100;
}

static void too_much_for_enrolment(letter *l)
{
    put_version(l);
    l->n = WM_ENROLMENT_BYTES_MAX + 100;
}

static void a_field_of_2_to_the_63(letter *l)
{
    put_version(l);
    put_tag(l, 12, 2);
    put_varint(l, 1ull << 63);
}

static void half_a_submit(letter *l)
{
    put_version(l);
    put_tag(l, 14, 2);
    put_varint(l, 100);
    put_tag(l, 2, 2);
    put_varint(l, 32);
    put(l, "only so much", 12);
}

/* Each level holds the next: an unknown field, since the schema has no recursion. */
static void nested_ten_thousand_deep(letter *l)
{
    static uint8_t deep[ROOM];
    static letter  head;
    size_t         at = sizeof deep;

    for (int i = 0; i < 10000; i++) {
        head.n = 0;
        put_tag(&head, 99, 2);
        put_varint(&head, sizeof deep - at);
        at -= head.n;
        memcpy(deep + at, head.bytes, head.n);
    }
    put_version(l);
    put(l, deep + at, sizeof deep - at);
}

static void many(letter *l, unsigned body, unsigned field, int times)
{
    static letter inside;

    inside.n = 0;
    for (int i = 0; i < times; i++) {
        put_tag(&inside, field, 2);
        put_varint(&inside, 0);
    }
    put_version(l);
    put_tag(l, body, 2);
    put_varint(l, inside.n);
    put(l, inside.bytes, inside.n);
}

static void thirty_thousand_results(letter *l)
{
    many(l, 16, 2, 30000);
}

static void thirty_thousand_abilities(letter *l)
{
    many(l, 10, 2, 30000);
}

static void twenty_thousand_unknown_fields(letter *l)
{
    many(l, 12, 77, 20000);
}

const row rows_of_bytes[] = {
    { "nothing at all", CONTROL, nothing, FAULT, WM_E_REFUSED, "version 0" },
    { "a version and nothing else", CONTROL, a_version_alone, FAULT, WM_E_MALFORMED, "nothing in it" },
    { "another version of the protocol", CONTROL, version_two, FAULT, WM_E_REFUSED, "version 2" },
    { "no version", BULK, no_version, FAULT, WM_E_REFUSED, "version 0" },
    { "garbage", CONTROL, garbage, FAULT, WM_E_MALFORMED, "does not decode" },
    { "garbage for bulk", BULK, garbage, FAULT, WM_E_MALFORMED, "does not decode" },
    { "garbage for enrolment", ENROLMENT, garbage, FAULT, WM_E_MALFORMED, "does not decode" },
    { "64 KiB of ones", CONTROL, all_ones, FAULT, WM_E_MALFORMED, "does not decode" },
    { "over the limit of control", CONTROL, one_byte_too_many, CUT_OFF, WM_OK, "over the limit of 65536" },
    { "over the limit of bulk", BULK, too_much_for_bulk, CUT_OFF, WM_OK, "over the limit of 1114112" },
    { "over the limit of enrolment", ENROLMENT, too_much_for_enrolment, CUT_OFF, WM_OK, "over the limit of 8192" },
    { "a field of 2^63 bytes", CONTROL, a_field_of_2_to_the_63, FAULT, WM_E_MALFORMED, "does not decode" },
    { "half a submit", CONTROL, half_a_submit, FAULT, WM_E_MALFORMED, "does not decode" },
    { "10,000 levels deep", CONTROL, nested_ten_thousand_deep, FAULT, WM_E_MALFORMED, "nothing in it" },
    { "30,000 results", CONTROL, thirty_thousand_results, FAULT, WM_E_NOMEM, "too much memory" },
    { "30,000 abilities", CONTROL, thirty_thousand_abilities, FAULT, WM_E_NOMEM, "too much memory" },
    { "20,000 unknown fields", CONTROL, twenty_thousand_unknown_fields, FAULT, WM_E_NOMEM, "too much memory" },
};
const size_t n_rows_of_bytes = sizeof rows_of_bytes / sizeof *rows_of_bytes;
