// Options of a mount in config.json, which are those of mount(8), sorted by what each is to the kernel.
import type { Attribute, Propagation, Setting } from './operation.ts';

export interface MountOptions {
  attributes: Attribute[];
  propagation: Propagation;
  bind: boolean;
  recursive: boolean;
  /** `dev` was asked for. */
  devices: boolean;
  /** What the file system itself understands. */
  settings: Setting[];
}

/** Options that switch an attribute off. */
const OPPOSITES: Readonly<Record<string, Attribute>> = {
  rw: 'ro',
  suid: 'nosuid',
  dev: 'nodev',
  exec: 'noexec',
  atime: 'noatime',
  diratime: 'nodiratime',
};
const ATTRIBUTES: readonly Attribute[] = [
  'ro',
  'nosuid',
  'nodev',
  'noexec',
  'noatime',
  'strictatime',
  'nodiratime',
];
/** The kernel's default, or nothing that a mount of ours could differ in. */
const IGNORED = ['relatime', 'norelatime', 'nostrictatime', 'defaults', 'async', 'noiversion', 'tmpcopyup'];
const PROPAGATIONS: readonly Propagation[] = ['private', 'slave', 'shared', 'unbindable'];

/** Later options win over earlier ones. */
export function parseMountOptions(options: readonly string[]): MountOptions {
  const attributes = new Set<Attribute>();
  const parsed: MountOptions = {
    attributes: [],
    propagation: 'private',
    bind: false,
    recursive: false,
    devices: false,
    settings: [],
  };
  for (const option of options) {
    const attribute = ATTRIBUTES.find((name) => name === option || `r${name}` === option);
    const off = OPPOSITES[option];
    const propagation = PROPAGATIONS.find((name) => name === option || `r${name}` === option);
    if (attribute !== undefined) attributes.add(attribute);
    else if (off !== undefined) attributes.delete(off);
    else if (propagation !== undefined) parsed.propagation = propagation;
    else if (option === 'bind' || option === 'rbind') {
      parsed.bind = true;
      parsed.recursive = option === 'rbind';
    } else if (!IGNORED.includes(option)) parsed.settings.push(setting(option));
    if (option === 'dev' || option === 'nodev') parsed.devices = option === 'dev';
  }
  parsed.attributes = [...attributes];
  return parsed;
}

function setting(option: string): Setting {
  const equals = option.indexOf('=');
  return equals === -1 ? [option] : [option.slice(0, equals), option.slice(equals + 1)];
}
