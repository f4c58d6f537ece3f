/* client/zones.h
 *
 * Civil time of a place to UTC and back, summer time included. libc's own way is the environment variable TZ, which
 * belongs to the whole process, and threads read several folders at once; so the zone's file is read here.
 *
 * The file is TZif (RFC 8536): moments at which the offset changes, and a rule in the form of POSIX's TZ for all time
 * after the last of them. Immutable once opened; may be shared by threads. */
#ifndef WM_CLIENT_ZONES_H
#define WM_CLIENT_ZONES_H

#include "common/status.h"

#include <stddef.h>
#include <stdint.h>

typedef struct wm_zone wm_zone;

/* `name`: "Europe/Berlin"; "UTC" needs no file. WM_E_MISSING: there is no such zone, or no zones at all: the sentence
 * names the package. WM_E_MALFORMED: the file is not a zone's. WM_E_INVALID: a name that leaves the folder. */
wm_status wm_zone_open(const char *name, wm_zone **ret, wm_error *err);
void      wm_zone_free(wm_zone *zone);

/* The same for the bytes of a zone's file; `name` is for messages. */
wm_status wm_zone_read(const char *name, const uint8_t *bytes, size_t n, wm_zone **ret, wm_error *err);

/* Local time minus UTC, at a moment since 1970-01-01 00:00 UTC. */
int64_t wm_zone_offset_ms(const wm_zone *zone, int64_t utc_ms);

/* The moment of a local time (counted as if the place were on UTC). An hour that comes twice in autumn gives both: the
 * earlier, and *second the later; elsewhere *second is the same. An hour that is left out in spring is read by the
 * offset before it, so 02:30 becomes 03:30. */
int64_t wm_zone_to_utc(const wm_zone *zone, int64_t local_ms, int64_t *second);

#endif
