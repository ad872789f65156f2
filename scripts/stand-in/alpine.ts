// The two lower layers: the paths of Alpine 3.7 and of what dotnet's runtime-deps adds with apk, as far as people look at them.
import { createHash } from 'node:crypto';
import { dir, type Entry, filler, hardlink, type LayerTree, symlink, text } from './tree.ts';

const BIN =
  'ash base64 cat chgrp chmod chown cp date dd df dmesg dnsdomainname echo ed egrep false fgrep fsync getopt grep gunzip gzip hostname ionice iostat ipcalc kill link linux32 linux64 ln login ls lzop makemime mkdir mknod mktemp more mount mountpoint mpstat mv netstat nice pidof ping ping6 printenv ps pwd reformime rev rm rmdir run-parts sed setpriv setserial sh sleep stat stty su sync tar touch true umount uname usleep watch zcat';
const SBIN =
  'acpid adjtimex arp blkid blockdev depmod fbsplash fdisk findfs freeramdisk fsck fstrim getty halt hdparm hwclock ifconfig ifdown ifenslave ifup init inotifyd insmod ip ipaddr iplink ipneigh iproute iprule iptunnel klogd loadkmap logread losetup lsmod mdev mkdosfs mkfs.vfat mkswap modinfo modprobe nameif nologin pivot_root poweroff raidautorun reboot rmmod route setconsole slattach swapoff swapon switch_root sysctl syslogd tunctl udhcpc vconfig watchdog zcip';
const USR_BIN =
  '[ [[ awk basename bunzip2 bzcat bzip2 cal chvt cksum clear cmp comm cpio crontab cryptpw cut dc diff dirname dos2unix du env expand expr factor fallocate find flock fold free fuser groups head hexdump hostid id install ipcrm ipcs killall last less logger lsof lsusb md5sum mkfifo mkpasswd nc nl nohup nproc nsenter nslookup od passwd paste patch pgrep pkill pmap printf pstree pwdx readlink realpath renice reset seq setsid sha1sum sha256sum sha512sum shred shuf sort split strings sum tac tail tee test time timeout top tr traceroute truncate tty uniq unshare unxz unzip uptime uuencode vi wc wget which who whoami xargs xzcat yes';
const USR_SBIN =
  'add-shell addgroup adduser arping brctl chpasswd chroot crond delgroup deluser ether-wake killall5 loadfont nanddump ntpd partprobe rdate readahead remove-shell rfkill sendmail setfont';

const DIRS =
  'bin dev etc etc/apk etc/apk/keys etc/conf.d etc/crontabs etc/init.d etc/network etc/opt etc/periodic etc/periodic/daily etc/periodic/weekly etc/profile.d etc/ssl home lib lib/apk lib/apk/db media media/cdrom media/floppy media/usb mnt proc run sbin srv sys usr usr/bin usr/lib usr/local usr/local/bin usr/local/lib usr/local/share usr/sbin usr/share usr/share/apk usr/share/apk/keys usr/share/misc var var/cache var/cache/apk var/empty var/lib var/lib/apk var/local var/lock var/log var/opt var/spool var/spool/cron';

const OS_RELEASE = `NAME="Alpine Linux"
ID=alpine
VERSION_ID=3.7.3
PRETTY_NAME="Alpine Linux v3.7 (stand-in)"
HOME_URL="http://alpinelinux.org"
BUG_REPORT_URL="http://bugs.alpinelinux.org"
`;
const PASSWD = `root:x:0:0:root:/root:/bin/ash
bin:x:1:1:bin:/bin:/sbin/nologin
daemon:x:2:2:daemon:/sbin:/sbin/nologin
guest:x:405:100:guest:/dev/null:/sbin/nologin
nobody:x:65534:65534:nobody:/:/sbin/nologin
`;
const GROUP = `root:x:0:root
bin:x:1:root,bin,daemon
daemon:x:2:root,bin,daemon
shadow:x:42:
users:x:100:games
nobody:x:65534:
`;
const PROFILE = `export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PAGER=less
export PS1='\\h:\\w\\$ '
umask 022
`;

/** Layer 1: `ADD` of the Alpine root. `musl` is the loader's name for the architecture. */
export function alpineLayer(musl: string): LayerTree {
  const applets = (folder: string, names: string): Entry[] =>
    names.split(' ').map((name) => symlink(`${folder}/${name}`, '/bin/busybox'));
  const entries = [
    ...DIRS.split(' ').map((path) => dir(path)),
    dir('root', 0o700),
    dir('tmp', 0o1777),
    dir('var/tmp', 0o1777),
    filler('bin/busybox', 805_552, 0o755),
    ...applets('bin', BIN),
    ...applets('sbin', SBIN),
    ...applets('usr/bin', USR_BIN),
    ...applets('usr/sbin', USR_SBIN),
    text('etc/alpine-release', '3.7.3\n'),
    text('etc/os-release', OS_RELEASE),
    text('etc/issue', 'Welcome to Alpine Linux 3.7 (stand-in)\nKernel \\r on an \\m (\\l)\n'),
    text('etc/hostname', 'localhost\n'),
    text('etc/hosts', '127.0.0.1\tlocalhost localhost.localdomain\n::1\t\tlocalhost localhost.localdomain\n'),
    text('etc/passwd', PASSWD),
    text('etc/group', GROUP),
    text('etc/shadow', 'root:::0:::::\nbin:!::0:::::\nnobody:!::0:::::\n', { mode: 0o640, gid: 42 }),
    text('etc/shells', '/bin/sh\n/bin/ash\n'),
    text('etc/profile', PROFILE),
    text('etc/apk/arch', `${musl}\n`),
    text('etc/apk/repositories', 'http://dl-cdn.alpinelinux.org/alpine/v3.7/main\n'),
    text('etc/apk/world', 'alpine-baselayout\nalpine-keys\napk-tools\nbusybox\nlibc-utils\n'),
    filler('etc/services', 36_141),
    symlink('etc/mtab', '../proc/mounts'),
    filler(`lib/ld-musl-${musl}.so.1`, 584_168, 0o755),
    symlink(`lib/libc.musl-${musl}.so.1`, `ld-musl-${musl}.so.1`),
    filler('lib/libcrypto.so.42.0.0', 'rest', 0o755),
    symlink('lib/libcrypto.so.42', 'libcrypto.so.42.0.0'),
    filler('lib/libssl.so.44.0.1', 312_184, 0o755),
    symlink('lib/libssl.so.44', 'libssl.so.44.0.1'),
    filler('lib/libz.so.1.2.11', 91_872, 0o755),
    symlink('lib/libz.so.1', 'libz.so.1.2.11'),
    filler('lib/apk/db/installed', 12_710),
    filler('lib/apk/db/scripts.tar', 10_752),
    text('lib/apk/db/triggers', 'Q1 /bin /usr/bin /sbin /usr/sbin /lib/modules/*\n'),
    text('lib/apk/db/lock', '', { mode: 0o600 }),
    filler('sbin/apk', 223_520, 0o755),
    filler('usr/bin/scanelf', 79_352, 0o755),
    filler('usr/bin/getconf', 34_208, 0o755),
    symlink('var/run', '/run'),
    symlink('var/spool/mail', '../mail'),
    symlink('var/spool/cron/crontabs', '/etc/crontabs'),
  ];
  return { entries, bytes: 4_210_000, letters: 16, mtime: Date.UTC(2019, 2, 7, 22, 19, 46) / 1000 };
}

const ZONES: Record<string, string> = {
  Africa:
    'Abidjan Accra Addis_Ababa Algiers Cairo Casablanca Dakar Johannesburg Khartoum Lagos Maputo Nairobi Tripoli Tunis Windhoek',
  America:
    'Anchorage Argentina/Buenos_Aires Asuncion Bogota Caracas Chicago Denver Guatemala Halifax Havana La_Paz Lima Los_Angeles Mexico_City Montevideo New_York Panama Phoenix Port-au-Prince Santiago Sao_Paulo St_Johns Toronto Vancouver',
  Asia: 'Almaty Baghdad Baku Bangkok Beirut Colombo Dhaka Dubai Ho_Chi_Minh Hong_Kong Jakarta Jerusalem Kabul Karachi Kathmandu Kolkata Manila Qatar Riyadh Seoul Shanghai Singapore Taipei Tashkent Tehran Tokyo Yangon Yerevan',
  Atlantic: 'Azores Bermuda Canary Cape_Verde Reykjavik South_Georgia',
  Australia: 'Adelaide Brisbane Darwin Hobart Melbourne Perth Sydney',
  Europe:
    'Amsterdam Athens Belgrade Berlin Brussels Bucharest Budapest Copenhagen Dublin Helsinki Istanbul Kiev Lisbon London Madrid Minsk Moscow Oslo Paris Prague Riga Rome Sofia Stockholm Tallinn Vienna Vilnius Warsaw Zurich',
  Pacific: 'Apia Auckland Fiji Guam Honolulu Noumea Pago_Pago Tahiti Tongatapu',
};

/** Layer 2: what `apk add` of runtime-deps brings: shared objects, certificates, time zones, a changed package database. */
export function runtimeDepsLayer(): LayerTree {
  const entries = [
    dir('etc/ssl'),
    dir('etc/ssl/certs'),
    dir('etc/ca-certificates'),
    dir('usr/share/ca-certificates'),
    dir('usr/share/ca-certificates/mozilla'),
    ...certificates(),
    ...sharedObject('lib/libcrypto.so.1.0.0', 1_688_616),
    ...sharedObject('lib/libssl.so.1.0.0', 391_344),
    ...sharedObject('usr/lib/libgssapi_krb5.so.2.2', 288_712),
    ...sharedObject('usr/lib/libkrb5.so.3.3', 782_536),
    ...sharedObject('usr/lib/libk5crypto.so.3.1', 165_480),
    ...sharedObject('usr/lib/libkrb5support.so.0.1', 38_984),
    ...sharedObject('usr/lib/libcom_err.so.2.1', 14_272),
    ...sharedObject('usr/lib/libgcc_s.so.1', 79_320),
    ...sharedObject('usr/lib/libintl.so.8.1.5', 50_960),
    ...sharedObject('usr/lib/liblttng-ust.so.0.0.0', 'rest'),
    ...sharedObject('usr/lib/libstdc++.so.6.0.22', 1_346_560),
    ...sharedObject('usr/lib/liburcu-bp.so.6.0.0', 34_432),
    dir('usr/share/zoneinfo'),
    ...zones('usr/share/zoneinfo'),
    ...zones('usr/share/zoneinfo/posix'),
    ...zones('usr/share/zoneinfo/right'),
    filler('usr/share/zoneinfo/zone.tab', 19_335),
    filler('usr/sbin/update-ca-certificates', 10_344, 0o755),
    text(
      'etc/apk/world',
      'ca-certificates\nkrb5-libs\nlibgcc\nlibintl\nlibssl1.0\nlibstdc++\nlttng-ust\ntzdata\nuserspace-rcu\nzlib\n',
    ),
    filler('lib/apk/db/installed', 61_940),
    filler('lib/apk/db/scripts.tar', 17_920),
    text('lib/apk/db/lock', '', { mode: 0o600 }),
  ];
  return { entries, bytes: 9_142_003, letters: 9, mtime: Date.UTC(2019, 2, 8, 2, 57, 12) / 1000 };
}

/** A library under its full version, and the soname link to it when the two differ. */
function sharedObject(path: string, bytes: number | 'rest'): Entry[] {
  const file = filler(path, bytes, 0o755);
  const soname = path.replace(/(\.so\.\d+)\..*$/, '$1');
  return soname === path || path.endsWith('.1.0.0')
    ? [file]
    : [file, symlink(soname, path.split('/').at(-1) ?? path)];
}

function certificates(): Entry[] {
  const authorities = Array.from(
    { length: 133 },
    (_, i) => `Stand-in_Root_CA_${String(i + 1).padStart(3, '0')}`,
  );
  return [
    filler('etc/ssl/certs/ca-certificates.crt', 218_230),
    text('etc/ca-certificates.conf', authorities.map((name) => `mozilla/${name}.crt\n`).join('')),
    ...authorities.flatMap((name) => [
      filler(`usr/share/ca-certificates/mozilla/${name}.crt`, 1_640),
      symlink(`etc/ssl/certs/ca-cert-${name}.pem`, `/usr/share/ca-certificates/mozilla/${name}.crt`),
      symlink(
        `etc/ssl/certs/${createHash('sha1').update(name).digest('hex').slice(0, 8)}.0`,
        `ca-cert-${name}.pem`,
      ),
    ]),
  ];
}

function zones(root: string): Entry[] {
  const regions = Object.entries(ZONES).flatMap(([region, names]) => [
    dir(`${root}/${region}`),
    ...names
      .split(' ')
      .flatMap((name) => [
        ...(name.includes('/') ? [dir(`${root}/${region}/${name.split('/')[0]}`)] : []),
        filler(`${root}/${region}/${name}`, 1_100 + 40 * name.length),
      ]),
  ]);
  return [
    ...(root.endsWith('/zoneinfo') ? [] : [dir(root)]),
    ...regions,
    filler(`${root}/UTC`, 118),
    hardlink(`${root}/Zulu`, `${root}/UTC`),
    hardlink(`${root}/GB`, `${root}/Europe/London`),
    hardlink(`${root}/Japan`, `${root}/Asia/Tokyo`),
  ];
}
