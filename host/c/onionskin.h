/* Atomic writes from C, by the Onionskin component under wasmtime's C API. README.md has an example.
 *
 * A function that returns `bool` returns `false` for an error, which is a value: its kind is that of the contract, such
 * as "not-found", or "host" for one of this host or of wasmtime. After a trap the store accepts no further calls, and
 * opening the root again recovers. Nothing here may be called from two threads at once with the same store. */
#ifndef ONIONSKIN_H
#define ONIONSKIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <wasmtime/component.h>

typedef struct onionskin onionskin;                         /* the loaded component; opens any number of stores */
typedef struct onionskin_store onionskin_store;             /* an open root, and its lock */
typedef struct onionskin_writer onionskin_writer;           /* the new content of one file */
typedef struct onionskin_transaction onionskin_transaction; /* changes of one directory */
typedef wasmtime_component_val_t onionskin_value;           /* a record or list of the contract, by its names */

typedef struct {
    char kind[24], *subject, *message;
} onionskin_error;

typedef struct {
    uint64_t transaction, applied, bytes;
    char achieved[8];
} onionskin_receipt;

/* Words of the contract; a field that is NULL has the default: "full", "replace", "none", "rewrite", "in-place". */
typedef struct {
    const char *durability, *symlinks, *when, *if_identical, *publish;
    const onionskin_value *unchanged; /* with `when` "unchanged": a fingerprint */
} onionskin_options;

/* Compiles the component in this file. */
onionskin *onionskin_load(const char *wasm, onionskin_error *error);
void onionskin_unload(onionskin *);

/* Opens a root, which completes or undoes the changes that a crash interrupted, and holds a lock of the system on it; with
 * a token, which may be NULL, a lock file with the token in it instead, which stays when this process is killed. `lower`
 * may be read, for links that lead there; it may be NULL. */
onionskin_store *onionskin_open(onionskin *, const char *root, const char *lower, const char *token,
                                onionskin_error *error);
/* Ends the store. Writers and transactions of it must have ended. */
void onionskin_close(onionskin_store *);
/* The findings of the open: a list, to be deleted by `wasmtime_component_val_delete`, as all values are. */
bool onionskin_recovered(onionskin_store *, onionskin_value *findings, onionskin_error *error);

bool onionskin_replace(onionskin_store *, const char *path, const void *data, size_t size, const onionskin_options *,
                       onionskin_receipt *, onionskin_error *error);
bool onionskin_replace_json(onionskin_store *, const char *path, const char *json, const onionskin_options *,
                            onionskin_receipt *, onionskin_error *error);
/* Turns a link into a file of its own; from a path of the component such as "/lower/a" unless that is NULL, and with this
 * content unless that is NULL. */
bool onionskin_materialize(onionskin_store *, const char *path, const char *origin, const char *content,
                           onionskin_receipt *, onionskin_error *error);
bool onionskin_fingerprint(onionskin_store *, const char *path, onionskin_value *, onionskin_error *error);

onionskin_writer *onionskin_write(onionskin_store *, const char *path, const onionskin_options *,
                                  onionskin_error *error);
bool onionskin_writer_append(onionskin_writer *, const void *data, size_t size, onionskin_error *error);
bool onionskin_writer_append_from(onionskin_writer *, const char *origin, uint64_t offset, uint64_t length,
                                  onionskin_error *error);
/* Ends the writer, whether it fails or not; `drop` discards the content. */
bool onionskin_writer_commit(onionskin_writer *, onionskin_receipt *, onionskin_error *error);
void onionskin_writer_drop(onionskin_writer *);

onionskin_transaction *onionskin_begin(onionskin_store *, const char *directory, const onionskin_options *,
                                       onionskin_error *error);
bool onionskin_put(onionskin_transaction *, const char *path, const void *data, size_t size, onionskin_error *error);
bool onionskin_put_file(onionskin_transaction *, const char *path, const char *origin, onionskin_error *error);
bool onionskin_append(onionskin_transaction *, const char *path, const void *data, size_t size, onionskin_error *error);
bool onionskin_remove(onionskin_transaction *, const char *path, onionskin_error *error);
bool onionskin_rename(onionskin_transaction *, const char *old, const char *path, onionskin_error *error);
/* Ends the transaction, whether it fails or not: all of its changes are made, or none. */
bool onionskin_commit(onionskin_transaction *, onionskin_receipt *, onionskin_error *error);
void onionskin_drop(onionskin_transaction *);

/* These take no lock. */
bool onionskin_probe(onionskin *, const char *root, onionskin_value *abilities, onionskin_error *error);
bool onionskin_inspect(onionskin *, const char *root, onionskin_value *findings, onionskin_error *error);
bool onionskin_break_lock(onionskin *, const char *root, const char *token, onionskin_error *error);

/* Frees the texts of an error. */
void onionskin_error_clear(onionskin_error *);
/* The field of a record, without the cases of options; NULL where there is none. */
const onionskin_value *onionskin_field(const onionskin_value *record, const char *name);

#endif
