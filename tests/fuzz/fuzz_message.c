/* tests/fuzz/fuzz_message.c
 *
 * libFuzzer's bytes as what a stranger sends after the handshakes: a head, a route, an envelope. Nothing that they
 * hold may do more than be refused, with a sentence; an envelope that is taken is the same when it is packed and
 * read again, if that goes. The first byte says over which kind of socket, and through which listener. */
#include "common/wire/frame.h"
#include "common/wire/in_place.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void must(bool truth)
{
    if (!truth)
        abort();
}

/* What leaves the bytes of a Put where they are says the same. */
static void compare_view(const Wm__Envelope *envelope, const uint8_t *bytes, size_t n, size_t limit)
{
    wm_view  view = { NULL, false };
    wm_error err = { .text = "" };
    size_t   size = envelope != NULL ? wm_envelope_size(envelope) : 0;
    uint8_t *packed = malloc(size + 1), *other = malloc(size + 1);

    must(packed != NULL && other != NULL);
    if (wm_view_open(bytes, n, limit, &view, &err) != WM_OK) {
        must(err.text[0] != '\0' && (envelope == NULL || err.status == WM_E_NOMEM));
    } else {
        must(envelope != NULL && wm_envelope_size(view.envelope) == size);
        wm_envelope_pack(envelope, packed);
        wm_envelope_pack(view.envelope, other);
        must(memcmp(packed, other, size) == 0);
    }
    wm_view_close(&view);
    free(packed);
    free(other);
}

static void read_envelope(const uint8_t *bytes, size_t n, size_t limit)
{
    Wm__Envelope *envelope = NULL, *again = NULL;
    wm_error      err = { .text = "" };
    uint8_t      *packed;
    size_t        size;

    if (wm_envelope_unpack(bytes, n, limit, &envelope, &err) != WM_OK) {
        must(envelope == NULL && err.text[0] != '\0');
        if (err.status != WM_E_NOMEM)
            compare_view(NULL, bytes, n, limit);
        return;
    }
    must(n <= limit && envelope->version == WM_PROTOCOL_VERSION);
    compare_view(envelope, bytes, n, limit);
    size = wm_envelope_size(envelope);
    must((packed = malloc(size + 1)) != NULL && wm_envelope_pack(envelope, packed) == size);
    if (wm_envelope_unpack(packed, size, SIZE_MAX, &again, &err) == WM_OK) {
        must(again->body_case == envelope->body_case && wm_envelope_size(again) == size);
        wm_envelope_free(again);
    } else {
        /* It may be longer by a default that was left out; and protobuf-c writes a field that it does not know
         * (number 0, say) so that it would not read it again. */
        must(err.status == WM_E_NOMEM || err.status == WM_E_MALFORMED);
    }
    free(packed);
    wm_envelope_free(envelope);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const size_t limits[] = { WM_CONTROL_BYTES_MAX, WM_BULK_BYTES_MAX, WM_ENROLMENT_BYTES_MAX };
    wm_frame_kind       kind;
    size_t              head, route;
    uint64_t            length;

    if (n < 1)
        return 0;
    kind = (bytes[0] & 1) != 0 ? WM_FRAME_LOCAL : WM_FRAME_TCP;
    head = wm_frame_head_size(kind);
    if ((bytes[0] & 2) != 0) { /* straight to the envelope, or the fuzzer would have to guess a length first */
        read_envelope(bytes + 1, n - 1, limits[bytes[0] / 4 % 3]);
        return 0;
    }
    if (n < 1 + head || !wm_frame_head_read(kind, bytes + 1, &length))
        return 0;
    bytes += 1 + head;
    n -= 1 + head;
    route = wm_frame_route(bytes, n);
    must(route <= n && route <= WM_FRAME_ROUTE_MAX && route % 4 == 0);
    if (route != 0)
        read_envelope(bytes + route, n - route, WM_CONTROL_BYTES_MAX);
    return 0;
}
