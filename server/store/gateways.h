/* server/store/gateways.h
 *
 * The register of gateways: who has which certificate until when, who was heard last and refused why, and
 * who was revoked. Certificates and revocations are durable one by one. What changes with every message (last seen,
 * last refusal) the caller keeps in memory and hands in by the batch, once a round or once a minute: losing a
 * minute of it in a power cut is nothing, writing it at every poll would wear out the disk. */
#ifndef WM_SERVER_STORE_GATEWAYS_H
#define WM_SERVER_STORE_GATEWAYS_H

#include "server/store/store.h"

typedef struct wm_gateway {
    const char *name;
    const char *serial;       /* of its newest certificate, hexadecimal; "" if it was issued elsewhere */
    int64_t     not_after_ms; /* of that certificate; 0 if unknown */
    int64_t     enrolled_ms;  /* its first certificate; 0 if unknown */
    int64_t     last_seen_ms; /* 0: never */
    int64_t     refused_ms;   /* the last refusal; 0: never */
    const char *refusal;      /* its reason */
    uint64_t    rows;         /* of its data, as it said at its last check-in */
    int64_t     revoked_ms;   /* 0: not revoked */
} wm_gateway;

/* A certificate was issued: the first one, or a renewal. WM_E_REFUSED: the name was revoked; WM_E_EXISTS:
 * that serial was issued already. */
wm_status wm_store_certificate(wm_store *store, const char *name, const char *serial, int64_t not_after_ms,
                               wm_error *err);

/* No certificate of that name holds any more, and it gets no other. Again is fine. WM_E_MISSING: no such
 * gateway. */
wm_status wm_store_revoke(wm_store *store, const char *name, const char *why, wm_error *err);

/* What was seen of a gateway since the last batch. Times of 0, a NULL refusal and rows of 0 leave what is
 * there. */
typedef struct wm_sighting {
    const char *name;
    int64_t     last_seen_ms;
    int64_t     refused_ms;
    const char *refusal;
    uint64_t    rows;
} wm_sighting;

/* One transaction, without an audit line. */
wm_status wm_store_sightings(wm_store *store, const wm_sighting *sightings, size_t n, wm_error *err);

/* Every gateway, in order of name; texts are valid during the call. */
wm_status wm_store_gateways(wm_store *store, void (*each)(void *context, const wm_gateway *gateway), void *context,
                            wm_error *err);

#endif
