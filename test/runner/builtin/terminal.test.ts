// A container's terminal: one of its own devpts, controlled by its program, with us at the other side.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canLaunch, type Launcher, startLauncher, stdoutOf } from './launcher.ts';

describe.runIf(canLaunch())('a terminal of the built-in driver', () => {
  let launcher: Launcher;
  beforeAll(async () => {
    launcher = await startLauncher();
  });
  afterAll(() => launcher.close());
  const request = { terminal: true };

  it('is stdin, stdout, stderr, /dev/tty and /dev/console', async () => {
    const script =
      'tty; echo to tty > /dev/tty; echo to console > /dev/console; ls /dev/pts | cat; ls -l /proc/self/fd | cat';
    const text = stdoutOf(await launcher.run(['sh', '-c', script], { request }));
    const lines = text.replaceAll('\r', '').split('\n');
    expect(lines.slice(0, 5)).toEqual(['/dev/pts/0', 'to tty', 'to console', '0', 'ptmx']);
    // Of ls, whose stdout is the pipe.
    expect(text.match(/ [0-9]+ -> \/dev\/pts\/0/g)).toEqual([' 0 -> /dev/pts/0', ' 2 -> /dev/pts/0']);
    expect(text.match(/ [0-9]+ -> /g)).toHaveLength(3);
  });

  it('carries what is typed, and ^C as a signal', async () => {
    const script =
      'trap "echo interrupted; exit 9" INT; echo name?; read name; echo "<$name>"; while :; do sleep 1; done';
    const outcome = await launcher.run(['sh', '-c', script], {
      request,
      answers: [
        { after: 'name?', type: 'ü x\n' },
        { after: '<ü x>', type: '\u0003' },
      ],
    });
    expect(outcome).toMatchObject({ exit: { code: 9 }, stdout: expect.stringContaining('interrupted') });
  });

  it('belongs to the user of the container', async () => {
    const outcome = await launcher.run(['sh', '-c', 'echo mine > /dev/pts/0; ls -ln /dev/pts/0'], {
      request,
      user: { uid: 1234, gid: 1234 },
    });
    expect(stdoutOf(outcome)).toMatch(/^mine\r\ncrw--w---- +1 1234 /);
  });

  it('is refused where the image has no devpts', async () => {
    const outcome = await launcher.run(['true'], {
      request,
      change(spec) {
        spec.mounts = spec.mounts.filter(({ destination }) => destination !== '/dev/pts');
      },
    });
    expect(outcome).toMatchObject({ code: 'RUNTIME_FAILED', message: expect.stringContaining('terminal') });
  });
});
