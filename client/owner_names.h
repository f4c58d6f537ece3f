/* client/owner_names.h
 *
 * Names of owners: those of the certificates in production, and of the clients everywhere, so that they are the same in
 * simulation, over TLS and after a restart. */
#ifndef WM_CLIENT_OWNER_NAMES_H
#define WM_CLIENT_OWNER_NAMES_H

#include <stdbool.h>
#include <stddef.h>

enum { WM_OWNER_NAME_MAX = 63 };

/* `text` fit for a certificate: lower case, [a-z0-9-]{1,63}, what else there is becomes a hyphen, none at the ends.
 * false if nothing is left of it. */
bool wm_owner_name(const char *text, size_t n, char ret[WM_OWNER_NAME_MAX + 1]);

/* What stands for {} in `pattern`, where * is anything: the shortest that fits. NULL pattern: the name up to its first
 * ".csv", ".gz" or ".txt", or whole. false if the name does not fit. */
bool wm_file_part(const char *pattern, const char *name, const char **begin, size_t *n);

#endif
