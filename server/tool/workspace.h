/* server/tool/workspace.h
 *
 * A job with its data, as the analyst's commands open it: the file with what the command line changes in it, the model,
 * and the clients that the data makes. */
#ifndef WM_SERVER_TOOL_WORKSPACE_H
#define WM_SERVER_TOOL_WORKSPACE_H

#include "client/owners.h"
#include "common/cli.h"
#include "models/model.h"

typedef struct wm_workspace_settings {
    const char *file; /* the job */
    const char *text; /* its text [n_text], if that is known already; `file` is then for messages; NULL: read it */
    size_t      n_text;
    const char *data;    /* the folder of the readings; NULL: that of the job's file */
    wm_words    set;     /* "key=value" */
    int64_t     clients; /* 0: as the job and the data say */
    int64_t     rounds;  /* 0: the job's */
    int64_t     seed;    /* -1: the job's */
    bool        start;   /* reads the file of a warm start, and makes the job say what came of it */
} wm_workspace_settings;

typedef struct wm_workspace {
    wm_job    *job;
    wm_model  *model;
    wm_owners *owners; /* NULL if only the job was opened */
    bool       changed; /* the command line changes something in the job */
    float     *start;  /* [n_params]: the warm start, where it was to be read and there is one; else NULL */
} wm_workspace;

/* Reads and checks the job; every fault is printed to call->err. */
wm_status wm_workspace_open_job(wm_cli_call *call, const wm_workspace_settings *settings, wm_workspace *ret,
                                wm_error *err);

/* space->owners <- the data of a job that is open; `predict` as in wm_owners_settings. */
wm_status wm_workspace_read(const wm_workspace_settings *settings, bool predict, wm_log *log, wm_workspace *space,
                            wm_error *err);

/* The same, and reads the data. */
wm_status wm_workspace_open(wm_cli_call *call, const wm_workspace_settings *settings, wm_log *log,
                            wm_workspace *ret, wm_error *err);

void wm_workspace_release(wm_workspace *workspace);

/* The folder that relative patterns of the job begin in; the caller's to free(), NULL if out of memory. */
char *wm_workspace_folder(const wm_workspace_settings *settings);

/* The options of the command line for these settings, for a command's own table: WM_WORKSPACE_OPTIONS(struct, field). */
#define WM_WORKSPACE_OPTIONS(type, field)                                                                             \
    { .name = "data",                                                                                                 \
      .kind = WM_CLI_TEXT,                                                                                            \
      .offset = offsetof(type, field.data),                                                                           \
      .value = "DIR",                                                                                                 \
      .doc = "the folder of the readings (default: the job file's)" },                                                \
        { .name = "set",                                                                                              \
          .kind = WM_CLI_TEXTS,                                                                                       \
          .offset = offsetof(type, field.set),                                                                        \
          .value = "KEY=VALUE",                                                                                       \
          .doc = "changes the job, such as training.rate=0.1" },                                                      \
        { .name = "clients",                                                                                          \
          .kind = WM_CLI_WHOLE,                                                                                       \
          .offset = offsetof(type, field.clients),                                                                    \
          .value = "N",                                                                                               \
          .least = 1,                                                                                                 \
          .most = 1000000,                                                                                            \
          .doc = "divides the data among N clients, or keeps the first N owners" },                                   \
    {                                                                                                                 \
        .name = "seed", .kind = WM_CLI_WHOLE, .offset = offsetof(type, field.seed), .value = "N", .least = 0,         \
        .most = 9007199254740992.0, .doc = "the job's seed (default: the job's)"                                      \
    }

#endif
