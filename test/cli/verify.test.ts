// verify, --verify and --policy on the real command line: what is printed, and how it ends.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createClient } from '../../src/client/client.ts';
import { parseReference } from '../../src/reference/reference.ts';
import { cli, runCli } from '../support/cli.ts';
import { type ServedImage, serveImage } from '../support/served-image.ts';
import { putBundle, putTagSignatures } from '../support/signed-image.ts';
import {
  ecKeys,
  IDENTITY,
  ISSUER,
  keyBundle,
  mockSigstore,
  payloadFor,
  pemOf,
  signWith,
  statementFor,
} from '../support/sigstore.ts';

const keys = ecKeys();
let served: ServedImage;
let env: Record<string, string>;
/** Files by what they are. */
let files: Record<'key' | 'other' | 'root' | 'policy' | 'reject' | 'anything', string>;
/** An image of the same registry that nobody signed. */
let unsigned: string;

beforeAll(async () => {
  served = await serveImage();
  env = { OCITOOL_STORE: join(served.dir, 'store'), HOME: join(served.dir, 'home') };
  mkdirSync(env.HOME ?? '');
  const sigstore = await mockSigstore();
  const client = createClient({ store: join(served.dir, 'pushing') });
  const reference = parseReference(served.name);
  const repository = await client.repository(reference, 'push');
  const index = await repository.resolve(reference);
  unsigned = served.name.replace('/microsoft/', '/unsigned/');
  // Another digest: the registry is ours, where what is said of an image holds under all its names.
  await cli(['copy', '--platform', 'linux/amd64', `docker://${served.name}`, unsigned], { env });
  const payload = payloadFor(index.digest, { name: served.name, optional: { env: 'prod' } });
  await putTagSignatures(repository, reference, index.digest, [
    { payload, annotations: { signature: signWith(keys, payload) } },
    { payload: payloadFor(index.digest), annotations: await sigstore.tagged(payloadFor(index.digest)) },
  ]);
  const bundle = keyBundle(keys, statementFor(index.digest, { annotations: { env: 'prod' } }));
  await putBundle(repository, index, bundle);
  await client.close();

  const file = (name: string, text: string): string => {
    writeFileSync(join(served.dir, name), text);
    return join(served.dir, name);
  };
  const host = served.name.slice(0, served.name.indexOf('/'));
  const key = file('cosign.pub', pemOf(keys));
  files = {
    key,
    other: file('other.pub', pemOf(ecKeys())),
    root: file('trusted_root.json', sigstore.trustedRoot),
    policy: file(
      'policy.json',
      JSON.stringify({
        default: [{ type: 'reject' }],
        transports: { docker: { [host]: [{ type: 'sigstoreSigned', keyPath: key }] } },
      }),
    ),
    reject: file('reject.json', '{"default":[{"type":"reject"}]}'),
    anything: file('anything.json', '{"default":[{"type":"insecureAcceptAnything"}]}'),
  };
});
afterAll(() => served.close());

describe('verify', () => {
  test('by a key: a line for each signature', async () => {
    const { stdout, stderr, code } = await runCli(['verify', '--public-key', files.key, served.name], {
      env,
    });
    expect(code).toBe(0);
    expect(stdout.split('\n')).toEqual([
      'SIGNED  DIGEST        TIME  SIGNER',
      expect.stringMatching(/^index {3}[a-f0-9]{12} {2}- {5}key [a-f0-9]{12}$/),
      expect.stringMatching(/^index {3}[a-f0-9]{12} {2}- {5}key [a-f0-9]{12}$/),
      '',
    ]);
    expect(stderr).toMatch(/not checked: that a log has/);
  });
  test('by an identity: who, by whom, and since when', async () => {
    const who = ['--certificate-identity-regexp', '^https://github.com/acme/', '--trusted-root', files.root];
    const args = ['verify', ...who, '--certificate-oidc-issuer', ISSUER, served.name];
    const stdout = await cli(args, { env });
    expect(stdout).toMatch(/^index {3}[a-f0-9]{12} {2}20\d\d-\d\d-\d\d \d\d:\d\d {2}\S+ \(\S+\)$/m);
    expect(stdout).toContain(`${IDENTITY} (${ISSUER})`);
  });
  test('--json fits its schema', async () => {
    const ajv = new Ajv({ strict: false });
    const schema = readFileSync(join(import.meta.dirname, '../../docs/schema.json'), 'utf8');
    ajv.addSchema(JSON.parse(schema) as object, 'schema');
    const keyless = ['--certificate-identity', IDENTITY, '--certificate-oidc-issuer', ISSUER];
    for (const signer of [
      ['--public-key', files.key, '-a', 'env=prod'],
      [...keyless, '--trusted-root', files.root],
    ]) {
      const value: unknown = JSON.parse(await cli(['verify', '--json', ...signer, served.name], { env }));
      ajv.validate({ $ref: 'schema#/definitions/verify' }, value);
      expect(ajv.errors ?? []).toEqual([]);
      expect(value).toMatchObject({ name: served.name, refused: expect.any(Array) as unknown });
    }
  });
  test('ends with 6 when no signature holds, and says why of each', async () => {
    const { stdout, stderr, code } = await runCli(['verify', '--public-key', files.other, served.name], {
      env,
    });
    expect([code, stdout]).toEqual([6, '']);
    expect(stderr.match(/it was not made with the key/g)).toHaveLength(3);
    expect(stderr).toMatch(/^error: .*no valid signature/m);
    const annotated = ['verify', '--public-key', files.key, '-a', 'env=test', served.name];
    expect(await runCli(annotated, { env })).toMatchObject({ code: 6 });
    expect(await runCli(['verify', '--public-key', files.key, unsigned], { env })).toMatchObject({ code: 6 });
  });
  test('ends with 3 without such an image, and with 2 when nobody is named', async () => {
    const none = served.name.replace('/microsoft/', '/none/');
    expect(await runCli(['verify', '--public-key', files.key, none], { env })).toMatchObject({ code: 3 });
    for (const args of [
      ['--key', files.key],
      ['--policy', files.anything],
      ['--certificate-identity', IDENTITY, '--trusted-root', files.root],
      ['--certificate-identity', IDENTITY, '--certificate-oidc-issuer', ISSUER],
      ['--public-key', files.root],
    ]) {
      const { code, stderr } = await runCli(['verify', ...args, served.name], { env });
      expect([args, code]).toEqual([args, 2]);
      expect(stderr).toMatch(/^hint: /m);
    }
    const { stderr } = await runCli(['verify', '--key', files.key, served.name], { env });
    expect(stderr).toContain(`hint: the signer's key: --public-key ${files.key}`);
  });
  test('by a policy', async () => {
    expect(await cli(['verify', '--policy', files.policy, served.name], { env })).toMatch(/^index/m);
    const refused = await runCli(['verify', '--policy', files.reject, served.name], { env });
    expect(refused).toMatchObject({ code: 6 });
    expect(refused.stderr).toMatch(/refuses it/);
  });
});

describe('pull and copy', () => {
  test('--verify takes what is signed', async () => {
    const pulled = await cli(['pull', '--verify', '--public-key', files.key, served.name], { env });
    expect(pulled).toMatch(/@sha256:/);
    const target = `oci:${join(served.dir, 'layout')}:1`;
    await cli(['copy', '--verify', '--public-key', files.key, `docker://${served.name}`, target], { env });
  });
  test('--verify refuses what is not, and the store has nothing of it', async () => {
    const own = { ...env, OCITOOL_STORE: join(served.dir, 'empty-store') };
    const args = ['pull', '--verify', '--public-key', files.key, unsigned];
    expect(await runCli(args, { env: own })).toMatchObject({ code: 6, stdout: '' });
    expect(JSON.parse(await cli(['df', '--json'], { env: own }))).toMatchObject({ blobs: { count: 0 } });
    const rootfs = join(served.dir, 'rootfs');
    expect(await runCli([...args, '--unpack', rootfs], { env: own })).toMatchObject({ code: 6 });
  });
  test('a signer without --verify is a mistake, not a wish unheard', async () => {
    const args = ['pull', '--public-key', files.key, served.name];
    expect(await runCli(args, { env })).toMatchObject({ code: 2 });
  });
  test('OCITOOL_POLICY is for all that reads from registries', async () => {
    const own = { ...env, OCITOOL_STORE: join(served.dir, 'policy-store') };
    await cli(['pull', served.name], { env: { ...own, OCITOOL_POLICY: files.policy } });
    const rejecting = { ...own, OCITOOL_POLICY: files.reject };
    for (const args of [
      ['pull', served.name],
      ['ls', `docker://${served.name}`],
      ['copy', `docker://${served.name}`, `oci:${join(served.dir, 'none')}`],
    ]) {
      const { code, stderr } = await runCli(args, { env: rejecting });
      expect([args, code]).toEqual([args, 6]);
      expect(stderr).toMatch(/reject\.json refuses it/);
    }
    const missing = { ...own, OCITOOL_POLICY: join(served.dir, 'none.json') };
    expect((await runCli(['pull', served.name], { env: missing })).code).not.toBe(0);
  });
});
