/* common/wire/envelope.c */
#include "common/wire/envelope.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* What unpacking may take: each byte four times, and room for the fields of a few dozen small messages, which
 * protobuf-c also lists while it scans. The most that an honest message of ours needs, a Receipt with 64 gaps, is
 * 10 KiB; 1 MiB of empty sub-messages would need 71 MB. */
enum { MEMORY_PER_BYTE = 4, MEMORY_FIXED = 16 << 10 };

typedef struct purse {
    size_t left;
    bool   spent;
} purse;

static void *purse_alloc(void *self, size_t n)
{
    purse *p = self;
    void  *memory;

    if (n > p->left) {
        p->spent = true;
        return NULL;
    }
    p->left -= n;
    memory = malloc(n);
    p->spent = p->spent || memory == NULL;
    return memory;
}

static void purse_free(void *self, void *memory)
{
    (void)self;
    free(memory);
}

/* The version is the first field that any protobuf library writes. Read before all else, so that a later
 * protocol may change everything else and still be told apart. false: it does not begin with one. */
static bool peek_version(const uint8_t *bytes, size_t n, uint64_t *ret)
{
    uint64_t value = 0;

    if (n == 0 || bytes[0] != (1 << 3 | 0)) /* field 1, a varint */
        return false;
    for (size_t i = 1; i < n && i <= 9; i++) {
        value |= (uint64_t)(bytes[i] & 0x7f) << (7 * (i - 1));
        if ((bytes[i] & 0x80) == 0) {
            *ret = value;
            return true;
        }
    }
    return false;
}

static wm_status check_version(uint64_t version, wm_error *err)
{
    if (version == WM_PROTOCOL_VERSION)
        return WM_OK;
    return wm_fail(err, WM_E_REFUSED,
                   "the message is of protocol version %llu and this program (%s) speaks version %d: upgrade "
                   "the older one",
                   (unsigned long long)version, WM_VERSION, WM_PROTOCOL_VERSION);
}

wm_status wm_envelope_unpack(const uint8_t *bytes, size_t n, size_t limit, Wm__Envelope **ret, wm_error *err)
{
    purse              p = { .left = MEMORY_PER_BYTE * n + MEMORY_FIXED };
    ProtobufCAllocator allocator = { .alloc = purse_alloc, .free = purse_free, .allocator_data = &p };
    Wm__Envelope      *envelope;
    uint64_t           version;
    wm_status          st = WM_OK;

    if (n > limit)
        return wm_fail(err, WM_E_RANGE, "a message of %zu bytes, over the limit of %zu", n, limit);
    if (peek_version(bytes, n, &version) && (st = check_version(version, err)) != WM_OK)
        return st;
    envelope = wm__envelope__unpack(&allocator, n, bytes);
    if (envelope == NULL)
        return p.spent ? wm_fail(err, WM_E_NOMEM, "a message of %zu bytes takes too much memory to decode", n)
                       : wm_fail(err, WM_E_MALFORMED, "a message of %zu bytes does not decode", n);
    if ((st = check_version(envelope->version, err)) != WM_OK)
        goto out;
    if (envelope->body_case == WM__ENVELOPE__BODY__NOT_SET) {
        st = wm_fail(err, WM_E_MALFORMED, "a message with nothing in it that is known here");
        goto out;
    }
    *ret = envelope;
    envelope = NULL;
out:
    wm_envelope_free(envelope);
    return st;
}

void wm_envelope_free(Wm__Envelope *envelope)
{
    if (envelope != NULL)
        wm__envelope__free_unpacked(envelope, NULL); /* the purse's memory is malloc's */
}

size_t wm_envelope_size(const Wm__Envelope *envelope)
{
    return wm__envelope__get_packed_size(envelope);
}

size_t wm_envelope_pack(const Wm__Envelope *envelope, uint8_t *room)
{
    return wm__envelope__pack(envelope, room);
}

Wm__Envelope wm_envelope(void)
{
    Wm__Envelope envelope = WM__ENVELOPE__INIT;

    envelope.version = WM_PROTOCOL_VERSION;
    return envelope;
}

void wm_fault_init(wm_fault *fault, wm_status status, const char *text, uint64_t come_back_ms)
{
    assert(status != WM_OK);
    wm__fault__init(&fault->fault);
    fault->fault.code = (uint32_t)status;
    fault->fault.text = (char *)text; /* only read */
    fault->fault.come_back_ms = come_back_ms;
    fault->envelope = wm_envelope();
    fault->envelope.body_case = WM__ENVELOPE__BODY_FAULT;
    fault->envelope.fault = &fault->fault;
}

wm_status wm_fault_status(const Wm__Fault *fault, wm_error *err)
{
    wm_status status = fault->code > WM_OK && fault->code <= WM_E_DAMAGED ? (wm_status)fault->code : WM_E_REFUSED;

    return wm_fail(err, status, "the server says: %s", fault->text);
}

/* ---- fields of fixed length ---- */

static wm_status copy_field(const ProtobufCBinaryData *field, const char *name, void *ret, size_t n, wm_error *err)
{
    if (field->len != n)
        return wm_fail(err, WM_E_MALFORMED, "%s has %zu bytes instead of %zu", name, field->len, n);
    memcpy(ret, field->data, n);
    return WM_OK;
}

wm_status wm_field_digest(const ProtobufCBinaryData *field, const char *name, wm_digest *ret, wm_error *err)
{
    return copy_field(field, name, ret->bytes, WM_DIGEST_SIZE, err);
}

wm_status wm_field_digest_or_none(const ProtobufCBinaryData *field, const char *name, wm_digest *ret, wm_error *err)
{
    if (field->len == 0) {
        *ret = (wm_digest){ { 0 } };
        return WM_OK;
    }
    return wm_field_digest(field, name, ret, err);
}

wm_status wm_field_run(const ProtobufCBinaryData *field, const char *name, uint8_t ret[16], wm_error *err)
{
    return copy_field(field, name, ret, 16, err);
}

ProtobufCBinaryData wm_bytes_field(const void *bytes, size_t n)
{
    return (ProtobufCBinaryData){ .len = n, .data = (uint8_t *)bytes }; /* packing only reads it */
}
