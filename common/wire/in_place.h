/* common/wire/in_place.h
 *
 * Put and Range carry hundreds of KiB behind a few bytes of their own, as the last field of the last field. Packing and
 * unpacking as protobuf-c does would copy those bytes once more each, out of the processor's cache; here they stay where
 * they are. The results are the same, byte by byte, which the tests and a fuzz target hold them to. */
#ifndef WM_COMMON_WIRE_IN_PLACE_H
#define WM_COMMON_WIRE_IN_PLACE_H

#include "common/wire/envelope.h"

typedef struct wm_view {
    Wm__Envelope *envelope; /* valid as long as the bytes that it was read from */
    bool          borrows;  /* its Put's bytes are among those */
} wm_view;

/* As wm_envelope_unpack, of which it takes the slow way for all other messages. */
wm_status wm_view_open(const uint8_t *bytes, size_t n, size_t limit, wm_view *ret, wm_error *err);
void      wm_view_close(wm_view *view); /* may be zeroed */

/* Of a Range or a Put with bytes, which only the length counts of; NULL for all other messages. */
const ProtobufCBinaryData *wm_bytes_left_out(const Wm__Envelope *envelope);

/* For such a one: room[wm_envelope_size - that length] <- what is before the bytes. */
void wm_envelope_pack_head(const Wm__Envelope *envelope, uint8_t *room);

#endif
