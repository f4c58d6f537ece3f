/* server/readback.c */
#include "server/readback.h"

#include "common/memory.h"

#include <stdlib.h>

void wm_readback_init(wm_readback *self)
{
    *self = (wm_readback){ .size = 0 };
    pthread_mutex_init(&self->lock, NULL);
}

void wm_readback_release(wm_readback *self)
{
    free(self->bytes);
    pthread_mutex_destroy(&self->lock);
}

wm_status wm_readback_take(wm_readback *self, wm_gathering *update, const uint8_t **ret, wm_digest *digest,
                           wm_error *err)
{
    wm_status st = WM_OK;

    pthread_mutex_lock(&self->lock);
    if (self->size < update->size) {
        free(self->bytes);
        self->bytes = wm_memory_large(update->size);
        self->size = self->bytes != NULL ? update->size : 0;
    }
    if (self->bytes == NULL)
        st = wm_fail(err, WM_E_NOMEM, "no memory for an update of %zu bytes", update->size);
    if (st == WM_OK)
        st = wm_gathering_read(update, self->bytes, ret, digest, err);
    if (st != WM_OK)
        pthread_mutex_unlock(&self->lock);
    return st;
}

void wm_readback_done(wm_readback *self)
{
    pthread_mutex_unlock(&self->lock);
}

void wm_readback_rest(wm_readback *self)
{
    if (pthread_mutex_trylock(&self->lock) != 0)
        return;
    free(self->bytes);
    self->bytes = NULL;
    self->size = 0;
    pthread_mutex_unlock(&self->lock);
}
