/* common/wire/channel.c
 *
 * OpenSSL reads and writes through a BIO that is our two buffers. It takes all that is in `in` before it says that it
 * wants more, so `in` is empty whenever a raw read is posted; and nothing is added to `out` while nng writes from it, so
 * neither buffer is ever moved under somebody's hands. */
#include "common/wire/channel.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    IN_ROOM = 144 << 10,
    RECORD_ROOM = 17 << 10, /* the largest record, and some */
};

/* Made once by start_once, then read only. */
static struct {
    pthread_once_t once;
    BIO_METHOD    *bio;
} process = { .once = PTHREAD_ONCE_INIT };

/* ---- records to and from the buffers ---- */

static int bio_read(BIO *bio, char *bytes, int n)
{
    wm_channel *ch = BIO_get_data(bio);
    size_t      have = ch->in_have - ch->in_at, take = have < (size_t)n ? have : (size_t)n;

    BIO_clear_retry_flags(bio);
    if (take == 0) {
        if (!ch->deaf)
            BIO_set_retry_read(bio);
        return ch->deaf ? 0 : -1;
    }
    memcpy(bytes, ch->in + ch->in_at, take);
    ch->in_at += take;
    return (int)take;
}

/* Without it the channel is at its end in both directions: what was to be said is lost, and there is no sense in waiting
 * for an answer to it. */
static bool make_room(wm_channel *ch, size_t room)
{
    uint8_t *out;

    if (room <= ch->out_room)
        return true;
    if ((out = realloc(ch->out, room)) == NULL) {
        ch->deaf = ch->mute = true;
        ch->rv = NNG_ENOMEM;
        return false;
    }
    ch->out = out;
    ch->out_room = room;
    return true;
}

static bool takes_no_more(const wm_channel *ch)
{
    return ch->writing || ch->out_have >= WM_CHANNEL_OUT;
}

static int bio_write(BIO *bio, const char *bytes, int n)
{
    wm_channel *ch = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (!ch->mute && takes_no_more(ch))
        BIO_set_retry_write(bio);
    if (ch->mute || takes_no_more(ch) || !make_room(ch, ch->out_have + (size_t)n))
        return -1;
    memcpy(ch->out + ch->out_have, bytes, (size_t)n);
    ch->out_have += (size_t)n;
    return n;
}

static long bio_ctrl(BIO *bio, int command, long n, void *p)
{
    (void)bio;
    (void)n;
    (void)p;
    return command == BIO_CTRL_FLUSH;
}

/* ---- life ---- */

/* nng's threads outlive main, and its reaper may still be freeing a connection while the process exits. So OpenSSL
 * must not tear itself down there; the system takes the memory back. The first start of OpenSSL decides this, hence
 * before main. */
__attribute__((constructor)) static void keep_openssl_until_the_end(void)
{
    OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
}

static void start_once(void)
{
    process.bio = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "channel");
    if (process.bio == NULL)
        return;
    BIO_meth_set_write(process.bio, bio_write);
    BIO_meth_set_read(process.bio, bio_read);
    BIO_meth_set_ctrl(process.bio, bio_ctrl);
}

wm_status wm_channel_start(wm_error *err)
{
    pthread_once(&process.once, start_once);
    return process.bio != NULL ? WM_OK : wm_fail(err, WM_E_NOMEM, "no memory for TLS");
}

static wm_status open_session(wm_channel *ch, wm_tls *tls, const char *server_name, wm_error *err)
{
    BIO      *bio = BIO_new(process.bio);
    wm_status st;

    if (bio == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for a TLS connection");
    BIO_set_data(bio, ch);
    BIO_set_init(bio, 1);
    st = wm_tls_session_new(tls, server_name, bio, &ch->session, err);
    if (st != WM_OK)
        BIO_free(bio);
    return st;
}

wm_status wm_channel_init(wm_channel *ch, nng_stream *stream, wm_tls *tls, const char *server_name,
                          void (*received)(void *owner), void (*sent)(void *owner), void *owner, wm_error *err)
{
    wm_status st = wm_channel_start(err);

    *ch = (wm_channel){ .in_room = WM_CHANNEL_SMALL };
    ch->in = ch->small;
    if (st == WM_OK && (nng_aio_alloc(&ch->rx, received, owner) != 0 || nng_aio_alloc(&ch->tx, sent, owner) != 0))
        st = wm_fail(err, WM_E_NOMEM, "no memory for a connection");
    if (st == WM_OK && tls != NULL)
        st = open_session(ch, tls, server_name, err);
    if (st == WM_OK)
        ch->stream = stream;
    else
        wm_channel_release(ch);
    return st;
}

void wm_channel_release(wm_channel *ch)
{
    assert(!ch->reading && !ch->writing);
    if (ch->rx != NULL)
        nng_aio_reap(ch->rx); /* a callback may not free its own aio */
    if (ch->tx != NULL)
        nng_aio_reap(ch->tx);
    if (ch->stream != NULL)
        nng_stream_free(ch->stream);
    wm_tls_session_free(ch->session);
    if (ch->in != ch->small)
        free(ch->in);
    free(ch->out);
    *ch = (wm_channel){ .stream = NULL };
}

/* ---- plain bytes ---- */

wm_tls_step wm_channel_read(wm_channel *ch, uint8_t *bytes, size_t *n)
{
    size_t have = ch->in_have - ch->in_at;

    if (ch->session != NULL)
        return wm_tls_session_read(ch->session, bytes, n);
    if (have == 0)
        return ch->deaf ? WM_TLS_ENDED : WM_TLS_AGAIN;
    *n = have < *n ? have : *n;
    memcpy(bytes, ch->in + ch->in_at, *n);
    ch->in_at += *n;
    return WM_TLS_DONE;
}

wm_tls_step wm_channel_write(wm_channel *ch, const uint8_t *bytes, size_t *n)
{
    size_t room = *n < WM_CHANNEL_OUT ? *n : WM_CHANNEL_OUT, done = 0;

    if (ch->mute)
        return WM_TLS_ENDED;
    if (takes_no_more(ch))
        return WM_TLS_AGAIN;
    if (!make_room(ch, ch->out_have + room + (room < RECORD_ROOM ? 64 : RECORD_ROOM)))
        return WM_TLS_ENDED;
    if (ch->session == NULL) {
        *n = room;
        memcpy(ch->out + ch->out_have, bytes, room);
        ch->out_have += room;
        return WM_TLS_DONE;
    }
    while (done < *n && !takes_no_more(ch)) {
        size_t      part = *n - done;
        wm_tls_step step = wm_tls_session_write(ch->session, bytes + done, &part);

        if (step != WM_TLS_DONE && done == 0)
            return step;
        if (step != WM_TLS_DONE)
            break;
        done += part;
    }
    *n = done;
    return WM_TLS_DONE;
}

bool wm_channel_has_room(const wm_channel *ch, size_t n)
{
    return !ch->writing && !ch->mute && ch->out_have + n <= WM_CHANNEL_OUT;
}

/* ---- records to and from the stream ---- */

/* Room for the records of so much text, within reason; and for a large record, of which TLS gives nothing before it is
 * whole: it is one if what came last did not fit. */
static void choose_in(wm_channel *ch, size_t hint)
{
    size_t room = hint < WM_CHANNEL_SMALL / 2 ? WM_CHANNEL_SMALL : hint < IN_ROOM - 512 ? hint + 512 : IN_ROOM;

    if (ch->in_have == ch->in_room && room < IN_ROOM)
        room = IN_ROOM;
    ch->in_at = ch->in_have = 0;
    if (room <= ch->in_room && (room > WM_CHANNEL_SMALL || ch->in == ch->small))
        return;
    if (ch->in != ch->small)
        free(ch->in);
    ch->in = room > WM_CHANNEL_SMALL ? malloc(room) : ch->small;
    ch->in_room = room;
    if (ch->in == NULL) { /* then slowly */
        ch->in = ch->small;
        ch->in_room = WM_CHANNEL_SMALL;
    }
}

bool wm_channel_receive(wm_channel *ch, size_t hint)
{
    nng_iov iov;

    if (ch->reading || ch->deaf || ch->in_at < ch->in_have) /* the last: TLS has to write first */
        return false;
    choose_in(ch, hint);
    iov = (nng_iov){ .iov_buf = ch->in, .iov_len = ch->in_room };
    nng_aio_set_iov(ch->rx, 1, &iov);
    ch->reading = true;
    nng_stream_recv(ch->stream, ch->rx);
    return true;
}

bool wm_channel_push(wm_channel *ch)
{
    nng_iov iov = { .iov_buf = ch->out + ch->out_at, .iov_len = ch->out_have - ch->out_at };

    if (ch->writing || ch->mute || iov.iov_len == 0)
        return false;
    nng_aio_set_iov(ch->tx, 1, &iov);
    ch->writing = true;
    nng_stream_send(ch->stream, ch->tx);
    return true;
}

bool wm_channel_is_flushed(const wm_channel *ch)
{
    return ch->out_have == 0;
}

void wm_channel_rest(wm_channel *ch)
{
    if (ch->writing || ch->out_have > 0)
        return;
    free(ch->out);
    ch->out = NULL;
    ch->out_room = 0;
}

void wm_channel_received(wm_channel *ch)
{
    int rv = nng_aio_result(ch->rx);

    ch->reading = false;
    if (rv == 0)
        ch->in_have += nng_aio_count(ch->rx);
    else
        ch->deaf = true;
    if (rv != 0)
        ch->rv = rv;
}

void wm_channel_sent(wm_channel *ch)
{
    int rv = nng_aio_result(ch->tx);

    ch->writing = false;
    if (rv == 0)
        ch->out_at += nng_aio_count(ch->tx);
    else
        ch->mute = true;
    if (rv != 0 && ch->rv == 0)
        ch->rv = rv;
    if (rv != 0 || ch->out_at == ch->out_have)
        ch->out_at = ch->out_have = 0;
}

bool wm_channel_close(wm_channel *ch)
{
    bool pushed = false;

    if (!ch->mute && !ch->writing) {
        if (ch->session != NULL)
            wm_tls_session_close(ch->session);
        pushed = wm_channel_push(ch); /* what TCP takes at once goes out; the rest is ended below */
    }
    nng_stream_close(ch->stream);
    return pushed;
}

bool wm_channel_is_starved(const wm_channel *ch)
{
    return ch->rv == NNG_ENOMEM;
}

bool wm_channel_is_dead(const wm_channel *ch)
{
    nng_sockaddr at;

    return nng_stream_get_addr(ch->stream, NNG_OPT_REMADDR, &at) != 0;
}

/* ---- nng's words ---- */

const char *wm_nng_error(int rv)
{
    switch (rv) {
    case NNG_ECLOSED:
    case NNG_ECONNSHUT:
    case NNG_ECONNRESET:
        return "the connection was closed by the other end";
    case NNG_ECONNREFUSED:
        return "nobody listens there";
    case NNG_EADDRINVAL:
        return "the address cannot be resolved";
    case NNG_EADDRINUSE:
        return "the address is in use";
    case NNG_EUNREACHABLE:
        return "the address cannot be reached";
    case NNG_ENOENT:
        return "there is no such socket";
    case NNG_EPERM:
        return "permission denied";
    default:
        return nng_strerror(rv);
    }
}

const char *wm_nng_url(const char *url)
{
    static const char tls[] = "tls+";

    return strncmp(url, tls, sizeof tls - 1) == 0 ? url + sizeof tls - 1 : url;
}
