/* common/wire/in_place.c */
#include "common/wire/in_place.h"

#include <assert.h>
#include <string.h>

/* Kinds of fields as protobuf's encoding numbers them, and the field of Put that is left where it is. */
enum { VARINT = 0, BYTES = 2, PUT_BYTES = 3, SHORT_MAX = 128 };

/* ---- reading ---- */

typedef struct cursor {
    const uint8_t *bytes;
    size_t         at, end;
} cursor;

static bool read_varint(cursor *c, uint64_t *ret)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 64 && c->at < c->end; shift += 7) {
        uint8_t byte = c->bytes[c->at++];

        value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            *ret = value;
            return true;
        }
    }
    return false;
}

/* Where a field begins, with its tag, and where that ends. */
typedef struct field {
    size_t tag, after_tag;
} field;

/* Moves to the contents of field `number`, if that is the last one in [at, end) and all before it are others and of our
 * kinds. */
static bool find_last(cursor *c, uint64_t number, field *ret)
{
    uint64_t tag, n;

    while (c->at < c->end) {
        ret->tag = c->at;
        if (!read_varint(c, &tag) || (tag >> 3 == number && (tag & 7) != BYTES))
            return false;
        ret->after_tag = c->at;
        if ((tag & 7) == VARINT) {
            if (!read_varint(c, &n))
                return false;
            continue;
        }
        if ((tag & 7) != BYTES || !read_varint(c, &n) || n > c->end - c->at)
            return false;
        if (tag >> 3 == number)
            return n == c->end - c->at;
        if (number != PUT_BYTES) /* an envelope with two bodies */
            return false;
        c->at += (size_t)n;
    }
    return false;
}

/* A Put without its bytes: shorter[*n]. false: it is no Put, or not as we write them. */
static bool leave_out(const uint8_t *bytes, size_t size, uint8_t shorter[SHORT_MAX], size_t *n,
                      ProtobufCBinaryData *left_out)
{
    cursor c = { .bytes = bytes, .end = size };
    field  put, data;
    size_t inside, length;

    if (!find_last(&c, WM__ENVELOPE__BODY_PUT, &put))
        return false;
    inside = c.at;
    if (!find_last(&c, PUT_BYTES, &data) || c.at == c.end)
        return false;
    length = data.tag - inside;
    if (length > 0x7f || put.after_tag + 1 + length > SHORT_MAX) /* a length of one byte */
        return false;
    memcpy(shorter, bytes, put.after_tag);
    shorter[put.after_tag] = (uint8_t)length;
    memcpy(shorter + put.after_tag + 1, bytes + inside, length);
    *n = put.after_tag + 1 + length;
    *left_out = (ProtobufCBinaryData){ .len = c.end - c.at, .data = (uint8_t *)(uintptr_t)(bytes + c.at) };
    return true;
}

wm_status wm_view_open(const uint8_t *bytes, size_t n, size_t limit, wm_view *ret, wm_error *err)
{
    ProtobufCBinaryData left_out = { 0 };
    uint8_t             shorter[SHORT_MAX];
    size_t              n_shorter = 0;
    wm_view             view = { .borrows = n <= limit && leave_out(bytes, n, shorter, &n_shorter, &left_out) };
    wm_status           st = view.borrows ? wm_envelope_unpack(shorter, n_shorter, limit, &view.envelope, err)
                                          : wm_envelope_unpack(bytes, n, limit, &view.envelope, err);

    if (st != WM_OK)
        return st;
    if (view.borrows)
        view.envelope->put->bytes = left_out;
    *ret = view;
    return WM_OK;
}

void wm_view_close(wm_view *view)
{
    if (view->borrows)
        view->envelope->put->bytes = (ProtobufCBinaryData){ 0 };
    wm_envelope_free(view->envelope);
    *view = (wm_view){ NULL, false };
}

/* ---- writing ---- */

typedef struct head {
    ProtobufCBuffer base;
    uint8_t        *at;
    const uint8_t  *left_out;
} head;

static void append(ProtobufCBuffer *buffer, size_t n, const uint8_t *bytes)
{
    head *h = (head *)buffer;

    if (bytes == h->left_out)
        return;
    memcpy(h->at, bytes, n);
    h->at += n;
}

const ProtobufCBinaryData *wm_bytes_left_out(const Wm__Envelope *envelope)
{
    const ProtobufCBinaryData *bytes = envelope->body_case == WM__ENVELOPE__BODY_RANGE ? &envelope->range->bytes
                                       : envelope->body_case == WM__ENVELOPE__BODY_PUT ? &envelope->put->bytes
                                                                                       : NULL;

    return bytes != NULL && bytes->len > 0 ? bytes : NULL;
}

void wm_envelope_pack_head(const Wm__Envelope *envelope, uint8_t *room)
{
    const ProtobufCBinaryData *bytes = wm_bytes_left_out(envelope);
    head                       h = { .base = { .append = append }, .at = room, .left_out = bytes->data };

    wm__envelope__pack_to_buffer(envelope, &h.base);
    assert(h.at == room + wm_envelope_size(envelope) - bytes->len);
}
