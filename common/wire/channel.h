/* common/wire/channel.h
 *
 * One end of a connection as plain bytes: nng's byte stream below, TLS by OpenSSL in between where it is TCP, nothing in
 * between over a UNIX socket. Private to this folder.
 *
 * TLS is here and not in nng's tls+tcp transport, whose engine interface could also be given OpenSSL, for the sake of
 * speed and memory: nng's TLS layer moves one record of 16 KiB at a time, with two thread hops for each, and keeps two
 * buffers of 16 KiB for as long as a connection lives. Here an answer's records go to TCP by the hundred KiB, what comes
 * is read as it is there, and a connection at rest has 1 KiB. Measured against it: half the time and a third of the CPU
 * for a range of 256 KiB, half the memory of an idle connection.
 *
 * Never blocks, never calls back, has no lock: its owner calls it under a lock of its own. nng's threads call the owner
 * when the stream has given or taken something; the owner locks, tells the channel (wm_channel_received, _sent) and
 * tries again to read or to write. At most one raw read and one raw write are in flight; wm_channel_receive and _push
 * say whether they have put one there, for which a callback then comes, whatever happens. */
#ifndef WM_COMMON_WIRE_CHANNEL_H
#define WM_COMMON_WIRE_CHANNEL_H

#include "common/crypto/tls_session.h"

#include <nng/nng.h>

enum {
    WM_CHANNEL_SMALL = 1024,
    WM_CHANNEL_OUT = 136 << 10, /* that are written in one go: one waking */
};

typedef struct wm_channel {
    nng_stream     *stream;
    wm_tls_session *session; /* NULL: bytes go as they are */
    nng_aio        *rx, *tx;
    bool            reading, writing; /* in flight: aio and buffer are nng's */
    bool            deaf, mute;       /* nothing comes any more; nothing goes */
    int             rv;               /* why, as nng's number */
    uint8_t        *in; /* what came, records: in[in_at .. in_have) is not taken yet; owned, or small */
    size_t          in_room, in_at, in_have;
    uint8_t        *out; /* what goes: out[out_at .. out_have) is not with TCP yet; owned; NULL at rest */
    size_t          out_room, out_at, out_have;
    uint8_t         small[WM_CHANNEL_SMALL]; /* for what a connection at rest waits for, and for handshakes */
} wm_channel;

/* Takes `stream` on success. `tls` NULL: as they are; `server_name` as in wm_tls_session_new. The callbacks are nng's
 * and come on its threads. WM_E_NOMEM, WM_E_INVALID. */
wm_status wm_channel_init(wm_channel *channel, nng_stream *stream, wm_tls *tls, const char *server_name,
                          void (*received)(void *owner), void (*sent)(void *owner), void *owner, wm_error *err);

/* Nothing is in flight. May be called by the last callback itself. */
void wm_channel_release(wm_channel *channel);

/* As much of bytes[*n] as can be given or taken now; *n becomes how much that was, above zero after WM_TLS_DONE. After
 * WM_TLS_AGAIN the owner receives or pushes, and comes again when the callback did. */
wm_tls_step wm_channel_read(wm_channel *channel, uint8_t *bytes, size_t *n);
wm_tls_step wm_channel_write(wm_channel *channel, const uint8_t *bytes, size_t *n);

/* wm_channel_write would take n bytes, if nothing breaks. */
bool wm_channel_has_room(const wm_channel *channel, size_t n);

/* Waits for more; `hint`: so many bytes of plain text are expected. false: nothing was put in flight, since something
 * is already, or the stream has ended. */
bool wm_channel_receive(wm_channel *channel, size_t hint);

/* Hands what was written (and what TLS has to say by itself) to TCP. As above; also false if there is nothing. */
bool wm_channel_push(wm_channel *channel);

bool wm_channel_is_flushed(const wm_channel *channel); /* everything is with TCP */
void wm_channel_rest(wm_channel *channel);             /* nothing to write for now: give the memory back */

/* In the callbacks: takes the result. */
void wm_channel_received(wm_channel *channel);
void wm_channel_sent(wm_channel *channel);

/* Ends everything that is in flight, with an error; an alert or a good-bye of TLS goes out before, where there is no
 * waiting for it. After this nothing may be received or pushed. true: one more write is in flight (and being ended). */
bool wm_channel_close(wm_channel *channel);

/* It has ended because there was no memory: ours is the blame, and not the other end's. */
bool wm_channel_is_starved(const wm_channel *channel);

/* TCP died in between, which nng does not tell in all cases. */
bool wm_channel_is_dead(const wm_channel *channel);

/* A clause for nng's error numbers. */
const char *wm_nng_error(int rv);

/* What nng's own address is for ours: "tls+tcp://" is TCP to it. */
const char *wm_nng_url(const char *url);

/* Once before all else, from any thread. WM_E_NOMEM. */
wm_status wm_channel_start(wm_error *err);

#endif
