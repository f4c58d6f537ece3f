/* common/config/settings.h
 *
 * `--set key=value` on a tree, before it is checked: the key is a path of names and places, "training.rate",
 * "model.layers[1].dense", the value is YAML, "0.1", "{shards: {clients: 10}}". What is on the way and not
 * there is made; a member that stood as its name alone (optimiser: sgd) becomes a mapping when one of its
 * options is set (training.optimiser.sgd.momentum). A name with dots in it (data.columns.PM2.5) is found
 * where it is there. */
#ifndef WM_COMMON_CONFIG_SETTINGS_H
#define WM_COMMON_CONFIG_SETTINGS_H

#include "common/config/document.h"

enum { WM_SETTING_BYTES_MAX = 64 << 10 };

typedef struct wm_setting {
    const char *key, *value;
} wm_setting;

/* Applies the settings in their order; values are placed at {0, i + 1} (see wm_place). What is wrong is added
 * to *faults, and the other settings are applied all the same. WM_E_NOMEM. */
wm_status wm_settings_apply(const wm_setting *settings, size_t n, wm_arena *arena, wm_yaml *root, wm_faults *faults,
                            wm_error *err);

#endif
