/* load_test LIBRARY: 1000 times dlopen, use, dlclose, each on a thread that then ends; the mapping stays one and the same, finalizers
 * that come after the last dlclose still work. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "gradus/gradus.h"

typedef gradus_status (*create_fn)(const gradus_context_options *, gradus_context **);
typedef gradus_status (*ones_fn)(gradus_context *, const int64_t *, size_t, int32_t, gradus_tensor **);
typedef gradus_status (*matmul_fn)(gradus_context *, const gradus_tensor *, const gradus_tensor *, gradus_tensor **);
typedef void (*release_fn)(void *);
typedef void (*counts_fn)(gradus_counts *);

/* ISO C has no conversion from void * to a function. */
static void find(void *library, const char *name, void *function) {
  void *found = dlsym(library, name);
  memcpy(function, &found, sizeof found);
}

static const char *path;
static release_fn release_of_first;
static gradus_tensor *kept[1000];
static int turn, failed;

static void *use(void *unused) {
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  create_fn create;
  ones_fn ones;
  matmul_fn matmul;
  release_fn release;
  gradus_context *ctx = NULL;
  gradus_tensor *x = NULL;
  const int64_t shape[2] = {128, 128};
  (void)unused;
  if (!library) {
    printf("load_test: %s\n", dlerror());
    failed = 1;
    return NULL;
  }
  find(library, "gradus_context_create", &create);
  find(library, "gradus_ones", &ones);
  find(library, "gradus_matmul", &matmul);
  find(library, "gradus_release", &release);
  if (!release_of_first) release_of_first = release;
  if (release != release_of_first) failed = 1; /* mapped elsewhere */
  if (create(NULL, &ctx) || ones(ctx, shape, 2, GRADUS_F32, &x) || matmul(ctx, x, x, &kept[turn])) failed = 1;
  release(x);
  release(ctx);
  dlclose(library);
  return NULL; /* the end of the thread's record comes after dlclose */
}

static int mappings(void) {
  char line[4096];
  const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
  int n = 0;
  FILE *maps = fopen("/proc/self/maps", "r");
  while (maps && fgets(line, sizeof line, maps)) n += strstr(line, name) != NULL && strstr(line, "r-x") != NULL;
  if (maps) fclose(maps);
  return n;
}

int main(int argc, char **argv) {
  void *library;
  counts_fn live;
  gradus_counts counts;
  if (argc < 2) return 2;
  path = argv[1];
  for (turn = 0; turn < 1000 && !failed; ++turn) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, use, NULL) != 0) return 2;
    pthread_join(thread, NULL);
  }
  for (turn = 0; turn < 1000; ++turn) release_of_first(kept[turn]); /* closed long ago */
  library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  find(library, "gradus_live_counts", &live);
  memset(&counts, 0, sizeof counts);
  counts.struct_size = sizeof counts;
  live(&counts);
  printf("load_test: %d mappings, %d tensors and %d contexts left\n", mappings(), (int)counts.tensors, (int)counts.contexts);
  return failed || mappings() > 1 || counts.tensors != 0 || counts.contexts != 0;
}
