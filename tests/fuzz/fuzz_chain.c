/* tests/fuzz/fuzz_chain.c
 *
 * Certificates from a stranger: as PEM text, and looked into as far as we do before anything is trusted. */
#include "common/crypto/chain.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    wm_chain *chain;
    wm_error  err;

    if (wm_chain_decode(bytes, n, &chain, &err) != WM_OK)
        return 0;
    for (size_t i = 0; i < wm_chain_size(chain); i++) {
        wm_certificate_facts facts;
        wm_chain_rule rule = { .root = wm_chain_at(chain, i), .purpose = WM_PURPOSE_GATEWAY, .name = "north" };

        if (wm_certificate_look(wm_chain_at(chain, i), &facts, &err) == WM_OK && facts.serial.size > WM_SERIAL_MAX)
            abort();
        (void)wm_certificate_has_name(wm_chain_at(chain, i), "127.0.0.1");
        (void)wm_chain_check(chain, &rule, &facts, &err);
    }
    wm_chain_free(chain);
    return 0;
}
