/* common/job/layers.c
 *
 * model.layers and model.loss(es): a chain unless `from` says otherwise. Whether shapes fit is the models' to say;
 * here names are resolved, and only backwards, so that the graph has no circle. */
#include "common/job/draft.h"
#include "common/job/tables.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

typedef struct layer_draft {
    const char *name;
    wm_words    from;
    wm_choice   initial;
} layer_draft;

static const wm_option layer_options[] = {
    { .name = "name",
      .kind = WM_WORD,
      .offset = offsetof(layer_draft, name),
      .optional = true,
      .doc =
          "What others call it in `from`; a layer with a target's name predicts that target. Without it, place and "
          "kind: 1.dense." },
    { .name = "from",
      .kind = WM_WORDS,
      .offset = offsetof(layer_draft, from),
      .optional = true,
      .doc = "Layers before it, or inputs, that it takes; without it the layer before, or the only input." },
    { .name = "initial",
      .kind = WM_MEMBER,
      .offset = offsetof(layer_draft, initial),
      .family = offsetof(wm_job_families, initialisers),
      .says = "an initialiser",
      .optional = true,
      .doc =
          "How its weights begin, or those of all layers in a block; without it as is usual for its kind. Biases "
          "and scales begin as always." },
};

const wm_member wm_job_layer_table = {
    .name = "layer",
    .doc = "What may stand beside a layer's own key: {name: x, from: past, dense: 64}.",
    .options = layer_options,
    .n_options = sizeof layer_options / sizeof *layer_options,
    .options_size = sizeof(layer_draft),
};

static const wm_job_layer *find_layer(const wm_job_draft *draft, const char *name)
{
    for (size_t i = 0; i < draft->job.model.n_layers; i++)
        if (strcmp(draft->job.model.layers[i].name, name) == 0)
            return &draft->job.model.layers[i];
    return NULL;
}

static bool is_input(const wm_job_draft *draft, const char *name)
{
    for (size_t i = 0; i < draft->job.data.n_inputs; i++)
        if (strcmp(draft->job.data.inputs[i].name, name) == 0)
            return true;
    return false;
}

static const char *const keys[] = { "name", "from", "initial" };

/* Of several keys that are none of `keys`: those that are no kind of layer either. True: there are such. */
static bool fault_strange_keys(wm_job_draft *draft, const wm_yaml *rest, const char *path)
{
    bool found = false;

    for (const wm_yaml *node = rest->first; rest->count > 1 && node != NULL; node = node->next)
        if (wm_family_find(draft->families->layers, node->key) == NULL) {
            wm_fault_unknown(&draft->reader, node->key_place, path, "is no kind of layer, and no option beside one",
                             node->key, keys, 3);
            found = true;
        }
    return found;
}

/* Splits {name, from, initial, KIND: options} in two; *kind is NULL after a fault. */
static void split_entry(wm_job_draft *draft, const wm_yaml *node, const char *path, layer_draft *beside,
                        const wm_yaml **kind)
{
    const wm_yaml *own = wm_yaml_only(node, keys, 3, draft->reader.arena);
    const wm_yaml *rest = wm_yaml_without(node, keys, 3, draft->reader.arena);

    *kind = NULL;
    if (own == NULL || rest == NULL) {
        draft->reader.full = true;
        return;
    }
    wm_table_read(&draft->reader, &wm_job_layer_table, own, node->place, path, beside);
    if (rest->count == 0)
        wm_faults_add(draft->reader.faults, node->place, path, "does not say which layer it is, as in {dense: 64}");
    else if (!fault_strange_keys(draft, rest, path))
        *kind = rest;
}

static const char *name_by_place(wm_reader *reader, size_t i, const wm_choice *choice)
{
    const char *kind = choice->member != NULL ? choice->member->name : "";
    size_t      size = strlen(kind) + 24;
    char       *name = wm_reader_alloc(reader, size, 1);

    if (name != NULL)
        snprintf(name, size, "%zu.%s", i, kind);
    return name;
}

static void check_layer_name(wm_job_draft *draft, const char *name, wm_place place, const char *path)
{
    if (!wm_job_check_name(&draft->reader, name, place, path, "a layer"))
        return;
    if (find_layer(draft, name) != NULL)
        wm_faults_add(draft->reader.faults, place, path, "another layer has the name \"%s\"", name);
    if (is_input(draft, name))
        wm_faults_add(draft->reader.faults, place, path, "an input has the name \"%s\"", name);
}

static void fault_from(wm_job_draft *draft, const char *name, wm_place place, const char *path)
{
    const wm_job *job = &draft->job;
    bool          shown = draft->reader.faults->count < WM_FAULTS_SHOWN; /* as in wm_job_fault_column */
    size_t        n = 0;
    const char  **names;

    names =
        wm_reader_alloc(&draft->reader, shown ? job->data.n_inputs + job->model.n_layers + 1 : 1, sizeof *names);
    if (names == NULL)
        return;
    for (size_t k = 0; shown && k < job->data.n_inputs; k++)
        names[n++] = job->data.inputs[k].name;
    for (size_t k = 0; shown && k < job->model.n_layers; k++)
        names[n++] = job->model.layers[k].name;
    wm_fault_unknown(&draft->reader, place, path, "is neither an input nor a layer before this one", name, names,
                     n);
}

/* `from` names what stands before: the layers up to here, and the inputs. */
static void check_from(wm_job_draft *draft, const wm_words *from, wm_place place, const char *path)
{
    for (size_t i = 0; i < from->count; i++)
        if (find_layer(draft, from->items[i]) == NULL && !is_input(draft, from->items[i]))
            fault_from(draft, from->items[i], place, path);
}

static void read_layer(wm_job_draft *draft, const wm_yaml *node, size_t i, wm_job_layer *ret)
{
    wm_reader     *reader = &draft->reader;
    const char    *path = wm_path_item(reader, "model.layers", i);
    layer_draft    beside = { 0 };
    const wm_yaml *kind = node;

    if (node->kind == WM_YAML_MAP)
        split_entry(draft, node, path, &beside, &kind);
    if (kind != NULL)
        wm_choice_read(reader, draft->families->layers, kind, path, &ret->layer);
    if (beside.name != NULL)
        check_layer_name(draft, beside.name, node->place, path);
    check_from(draft, &beside.from, node->place, path);
    if (i == 0 && beside.from.count == 0 && draft->job.data.n_inputs > 1)
        wm_faults_add(reader->faults, node->place, path, "there are %zu inputs; say `from` which this layer takes",
                      draft->job.data.n_inputs);
    ret->name = beside.name != NULL ? beside.name : name_by_place(reader, i, &ret->layer);
    ret->from = beside.from;
    ret->initial = beside.initial;
}

/* With several inputs, one that no layer takes is a slip. */
static void check_inputs_used(wm_job_draft *draft)
{
    const wm_job *job = &draft->job;

    for (size_t i = 0; i < job->data.n_inputs && job->data.n_inputs > 1; i++) {
        const wm_job_input *input = &job->data.inputs[i];
        bool                used = false;

        for (size_t k = 0; k < job->model.n_layers; k++)
            used |= wm_words_have(&job->model.layers[k].from, input->name);
        if (!used)
            wm_faults_add(draft->reader.faults, input->place,
                          wm_path_key(&draft->reader, "data.inputs", input->name),
                          "no layer takes it; name it in a layer's `from`, or leave it out");
    }
}

void wm_job_mark_layers(wm_job_draft *draft, const wm_yaml *list, const char *path,
                        void (*mark)(wm_job_draft *draft, wm_job_layer *layer, wm_place place, const char *path))
{
    wm_job_layer *layers = (wm_job_layer *)(uintptr_t)draft->job.model.layers; /* the draft's own */
    size_t        n = draft->job.model.n_layers, i = 0;
    const wm_yaml alone = list != NULL ? *list : (wm_yaml){ 0 };
    const char  **names;
    char          quote[WM_YAML_QUOTE];

    if (list == NULL || n == 0)
        return;
    names = wm_reader_alloc(&draft->reader, n, sizeof *names);
    if (names == NULL)
        return;
    for (size_t k = 0; k < n; k++)
        names[k] = layers[k].name;
    for (const wm_yaml *node = list->kind == WM_YAML_LIST ? list->first : &alone; node != NULL;
         node = list->kind == WM_YAML_LIST ? node->next : NULL, i++) {
        const char *at = list->kind == WM_YAML_LIST ? wm_path_item(&draft->reader, path, i) : path;
        size_t      k = 0;

        if (node->kind != WM_YAML_SCALAR) {
            wm_faults_add(draft->reader.faults, node->place, at,
                          "%s stands here, where the name of a layer belongs", wm_yaml_quote(node, quote));
            continue;
        }
        while (k < n && strcmp(names[k], node->text) != 0)
            k++;
        if (k < n)
            mark(draft, &layers[k], node->place, at);
        else
            wm_fault_unknown(&draft->reader, node->place, at, "is not the name of a layer", node->text, names, n);
    }
}

static void mark_personal(wm_job_draft *draft, wm_job_layer *layer, wm_place place, const char *path)
{
    (void)draft;
    (void)place;
    (void)path;
    layer->personal = true;
}

static void mark_frozen(wm_job_draft *draft, wm_job_layer *layer, wm_place place, const char *path)
{
    if (layer->personal)
        wm_faults_add(draft->reader.faults, place, path,
                      "model.personal names \"%s\" too; a layer is trained by each client, or by none",
                      layer->name);
    layer->frozen = true;
}

void wm_job_read_layers(wm_job_draft *draft)
{
    const wm_yaml *list = draft->layers;
    wm_job_layer  *layers;
    char           quote[WM_YAML_QUOTE];

    if (list == NULL)
        return;
    if (list->kind != WM_YAML_LIST) {
        wm_faults_add(draft->reader.faults, list->place, "model.layers",
                      "%s stands here, where a list of layers belongs", wm_yaml_quote(list, quote));
        return;
    }
    assert(list->count > 0); /* an empty one is not left to us */
    layers = wm_reader_alloc(&draft->reader, list->count, sizeof *layers);
    if (layers == NULL)
        return;
    draft->job.model.layers = layers;
    for (const wm_yaml *node = list->first; node != NULL && !draft->reader.full; node = node->next) {
        size_t i = draft->job.model.n_layers;

        read_layer(draft, node, i, &layers[i]);
        draft->job.model.n_layers += !draft->reader.full; /* then it has no name */
    }
    check_inputs_used(draft);
    wm_job_mark_layers(draft, draft->personal, "model.personal", mark_personal);
    wm_job_mark_layers(draft, draft->freeze, "model.freeze", mark_frozen);
}
