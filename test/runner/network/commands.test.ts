import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { cli, runCli } from '../../support/cli.ts';

const schema = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../../docs/schema.json'), 'utf8'),
) as object;
const ajv = new Ajv({ strict: false, formats: { 'date-time': true } });
ajv.addSchema(schema, 'schema');

let store: string;
beforeEach(() => {
  store = mkdtempSync(join(tmpdir(), 'ocitool-networks-'));
});
afterEach(() => rmSync(store, { recursive: true }));

const network = (...args: string[]) => runCli(['network', ...args, '--store', store]);

async function answer(definition: string, ...args: string[]): Promise<unknown> {
  const value: unknown = JSON.parse(await cli(['network', ...args, '--store', store, '--json']));
  ajv.validate({ $ref: `schema#/definitions/${definition}` }, value);
  expect(ajv.errors ?? []).toEqual([]);
  return value;
}

it('makes, lists and removes networks, in a store that is not there yet, too', async () => {
  const back = await answer('network', 'create', 'back', '--internal');
  expect(back).toMatchObject({ name: 'back', internal: true, containers: [] });
  const front = await answer('network', 'create', 'front', '--subnet', '10.99.8.0/24');
  expect(front).toMatchObject({ name: 'front', internal: false, subnet: '10.99.8.0/24' });
  expect(await answer('networks', 'ls')).toEqual([back, front]);
  const { stdout } = await network('ls');
  expect(stdout).toMatch(
    /^NAME +KIND +SUBNET +CREATED +CONTAINERS\nback +internal .*\nfront +bridge +10\.99\.8\.0\/24 /,
  );
  expect((await network('rm', 'back', 'front')).stdout).toBe('back\nfront\n');
  expect(await answer('networks', 'ls')).toEqual([]);
});

it('refuses what cannot be, with a line and a hint each', async () => {
  await network('create', 'back');
  const cases: [number, RegExp, ...string[]][] = [
    [1, /there is a network named back/, 'create', 'back'],
    [1, /none is not a name/, 'create', 'none'],
    [2, /not a name for a network/, 'create', '../up'],
    [2, /not an IPv4 network/, 'create', 'x', '--subnet', '10.1.2.3/24'],
    [2, /not an IPv4 network/, 'create', 'x', '--subnet', 'fd00::/64'],
    [2, /not a private network/, 'create', 'x', '--subnet', '192.0.2.0/24'],
    [2, /from \/8 to \/28/, 'create', 'x', '--subnet', '10.0.0.0/30'],
    [3, /no network named nowhere/, 'rm', 'nowhere'],
    [2, /not a name for a network/, 'rm', '../../secrets'],
  ];
  for (const [code, message, ...args] of cases) {
    const result = await network(...args);
    expect(result.stderr).toMatch(message);
    expect(result.code).toBe(code);
  }
  expect((await network('rm', 'nowhere', 'back')).code).toBe(3);
  expect(await answer('networks', 'ls')).toEqual([]);
});
