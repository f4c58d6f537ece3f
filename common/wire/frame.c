/* common/wire/frame.c */
#include "common/wire/frame.h"

const uint8_t wm_frame_hello_ask[WM_FRAME_HELLO] = { 0, 'S', 'P', 0, 0, 0x30, 0, 0 };
const uint8_t wm_frame_hello_answer[WM_FRAME_HELLO] = { 0, 'S', 'P', 0, 0, 0x31, 0, 0 };

enum { MESSAGE = 1 }; /* the only kind of thing that nng's UNIX socket transport sends */

size_t wm_frame_head_size(wm_frame_kind kind)
{
    return kind == WM_FRAME_LOCAL ? 9 : 8;
}

void wm_frame_head_write(wm_frame_kind kind, uint64_t n, uint8_t *head)
{
    if (kind == WM_FRAME_LOCAL)
        *head++ = MESSAGE;
    for (int i = 7; i >= 0; i--, n >>= 8)
        head[i] = (uint8_t)n;
}

bool wm_frame_head_read(wm_frame_kind kind, const uint8_t *head, uint64_t *ret)
{
    uint64_t n = 0;

    if (kind == WM_FRAME_LOCAL && *head++ != MESSAGE)
        return false;
    for (int i = 0; i < 8; i++)
        n = n << 8 | head[i];
    *ret = n;
    return true;
}

size_t wm_frame_route(const uint8_t *bytes, size_t n)
{
    for (size_t at = 0; at + 4 <= n && at + 4 <= WM_FRAME_ROUTE_MAX; at += 4)
        if ((bytes[at] & 0x80) != 0)
            return at + 4;
    return 0;
}
