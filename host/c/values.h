/* Values of the contract, for onionskin.c alone. A function takes over the values that it is given. */
#ifndef ONIONSKIN_VALUES_H
#define ONIONSKIN_VALUES_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "onionskin.h"

typedef wasmtime_component_val_t value;

static value text(const char *word) {
    value made = {.kind = WASMTIME_COMPONENT_STRING};
    wasm_name_new_from_string(&made.of.string, word);
    return made;
}

static value word(const char *word) {
    value made = text(word);
    made.kind = WASMTIME_COMPONENT_ENUM;
    return made;
}

static value variant(const char *name, const value *payload) {
    value made = {.kind = WASMTIME_COMPONENT_VARIANT};
    wasm_name_new_from_string(&made.of.variant.discriminant, name);
    value moved;
    made.of.variant.val = payload ? (moved = *payload, wasmtime_component_val_new(&moved)) : NULL;
    return made;
}

static value bytes(const void *data, size_t size) {
    value made = {.kind = WASMTIME_COMPONENT_LIST};
    wasmtime_component_vallist_new_uninit(&made.of.list, size);
    for (size_t at = 0; at < size; at++)
        made.of.list.data[at] = (value){.kind = WASMTIME_COMPONENT_U8, .of.u8 = ((const uint8_t *)data)[at]};
    return made;
}

static value record(size_t size, ...) {
    value made = {.kind = WASMTIME_COMPONENT_RECORD};
    wasmtime_component_valrecord_new_uninit(&made.of.record, size);
    va_list fields;
    va_start(fields, size);
    for (size_t at = 0; at < size; at++) {
        wasm_name_new_from_string(&made.of.record.data[at].name, va_arg(fields, const char *));
        made.of.record.data[at].val = va_arg(fields, value);
    }
    va_end(fields);
    return made;
}

static value copy(const value *original) {
    value made;
    wasmtime_component_val_clone(original, &made);
    return made;
}

static bool is(const wasm_name_t *name, const char *word) {
    return name->size == strlen(word) && !memcmp(name->data, word, name->size);
}

const onionskin_value *onionskin_field(const onionskin_value *of, const char *name) {
    for (size_t at = 0; of && of->kind == WASMTIME_COMPONENT_RECORD && at < of->of.record.size; at++)
        if (is(&of->of.record.data[at].name, name)) {
            const value *found = &of->of.record.data[at].val;
            return found->kind == WASMTIME_COMPONENT_OPTION ? found->of.option : found;
        }
    return NULL;
}

static void words(const value *from, char *to, size_t size) {
    bool has = from && (from->kind == WASMTIME_COMPONENT_ENUM || from->kind == WASMTIME_COMPONENT_STRING);
    snprintf(to, size, "%.*s", has ? (int)from->of.string.size : 0, has ? from->of.string.data : "");
}

static value options_of(const onionskin_options *how) {
    static const onionskin_options defaults;
    how = how ? how : &defaults;
    value unchanged, *payload = NULL;
    if (how->unchanged) unchanged = copy(how->unchanged), payload = &unchanged;
    return record(4, "durability", word(how->durability ? how->durability : "full"), "symlinks",
                  word(how->symlinks ? how->symlinks : "replace"), "when",
                  variant(how->when ? how->when : "none", payload), "if-identical",
                  word(how->if_identical ? how->if_identical : "rewrite"));
}

#endif
