/* common/job/job.h
 *
 * A job: what the analyst writes, the simulator runs and the data office deploys, unchanged. This is the file as a
 * record, every default filled in and every value checked; shared/JOB.md's grammar, documented key by key in
 * docs/configuration.md. Read-only once parsed; may be shared by threads.
 *
 * Families are handed in, so that this floor need not know the layers above it: the server has no sources of
 * readings, and passes NULL there (a job never names a place on a gateway). */
#ifndef WM_COMMON_JOB_JOB_H
#define WM_COMMON_JOB_JOB_H

#include "common/config/family.h"
#include "common/config/settings.h"
#include "common/crypto/digest.h"
#include "common/shape.h"

/* ---- data ---- */

typedef enum wm_scale_rule { WM_SCALE_FEDERATED, WM_SCALE_CLIENT, WM_SCALE_NONE } wm_scale_rule;
typedef enum wm_fill_rule { WM_FILL_NONE, WM_FILL_LAST, WM_FILL_LINEAR, WM_FILL_ZERO } wm_fill_rule;

typedef enum wm_column_kind {
    WM_COLUMN_NUMBER,     /* one channel, scaled by the scale rule */
    WM_COLUMN_COMPASS,    /* N, NNE, ... of 4, 8 or 16 points: sine and cosine, two channels, never scaled */
    WM_COLUMN_CYCLE,      /* time of day or week, or a column that counts one: sine and cosine */
    WM_COLUMN_CATEGORIES, /* one of a list of words: one-hot, a channel each; or its index */
} wm_column_kind;

typedef struct wm_job_column {
    const char    *name;
    wm_column_kind kind;
    bool           has_range; /* a reading outside [low, high] counts as missing; needed for federated scaling */
    double         low, high; /* after the transform, as is everything that is scaled */
    bool           log;       /* transform: sign(x) log(1 + |x|), for numbers of many sizes */
    wm_fill_rule   fill;       /* missing: {fill, limit, mask}; without `missing` a gap stays a gap */
    int64_t        fill_limit; /* steps that may be filled in a row */
    bool           mask;       /* one more channel: 1 where the value was filled */
    wm_scale_rule  scale;      /* the column's own, or the job's */
    int64_t        compass_points;
    int64_t        cycle_ms; /* 24h, 7d */
    wm_words       categories;
    bool           other; /* one more category, the last: any word that is not in the list */
    bool           index; /* one channel, the category's number, for an embedding */
    wm_place       place;
} wm_job_column;

typedef enum wm_input_kind {
    WM_INPUT_WINDOW, /* {length, channels}: the last `length` steps up to now */
    WM_INPUT_AT,     /* {channels}: the columns at the target's time (known beforehand, such as the hour) */
    WM_INPUT_PIXELS, /* an image of the source, divided by 255 */
} wm_input_kind;

typedef struct wm_job_input {
    const char   *name;
    wm_input_kind kind;
    wm_words      columns;
    int64_t       length;   /* window: steps */
    int64_t       every_ms; /* window: distance of the steps; 0: the step of the data */
    int64_t       ago_ms;   /* window: ends this long before now */
    bool          difference; /* window: numbers as their difference from the last step's */
    bool          elapsed;  /* window: one more channel, the last: how long after the step before it a step was */
    wm_shape      pixels;   /* pixels: as declared */
    wm_place      place;
} wm_job_input;

typedef struct wm_job_target {
    const char  *name;
    const char  *column;      /* NULL of an input */
    bool         of_input;    /* all values of inputs[input] are to be given back as they are; what is below is unused */
    size_t       input;
    wm_durations ahead;       /* empty: the value at the example itself (a label) */
    bool         rows_ahead;  /* `steps`: `ahead` counts rows, not milliseconds; for readings without a time */
    bool         difference;  /* predict the change from now, not the value */
    bool         alarm;       /* `above`: the target is a class, 1 where the value (or change) is over `above` */
    double       above;
    int64_t      classes;     /* > 0: the column is a label 0..classes-1, the target a class */
    wm_place     place;
} wm_job_target;

typedef enum wm_split_kind {
    WM_SPLIT_TIME,   /* shares of each client's examples in order of time: train, validation, test */
    WM_SPLIT_RANDOM, /* the same shares, shuffled by seed and client */
    WM_SPLIT_FILES,  /* files whose name matches are test (and validation), the others divide by time */
    WM_SPLIT_OWNERS, /* whole clients are test only; the others' examples divide by time */
    WM_SPLIT_ROWS,   /* each series' first rows train, the next validate, the rest test */
} wm_split_kind;

typedef struct wm_job_split {
    wm_split_kind kind;
    double        train, validate, test; /* shares, sum 1 */
    int64_t       rows, rows_validate;   /* by rows */
    const char   *validate_files, *test_files; /* globs on the file name; NULL for none */
    wm_words      owners;
} wm_job_split;

typedef struct wm_job_data {
    wm_choice source; /* simulation only; member NULL if absent or if no family of sources was handed in */
    wm_choice owner;  /* simulation only: how clients are made of a folder */
    wm_words  time_columns; /* data.time: one column with a timestamp, or year, month, day, hour [, minute] */
    const char *zone;       /* IANA name; "UTC" by default */
    const char *time_format; /* strptime format of a single column; NULL: ISO 8601 or seconds since 1970 */
    const char *start;      /* the first row's time, where no column holds one: the others follow at step_ms */
    bool        events;     /* readings come when they come: a step is from one to the next */
    int64_t     step_ms;    /* distance of the readings; 0: found in the data */
    const char *series;     /* column whose text tells one series of a client from another; NULL: one a file */
    const wm_job_column *columns;
    size_t               n_columns;
    const wm_job_input  *inputs;
    size_t               n_inputs;
    const wm_job_target *targets;
    size_t               n_targets;
    int64_t              every;  /* of the rows that can be an example, each so many-th is; 0 is 1 */
    const char          *within; /* column that must not change within an example's window; NULL: none */
    wm_scale_rule        scale;
    int64_t              rows_min; /* a client with fewer training rows takes no part in the statistics (100) */
    wm_job_split         split;
} wm_job_data;

/* ---- model ---- */

typedef struct wm_job_layer {
    const char *name; /* given, or made from place and kind: "2.dense"; unique */
    wm_words    from; /* names of layers or inputs; empty: the layer before, or the only input */
    wm_choice   layer;
    wm_choice   initial; /* how its weights begin; member NULL: as is usual for the layer */
    bool        personal, frozen; /* named in model.personal, in model.freeze; not both */
    bool        fresh;            /* named in model.start.fresh */
} wm_job_layer;

typedef struct wm_job_loss {
    const char *target; /* a name in data.targets: its head is the layer of that name, or the last layer */
    const char *head;
    double      weight;
    wm_choice   loss;
} wm_job_loss;

/* What the model begins with, where that is not the initialisers alone. */
typedef struct wm_job_start {
    const char *file; /* NULL: there is none */
    bool        has_parameters;
    wm_digest   parameters; /* the model that round 1 begins with; whoever starts the job says it */
    wm_place    place;
} wm_job_start;

typedef struct wm_job_model {
    wm_job_start        start;
    const wm_job_layer *layers;
    size_t              n_layers;
    const wm_job_loss  *losses; /* `loss: mse` is one for the only target */
    size_t              n_losses;
} wm_job_model;

/* ---- the rest ---- */

typedef struct wm_job_training {
    wm_choice optimiser;
    wm_choice rate;   /* a schedule; a plain number is {constant: number} */
    int64_t   batch;  /* examples in a step; the last batch of an epoch may be smaller */
    int64_t   epochs; /* of local training in a round */
    double    clip;   /* norm of a batch's gradient; 0: not clipped */
} wm_job_training;

typedef struct wm_job_cohort {
    wm_choice select;      /* who is drawn: all, uniform */
    double    over;        /* draws this many times the goal, for the expected drop-out */
    double    quorum;      /* share of the goal without which a round is not committed */
    int64_t   deadline_ms;
    int64_t   attempts;    /* deadlines in a row that may pass below the quorum before the run fails; 0: no end */
    int64_t   minimum;     /* clients that the population must have for the run to start */
    int64_t   weight_cap;  /* examples that one update may claim */
    double    bound;       /* the largest |delta| of one parameter that is let in */
} wm_job_cohort;

typedef enum wm_baseline {
    WM_BASELINE_NAIVE = 1,  /* persistence at the horizon; for classes the majority */
    WM_BASELINE_ALONE = 2,  /* each client by itself, as many epochs as it has rounds */
    WM_BASELINE_POOLED = 4, /* one model on everybody's data; only where all data is at hand (simulation) */
    WM_BASELINE_TUNED = 8,  /* the federated model and one local epoch */
} wm_baseline;

/* How a model becomes a detector: an example's score is the loss of one target, and above a threshold it is an alarm. */
typedef struct wm_job_anomaly {
    double      false_alarms; /* the share of normal examples that may be over the threshold; 0: there is no detector */
    const char *of;           /* a target; NULL: the only one */
    const char *label;        /* column that says which examples are none; NULL: that is not known */
    wm_reals    normal;       /* its values that are normal; every other is an anomaly */
    int64_t     bins;
} wm_job_anomaly;

typedef struct wm_job_evaluate {
    int64_t          every;     /* rounds; the last round is always evaluated */
    wm_choice        select;    /* who evaluates: all by default */
    const wm_choice *metrics;   /* the first is the run's metric */
    size_t           n_metrics;
    unsigned         baselines; /* wm_baseline, or-ed */
    int64_t          patience;  /* evaluations without a better loss after which the run ends early; 0: never */
    wm_job_anomaly   anomaly;
} wm_job_evaluate;

typedef struct wm_job {
    const char     *name; /* [a-z0-9-]{1,63} */
    wm_job_data     data;
    wm_job_model    model;
    wm_job_training training;
    int64_t         rounds;
    wm_job_cohort   cohort;
    wm_choice       strategy;
    wm_job_evaluate evaluate;
    int64_t         keep;  /* checkpoints kept: the newest ones; 0: all */
    uint64_t        seed;
    const char     *text;  /* the file as it was read, with --set applied: what runs and what is recorded */
    size_t          n_text;
    void           *memory; /* owns all of it */
} wm_job;

typedef struct wm_job_families {
    const wm_family *sources;    /* NULL: data.source is not looked at */
    const wm_family *owners;     /* NULL: data.owner is not looked at */
    const wm_family *layers, *initialisers, *losses, *optimisers, *schedules, *metrics;
    const wm_family *selections; /* cohort.select, evaluate.select */
    const wm_family *strategies;
} wm_job_families;

enum { WM_JOB_TEXT_MAX = 256 << 10 };

/* text[n]: YAML, at most WM_JOB_TEXT_MAX bytes; `file` is for messages. Settings are applied before the checks. Every
 * fault is added to *faults. WM_E_INVALID if there is one, WM_E_NOMEM; *ret is then untouched. */
wm_status wm_job_parse(const char *file, const char *text, size_t n, const wm_job_families *families,
                       const wm_setting *settings, size_t n_settings, wm_faults *faults, wm_job **ret,
                       wm_error *err);
void wm_job_free(wm_job *job);

/* ---- what follows from the data section alone, so that the server knows the model's shape without the data ---- */

const wm_job_column *wm_job_find_column(const wm_job *job, const char *name); /* NULL if there is none */
size_t wm_job_channels(const wm_job_column *column); /* with the mask */
size_t wm_job_categories(const wm_job_column *column); /* with the other one */
double wm_job_transform(const wm_job_column *column, double x); /* a number as it is kept */
bool   wm_job_timed(const wm_job *job); /* readings have a time */
bool   wm_job_paced(const wm_job *job); /* and a distance, so that durations are whole numbers of steps */
void   wm_job_input_shape(const wm_job *job, size_t input, wm_shape *ret);
bool   wm_job_validates(const wm_job *job); /* there is a validation part; else the test part is for evaluations in the run */
size_t wm_job_target_width(const wm_job *job, size_t target); /* values: horizons, classes, or all of an input */
bool   wm_job_needs_statistics(const wm_job *job); /* a column that is used is scaled `federated` */

#endif
