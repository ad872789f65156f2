// Images with signatures in a registry, as cosign puts them there: found, judged, and asked for by pull and copy.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Client } from '../../src/client/client.ts';
import { copyImage } from '../../src/client/copy-image.ts';
import { pull } from '../../src/client/pull.ts';
import { verifyingClient } from '../../src/client/verified-repository.ts';
import { type VerifyOptions, verify, verifyRule } from '../../src/client/verify.ts';
import { createCopier } from '../../src/copy/copier.ts';
import { OciError } from '../../src/errors.ts';
import { formatReference } from '../../src/reference/reference.ts';
import type { Repository } from '../../src/registry/repository.ts';
import { addImage, memoryPlace, nameImage } from '../support/image-builder.ts';
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
  signWith,
  statementFor,
} from '../support/sigstore.ts';
import { hasTools } from '../support/tools.ts';

const key: VerifyOptions = { publicKeys: [{ name: 'cosign.pub', text: pemOf(keys) }] };
const otherKey: VerifyOptions = { publicKeys: [{ name: 'other.pub', text: pemOf(ecKeys()) }] };

const servers = hasTools('docker-registry')
  ? (['docker-registry', 'ocitool serve'] as const)
  : (['ocitool serve'] as const);

describe.each(servers)('at %s', (server) => {
  let at: SigningRegistry;
  let client: Client;
  let sigstore: MockSigstore;
  let keyless: VerifyOptions;

  beforeAll(async () => {
    at = await startSigningRegistry(server);
    client = at.newClient();
    sigstore = await mockSigstore();
    keyless = {
      trustedRoot: { name: 'trusted_root.json', text: sigstore.trustedRoot },
      certificateIdentity: IDENTITY,
      certificateOidcIssuer: ISSUER,
    };
  });
  afterAll(() => at.close());

  it('finds a signature under the tag, and as a referrer', async () => {
    const image = await at.pushed();
    await at.signTag(image, image.index);
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

  it('finds them for a name with a digest', async () => {
    const image = await at.pushed();
    await at.signTag(image, image.index);
    const name = `${at.host}/${image.reference.repository}@${image.index.digest}`;
    expect(await verify(client, name, key)).toMatchObject({ signatures: [{ form: 'tag' }] });
    const [pulled] = await pull(verifyingClient(at.newClient(), await verifyRule(key)), name);
    expect(pulled?.root.digest).toBe(image.index.digest);
  });

  it('takes keyless signatures of both forms', async () => {
    const image = await at.pushed();
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
    const image = await at.pushed();
    await at.signTag(image, image.index);
    const sbom = { 'dev.sigstore.bundle.predicateType': 'https://spdx.dev/Document' };
    await putBundle(image.repository, image.index, Buffer.from('never read'), sbom);
    await putBundle(image.repository, image.index, Buffer.from('{'));
    at.warnings.length = 0;
    await expect(verify(client, image.name, otherKey)).rejects.toMatchObject({
      code: 'SIGNATURE_INVALID',
      message: expect.stringContaining('3 found') as unknown,
    });
    expect(at.warnings.map((line) => line.replace(/^signature \S+: /, '')).sort()).toEqual([
      'an attestation (https://spdx.dev/Document), not a signature',
      'it was not made with the key',
      'its bundle is not JSON',
    ]);
  });

  it('tells of a list of signatures that is none', async () => {
    const image = await at.pushed();
    await at.signTag(image, image.index);
    const { repository, reference } = image;
    const tag = `${image.index.digest.replace(':', '-')}.sig`;
    const broken: Repository = {
      ...repository,
      resolve: async (name, options) => {
        if (name.tag === tag) throw new OciError('MANIFEST_INVALID', 'it has no layers');
        return repository.resolve(name, options);
      },
    };
    const lying: Client = { ...client, repository: async () => broken };
    at.warnings.length = 0;
    await expect(verify(lying, image.name, key)).rejects.toMatchObject({ code: 'SIGNATURE_INVALID' });
    expect(at.warnings.join()).toContain('it has no layers');
    await putBundle(repository, image.index, keyBundle(keys, statementFor(image.index.digest)));
    expect(await verify(lying, formatReference(reference), key)).toMatchObject({
      signatures: [{ form: 'bundle' }],
    });
  });

  it('tells two signers of the same text apart', async () => {
    const image = await at.pushed();
    const payload = payloadFor(image.index.digest);
    const annotations = [keys, ecKeys()].map((pair) => ({ signature: signWith(pair, payload) }));
    const both = annotations.map((one) => ({ payload, annotations: one }));
    await putTagSignatures(image.repository, image.reference, image.index.digest, both);
    expect(await verify(client, image.name, key)).toMatchObject({
      signatures: [{ signer: { kind: 'key' } }],
      refused: [{ reason: 'it was not made with the key' }],
    });
    await expect(verify(client, image.name, otherKey)).rejects.toThrow(/2 found/);
  });

  it('says of an unsigned image that it is', async () => {
    const { name } = await at.pushed();
    await expect(verify(client, name, key)).rejects.toMatchObject({
      code: 'SIGNATURE_INVALID',
      hint: expect.stringContaining('unsigned') as unknown,
    });
    await expect(verify(client, `${name}-none`, key)).rejects.toMatchObject({ code: 'IMAGE_NOT_FOUND' });
  });

  it('of an index without a signature takes the one of its manifest, and pull takes that', async () => {
    const image = await at.pushed();
    await at.signTag(image, image.amd64);
    expect(await verify(client, image.name, key)).toMatchObject({
      digest: image.index.digest,
      signed: { digest: image.amd64.digest },
      signatures: [{ kind: 'manifest' }],
    });
    const rule = await verifyRule(key);
    const [pulled] = await pull(verifyingClient(at.newClient(), rule), image.name);
    expect(pulled?.root.digest).toBe(image.amd64.digest);
    expect(at.warnings.at(-1)).toMatch(/only its manifest for one platform is signed/);
    const all = verifyingClient(at.newClient({ platform: undefined }), rule);
    await expect(pull(all, image.name, { allPlatforms: true })).rejects.toMatchObject({
      code: 'SIGNATURE_INVALID',
    });
  });

  it('pulls what is signed, and nothing of what is not', async () => {
    const image = await at.pushed();
    await at.signTag(image, image.index);
    const unsigned = await at.pushed();
    const guarded = verifyingClient(at.newClient(), await verifyRule(key));
    const [pulled] = await pull(guarded, image.name);
    expect(pulled?.root.digest).toBe(image.index.digest);
    await expect(pull(guarded, unsigned.name)).rejects.toMatchObject({ code: 'SIGNATURE_INVALID' });
    const store = await guarded.store();
    expect(await store.has(unsigned.index)).toBe(false);
    expect(await store.has(unsigned.amd64)).toBe(false);
  });

  it('takes the image it has looked at, though the tag moves', async () => {
    const image = await at.pushed();
    await at.signTag(image, image.index);
    const evil = await at.pushed();
    const repository = await verifyingClient(at.newClient(), await verifyRule(key)).repository(
      image.reference,
    );
    expect((await repository.resolve(image.reference, { cheap: true })).digest).toBe(image.index.digest);
    const place = memoryPlace();
    const other = addImage(place);
    nameImage(place, image.reference, other);
    await createCopier(image.repository).copy(place, image.reference);
    expect((await repository.resolve(image.reference)).digest).toBe(image.index.digest);
    expect(evil.index.digest).not.toBe(image.index.digest);
  });

  it('lets in the parts of a signed index by their digests, once that was let in', async () => {
    const image = await at.pushed();
    await at.signTag(image, image.index);
    const { registry, repository: path } = image.reference;
    const part = { registry, repository: path, digest: image.amd64.digest };
    const repository = await verifyingClient(at.newClient(), await verifyRule(key)).repository(part);
    await expect(repository.resolve(part)).rejects.toMatchObject({ code: 'SIGNATURE_INVALID' });
    await repository.resolve(image.reference);
    expect((await repository.resolve(part)).digest).toBe(image.amd64.digest);
    const other = await at.pushed();
    const stranger = { ...part, digest: other.amd64.digest };
    await expect(repository.resolve(stranger)).rejects.toThrow();
  });

  it('copies what is signed, wherever it is', async () => {
    const image = await at.pushed();
    await at.signTag(image, image.index);
    const unsigned = await at.pushed();
    const rule = await verifyRule(key);
    const copying = at.newClient({ platform: undefined });
    const copied = await copyImage(copying, `docker://${image.name}`, `oci:${at.dir}/copied:1`, {
      verify: rule,
    });
    expect(copied.root.digest).toBe(image.index.digest);
    const refused = copyImage(copying, `docker://${unsigned.name}`, `oci:${at.dir}/not`, { verify: rule });
    await expect(refused).rejects.toMatchObject({ code: 'SIGNATURE_INVALID' });
    // Without its signature the copy is an image like any other.
    const layout = copyImage(copying, `oci:${at.dir}/copied:1`, `oci:${at.dir}/not`, {
      verify: rule,
    });
    await expect(layout).rejects.toThrow();
  });

  it('finds a signature that was copied along, in a layout and in a store', async () => {
    const image = await at.pushed();
    await putBundle(image.repository, image.index, keyBundle(keys, statementFor(image.index.digest)));
    const copying = at.newClient({ platform: undefined });
    const layout = `oci:${at.dir}/with-referrers:1`;
    await copyImage(copying, `docker://${image.name}`, layout, { referrers: true });
    expect(await verify(client, layout, key)).toMatchObject({ signatures: [{ form: 'bundle' }] });
    await copyImage(copying, layout, `oci:${at.dir}/from-layout:1`, { verify: await verifyRule(key) });
    const offline = at.newClient();
    await pull(offline, image.name, { referrers: true });
    expect(await verify(offline, image.name, key)).toMatchObject({ signatures: [{ form: 'bundle' }] });
  });

  it("looks for a stored image's signature at its registry", async () => {
    const image = await at.pushed();
    await at.signTag(image, image.index);
    const own = at.newClient();
    await pull(own, image.name);
    expect(await verify(own, image.name, key)).toMatchObject({ digest: image.index.digest });
  });
});
