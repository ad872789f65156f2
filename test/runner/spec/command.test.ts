// The command is judged before anything runs: what a shell calls 126 and 127, with the reason.
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type BinaryFormat, isHandled, parseBinaryFormat } from '../../../src/runner/spec/binfmt.ts';
import { checkCommand } from '../../../src/runner/spec/command.ts';
import { readExecutable } from '../../../src/runner/spec/elf.ts';
import { openInside } from '../../../src/runner/spec/inside.ts';

const PATH = 'PATH=/usr/bin:/bin';
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'ocitool-command-'));
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

function put(path: string, content: string | Buffer, mode = 0o755): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
  chmodSync(join(root, path), mode);
}

function check(
  args: string[],
  changes: {
    uid?: number;
    gid?: number;
    env?: string[];
    cwd?: string;
    mounts?: string[];
    formats?: BinaryFormat[];
  } = {},
): void {
  const inside = openInside(root, changes.mounts);
  const user = { uid: changes.uid ?? 0, gid: changes.gid ?? 0, additionalGids: [] };
  try {
    checkCommand(
      { args, env: changes.env ?? [PATH], cwd: changes.cwd ?? '/', user },
      { inside, architecture: 'x64', formats: changes.formats ?? [] },
    );
  } finally {
    inside.close();
  }
}

/** An ELF header, with one program header that names a loader. */
function elf({
  machine = 62,
  bits = 64,
  loader,
}: {
  machine?: number;
  bits?: 32 | 64;
  loader?: string;
} = {}): Buffer {
  const bytes = Buffer.alloc(512);
  bytes.write('\x7fELF', 'latin1');
  bytes[4] = bits === 64 ? 2 : 1;
  bytes[5] = 1;
  bytes.writeUInt16LE(machine, 18);
  if (loader === undefined) return bytes;
  bytes.writeUInt32LE(64, bits === 64 ? 32 : 28);
  bytes.writeUInt16LE(56, bits === 64 ? 54 : 42);
  bytes.writeUInt16LE(1, bits === 64 ? 56 : 44);
  bytes.writeUInt32LE(3, 64);
  bytes.writeUInt32LE(256, 64 + (bits === 64 ? 8 : 4));
  bytes.writeUInt32LE(loader.length + 1, 64 + (bits === 64 ? 32 : 16));
  bytes.write(`${loader}\0`, 256, 'latin1');
  return bytes;
}

const notFound = expect.objectContaining({ code: 'COMMAND_NOT_FOUND' });
const refused = (message: string, hint?: string): unknown =>
  expect.objectContaining({
    code: 'COMMAND_NOT_EXECUTABLE',
    message: expect.stringContaining(message),
    ...(hint !== undefined && { hint: expect.stringContaining(hint) }),
  });

describe('a command without a slash', () => {
  it('is looked for in PATH, in its order, links followed inside', () => {
    put('/bin/tool', elf());
    symlinkSync('/bin/tool', join(root, 'bin/alias'));
    expect(() => check(['tool'])).not.toThrow();
    expect(() => check(['alias'])).not.toThrow();
  });

  it('is not found: 127, with the PATH', () => {
    expect(() => check(['tool'])).toThrow(
      expect.objectContaining({ code: 'COMMAND_NOT_FOUND', hint: 'it was looked for in PATH=/usr/bin:/bin' }),
    );
    expect(() => check([''])).toThrow(notFound);
    put('/tool', elf());
    expect(() => check(['tool'], { env: [] })).not.toThrow(); // no PATH is the working directory
  });

  it('passes over directories and what may not be run, and says so when there is nothing else', () => {
    mkdirSync(join(root, 'usr/bin/tool'), { recursive: true });
    put('/bin/tool', elf(), 0o644);
    expect(() => check(['tool'])).toThrow(refused('permission denied', '/bin/tool has mode 0644'));
    chmodSync(join(root, 'bin/tool'), 0o755);
    expect(() => check(['tool'])).not.toThrow();
  });

  it('is the container’s, not the host’s', () => {
    mkdirSync(join(root, 'bin'));
    symlinkSync('/bin/sh', join(root, 'bin/mine'));
    expect(() => check(['mine'])).toThrow(notFound);
  });
});

describe('a command with a slash', () => {
  it('counts from the working directory unless absolute', () => {
    put('/app/run', elf());
    expect(() => check(['./run'], { cwd: '/app' })).not.toThrow();
    expect(() => check(['/app/run'])).not.toThrow();
    expect(() => check(['./run'])).toThrow(notFound);
  });

  it('may be a directory: 126', () => {
    mkdirSync(join(root, 'etc'));
    expect(() => check(['/etc'])).toThrow(refused('it is a directory'));
  });

  it('below a mount is for the runtime to find', () => {
    expect(() => check(['/opt/tool'], { mounts: ['/opt'] })).not.toThrow();
    expect(() => check(['tool'], { mounts: ['/usr/bin'] })).not.toThrow();
  });

  it('is looked up behind the init', () => {
    put('/bin/tool', elf());
    expect(() => check(['/dev/init', '--', 'tool'], { mounts: ['/dev'] })).not.toThrow();
    expect(() => check(['/dev/init', '--', 'none'], { mounts: ['/dev'] })).toThrow(notFound);
  });
});

describe('permission', () => {
  it.each([
    [0o700, 0, 0, true],
    [0o001, 0, 0, true],
    [0o600, 0, 0, false],
    [0o700, 5, 5, false],
    [0o701, 5, 5, true],
    [0o755, 5, 5, true],
  ])('mode %o for user %i is %j', (mode, uid, gid, allowed) => {
    put('/bin/tool', elf(), mode);
    const run = () => check(['tool'], { uid, gid });
    if (allowed) expect(run).not.toThrow();
    else expect(run).toThrow(refused('permission denied'));
  });
});

describe('a script', () => {
  it('needs its interpreter in the image', () => {
    put('/bin/tool', '#!/bin/bash -e\necho');
    expect(() => check(['tool'])).toThrow(refused('its interpreter /bin/bash is not in the image'));
    put('/bin/bash', elf());
    expect(() => check(['tool'])).not.toThrow();
  });

  it('with Windows line ends names one that is not there', () => {
    put('/bin/sh', elf());
    put('/bin/tool', '#!/bin/sh\r\necho');
    expect(() => check(['tool'])).toThrow(
      refused('its interpreter /bin/sh? is not in the image', 'Windows line ends'),
    );
  });

  it('without a first line is none', () => {
    put('/bin/tool', 'echo hello\n');
    expect(() => check(['tool'])).toThrow(refused('neither a program nor a script', 'sh tool'));
  });

  it('may name scripts, not without end', () => {
    put('/bin/tool', '#!/bin/tool\n');
    expect(() => check(['tool'])).toThrow(refused('without end'));
  });
});

describe('a program', () => {
  it('for another machine is told, with what could help', () => {
    put('/bin/tool', elf({ machine: 183 }));
    expect(() => check(['tool'])).toThrow(
      refused('/bin/tool is a program for arm64, this machine is amd64', 'qemu-aarch64'),
    );
    put('/bin/tool', elf({ machine: 3, bits: 32 }));
    expect(() => check(['tool'])).toThrow(refused('a program for 386', 'qemu-i386'));
    put('/bin/tool', elf({ machine: 999 }));
    expect(() => check(['tool'])).toThrow(refused('machine 999'));
  });

  it('for another machine is fine where the host has an interpreter for it', () => {
    put('/bin/tool', elf({ machine: 183 }));
    const format = parseBinaryFormat(
      'qemu-aarch64',
      'enabled\ninterpreter /usr/bin/qemu-aarch64-static\nflags: F\noffset 0\nmagic 7f454c460201010000000000000000000200b700\nmask ffffffffffff00fffffffffffffffffffeffffff\n',
    ) as BinaryFormat;
    const program = elf({ machine: 183 });
    program[6] = 1;
    program[16] = 2;
    put('/bin/tool', program);
    expect(() => check(['tool'], { formats: [format] })).not.toThrow();
    put('/bin/other', elf({ machine: 243 }));
    expect(() => check(['other'], { formats: [format] })).toThrow(refused('riscv64'));
  });

  it('needs its loader: glibc on Alpine, and the other way round', () => {
    put('/bin/tool', elf({ loader: '/lib64/ld-linux-x86-64.so.2' }));
    expect(() => check(['tool'])).toThrow(
      refused(
        'its loader /lib64/ld-linux-x86-64.so.2 is not in the image',
        'glibc programs do not run on Alpine',
      ),
    );
    put('/bin/tool', elf({ loader: '/lib/ld-musl-x86_64.so.1' }));
    expect(() => check(['tool'])).toThrow(refused('ld-musl', 'musl'));
    put('/lib/ld-musl-x86_64.so.1', elf());
    expect(() => check(['tool'])).not.toThrow();
  });
});

describe('readExecutable', () => {
  it('reads a real program', () => {
    const head = readFileSync(process.execPath).subarray(0, 4096);
    const go = { x64: 'amd64', arm64: 'arm64' }[process.arch as string] ?? process.arch;
    expect(readExecutable(head)).toMatchObject({
      kind: 'elf',
      architecture: go,
      loader: expect.stringContaining('/ld-'),
    });
  });

  it('of anything cut short or odd ends without an answer, never with an error', () => {
    const whole = elf({ loader: '/lib/ld' });
    for (let length = 0; length < whole.length; length += 3)
      expect(() => readExecutable(whole.subarray(0, length))).not.toThrow();
    for (const at of [32, 33, 34, 35, 54, 55, 56, 57, 72, 75, 96, 99]) {
      const odd = Buffer.from(whole);
      odd[at] = 0xff;
      expect(() => readExecutable(odd)).not.toThrow();
    }
    expect(readExecutable(Buffer.from('#!   \n'))).toEqual({ kind: 'unknown' });
    expect(readExecutable(Buffer.from('#! /bin/env node\n'))).toEqual({
      kind: 'script',
      interpreter: '/bin/env',
    });
  });
});

it('formats that are disabled, or go by extension', () => {
  expect(parseBinaryFormat('x', 'disabled\nmagic ff\n')).toBeUndefined();
  expect(parseBinaryFormat('x', 'enabled\ninterpreter /x\n')).toBeUndefined();
  const byName = parseBinaryFormat('x', 'enabled\ninterpreter /x\nextension .exe\n') as BinaryFormat;
  expect(isHandled('/a/b.exe', Buffer.alloc(0), [byName])).toBe(true);
  expect(isHandled('/a/exe', Buffer.alloc(0), [byName])).toBe(false);
});
