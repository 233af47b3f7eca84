/* Makes the calls that test.py asks for, one a line, and prints the result of each as JSON. The fields of a line are
 * hexadecimal, so that a path or a content may have any byte; `-` is one that is absent. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "onionskin.h"

enum { FIELDS_MAX = 8, SEEN_MAX = 16 };

static onionskin *loaded;
static onionskin_store *store;
static onionskin_writer *writer;
static onionskin_transaction *change;
static struct {
    char *path;
    onionskin_value fingerprint;
} seen[SEEN_MAX];

static char *fields[FIELDS_MAX];
static size_t sizes[FIELDS_MAX];

static void print_text(const char *text, size_t size) {
    putchar('"');
    for (size_t at = 0; at < size; at++) {
        unsigned char byte = (unsigned char)text[at];
        if (byte == '"' || byte == '\\' || byte < 0x20) printf("\\u%04x", byte);
        else putchar(byte);
    }
    putchar('"');
}

static void print_value(const onionskin_value *it) {
    switch (it ? it->kind : WASMTIME_COMPONENT_OPTION) {
    case WASMTIME_COMPONENT_BOOL: fputs(it->of.boolean ? "true" : "false", stdout); break;
    case WASMTIME_COMPONENT_U8: printf("%u", it->of.u8); break;
    case WASMTIME_COMPONENT_U64: printf("%llu", (unsigned long long)it->of.u64); break;
    case WASMTIME_COMPONENT_ENUM:
    case WASMTIME_COMPONENT_STRING: print_text(it->of.string.data, it->of.string.size); break;
    case WASMTIME_COMPONENT_OPTION:
        if (it && it->of.option) print_value(it->of.option);
        else fputs("null", stdout);
        break;
    case WASMTIME_COMPONENT_LIST:
        putchar('[');
        for (size_t at = 0; at < it->of.list.size; at++) {
            if (at) putchar(',');
            print_value(&it->of.list.data[at]);
        }
        putchar(']');
        break;
    case WASMTIME_COMPONENT_RECORD:
        putchar('{');
        for (size_t at = 0; at < it->of.record.size; at++) {
            if (at) putchar(',');
            print_text(it->of.record.data[at].name.data, it->of.record.data[at].name.size);
            putchar(':');
            print_value(&it->of.record.data[at].val);
        }
        putchar('}');
        break;
    default: fputs("null", stdout);
    }
}

static bool reads(char *line) {
    for (int at = 0; at < FIELDS_MAX; at++) free(fields[at]), fields[at] = NULL, sizes[at] = 0;
    line[strcspn(line, "\n")] = '\0';
    for (int at = 0; at < FIELDS_MAX; at++) {
        char *field = strtok(at ? NULL : line, " ");
        if (!field) return at > 0;
        if (!strcmp(field, "-")) continue;
        sizes[at] = strlen(field) / 2;
        if (!strcmp(field, "=")) sizes[at] = 0;
        fields[at] = calloc(1, sizes[at] + 1);
        for (size_t byte = 0; byte < sizes[at]; byte++) {
            unsigned read;
            if (sscanf(field + 2 * byte, "%2x", &read) == 1) fields[at][byte] = (char)read;
        }
    }
    return true;
}

/* The options in four fields, with the fingerprint of the file as it is or was seen first. */
static bool how(int at, const char *path, onionskin_options *options, onionskin_error *error) {
    *options = (onionskin_options){fields[at], fields[at + 1], fields[at + 2], fields[at + 3], NULL, NULL};
    if (!options->when || strncmp(options->when, "as-", 3)) return true;
    bool is_first = !strcmp(options->when, "as-first-seen");
    options->when = "unchanged";
    for (int slot = 0; slot < SEEN_MAX; slot++) {
        if (seen[slot].path && (!is_first || strcmp(seen[slot].path, path))) continue;
        if (!seen[slot].path) {
            if (!onionskin_fingerprint(store, path, &seen[slot].fingerprint, error)) return false;
            seen[slot].path = strdup(path);
        }
        options->unchanged = &seen[slot].fingerprint;
        return true;
    }
    abort();
}

static bool is(const char *word) {
    return !strcmp(fields[0], word);
}

/* Makes the call. A result other than a receipt goes to `value`. */
static bool make(onionskin_receipt *receipt, onionskin_value *value, onionskin_error *error) {
    onionskin_options options;
    const char *path = fields[1];
    if (is("store")) return (store = onionskin_open(loaded, path, fields[2], fields[3], error)) != NULL;
    if (is("end")) {
        if (store) onionskin_close(store);
        store = NULL;
        for (int at = 0; at < SEEN_MAX; at++) {
            if (seen[at].path) wasmtime_component_val_delete(&seen[at].fingerprint);
            free(seen[at].path), seen[at].path = NULL;
        }
        return true;
    }
    if (is("open")) {
        onionskin_store *other = onionskin_open(loaded, path, fields[2], fields[3], error);
        bool done = other && onionskin_recovered(other, value, error);
        if (other) onionskin_close(other);
        return done;
    }
    if (is("probe")) return onionskin_probe(loaded, path, value, error);
    if (is("inspect")) return onionskin_inspect(loaded, path, value, error);
    if (is("break-lock")) return onionskin_break_lock(loaded, path, fields[2], error);
    if (is("fingerprint")) return onionskin_fingerprint(store, path, value, error);
    if (is("replace"))
        return how(3, path, &options, error) &&
               onionskin_replace(store, path, fields[2], sizes[2], &options, receipt, error);
    if (is("replace-json"))
        return how(3, path, &options, error) &&
               onionskin_replace_json(store, path, fields[2], &options, receipt, error);
    if (is("materialize")) return onionskin_materialize(store, path, fields[2], fields[3], receipt, error);
    if (is("writer"))
        return how(2, path, &options, error) && (writer = onionskin_write(store, path, &options, error)) != NULL;
    if (is("chunk")) return onionskin_writer_append(writer, fields[1], sizes[1], error);
    if (is("chunk-from"))
        return onionskin_writer_append_from(writer, path, strtoull(fields[2], NULL, 10), strtoull(fields[3], NULL, 10),
                                            error);
    if (is("writer-commit")) return onionskin_writer_commit(writer, receipt, error);
    if (is("writer-drop")) return onionskin_writer_drop(writer), true;
    if (is("begin")) {
        options = (onionskin_options){.publish = fields[2], .durability = fields[3]};
        return (change = onionskin_begin(store, path, &options, error)) != NULL;
    }
    if (is("put")) return onionskin_put(change, path, fields[2], sizes[2], error);
    if (is("append")) return onionskin_append(change, path, fields[2], sizes[2], error);
    if (is("put-file")) return onionskin_put_file(change, path, fields[2], error);
    if (is("remove")) return onionskin_remove(change, path, error);
    if (is("rename")) return onionskin_rename(change, path, fields[2], error);
    if (is("commit")) return onionskin_commit(change, receipt, error);
    if (is("drop")) return onionskin_drop(change), true;
    abort();
}

int main(int count, char **arguments) {
    onionskin_error error = {0};
    loaded = count > 1 ? onionskin_load(arguments[1], &error) : NULL;
    if (!loaded) {
        fprintf(stderr, "play: %s\n", error.message ? error.message : "usage: play COMPONENT");
        return EXIT_FAILURE;
    }
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, stdin) > 0 && reads(line)) {
        onionskin_receipt receipt = {0};
        onionskin_value value = {.kind = WASMTIME_COMPONENT_OPTION};
        if (!make(&receipt, &value, &error)) {
            fputs("{\"fails\":{\"kind\":", stdout);
            print_text(error.kind, strlen(error.kind));
            fputs(",\"subject\":", stdout);
            print_text(error.subject, strlen(error.subject));
            fputs(",\"message\":", stdout);
            print_text(error.message, strlen(error.message));
            puts("}}");
            onionskin_error_clear(&error);
        } else if (receipt.achieved[0]) {
            printf("{\"gives\":{\"transaction\":%llu,\"applied\":%llu,\"bytes\":%llu,\"achieved\":\"%s\"}}\n",
                   (unsigned long long)receipt.transaction, (unsigned long long)receipt.applied,
                   (unsigned long long)receipt.bytes, receipt.achieved);
        } else {
            fputs("{\"gives\":", stdout);
            print_value(&value);
            puts("}");
            if (value.kind != WASMTIME_COMPONENT_OPTION) wasmtime_component_val_delete(&value);
        }
        fflush(stdout);
    }
    free(line);
    onionskin_unload(loaded);
    return EXIT_SUCCESS;
}
