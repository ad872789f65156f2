// policy.json as podman and skopeo have it, before all reading from registries.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { pull } from '../../src/client/pull.ts';
import { verify } from '../../src/client/verify.ts';
import { parseReference } from '../../src/reference/reference.ts';
import { putBundle, putTagSignatures } from '../support/signed-image.ts';
import { keys, type SigningRegistry, startSigningRegistry } from '../support/signing-registry.ts';
import {
  ecKeys,
  IDENTITY,
  ISSUER,
  keyBundle,
  type MockSigstore,
  mockSigstore,
  payloadFor,
  pemOf,
  statementFor,
} from '../support/sigstore.ts';
import { hasTools, tool } from '../support/tools.ts';

let at: SigningRegistry;
let sigstore: MockSigstore;

beforeAll(async () => {
  at = await startSigningRegistry('ocitool serve');
  sigstore = await mockSigstore();
});
afterAll(() => at.close());

let files = 0;
function policyFile(policy: object): string {
  files += 1;
  const file = join(at.dir, `policy-${files}.json`);
  writeFileSync(file, JSON.stringify(policy));
  return file;
}
function signedBy(options: object = {}): object {
  const keyData = Buffer.from(pemOf(keys)).toString('base64');
  return { type: 'sigstoreSigned', keyData, ...options };
}

it('pulls by it', async () => {
  const image = await at.pushed();
  await at.signTag(image, image.index);
  const open = await at.pushed();
  const docker = {
    [at.host]: [signedBy({ signedIdentity: { type: 'matchRepository' } })],
    [open.name]: [{ type: 'insecureAcceptAnything' }],
  };
  const policy = policyFile({ default: [{ type: 'reject' }], transports: { docker } });
  const guarded = at.newClient({ policy });
  await pull(guarded, [image.name, open.name]);
  await expect(pull(guarded, `${image.name}x`)).rejects.toMatchObject({
    code: 'IMAGE_NOT_FOUND',
  });
  await expect(pull(guarded, 'elsewhere.example.com/app:1')).rejects.toMatchObject({
    code: 'POLICY_REFUSED',
  });
  expect(await verify(guarded, image.name, { policy })).toMatchObject({
    digest: image.index.digest,
  });
  await expect(verify(guarded, open.name, { policy })).rejects.toMatchObject({ code: 'USAGE' });
});

it('refuses a signature for another name, and a bundle, which has none', async () => {
  const image = await at.pushed();
  await at.signTag(image, image.index);
  await putBundle(image.repository, image.index, keyBundle(keys, statementFor(image.index.digest)));
  at.warnings.length = 0;
  const guarded = at.newClient({ policy: policyFile({ default: [signedBy()] }) });
  await expect(pull(guarded, image.name)).rejects.toMatchObject({ code: 'SIGNATURE_INVALID' });
  expect(at.warnings.join('\n')).toMatch(/it names .*\/team\/app.*matchRepoDigestOrExact/);
  expect(at.warnings.join('\n')).toMatch(/it names no image/);
});

it('asks for all of its requirements', async () => {
  const image = await at.pushed();
  await at.signTag(image, image.index);
  const mine = signedBy({ signedIdentity: { type: 'matchRepository' } });
  const keyData = Buffer.from(pemOf(ecKeys())).toString('base64');
  const theirs = { ...mine, keyData };
  const both = at.newClient({ policy: policyFile({ default: [mine, theirs] }) });
  await expect(pull(both, image.name)).rejects.toMatchObject({ code: 'SIGNATURE_INVALID' });
  const anything = { type: 'insecureAcceptAnything' };
  const one = at.newClient({ policy: policyFile({ default: [anything, mine] }) });
  await pull(one, image.name);
});

it('refuses what wants GPG', async () => {
  const { name } = await at.pushed();
  const gpg = { type: 'signedBy', keyType: 'GPGKeys', keyPath: '/etc/pki/key' };
  const guarded = at.newClient({ policy: policyFile({ default: [gpg] }) });
  await expect(pull(guarded, name)).rejects.toMatchObject({
    code: 'POLICY_REFUSED',
    message: expect.stringContaining('GPG signatures are not supported') as unknown,
  });
});

it('wants the log where it names one, and an identity where it says so', async () => {
  const image = await at.pushed();
  const payload = payloadFor(image.index.digest, { name: image.name });
  const rekorPublicKeyData = Buffer.from(sigstore.logPem).toString('base64');
  const logged = await sigstore.tagged(payload, { keys });
  const named = await sigstore.tagged(payload);
  const put = (annotations: typeof logged) =>
    putTagSignatures(image.repository, image.reference, image.index.digest, [{ payload, annotations }]);
  const byKey = policyFile({ default: [signedBy({ rekorPublicKeyData })] });
  await put({ signature: logged.signature });
  await expect(pull(at.newClient({ policy: byKey }), image.name)).rejects.toMatchObject({
    code: 'SIGNATURE_INVALID',
  });
  await put(logged);
  await pull(at.newClient({ policy: byKey }), image.name);

  const fulcio = {
    caData: Buffer.from(sigstore.caPem).toString('base64'),
    oidcIssuer: ISSUER,
    subjectEmail: IDENTITY,
  };
  const byIdentity = policyFile({ default: [{ type: 'sigstoreSigned', fulcio, rekorPublicKeyData }] });
  await put(named);
  at.warnings.length = 0;
  // The mock authority certifies URIs only, and a policy means an e-mail address.
  await expect(pull(at.newClient({ policy: byIdentity }), image.name)).rejects.toMatchObject({
    code: 'SIGNATURE_INVALID',
    message: expect.stringContaining(`it was made by ${IDENTITY}`) as unknown,
  });
});

// Debian's skopeo neither makes nor verifies sigstore signatures; which requirements are for an image it does know.
it.skipIf(!hasTools('skopeo'))('finds the same scope of a policy as skopeo', async () => {
  const { name, reference, index } = await at.pushed();
  const [repository, port] = [`${at.host}/${reference.repository}`, at.host.split(':')[1]];
  const { digest } = index;
  const scopes = [
    '*.0.1',
    '*.0.0.1',
    '127.0.0.1',
    at.host,
    `${at.host}/te`,
    `${at.host}/team`,
    repository,
    name,
    `*.0.0.1:${port}`,
  ];
  // Of each two, the one accepts and the other rejects: the more specific wins.
  for (const accepted of scopes.slice(0, -1)) {
    const rejected = scopes[scopes.indexOf(accepted) + 1] ?? '';
    const docker = { [accepted]: [{ type: 'insecureAcceptAnything' }], [rejected]: [{ type: 'reject' }] };
    const policy = join(at.dir, 'scope.json');
    writeFileSync(policy, JSON.stringify({ default: [{ type: 'reject' }], transports: { docker } }));
    for (const image of accepted === repository ? [name, `${repository}@${digest}`] : [name]) {
      const outcome = async (job: Promise<unknown>): Promise<string> =>
        job.then(
          () => 'accepted',
          (error: unknown) => (/reject|refuse/.test(String(error)) ? 'refused' : String(error)),
        );
      const target = `dir:${join(at.dir, 'skopeo-out')}`;
      const [theirs, ours] = await Promise.all([
        outcome(
          tool(
            'skopeo',
            '--policy',
            policy,
            'copy',
            '--all',
            '--src-tls-verify=false',
            `docker://${image}`,
            target,
          ),
        ),
        outcome(
          at
            .newClient({ policy })
            .repository(parseReference(image))
            .then((one) => one.resolve(parseReference(image))),
        ),
      ]);
      expect([accepted, rejected, image, ours]).toEqual([accepted, rejected, image, theirs]);
    }
  }
});
