// The contract in C, by wit-bindgen: a call returns whether it succeeded, and fills in its result or the error.

#include "guest.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINES_MAX 16

static guest_string_t lines[LINES_MAX];
static size_t lines_used;

static void add_line(const char *format, ...) {
    char line[256];
    va_list given;
    va_start(given, format);
    vsnprintf(line, sizeof line, format, given);
    va_end(given);
    if (lines_used < LINES_MAX) guest_string_dup(&lines[lines_used++], line);
}

// Text that is lent to a call and stays owned by the caller.
static guest_string_t *lent(const char *given) {
    static guest_string_t slots[4];
    static size_t next;
    guest_string_t *slot = &slots[next++ % 4];
    guest_string_set(slot, given);
    return slot;
}

static guest_list_u8_t *bytes(const char *given) {
    return (guest_list_u8_t *)lent(given);
}

static bool failed(onionskin_fs_types_error_t *error) {
    add_line("failed: %.*s", (int)error->message.len, (char *)error->message.ptr);
    onionskin_fs_types_error_free(error);
    return false;
}

static bool stored(void) {
    onionskin_fs_types_error_t error;
    onionskin_fs_types_receipt_t receipt;
    onionskin_fs_store_own_store_t owned;
    onionskin_fs_store_open_options_t opening = {.owner = {.tag = ONIONSKIN_FS_TYPES_OWNERSHIP_HOST}};
    if (!onionskin_fs_store_static_store_open(lent("/root"), &opening, &owned, &error)) return failed(&error);
    onionskin_fs_store_borrow_store_t store = onionskin_fs_store_borrow_store(owned);

    onionskin_fs_store_write_options_t options = {
        .durability = ONIONSKIN_FS_TYPES_DURABILITY_FULL,
        .symlinks = ONIONSKIN_FS_TYPES_SYMLINK_POLICY_REPLACE,
        .when = {.tag = ONIONSKIN_FS_TYPES_PRECONDITION_NONE},
        .if_identical = ONIONSKIN_FS_STORE_IDENTICAL_REWRITE,
    };
    if (!onionskin_fs_store_method_store_replace(store, lent("a.txt"), bytes("hello"), &options, &receipt, &error))
        return failed(&error);
    add_line("replaced a.txt: %llu bytes", receipt.bytes);
    onionskin_fs_types_fingerprint_t seen;
    if (!onionskin_fs_store_method_store_fingerprint(store, lent("a.txt"), ONIONSKIN_FS_STORE_EVIDENCE_METADATA, &seen,
                                                     &error))
        return failed(&error);
    add_line("a.txt has %llu bytes", seen.size);
    if (!onionskin_fs_store_method_store_replace_json(store, lent("b.json"), lent("{\"b\": 1}"), &options, &receipt, &error))
        return failed(&error);
    add_line("replaced b.json: %llu bytes", receipt.bytes);
    if (onionskin_fs_store_method_store_replace_json(store, lent("b.json"), lent("{"), &options, &receipt, &error))
        add_line("not refused");
    else if (error.kind == ONIONSKIN_FS_TYPES_ERROR_KIND_INVALID_JSON)
        add_line("refused: %.*s", (int)error.subject.len, (char *)error.subject.ptr);
    else
        add_line("refused otherwise: %d", error.kind);

    onionskin_fs_store_directory_options_t both = {
        .publish = ONIONSKIN_FS_STORE_PUBLISH_SWAP,
        .durability = ONIONSKIN_FS_TYPES_DURABILITY_FULL,
        .symlinks = ONIONSKIN_FS_TYPES_SYMLINK_POLICY_REPLACE,
    };
    onionskin_fs_store_own_transaction_t begun;
    if (!onionskin_fs_store_method_store_begin(store, lent("d"), &both, &begun, &error)) return failed(&error);
    onionskin_fs_store_borrow_transaction_t change = onionskin_fs_store_borrow_transaction(begun);
    if (!onionskin_fs_store_method_transaction_put(change, lent("one"), bytes("1"), &error) ||
        !onionskin_fs_store_method_transaction_put(change, lent("two"), bytes("22"), &error) ||
        !onionskin_fs_store_static_transaction_commit(begun, &receipt, &error))
        return failed(&error);
    add_line("committed d: %llu paths", receipt.applied);
    onionskin_fs_store_store_drop_own(owned);
    return true;
}

static void worked(void) {
    onionskin_fs_types_error_t error;
    onionskin_fs_workspace_own_workspace_t owned;
    guest_string_t lower;
    guest_string_set(&lower, "/lower");
    onionskin_fs_workspace_options_t options = {
        .lowers = {.ptr = &lower, .len = 1},
        .owner = {.tag = ONIONSKIN_FS_TYPES_OWNERSHIP_HOST},
        .moved = ONIONSKIN_FS_WORKSPACE_RELOCATION_REFUSE,
    };
    guest_string_set(&options.upper, "/upper");
    if (!onionskin_fs_workspace_static_workspace_create(&options, &owned, &error)) {
        failed(&error);
        return;
    }
    onionskin_fs_workspace_borrow_workspace_t workspace = onionskin_fs_workspace_borrow_workspace(owned);

    uint64_t at;
    onionskin_fs_workspace_select_t all = {0};
    onionskin_fs_workspace_change_page_t page;
    onionskin_fs_types_receipt_t receipt;
    onionskin_fs_workspace_commit_options_t commit = {
        .paths = all,
        .durability = ONIONSKIN_FS_TYPES_DURABILITY_FULL,
        .conflicts = ONIONSKIN_FS_WORKSPACE_ON_CONFLICT_FAIL,
    };
    guest_string_set(&commit.into, "/lower");
    guest_list_u8_t notes;
    if (!onionskin_fs_workspace_method_workspace_append(workspace, lent("notes.txt"), bytes("two\n"), &at, &error) ||
        !onionskin_fs_workspace_method_workspace_put(workspace, lent("new.txt"), bytes("new"), &error) ||
        !onionskin_fs_workspace_method_workspace_remove(workspace, lent("gone.txt"), &error) ||
        !onionskin_fs_workspace_method_workspace_changes(workspace, &all, NULL, 100, &page, &error)) {
        failed(&error);
        return;
    }
    for (size_t number = 0; number < page.changes.len; number += 1) {
        guest_string_t *path = &page.changes.ptr[number].path;
        add_line("changed: %.*s", (int)path->len, (char *)path->ptr);
    }
    if (!onionskin_fs_workspace_method_workspace_commit(workspace, &commit, &receipt, &error)) {
        failed(&error);
        return;
    }
    add_line("committed: %llu bytes", receipt.bytes);
    if (!onionskin_fs_workspace_method_workspace_read(workspace, lent("notes.txt"), 0, 100, &notes, &error)) {
        failed(&error);
        return;
    }
    add_line("notes.txt: %.*s", (int)notes.len, (char *)notes.ptr);
    onionskin_fs_workspace_workspace_drop_own(owned);
}

void exports_guest_run(guest_list_string_t *ret) {
    if (stored()) worked();
    // The caller frees the result.
    ret->ptr = malloc(sizeof lines);
    ret->len = lines_used;
    memcpy(ret->ptr, lines, sizeof lines);
}
