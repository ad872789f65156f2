// Everything that can be seen of a directory tree, in a form two trees are compared by.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { constants, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

export interface TreeNode {
  kind: 'file' | 'dir' | 'symlink' | 'char' | 'block' | 'fifo' | 'socket';
  mode: string;
  owner: string;
  /** Nanoseconds since the epoch. */
  mtime: bigint;
  /** Of a file: its content. */
  sha256?: string;
  size?: number;
  target?: string;
  device?: string;
  /** Of a file with several names: the first of them. */
  sameAs?: string;
  /** Name and value in hex, sorted. */
  xattrs?: string[];
}

/** By path from `root`, sorted; the root itself is `.`. Names are read as latin1 so that any byte is kept. */
export function treeSnapshot(root: string): Record<string, TreeNode> {
  const nodes: Record<string, TreeNode> = {};
  const firstNames = new Map<string, string>();
  const xattrs = readXattrs(root);
  function visit(path: string): void {
    const file = Buffer.from(join(root, path), 'latin1');
    const stat = lstatSync(file, { bigint: true });
    const inode = `${stat.dev}:${stat.ino}`;
    const attributes = xattrs.get(path);
    const node: TreeNode = {
      kind: kindOf(Number(stat.mode)),
      mode: (Number(stat.mode) & 0o7777).toString(8),
      owner: `${stat.uid}:${stat.gid}`,
      mtime: stat.mtimeNs,
      ...(attributes && { xattrs: attributes }),
    };
    if (node.kind === 'file') {
      const content = readFileSync(file);
      node.size = content.length;
      node.sha256 = createHash('sha256').update(content).digest('hex');
      const first = firstNames.get(inode);
      if (first !== undefined) node.sameAs = first;
      else if (stat.nlink > 1n) firstNames.set(inode, path);
    }
    if (node.kind === 'symlink') node.target = readlinkSync(file, 'latin1');
    if (node.kind === 'char' || node.kind === 'block') node.device = String(stat.rdev);
    nodes[path] = node;
    if (node.kind !== 'dir') return;
    for (const name of readdirSync(file, 'latin1').sort()) visit(path === '.' ? name : `${path}/${name}`);
  }
  visit('.');
  return nodes;
}

const KINDS = new Map<number, TreeNode['kind']>([
  [constants.S_IFREG, 'file'],
  [constants.S_IFDIR, 'dir'],
  [constants.S_IFLNK, 'symlink'],
  [constants.S_IFCHR, 'char'],
  [constants.S_IFBLK, 'block'],
  [constants.S_IFIFO, 'fifo'],
  [constants.S_IFSOCK, 'socket'],
]);

function kindOf(mode: number): TreeNode['kind'] {
  const kind = KINDS.get(mode & constants.S_IFMT);
  if (kind === undefined) throw new Error(`unknown kind of file: mode ${mode.toString(8)}`);
  return kind;
}

/** What getfattr tells: `# file: PATH`, then NAME=0xHEX lines, then an empty line. */
function readXattrs(root: string): Map<string, string[]> {
  const text = execFileSync('getfattr', ['-R', '-P', '-h', '-d', '-m', '-', '-e', 'hex', '.'], {
    cwd: root,
    encoding: 'latin1',
    maxBuffer: 1 << 28,
  });
  const found = new Map<string, string[]>();
  for (const block of text.split('\n\n')) {
    const [head, ...lines] = block.trim().split('\n');
    if (head?.startsWith('# file: ')) found.set(unescapePath(head.slice('# file: '.length)), lines.sort());
  }
  return found;
}

function unescapePath(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
