/* models/losses/hinge.c
 *
 * The multi-class hinge of Crammer and Singer's kind, as torch.nn.MultiMarginLoss with p = 1 and its weights w: the mean
 * over all classes of w_c max(0, margin - z_c + z_j) for j != c.
 *
 * What it learns is which class is the likelier, and not by how much (Lin 2002, "Support vector machines and the Bayes
 * rule in classification"): a rare class wins only where it is more likely than not, so where a miss costs more than a
 * false alarm, the weights have to say so in training. */
#include "models/losses/class_weights.h"

typedef struct hinge_options {
    double   margin;
    wm_reals class_weights; /* empty: all 1 */
} hinge_options;

static double hinge_sum(const void *options, const float *predicted, const float *truth, const int32_t *classes,
                        size_t n, size_t width, float *grad, double scale)
{
    const hinge_options *self = options;
    double               margin = self->margin, sum = 0;

    (void)truth;
    for (size_t i = 0; i < n; i++) {
        const float *z = predicted + i * width;
        size_t       c = (size_t)classes[i], over = 0;
        double       weight = wm_class_weight(&self->class_weights, c), slope = weight * scale / (double)width;

        for (size_t j = 0; j < width; j++) {
            double short_of = j == c ? (double)z[c] - (double)z[c] : margin - (double)z[c] + (double)z[j];
            bool   counts = !(short_of <= 0); /* a NaN counts, and stays one */

            sum += counts ? weight * short_of : 0;
            over += counts;
            if (grad != NULL)
                grad[i * width + j] = (float)(counts ? slope : 0);
        }
        if (grad != NULL)
            grad[i * width + c] = (float)(-slope * (double)over);
    }
    return sum / (double)width;
}

static void hinge_check(const void *options, wm_faults *faults, wm_place place, const char *path)
{
    wm_class_weights_check(&((const hinge_options *)options)->class_weights, faults, place, path);
}

static const char *hinge_mismatch(const void *options, size_t width, char text[WM_ERROR_TEXT])
{
    return wm_class_weights_mismatch(&((const hinge_options *)options)->class_weights, width, text);
}

static const wm_option options[] = {
    { .name = "margin",
      .kind = WM_REAL,
      .offset = offsetof(hinge_options, margin),
      .least = 1e-9,
      .most = 1e9,
      .standard = "1",
      .main = true,
      .doc = "By how much the true class's value must be above the others to cost nothing." },
    { .name = "class_weights",
      .kind = WM_REALS,
      .offset = offsetof(hinge_options, class_weights),
      .optional = true,
      .doc = "What an example counts, for each class in order: larger for a class that is rare." },
};

const wm_loss_ops wm_loss_hinge = {
    .member = { .name = "hinge",
                .doc = "Multi-class hinge of a class target: the true class is to win by a margin.",
                .options = options,
                .n_options = sizeof options / sizeof *options,
                .options_size = sizeof(hinge_options),
                .check = hinge_check },
    .for_classes = true,
    .mismatch = hinge_mismatch,
    .sum = hinge_sum,
};
