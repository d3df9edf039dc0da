/* What logistic_regression.c needs beside the library, in C99: options, the end of a program that fails, and digits to learn from. */
#ifndef EXAMPLES_LEARNING_C_H
#define EXAMPLES_LEARNING_C_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gradus/gradus.h"

enum { PIXELS = 64, DIGITS = 10, MOST = 4000 };

static gradus_context *ctx;

/* Every call that can fail stands in TRY; a failure ends the program with the library's message. */
static void try_(gradus_status status, const char *call) {
  gradus_error error = {0};
  error.struct_size = sizeof error;
  if (status == GRADUS_OK) return;
  if (ctx) gradus_context_error(ctx, &error);
  fprintf(stderr, "%s\n  %s: %s\n", call, gradus_status_name(status), error.message ? error.message : "");
  exit(1);
}
#define TRY(call) try_(call, #call)

/* What stands behind an option; `otherwise` where it is not given. */
static const char *option(char **argv, const char *name, const char *otherwise) {
  for (; *argv; ++argv)
    if (!strcmp(*argv, name) && argv[1]) return argv[1];
  return otherwise;
}

static FILE *open_digits(const char *folder, const char *name) {
  char path[4096];
  FILE *f;
  snprintf(path, sizeof path, "%s/%s", folder, name);
  f = fopen(path, "r");
  if (f) return f;
  fprintf(stderr, "%s can't be opened. To fetch it where it is published: python3 examples/data.py FOLDER\n", path);
  exit(77);
}

/* Pictures of 8x8 pixels as a tensor [n, 64] with ink between 0 and 1, and what they show as a tensor [n]. Without a folder they are made up: digit d
   inks the pixels d, d + 10, d + 20 and so on more than the others. */
static int64_t read_digits(const char *folder, const char *name, gradus_tensor **images, gradus_tensor **labels) {
  static float pixels[MOST * PIXELS];
  static int64_t shown[MOST];
  FILE *f = folder ? open_digits(folder, name) : NULL;
  int64_t shape[2] = {0, PIXELS};
  int64_t n, i;
  int v = 0;
  for (n = 0; n < (f ? MOST : MOST / 4); ++n) {
    for (i = 0; i < PIXELS && (!f || fscanf(f, "%d,", &v) == 1); ++i)
      pixels[n * PIXELS + i] = f ? (float)v / 16 : (float)rand() / (float)RAND_MAX * (i % DIGITS == n % DIGITS ? 1.0f : 0.4f);
    if (i < PIXELS || (f && fscanf(f, "%d", &v) != 1)) break;
    shown[n] = f ? v : n % DIGITS;
  }
  if (f) fclose(f);
  shape[0] = n;
  TRY(gradus_tensor_copy_in(ctx, GRADUS_F32, 2, shape, NULL, pixels, sizeof pixels, images));
  TRY(gradus_tensor_copy_in(ctx, GRADUS_I64, 1, shape, NULL, shown, sizeof shown, labels));
  return n;
}

/* A tensor of a file [own]. */
static gradus_tensor *load(const char *path, const char *name) {
  gradus_tensor *t;
  gradus_file *file;
  uint64_t index;
  TRY(gradus_file_open(ctx, path, strlen(path), NULL, &file));
  TRY(gradus_file_find(ctx, file, name, strlen(name), &index));
  TRY(gradus_file_load(ctx, file, index, &t));
  gradus_release(file);
  return t;
}

#endif
