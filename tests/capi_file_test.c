/* Files through the C interface: every status, what is left after a failure, and a limit on the size of files as a full disk. */
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capi_check.h"

static char folder[] = "gradus-file-XXXXXX", path[64];

static const char *in_folder(const char *name) {
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return path;
}
static gradus_status save(gradus_context *ctx, const char *name, gradus_tensor *const *tensors, const char *const *names, size_t n,
                          const gradus_save_options *o) {
  in_folder(name);
  return gradus_file_save(ctx, path, strlen(path), tensors, names, n, o);
}
static gradus_status open_file(gradus_context *ctx, const char *name, const gradus_file_options *o, gradus_file **f) {
  in_folder(name);
  return gradus_file_open(ctx, path, strlen(path), o, f);
}
static gradus_status open_text(gradus_context *ctx, const char *header, size_t data_bytes, gradus_file **f) {
  char bytes[1024] = {0};
  const size_t n = strlen(header);
  bytes[0] = (char)(n & 0xff);
  bytes[1] = (char)(n >> 8);
  memcpy(bytes + 8, header, n);
  return gradus_file_open_memory(ctx, bytes, 8 + n + data_bytes, NULL, f);
}

static void there_and_back(void) {
  gradus_context *ctx = new_context();
  const double x[3] = {1, -2, 3}, y[2] = {0.5, 8};
  const char *const names[2] = {"weight", "bias"}, *const keys[2] = {"step", "note"}, *const texts[2] = {"12", "a\"b"};
  gradus_tensor *t[2], *u[2] = {NULL, NULL}, *one;
  gradus_file *f = NULL;
  gradus_file_info info;
  gradus_file_tensor entry;
  gradus_file_metadata pair;
  gradus_save_options o;
  uint64_t index = 9;

  t[0] = vector(ctx, x, 3);
  t[1] = vector(ctx, y, 2);
  SIZED(o);
  o.metadata_count = 2;
  o.metadata_keys = keys;
  o.metadata_texts = texts;
  OK(save(ctx, "a.safetensors", t, names, 2, &o));
  OK(open_file(ctx, "a.safetensors", NULL, &f));
  SIZED(info);
  OK(gradus_file_describe(ctx, f, &info));
  CHECK(info.format == GRADUS_FORMAT_SAFETENSORS && info.tensor_count == 2 && info.metadata_count == 2 && info.flags == 0);
  SIZED(entry);
  OK(gradus_file_find(ctx, f, "weight", 6, &index));
  CHECK(index == 1);                                                        /* in the order of the data, which is that of the names here */
  OK(gradus_file_tensor_at(ctx, f, index, &entry));
  CHECK(entry.dtype == GRADUS_F64 && entry.rank == 1 && entry.shape[0] == 3 && entry.bytes == 24);
  CHECK(strcmp(entry.name, "weight") == 0 && entry.name_length == 6 && strcmp(entry.stored_type, "F64") == 0);
  SIZED(pair);
  OK(gradus_file_metadata_at(ctx, f, 0, &pair));
  CHECK(strcmp(pair.key, "note") == 0 && strcmp(pair.text, "a\"b") == 0 && pair.text_length == 3);
  OK(gradus_file_load(ctx, f, index, &one));
  OK(gradus_file_load(ctx, f, 0, &u[0]));
  OK(gradus_file_load(ctx, f, 1, &u[1]));
  FAILS(gradus_file_find(ctx, f, "weights", 7, &index), GRADUS_E_UNKNOWN_NAME, "none of the 2|weights");
  CHECK(index == 0);
  FAILS(gradus_file_tensor_at(ctx, f, 2, &entry), GRADUS_E_INDEX, "2 of 2");
  FAILS(gradus_file_metadata_at(ctx, f, 2, &pair), GRADUS_E_INDEX, "2 of 2");
  gradus_retain(f);
  gradus_release(f);
  gradus_release(f);
  VALUES(one, x, 3);
  VALUES(u[0], y, 2);
  gradus_release(u[0]);
  gradus_release(u[1]);
  gradus_release(one);
  gradus_release(t[0]);
  gradus_release(t[1]);
  gradus_release(ctx);
}

static void bad_arguments(void) {
  gradus_context *ctx = new_context();
  const double x[2] = {1, 2};
  const char *const twice[2] = {"a", "a"}, *const broken[2] = {"a", "\xff"};
  gradus_tensor *t[2], *r = (gradus_tensor *)ctx, *half;
  gradus_file *f = (gradus_file *)ctx;
  gradus_file_options o;
  gradus_save_options s;
  int64_t n = 2;

  t[0] = t[1] = vector(ctx, x, 2);
  memset(&o, 0, sizeof o);
  SIZED(s);
  o.struct_size = sizeof o;
  FAILS(gradus_file_open(ctx, NULL, 3, NULL, &f), GRADUS_E_NULL, "'path'");
  CHECK(f == NULL);
  FAILS(gradus_file_open(ctx, "", 0, NULL, &f), GRADUS_E_VALUE, "empty");
  FAILS(gradus_file_open(ctx, "a\0b", 3, NULL, &f), GRADUS_E_VALUE, "zero byte");
  FAILS(gradus_file_open(ctx, "/", 1, NULL, &f), GRADUS_E_IO, "Is a directory");
  FAILS(gradus_file_open(ctx, "/dev/null", 9, NULL, &f), GRADUS_E_IO, "not a regular file");
  FAILS(open_file(ctx, "missing", NULL, &f), GRADUS_E_IO, "missing|No such file");
  FAILS(gradus_file_open(ctx, "\377\n", 2, NULL, &f), GRADUS_E_IO, "'\\xff\\x0a'|No such file");
  FAILS(gradus_file_open(ctx, "x", 1, NULL, NULL), GRADUS_E_NULL, "'result' is null");
  o.flags = 0x80;
  FAILS(open_file(ctx, "x", &o, &f), GRADUS_E_UNKNOWN_FIELD, "0x80");
  o.flags = 0;
  o.format = 4;
  FAILS(open_file(ctx, "x", &o, &f), GRADUS_E_VALUE, "format 4");
  FAILS(gradus_file_load(ctx, (gradus_file *)t[0], 0, &r), GRADUS_E_HANDLE, "tensor|file");
  CHECK(r == NULL);
  FAILS(save(ctx, "x.safetensors", t, twice, 2, NULL), GRADUS_E_VALUE, "two tensors|'a'");
  FAILS(save(ctx, "x.safetensors", t, broken, 2, NULL), GRADUS_E_VALUE, "not UTF-8");
  FAILS(save(ctx, "x.safetensors", t, NULL, 2, NULL), GRADUS_E_NULL, "'names'");
  FAILS(save(ctx, "x.npy", t, broken, 2, NULL), GRADUS_E_VALUE, "UTF-8");
  FAILS(save(ctx, "x", t, NULL, 1, NULL), GRADUS_E_VALUE, "no format|.npz");
  FAILS(save(ctx, "none/x.npy", t, NULL, 1, NULL), GRADUS_E_IO, "No such file");
  FAILS(gradus_file_save_memory(ctx, t, NULL, 1, NULL, &r), GRADUS_E_VALUE, "no format");
  s.format = GRADUS_FORMAT_NPY;
  s.flags = GRADUS_SAVE_DEFLATE;
  FAILS(save(ctx, "x.npy", t, NULL, 1, &s), GRADUS_E_UNSUPPORTED, "npz");
  s.flags = 0;
  s.metadata_count = 1;
  FAILS(save(ctx, "x.npy", t, NULL, 1, &s), GRADUS_E_NULL, "metadata");
  OK(gradus_tensor_zeros(ctx, GRADUS_BF16, 1, &n, &half));
  s.metadata_count = 0;
  FAILS(save(ctx, "x.npy", &half, NULL, 1, &s), GRADUS_E_UNSUPPORTED, "bfloat16");
  CHECK(rmdir(folder) == 0 && mkdir(folder, 0700) == 0);                    /* nothing was left behind */
  gradus_release(half);
  gradus_release(t[0]);
  gradus_release(ctx);
}

/* What a header may say, and what not: offsets, sizes, types. */
static void headers(void) {
  gradus_context *ctx = new_context();
  gradus_file *f;
  gradus_tensor *t;
#define ENTRY(name, type, shape, from, to) "\"" name "\":{\"dtype\":\"" type "\",\"shape\":[" shape "],\"data_offsets\":[" from "," to "]}"
  OK(open_text(ctx, "{" ENTRY("a", "U8", "2", "0", "2") "," ENTRY("b", "U8", "1", "2", "3") "}", 3, &f));
  gradus_release(f);
  OK(open_text(ctx, "{" ENTRY("b", "U8", "1", "2", "3") "," ENTRY("a", "U8", "2", "0", "2") "}", 3, &f));       /* any order */
  gradus_release(f);
  FAILS(open_text(ctx, "{" ENTRY("a", "U8", "2", "0", "2") "," ENTRY("b", "U8", "2", "1", "3") "}", 3, &f), GRADUS_E_VALUE, "'b' begins at byte 1|ends at 2");
  FAILS(open_text(ctx, "{" ENTRY("a", "U8", "2", "0", "2") "," ENTRY("b", "U8", "2", "0", "2") "}", 2, &f), GRADUS_E_VALUE, "begins at byte 0|ends at 2");
  FAILS(open_text(ctx, "{" ENTRY("a", "U8", "1", "0", "1") "," ENTRY("b", "U8", "1", "2", "3") "}", 3, &f), GRADUS_E_VALUE, "'b' begins at byte 2|ends at 1");
  FAILS(open_text(ctx, "{" ENTRY("a", "U8", "1", "1", "2") "}", 2, &f), GRADUS_E_VALUE, "begins at byte 1");
  FAILS(open_text(ctx, "{" ENTRY("a", "U8", "1", "0", "1") "}", 2, &f), GRADUS_E_VALUE, "1 bytes that belong to no tensor");
  FAILS(open_text(ctx, "{" ENTRY("a", "U8", "3", "0", "3") "}", 2, &f), GRADUS_E_VALUE, "bytes 0 to 3|ends at 2");
  FAILS(open_text(ctx, "{" ENTRY("a", "U8", "2", "2", "0") "}", 2, &f), GRADUS_E_VALUE, "offsets 2 and 0");
  FAILS(open_text(ctx, "{" ENTRY("a", "F32", "2", "0", "4") "}", 4, &f), GRADUS_E_VALUE, "F32|[2]|8 bytes");
  FAILS(open_text(ctx, "{" ENTRY("a", "F32", "4611686018427387904", "0", "0") "}", 0, &f), GRADUS_E_VALUE, "byte");
  FAILS(open_text(ctx, "{" ENTRY("a", "U8", "4294967296,4294967296", "0", "0") "}", 0, &f), GRADUS_E_VALUE, "overflow");
  FAILS(open_text(ctx, "{" ENTRY("a", "U8", "9223372036854775807,2,0", "0", "0") "}", 0, &f), GRADUS_E_VALUE, "overflow");
  FAILS(open_text(ctx, "{" ENTRY("a", "F4", "3", "0", "1") "}", 1, &f), GRADUS_E_VALUE, "whole bytes");
  OK(open_text(ctx, "{" ENTRY("a", "U32", "1", "0", "4") "}", 4, &f));
  FAILS(gradus_file_load(ctx, f, 0, &t), GRADUS_E_UNSUPPORTED, "U32");
  FAILS(gradus_file_load(ctx, f, 1, &t), GRADUS_E_INDEX, "1 of 1");
  gradus_release(f);
  gradus_release(ctx);
}

/* After a failed write the old file is there, whatever was written until then. */
static void full_disk(void) {
  gradus_context *ctx = new_context();
  const double x[2] = {1, 2}, y[2] = {3, 4};
  const char *const names[1] = {"x"};
  gradus_tensor *old = vector(ctx, x, 2), *fresh = vector(ctx, y, 2), *t;
  struct rlimit limit, unlimited;
  struct stat kept;
  gradus_file *f;
  rlim_t n;

  signal(SIGXFSZ, SIG_IGN);
  OK(save(ctx, "d.safetensors", &old, names, 1, NULL));
  CHECK(chmod(in_folder("d.safetensors"), 0640) == 0);
  CHECK(getrlimit(RLIMIT_FSIZE, &unlimited) == 0);
  CHECK(stat(in_folder("d.safetensors"), &kept) == 0);
  limit = unlimited;
  for (n = 0; n < (rlim_t)kept.st_size; ++n) {
    limit.rlim_cur = n;
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    FAILS(save(ctx, "d.safetensors", &fresh, names, 1, NULL), GRADUS_E_IO, "d.safetensors|File too large");
    CHECK(setrlimit(RLIMIT_FSIZE, &unlimited) == 0);
    OK(open_file(ctx, "d.safetensors", NULL, &f));
    OK(gradus_file_load(ctx, f, 0, &t));
    VALUES(t, x, 2);
    gradus_release(t);
    gradus_release(f);
  }
  OK(save(ctx, "d.safetensors", &fresh, names, 1, NULL));
  CHECK(stat(in_folder("d.safetensors"), &kept) == 0 && (kept.st_mode & 0777) == 0640);
  CHECK(unlink(in_folder("d.safetensors")) == 0);
  CHECK(rmdir(folder) == 0 && mkdir(folder, 0700) == 0);                    /* no temporary file is left */
  gradus_release(old);
  gradus_release(fresh);
  gradus_release(ctx);
}

int main(void) {
  CHECK(mkdtemp(folder) != NULL);
  bad_arguments();
  headers();
  full_disk();
  there_and_back();
  CHECK(unlink(in_folder("a.safetensors")) == 0);
  CHECK(rmdir(folder) == 0);
  CHECK(counts_now().files == 0);
  return finish("capi_file_test");
}
