/* models/losses/pinball.c
 *
 * Quantile regression (Koenker and Bassett 1978): with d = truth - predicted, q d if d > 0 and (q - 1) d otherwise,
 * averaged over the levels q and an example's values. The head gives every value's quantiles side by side, in the order
 * of the levels, so `pinball: [0.1, 0.5, 0.9]` of six values needs a head of eighteen. */
#include "common/sizes.h"
#include "models/loss.h"

typedef struct pinball_options {
    wm_reals levels;
} pinball_options;

static size_t pinball_width(const void *options, size_t width)
{
    size_t n;

    return wm_size_mul(width, ((const pinball_options *)options)->levels.count, &n) ? n : SIZE_MAX;
}

static size_t pinball_levels(const void *options, const double **ret)
{
    const wm_reals *levels = &((const pinball_options *)options)->levels;

    *ret = levels->items;
    return levels->count;
}

static double pinball_sum(const void *options, const float *predicted, const float *truth, const int32_t *classes,
                          size_t n, size_t width, float *grad, double scale)
{
    const wm_reals *levels = &((const pinball_options *)options)->levels;
    double          sum = 0, share = 1 / ((double)width * (double)levels->count);

    (void)classes;
    for (size_t i = 0; i < n * width; i++)
        for (size_t k = 0; k < levels->count; k++) {
            size_t at = i * levels->count + k;
            double q = levels->items[k], d = (double)truth[i] - (double)predicted[at];

            sum += d > 0 ? q * d : (q - 1) * d;
            if (grad != NULL)
                grad[at] = (float)(scale * share * (d > 0 ? -q : d < 0 ? 1 - q : d));
        }
    return sum * share;
}

static void pinball_check(const void *options, wm_faults *faults, wm_place place, const char *path)
{
    const wm_reals *levels = &((const pinball_options *)options)->levels;

    for (size_t k = 0; k < levels->count; k++)
        if (!(levels->items[k] > 0 && levels->items[k] < 1) ||
            (k > 0 && levels->items[k] <= levels->items[k - 1])) {
            wm_faults_add(faults, place, path, "levels rise and are between 0 and 1, as in [0.1, 0.5, 0.9]");
            return;
        }
    if (levels->count == 0)
        wm_faults_add(faults, place, path, "needs a level at least, as in [0.1, 0.5, 0.9]");
}

static const wm_option options[] = {
    { .name = "levels",
      .kind = WM_REALS,
      .offset = offsetof(pinball_options, levels),
      .standard = "[0.1, 0.5, 0.9]",
      .main = true,
      .doc = "The quantiles, rising, between 0 and 1." },
};

const wm_loss_ops wm_loss_pinball = {
    .member = { .name = "pinball",
                .doc =
                    "Quantiles of the values, so that a forecast says how sure it is; a head of levels x values.",
                .options = options,
                .n_options = sizeof options / sizeof *options,
                .options_size = sizeof(pinball_options),
                .check = pinball_check },
    .head_width = pinball_width,
    .levels = pinball_levels,
    .sum = pinball_sum,
};
