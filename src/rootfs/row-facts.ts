// What a row of the merged tree stands for, read from its layer's log. An object that is looked at and let go costs
// nothing to collect.
import { type EntryLog, KINDS } from './entry-log.ts';
import { NONE, type NodeTable } from './node-table.ts';
import type { NodeKind, TreeNode } from './tree.ts';

const MODE_OF_NOBODY = 0o755;

/** Of a hard link, what it shares; but `layer` is that of its name. */
export class RowFacts implements Facts {
  readonly kind: NodeKind;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: number;
  readonly mtimeNanos: number;
  readonly size: number;
  readonly target: string;
  readonly major: number;
  readonly minor: number;
  readonly xattrs: TreeNode['xattrs'];
  readonly layer: number;

  constructor(table: NodeTable, row: number) {
    const origin = table.origins[row] as number;
    const inode = origin === NONE ? row : origin;
    const kind = KINDS[table.kinds[row] as number] as NodeKind;
    this.kind = kind;
    const entry = table.entries[inode] as number;
    if (entry === -1) {
      const [seconds, nanos] = table.times.get(inode) as readonly [number, number];
      this.mode = MODE_OF_NOBODY;
      this.uid = 0;
      this.gid = 0;
      this.mtime = seconds;
      this.mtimeNanos = nanos;
      this.size = 0;
      this.xattrs = undefined;
    } else {
      const log = table.logs[table.layers[inode] as number] as EntryLog;
      this.mode = log.modes[entry] as number;
      this.uid = log.uids[entry] as number;
      this.gid = log.gids[entry] as number;
      this.mtime = log.mtimes[entry] as number;
      this.mtimeNanos = log.mtimeNanos[entry] as number;
      this.size = kind === 'directory' ? 0 : (log.sizes[entry] as number);
      this.xattrs = log.xattrs.size === 0 ? undefined : log.xattrs.get(entry);
    }
    this.target = kind === 'symlink' ? (table.targets.get(inode) as string) : '';
    const device = kind === 'char' || kind === 'block' ? table.devices.get(inode) : undefined;
    this.major = device?.[0] ?? 0;
    this.minor = device?.[1] ?? 0;
    this.layer = table.layers[row] as number;
  }
}

/** What a listing shows of a name. */
export type Facts = Pick<
  TreeNode,
  'kind' | 'mode' | 'uid' | 'gid' | 'mtime' | 'mtimeNanos' | 'size' | 'target' | 'major' | 'minor' | 'layer'
>;
