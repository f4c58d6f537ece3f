#!/usr/bin/env python3
"""What each metric is, by its definition: writes expected.h beside it, for test_metrics.c and test_detection.c.

    ./make.py

Each figure is worked out from the words of the paper, or of scikit-learn's documentation, the slow way: AUROC from every
pair, F1 from precision and recall. Nothing here knows of sums or histograms. Numbers are multiples of 1/8, so that a
float holds them exactly."""
import os


class Numbers:
    def __init__(self, seed):
        self.s = seed

    def below(self, n):
        self.s = (self.s * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.s >> 33) % n

    def eighths(self, n, least, most):
        return [least + self.below((most - least) * 8 + 1) / 8 for _ in range(n)]


# ---- of values ----

def rmse(predicted, truth):
    return (sum((p - t) ** 2 for p, t in zip(predicted, truth)) / len(truth)) ** 0.5


def mae(predicted, truth):
    return sum(abs(p - t) for p, t in zip(predicted, truth)) / len(truth)


def mase(series):
    """Hyndman and Koehler 2006, (2): the mean of all |q_t|, each scaled by its own series. series: (scale, errors)."""
    q = [abs(e) / scale for scale, errors in series if scale > 0 for e in errors]
    return sum(q) / len(q)


def coverage(quantiles, truth):
    inside = [q[0] <= t <= q[-1] if len(q) > 1 else t <= q[0] for q, t in zip(quantiles, truth)]
    return sum(inside) / len(truth)


# ---- of classes ----

def predicted_class(z):
    return z.index(max(z))


def accuracy(guesses, classes):
    return sum(g == c for g, c in zip(guesses, classes)) / len(classes)


def recall(guesses, classes, c):
    own = [g for g, t in zip(guesses, classes) if t == c]
    return sum(g == c for g in own) / len(own)


def precision(guesses, classes, c):
    own = [t for g, t in zip(guesses, classes) if g == c]
    return sum(t == c for t in own) / len(own) if own else 0


def balanced_accuracy(guesses, classes):
    there = sorted(set(classes))
    return sum(recall(guesses, classes, c) for c in there) / len(there)


def f1(guesses, classes, c):
    r = recall(guesses, classes, c) if c in classes else 0
    p = precision(guesses, classes, c)
    return 2 * p * r / (p + r) if p + r > 0 else 0


def f1_macro(guesses, classes):
    there = sorted(set(classes) | set(guesses))
    return sum(f1(guesses, classes, c) for c in there) / len(there)


def auroc(scores, positive):
    """Every pair; an equal one counts half."""
    pairs = [(p > n) + (p == n) / 2 for p, yes in zip(scores, positive) if yes
             for n, no in zip(scores, positive) if not no]
    return sum(pairs) / len(pairs)


# ---- the tables ----

def array(name, values, kind="float"):
    words = [f"{v:g}" for v in values]
    lines, line = [], "   "
    for w in words:
        if len(line) + len(w) > 108:
            lines.append(line)
            line = "   "
        line += f" {w},"
    lines.append(line)
    return f"static const {kind} {name}[] = {{\n" + "\n".join(lines) + "\n};\n"


def figure(name, value):
    return f"static const double {name} = {value!r};\n"


def values():
    numbers = Numbers(1)
    predicted, truth = numbers.eighths(120, -9, 9), numbers.eighths(120, -9, 9)
    scales = [0.75, 2, 0, 5]  # of four clients with ten examples of three values each; the third's readings are all equal
    errors = [p - t for p, t in zip(predicted, truth)]
    series = [(scale, errors[30 * k:30 * (k + 1)]) for k, scale in enumerate(scales)]
    return (array("values_predicted", predicted) + array("values_truth", truth) +
            array("values_scales", scales, "double") + figure("want_rmse", rmse(predicted, truth)) +
            figure("want_mae", mae(predicted, truth)) + figure("want_mase", mase(series)))


def quantiles():
    numbers = Numbers(2)
    truth = numbers.eighths(60, -4, 4)
    heads = [sorted(numbers.eighths(3, -4, 4)) for _ in truth]
    alone = [[q[1]] for q in heads]
    return (array("quantiles_truth", truth) + array("quantiles_predicted", [v for q in heads for v in q]) +
            figure("want_coverage", coverage(heads, truth)) +
            array("quantile_predicted", [v for q in alone for v in q]) +
            figure("want_coverage_of_one", coverage(alone, truth)))


def two_classes():
    numbers = Numbers(3)
    classes = [int(numbers.below(10) < 3) for _ in range(90)]
    logits = [[0, numbers.below(25) / 4 - 3.5 + c] for c in classes]  # steps of 1/4, each in a bin of its own
    guesses = [predicted_class(z) for z in logits]
    scores = [z[1] - z[0] for z in logits]
    return (array("two_logits", [v for z in logits for v in z]) + array("two_classes", classes, "int32_t") +
            figure("want_two_accuracy", accuracy(guesses, classes)) +
            figure("want_two_balanced", balanced_accuracy(guesses, classes)) +
            figure("want_two_f1", f1(guesses, classes, 1)) + figure("want_two_f1_of_0", f1(guesses, classes, 0)) +
            figure("want_two_f1_macro", f1_macro(guesses, classes)) +
            figure("want_two_auroc", auroc(scores, [c == 1 for c in classes])))


def many_classes():
    """Five, of which one is never there but sometimes predicted, and one neither."""
    from math import exp, log
    numbers = Numbers(4)
    classes = [numbers.below(3) for _ in range(80)]
    logits = [[numbers.below(33) / 8 - 2 + (1.5 if j == c else 0) - (9 if j == 4 else 0) for j in range(5)]
              for c in classes]
    guesses = [predicted_class(z) for z in logits]

    def odds(z, c):
        return z[c] - log(sum(exp(v) for j, v in enumerate(z) if j != c))

    areas = [auroc([odds(z, c) for z in logits], [k == c for k in classes]) for c in range(3)]
    assert 3 in guesses and 4 not in guesses
    return (array("five_logits", [v for z in logits for v in z]) + array("five_classes", classes, "int32_t") +
            figure("want_five_accuracy", accuracy(guesses, classes)) +
            figure("want_five_balanced", balanced_accuracy(guesses, classes)) +
            figure("want_five_f1_macro", f1_macro(guesses, classes)) +
            figure("want_five_auroc", sum(areas) / len(areas)))


def detector():
    """Scores in the middles of bins of an eighth of an octave, so that each is told apart. Of 400 normal examples that set
    the threshold 2 % may be at or above it."""
    numbers = Numbers(5)

    def middle(k):
        return 2 ** ((k + 0.5) / 8)

    set_by = [middle(numbers.below(12) + numbers.below(12) - 30) for _ in range(400)]
    labels = [[0, 0, 1, 2][numbers.below(4)] for _ in range(160)]  # normal, anomaly, not known
    scores = [middle(numbers.below(14) + numbers.below(14) - 30 + (8 if l == 1 else 0)) for l in labels]
    edge = max(k for k in range(-128, 128) if sum(s >= 2 ** (k / 8) for s in set_by) > 0.02 * 400) + 1
    threshold = 2 ** (edge / 8)
    known = [(s, l) for s, l in zip(scores, labels) if l != 2]
    guesses, truths = [int(s >= threshold) for s, _ in known], [l for _, l in known]
    normal = [g for g, l in zip(guesses, truths) if l == 0]
    exact = [float(s).hex() for s in set_by], [float(s).hex() for s in scores]
    return ("static const double detector_set_by[] = {\n" + "\n".join(f"    {s}," for s in exact[0]) + "\n};\n" +
            "static const double detector_scores[] = {\n" + "\n".join(f"    {s}," for s in exact[1]) + "\n};\n" +
            array("detector_labels", labels, "int32_t") + figure("want_threshold", threshold) +
            figure("want_false_alarms", sum(normal) / len(normal)) +
            figure("want_detection_f1", f1(guesses, truths, 1)) +
            figure("want_detection_recall", recall(guesses, truths, 1)) +
            figure("want_detection_precision", precision(guesses, truths, 1)) +
            figure("want_detection_auroc", auroc([s for s, _ in known], truths)))


if __name__ == "__main__":
    folder = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(folder, "expected.h"), "w") as to:
        to.write("/* tests/models/metrics/expected.h: written by make.py beside it, from the metrics' definitions. */\n"
                 "#ifndef WM_TESTS_MODELS_METRICS_EXPECTED_H\n#define WM_TESTS_MODELS_METRICS_EXPECTED_H\n\n"
                 "#include <stdint.h>\n\n")
        to.write("\n".join([values(), quantiles(), two_classes(), many_classes(), detector()]))
        to.write("\n#endif\n")
