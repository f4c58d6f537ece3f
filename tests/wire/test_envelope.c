/* tests/wire/test_envelope.c
 *
 * Bytes are written out by hand from the protobuf encoding (field << 3 | type), so that no library of ours is its
 * own witness. */
#include "tests/unit.h"

#include "common/wire/envelope.h"

/* The schema must not recurse: protobuf-c would follow a chain of 10,000 messages down the stack. */
static bool recurses(const ProtobufCMessageDescriptor *at, const ProtobufCMessageDescriptor **above, size_t n_above)
{
    assert_true(n_above < 16);
    for (size_t i = 0; i < n_above; i++)
        if (above[i] == at)
            return true;
    above[n_above] = at;
    for (unsigned i = 0; i < at->n_fields; i++)
        if (at->fields[i].type == PROTOBUF_C_TYPE_MESSAGE && recurses(at->fields[i].descriptor, above, n_above + 1))
            return true;
    return false;
}

static void no_message_contains_itself(void **state)
{
    const ProtobufCMessageDescriptor *above[17];

    (void)state;
    assert_false(recurses(&wm__envelope__descriptor, above, 0));
}

static void an_envelope_comes_back_as_it_was(void **state)
{
    Wm__Envelope question = wm_envelope(), *back;
    Wm__Fetch    fetch = WM__FETCH__INIT;
    wm_digest    digest = wm_sha256_of("model", 5), got;
    uint8_t      bytes[100];
    wm_error     err;

    (void)state;
    fetch.digest = wm_bytes_field(digest.bytes, sizeof digest.bytes);
    fetch.offset = 1 << 20;
    fetch.length = 4096;
    question.body_case = WM__ENVELOPE__BODY_FETCH;
    question.fetch = &fetch;
    assert_true(wm_envelope_size(&question) <= sizeof bytes);
    assert_int_equal(wm_envelope_pack(&question, bytes), wm_envelope_size(&question));
    assert_ok(wm_envelope_unpack(bytes, wm_envelope_size(&question), sizeof bytes, &back, &err), &err);
    assert_int_equal(back->body_case, WM__ENVELOPE__BODY_FETCH);
    assert_int_equal(back->fetch->offset, 1 << 20);
    assert_ok(wm_field_digest(&back->fetch->digest, "digest", &got, &err), &err);
    assert_true(wm_digest_equal(&got, &digest));
    wm_envelope_free(back);
    for (size_t n = 0; n < wm_envelope_size(&question); n++) { /* every truncation is refused, and says so */
        err.text[0] = '\0';
        assert_int_not_equal(wm_envelope_unpack(bytes, n, sizeof bytes, &back, &err), WM_OK);
        assert_true(err.text[0] != '\0');
    }
}

static const struct {
    const char *says;
    uint8_t     bytes[24];
    size_t      n;
    wm_status   want;
    const char *sentence;
} rows[] = {
    { "an empty fetch of version 1", { 0x08, 1, 0xf2, 1, 0 }, 5, WM_OK, "" },
    { "version 2", { 0x08, 2, 0xf2, 1, 0 }, 5, WM_E_REFUSED, "version 2" },
    { "version 300", { 0x08, 0xac, 0x02, 0xf2, 1, 0 }, 6, WM_E_REFUSED, "version 300" },
    { "version 2, and the rest is not protobuf",
      { 0x08, 2, 0xff, 0xff, 0xff },
      5,
      WM_E_REFUSED,
      "speaks version 1" },
    { "no version is version 0", { 0xf2, 1, 0 }, 3, WM_E_REFUSED, "version 0" },
    { "a version that comes last counts, too", { 0xf2, 1, 0, 0x08, 3 }, 5, WM_E_REFUSED, "version 3" },
    { "nothing", { 0 }, 0, WM_E_REFUSED, "version 0" },
    { "a version and nothing in it", { 0x08, 1 }, 2, WM_E_MALFORMED, "nothing in it" },
    { "a body of some later version", { 0x08, 1, 0xfa, 0x7f, 0 }, 5, WM_E_MALFORMED, "nothing in it" },
    { "a body that is longer than the message", { 0x08, 1, 0xf2, 1, 100, 0 }, 6, WM_E_MALFORMED, "decode" },
    { "a body of 2^63 bytes",
      { 0x08, 1, 0xf2, 1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1 },
      14,
      WM_E_MALFORMED,
      "decode" },
    { "a varint without an end",
      { 0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
      12,
      WM_E_MALFORMED,
      "decode" },
    { "one byte over the limit of 20", { 0x08, 1 }, 21, WM_E_RANGE, "limit of 20" },
};

static void strangers_bytes_are_refused_by_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Wm__Envelope *envelope = NULL;
        wm_error      err = { .text = "" };

        assert_case(rows[i].says,
                    wm_envelope_unpack(rows[i].bytes, rows[i].n, 20, &envelope, &err) == rows[i].want);
        assert_case(rows[i].says, strstr(err.text, rows[i].sentence) != NULL);
        assert_case(rows[i].says, (envelope != NULL) == (rows[i].want == WM_OK));
        wm_envelope_free(envelope);
    }
}

/* 30,000 empty Results in a Report of 60 kB would be 3 MB of memory and 30,000 allocations. */
static void a_bomb_of_empty_messages_is_refused_early(void **state)
{
    enum { N = 30000, SIZE = 2 * N }; /* of the report: results are field 2, empty messages */
    static uint8_t bytes[7 + SIZE] = {
        0x08, 1, 0x82, 0x01, SIZE % 128 + 128, SIZE / 128 % 128 + 128, SIZE / 16384
    };
    Wm__Envelope *envelope;
    wm_error      err;

    (void)state;
    for (size_t i = 7; i < sizeof bytes; i += 2)
        bytes[i] = 0x12;
    assert_int_equal(wm_envelope_unpack(bytes, sizeof bytes, WM_CONTROL_BYTES_MAX, &envelope, &err), WM_E_NOMEM);
    assert_non_null(strstr(err.text, "too much memory"));
}

static void the_largest_honest_messages_fit_their_limits(void **state)
{
    static uint8_t blob[WM_RANGE_BYTES_MAX], bytes[WM_BULK_BYTES_MAX];
    Wm__Envelope   envelope = wm_envelope(), *back;
    Wm__Range      range = WM__RANGE__INIT;
    Wm__Receipt    receipt = WM__RECEIPT__INIT;
    Wm__Gap        gaps[64], *list[64];
    wm_error       err;

    (void)state;
    range.offset = range.total = UINT64_MAX;
    range.bytes = wm_bytes_field(blob, sizeof blob);
    envelope.body_case = WM__ENVELOPE__BODY_RANGE;
    envelope.range = &range;
    assert_true(wm_envelope_size(&envelope) <= WM_BULK_BYTES_MAX);
    wm_envelope_pack(&envelope, bytes);
    assert_ok(wm_envelope_unpack(bytes, wm_envelope_size(&envelope), WM_BULK_BYTES_MAX, &back, &err), &err);
    wm_envelope_free(back);

    for (int i = 0; i < 64; i++) {
        wm__gap__init(&gaps[i]);
        gaps[i].offset = gaps[i].length = (uint64_t)i + 1; /* short on the wire, as large in memory as any */
        list[i] = &gaps[i];
    }
    receipt.gaps = list;
    receipt.n_gaps = 64;
    envelope.body_case = WM__ENVELOPE__BODY_RECEIPT;
    envelope.receipt = &receipt;
    wm_envelope_pack(&envelope, bytes);
    assert_ok(wm_envelope_unpack(bytes, wm_envelope_size(&envelope), WM_CONTROL_BYTES_MAX, &back, &err), &err);
    wm_envelope_free(back);
}

static void a_fault_says_what_it_said(void **state)
{
    wm_fault      fault;
    uint8_t       bytes[200];
    Wm__Envelope *back;
    wm_error      err;

    (void)state;
    wm_fault_init(&fault, WM_E_RANGE, "too long by far", 1500);
    wm_envelope_pack(&fault.envelope, bytes);
    assert_ok(wm_envelope_unpack(bytes, wm_envelope_size(&fault.envelope), sizeof bytes, &back, &err), &err);
    assert_int_equal(back->body_case, WM__ENVELOPE__BODY_FAULT);
    assert_int_equal(back->fault->come_back_ms, 1500);
    assert_int_equal(wm_fault_status(back->fault, &err), WM_E_RANGE);
    assert_string_equal(err.text, "the server says: too long by far");
    back->fault->code = 0; /* a fault is never WM_OK, whatever it says */
    assert_int_equal(wm_fault_status(back->fault, &err), WM_E_REFUSED);
    back->fault->code = 4711;
    assert_int_equal(wm_fault_status(back->fault, &err), WM_E_REFUSED);
    wm_envelope_free(back);
}

static void fields_of_fixed_length_have_it(void **state)
{
    uint8_t             bytes[40] = { 1, 2, 3 }, run[16];
    ProtobufCBinaryData field = wm_bytes_field(bytes, 31), none = { 0 };
    wm_digest           digest;
    wm_error            err;

    (void)state;
    assert_int_equal(wm_field_digest(&field, "the model", &digest, &err), WM_E_MALFORMED);
    assert_string_equal(err.text, "the model has 31 bytes instead of 32");
    assert_int_equal(wm_field_digest(&none, "the model", &digest, &err), WM_E_MALFORMED);
    assert_ok(wm_field_digest_or_none(&none, "the scaling", &digest, &err), &err);
    assert_true(wm_digest_is_zero(&digest));
    field.len = 32;
    assert_ok(wm_field_digest_or_none(&field, "the model", &digest, &err), &err);
    assert_memory_equal(digest.bytes, bytes, 32);
    assert_int_equal(wm_field_run(&field, "the run", run, &err), WM_E_MALFORMED);
    field.len = 16;
    assert_ok(wm_field_run(&field, "the run", run, &err), &err);
    assert_memory_equal(run, bytes, 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_message_contains_itself),
        cmocka_unit_test(an_envelope_comes_back_as_it_was),
        cmocka_unit_test(strangers_bytes_are_refused_by_name),
        cmocka_unit_test(a_bomb_of_empty_messages_is_refused_early),
        cmocka_unit_test(the_largest_honest_messages_fit_their_limits),
        cmocka_unit_test(a_fault_says_what_it_said),
        cmocka_unit_test(fields_of_fixed_length_have_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
