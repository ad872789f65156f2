// Runs `nft`, in other namespaces too: its language is worth a process, of 6 ms and more.
import { spawn } from 'node:child_process';
import { isOciError, OciError, systemCode } from '../../errors.ts';
import { SystemCallError } from '../kernel.ts';

const PACKAGES: Readonly<Record<string, string>> = {
  nft: 'nftables',
  nsenter: 'util-linux',
  unshare: 'util-linux',
  mount: 'mount',
};

/** Debian keeps these where a normal user's PATH does not look. */
const PATH = `${process.env.PATH ?? ''}:/usr/sbin:/sbin:/usr/bin:/bin`;

/** A tool that failed, with what it said. */
export class ToolError extends Error {
  override readonly name = 'ToolError';
}

/** Runs a command to its end. Throws UNSUPPORTED when it is not installed, else ToolError. */
export function runTool(command: readonly string[]): Promise<void> {
  const [name = '', ...args] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(name, args, { stdio: ['ignore', 'ignore', 'pipe'], env: { PATH, LC_ALL: 'C' } });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (said.length < 4096) said += text;
    });
    child.on('error', (error) => reject(systemCode(error) === 'ENOENT' ? notInstalled(name) : error));
    child.on('close', (code) => {
      if (code === 0) return resolve();
      const missing = /failed to execute (\w+):.*No such file/.exec(said)?.[1];
      reject(missing === undefined ? new ToolError(`${name}: ${oneLine(said)}`) : notInstalled(missing));
    });
  });
}

function notInstalled(name: string): OciError {
  const at = PACKAGES[name] ?? name;
  return new OciError('UNSUPPORTED', `networks need ${name}, which is not installed`, {
    hint: `install ${at}, or use --network none or --network host`,
  });
}

/** What of a tool's complaints says what is wrong. */
function oneLine(text: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return (lines[0] ?? 'failed').slice(0, 300);
}

/** A failure of a tool or of a system call in terms of a network. */
export function networkError(error: unknown, network: string): unknown {
  if (isOciError(error) || !(error instanceof Error)) return error;
  const known = error instanceof ToolError || error instanceof SystemCallError;
  if (!known && systemCode(error) === undefined) return error;
  const denied = /not permitted|permission denied|EPERM|EACCES/i.test(error.message);
  return new OciError(denied ? 'PERMISSION' : 'UNSUPPORTED', `network ${network}: ${error.message}`, {
    cause: error,
    hint: denied
      ? 'networks need root, or a user namespace of your own'
      : 'the kernel may lack bridges, veth or nf_tables; --network none and host do without',
  });
}
