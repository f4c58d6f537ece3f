/* server/fleets/inquiry.h
 *
 * One question of a gateway and the answer to it, with the room that an answer needs: nothing in it points anywhere
 * else but to the range of a blob, which is allocated. Made on the stack of the thread that answers. */
#ifndef WM_SERVER_FLEETS_INQUIRY_H
#define WM_SERVER_FLEETS_INQUIRY_H

#include "common/crypto/tls.h"
#include "common/task.h"
#include "common/update.h"
#include "common/wire/envelope.h"
#include "common/wire/ranges.h"

enum { WM_POLL_MS_MAX = 25 * 1000 }; /* how long a question may be held */

typedef struct wm_inquiry {
    const wm_peer      *peer;
    const Wm__Envelope *question;
    int64_t             held_ms; /* how long it has been held already */
    bool                last;    /* answer now */

    Wm__Envelope answer;

    /* what the answer is made of */
    union {
        Wm__Fault       fault;
        Wm__Welcome     welcome;
        Wm__Work        work;
        Wm__Receipt     receipt;
        Wm__Range       range;
        Wm__Certificate certificate;
    } body;
    Wm__Key     key;
    uint8_t     run[WM_RUN_ID_SIZE];
    wm_digest   model, job, scaling, audit;
    char        text[WM_ERROR_TEXT];
    Wm__Gap     gaps[WM_GAPS_MAX], *gap_list[WM_GAPS_MAX];
    uint8_t    *bytes;   /* owned: those of a range of the job */
    bool        streams; /* the range is of the blob that was asked for, whose bytes are read as they are sent */
    Wm__Issued *issued;  /* owned: what the issuer said, of which an answer may borrow */
} wm_inquiry;

void wm_inquiry_init(wm_inquiry *x, const wm_peer *peer, const Wm__Envelope *question, int64_t held_ms, bool last);
void wm_inquiry_release(wm_inquiry *x);

/* The answer that says what is wrong; come_back_ms 0: no use in trying the same again. */
__attribute__((format(printf, 4, 5))) void wm_inquiry_fault(wm_inquiry *x, wm_status status, uint64_t come_back_ms,
                                                            const char *fmt, ...);

/* `reason` may be NULL. */
void wm_inquiry_receipt(wm_inquiry *x, Wm__Receipt__State state, uint64_t come_back_ms, const char *reason,
                        int64_t wall_ms);

/* A key from outside, checked; *phase is STATISTICS to FINAL. false: there is none, or it does not hold. */
bool wm_inquiry_key(const Wm__Key *key, wm_phase *phase, wm_update_key *ret);

bool wm_inquiry_digest(const ProtobufCBinaryData *field, wm_digest *ret); /* false: not 32 bytes */

#endif
