#define _GNU_SOURCE
#include "onionskin.h"
#include "values.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include <wasi.h>
#include <wasmtime.h>

/* A list takes 32 bytes for each of its bytes: longer content goes through a file that the component may read. */
enum { LIST_BYTES_MAX = 4096, LINKS_MAX = 40, VALUES_MAX = 4 };

struct onionskin {
    wasm_engine_t *engine;
    wasmtime_component_t *component;
    wasmtime_component_linker_t *linker;
};

struct onionskin_store {
    wasmtime_store_t *store;
    wasmtime_context_t *context;
    wasmtime_component_instance_t instance;
    wasmtime_component_val_t this;
    int lock;
    unsigned spooled;
    char root[PATH_MAX], lower[PATH_MAX], spool[32];
};

struct onionskin_writer {
    onionskin_store *of;
    wasmtime_component_val_t this;
};

struct onionskin_transaction {
    onionskin_store *of;
    wasmtime_component_val_t this;
};

/* ---- errors */

static bool fails(onionskin_error *error, const char *kind, const char *subject, const char *message) {
    if (error) {
        snprintf(error->kind, sizeof error->kind, "%s", kind);
        error->subject = strdup(subject);
        error->message = strdup(message);
    }
    return false;
}

static bool fails_by_wasmtime(onionskin_error *error, const char *subject, wasmtime_error_t *cause) {
    wasm_name_t text;
    wasmtime_error_message(cause, &text);
    wasmtime_error_delete(cause);
    char *message = strndup(text.data, text.size);
    wasm_byte_vec_delete(&text);
    fails(error, "host", subject, message);
    free(message);
    return false;
}

void onionskin_error_clear(onionskin_error *error) {
    free(error->subject);
    free(error->message);
    memset(error, 0, sizeof *error);
}

/* ---- calls */

/* Calls a function of an interface, and deletes the arguments. The result is without the cases of `result`. */
static bool call(onionskin_store *in, const char *interface, const char *name, size_t count, value *arguments,
                 value *result, onionskin_error *error) {
    wasmtime_component_export_index_t *outer = wasmtime_component_instance_get_export_index(
        &in->instance, in->context, NULL, interface, strlen(interface));
    wasmtime_component_export_index_t *index =
        outer ? wasmtime_component_instance_get_export_index(&in->instance, in->context, outer, name, strlen(name))
              : NULL;
    wasmtime_component_func_t function;
    bool found = index && wasmtime_component_instance_get_func(&in->instance, in->context, index, &function);
    if (index) wasmtime_component_export_index_delete(index);
    if (outer) wasmtime_component_export_index_delete(outer);
    value returned = {.kind = WASMTIME_COMPONENT_BOOL};
    wasmtime_error_t *trap =
        found ? wasmtime_component_func_call(&function, in->context, arguments, count, &returned, 1) : NULL;
    for (size_t at = 0; at < count; at++) wasmtime_component_val_delete(&arguments[at]);
    if (!found) return fails(error, "host", name, "the component has no such function");
    if (trap) return fails_by_wasmtime(error, name, trap);
    if (returned.kind != WASMTIME_COMPONENT_RESULT) {
        if (result) *result = returned;
        else wasmtime_component_val_delete(&returned);
        return true;
    }
    value *inner = returned.of.result.val;
    bool is_ok = returned.of.result.is_ok;
    if (!is_ok) {
        char kind[24], subject[4096], message[4096];
        words(onionskin_field(inner, "kind"), kind, sizeof kind);
        words(onionskin_field(inner, "subject"), subject, sizeof subject);
        words(onionskin_field(inner, "message"), message, sizeof message);
        fails(error, kind, subject, message);
    } else if (result && inner) {
        *result = copy(inner);
    }
    wasmtime_component_val_delete(&returned);
    return is_ok;
}

#define STORE "onionskin:fs/store@0.1.0"
#define CALL(store, name, result, error, ...)                                                                          \
    call(store, STORE, name, sizeof((value[]){__VA_ARGS__}) / sizeof(value), (value[]){__VA_ARGS__}, result, error)

static bool received(const value *from, onionskin_receipt *receipt) {
    if (receipt) {
        receipt->transaction = onionskin_field(from, "transaction")->of.u64;
        receipt->applied = onionskin_field(from, "applied")->of.u64;
        receipt->bytes = onionskin_field(from, "bytes")->of.u64;
        words(onionskin_field(from, "achieved"), receipt->achieved, sizeof receipt->achieved);
    }
    wasmtime_component_val_delete((value *)from);
    return true;
}

/* Puts content into a file, and returns its name in the component. */
static bool spool(onionskin_store *in, const void *data, size_t size, char name[64], onionskin_error *error) {
    char place[64];
    snprintf(place, sizeof place, "%s/%u", in->spool, ++in->spooled);
    snprintf(name, 64, "/spool/%u", in->spooled);
    FILE *file = fopen(place, "wxe");
    bool written = file && fwrite(data, 1, size, file) == size;
    written = file && !fclose(file) && written;
    return written || fails(error, "host", place, strerror(errno));
}

static void unspool(onionskin_store *in) {
    char place[64];
    snprintf(place, sizeof place, "%s/%u", in->spool, in->spooled);
    unlink(place);
}

/* ---- opening */

onionskin *onionskin_load(const char *wasm, onionskin_error *error) {
    FILE *file = fopen(wasm, "rbe");
    wasm_byte_vec_t code = {0};
    if (file && !fseek(file, 0, SEEK_END)) {
        wasm_byte_vec_new_uninitialized(&code, (size_t)ftell(file));
        rewind(file);
    }
    bool read = file && code.size && fread(code.data, 1, code.size, file) == code.size;
    if (file) fclose(file);
    onionskin *made = calloc(1, sizeof *made);
    wasmtime_error_t *cause = NULL;
    if (!read) fails(error, "host", wasm, strerror(errno));
    else {
        made->engine = wasm_engine_new();
        cause = wasmtime_component_new(made->engine, (uint8_t *)code.data, code.size, &made->component);
        if (!cause) {
            made->linker = wasmtime_component_linker_new(made->engine);
            cause = wasmtime_component_linker_add_wasip2(made->linker);
        }
        if (cause) fails_by_wasmtime(error, wasm, cause);
    }
    wasm_byte_vec_delete(&code);
    if (read && !cause) return made;
    onionskin_unload(made);
    return NULL;
}

void onionskin_unload(onionskin *of) {
    if (of->linker) wasmtime_component_linker_delete(of->linker);
    if (of->component) wasmtime_component_delete(of->component);
    if (of->engine) wasm_engine_delete(of->engine);
    free(of);
}

/* Starts an instance with its grants: the root as `/root`, and for reading `/lower` and `/spool`. */
static onionskin_store *start(onionskin *of, const char *root, const char *lower, onionskin_error *error) {
    onionskin_store *made = calloc(1, sizeof *made);
    made->lock = -1;
    strcpy(made->spool, "/tmp/onionskin-XXXXXX");
    if (!realpath(root, made->root) || (lower && !realpath(lower, made->lower)) || !mkdtemp(made->spool)) {
        fails(error, "host", root, strerror(errno));
        made->spool[0] = '\0';
        onionskin_close(made);
        return NULL;
    }
    wasi_config_t *wasi = wasi_config_new();
    bool granted = wasi_config_preopen_dir(wasi, made->root, "/root", true) &&
                   wasi_config_preopen_dir(wasi, made->spool, "/spool", false) &&
                   (!lower || wasi_config_preopen_dir(wasi, made->lower, "/lower", false));
    made->store = wasmtime_store_new(of->engine, NULL, NULL);
    made->context = wasmtime_store_context(made->store);
    wasmtime_error_t *cause = wasmtime_context_set_wasi(made->context, wasi);
    if (!cause && granted)
        cause = wasmtime_component_linker_instantiate(of->linker, made->context, of->component, &made->instance);
    if (granted && !cause) return made;
    if (cause) fails_by_wasmtime(error, root, cause);
    else fails(error, "host", root, "it cannot be granted");
    onionskin_close(made);
    return NULL;
}

onionskin_store *onionskin_open(onionskin *of, const char *root, const char *lower, const char *token,
                                onionskin_error *error) {
    onionskin_store *made = start(of, root, lower, error);
    if (!made) return NULL;
    value name = text(token ? token : "");
    value owner = token ? variant("lock-file", &name) : variant("host", NULL);
    if (!token) wasmtime_component_val_delete(&name);
    bool locked = token || ((made->lock = open(made->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) >= 0 &&
                            !flock(made->lock, LOCK_EX | LOCK_NB));
    if (!locked) {
        wasmtime_component_val_delete(&owner);
        fails(error, "locked", root, "another owner has this root open");
    } else if (CALL(made, "[static]store.open", &made->this, error, text("/root"),
                    record(2, "owner", owner, "trace", word("off")))) {
        return made;
    }
    onionskin_close(made);
    return NULL;
}

static void drop_resource(onionskin_store *in, value *this) {
    if (this->kind != WASMTIME_COMPONENT_RESOURCE) return;
    wasmtime_error_t *trap = wasmtime_component_resource_any_drop(in->context, this->of.resource);
    /* The next open removes what it left. */
    if (trap) wasmtime_error_delete(trap);
    wasmtime_component_val_delete(this);
}

void onionskin_close(onionskin_store *of) {
    drop_resource(of, &of->this);
    if (of->store) wasmtime_store_delete(of->store);
    if (of->lock >= 0) close(of->lock);
    if (of->spool[0]) rmdir(of->spool);
    free(of);
}

bool onionskin_recovered(onionskin_store *of, onionskin_value *findings, onionskin_error *error) {
    return CALL(of, "[method]store.recovered", findings, error, copy(&of->this));
}

/* ---- links */

static bool materialize_once(onionskin_store *of, const char *path, const char *origin, const char *content,
                             value *result, onionskin_error *error) {
    value from, held;
    return CALL(of, "[method]store.materialize", result, error, copy(&of->this), text(path),
                origin ? (from = text(origin), variant("path", &from)) : variant("link-target", NULL),
                content ? (held = bytes(content, strlen(content)), variant("replace", &held)) : variant("keep", NULL));
}

/* WASI does not let the component read an absolute link. Where one is in the way this host reads it, and returns the name
 * of its target in the component. A target that is not granted makes the error one of a link that leads out. */
static bool is_readable(onionskin_store *in, onionskin_error *error, char origin[PATH_MAX + 8]) {
    if (strcmp(error->kind, "link-unreadable")) return false;
    char place[2 * PATH_MAX], target[PATH_MAX];
    snprintf(place, sizeof place, "%s/%s", in->root, error->subject);
    const char *names[] = {"/root", "/lower"}, *grants[] = {in->root, in->lower};
    for (int at = 0; realpath(place, target) && at < 2; at++) {
        size_t length = strlen(grants[at]);
        if (!length || strncmp(target, grants[at], length) || (target[length] && target[length] != '/')) continue;
        snprintf(origin, PATH_MAX + 8, "%s%s", names[at], target + length);
        return true;
    }
    strcpy(error->kind, "symlink-escapes");
    return false;
}

/* Makes a link that is in the way a file of its own, after which the call can be made again. */
static bool is_resolved(onionskin_store *in, onionskin_error *error) {
    char origin[PATH_MAX + 8];
    if (!is_readable(in, error, origin)) return false;
    char *link = strdup(error->subject);
    onionskin_error_clear(error);
    bool done = materialize_once(in, link, origin, NULL, NULL, error);
    free(link);
    return done;
}

#define RETRYING(in, error, made)                                                                                      \
    onionskin_error own = {0}, *failed = error ? error : &own;                                                         \
    bool done = false;                                                                                                 \
    for (int tries = 0; !(done = (made)) && tries < LINKS_MAX && is_resolved(in, failed); tries++) {}                  \
    if (!error) onionskin_error_clear(&own)

/* ---- one file */

static bool replace_once(onionskin_store *of, const char *path, const void *data, size_t size,
                         const onionskin_options *how, onionskin_receipt *receipt, onionskin_error *error) {
    if (size > LIST_BYTES_MAX) {
        onionskin_writer *writer = onionskin_write(of, path, how, error);
        if (!writer) return false;
        if (onionskin_writer_append(writer, data, size, error)) return onionskin_writer_commit(writer, receipt, error);
        onionskin_writer_drop(writer);
        return false;
    }
    value result;
    return CALL(of, "[method]store.replace", &result, error, copy(&of->this), text(path), bytes(data, size),
                options_of(how)) &&
           received(&result, receipt);
}

bool onionskin_replace(onionskin_store *of, const char *path, const void *data, size_t size,
                       const onionskin_options *how, onionskin_receipt *receipt, onionskin_error *error) {
    RETRYING(of, error, replace_once(of, path, data, size, how, receipt, failed));
    return done;
}

bool onionskin_replace_json(onionskin_store *of, const char *path, const char *json, const onionskin_options *how,
                            onionskin_receipt *receipt, onionskin_error *error) {
    value result;
    RETRYING(of, error,
             CALL(of, "[method]store.replace-json", &result, failed, copy(&of->this), text(path), text(json),
                  options_of(how)));
    return done && received(&result, receipt);
}

bool onionskin_materialize(onionskin_store *of, const char *path, const char *origin, const char *content,
                           onionskin_receipt *receipt, onionskin_error *error) {
    value result;
    onionskin_error own = {0}, *failed = error ? error : &own;
    char target[PATH_MAX + 8];
    bool done = materialize_once(of, path, origin, content, &result, failed);
    if (!done && is_readable(of, failed, target)) {
        onionskin_error_clear(failed);
        done = materialize_once(of, path, target, content, &result, failed);
    }
    if (!error) onionskin_error_clear(&own);
    return done && received(&result, receipt);
}

bool onionskin_fingerprint(onionskin_store *of, const char *path, onionskin_value *found, onionskin_error *error) {
    return CALL(of, "[method]store.fingerprint", found, error, copy(&of->this), text(path), word("digest"));
}

onionskin_writer *onionskin_write(onionskin_store *of, const char *path, const onionskin_options *how,
                                  onionskin_error *error) {
    onionskin_writer *made = calloc(1, sizeof *made);
    made->of = of;
    if (CALL(of, "[method]store.writer", &made->this, error, copy(&of->this), text(path), options_of(how))) return made;
    free(made);
    return NULL;
}

bool onionskin_writer_append_from(onionskin_writer *of, const char *origin, uint64_t offset, uint64_t length,
                                  onionskin_error *error) {
    return CALL(of->of, "[method]writer.write-from", NULL, error, copy(&of->this), text(origin),
                (value){.kind = WASMTIME_COMPONENT_U64, .of.u64 = offset},
                (value){.kind = WASMTIME_COMPONENT_U64, .of.u64 = length});
}

bool onionskin_writer_append(onionskin_writer *of, const void *data, size_t size, onionskin_error *error) {
    if (size <= LIST_BYTES_MAX)
        return CALL(of->of, "[method]writer.write", NULL, error, copy(&of->this), bytes(data, size));
    char name[64];
    bool done = spool(of->of, data, size, name, error) && onionskin_writer_append_from(of, name, 0, size, error);
    unspool(of->of);
    return done;
}

bool onionskin_writer_commit(onionskin_writer *of, onionskin_receipt *receipt, onionskin_error *error) {
    value result;
    bool done = CALL(of->of, "[static]writer.commit", &result, error, of->this) && received(&result, receipt);
    free(of);
    return done;
}

void onionskin_writer_drop(onionskin_writer *of) {
    drop_resource(of->of, &of->this);
    free(of);
}

/* ---- transactions */

onionskin_transaction *onionskin_begin(onionskin_store *of, const char *directory, const onionskin_options *how,
                                       onionskin_error *error) {
    onionskin_transaction *made = calloc(1, sizeof *made);
    made->of = of;
    const char *publish = how && how->publish ? how->publish : "in-place";
    const char *durability = how && how->durability ? how->durability : "full";
    const char *symlinks = how && how->symlinks ? how->symlinks : "replace";
    if (CALL(of, "[method]store.begin", &made->this, error, copy(&of->this), text(directory),
             record(3, "publish", word(publish), "durability", word(durability), "symlinks", word(symlinks))))
        return made;
    free(made);
    return NULL;
}

bool onionskin_put_file(onionskin_transaction *of, const char *path, const char *origin, onionskin_error *error) {
    return CALL(of->of, "[method]transaction.put-file", NULL, error, copy(&of->this), text(path), text(origin));
}

bool onionskin_put(onionskin_transaction *of, const char *path, const void *data, size_t size,
                   onionskin_error *error) {
    if (size <= LIST_BYTES_MAX)
        return CALL(of->of, "[method]transaction.put", NULL, error, copy(&of->this), text(path), bytes(data, size));
    char name[64];
    bool done = spool(of->of, data, size, name, error) && onionskin_put_file(of, path, name, error);
    unspool(of->of);
    return done;
}

bool onionskin_append(onionskin_transaction *of, const char *path, const void *data, size_t size,
                      onionskin_error *error) {
    return CALL(of->of, "[method]transaction.append", NULL, error, copy(&of->this), text(path), bytes(data, size));
}

bool onionskin_remove(onionskin_transaction *of, const char *path, onionskin_error *error) {
    return CALL(of->of, "[method]transaction.remove", NULL, error, copy(&of->this), text(path));
}

bool onionskin_rename(onionskin_transaction *of, const char *old, const char *path, onionskin_error *error) {
    return CALL(of->of, "[method]transaction.rename", NULL, error, copy(&of->this), text(old), text(path));
}

bool onionskin_commit(onionskin_transaction *of, onionskin_receipt *receipt, onionskin_error *error) {
    value result;
    bool done = CALL(of->of, "[static]transaction.commit", &result, error, of->this) && received(&result, receipt);
    free(of);
    return done;
}

void onionskin_drop(onionskin_transaction *of) {
    drop_resource(of->of, &of->this);
    free(of);
}

/* ---- without a store */

#define ON_ROOT(interface, name, count, result, ...)                                                                   \
    onionskin_store *in = start(of, root, NULL, error);                                                                \
    if (!in) return false;                                                                                             \
    bool done = call(in, interface, name, count, (value[]){text("/root"), __VA_ARGS__}, result, error);                \
    onionskin_close(in);                                                                                               \
    return done

bool onionskin_probe(onionskin *of, const char *root, onionskin_value *abilities, onionskin_error *error) {
    ON_ROOT("onionskin:fs/capabilities@0.1.0", "probe", 1, abilities, {0});
}

bool onionskin_inspect(onionskin *of, const char *root, onionskin_value *findings, onionskin_error *error) {
    ON_ROOT(STORE, "inspect", 1, findings, {0});
}

bool onionskin_break_lock(onionskin *of, const char *root, const char *token, onionskin_error *error) {
    ON_ROOT(STORE, "break-lock", 2, NULL, text(token));
}
