/* common/config/write.c
 *
 * A tree back to YAML, through libyaml's emitter, which knows when a word needs quotes. Depth is bounded by
 * the reader (and by settings, which go through it), so the recursion is too. */
#include "common/config/document.h"

#include <assert.h>
#include <string.h>
#include <yaml.h>

static int take_bytes(void *text, unsigned char *bytes, size_t n)
{
    wm_text_add_bytes(text, bytes, n);
    return !((wm_text *)text)->bad;
}

/* Emitting consumes the event, also when it fails; `made` is what the event's initialiser said. */
static bool emit(yaml_emitter_t *emitter, int made, yaml_event_t *event)
{
    return made && yaml_emitter_emit(emitter, event);
}

static bool write_scalar(yaml_emitter_t *emitter, const char *text, bool quoted)
{
    yaml_event_t event;

    return emit(emitter,
                yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text, (int)strlen(text), 1, 1,
                                             quoted ? YAML_DOUBLE_QUOTED_SCALAR_STYLE : YAML_PLAIN_SCALAR_STYLE),
                &event);
}

static bool write_node(yaml_emitter_t *emitter, const wm_yaml *node)
{
    bool         map = node->kind == WM_YAML_MAP;
    yaml_event_t event;
    int          made;

    if (node->kind == WM_YAML_SCALAR)
        return write_scalar(emitter, wm_yaml_is_empty(node) ? "~" : node->text, node->quoted);
    made = map ? yaml_mapping_start_event_initialize(
                     &event, NULL, NULL, 1, node->flow ? YAML_FLOW_MAPPING_STYLE : YAML_BLOCK_MAPPING_STYLE)
               : yaml_sequence_start_event_initialize(
                     &event, NULL, NULL, 1, node->flow ? YAML_FLOW_SEQUENCE_STYLE : YAML_BLOCK_SEQUENCE_STYLE);
    if (!emit(emitter, made, &event))
        return false;
    for (const wm_yaml *child = node->first; child != NULL; child = child->next)
        if ((map && !write_scalar(emitter, child->key, false)) || !write_node(emitter, child))
            return false;
    made = map ? yaml_mapping_end_event_initialize(&event) : yaml_sequence_end_event_initialize(&event);
    return emit(emitter, made, &event);
}

static bool write_document(yaml_emitter_t *emitter, const wm_yaml *root)
{
    yaml_event_t event;

    return emit(emitter, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING), &event) &&
           emit(emitter, yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1), &event) &&
           write_node(emitter, root) && emit(emitter, yaml_document_end_event_initialize(&event, 1), &event) &&
           emit(emitter, yaml_stream_end_event_initialize(&event), &event);
}

wm_status wm_document_write(const wm_yaml *root, wm_text *ret, wm_error *err)
{
    yaml_emitter_t emitter;
    bool           whole;

    if (!yaml_emitter_initialize(&emitter))
        return wm_fail(err, WM_E_NOMEM, "no memory for writing a configuration file");
    yaml_emitter_set_output(&emitter, take_bytes, ret);
    yaml_emitter_set_unicode(&emitter, 1);
    yaml_emitter_set_width(&emitter, 110);
    whole = write_document(&emitter, root);
    yaml_emitter_delete(&emitter);
    /* The tree was read by libyaml, so the emitter can only fail for want of memory. */
    return whole ? WM_OK : wm_fail(err, WM_E_NOMEM, "no memory for writing a configuration file");
}
