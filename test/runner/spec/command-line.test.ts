// Entrypoint, Cmd, Env and WorkingDir, by Docker's rules.
import { describe, expect, it } from 'vitest';
import { argsOf, cwdOf, envOf } from '../../../src/runner/spec/command-line.ts';
import { requestOf } from './requests.ts';

const image = { Entrypoint: ['entry'], Cmd: ['cmd', 'arg'] };

describe('the arguments', () => {
  it.each([
    ['image alone', image, { command: [] }, ['entry', 'cmd', 'arg']],
    ['a command replaces Cmd', image, { command: ['mine'] }, ['entry', 'mine']],
    ['--entrypoint drops the image’s Cmd', image, { command: [], entrypoint: ['other'] }, ['other']],
    ['--entrypoint and a command', image, { command: ['x'], entrypoint: ['other'] }, ['other', 'x']],
    ['an empty --entrypoint leaves the command', image, { command: ['sh'], entrypoint: [] }, ['sh']],
    ['no Entrypoint', { Cmd: ['sh'] }, { command: [] }, ['sh']],
  ])('%s', (_, config, request, expected) => {
    expect(argsOf(config, request)).toEqual(expected);
  });

  it.each([
    [{}, { command: [] }],
    [image, { command: [], entrypoint: [] }],
  ])('nothing left to run is said: %#', (config, request) => {
    expect(() => argsOf(config, request)).toThrow(
      expect.objectContaining({ code: 'USAGE', hint: expect.stringContaining('ocitool run IMAGE COMMAND') }),
    );
  });
});

describe('the environment', () => {
  const facts = { hostname: 'box', home: '/home/me' };
  const path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

  it('has defaults, and HOME of the user', () => {
    expect(envOf({}, requestOf(), facts)).toEqual([path, 'HOSTNAME=box', 'HOME=/home/me']);
  });

  it('has TERM with a terminal, which the image may choose', () => {
    expect(envOf({}, requestOf({ terminal: true }), facts)).toContain('TERM=xterm');
    expect(envOf({ Env: ['TERM=vt100'] }, requestOf({ terminal: true }), facts)).toContain('TERM=vt100');
  });

  it('lets the image replace defaults in their place, and the request the image', () => {
    const env = envOf(
      { Env: ['PATH=/opt', 'A=image', 'B=image'] },
      requestOf({ env: ['A=mine', 'C=1'] }),
      facts,
    );
    expect(env).toEqual(['PATH=/opt', 'HOSTNAME=box', 'A=mine', 'C=1', 'B=image', 'HOME=/home/me']);
  });

  it('takes away what is named alone', () => {
    const env = envOf({ Env: ['A=image'] }, requestOf({ env: ['A', 'HOSTNAME', 'HOME'] }), facts);
    expect(env).toEqual([path]);
  });

  it('keeps the last of two, and equals signs in values; passes over entries without a name', () => {
    const env = envOf({ Env: ['A=1', 'A=2', 'B=x=y', '=z', 'odd'] }, requestOf(), facts);
    expect(env).toEqual([path, 'HOSTNAME=box', 'A=2', 'B=x=y', 'HOME=/home/me']);
  });

  it('keeps a HOME that is set, not an empty one', () => {
    expect(envOf({ Env: ['HOME=/data'] }, requestOf(), facts)).toContain('HOME=/data');
    expect(envOf({ Env: ['HOME='] }, requestOf(), facts)).toContain('HOME=/home/me');
  });
});

describe('the working directory', () => {
  it.each([
    [{}, {}, '/'],
    [{ WorkingDir: '/app' }, {}, '/app'],
    [{ WorkingDir: '/app' }, { workdir: '/tmp' }, '/tmp'],
    [{ WorkingDir: 'app' }, {}, '/app'],
    [{ WorkingDir: '/../../etc/./x//' }, {}, '/etc/x'],
    [{ WorkingDir: '' }, {}, '/'],
  ])('%j with %j is %s', (config, request, expected) => {
    expect(cwdOf(config, request)).toBe(expected);
  });

  it('must be absolute in a request', () => {
    expect(() => cwdOf({}, { workdir: 'app' })).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });
});
