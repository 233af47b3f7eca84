// Counts its starts in a file, with the C library: a module for WASI preview 1.
//
//     module FILE

#include <stdio.h>
#include <string.h>
#include <errno.h>

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: module FILE\n");
        return 2;
    }
    int starts = 0;
    FILE *file = fopen(argv[1], "r");
    if (file != NULL) {
        if (fscanf(file, "%d", &starts) != 1) starts = 0;
        fclose(file);
    }
    file = fopen(argv[1], "w");
    if (file == NULL) {
        printf("cannot write: %s\n", strerror(errno));
        return 1;
    }
    fprintf(file, "%d\n", starts + 1);
    if (fclose(file) != 0) return 1;
    file = fopen(argv[1], "a");
    fprintf(file, "appended\n");
    fclose(file);
    printf("started %d times before\n", starts);
    return 5;
}
