// Images with signatures in a registry, as cosign and skopeo put them there: found, judged, and asked for by pull and copy.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStore } from '../../src/blobstore/store.ts';
import { type Client, createClient } from '../../src/client/client.ts';
import { copyImage } from '../../src/client/copy-image.ts';
import { pull } from '../../src/client/pull.ts';
import { verifyingClient } from '../../src/client/verified-repository.ts';
import { type VerifyOptions, verify, verifyRule } from '../../src/client/verify.ts';
import { createCopier } from '../../src/copy/copier.ts';
import type { Descriptor } from '../../src/manifest/descriptor.ts';
import type { Reference } from '../../src/reference/reference.ts';
import { parseReference } from '../../src/reference/reference.ts';
import type { Repository } from '../../src/registry/repository.ts';
import { serveStore } from '../../src/serve/serve.ts';
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.ts';
import { addImage, addIndex, memoryPlace, nameImage } from '../support/image-builder.ts';
import { putBundle, putTagSignatures } from '../support/signed-image.ts';
import {
  ecKeys,
  IDENTITY,
  ISSUER,
  keyBundle,
  type MockSigstore,
  mockSigstore,
  payloadFor,
  pemOf,
  signWith,
  statementFor,
} from '../support/sigstore.ts';
import { hasTools, tool } from '../support/tools.ts';

const keys = ecKeys();
const key: VerifyOptions = { publicKeys: [{ name: 'cosign.pub', text: pemOf(keys) }] };
const otherKey: VerifyOptions = { publicKeys: [{ name: 'other.pub', text: pemOf(ecKeys()) }] };

let dir: string;
let sigstore: MockSigstore;
let keyless: VerifyOptions;
let warnings: string[];

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ocitool-verify-'));
  sigstore = await mockSigstore();
  keyless = {
    trustedRoot: { name: 'trusted_root.json', text: sigstore.trustedRoot },
    certificateIdentity: IDENTITY,
    certificateOidcIssuer: ISSUER,
  };
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

let stores = 0;
function newClient(options: Parameters<typeof createClient>[0] = {}): Client {
  stores += 1;
  return createClient({
    store: join(dir, `store-${stores}`),
    platform: 'linux/amd64',
    onProgress: (event) => {
      if (event.type === 'warning') warnings.push(event.message);
    },
    ...options,
  });
}

const SERVERS = {
  'docker-registry, which has no referrers API': async () => {
    const registry: DockerRegistry = await startDockerRegistry();
    return { host: registry.address, close: () => registry.close() };
  },
  'ocitool serve': async () => {
    const server = await serveStore(await openStore(join(dir, 'served')));
    return { host: new URL(server.url).host, close: () => server.close() };
  },
};

const available = Object.entries(SERVERS).filter(
  ([name]) => name === 'ocitool serve' || hasTools('docker-registry'),
);

describe.each(available)('at %s', (server, start) => {
  let host: string;
  let close: () => Promise<void>;
  let client: Client;
  let images = 0;

  beforeAll(async () => {
    ({ host, close } = await start());
    warnings = [];
    client = newClient();
  });
  afterAll(async () => {
    await client.close();
    await close();
  });

  interface Pushed {
    reference: Reference;
    name: string;
    repository: Repository;
    index: Descriptor;
    amd64: Descriptor;
  }

  /** A new image for two platforms, unsigned. */
  async function pushed(): Promise<Pushed> {
    images += 1;
    const name = `${host}/team/app${images}:1`;
    const reference = parseReference(name);
    const place = memoryPlace();
    const amd64 = { ...addImage(place), platform: { os: 'linux', architecture: 'amd64' } };
    const arm64 = { ...addImage(place), platform: { os: 'linux', architecture: 'arm64' } };
    const index = addIndex(place, [amd64, arm64]);
    nameImage(place, reference, index);
    const repository = await client.repository(reference, 'push');
    await createCopier(repository).copy(place, reference, { allPlatforms: true });
    return { reference, name, repository, index, amd64 };
  }

  async function signTag({ repository, reference }: Pushed, { digest }: Descriptor): Promise<void> {
    const payload = payloadFor(digest, { name: `${host}/${reference.repository}` });
    const annotations = { signature: signWith(keys, payload) };
    await putTagSignatures(repository, reference, digest, [{ payload, annotations }]);
  }

  it('finds a signature under the tag, and as a referrer', async () => {
    const image = await pushed();
    await signTag(image, image.index);
    await putBundle(image.repository, image.index, keyBundle(keys, statementFor(image.index.digest)));
    const verified = await verify(client, image.name, key);
    expect(verified).toMatchObject({
      digest: image.index.digest,
      signed: { digest: image.index.digest },
      refused: [],
      unchecked: [expect.stringContaining('log') as unknown],
    });
    expect(verified.signatures.map(({ form, kind }) => [form, kind])).toEqual([
      ['tag', 'index'],
      ['bundle', 'index'],
    ]);
  });

  it('takes keyless signatures of both forms', async () => {
    const image = await pushed();
    const payload = payloadFor(image.index.digest);
    const annotations = await sigstore.tagged(payload);
    await putTagSignatures(image.repository, image.reference, image.index.digest, [{ payload, annotations }]);
    const bundle = await sigstore.bundle(statementFor(image.index.digest), { stamped: true });
    await putBundle(image.repository, image.index, bundle);
    const { signatures, unchecked } = await verify(client, image.name, keyless);
    expect(signatures).toMatchObject([
      { form: 'tag', signer: { identity: IDENTITY, issuer: ISSUER } },
      { form: 'bundle', signer: { identity: IDENTITY, issuer: ISSUER } },
    ]);
    expect(unchecked).toEqual([]);
    await expect(verify(client, image.name, key)).rejects.toMatchObject({ code: 'SIGNATURE_INVALID' });
  });

  it('says of each signature why it does not count', async () => {
    const image = await pushed();
    await signTag(image, image.index);
    const sbom = { 'dev.sigstore.bundle.predicateType': 'https://spdx.dev/Document' };
    await putBundle(image.repository, image.index, Buffer.from('never read'), sbom);
    await putBundle(image.repository, image.index, Buffer.from('{'));
    warnings = [];
    await expect(verify(client, image.name, otherKey)).rejects.toMatchObject({
      code: 'SIGNATURE_INVALID',
      message: expect.stringContaining('3 found') as unknown,
    });
    expect(warnings.map((line) => line.replace(/^signature \S+: /, '')).sort()).toEqual([
      'an attestation (https://spdx.dev/Document), not a signature',
      'it was not made with the key',
      'its bundle is not JSON',
    ]);
  });

  it('says of an unsigned image that it is', async () => {
    const { name } = await pushed();
    await expect(verify(client, name, key)).rejects.toMatchObject({
      code: 'SIGNATURE_INVALID',
      hint: expect.stringContaining('unsigned') as unknown,
    });
    await expect(verify(client, `${name}-none`, key)).rejects.toMatchObject({ code: 'IMAGE_NOT_FOUND' });
  });

  it('of an index without a signature takes the one of its manifest, and pull takes that', async () => {
    const image = await pushed();
    await signTag(image, image.amd64);
    expect(await verify(client, image.name, key)).toMatchObject({
      digest: image.index.digest,
      signed: { digest: image.amd64.digest },
      signatures: [{ kind: 'manifest' }],
    });
    const rule = await verifyRule(key);
    const [pulled] = await pull(verifyingClient(newClient(), rule), image.name);
    expect(pulled?.root.digest).toBe(image.amd64.digest);
    const all = verifyingClient(newClient({ platform: undefined }), rule);
    await expect(pull(all, image.name, { allPlatforms: true })).rejects.toMatchObject({
      code: 'SIGNATURE_INVALID',
    });
  });

  it('pulls what is signed, and nothing of what is not', async () => {
    const image = await pushed();
    await signTag(image, image.index);
    const unsigned = await pushed();
    const guarded = verifyingClient(newClient(), await verifyRule(key));
    const [pulled] = await pull(guarded, image.name);
    expect(pulled?.root.digest).toBe(image.index.digest);
    await expect(pull(guarded, unsigned.name)).rejects.toMatchObject({ code: 'SIGNATURE_INVALID' });
    const store = await guarded.store();
    expect(await store.has(unsigned.index)).toBe(false);
    expect(await store.has(unsigned.amd64)).toBe(false);
  });

  it('takes the image it has looked at, though the tag moves', async () => {
    const image = await pushed();
    await signTag(image, image.index);
    const evil = await pushed();
    const repository = await verifyingClient(newClient(), await verifyRule(key)).repository(image.reference);
    expect((await repository.resolve(image.reference, { cheap: true })).digest).toBe(image.index.digest);
    const place = memoryPlace();
    const other = addImage(place);
    nameImage(place, image.reference, other);
    await createCopier(image.repository).copy(place, image.reference);
    expect((await repository.resolve(image.reference)).digest).toBe(image.index.digest);
    expect(evil.index.digest).not.toBe(image.index.digest);
  });

  it('copies what is signed, wherever it is', async () => {
    const image = await pushed();
    await signTag(image, image.index);
    const unsigned = await pushed();
    const rule = await verifyRule(key);
    const copying = newClient({ platform: undefined });
    const copied = await copyImage(copying, `docker://${image.name}`, `oci:${dir}/copied-${images}:1`, {
      verify: rule,
    });
    expect(copied.root.digest).toBe(image.index.digest);
    const refused = copyImage(copying, `docker://${unsigned.name}`, `oci:${dir}/not`, { verify: rule });
    await expect(refused).rejects.toMatchObject({ code: 'SIGNATURE_INVALID' });
    // Without its signature the copy is an image like any other.
    const layout = copyImage(copying, `oci:${dir}/copied-${images - 1}:1`, `oci:${dir}/not`, {
      verify: rule,
    });
    await expect(layout).rejects.toThrow();
  });

  it("looks for a stored image's signature at its registry", async () => {
    const image = await pushed();
    await signTag(image, image.index);
    const own = newClient();
    await pull(own, image.name);
    expect(await verify(own, image.name, key)).toMatchObject({ digest: image.index.digest });
  });

  describe('with a policy', () => {
    let files = 0;
    function policyFile(policy: object): string {
      files += 1;
      const file = join(dir, `policy-${images}-${files}.json`);
      writeFileSync(file, JSON.stringify(policy));
      return file;
    }
    function signedBy(options: object = {}): object {
      const keyData = Buffer.from(pemOf(keys)).toString('base64');
      return { type: 'sigstoreSigned', keyData, ...options };
    }

    it('pulls by it', async () => {
      const image = await pushed();
      await signTag(image, image.index);
      const open = await pushed();
      const docker = {
        [host]: [signedBy({ signedIdentity: { type: 'matchRepository' } })],
        [open.name]: [{ type: 'insecureAcceptAnything' }],
      };
      const policy = policyFile({ default: [{ type: 'reject' }], transports: { docker } });
      const guarded = newClient({ policy });
      await pull(guarded, [image.name, open.name]);
      await expect(pull(guarded, `${host}/team/app${images - 1}:1x`)).rejects.toMatchObject({
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
      const image = await pushed();
      await signTag(image, image.index);
      await putBundle(image.repository, image.index, keyBundle(keys, statementFor(image.index.digest)));
      warnings = [];
      const guarded = newClient({ policy: policyFile({ default: [signedBy()] }) });
      await expect(pull(guarded, image.name)).rejects.toMatchObject({ code: 'SIGNATURE_INVALID' });
      expect(warnings.join('\n')).toMatch(/it names .*\/team\/app.*matchRepoDigestOrExact/);
      expect(warnings.join('\n')).toMatch(/it names no image/);
    });

    it('asks for all of its requirements', async () => {
      const image = await pushed();
      await signTag(image, image.index);
      const mine = signedBy({ signedIdentity: { type: 'matchRepository' } });
      const keyData = Buffer.from(pemOf(ecKeys())).toString('base64');
      const theirs = { ...mine, keyData };
      const both = newClient({ policy: policyFile({ default: [mine, theirs] }) });
      await expect(pull(both, image.name)).rejects.toMatchObject({ code: 'SIGNATURE_INVALID' });
      const anything = { type: 'insecureAcceptAnything' };
      const one = newClient({ policy: policyFile({ default: [anything, mine] }) });
      await pull(one, image.name);
    });

    it('refuses what wants GPG', async () => {
      const { name } = await pushed();
      const gpg = { type: 'signedBy', keyType: 'GPGKeys', keyPath: '/etc/pki/key' };
      const guarded = newClient({ policy: policyFile({ default: [gpg] }) });
      await expect(pull(guarded, name)).rejects.toMatchObject({
        code: 'POLICY_REFUSED',
        message: expect.stringContaining('GPG signatures are not supported') as unknown,
      });
    });

    it('wants the log where it names one, and an identity where it says so', async () => {
      const image = await pushed();
      const payload = payloadFor(image.index.digest, { name: image.name });
      const rekorPublicKeyData = Buffer.from(sigstore.logPem).toString('base64');
      const logged = await sigstore.tagged(payload, { keys });
      const named = await sigstore.tagged(payload);
      const put = (annotations: typeof logged) =>
        putTagSignatures(image.repository, image.reference, image.index.digest, [{ payload, annotations }]);
      const byKey = policyFile({ default: [signedBy({ rekorPublicKeyData })] });
      await put({ signature: logged.signature });
      await expect(pull(newClient({ policy: byKey }), image.name)).rejects.toMatchObject({
        code: 'SIGNATURE_INVALID',
      });
      await put(logged);
      await pull(newClient({ policy: byKey }), image.name);

      const fulcio = {
        caData: Buffer.from(sigstore.caPem).toString('base64'),
        oidcIssuer: ISSUER,
        subjectEmail: IDENTITY,
      };
      const byIdentity = policyFile({ default: [{ type: 'sigstoreSigned', fulcio, rekorPublicKeyData }] });
      await put(named);
      warnings = [];
      // The mock authority certifies URIs only, and a policy means an e-mail address.
      await expect(pull(newClient({ policy: byIdentity }), image.name)).rejects.toMatchObject({
        code: 'SIGNATURE_INVALID',
        message: expect.stringContaining(`it was made by ${IDENTITY}`) as unknown,
      });
    });
  });

  // Debian's skopeo neither makes nor verifies sigstore signatures; which requirements are for an image it does know.
  it.skipIf(server !== 'ocitool serve' || !hasTools('skopeo'))(
    'finds the same scope of a policy as skopeo',
    async () => {
      const { name, reference, index } = await pushed();
      const [repository, port] = [`${host}/${reference.repository}`, host.split(':')[1]];
      const { digest } = index;
      const scopes = [
        '*.0.1',
        '*.0.0.1',
        '127.0.0.1',
        host,
        `${host}/te`,
        `${host}/team`,
        repository,
        name,
        `*.0.0.1:${port}`,
      ];
      // Of each two, the one accepts and the other rejects: the more specific wins.
      for (const accepted of scopes.slice(0, -1)) {
        const rejected = scopes[scopes.indexOf(accepted) + 1] ?? '';
        const docker = { [accepted]: [{ type: 'insecureAcceptAnything' }], [rejected]: [{ type: 'reject' }] };
        const policy = join(dir, 'scope.json');
        writeFileSync(policy, JSON.stringify({ default: [{ type: 'reject' }], transports: { docker } }));
        for (const image of accepted === repository ? [name, `${repository}@${digest}`] : [name]) {
          const outcome = async (job: Promise<unknown>): Promise<string> =>
            job.then(
              () => 'accepted',
              (error: unknown) => (/reject|refuse/.test(String(error)) ? 'refused' : String(error)),
            );
          const target = `dir:${join(dir, 'skopeo-out')}`;
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
              newClient({ policy })
                .repository(parseReference(image))
                .then((one) => one.resolve(parseReference(image))),
            ),
          ]);
          expect([accepted, rejected, image, ours]).toEqual([accepted, rejected, image, theirs]);
        }
      }
    },
  );
});
