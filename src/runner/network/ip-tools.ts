// Runs `ip` and `nft`, in other namespaces too. Each process costs some ms, so callers batch.
import { spawn } from 'node:child_process';
import { OciError, systemCode } from '../../errors.ts';

const PACKAGES: Readonly<Record<string, string>> = {
  ip: 'iproute2',
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

/** Runs a command with `input` on stdin to its end. Throws UNSUPPORTED when it is not installed, else ToolError. */
export function runTool(command: readonly string[], input = ''): Promise<void> {
  const [name = '', ...args] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(name, args, { stdio: ['pipe', 'ignore', 'pipe'], env: { PATH, LC_ALL: 'C' } });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (said.length < 4096) said += text;
    });
    child.stdin.on('error', () => {}); // it ended without reading; its exit code tells
    child.on('error', (error) => reject(systemCode(error) === 'ENOENT' ? notInstalled(name) : error));
    child.on('close', (code) => {
      if (code === 0) return resolve();
      const missing = /(?:failed to execute |sh: (?:\d+: )?)(\w+):.*(?:not found|No such file)/.exec(
        said,
      )?.[1];
      reject(missing === undefined ? new ToolError(`${name}: ${oneLine(said)}`) : notInstalled(missing));
    });
    child.stdin.end(input);
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
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('Command failed'));
  return (lines[0] ?? 'failed').slice(0, 300);
}

/** A tool's failure in terms of a network. */
export function networkError(error: unknown, network: string): unknown {
  if (!(error instanceof ToolError)) return error;
  const denied = /not permitted|Permission denied/.test(error.message);
  return new OciError(denied ? 'PERMISSION' : 'UNSUPPORTED', `network ${network}: ${error.message}`, {
    cause: error,
    hint: denied
      ? 'networks need root, or a user namespace of your own'
      : 'the kernel may lack bridges, veth or nf_tables; --network none and host do without',
  });
}
