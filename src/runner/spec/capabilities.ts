// Which capabilities a container gets: Docker's choice without the three that nothing in a container should need,
// never more than this process could give (capabilities(7)).
import { OciError } from '../../errors.ts';
import { nearestName } from '../../rootfs/nearest-name.ts';

/** In the order of their numbers (linux/capability.h), which is the order of the bits in a set. */
export const CAPABILITIES = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_DAC_READ_SEARCH',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETPCAP',
  'CAP_LINUX_IMMUTABLE',
  'CAP_NET_BIND_SERVICE',
  'CAP_NET_BROADCAST',
  'CAP_NET_ADMIN',
  'CAP_NET_RAW',
  'CAP_IPC_LOCK',
  'CAP_IPC_OWNER',
  'CAP_SYS_MODULE',
  'CAP_SYS_RAWIO',
  'CAP_SYS_CHROOT',
  'CAP_SYS_PTRACE',
  'CAP_SYS_PACCT',
  'CAP_SYS_ADMIN',
  'CAP_SYS_BOOT',
  'CAP_SYS_NICE',
  'CAP_SYS_RESOURCE',
  'CAP_SYS_TIME',
  'CAP_SYS_TTY_CONFIG',
  'CAP_MKNOD',
  'CAP_LEASE',
  'CAP_AUDIT_WRITE',
  'CAP_AUDIT_CONTROL',
  'CAP_SETFCAP',
  'CAP_MAC_OVERRIDE',
  'CAP_MAC_ADMIN',
  'CAP_SYSLOG',
  'CAP_WAKE_ALARM',
  'CAP_BLOCK_SUSPEND',
  'CAP_AUDIT_READ',
  'CAP_PERFMON',
  'CAP_BPF',
  'CAP_CHECKPOINT_RESTORE',
] as const;

export type Capability = (typeof CAPABILITIES)[number];

/** Docker's default set less NET_RAW (forged packets), MKNOD (devices) and AUDIT_WRITE (the host's audit log). */
export const DEFAULT_CAPABILITIES: readonly Capability[] = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETPCAP',
  'CAP_NET_BIND_SERVICE',
  'CAP_SYS_CHROOT',
  'CAP_SETFCAP',
];

/** The capabilities in a mask as /proc/PID/status has it (`CapBnd`, hexadecimal). */
export function capabilitiesOfMask(mask: string): Capability[] {
  const bits = BigInt(`0x${mask.trim()}`);
  return CAPABILITIES.filter((_, bit) => ((bits >> BigInt(bit)) & 1n) === 1n);
}

/** `NET_ADMIN`, `cap_net_admin` and `CAP_NET_ADMIN` are one. Throws USAGE, naming `flag`. */
export function parseCapability(text: string, flag: string): Capability | 'ALL' {
  const upper = text.toUpperCase();
  if (upper === 'ALL' || upper === 'CAP_ALL') return 'ALL';
  const name = upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
  const known = CAPABILITIES.find((capability) => capability === name);
  if (known !== undefined) return known;
  const near = nearestName(name, CAPABILITIES);
  throw new OciError('USAGE', `${flag} ${text}: not a capability`, {
    hint: near === undefined ? 'capabilities(7) lists them; ALL stands for all' : `did you mean ${near}?`,
  });
}

/**
 * The container's bounding set, as Docker combines the flags: `ALL` on either side first, then single names; a name
 * both added and dropped is dropped. Throws USAGE, and PERMISSION when a capability asked for by name is not ours.
 */
export function chooseCapabilities(
  request: { capAdd: readonly string[]; capDrop: readonly string[] },
  bounding: readonly string[],
): Capability[] {
  const added = request.capAdd.map((text) => parseCapability(text, '--cap-add'));
  const dropped = new Set(request.capDrop.map((text) => parseCapability(text, '--cap-drop')));
  const ours = new Set(bounding);
  for (const name of added) {
    if (name === 'ALL' || dropped.has(name) || ours.has(name)) continue;
    throw new OciError('PERMISSION', `--cap-add ${name}: this process does not have it to give`, {
      hint: 'CapBnd in /proc/self/status is what a container can get at most',
    });
  }
  const base = added.includes('ALL') ? CAPABILITIES : dropped.has('ALL') ? [] : DEFAULT_CAPABILITIES;
  const wanted = new Set<string>([...base, ...added]);
  return CAPABILITIES.filter((name) => wanted.has(name) && !dropped.has(name) && ours.has(name));
}
