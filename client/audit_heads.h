/* client/audit_heads.h
 *
 * What the aggregator has shown of its audit: with each offer come the number of the audit's lines and the hash of the last,
 * which stands for all before it. A gateway writes them down, so that a history cannot be rewritten behind its back: an
 * audit that is shorter than it was, or has another hash at the same length, is said at once, and what was shown before is
 * kept for `wardmote-server verify --heads`. That a longer one still begins with what was seen is what `verify` finds out;
 * here the hash alone does not tell.
 *
 * DIR/audit-heads, a text: "lines hash time" each, the newest last, at most WM_AUDIT_HEADS_KEPT of them; a head that did not
 * fit the one before begins with "!". Nothing is refused for it: after the office was put back from a backup the work goes
 * on, and the line in the log and in the file stays. One thread's. */
#ifndef WM_CLIENT_AUDIT_HEADS_H
#define WM_CLIENT_AUDIT_HEADS_H

#include "common/crypto/digest.h"
#include "common/files.h"

typedef struct wm_audit_heads wm_audit_heads;

enum { WM_AUDIT_HEADS_KEPT = 1000 };

/* A file that is not there counts as "nothing seen yet"; lines in it that do not read are left out. `files` is borrowed. */
wm_status wm_audit_heads_open(const wm_files *files, const char *folder, wm_audit_heads **ret, wm_error *err);
void      wm_audit_heads_free(wm_audit_heads *heads);

/* An authenticated server shows this head at that time of its. WM_OK: it may follow what was seen; WM_E_UNTRUSTED: it
 * cannot, and the sentence says why: once, since it is then what was seen last. Another error: it could not be written
 * down, and counts as seen all the same. */
wm_status wm_audit_heads_seen(wm_audit_heads *heads, uint64_t lines, const wm_digest *hash, int64_t wall_ms,
                              wm_error *err);

#endif
