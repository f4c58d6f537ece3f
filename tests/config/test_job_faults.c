/* tests/config/test_job_faults.c
 *
 * The job file: every fault with its words and place, all of them in one go. */
#include "tests/config/jobs.h"

/* The example with one passage replaced. */
static const struct {
    const char *says, *passage, *instead, *want;
} bad[] = {
    { "the fault of the design", "{dense: 64}", "{dense: {units: \"fifty\"}}",
      "air.yaml:18:37: model.layers[1].dense.units: \"fifty\" is not a whole number\n" },
    { "a job's name is fit for folders", "job: air-quality", "job: ../Air",
      "air.yaml:1:6: job: \"../Air\" does not do as a name: lower-case letters, digits and -, 63 at most\n" },
    { "a section that is not there", "rounds: 30\n", "",
      "air.yaml:1:1: rounds: must be given: How many rounds are run.\n" },
    { "a key of a later version is unknown", "seed: 1", "privacy: {unit: gateway}",
      "air.yaml:25:1: privacy: unknown key; known here: job, data, model, training, rounds, cohort, strategy, evaluate, "
      "keep, seed\n" },
    { "so is one in the model", "  loss: mse\n", "  loss: mse\n  seed: 1\n",
      "air.yaml:20:3: model.seed: unknown key; known here: freeze, personal, start, layers, loss, losses\n" },
    { "a layer that is not there to freeze", "  loss: mse\n", "  loss: mse\n  freeze: [1.dense, x]\n",
      "air.yaml:20:21: model.freeze[1]: \"x\" is not the name of a layer; known here: 0.flatten, 1.dense, 2.relu, 3.dense\n" },
    { "one that is nearly there, alone", "  loss: mse\n", "  loss: mse\n  personal: 1.dens\n",
      "air.yaml:20:13: model.personal: \"1.dens\" is not the name of a layer; did you mean \"1.dense\"?\n" },
    { "a start without a file", "  loss: mse\n", "  loss: mse\n  start: \"\"\n",
      "air.yaml:20:10: model.start: no file is named\n" },
    { "a start that says no file", "  loss: mse\n", "  loss: mse\n  start: {fresh: [1.dense]}\n",
      "air.yaml:20:10: model.start.file: must be given: The safetensors file, of Wardmote or of PyTorch; its path "
      "begins in the job's folder.\n" },
    { "a fresh layer that is not there", "  loss: mse\n", "  loss: mse\n  start: {file: a, fresh: [1.dens]}\n",
      "air.yaml:20:28: model.start.fresh[0]: \"1.dens\" is not the name of a layer; did you mean \"1.dense\"?\n" },
    { "a fresh layer that is each client's", "  loss: mse\n",
      "  loss: mse\n  personal: 3.dense\n  start: {file: a, fresh: 3.dense}\n",
      "air.yaml:21:27: model.start.fresh: \"3.dense\" is personal: it begins by its initialiser anyway; leave it out "
      "here\n" },
    { "a start whose sum is none", "  loss: mse\n", "  loss: mse\n  start: {file: a, parameters: abc}\n",
      "air.yaml:20:32: model.start.parameters: is no SHA-256, of 64 hexadecimal digits; leave it out, and it is written "
      "for you\n" },
    { "a layer that is each client's and nobody's", "  loss: mse\n",
      "  loss: mse\n  personal: 3.dense\n  freeze: [1.dense, 3.dense]\n",
      "air.yaml:21:21: model.freeze[1]: model.personal names \"3.dense\" too; a layer is trained by each client, or by "
      "none\n" },
    { "a mapping where names belong", "  loss: mse\n", "  loss: mse\n  freeze: [{dense: 64}]\n",
      "air.yaml:20:12: model.freeze[0]: a mapping stands here, where the name of a layer belongs\n" },
    { "an undeclared column", "[PM2.5, TEMP, wd, hour]", "[PM2.5, TMEP, wd, hour]",
      "air.yaml:12:11: data.inputs.past: \"TMEP\" is not one of data.columns; did you mean \"TEMP\"?\n" },
    { "a column twice", "[PM2.5, TEMP, wd, hour]", "[PM2.5, PM2.5]",
      "air.yaml:12:11: data.inputs.past: the column \"PM2.5\" is there twice\n" },
    { "no columns at all", "[PM2.5, TEMP, wd, hour]", "[]",
      "air.yaml:12:30: data.inputs.past.window.columns: the list is empty; at least one is needed\n" },
    { "a window without a length", ", length: 24", "",
      "air.yaml:12:20: data.inputs.past.window.length: must be given: How many steps back, the present one included.\n" },
    { "an input that is two things", "length: 24}}", "length: 24}, pixels: [2, 2]}",
      "air.yaml:12:11: data.inputs.past: an input is one of window, at and pixels\n" },
    { "an input that is nothing", "{window: {columns: [PM2.5, TEMP, wd, hour], length: 24}}", "{}",
      "air.yaml:12:11: data.inputs.past: an input is one of window, at and pixels\n" },
    { "an image of one side", "{window: {columns: [PM2.5, TEMP, wd, hour], length: 24}}", "{pixels: [28]}",
      "air.yaml:12:20: data.inputs.past.pixels: an image is [height, width] or [height, width, channels]\n" },
    { "columns beside a window", "length: 24}}", "length: 24}, columns: [wd]}",
      "air.yaml:12:11: data.inputs.past: `columns` stands beside `at`; those of a window stand inside it\n" },
    { "at without columns", "{window: {columns: [PM2.5, TEMP, wd, hour], length: 24}}", "{at: target}",
      "air.yaml:12:11: data.inputs.past: `at` needs the `columns` that it takes\n" },
    { "the target shown at its own time", "{window: {columns: [PM2.5, TEMP, wd, hour], length: 24}}",
      "{at: target, columns: [PM2.5]}",
      "air.yaml:14:11: data.targets.pm25: the input \"past\" shows \"PM2.5\" at the target's own time; take it out\n" },
    { "an input with a name of two words", "    past: {", "    the past: {",
      "air.yaml:12:5: data.inputs.the past: \"the past\" does not do as the name of an input: a letter, then letters, "
      "digits, _ and -, 63 at most\n" },
    { "inputs that are a list", "    past: {window: {columns: [PM2.5, TEMP, wd, hour], length: 24}}", "    - past",
      "air.yaml:12:5: data.inputs: a list stands here, where a mapping from names to inputs belongs\n" },
    { "federated scaling without a range", "TEMP:  {range: [-40, 60]}", "TEMP:  {}",
      "air.yaml:8:5: data.columns.TEMP: federated scaling needs a range, such as range: [0, 1000]; or say scale: client\n" },
    { "a range upside down", "[-40, 60]", "[60, -40]",
      "air.yaml:8:12: data.columns.TEMP: the range's lower end 60 is not below its upper end -40\n" },
    { "a range of one number", "[-40, 60]", "[60]",
      "air.yaml:8:12: data.columns.TEMP: a range has two ends, as in [0, 1000], not 1\n" },
    { "a compass of twelve points", "{compass: 16}", "{compass: 12}",
      "air.yaml:9:12: data.columns.wd: a compass has 4, 8 or 16 points, not 12\n" },
    { "a compass that is a cycle", "{compass: 16}", "{compass: 16, cycle: 24h}",
      "air.yaml:9:12: data.columns.wd: a column is one of compass, cycle, categories and alphabet, not more\n" },
    { "a compass with a range", "{compass: 16}", "{compass: 16, range: [0, 1]}",
      "air.yaml:9:12: data.columns.wd: a range is for a column of numbers\n" },
    { "a line between directions", "{compass: 16}", "{compass: 16, missing: linear}",
      "air.yaml:9:12: data.columns.wd: a line can be drawn between numbers only; fill with the last value\n" },
    { "a scaled compass", "{compass: 16}", "{compass: 16, scale: client}",
      "air.yaml:9:12: data.columns.wd: only a column of numbers is scaled\n" },
    { "a category twice", "{compass: 16}", "{categories: [n, s, n]}",
      "air.yaml:9:12: data.columns.wd: the category \"n\" is there twice\n" },
    { "one category", "{compass: 16}", "{categories: n}",
      "air.yaml:9:12: data.columns.wd: one category says nothing; give two or more, or other: true for all "
      "other words\n" },
    { "other words of no list", "{range: [-40, 60]}", "{range: [-40, 60], other: true}",
      "air.yaml:8:12: data.columns.TEMP: `other` and `index` are for categories\n" },
    { "an alphabet of one letter", "{compass: 16}", "{alphabet: n}",
      "air.yaml:9:12: data.columns.wd: an alphabet has two characters or more\n" },
    { "a letter twice", "{compass: 16}", "{alphabet: nsn}",
      "air.yaml:9:12: data.columns.wd: the character \"n\" is in the alphabet twice\n" },
    { "a letter that is not ASCII", "{compass: 16}", "{alphabet: \"n\xc3\xbc\"}",
      "air.yaml:9:12: data.columns.wd: the alphabet has a character that is not ASCII\n" },
    { "an alphabet that is a compass", "{compass: 16}", "{compass: 16, alphabet: ns}",
      "air.yaml:9:12: data.columns.wd: a column is one of compass, cycle, categories and alphabet, not more\n" },
    { "the logarithm of a direction", "{compass: 16}", "{compass: 16, transform: log}",
      "air.yaml:9:12: data.columns.wd: only a column of numbers has a transform\n" },
    { "a target in logarithms", "missing: {fill: last, limit: 6, mask: true}", "transform: log",
      "air.yaml:14:11: data.targets.pm25: the column \"PM2.5\" is transformed, and errors would be told in its "
      "logarithm; predict a column without a transform\n" },
    { "a horizon in time and in rows", "ahead: 6h", "ahead: 6h, steps: 6",
      "air.yaml:14:11: data.targets.pm25: has `ahead` and `steps`; one of them says it\n" },
    { "rows that fall", "ahead: 6h", "steps: [2, 1]",
      "air.yaml:14:11: data.targets.pm25: the horizons of `steps` must rise\n" },
    { "an alarm of two levels", "ahead: 6h", "ahead: 6h, above: [1, 2]",
      "air.yaml:14:11: data.targets.pm25: an alarm has one level; give each `above` a target of its own\n" },
    { "an alarm of three classes", "ahead: 6h", "ahead: 6h, above: 1, classes: 3",
      "air.yaml:14:11: data.targets.pm25: `above` makes two classes of a number; leave `classes` out\n" },
    { "an alarm of two horizons", "ahead: 6h", "ahead: [6h, 7h], above: 1",
      "air.yaml:14:11: data.targets.pm25: a class is predicted for one horizon; give each a target of its own\n" },
    { "within what is no column", "  scale: federated\n",
      "  scale: federated\n  examples: {every: 2, within: day}\n",
      "air.yaml:16:32: data.examples.within: \"day\" is not one of data.columns; known here: PM2.5, TEMP, wd, hour\n" },
    { "every none", "  scale: federated\n", "  scale: federated\n  examples: 0\n",
      "air.yaml:16:13: data.examples: \"0\" is out of range: it must be from 1 to 1000000\n" },
    { "events at a step", "Asia/Shanghai}", "Asia/Shanghai, events: true, step: 1h}",
      "air.yaml:5:9: data.time: `events` come when they come; leave `step` and `start` out\n"
      "air.yaml:14:11: data.targets.pm25: `ahead` needs readings at a regular distance; count events with `steps`\n" },
    { "a start beside columns", "Asia/Shanghai}", "Asia/Shanghai, start: \"2013-03-01\", step: 1h}",
      "air.yaml:5:9: data.time: has `start`, which is for readings without a column of times, and columns\n" },
    { "a start without a step", "{columns: [year, month, day, hour], zone", "{start: \"2013-03-01\", zone",
      "air.yaml:5:9: data.time: `start` says when the first row was; give `step` for those after it\n" },
    { "a start that is no time", "{columns: [year, month, day, hour], zone", "{start: \"1 March\", step: 1h, zone",
      "air.yaml:5:9: data.time: start \"1 March\" is not a time such as 2012-03-01 00:00\n" },
    { "shares of the other owners that are too much", "{time: [0.7, 0.1, 0.2]}",
      "{owners: {names: [dongsi], shares: [1, 0, 1]}}",
      "air.yaml:16:19: data.split.owners: the shares sum to 2, not to 1\n" },
    { "a filled cycle", "{cycle: 24h}", "{cycle: 24h, missing: last}",
      "air.yaml:10:12: data.columns.hour: a cycle follows from the time and is never missing\n" },
    { "a mask of nothing", "{range: [-40, 60]}", "{range: [-40, 60], missing: {fill: none, mask: true}}",
      "air.yaml:8:12: data.columns.TEMP: a mask says what was filled, and nothing is filled here\n" },
    { "missing does not say how", "{range: [-40, 60]}", "{range: [-40, 60], missing: {limit: 3}}",
      "air.yaml:8:40: data.columns.TEMP.missing.fill: must be given: What stands in for it: the last value, a line from "
      "the last to the next, zero, or none: the gap stays a gap.\n" },
    { "a target that is no column", "column: PM2.5", "column: PM25",
      "air.yaml:14:11: data.targets.pm25: \"PM25\" is not one of data.columns; did you mean \"PM2.5\"?\n" },
    { "a target that is a direction", "{column: PM2.5, ahead: 6h", "{column: wd, ahead: 6h",
      "air.yaml:14:11: data.targets.pm25: the column \"wd\" is a compass; numbers and categories can be predicted\n" },
    { "no horizon without a time", "  time: {columns: [year, month, day, hour], zone: Asia/Shanghai}\n", "",
      "air.yaml:13:11: data.targets.pm25: `ahead` needs readings with a time: give data.time, or count rows with `steps`\n" },
    { "horizons that fall", "ahead: 6h", "ahead: [6h, 3h]",
      "air.yaml:14:11: data.targets.pm25: the horizons of `ahead` must rise\n" },
    { "a change from now to now", "ahead: 6h", "difference: true",
      "air.yaml:14:11: data.targets.pm25: `difference` is the change until a horizon: give `ahead`\n" },
    { "a rule for missing targets that is none", "missing: skip", "missing: guess",
      "air.yaml:14:47: data.targets.pm25.missing: \"guess\" is not skip\n" },
    { "two columns are no time", "[year, month, day, hour]", "[day, hour]",
      "air.yaml:5:9: data.time: 2 columns do not make a time; give one, or year, month, day, hour, or these and minute\n" },
    { "a time twice", "{columns: [year, month, day, hour]", "{column: t, columns: [t]",
      "air.yaml:5:9: data.time: has `column` and `columns`; one of them says it\n" },
    { "a zone that leaves its folder", "Asia/Shanghai", "../../etc/passwd",
      "air.yaml:5:9: data.time: \"../../etc/passwd\" is not the name of a time zone, such as Europe/Berlin\n" },
    { "shares that are too much", "[0.7, 0.1, 0.2]", "[0.7, 0.2, 0.2]",
      "air.yaml:16:17: data.split.time: the shares sum to 1.1, not to 1\n" },
    { "two shares", "[0.7, 0.1, 0.2]", "[0.7, 0.3]",
      "air.yaml:16:17: data.split.time: there are three shares: training, validation, test; not 2\n" },
    { "nothing to train on", "[0.7, 0.1, 0.2]", "[0, 0.5, 0.5]",
      "air.yaml:16:17: data.split.time: the first share is 0: nothing is left for training\n" },
    { "a split that nobody knows", "{time: [0.7, 0.1, 0.2]}", "{tiem: [0.7, 0.1, 0.2]}",
      "air.yaml:16:11: data.split: \"tiem\" is not a known split; did you mean \"time\"?\n" },
    { "a pattern with a folder", "{time: [0.7, 0.1, 0.2]}", "{files: ../t10k-*}",
      "air.yaml:16:18: data.split.files: a pattern is for the file's name alone; leave the folders out\n" },
    { "shares of the rest that are too much", "{time: [0.7, 0.1, 0.2]}", "{files: {test: t10k-*, shares: [1, 1, 0]}}",
      "air.yaml:16:18: data.split.files: the shares sum to 2, not to 1\n" },
    { "a scale that nobody knows", "scale: federated", "scale: global",
      "air.yaml:15:10: data.scale: \"global\" is not federated, client or none\n" },
    { "a layer that nobody knows", "{dense: 64}", "{desne: 64}",
      "air.yaml:18:22: model.layers[1]: \"desne\" is not a known layer; did you mean \"dense\"?\n" },
    { "a layer without units", "{dense: 64}", "dense",
      "air.yaml:18:21: model.layers[1].dense.units: must be given: Outputs.\n" },
    { "a layer that is only a name", "{dense: 64}", "{name: x}",
      "air.yaml:18:21: model.layers[1]: does not say which layer it is, as in {dense: 64}\n" },
    { "a layer that is two layers", "{dense: 64}", "{dense: 64, relu: }",
      "air.yaml:18:21: model.layers[1]: a layer is written name or {name: {options}}; this mapping has 2 keys\n" },
    { "a layer with something beside it that nobody knows", "{dense: 64}", "{dense: 64, initail: x}",
      "air.yaml:18:33: model.layers[1]: \"initail\" is no kind of layer, and no option beside one; did you mean "
      "\"initial\"?\n" },
    { "layers that are none", "[flatten, {dense: 64}, relu, {dense: 1}]", "[]",
      "air.yaml:18:11: model.layers: the list is empty; at least one is needed\n" },
    { "layers that are one", "[flatten, {dense: 64}, relu, {dense: 1}]", "flatten",
      "air.yaml:18:11: model.layers: \"flatten\" stands here, where a list of layers belongs\n" },
    { "from a layer that comes later", "[flatten, {dense: 64}", "[{from: b, flatten: }, {name: b, dense: 64}",
      "air.yaml:18:12: model.layers[0]: \"b\" is neither an input nor a layer before this one; known here: past\n" },
    { "two layers of a name", "[flatten, {dense: 64}", "[{name: a, flatten: }, {name: a, dense: 64}",
      "air.yaml:18:34: model.layers[1]: another layer has the name \"a\"\n" },
    { "a layer with an input's name", "[flatten, {dense: 64}", "[flatten, {name: past, dense: 64}",
      "air.yaml:18:21: model.layers[1]: an input has the name \"past\"\n" },
    { "a second input that nobody takes", "  targets:\n", "    now: {at: target, columns: [hour]}\n  targets:\n",
      "air.yaml:12:5: data.inputs.past: no layer takes it; name it in a layer's `from`, or leave it out\n"
      "air.yaml:13:5: data.inputs.now: no layer takes it; name it in a layer's `from`, or leave it out\n"
      "air.yaml:19:12: model.layers[0]: there are 2 inputs; say `from` which this layer takes\n" },
    { "no loss", "  loss: mse\n", "", "air.yaml:18:3: model: says neither `loss` (for one target) nor `losses`\n" },
    { "loss and losses", "  loss: mse\n", "  loss: mse\n  losses: {pm25: mse}\n",
      "air.yaml:20:11: model.losses: `loss` is given too; one of them says it\n" },
    { "a loss for a target that is not there", "  loss: mse\n", "  losses: {pm10: mse}\n",
      "air.yaml:19:12: model.losses.pm10: \"pm10\" is not one of data.targets; did you mean \"pm25\"?\n" },
    { "one loss for two targets", "  scale: federated\n",
      "    temp: {column: TEMP, ahead: 6h}\n  scale: federated\n",
      "air.yaml:20:9: model.loss: there are 2 targets; write losses: {NAME: loss, ...} with each of their names\n" },
    { "a weight below zero", "  loss: mse\n", "  loss: {mse: {weight: -1}}\n",
      "air.yaml:19:24: model.loss.mse.weight: \"-1\" is out of range: it must be from 1e-09 to 1000000000\n" },
    { "a rate that is not given", "rate: 0.05, ", "",
      "air.yaml:20:11: training.rate: must be given: The learning rate: a number, or a schedule over the rounds.\n" },
    { "a rate below zero", "rate: 0.05", "rate: -0.05",
      "air.yaml:20:34: training.rate.constant: \"-0.05\" is out of range: it must be from 1e-12 to 100\n" },
    { "a batch of nothing", "batch: 32", "batch: 0",
      "air.yaml:20:47: training.batch: \"0\" is out of range: it must be from 1 to 65536\n" },
    { "a deadline without a unit", "deadline: 60s", "deadline: 60",
      "air.yaml:22:46: cohort.deadline: \"60\" has no unit; write 60s, 60m or 60h\n" },
    { "a deadline of no time", "deadline: 60s", "deadline: 0",
      "air.yaml:22:46: cohort.deadline: \"0\" is out of range: it must be from 100ms to 30d\n" },
    { "no metrics", "metrics: [rmse, mae]", "metrics: []",
      "air.yaml:24:31: evaluate.metrics: the list is empty; at least one is needed\n" },
    { "a metric that nobody knows", "[rmse, mae]", "[rmse, mea]",
      "air.yaml:24:38: evaluate.metrics[1]: \"mea\" is not a known metric; did you mean \"mae\"?\n" },
    { "a baseline that nobody knows", "pooled]", "pool]",
      "air.yaml:24:70: evaluate.baselines[2]: \"pool\" is not naive, alone, pooled or tuned\n" },
    { "a seed below zero", "seed: 1", "seed: -1",
      "air.yaml:25:7: seed: \"-1\" is out of range: it must be 0 or more\n" },
    { "a file that is a word", example, "hello\n",
      "air.yaml:1:1: \"hello\" stands here, where a mapping of options belongs\n" },
};

/* *ret: the caller's to free. */
static char *replaced(const char *text, const char *passage, const char *instead)
{
    const char *at = strstr(text, passage);
    size_t      size = strlen(text) + strlen(instead) + 1;
    char       *ret = malloc(size);

    assert_non_null(at);
    assert_non_null(ret);
    snprintf(ret, size, "%.*s%s%s", (int)(at - text), text, instead, at + strlen(passage));
    return ret;
}

static void test_faults(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char     *text = replaced(example, bad[i].passage, bad[i].instead);
        wm_faults faults;
        wm_job   *job = NULL;
        wm_status st = parse(text, NULL, 0, &faults, &job);

        if (strcmp(wm_text_chars(&faults.lines), bad[i].want) != 0)
            print_error(" got: %swant: %s", wm_text_chars(&faults.lines), bad[i].want);
        assert_case(bad[i].says, strcmp(wm_text_chars(&faults.lines), bad[i].want) == 0);
        assert_case(bad[i].says, st == WM_E_INVALID && job == NULL);
        wm_faults_release(&faults);
        free(text);
    }
}

static const struct {
    const char *says, *passage, *instead, *want;
} bad_river[] = {
    { "a target without a loss", "    alarm: {cross_entropy: {weight: 0.2}}\n", "",
      "air.yaml:24:5: model.losses: the target \"alarm\" has no loss\n" },
    { "two targets of one head", "{name: rise, from: trunk, dense: 6}", "relu",
      NULL }, /* rise falls back to the last layer, which is alarm's */
    { "categories and classes that differ", "{column: flag, missing: skip}", "{column: flag, classes: 3}",
      "air.yaml:15:12: data.targets.alarm: 3 classes, but the column \"flag\" has 2 categories\n" },
    { "several horizons of a category", "{column: flag, missing: skip}", "{column: flag, ahead: [1h, 2h]}",
      "air.yaml:15:12: data.targets.alarm: a category is predicted for one horizon; give each a target of its own\n" },
    { "classes with a difference", "difference: true", "difference: true, classes: 4",
      "air.yaml:14:12: data.targets.rise: classes have no `difference`\n"
      "air.yaml:14:12: data.targets.rise: a class is predicted for one horizon; give each a target of its own\n" },
    { "steps in time without a time", "  time: {column: t}\n", "",
      "air.yaml:10:11: data.inputs.past: `every` needs readings with a time: give data.time\n"
      "air.yaml:13:12: data.targets.rise: `ahead` needs readings with a time: give data.time, or count rows with `steps`\n" },
};

static void test_faults_of_several_targets(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_river / sizeof *bad_river; i++) {
        const char *want =
            bad_river[i].want != NULL
                ? bad_river[i].want
                : "air.yaml:24:5: model.losses: \"rise\" and \"alarm\" would both be predicted by the "
                  "layer \"alarm\"; give each a layer of its name\n";
        char     *text = replaced(river, bad_river[i].passage, bad_river[i].instead);
        wm_faults faults;
        wm_job   *job = NULL;

        parse(text, NULL, 0, &faults, &job);
        if (strcmp(wm_text_chars(&faults.lines), want) != 0)
            print_error(" got: %swant: %s", wm_text_chars(&faults.lines), want);
        assert_case(bad_river[i].says, strcmp(wm_text_chars(&faults.lines), want) == 0);
        wm_faults_release(&faults);
        free(text);
    }
}

static void test_every_fault_in_one_go(void **state)
{
    static const char text[] = "job: Air\n"
                               "data:\n"
                               "  columns: {a: {range: [1, 0]}}\n"
                               "  inputs: {past: {window: {columns: [b], length: many}}}\n"
                               "  targets: {t: {column: a}}\n"
                               "  split: {time: [1]}\n"
                               "model: {layers: [desne, {dense: 0}], loss: mes}\n"
                               "training: {rate: x, bach: 3}\n"
                               "evaluate: {metrics: [rsme]}\n";
    wm_faults         faults;
    wm_job           *job = NULL;

    (void)state;
    assert_int_equal(parse(text, NULL, 0, &faults, &job), WM_E_INVALID);
    assert_string_equal(
        wm_text_chars(&faults.lines),
        "air.yaml:1:1: rounds: must be given: How many rounds are run.\n"
        "air.yaml:1:6: job: \"Air\" does not do as a name: lower-case letters, digits and -, 63 at "
        "most\n"
        "air.yaml:3:16: data.columns.a: the range's lower end 1 is not below its upper end 0\n"
        "air.yaml:4:18: data.inputs.past: \"b\" is not one of data.columns; known here: a\n"
        "air.yaml:4:50: data.inputs.past.window.length: \"many\" is not a whole number\n"
        "air.yaml:6:17: data.split.time: there are three shares: training, validation, test; not 1\n"
        "air.yaml:7:18: model.layers[0]: \"desne\" is not a known layer; did you mean \"dense\"?\n"
        "air.yaml:7:33: model.layers[1].dense: \"0\" is out of range: it must be from 1 to 1000000\n"
        "air.yaml:7:44: model.loss: \"mes\" is not a known loss; did you mean \"mse\"?\n"
        "air.yaml:8:18: training.rate: \"x\" is not a known schedule; known here: constant, halving\n"
        "air.yaml:8:21: training.bach: unknown key; did you mean \"batch\"?\n"
        "air.yaml:9:22: evaluate.metrics[0]: \"rsme\" is not a known metric; did you mean \"rmse\"?\n");
    wm_faults_release(&faults);
}

/* Every truncation, and every byte replaced by some that mean something to YAML: a job or faults, and nothing else. */
static void test_damaged_files(void **state)
{
    static const char spoilers[] = {
        '\0', '\n', '\t', '{', '}', '[', ':', '-', '"', '&', '*', '!', '%', '\xf8', '9'
    };
    size_t   n = strlen(example);
    char    *text = malloc(n);
    wm_error err;

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < n; i++) {
        for (size_t s = 0; s <= sizeof spoilers; s += i % 7 + 1) {
            wm_faults faults;
            wm_job   *job = NULL;
            size_t    length = s == 0 ? i : n;
            wm_status st;

            memcpy(text, example, n);
            if (s > 0)
                text[i] = spoilers[s - 1];
            wm_faults_init(&faults, "a");
            st = wm_job_parse("a", text, length, &test_families, NULL, 0, &faults, &job, &err);
            assert_true(st == WM_OK ? job != NULL && faults.count == 0
                                    : st == WM_E_INVALID && job == NULL && faults.count > 0);
            wm_job_free(job);
            wm_faults_release(&faults);
        }
    }
    free(text);
}

/* Many wrong names among many right ones must not take long: beyond what is shown, faults are only counted. */
static void test_a_hostile_list_of_columns(void **state)
{
    wm_text   text = WM_TEXT_INIT;
    wm_faults faults;
    wm_job   *job = NULL;

    (void)state;
    wm_text_add(&text, "job: a\ndata:\n  columns: {");
    for (int i = 0; i < 1500; i++)
        wm_text_printf(&text, "column-number-%d: , ", i);
    wm_text_add(&text, "}\n  inputs: {x: {window: {length: 1, columns: [");
    for (int i = 0; i < 5000; i++)
        wm_text_printf(&text, "colunm-number-%d, ", i);
    wm_text_add(&text, "]}}}\n");
    assert_int_equal(parse(text.chars, NULL, 0, &faults, &job), WM_E_INVALID);
    assert_true(faults.count > 5000);
    wm_faults_release(&faults);
    wm_text_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_faults_of_several_targets),
        cmocka_unit_test(test_every_fault_in_one_go),
        cmocka_unit_test(test_damaged_files),
        cmocka_unit_test(test_a_hostile_list_of_columns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
