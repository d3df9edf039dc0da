/* What logistic_regression.c needs beside the library, in C99 and POSIX: the command line, the end of a program that fails, digits to learn from,
   progress with rate and time left, and checkpoints. */
#ifndef EXAMPLES_LEARNING_C_H
#define EXAMPLES_LEARNING_C_H
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "gradus/gradus.h"

enum { PIXELS = 64, DIGITS = 10, MOST = 4000, PARAMETERS = 2, MOST_THREADS = 1024, MOST_EPOCHS = 1000000000 };

static gradus_context *ctx;
static const char *program = "";

/* Ends the program with a message. Status 2: a wrong command line; 77, which tests count as skipped: no data. */
#if defined(__GNUC__)
__attribute__((noreturn, format(printf, 2, 3)))
#endif
static void stop(int status, const char *format, ...) {
  va_list values;
  va_start(values, format);
  fprintf(stderr, "%s: ", program);
  vfprintf(stderr, format, values);
  fputc('\n', stderr);
  va_end(values);
  exit(status);
}

static const char *library_message(gradus_status status) {
  gradus_error error = {0};
  error.struct_size = sizeof error;
  if (ctx) gradus_context_error(ctx, &error);
  return error.message && *error.message ? error.message : gradus_status_name(status);
}

/* Every call that can fail stands in TRY; a failure ends the program with the library's message. */
static void try_(gradus_status status, const char *call) {
  if (status != GRADUS_OK) stop(1, "%s\n  %s: %s", call, gradus_status_name(status), library_message(status));
}
#define TRY(call) try_(call, #call)

/* ---- the command line */
typedef struct arguments {
  const char *data, *save, *resume;
  uint64_t epochs, threads, seed, expect;
} arguments;

static void print_usage(FILE *to) {
  fprintf(to, "usage: %s [options]\n"
              "  --data FOLDER   of optdigits.tra and optdigits.tes; without it pictures are made up\n"
              "  --epochs N      in all, those before --resume too; default: 300\n"
              "  --seed N        of the pictures that are made up, a number of 64 bits; default: 1\n"
              "  --threads N     at most %d; default: 0, as many as there are processors\n"
              "  --save FILE     write the weights and the epoch there in the end, as safetensors\n"
              "  --resume FILE   go on from such a file\n"
              "  --expect N      end with status 1 unless N %% of the test are read right\n"
              "  --help          show this\n", program, MOST_THREADS);
}

static uint64_t whole_number(const char *option, const char *text, uint64_t least, uint64_t most) {
  unsigned long long n = 0;
  errno = 0;
  if (*text && strspn(text, "0123456789") == strlen(text)) n = strtoull(text, NULL, 10);
  else errno = EINVAL;
  if (errno || n < least || n > most) stop(2, "%s %s: a whole number from %" PRIu64 " to %" PRIu64 " is wanted", option, text, least, most);
  return n;
}

/* Before hours of learning, not after them: the folder of the file to write is there. */
static void check_output(const char *option, const char *path) {
  struct stat about;
  char folder[4096];
  const char *name = strrchr(path, '/');
  const size_t n = !name ? 0 : name == path ? 1 : (size_t)(name - path);
  if (!*path || strlen(path) >= sizeof folder) stop(1, "%s '%s': that is no path of a file", option, path);
  if (n) memcpy(folder, path, n);
  strcpy(folder + n, n ? "" : ".");
  if (stat(folder, &about) || !S_ISDIR(about.st_mode)) stop(1, "%s %s: there is no folder %s", option, path, folder);
  if (access(folder, W_OK)) stop(1, "%s %s: the folder %s can't be written to", option, path, folder);
  if (!stat(path, &about) && S_ISDIR(about.st_mode)) stop(1, "%s %s: that is a folder", option, path);
}

static arguments read_arguments(char **argv) {
  arguments a = {NULL, NULL, NULL, 300, 0, 1, 0};
  const struct { const char *name; const char **text; uint64_t *number, least, most; } options[] = {
    {"--data", &a.data, NULL, 0, 0}, {"--save", &a.save, NULL, 0, 0}, {"--resume", &a.resume, NULL, 0, 0},
    {"--epochs", NULL, &a.epochs, 1, MOST_EPOCHS}, {"--threads", NULL, &a.threads, 0, MOST_THREADS},
    {"--seed", NULL, &a.seed, 0, UINT64_MAX}, {"--expect", NULL, &a.expect, 0, 100}};
  const size_t count = sizeof options / sizeof *options;
  struct stat about;
  size_t i;
  program = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
  while (*++argv) {
    if (!strcmp(*argv, "--help") || !strcmp(*argv, "-h")) print_usage(stdout), exit(0);
    for (i = 0; i < count && strcmp(*argv, options[i].name); ++i) {}
    if (i == count) print_usage(stderr), stop(2, "there is no option %s", *argv);
    if (!*++argv) stop(2, "%s needs a value", options[i].name);
    if (options[i].text) *options[i].text = *argv;
    else *options[i].number = whole_number(options[i].name, *argv, options[i].least, options[i].most);
  }
  if (a.save) check_output("--save", a.save);
  if (a.resume && (stat(a.resume, &about) || !S_ISREG(about.st_mode))) stop(1, "--resume %s: there is no such file", a.resume);
  return a;
}

/* ---- digits */
static uint64_t random_state;

/* Numbers between 0 and 1 by splitmix64, the same on every system. */
static float random_share(void) {
  uint64_t z = random_state += UINT64_C(0x9E3779B97F4A7C15);
  z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
  z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
  return (float)((z ^ z >> 31) >> 40) / 16777216.0f;
}

/* Digit d inks the pixels d, d + 10, d + 20 and so on more than the others. */
static int64_t make_up_digits(float *pixels, int64_t *shown) {
  int64_t n, i;
  for (n = 0; n < MOST / 4; ++n) {
    for (i = 0; i < PIXELS; ++i) pixels[n * PIXELS + i] = random_share() * (i % DIGITS == n % DIGITS ? 1.0f : 0.4f);
    shown[n] = n % DIGITS;
  }
  return n;
}

/* One line "p, p, ..., p, digit"; what is wrong with it ends the program with file, line and field. */
static void read_line(const char *at, const char *path, long line, float *pixels, int64_t *shown) {
  int field;
  for (field = 1; field <= PIXELS + 1; ++field) {
    const int most = field <= PIXELS ? 16 : DIGITS - 1;
    long value;
    char *end;
    while (*at == ' ') ++at;
    if (!*at) stop(1, "%s:%ld, field %d: the line ends here; %d numbers are wanted", path, line, field, PIXELS + 1);
    if (*at < '0' || *at > '9') stop(1, "%s:%ld, field %d: not a number", path, line, field);
    value = strtol(at, &end, 10);
    if (value > most) stop(1, "%s:%ld, field %d: %ld is not in 0..%d", path, line, field, value, most);
    if (field <= PIXELS) pixels[field - 1] = (float)value / 16;
    else *shown = value;
    at = end + strspn(end, " ");
    if (*at && (field > PIXELS || *at != ',')) stop(1, "%s:%ld, field %d: '%c' after the number", path, line, field, *at);
    if (*at) ++at;
  }
}

static int64_t read_file(const char *path, float *pixels, int64_t *shown) {
  FILE *f = fopen(path, "r");
  char text[1024];
  int64_t n = 0;
  long line;
  if (!f) stop(77, "%s can't be opened. To fetch it where it is published: python3 examples/data.py FOLDER", path);
  for (line = 1; fgets(text, sizeof text, f); ++line) {
    if (strlen(text) == sizeof text - 1) stop(1, "%s:%ld: a line of more than %zu characters", path, line, sizeof text - 2);
    text[strcspn(text, "\r\n")] = 0;
    if (!*text) continue;
    if (n == MOST) stop(1, "%s:%ld: more than %d digits", path, line, MOST);
    read_line(text, path, line, pixels + n * PIXELS, shown + n);
    ++n;
  }
  if (ferror(f)) stop(1, "%s: reading failed", path);
  fclose(f);
  if (n == 0) stop(1, "%s: holds no digits", path);
  return n;
}

/* Pictures of 8x8 pixels as a tensor [n, 64] with ink between 0 and 1, and what they show as a tensor [n]; made up without a folder. */
static int64_t read_digits(const char *folder, const char *name, gradus_tensor **images, gradus_tensor **labels) {
  static float pixels[MOST * PIXELS];
  static int64_t shown[MOST];
  int64_t shape[2] = {0, PIXELS};
  char path[4096] = "";
  if (folder && snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path) stop(1, "--data: the path is too long");
  shape[0] = folder ? read_file(path, pixels, shown) : make_up_digits(pixels, shown);
  TRY(gradus_tensor_copy_in(ctx, GRADUS_F32, 2, shape, NULL, pixels, sizeof pixels, images));
  TRY(gradus_tensor_copy_in(ctx, GRADUS_I64, 1, shape, NULL, shown, sizeof shown, labels));
  return shape[0];
}

/* ---- progress on the error stream: on a terminal one line that is drawn anew, elsewhere one line per tenth */
typedef struct progress {
  const char *what;
  int64_t total, done;
  int terminal;
  double start, drawn;
} progress;

static double seconds_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static progress progress_of(const char *what, int64_t total) {
  const double now = seconds_now();
  const progress p = {what, total, 0, isatty(2), now, 0};
  return p;
}

/* One more step is done; the loss and the share read right are shown behind the bar. */
static void progress_step(progress *p, double loss, double right) {
  enum { WIDTH = 28 };
  const int last = ++p->done >= p->total;
  const double now = seconds_now(), passed = now - p->start > 1e-9 ? now - p->start : 1e-9, rate = (double)p->done / passed;
  const long left = (long)((last ? passed : (double)(p->total - p->done) / rate) + 0.5);
  const int tenth = p->done * 10 / p->total != (p->done - 1) * 10 / p->total;
  int i;
  if (!(last || (p->terminal ? now - p->drawn > 0.06 : tenth))) return;
  p->drawn = now;
  if (p->terminal) {
    fprintf(stderr, "\r\033[K%s %3d%% [", p->what, (int)(p->done * 100 / p->total));
    for (i = 0; i < WIDTH; ++i) fputc(i < p->done * WIDTH / p->total ? '#' : ' ', stderr);
    fprintf(stderr, "] %" PRId64 "/%" PRId64, p->done, p->total);
  } else {
    fprintf(stderr, "%s %" PRId64 "/%" PRId64 " (%d%%)", p->what, p->done, p->total, (int)(p->done * 100 / p->total));
  }
  fprintf(stderr, "  %.*f/s  %s %ld:%02ld  loss %.4f, %.2f %% read right%s", rate < 10 ? 2 : 0, rate, last ? "took" : "left", left / 60, left % 60,
          loss, right, last || !p->terminal ? "\n" : "");
  fflush(stderr);
}

/* ---- checkpoints: the parameters and, as "epoch", how far learning has come */
static void save(const char *path, gradus_tensor *const *p, const char *const *names, int64_t epoch) {
  gradus_tensor *all[PARAMETERS + 1];
  const char *all_names[PARAMETERS + 1];
  gradus_save_options options = {0};
  gradus_status status;
  int k;
  for (k = 0; k < PARAMETERS; ++k) all[k] = p[k], all_names[k] = names[k];
  TRY(gradus_tensor_copy_in(ctx, GRADUS_I64, 0, NULL, NULL, &epoch, sizeof epoch, &all[PARAMETERS]));
  all_names[PARAMETERS] = "epoch";
  options.struct_size = sizeof options;
  options.format = GRADUS_FORMAT_SAFETENSORS;
  status = gradus_file_save(ctx, path, strlen(path), all, all_names, PARAMETERS + 1, &options);
  if (status != GRADUS_OK) stop(1, "--save %s: %s", path, library_message(status));
  gradus_release(all[PARAMETERS]);
}

/* A tensor of the file [own] that is like another. */
static gradus_tensor *load(gradus_file *file, const char *path, const char *name, const gradus_tensor *like) {
  gradus_tensor_info wanted = {0}, found = {0};
  gradus_tensor *t = NULL;
  gradus_status status;
  uint64_t index;
  if (gradus_file_find(ctx, file, name, strlen(name), &index) != GRADUS_OK)
    stop(1, "--resume %s: it holds no '%s': only what %s saved can be resumed", path, name, program);
  status = gradus_file_load(ctx, file, index, &t);
  if (status != GRADUS_OK) stop(1, "--resume %s: %s", path, library_message(status));
  wanted.struct_size = found.struct_size = sizeof wanted;
  TRY(gradus_tensor_describe(like, &wanted));
  TRY(gradus_tensor_describe(t, &found));
  if (found.dtype != wanted.dtype || found.rank != wanted.rank ||
      (found.rank && memcmp(found.shape, wanted.shape, (size_t)found.rank * sizeof *found.shape)))
    stop(1, "--resume %s: '%s' has another shape or type than this program's", path, name);
  return t;
}

/* Puts what a file holds in the place of the parameters; the epoch it was saved after. */
static int64_t resume(const char *path, gradus_tensor **p, const char *const *names) {
  gradus_tensor *t, *like;
  gradus_file *file;
  int64_t epoch = 0;
  int k;
  const gradus_status status = gradus_file_open(ctx, path, strlen(path), NULL, &file);
  if (status != GRADUS_OK) stop(1, "--resume %s: %s", path, library_message(status));
  for (k = 0; k < PARAMETERS; ++k) {
    t = load(file, path, names[k], p[k]);
    gradus_release(p[k]);
    p[k] = t;
  }
  TRY(gradus_tensor_copy_in(ctx, GRADUS_I64, 0, NULL, NULL, &epoch, sizeof epoch, &like));
  t = load(file, path, "epoch", like);
  TRY(gradus_tensor_item_i64(ctx, t, &epoch));
  if (epoch < 0 || epoch > MOST_EPOCHS) stop(1, "--resume %s: epoch %" PRId64 " can't be", path, epoch);
  gradus_release(t); gradus_release(like); gradus_release(file);
  return epoch;
}

#endif
