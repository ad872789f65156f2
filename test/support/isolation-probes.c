// What a program in a container may try against its host. Each probe runs in a process of its own and prints
// NAME, open or closed, and why, with tabs between. With the argument `host` it is the other side: whatever the probes
// could reach outside, alive until its input ends. test/runner/isolation.test.ts builds and runs it.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_io_uring_setup
#define SYS_io_uring_setup 425
#endif
#ifndef SYS_clone3
#define SYS_clone3 435
#endif

static const char *probe_name;

/** Ends the probe: open when `is_open`. */
static void verdict(int is_open, const char *why) {
  dprintf(1, "%s\t%s\t%s\n", probe_name, is_open ? "open" : "closed", why);
  _exit(0);
}
/** A system call that must fail. */
static void must_fail(long result) { verdict(result >= 0, result >= 0 ? "succeeded" : strerror(errno)); }
static const char *fact(const char *name) {
  const char *value = getenv(name);
  return value && *value ? value : "missing-fact";
}
static pid_t host_pid(void) { return atoi(fact("PROBE_PID")); }

static void open_path(const char *path, int flags) {
  int fd = open(path, flags | O_NONBLOCK | O_CLOEXEC);
  must_fail(fd);
}
static void read_path(const char *path) {
  char byte;
  int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) verdict(0, strerror(errno));
  ssize_t count = read(fd, &byte, 1);
  if (count > 0) verdict(1, "read");
  verdict(0, count == 0 ? "empty" : strerror(errno));
}
static void list_path(const char *path) {
  DIR *dir = opendir(path);
  if (!dir) verdict(0, strerror(errno));
  for (struct dirent *entry; (entry = readdir(dir));)
    if (entry->d_name[0] != '.') verdict(1, entry->d_name);
  verdict(0, "empty");
}

/* files of the host */
static void host_file(void) { read_path(fact("PROBE_CANARY")); }
static void host_file_dotdot(void) {
  char path[4096];
  snprintf(path, sizeof path, "../../../../../../../../../../../..%s", fact("PROBE_CANARY"));
  read_path(path);
}
static void host_file_init_root(void) {
  char path[4096];
  snprintf(path, sizeof path, "/proc/1/root%s", fact("PROBE_CANARY"));
  read_path(path);
}
static void host_file_init_cwd(void) {
  char path[4096];
  snprintf(path, sizeof path, "/proc/1/cwd/../../../../../../..%s", fact("PROBE_CANARY"));
  read_path(path);
}
static void chroot_escape(void) {
  char dir[] = "/tmp/probe-XXXXXX";
  int top = open("/", O_RDONLY | O_DIRECTORY);
  if (!mkdtemp(dir) || chroot(dir) < 0) verdict(0, strerror(errno));
  if (fchdir(top) < 0) verdict(0, strerror(errno));
  for (int i = 0; i < 64; i++)
    if (chdir("..") < 0) verdict(0, strerror(errno));
  if (chroot(".") < 0) verdict(0, strerror(errno));
  read_path(fact("PROBE_CANARY"));
}
static void open_by_handle(void) {
  // The handle of inode 2, the top of most file systems, as the first escape from Docker used it.
  struct {
    struct file_handle head;
    unsigned char bytes[MAX_HANDLE_SZ];
  } handle = {{8, 1}, {2, 0, 0, 0, 0, 0, 0, 0}};
  int at = open("/etc/hosts", O_RDONLY);
  int fd = syscall(SYS_open_by_handle_at, at < 0 ? AT_FDCWD : at, &handle, O_RDONLY);
  // ESTALE: asked and looked for.
  verdict(fd >= 0 || errno == ESTALE, fd >= 0 ? "opened" : strerror(errno));
}
static void inherited_descriptors(void) {
  char why[512] = "";
  int count = 0;
  DIR *dir = opendir("/proc/1/fd");
  if (!dir) dir = opendir("/proc/self/fd");
  if (!dir) verdict(0, "no /proc");
  for (struct dirent *entry; (entry = readdir(dir));) {
    int fd = atoi(entry->d_name);
    if (entry->d_name[0] == '.' || fd <= 2 || fd == dirfd(dir)) continue;
    count++;
    ssize_t length = readlinkat(dirfd(dir), entry->d_name, why, sizeof why - 1);
    if (length > 0) why[length] = 0;
  }
  verdict(count > 0, count > 0 ? why : "none");
}
static void descriptors_above(void) {
  for (int fd = 3; fd < 4096; fd++)
    if (fcntl(fd, F_GETFD) >= 0) verdict(1, "a descriptor above 2");
  verdict(0, "none");
}
/** Root inside could change the mode of the host's own /dev/null by a descriptor of it. */
static void null_of_host(void) {
  struct stat ours, given;
  if (stat("/dev/null", &ours)) verdict(0, strerror(errno));
  for (int fd = 0; fd < 3; fd++) {
    if (fstat(fd, &given) || !S_ISCHR(given.st_mode) || given.st_rdev != makedev(1, 3)) continue;
    if (given.st_dev == ours.st_dev && given.st_ino == ours.st_ino) continue;
    if (fchmod(fd, given.st_mode & 07777) == 0) verdict(1, "fchmod of another /dev/null succeeded");
  }
  // The one in /dev may be the host's, mounted there: as root of the machine its mode could be changed.
  if (chmod("/dev/null", ours.st_mode & 07777) == 0 && getenv("PROBE_NULL") &&
      strtoull(getenv("PROBE_NULL"), 0, 10) == ours.st_dev)
    verdict(1, "/dev/null is the host's");
  verdict(0, "our own, or not to be changed");
}
static void session_of_host(void) {
  // 0: the leader is outside, and with it perhaps a terminal to type into.
  pid_t session = syscall(SYS_getsid, 1);
  verdict(session == 0, session == 0 ? "shared" : "own");
}
static void terminal_input(void) {
  for (int fd = 0; fd < 3; fd++)
    if (ioctl(fd, TIOCSTI, "x") == 0) verdict(1, "typed into a terminal");
  int tty = open("/dev/tty", O_RDWR | O_NOCTTY);
  verdict(tty >= 0 && ioctl(tty, TIOCSTI, "x") == 0, strerror(errno));
}

/* processes of the host */
static void host_processes(void) {
  DIR *dir = opendir("/proc");
  pid_t mine[] = {1, getpid(), getppid()};
  if (!dir) verdict(0, "no /proc");
  for (struct dirent *entry; (entry = readdir(dir));) {
    pid_t pid = atoi(entry->d_name);
    if (pid > 0 && pid != mine[0] && pid != mine[1] && pid != mine[2]) verdict(1, entry->d_name);
  }
  verdict(0, "only ours");
}
static void host_pid_kill(void) { must_fail(kill(host_pid(), 0)); }
static void host_pid_ptrace(void) { must_fail(ptrace(PTRACE_SEIZE, host_pid(), 0, 0)); }
static void host_pid_memory(void) {
  char byte;
  struct iovec to = {&byte, 1}, from = {(void *)0x10000, 1};
  long result = process_vm_readv(host_pid(), &to, 1, &from, 1, 0);
  verdict(result >= 0 || errno == EFAULT, strerror(errno));
}
static void host_pid_descriptor(void) { must_fail(syscall(434 /* pidfd_open */, host_pid(), 0)); }
static void host_pid_affinity(void) {
  cpu_set_t set;
  must_fail(sched_getaffinity(host_pid(), sizeof set, &set));
}
static void host_pid_compare(void) { must_fail(syscall(SYS_kcmp, host_pid(), getpid(), 0, 0, 0)); }
static void host_pid_priority(void) { must_fail(setpriority(PRIO_PROCESS, host_pid(), 19)); }
static void init_is_outside(void) { verdict(getppid() == 0 && getpid() != 1, "parent of the probes"); }

/* namespaces */
static void unshare_flags(int flags) { must_fail(unshare(flags)); }
static void unshare_user(void) { unshare_flags(CLONE_NEWUSER); }
static void unshare_mount(void) { unshare_flags(CLONE_NEWNS); }
static void unshare_network(void) { unshare_flags(CLONE_NEWNET); }
static void unshare_pid(void) { unshare_flags(CLONE_NEWPID); }
static void unshare_cgroup(void) { unshare_flags(0x02000000); }
static void clone_user(void) {
  long child = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
  if (child == 0) _exit(0);
  must_fail(child);
}
static void clone_user_upper_half(void) {
  long child = syscall(SYS_clone, 0x100000000ul | CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
  if (child == 0) _exit(0);
  must_fail(child);
}
static void clone3_user(void) {
  unsigned long args[11] = {CLONE_NEWUSER, 0, 0, 0, SIGCHLD};
  long child = syscall(SYS_clone3, args, sizeof args);
  if (child == 0) _exit(0);
  must_fail(child);
}
static void enter(const char *name) {
  char path[64];
  snprintf(path, sizeof path, "/proc/1/ns/%s", name);
  int fd = open(path, O_RDONLY);
  if (fd < 0) verdict(0, strerror(errno));
  must_fail(setns(fd, 0));
}
static void setns_mount(void) { enter("mnt"); }
static void setns_user(void) { enter("user"); }
static void setns_network(void) { enter("net"); }
static void host_name(void) {
  char name[256];
  gethostname(name, sizeof name);
  verdict(strcmp(name, fact("PROBE_HOSTNAME")) == 0, name);
}
static void set_host_name(void) { must_fail(sethostname("probe", 5)); }
static void set_domain_name(void) { must_fail(setdomainname("probe", 5)); }
static void cgroup_path(void) {
  char text[4096], *line, *rest = text;
  int fd = open("/proc/self/cgroup", O_RDONLY);
  ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
  text[length > 0 ? length : 0] = 0;
  while ((line = strsep(&rest, "\n")))
    if (strstr(line, ":/") && strcmp(strstr(line, ":/"), ":/")) verdict(1, line);
  verdict(0, "only /");
}

/* mounts */
static void mount_tmpfs(void) { must_fail(mount("x", "/tmp", "tmpfs", 0, 0)); }
static void mount_proc(void) { must_fail(mount("x", "/tmp", "proc", 0, 0)); }
static void mount_bind(void) { must_fail(mount("/", "/tmp", 0, MS_BIND, 0)); }
static void remount_sys(void) { must_fail(mount(0, "/sys", 0, MS_REMOUNT | MS_BIND, 0)); }
static void remount_proc_sys(void) { must_fail(mount(0, "/proc/sys", 0, MS_REMOUNT | MS_BIND, 0)); }
static void unmount_mask(void) { must_fail(umount2("/proc/keys", MNT_DETACH)); }
static void unmount_proc(void) { must_fail(umount2("/proc", MNT_DETACH)); }
static void pivot(void) { must_fail(syscall(SYS_pivot_root, ".", ".")); }
static void new_mount_tree(void) { must_fail(syscall(428 /* open_tree */, AT_FDCWD, "/", 1 /* CLONE */)); }
static void new_mount_fs(void) { must_fail(syscall(430 /* fsopen */, "proc", 0)); }
static void new_mount_move(void) {
  long result = syscall(429 /* move_mount */, AT_FDCWD, "/proc", AT_FDCWD, "/tmp", 0);
  must_fail(result);
}
static void new_mount_attributes(void) {
  unsigned long attributes[4] = {0, 1, 0, 0};
  must_fail(syscall(442 /* mount_setattr */, AT_FDCWD, "/proc/sys", 0, attributes, sizeof attributes));
}
static void mount_statistics(void) {
  unsigned char buffer[512];
  unsigned long request[4] = {24, 1, 1, 0};
  must_fail(syscall(457 /* statmount */, request, buffer, sizeof buffer, 0));
}

/* settings of the kernel */
static void w_hostname(void) { open_path("/proc/sys/kernel/hostname", O_WRONLY); }
static void w_core_pattern(void) { open_path("/proc/sys/kernel/core_pattern", O_WRONLY); }
static void w_modprobe(void) { open_path("/proc/sys/kernel/modprobe", O_WRONLY); }
static void w_panic(void) { open_path("/proc/sys/kernel/panic", O_WRONLY); }
static void w_overcommit(void) { open_path("/proc/sys/vm/overcommit_memory", O_WRONLY); }
static void w_file_max(void) { open_path("/proc/sys/fs/file-max", O_WRONLY); }
static void w_binfmt(void) { open_path("/proc/sys/fs/binfmt_misc/register", O_WRONLY); }
static void w_forward(void) { open_path("/proc/sys/net/ipv4/ip_forward", O_WRONLY); }
static void w_sysrq(void) { open_path("/proc/sysrq-trigger", O_WRONLY); }
static void w_irq(void) { open_path("/proc/irq/default_smp_affinity", O_WRONLY); }
static void w_uevent(void) { open_path("/sys/kernel/uevent_helper", O_WRONLY); }
static void w_sys_module(void) { open_path("/sys/module/printk/parameters/time", O_WRONLY); }
static void w_power(void) { open_path("/sys/power/state", O_WRONLY); }
static void w_rescan(void) { open_path("/sys/bus/pci/rescan", O_WRONLY); }
static void w_hugepages(void) { open_path("/sys/kernel/mm/transparent_hugepage/enabled", O_WRONLY); }
static void w_cgroup_release_agent(void) {
  const char *paths[] = {"/sys/fs/cgroup/release_agent", "/sys/fs/cgroup/memory/release_agent",
                         "/sys/fs/cgroup/systemd/release_agent", "/sys/fs/cgroup/pids/release_agent"};
  for (unsigned i = 0; i < sizeof paths / sizeof *paths; i++)
    if (open(paths[i], O_WRONLY) >= 0) verdict(1, paths[i]);
  verdict(0, strerror(errno));
}
static void w_cgroup_new(void) {
  const char *paths[] = {"/sys/fs/cgroup/probe", "/sys/fs/cgroup/memory/probe", "/sys/fs/cgroup/pids/probe",
                         "/sys/fs/cgroup/systemd/probe", "/sys/fs/cgroup/unified/probe"};
  for (unsigned i = 0; i < sizeof paths / sizeof *paths; i++) {
    if (mkdir(paths[i], 0755)) continue;
    // A folder in the tmpfs that OCI runtimes put around version 1 hierarchies is only that.
    char inside[256];
    snprintf(inside, sizeof inside, "%s/cgroup.procs", paths[i]);
    int is_cgroup = access(inside, F_OK) == 0;
    rmdir(paths[i]);
    if (is_cgroup) verdict(1, paths[i]);
  }
  verdict(0, "none made");
}
static void w_cgroup_leave(void) {
  const char *paths[] = {"/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/memory/cgroup.procs",
                         "/sys/fs/cgroup/pids/tasks", "/sys/fs/cgroup/devices/tasks"};
  for (unsigned i = 0; i < sizeof paths / sizeof *paths; i++)
    if (open(paths[i], O_WRONLY) >= 0) verdict(1, paths[i]);
  verdict(0, strerror(errno));
}
static void w_oom(void) {
  int fd = open("/proc/self/oom_score_adj", O_WRONLY);
  if (fd < 0) verdict(0, strerror(errno));
  must_fail(write(fd, "-1000", 5));
}
static void w_last_pid(void) { open_path("/proc/sys/kernel/ns_last_pid", O_WRONLY); }

/* what the kernel tells */
static void r_kcore(void) { read_path("/proc/kcore"); }
static void r_kmsg(void) { read_path("/proc/kmsg"); }
static void r_dev_kmsg(void) { read_path("/dev/kmsg"); }
static void r_keys(void) { read_path("/proc/keys"); }
static void r_timers(void) { read_path("/proc/timer_list"); }
static void r_interrupts(void) { read_path("/proc/interrupts"); }
static void r_sched_debug(void) { read_path("/proc/sched_debug"); }
static void r_latency(void) { read_path("/proc/latency_stats"); }
static void r_acpi(void) { list_path("/proc/acpi"); }
static void r_scsi(void) { list_path("/proc/scsi"); }
static void r_firmware(void) { list_path("/sys/firmware"); }
static void r_power(void) { list_path("/sys/devices/virtual/powercap"); }
static void r_blocks(void) { list_path("/sys/dev/block"); }
static void r_thermal(void) { list_path("/sys/devices/system/cpu/cpu0/thermal_throttle"); }
static void r_debug(void) { list_path("/sys/kernel/debug"); }
static void r_tracing(void) { list_path("/sys/kernel/tracing"); }
static void r_bpffs(void) { list_path("/sys/fs/bpf"); }
static void r_kallsyms(void) {
  char line[64] = "";
  int fd = open("/proc/kallsyms", O_RDONLY);
  if (fd < 0 || read(fd, line, sizeof line - 1) <= 0) verdict(0, strerror(errno));
  verdict(strncmp(line, "0000000000000000", 16) != 0, "addresses");
}
static void kernel_log(void) { must_fail(syscall(SYS_syslog, 10, 0, 0)); }

/* devices */
static void make_node(mode_t type, unsigned major, unsigned minor, const char *path) {
  unlink(path);
  if (mknod(path, type | 0600, makedev(major, minor)) < 0) verdict(0, strerror(errno));
  int fd = open(path, O_RDONLY | O_NONBLOCK);
  unlink(path);
  verdict(1, fd >= 0 ? "made and opened" : "made");
}
static void mknod_disk(void) { make_node(S_IFBLK, 254, 0, "/tmp/probe-disk"); }
static void mknod_memory(void) { make_node(S_IFCHR, 1, 1, "/tmp/probe-memory"); }
static void mknod_dev(void) { make_node(S_IFCHR, 1, 3, "/dev/probe-null"); }
static void devices_there(void) {
  const char *known[] = {"null", "zero", "full", "random", "urandom", "tty", "console", "ptmx"};
  DIR *dir = opendir("/dev");
  for (struct dirent *entry; dir && (entry = readdir(dir));) {
    struct stat stat;
    if (fstatat(dirfd(dir), entry->d_name, &stat, AT_SYMLINK_NOFOLLOW)) continue;
    if (!S_ISCHR(stat.st_mode) && !S_ISBLK(stat.st_mode)) continue;
    int found = 0;
    for (unsigned i = 0; i < sizeof known / sizeof *known; i++) found |= !strcmp(known[i], entry->d_name);
    if (!found) verdict(1, entry->d_name);
  }
  verdict(0, "the usual");
}
static void host_terminals(void) {
  DIR *dir = opendir("/dev/pts");
  for (struct dirent *entry; dir && (entry = readdir(dir));)
    if (atoi(entry->d_name) > 0) verdict(1, entry->d_name);
  verdict(0, "none");
}
static void io_ports(void) {
#ifdef SYS_iopl
  must_fail(syscall(SYS_iopl, 3));
#else
  verdict(0, "not on this architecture");
#endif
}

/* powers over the kernel */
static void keyring(void) { must_fail(syscall(SYS_keyctl, 0 /* GET_KEYRING_ID */, -3, 1)); }
static void keyring_add(void) { must_fail(syscall(SYS_add_key, "user", "probe", "x", 1, -3)); }
static void keyring_request(void) { must_fail(syscall(SYS_request_key, "user", "probe", 0, -3)); }
static void bpf_map(void) {
  unsigned attributes[16] = {2, 4, 4, 1};
  must_fail(syscall(SYS_bpf, 0 /* MAP_CREATE */, attributes, sizeof attributes));
}
static void perf(void) {
  unsigned attributes[32] = {1 /* software */, sizeof attributes};
  must_fail(syscall(SYS_perf_event_open, attributes, 0, -1, -1, 0));
}
static void fault_handler(void) { must_fail(syscall(SYS_userfaultfd, O_CLOEXEC | 1)); }
static void io_uring(void) {
  unsigned parameters[64] = {0};
  must_fail(syscall(SYS_io_uring_setup, 1, parameters));
}
static void module_load(void) {
  long result = syscall(SYS_init_module, "", 0, "");
  verdict(result >= 0 || (errno != EPERM && errno != ENOSYS), strerror(errno));
}
static void module_unload(void) {
  long result = syscall(SYS_delete_module, "no-such-module", O_NONBLOCK);
  verdict(result >= 0 || (errno != EPERM && errno != ENOSYS), strerror(errno));
}
static void kexec(void) {
  long result = syscall(SYS_kexec_load, 0, 0, 0, 0xffff0000);
  verdict(result >= 0 || (errno != EPERM && errno != ENOSYS), strerror(errno));
}
static void restart_machine(void) {
  // With wrong magic numbers: EINVAL is what somebody who may would hear.
  long result = syscall(SYS_reboot, 0, 0, 0, 0);
  verdict(result >= 0 || errno == EINVAL, strerror(errno));
}
static void swap(void) {
  long result = syscall(SYS_swapon, "/no-such-file", 0);
  verdict(result >= 0 || (errno != EPERM && errno != ENOSYS), strerror(errno));
}
static void clock_set(void) { must_fail(syscall(SYS_settimeofday, 0, 0)); }
static void clock_adjust(void) {
  struct timex change = {.modes = ADJ_TICK, .tick = 10000};
  must_fail(adjtimex(&change));
}
static void accounting(void) { must_fail(syscall(SYS_acct, 0)); }
static void file_events(void) { must_fail(syscall(SYS_fanotify_init, 4 /* NOTIF, content */, O_RDONLY)); }
static void realtime(void) {
  struct sched_param parameter = {1};
  must_fail(sched_setscheduler(0, SCHED_FIFO, &parameter));
}
static void priority(void) { must_fail(setpriority(PRIO_PROCESS, 0, -10)); }
static void limits_up(void) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_max += 1;
  must_fail(setrlimit(RLIMIT_NOFILE, &limit));
}
static void odd_personality(void) { must_fail(syscall(SYS_personality, 0x0400000ul)); }
static void memory_policy(void) { must_fail(syscall(SYS_migrate_pages, host_pid(), 0, 0, 0)); }

/* who one is */
static void capability_raise(void) {
  unsigned header[2] = {0x20080522, 0}, data[6] = {0};
  if (syscall(SYS_capget, header, data)) verdict(0, strerror(errno));
  data[0] |= 1u << 21;
  data[1] |= 1u << 21;
  must_fail(syscall(SYS_capset, header, data));
}
static void capability_bounds(void) {
  const int dangerous[] = {2, 9, 12, 13, 16, 17, 19, 21, 22, 24, 25, 27, 29, 30, 32, 33, 34, 38, 39, 40};
  for (unsigned i = 0; i < sizeof dangerous / sizeof *dangerous; i++)
    if (prctl(PR_CAPBSET_READ, dangerous[i], 0, 0, 0) == 1) verdict(1, "one too many");
  verdict(0, "bounded");
}
static void new_privileges(void) { verdict(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1, "no_new_privs"); }
static void setuid_program(void) {
  int status;
  pid_t child = fork();
  if (child == 0) {
    if (getuid() == 0 && setresuid(12345, 12345, 12345)) _exit(3);
    execl("/probe-setuid", "probe-setuid", "euid", (char *)0);
    _exit(4);
  }
  waitpid(child, &status, 0);
  verdict(WIFEXITED(status) && WEXITSTATUS(status) == 0, "effective id of a setuid program");
}
static void filter_there(void) { verdict(prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != 2, "seccomp"); }
static void other_abi(void) {
#if defined(__x86_64__)
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(20 /* getpid */) : "memory", "r8", "r9", "r10", "r11");
  verdict(result > 0, "32-bit calls");
#else
  verdict(0, "not on this architecture");
#endif
}
static void x32_abi(void) {
#if defined(__x86_64__)
  long result = syscall(0x40000000 + SYS_getpid);
  verdict(result > 0, strerror(errno));
#else
  verdict(0, "not on this architecture");
#endif
}
static void effective_root(void) {
  int fd = open("/etc/hosts", O_RDONLY);
  if (fd < 0) verdict(0, strerror(errno));
  must_fail(ioctl(fd, 0x40086602 /* FS_IOC_SETFLAGS */, &(long){0x10 /* immutable */}));
}

/* network and messages */
static void make_socket(int family, int type, int protocol) { must_fail(socket(family, type, protocol)); }
static void raw_socket(void) { make_socket(AF_INET, SOCK_RAW, IPPROTO_ICMP); }
static void raw_socket6(void) { make_socket(AF_INET6, SOCK_RAW, IPPROTO_RAW); }
static void packet_socket(void) { make_socket(AF_PACKET, SOCK_RAW, 0); }
static void vsock(void) { make_socket(40, SOCK_STREAM, 0); }
static void vsock_upper_half(void) { must_fail(syscall(SYS_socket, 0x100000028ul, SOCK_STREAM, 0)); }
static void crypto_socket(void) { make_socket(38, SOCK_SEQPACKET, 0); }
static void xdp_socket(void) { make_socket(44, SOCK_RAW, 0); }
static void network_down(void) {
  struct ifreq request = {.ifr_name = "lo"};
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request)) verdict(0, strerror(errno));
  must_fail(ioctl(fd, SIOCSIFFLAGS, &request));
}
static void packet_mark(void) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  must_fail(setsockopt(fd, SOL_SOCKET, SO_MARK, &(int){1}, sizeof(int)));
}
static void host_port(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(fact("PROBE_PORT")))};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  must_fail(connect(socket(AF_INET, SOCK_STREAM, 0), (void *)&address, sizeof address));
}
static socklen_t abstract_address(struct sockaddr_un *address, const char *name) {
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  strncpy(address->sun_path + 1, name, sizeof address->sun_path - 2);
  return offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name);
}
static void host_abstract_socket(void) {
  struct sockaddr_un address;
  socklen_t length = abstract_address(&address, fact("PROBE_ABSTRACT"));
  must_fail(connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&address, length));
}
static void host_shared_memory(void) { must_fail(shmget(strtoul(fact("PROBE_SHM"), 0, 10), 0, 0)); }
static void host_message_queue(void) { must_fail(mq_open(fact("PROBE_QUEUE"), O_RDONLY)); }
static void host_shm_file(void) {
  char path[256];
  snprintf(path, sizeof path, "/dev/shm%s", fact("PROBE_QUEUE"));
  open_path(path, O_RDONLY);
}

#define PROBE(function) {#function, function}
static const struct {
  const char *name;
  void (*run)(void);
} probes[] = {
    PROBE(host_file), PROBE(host_file_dotdot), PROBE(host_file_init_root), PROBE(host_file_init_cwd),
    PROBE(chroot_escape), PROBE(open_by_handle), PROBE(inherited_descriptors), PROBE(descriptors_above),
    PROBE(null_of_host), PROBE(session_of_host), PROBE(terminal_input), PROBE(host_processes),
    PROBE(host_pid_kill), PROBE(host_pid_ptrace), PROBE(host_pid_memory), PROBE(host_pid_descriptor),
    PROBE(host_pid_affinity), PROBE(host_pid_compare), PROBE(host_pid_priority), PROBE(init_is_outside),
    PROBE(unshare_user), PROBE(unshare_mount), PROBE(unshare_network), PROBE(unshare_pid),
    PROBE(unshare_cgroup), PROBE(clone_user), PROBE(clone_user_upper_half), PROBE(clone3_user),
    PROBE(setns_mount), PROBE(setns_user), PROBE(setns_network), PROBE(host_name), PROBE(set_host_name),
    PROBE(set_domain_name), PROBE(cgroup_path), PROBE(w_hostname), PROBE(w_core_pattern), PROBE(w_modprobe),
    PROBE(w_panic), PROBE(w_overcommit), PROBE(w_file_max), PROBE(w_binfmt), PROBE(w_forward), PROBE(w_sysrq),
    PROBE(w_irq), PROBE(w_uevent), PROBE(w_sys_module), PROBE(w_power), PROBE(w_rescan), PROBE(w_hugepages),
    PROBE(w_cgroup_release_agent), PROBE(w_cgroup_new), PROBE(w_cgroup_leave), PROBE(w_oom), PROBE(w_last_pid),
    PROBE(r_kcore), PROBE(r_kmsg), PROBE(r_dev_kmsg), PROBE(r_keys), PROBE(r_timers), PROBE(r_interrupts),
    PROBE(r_sched_debug), PROBE(r_latency), PROBE(r_acpi), PROBE(r_scsi), PROBE(r_firmware), PROBE(r_power),
    PROBE(r_blocks), PROBE(r_thermal), PROBE(r_debug), PROBE(r_tracing), PROBE(r_bpffs), PROBE(r_kallsyms),
    PROBE(kernel_log), PROBE(mknod_disk), PROBE(mknod_memory), PROBE(mknod_dev), PROBE(devices_there),
    PROBE(host_terminals), PROBE(io_ports), PROBE(keyring), PROBE(keyring_add), PROBE(keyring_request),
    PROBE(bpf_map), PROBE(perf), PROBE(fault_handler), PROBE(io_uring), PROBE(module_load),
    PROBE(module_unload), PROBE(kexec), PROBE(restart_machine), PROBE(swap), PROBE(clock_set),
    PROBE(clock_adjust), PROBE(accounting), PROBE(file_events), PROBE(realtime), PROBE(priority),
    PROBE(limits_up), PROBE(odd_personality), PROBE(memory_policy), PROBE(capability_raise),
    PROBE(capability_bounds), PROBE(new_privileges), PROBE(setuid_program), PROBE(filter_there),
    PROBE(other_abi), PROBE(x32_abi), PROBE(effective_root), PROBE(raw_socket), PROBE(raw_socket6),
    PROBE(packet_socket), PROBE(vsock), PROBE(vsock_upper_half), PROBE(crypto_socket), PROBE(xdp_socket),
    PROBE(network_down), PROBE(packet_mark), PROBE(host_port), PROBE(host_abstract_socket),
    PROBE(host_shared_memory), PROBE(host_message_queue), PROBE(host_shm_file),
    // These change what later ones would see, where they succeed.
    PROBE(mount_tmpfs), PROBE(mount_proc), PROBE(mount_bind), PROBE(remount_sys), PROBE(remount_proc_sys),
    PROBE(unmount_mask), PROBE(new_mount_tree), PROBE(new_mount_fs), PROBE(new_mount_move),
    PROBE(new_mount_attributes), PROBE(mount_statistics), PROBE(pivot), PROBE(unmount_proc),
};

static void run_probe(int index) {
  int status;
  pid_t child = fork();
  if (child == 0) {
    probe_name = probes[index].name;
    alarm(10);
    probes[index].run();
    verdict(1, "no verdict");
  }
  if (child < 0) {
    dprintf(1, "%s\topen\tno process\n", probes[index].name);
    return;
  }
  while (waitpid(child, &status, 0) < 0 && errno == EINTR);
  if (WIFSIGNALED(status)) dprintf(1, "%s\tclosed\tkilled by signal %d\n", probes[index].name, WTERMSIG(status));
}

/** What the host has: its names and numbers as PROBE_… lines, alive until the input ends. */
static int be_host(void) {
  char name[64], queue[64], shm_path[128];
  struct sockaddr_un abstract;
  struct sockaddr_in inet = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof inet;
  struct stat null;
  key_t key = 0x70000000 + getpid();
  snprintf(name, sizeof name, "ocitool-probe-%d", getpid());
  snprintf(queue, sizeof queue, "/ocitool-probe-%d", getpid());
  int unix_socket = socket(AF_UNIX, SOCK_STREAM, 0), port = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(unix_socket, (void *)&abstract, abstract_address(&abstract, name)) || listen(unix_socket, 5)) return 1;
  if (bind(port, (void *)&inet, sizeof inet) || listen(port, 5)) return 2;
  getsockname(port, (void *)&inet, &size);
  int memory = shmget(key, 4096, IPC_CREAT | 0666);
  mqd_t messages = mq_open(queue, O_CREAT | O_RDWR, 0666, (struct mq_attr *)0);
  snprintf(shm_path, sizeof shm_path, "/dev/shm%s", queue);
  close(open(shm_path, O_CREAT | O_WRONLY, 0666));
  stat("/dev/null", &null);
  dprintf(1, "PROBE_PID=%d\nPROBE_ABSTRACT=%s\nPROBE_PORT=%d\nPROBE_SHM=%d\nPROBE_QUEUE=%s\nPROBE_NULL=%llu\n", getpid(),
          name, ntohs(inet.sin_port), key, queue, (unsigned long long)null.st_dev);
  gethostname(name, sizeof name);
  dprintf(1, "PROBE_HOSTNAME=%s\nready\n", name);
  while (read(0, name, sizeof name) > 0);
  shmctl(memory, IPC_RMID, 0);
  mq_close(messages);
  mq_unlink(queue);
  unlink(shm_path);
  return 0;
}

int main(int count, char **arguments) {
  if (count > 1 && !strcmp(arguments[1], "euid")) return geteuid() == 0 ? 0 : 1;
  if (count > 1 && !strcmp(arguments[1], "host")) return be_host();
  const char *only = getenv("PROBE_ONLY");
  for (unsigned i = 0; i < sizeof probes / sizeof *probes; i++) {
    char name[64];
    snprintf(name, sizeof name, ",%s,", probes[i].name);
    if (!only || strstr(only, name)) run_probe(i);
  }
  return 0;
}
