/* common/wire/request.c
 *
 * What a handler sees of a connection: one request, until it is given back. */
#include "common/wire/serving.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

const uint8_t *wm_request_bytes(const wm_request *request, size_t *n)
{
    *n = request->size - request->route;
    return request->bytes + request->route;
}

const wm_peer *wm_request_peer(const wm_request *request)
{
    return &request->connection->peer;
}

const char *wm_request_remote(const wm_request *request)
{
    return request->connection->remote;
}

void wm_request_traffic(const wm_request *request, uint64_t *in, uint64_t *out)
{
    *in = atomic_load(&request->connection->bytes_in);
    *out = atomic_load(&request->connection->bytes_out);
}

bool wm_request_gone(wm_request *request)
{
    wm_connection *c = request->connection;
    bool           gone;

    pthread_mutex_lock(&c->lock);
    gone = c->closing;
    pthread_mutex_unlock(&c->lock);
    return gone;
}

uint8_t *wm_request_room(wm_request *request, size_t n)
{
    wm_frame_kind kind = request->connection->listener->kind;
    size_t        head = wm_frame_head_size(kind);

    if (n > SIZE_MAX - head - request->route)
        return NULL;
    free(request->frame);
    request->frame_size = head + request->route + n;
    if ((request->frame = malloc(request->frame_size)) == NULL) {
        request->starved = true;
        return NULL;
    }
    wm_frame_head_write(kind, request->route + n, request->frame);
    memcpy(request->frame + head, request->bytes, request->route); /* one piece: one run of records */
    return request->frame + head + request->route;
}

static void give_back(wm_request *request)
{
    wm_connection *c = request->connection;

    wm_intake_unreserve(&c->listener->intake, request->size);
    free(request->bytes);
    free(request->frame);
    free(request);
    wm_connection_release(c);
}

void wm_request_send(wm_request *request)
{
    static const wm_rest none = { .left = 0 };

    assert(request->frame != NULL);
    if (wm_connection_answer(request->connection, request->frame, request->frame_size, &none))
        request->frame = NULL;
    give_back(request);
}

void wm_request_send_with(wm_request *request, const wm_source *source, uint64_t offset, uint64_t n)
{
    wm_frame_kind kind = request->connection->listener->kind;
    wm_rest       rest = { .source = *source, .offset = offset, .left = n };

    assert(request->frame != NULL);
    wm_frame_head_write(kind, request->frame_size - wm_frame_head_size(kind) + n, request->frame);
    if (wm_connection_answer(request->connection, request->frame, request->frame_size, &rest))
        request->frame = NULL;
    else
        source->close(source->state);
    give_back(request);
}

void wm_request_reply(wm_request *request, const void *bytes, size_t n)
{
    uint8_t *room = wm_request_room(request, n);

    if (room == NULL) {
        wm_request_drop(request);
        return;
    }
    memcpy(room, bytes, n);
    wm_request_send(request);
}

void wm_request_drop(wm_request *request)
{
    wm_connection *c = request->connection;

    pthread_mutex_lock(&c->lock);
    if (request->starved)
        wm_connection_offend(c, "there is no memory for an answer of %zu bytes", request->frame_size);
    wm_connection_close(c);
    pthread_mutex_unlock(&c->lock);
    give_back(request);
}
