/* common/wire/frame.h
 *
 * The bytes that nng's REQ and REP sockets exchange (scalability protocols, SP), so that a plain nng REQ
 * socket in any language talks to our listener and cannot tell:
 *
 *   once, both ways   00 'S' 'P' 00 00 30|31 00 00     30 asks, 31 answers
 *   then messages     [01, over UNIX sockets only] length (8 bytes, big endian) route body
 *   route             words of 4 bytes, the last one with its top bit set; returned untouched with the answer
 *
 * Pure functions over bytes; no sockets here. */
#ifndef WM_COMMON_WIRE_FRAME_H
#define WM_COMMON_WIRE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum wm_frame_kind { WM_FRAME_TCP, WM_FRAME_LOCAL } wm_frame_kind;

enum {
    WM_FRAME_HELLO = 8,
    WM_FRAME_HEAD_MAX = 9,      /* room for a head of either kind */
    WM_FRAME_ROUTE_MAX = 8 * 4, /* hops, as nng's default time to live */
};

extern const uint8_t wm_frame_hello_ask[WM_FRAME_HELLO], wm_frame_hello_answer[WM_FRAME_HELLO];

size_t wm_frame_head_size(wm_frame_kind kind);

/* head[wm_frame_head_size] <- the announcement of a message of n bytes, route included. */
void wm_frame_head_write(wm_frame_kind kind, uint64_t n, uint8_t *head);

/* false: not a head of this kind. *ret may be anything up to 2^64 - 1. */
bool wm_frame_head_read(wm_frame_kind kind, const uint8_t *head, uint64_t *ret);

/* How many bytes of route a message begins with; 0 if it does not begin with one. */
size_t wm_frame_route(const uint8_t *bytes, size_t n);

#endif
