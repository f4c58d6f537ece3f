/* tests/fuzz/fuzz_issue.c
 *
 * The issuing process's two doors, with an office behind them: requests as envelopes from the aggregator or the operator.
 * What nobody can guess is put in where the first byte says so: the id and secret of a token that is good, a request that
 * a key has signed, a certificate of a gateway that has joined and the proof by its key. The office lives as long as the
 * process, on a clock of its own; every answer is one, and only the operator gets a token. */
#include "tests/server/gateways.h"

#include "common/wire/envelope.h"
#include "tests/fuzz/take.h"

enum { OPERATOR = 1, GOOD_TOKEN = 2, GOOD_REQUEST = 4, GOOD_CERTIFICATE = 8, GOOD_PROOF = 16, AFTER_ITS_END = 32 };

typedef struct office {
    place       *place;
    wm_identity  north;
    wm_key      *next; /* asks for the certificate after */
    uint8_t     *request;
    size_t       n_request;
    char        *chain;
    size_t       n_chain;
    wm_signature proof;
} office;

static office *the_office;

static void leave(void)
{
    wm_issuer_free(the_office->place->issuer);
    (void)wm_folder_remove(the_office->place->folder, NULL);
    free(the_office->place->issuer_folder);
    free(the_office->place);
    wm_identity_release(&the_office->north);
    wm_key_free(the_office->next);
    free(the_office->request);
    free(the_office->chain);
    free(the_office);
}

static office *open_office(void)
{
    office  *o = calloc(1, sizeof *o);
    wm_error err;

    must(o != NULL);
    o->place = place_new();
    o->north = place_join(o->place, "north");
    must(wm_key_new(&o->next, &err) == WM_OK);
    must(wm_request_make(o->next, &o->request, &o->n_request, &err) == WM_OK);
    must(wm_chain_encode(o->north.chain, &o->chain, &o->n_chain, &err) == WM_OK);
    must(wm_key_sign(o->north.key, WM_RENEWAL_CONTEXT, o->request, o->n_request, &o->proof, &err) == WM_OK);
    atexit(leave);
    return o;
}

/* The field becomes these bytes; protobuf-c frees them. */
static void put(ProtobufCBinaryData *field, const void *bytes, size_t n)
{
    if (field->data != NULL)
        free(field->data);
    must((field->data = malloc(n)) != NULL);
    memcpy(field->data, bytes, n);
    field->len = n;
}

static void put_name(char **field, const char *name)
{
    if (*field != protobuf_c_empty_string)
        free(*field);
    must((*field = strdup(name)) != NULL);
}

static void fill_in(office *o, uint64_t flags, Wm__Issue *issue)
{
    Wm__Enrol *enrol = issue->enrol;

    if ((flags & GOOD_TOKEN) != 0 && enrol != NULL) {
        wm_token token = place_token(o->place, "south", 0);

        put(&enrol->token_id, token.id, sizeof token.id);
        put(&enrol->secret, token.secret, sizeof token.secret);
        put_name(&enrol->name, "south");
    }
    if ((flags & GOOD_REQUEST) != 0) {
        put(enrol != NULL ? &enrol->request : &issue->request, o->request, o->n_request);
    }
    if ((flags & GOOD_CERTIFICATE) != 0) {
        if (enrol != NULL)
            put(&enrol->old_certificate, o->chain, o->n_chain);
        put(&issue->serial, o->north.facts.serial.bytes, o->north.facts.serial.size);
        put_name(&issue->name, "north");
    }
    if ((flags & GOOD_PROOF) != 0)
        put(enrol != NULL ? &enrol->proof : &issue->proof, o->proof.bytes, o->proof.size);
}

static void check_answer(const uint8_t *bytes, size_t n, bool is_operator)
{
    Wm__Envelope *answer = NULL;
    wm_error      err;

    must(wm_envelope_unpack(bytes, n, WM_ISSUER_MESSAGE, &answer, &err) == WM_OK);
    must(answer->body_case == WM__ENVELOPE__BODY_ISSUED || answer->body_case == WM__ENVELOPE__BODY_FAULT);
    if (answer->body_case == WM__ENVELOPE__BODY_ISSUED) {
        must(answer->issued->code == WM_OK || (answer->issued->chain.len == 0 && answer->issued->text[0] != '\0'));
        must(is_operator || strncmp(answer->issued->text, "wardmote1.", 10) != 0);
    }
    wm_envelope_free(answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    taker         from = { bytes, n };
    uint64_t      flags = take_number(&from, 1);
    wm_door       door = (flags & OPERATOR) != 0 ? WM_DOOR_OPERATOR : WM_DOOR_AGGREGATOR;
    Wm__Envelope *envelope = NULL;
    uint8_t      *in, *out;
    size_t        n_in, n_out;
    wm_error      err;

    if (the_office == NULL)
        the_office = open_office();
    place_advance(the_office->place, (flags & AFTER_ITS_END) != 0 ? WM_DAY_MS / 4 : 100);
    if (wm_envelope_unpack(from.bytes, from.n, WM_ISSUER_MESSAGE, &envelope, NULL) == WM_OK &&
        envelope->body_case == WM__ENVELOPE__BODY_ISSUE) {
        fill_in(the_office, flags, envelope->issue);
        n_in = wm_envelope_size(envelope);
        must((in = malloc(n_in)) != NULL && wm_envelope_pack(envelope, in) == n_in);
    } else {
        in = take_copy(&from);
        n_in = from.n;
    }
    wm_envelope_free(envelope);
    must(wm_issuer_handle_bytes(the_office->place->issuer, door, in, n_in, &out, &n_out, &err) == WM_OK);
    check_answer(out, n_out, door == WM_DOOR_OPERATOR);
    wm_secret_free(out, n_out);
    free(in);
    return 0;
}
