/* server/tool/predictor.h
 *
 * Runs a saved model over clients' examples, batch by batch, and writes what it says as CSV; and measures what one example
 * takes alone. */
#ifndef WM_SERVER_TOOL_PREDICTOR_H
#define WM_SERVER_TOOL_PREDICTOR_H

#include "server/tool/saved.h"

#include <stdio.h>

typedef struct wm_predictor wm_predictor;

/* Writes the titles to `to`, which stays the caller's, as does saved. */
wm_status wm_predictor_new(const wm_saved_model *saved, FILE *to, wm_predictor **ret, wm_error *err);
void      wm_predictor_free(wm_predictor *p);

/* A line for each of the client's examples, which are scaled and all in the test part. */
wm_status wm_predictor_client(wm_predictor *p, const wm_examples *examples, const char *client, wm_error *err);

/* Lines so far. */
size_t wm_predictor_count(const wm_predictor *p);

/* What one example takes when it comes alone, as it does on a gateway: gathered, scaled, predicted. In seconds, the median;
 * NaN if there is none. */
double wm_predictor_alone(const wm_predictor *p, const wm_examples *examples);

/* Seconds since some fixed moment, as the times above are taken: of one small example milliseconds are too coarse. */
double wm_predictor_seconds(void);

#endif
