/* tests/tool/predict/scene.h
 *
 * Two gateways' readings that a formula makes, a job on them that a test gives its middle, its run in memory, and what the
 * tool said last: the whole way to `wardmote predict`. */
#ifndef WM_TESTS_TOOL_PREDICT_SCENE_H
#define WM_TESTS_TOOL_PREDICT_SCENE_H

#include "tests/tool/say.h"
#include "tests/unit.h"

#include <stdbool.h>

enum { HOURS = 400, AHEAD = 3, NORTH = 30, SOUTH = 60 }; /* the gateways' levels of no2 */

/* A folder of readings with a run in it. */
typedef struct scene {
    char  folder[4096], job[4200], run[4200], model[4300];
    char *out, *said;
    int   code;
} scene;

int setup(void **state);
int teardown(void **state);
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* Calls the tool; what it said is in the scene. */
#define SAY(s, ...) ((s)->code = say(WARDMOTE(__VA_ARGS__), &(s)->out, &(s)->said))

/* ---- readings ---- */

/* The level of a gateway, and ten up and down. */
double no2_at(int base, int hour);

/* HOURS of it from both, with a column `flag` or without, which is 1 where no2 is over 45. */
void write_gateways(const scene *s, bool flag);
void write_text(const char *folder, const char *name, const char *text);

/* ---- the run ---- */

/* What comes before a job's targets, and behind its `evaluate`. */
extern const char job_head[], job_tail[];

/* For between: no2 in three hours, from a window of eight. */
extern const char forecaster[];

/* Trains the job that these words make, in s->run. */
void train(scene *s, const char *middle);

/* The run's own figure (rmse) for a client, and of how many examples. */
double measured(const scene *s, const char *client, int *examples);

/* The hours since the first of March that a line of predictions begins with. */
int hour_of(const char *line);

#endif
