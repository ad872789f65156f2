// A container's terminal: keys, size, and what is left of the user's own afterwards. Python plays the user's terminal.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  type ContainerHost,
  canRunAs,
  canRunContainers,
  openHost,
  type Who,
} from '../support/container-host.ts';
import { hasTools } from '../support/tools.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });
/** Not a version manager's, which another user may not reach. */
const PYTHON3 = existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3';
const CLI = join(import.meta.dirname, '../../bin/ocitool.cjs');

/** Reads until each text has come, then does what goes with it: types, or changes the size. Prints all that came. */
const PYTHON = `
import fcntl, json, os, pty, struct, sys, termios
steps = json.loads(sys.argv[1])
def size(fd, rows, columns): fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))
pid, fd = pty.fork()
if pid == 0:
    size(0, 30, 100)
    os.execvp(sys.argv[2], sys.argv[2:])
before = termios.tcgetattr(fd)
seen = ''
done = 0
for text, rows, typed in steps:
    while text not in seen[done:]:
        chunk = os.read(fd, 4096)
        if not chunk: break
        seen += chunk.decode()
    done = seen.index(text, done) + len(text)
    if rows: size(fd, rows, 90)
    if typed: os.write(fd, typed.encode())
try:
    while True:
        chunk = os.read(fd, 4096)
        if not chunk: break
        seen += chunk.decode()
except OSError: pass
_, status = os.waitpid(pid, 0)
print(json.dumps({'seen': seen, 'code': os.waitstatus_to_exitcode(status)}))
`;

const CASES: [who: Who, runtime: string][] = [
  ['root', 'builtin'],
  ...(hasTools('crun') ? [['root', 'crun'] as [Who, string], ['user', 'crun'] as [Who, string]] : []),
];

describe.runIf(canRunContainers() && hasTools('python3')).each(CASES)(
  'a terminal of %s through %s',
  (who, runtime) => {
    const can = canRunAs(who);
    let host: ContainerHost;
    beforeAll(async () => {
      if (can) host = await openHost(who);
    });
    afterAll(() => host?.close());

    function inTerminal(steps: [text: string, rows: number, typed: string][], ...args: string[]) {
      const words = [...host.prefix.slice(1), PYTHON3, '-c', PYTHON, JSON.stringify(steps)];
      const ran = spawnSync('nsenter', [...words, process.execPath, CLI, ...args], {
        encoding: 'utf8',
        timeout: 100_000,
        env: { ...host.env, TERM: 'xterm' },
      });
      if (ran.status !== 0) throw new Error(`${ran.stdout}${ran.stderr}`);
      return JSON.parse(ran.stdout) as { seen: string; code: number };
    }

    // The shell's answer is told from the echo of what was typed by being calculated.
    const resized = "trap 'echo size $(stty size)' WINCH; echo ready$((1+1)); while :; do sleep 0.1; done";

    it.runIf(can)('has the size of the user’s, follows it, and takes Ctrl-C as a key', () => {
      const { seen, code } = inTerminal(
        [
          ['ready2', 40, ''],
          ['size 40 90', 0, '\u0003'],
        ],
        ...['run', '--rm', '-it', '--network', 'none', '--runtime', runtime, 'busybox:1'],
        ...['sh', '-c', `stty size; tty; ${resized}`],
      );
      expect(seen).toMatch(/30 100\r\n\/dev\/(pts\/0|console)\r\n/);
      expect(code).toBe(130);
    });

    it.runIf(can)('is had by exec as well', async () => {
      await host.run(
        'run',
        '-d',
        '--name',
        'web',
        '--network',
        'none',
        '--runtime',
        runtime,
        'busybox:1',
        'sleep',
        '1000',
      );
      const { seen, code } = inTerminal([['# ', 0, 'echo $((20+22)); exit 5\r']], 'exec', '-it', 'web', 'sh');
      expect(seen).toMatch(/42\r\n/);
      expect(code).toBe(5);
      await host.run('rm', '-f', 'web');
    });
  },
);
