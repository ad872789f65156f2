// Which system calls a container may make, as data. What Docker's default profile permits is the measure, less 32-bit
// and x32 programs, which the filter refuses whole. Whatever is in no list here is newer than this file: ENOSYS.
import type { Capability } from './capabilities.ts';
import { words } from './syscall-numbers.ts';

/** Allowed with any arguments. */
export const ALLOWED: readonly string[] = [
  // reading and writing
  ...words(`read write pread64 pwrite64 readv writev preadv pwritev preadv2 pwritev2 lseek sendfile splice tee vmsplice
    copy_file_range fsync fdatasync sync syncfs sync_file_range readahead fadvise64 fallocate truncate ftruncate
    cachestat`),
  // descriptors
  ...words(`open openat openat2 creat close close_range dup dup2 dup3 fcntl flock ioctl pipe pipe2 select pselect6 poll
    ppoll epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 eventfd eventfd2 signalfd signalfd4
    timerfd_create timerfd_settime timerfd_gettime inotify_init inotify_init1 inotify_add_watch inotify_rm_watch
    fanotify_mark memfd_create memfd_secret`),
  // names and attributes of files
  ...words(`stat fstat lstat newfstatat statx access faccessat faccessat2 getdents getdents64 getcwd chdir fchdir
    rename renameat renameat2 mkdir mkdirat rmdir link linkat unlink unlinkat symlink symlinkat readlink readlinkat
    chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat umask mknod mknodat utime utimes futimesat utimensat
    statfs fstatfs name_to_handle_at setxattr lsetxattr fsetxattr getxattr lgetxattr fgetxattr listxattr llistxattr
    flistxattr removexattr lremovexattr fremovexattr setxattrat getxattrat listxattrat removexattrat file_getattr
    file_setattr`),
  // asynchronous reads and writes, the old kind: io_uring has opened too many kernels
  ...words(`io_setup io_destroy io_submit io_cancel io_getevents io_pgetevents`),
  // memory
  ...words(`mmap munmap mremap mprotect brk msync mincore madvise process_madvise process_mrelease mlock mlock2 munlock
    mlockall munlockall remap_file_pages pkey_alloc pkey_free pkey_mprotect membarrier mseal map_shadow_stack`),
  // processes and threads
  ...words(`execve execveat exit exit_group fork vfork wait4 waitid getpid getppid gettid set_tid_address arch_prctl
    prctl modify_ldt set_thread_area get_thread_area set_robust_list get_robust_list rseq futex futex_wait futex_wake
    futex_requeue futex_waitv setpgid getpgid getpgrp setsid getsid pidfd_open pidfd_send_signal ptrace
    process_vm_readv process_vm_writev restart_syscall`),
  // signals and timers
  ...words(`kill tkill tgkill rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait rt_sigqueueinfo
    rt_tgsigqueueinfo rt_sigsuspend sigaltstack pause alarm getitimer setitimer timer_create timer_settime timer_gettime
    timer_getoverrun timer_delete nanosleep clock_nanosleep clock_gettime clock_getres gettimeofday time times adjtimex
    clock_adjtime`),
  // scheduling and limits
  ...words(`sched_yield sched_setparam sched_getparam sched_setscheduler sched_getscheduler sched_setattr sched_getattr
    sched_setaffinity sched_getaffinity sched_get_priority_max sched_get_priority_min sched_rr_get_interval getpriority
    setpriority ioprio_get ioprio_set getrlimit setrlimit prlimit64 getrusage getcpu sysinfo uname getrandom`),
  // who one is, and making that less
  ...words(`getuid geteuid getgid getegid getresuid getresgid setuid setgid setreuid setregid setresuid setresgid
    setfsuid setfsgid getgroups setgroups capget capset seccomp landlock_create_ruleset landlock_add_rule
    landlock_restrict_self`),
  // sockets; `socket` itself is below
  ...words(`socketpair bind listen accept accept4 connect getsockname getpeername sendto recvfrom sendmsg recvmsg
    sendmmsg recvmmsg setsockopt getsockopt shutdown`),
  // System V and POSIX message passing
  ...words(`shmget shmat shmctl shmdt semget semop semtimedop semctl msgget msgsnd msgrcv msgctl mq_open mq_unlink
    mq_timedsend mq_timedreceive mq_notify mq_getsetattr`),
];

/** Allowed to a container that was given the capability; EPERM otherwise. */
export const ALLOWED_WITH: Readonly<Partial<Record<Capability, readonly string[]>>> = {
  CAP_BPF: words('bpf'),
  CAP_DAC_READ_SEARCH: words('open_by_handle_at'),
  CAP_PERFMON: words('perf_event_open'),
  CAP_SYS_ADMIN:
    words(`bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick listmount listns lookup_dcookie
    mount mount_setattr move_mount open_tree open_tree_attr perf_event_open pivot_root quotactl quotactl_fd
    setdomainname sethostname setns statmount syslog umount2 unshare`),
  CAP_SYS_BOOT: words('reboot'),
  CAP_SYS_CHROOT: words('chroot'),
  CAP_SYS_MODULE: words('init_module finit_module delete_module'),
  CAP_SYS_NICE: words('get_mempolicy mbind migrate_pages move_pages set_mempolicy set_mempolicy_home_node'),
  CAP_SYS_PACCT: words('acct'),
  CAP_SYS_PTRACE: words('kcmp pidfd_getfd'),
  CAP_SYS_RAWIO: words('ioperm iopl'),
  CAP_SYS_TIME: words('clock_settime settimeofday'),
  CAP_SYS_TTY_CONFIG: words('vhangup'),
  CAP_SYSLOG: words('syslog'),
};

/** Never allowed; EPERM rather than ENOSYS, which some programs take for an old kernel and work around wrongly. */
export const REFUSED: readonly string[] = words(`_sysctl add_key create_module get_kernel_syms io_uring_enter
  io_uring_register io_uring_setup kexec_file_load kexec_load keyctl lsm_get_self_attr lsm_list_modules
  lsm_set_self_attr nfsservctl query_module request_key swapoff swapon sysfs uselib userfaultfd ustat`);

/** Families of sockets from here on are refused: AF_ALG, AF_VSOCK (the hypervisor), AF_XDP and what may come. */
export const FIRST_REFUSED_FAMILY = 38;

/** The flags of clone(2) that make a namespace: mount, cgroup, uts, ipc, user, pid, network. */
export const CLONE_NAMESPACES: readonly number[] = [
  0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000,
];

/** personality(2): Linux and 32-bit layout, each with or without address randomisation; all ones asks which it is. */
export const PERSONALITIES: readonly number[] = [0, 0x8, 0x20000, 0x20008, 0xffffffff];
