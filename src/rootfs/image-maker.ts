// squashfs and erofs images, made by the tools of their file systems: from our tar where the tool reads one, which
// keeps owners and devices whoever runs it, else from an unpacked tree.
//
// Reproducible: the tools get the time of the newest file in place of now (SOURCE_DATE_EPOCH; no file is newer, so each
// keeps its own) and no random identity.
import { execFile, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { abortError, OciError, systemCode } from '../errors.ts';
import type { Tree, TreeNode } from './tree.ts';

export type FileSystemFormat = 'squashfs' | 'erofs';

/** A tool of this machine that makes images of one format. */
export interface ImageMaker {
  /** What `makeImage` wants: the stream of `exportTree`, or the path of an unpacked tree. */
  from: 'tar' | 'tree';
  command: string;
  args(file: string, tree: Tree, source: string | undefined): string[];
}

const run = promisify(execFile);
const NO_UUID = '00000000-0000-0000-0000-000000000000';
const TAIL = 4096;

/** The tool for `format`. Throws UNSUPPORTED when it is not installed. */
export function findMaker(format: FileSystemFormat): Promise<ImageMaker> {
  return format === 'squashfs' ? findSquashfs() : findErofs();
}

async function findSquashfs(): Promise<ImageMaker> {
  // Left alone it takes a quarter of the machine's memory.
  const flags = ['-no-progress', '-quiet', '-mem', '256M'];
  // sqfstar came with squashfs-tools 4.5. It leaves the root's own entry out, so the root is told by flags; 4.5.1 gives
  // it the newest file's time all the same.
  if ((await helpOf('sqfstar', '-version')) !== undefined) {
    return {
      from: 'tar',
      command: 'sqfstar',
      args: (file, tree) => [...flags, ...rootFlags(tree.root), file],
    };
  }
  if ((await helpOf('mksquashfs', '-version')) === undefined) throw missing('squashfs', 'mksquashfs');
  return {
    from: 'tree',
    command: 'mksquashfs',
    args: (file, _, source = '') => [source, file, '-noappend', ...flags],
  };
}

function rootFlags({ mode, uid, gid, mtime }: TreeNode): string[] {
  const flags = { mode: mode.toString(8), uid, gid, time: clamped(mtime) };
  return Object.entries(flags).flatMap(([name, value]) => [`-root-${name}`, String(value)]);
}

async function findErofs(): Promise<ImageMaker> {
  const help = await helpOf('mkfs.erofs', '--help');
  if (help === undefined) throw missing('erofs', 'mkfs.erofs');
  const flags = ['--quiet', '-U', NO_UUID, '-E', 'force-inode-extended'];
  // erofs-utils 1.7 reads a tar from its standard input.
  const readsTar = help.includes('--tar=');
  return {
    from: readsTar ? 'tar' : 'tree',
    command: 'mkfs.erofs',
    args: (file, _, source = '') => (readsTar ? [...flags, '--tar=f', file] : [...flags, file, source]),
  };
}

/** What the tool says of itself; undefined when there is no such tool. Exit codes differ and mean nothing here. */
async function helpOf(command: string, flag: string): Promise<string | undefined> {
  try {
    const { stdout, stderr } = await run(command, [flag]);
    return stdout + stderr;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    return stdout + stderr;
  }
}

function missing(format: FileSystemFormat, command: string): OciError {
  return new OciError('UNSUPPORTED', `${format} images are made by ${command}, which is not installed`, {
    hint: `install ${format === 'squashfs' ? 'squashfs-tools' : 'erofs-utils'}, or write a tar: --format tar`,
  });
}

/**
 * Has the tool write the image to `file`, which must not exist and is left half done on failure.
 * Throws what the tar stream throws, ABORTED, and IO with the tool's last words.
 */
export async function makeImage(
  maker: ImageMaker,
  tree: Tree,
  source: Readable | string,
  file: string,
  options: { signal?: AbortSignal | undefined } = {},
): Promise<void> {
  const { signal } = options;
  const args = maker.args(file, tree, typeof source === 'string' ? source : undefined);
  const child = spawn(maker.command, args, {
    stdio: [typeof source === 'string' ? 'ignore' : 'pipe', 'ignore', 'pipe'],
    env: { ...process.env, SOURCE_DATE_EPOCH: String(newestTime(tree)) },
    signal,
  });
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-TAIL);
  });
  const ended = new Promise<void>((resolve, reject) => {
    // Killed by the signal it still has to end; only a tool that never started is not heard of again.
    child.on('error', (error) => child.pid === undefined && reject(error));
    child.on('close', (code, killed) => {
      if (code === 0) resolve();
      else reject(toolFailed(maker.command, killed ?? `exit code ${code}`, said));
    });
  });
  const fed = child.stdin === null ? undefined : pipeline(source as Readable, child.stdin);
  // A tool that gives up closes its input: why is said by its own end. A tar that fails ends the tool.
  fed?.catch((error: unknown) => systemCode(error) !== 'EPIPE' && child.kill());
  const [outcome, feeding] = await Promise.allSettled([ended, fed]);
  if (signal?.aborted) throw abortError(signal);
  if (feeding.status === 'rejected' && systemCode(feeding.reason) !== 'EPIPE') throw feeding.reason;
  if (outcome.status === 'rejected') throw outcome.reason;
}

function toolFailed(command: string, how: string, said: string): OciError {
  const last = said.trim().split('\n').at(-1) ?? '';
  return new OciError('IO', `${command} failed (${how})${last === '' ? '' : `: ${last}`}`);
}

/** The newest modification time, in seconds as both file systems can say them. */
function newestTime({ root }: Tree): number {
  let newest = 0;
  const look = (node: TreeNode): void => {
    newest = Math.max(newest, clamped(node.mtime));
    for (const child of node.children?.values() ?? []) look(child);
  };
  look(root);
  return newest;
}

function clamped(seconds: number): number {
  return Math.min(Math.max(seconds, 0), 0xffff_ffff);
}
