/* The floor of the benchmark: the least work that any tool must do, with nothing merged, looked up or cleaned.
 *   floor unpack DIR LAYER...   per layer: inflate, SHA-256 of both sides, create the files below DIR/N
 *   floor copy DIR BLOB...      per blob: SHA-256, write to DIR/N
 *   floor inflate LAYER...      inflate only
 * One process for each file, all at once. cc -O2 floor.c -lz -lcrypto */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

enum { CHUNK = 256 * 1024, BLOCK = 512, LONGEST = 64 * 1024 };

static void die(const char *what) {
  fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
  exit(1);
}

static EVP_MD_CTX *sha256(void) {
  EVP_MD_CTX *hash = EVP_MD_CTX_new();
  if (hash == NULL || !EVP_DigestInit_ex(hash, EVP_sha256(), NULL)) die("sha256");
  return hash;
}

static void finish(EVP_MD_CTX *hash) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  EVP_DigestFinal_ex(hash, digest, NULL);
  EVP_MD_CTX_free(hash);
}

static void write_all(int fd, const unsigned char *bytes, size_t size) {
  while (size > 0) {
    ssize_t n = write(fd, bytes, size);
    if (n < 0) die("write");
    bytes += n;
    size -= (size_t)n;
  }
}

/* The tar being read: a header or long name is collected in `head`, a file's bytes go straight to `fd`. */
static struct {
  unsigned char head[LONGEST];
  size_t have, want;        /* of head */
  unsigned long long left;  /* bytes of the file still to come */
  size_t padding;
  char meta;                /* 'x', 'L' or 'K' while head collects that entry's body */
  char path[LONGEST], link[LONGEST];
  int fd, folder;
} tar = {.want = BLOCK, .fd = -1};

static void make_parents(char *path) {
  for (char *slash = strchr(path, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
    *slash = 0;
    mkdirat(tar.folder, path, 0755);
    *slash = '/';
  }
}

/* Images of the benchmark are ours: names are cleaned of leading dots and slashes, not guarded. */
static char *relative(char *path) {
  while (*path == '/' || (path[0] == '.' && path[1] == '/')) path++;
  return path;
}

static void create(char type, mode_t mode) {
  char *path = relative(tar.path), *link = tar.link;
  if (*path == 0 || strcmp(path, ".") == 0) return;
  for (int attempt = 0; attempt < 2; attempt++) {
    int status = 0;
    if (type == '5') status = mkdirat(tar.folder, path, mode);
    else if (type == '2') status = symlinkat(link, tar.folder, path);
    else if (type == '1') status = linkat(tar.folder, relative(link), tar.folder, path, 0);
    else if (type == '0' || type == 0)
      status = tar.fd = openat(tar.folder, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    if (status >= 0 || errno != ENOENT) return;
    make_parents(path);
  }
}

static void pax(char *record, char *end) {
  while (record < end) {
    char *field, *next = record + strtoul(record, &field, 10);
    if (next <= record || next > end) return;
    next[-1] = 0;
    if (strncmp(field, " path=", 6) == 0) strcpy(tar.path, field + 6);
    if (strncmp(field, " linkpath=", 10) == 0) strcpy(tar.link, field + 10);
    record = next;
  }
}

static void header(void) {
  char *h = (char *)tar.head, type = h[156], field[13] = {0};
  if (h[0] == 0) return;
  memcpy(field, h + 124, 12);
  unsigned long long size = strtoull(field, NULL, 8);
  tar.padding = (BLOCK - size % BLOCK) % BLOCK;
  if (type == 'x' || type == 'L' || type == 'K') {
    if (size >= LONGEST - BLOCK) die("name too long");
    tar.meta = type;
    tar.want = size + tar.padding;
    return;
  }
  if (tar.path[0] == 0) {
    if (memcmp(h + 257, "ustar\0", 6) == 0 && h[345]) sprintf(tar.path, "%.155s/%.100s", h + 345, h);
    else sprintf(tar.path, "%.100s", h);
  }
  if (tar.link[0] == 0) sprintf(tar.link, "%.100s", h + 157);
  memcpy(field, h + 100, 8);
  field[8] = 0;
  if (type != 'g') create(type, (mode_t)strtoul(field, NULL, 8) & 07777);
  tar.path[0] = tar.link[0] = 0;
  tar.left = size;
}

static void untar(const unsigned char *bytes, size_t size) {
  while (size > 0) {
    size_t n;
    if (tar.left > 0) {
      n = tar.left < size ? tar.left : size;
      if (tar.fd >= 0) write_all(tar.fd, bytes, n);
      tar.left -= n;
    } else if (tar.fd >= 0 || (tar.padding > 0 && !tar.meta)) {
      if (tar.fd >= 0) close(tar.fd);
      tar.fd = -1;
      n = tar.padding < size ? tar.padding : size;
      tar.padding -= n;
    } else {
      n = tar.want - tar.have < size ? tar.want - tar.have : size;
      memcpy(tar.head + tar.have, bytes, n);
      tar.have += n;
      if (tar.have == tar.want) {
        char meta = tar.meta;
        size_t body = tar.have - tar.padding;
        tar.have = 0, tar.want = BLOCK, tar.meta = 0;
        if (!meta) header();
        else {
          tar.padding = 0;
          tar.head[body] = 0;
          if (meta == 'x') pax((char *)tar.head, (char *)tar.head + body);
          else strcpy(meta == 'L' ? tar.path : tar.link, (char *)tar.head);
        }
      }
    }
    bytes += n;
    size -= n;
  }
  if (tar.left == 0 && tar.fd >= 0) {
    close(tar.fd);
    tar.fd = -1;
  }
}

static void unpack(int in, int hashed) {
  static unsigned char packed[CHUNK], plain[CHUNK];
  z_stream z = {0};
  if (inflateInit2(&z, 15 + 16) != Z_OK) die("inflate");
  EVP_MD_CTX *blob = sha256(), *diff = sha256();
  ssize_t n;
  while ((n = read(in, packed, CHUNK)) > 0) {
    if (hashed) EVP_DigestUpdate(blob, packed, (size_t)n);
    z.next_in = packed;
    z.avail_in = (uInt)n;
    do {
      z.next_out = plain;
      z.avail_out = CHUNK;
      int status = inflate(&z, Z_NO_FLUSH);
      if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR) die("bad gzip");
      size_t got = CHUNK - z.avail_out;
      if (hashed) {
        EVP_DigestUpdate(diff, plain, got);
        untar(plain, got);
      }
      if (status == Z_STREAM_END) inflateReset(&z);
    } while (z.avail_in > 0 || z.avail_out == 0);
  }
  inflateEnd(&z);
  finish(blob);
  finish(diff);
}

static void copy(int in, const char *path) {
  static unsigned char bytes[CHUNK];
  int out = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (out < 0) die(path);
  EVP_MD_CTX *hash = sha256();
  ssize_t n;
  while ((n = read(in, bytes, CHUNK)) > 0) {
    EVP_DigestUpdate(hash, bytes, (size_t)n);
    write_all(out, bytes, (size_t)n);
  }
  finish(hash);
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  umask(0);
  int first = strcmp(argv[1], "inflate") == 0 ? 2 : 3, failed = 0, status;
  if (first == 3) mkdir(argv[2], 0755);
  for (int i = first; i < argc; i++) {
    if (fork() != 0) continue;
    char path[4096];
    int in = open(argv[i], O_RDONLY);
    if (in < 0) die(argv[i]);
    if (first == 3) snprintf(path, sizeof path, "%s/%d", argv[2], i - first);
    if (argv[1][0] == 'c') copy(in, path);
    else if (argv[1][0] == 'i') unpack(in, 0);
    else {
      mkdir(path, 0755);
      if ((tar.folder = open(path, O_RDONLY | O_DIRECTORY)) < 0) die(path);
      unpack(in, 1);
    }
    exit(0);
  }
  while (wait(&status) > 0) failed |= status;
  return failed != 0;
}
