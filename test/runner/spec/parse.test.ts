// Flags of run, one by one: what they mean, and what is said of a wrong one.
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseEnv } from '../../../src/runner/spec/parse-env.ts';
import { parseMount, parseTmpfs, parseVolume } from '../../../src/runner/spec/parse-mount.ts';
import { parsePort } from '../../../src/runner/spec/parse-port.ts';
import { parseSignal, signalNumber } from '../../../src/runner/spec/signal.ts';

let cwd: string;
beforeAll(() => {
  cwd = realpathSync(mkdtempSync(join(tmpdir(), 'ocitool-parse-')));
  mkdirSync(join(cwd, 'data'));
  symlinkSync('data', join(cwd, 'link'));
});
afterAll(() => {
  rmSync(cwd, { recursive: true, force: true });
});

const wrong = (flag: string): unknown =>
  expect.objectContaining({
    code: 'USAGE',
    message: expect.stringMatching(new RegExp(`^${flag} `)),
    hint: expect.stringMatching(/./),
  });

describe('-v', () => {
  it('binds paths, relative ones from here, links resolved', () => {
    const bind = { kind: 'bind', source: join(cwd, 'data'), target: '/x', readonly: false };
    expect(parseVolume(`${cwd}/data:/x`, cwd)).toEqual(bind);
    expect(parseVolume('./data:/x', cwd)).toEqual(bind);
    expect(parseVolume('./link:/x/.', cwd)).toEqual(bind);
    expect(parseVolume('.:/x:ro', cwd)).toEqual({ ...bind, source: cwd, readonly: true });
    expect(parseVolume('./data:/x:ro,Z,rslave', cwd)).toEqual({
      ...bind,
      readonly: true,
      propagation: 'rslave',
    });
  });

  it('takes other words for names of volumes', () => {
    expect(parseVolume('data:/x:ro', cwd)).toEqual({
      kind: 'volume',
      name: 'data',
      target: '/x',
      readonly: true,
    });
    expect(parseVolume('/x', cwd)).toEqual({ kind: 'volume', target: '/x', readonly: false });
  });

  it('does not make a source that is missing', () => {
    expect(() => parseVolume('./nothing:/x', cwd)).toThrow(
      expect.objectContaining({
        code: 'PATH_NOT_FOUND',
        hint: expect.stringContaining(`mkdir -p ${cwd}/nothing`),
      }),
    );
  });

  it.each([
    '',
    'data',
    'data:x',
    'a/b:/x',
    './data:',
    ':/x',
    './data:/x:wo',
    'a:b:c:d',
    './data:/',
    './data:/proc/sys',
    './data:/dev/',
    './data:/x:shared',
  ])('refuses %j', (text) => {
    expect(() => parseVolume(text, cwd)).toThrow(wrong('-v'));
  });
});

describe('--mount', () => {
  it.each([
    ['type=bind,source=./data,target=/x', { kind: 'bind', readonly: false }],
    ['type=bind,src=./data,dst=/x,ro', { kind: 'bind', readonly: true }],
    [
      'type=bind,src=./data,destination=/x,readonly=false,bind-propagation=rslave',
      { kind: 'bind', readonly: false, propagation: 'rslave' },
    ],
    ['source=v,target=/x', { kind: 'volume', name: 'v' }],
    ['type=volume,target=/x,readonly=true', { kind: 'volume', readonly: true }],
    [
      'type=tmpfs,target=/x,tmpfs-size=1m,tmpfs-mode=1770',
      { kind: 'tmpfs', options: ['size=1048576', 'mode=1770'] },
    ],
  ])('%s', (text, expected) => {
    expect(parseMount(text, cwd)).toMatchObject({ target: '/x', ...expected });
  });

  it.each([
    '',
    'type=bind,target=/x',
    'type=bind,source=./data',
    'type=disk,source=a,target=/x',
    'type=bind,source=./data,target=x',
    'type=bind,source=./data,target=/x,color=red',
    'type=bind,source=./data,target=/x,bind-propagation=shared',
    'type=tmpfs,target=/x,tmpfs-mode=9',
    'source=a/b,target=/x',
  ])('refuses %j', (text) => {
    expect(() => parseMount(text, cwd)).toThrow(wrong('--mount'));
  });
});

describe('--tmpfs', () => {
  it('takes options of tmpfs', () => {
    expect(parseTmpfs('/run')).toEqual({ kind: 'tmpfs', target: '/run', options: [] });
    expect(parseTmpfs('/run:size=64m,exec,mode=755')).toMatchObject({
      options: ['size=67108864', 'exec', 'mode=755'],
    });
    expect(parseTmpfs('/run:size=50%')).toMatchObject({ options: ['size=50%'] });
  });

  it.each([
    '',
    'run',
    '/',
    '/run:size=',
    '/run:size=x',
    '/run:huge=always',
    '/run:mode=999',
    '/run:size=1,bind',
  ])('refuses %j', (text) => {
    expect(() => parseTmpfs(text)).toThrow(wrong('--tmpfs'));
  });
});

describe('-p', () => {
  it.each([
    ['8080:80', ['127.0.0.1', 8080, 80, 'tcp']],
    ['80', ['127.0.0.1', 0, 80, 'tcp']],
    ['0.0.0.0:8080:80', ['0.0.0.0', 8080, 80, 'tcp']],
    ['127.0.0.2::80/udp', ['127.0.0.2', 0, 80, 'udp']],
    ['[::1]:8080:80', ['::1', 8080, 80, 'tcp']],
    ['53:53/udp', ['127.0.0.1', 53, 53, 'udp']],
    [':80', ['127.0.0.1', 0, 80, 'tcp']],
  ] as const)('%s', (text, [address, hostPort, containerPort, protocol]) => {
    expect(parsePort(text)).toEqual([{ address, hostPort, containerPort, protocol }]);
  });

  it('takes ranges of equal length', () => {
    expect(
      parsePort('8000-8002:80-82').map(({ hostPort, containerPort }) => [hostPort, containerPort]),
    ).toEqual([
      [8000, 80],
      [8001, 81],
      [8002, 82],
    ]);
    expect(parsePort('80-81')).toHaveLength(2);
  });

  it.each([
    '',
    'x',
    '80:x',
    'x:80',
    '0:80',
    '80:0',
    '80:70000',
    '1.2.3:80:80',
    '256.1.1.1:80:80',
    '::1:80:80',
    '[x]:80:80',
    '80/sctp',
    '8000-8002:80-81',
    '82-80:82-80',
    '1-5000:1-5000',
    '80:80:80:80',
  ])('refuses %j', (text) => {
    expect(() => parsePort(text)).toThrow(wrong('-p'));
  });
});

describe('-e and --env-file', () => {
  const host = { HERE: 'value' };

  it('take the value here for a name alone, and else take the variable away', () => {
    expect(parseEnv(['A=1', 'HERE', 'GONE', 'B='], [], host)).toEqual(['A=1', 'HERE=value', 'GONE', 'B=']);
  });

  it('read files first, with comments, blank lines, Windows ends and values as they stand', () => {
    const file = join(cwd, 'env');
    writeFileSync(file, '\uFEFF# comment\n\n  A=1\r\nB="quoted # not a comment" \nHERE\nC=a=b\n');
    expect(parseEnv(['A=2'], [file], host)).toEqual([
      'A=1',
      'B="quoted # not a comment" ',
      'HERE=value',
      'C=a=b',
      'A=2',
    ]);
  });

  it('name the line that is wrong', () => {
    const file = join(cwd, 'bad');
    writeFileSync(file, 'A=1\nB C=2\n');
    expect(() => parseEnv([], [file], host)).toThrow(
      expect.objectContaining({ code: 'USAGE', message: expect.stringContaining(`--env-file ${file}:2`) }),
    );
    expect(() => parseEnv([], [join(cwd, 'none')], host)).toThrow(
      expect.objectContaining({ code: 'IO', message: expect.stringContaining('--env-file') }),
    );
  });

  it.each(['=x', '', 'A B=1', 'A=\0'])('-e %j is refused', (entry) => {
    expect(() => parseEnv([entry], [], host)).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });
});

describe('signals', () => {
  it.each([
    ['TERM', 'SIGTERM', 15],
    ['sigint', 'SIGINT', 2],
    ['9', 'SIGKILL', 9],
    ['SIGRTMIN+3', 'SIGRTMIN+3', 37],
    ['RTMAX-1', 'SIGRTMAX-1', 63],
    ['37', 'SIGRTMIN+3', 37],
  ])('%s', (text, name, number) => {
    expect(parseSignal(text, '--stop-signal')).toBe(name);
    expect(signalNumber(name)).toBe(number);
  });

  it.each(['', '0', '65', 'TERN', 'SIGRTMIN+99', '-9'])('%j is none', (text) => {
    expect(() => parseSignal(text, '--stop-signal')).toThrow(wrong('--stop-signal'));
  });
});
