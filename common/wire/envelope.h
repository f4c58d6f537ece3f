/* common/wire/envelope.h
 *
 * proto/wardmote.proto's Envelope, to and from bytes. Unpacking is for strangers' bytes: a limit on them
 * before anything else, the protocol version before the contents, an allocator that gives up at a multiple of
 * that limit (protobuf makes up to 68 bytes of memory out of one on the wire), and a schema without
 * recursion, which a test holds it to. */
#ifndef WM_COMMON_WIRE_ENVELOPE_H
#define WM_COMMON_WIRE_ENVELOPE_H

#include "common/crypto/digest.h"
#include "common/status.h"
#include "proto/wardmote.pb-c.h"

#include <stddef.h>
#include <stdint.h>

enum { WM_PROTOCOL_VERSION = 1 };

/* Bytes of an envelope, by the listener that it goes through. */
enum {
    WM_CONTROL_BYTES_MAX = 64 << 10,
    WM_BULK_BYTES_MAX = 1088 << 10,
    WM_ENROLMENT_BYTES_MAX = 8 << 10,
    WM_RANGE_BYTES_MAX = 1 << 20, /* of a blob, in one bulk envelope */
    WM_RANGE_BYTES_MIN = 16 << 10,
};

/* *ret is the caller's, to be given to wm_envelope_free. WM_E_RANGE: more than `limit` bytes; WM_E_REFUSED:
 * another protocol version, the sentence names both; WM_E_MALFORMED: it does not decode, or has no body that
 * is known here; WM_E_NOMEM: it would take more memory than its bytes are worth. */
wm_status wm_envelope_unpack(const uint8_t *bytes, size_t n, size_t limit, Wm__Envelope **ret, wm_error *err);
void      wm_envelope_free(Wm__Envelope *envelope);

size_t wm_envelope_size(const Wm__Envelope *envelope);
size_t wm_envelope_pack(const Wm__Envelope *envelope, uint8_t *room); /* room[wm_envelope_size] */

/* An envelope of ours, with nothing in it: `envelope = WM_ENVELOPE; envelope.body_case = ...; envelope.ask =
 * &ask;` */
Wm__Envelope wm_envelope(void);

/* A Fault, and an envelope around it; both are plain memory of the caller's, and `text` must outlive them. */
typedef struct wm_fault {
    Wm__Envelope envelope;
    Wm__Fault    fault;
} wm_fault;

void wm_fault_init(wm_fault *fault, wm_status status, const char *text, uint64_t come_back_ms);

/* A Fault that came in, as a status and a sentence: "the server says: ...". A code that is no failure known
 * here is WM_E_REFUSED. */
wm_status wm_fault_status(const Wm__Fault *fault, wm_error *err);

/* ---- fields of fixed length ---- */

/* Copies a field that must be a SHA-256, or a run's id of 16 bytes. WM_E_MALFORMED names it. */
wm_status wm_field_digest(const ProtobufCBinaryData *field, const char *name, wm_digest *ret, wm_error *err);
wm_status wm_field_run(const ProtobufCBinaryData *field, const char *name, uint8_t ret[16], wm_error *err);

/* The same for a digest that may be absent (empty): zero then. */
wm_status wm_field_digest_or_none(const ProtobufCBinaryData *field, const char *name, wm_digest *ret,
                                  wm_error *err);

/* Points into `bytes`, which the message must not outlive; nothing is copied. */
ProtobufCBinaryData wm_bytes_field(const void *bytes, size_t n);

#endif
