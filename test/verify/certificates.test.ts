// Signers' certificates of an authority whose logs of certificates are not known, as a policy names one: issued by it,
// through at most one certificate that came with the signature, or not.

import { X509Certificate } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { digestOf } from '../../src/reference/digest.ts';
import { isCertified, nameIn } from '../../src/verify/certificates.ts';
import { judge } from '../../src/verify/judge.ts';
import type { Subject } from '../../src/verify/signature.ts';
import type { Trust, TrustRoot } from '../../src/verify/trust.ts';
import { trustRootOf } from '../../src/verify/trust-root.ts';
import { EMAIL, type SignerCertificates, signerCertificates } from '../support/signer-certificates.ts';
import { ISSUER, type MockSigstore, mockSigstore, payloadFor } from '../support/sigstore.ts';

let made: SignerCertificates;
let sigstore: MockSigstore;
let root: TrustRoot;
const now = new Date(Date.now() + 60_000);

beforeAll(async () => {
  made = await signerCertificates();
  sigstore = await mockSigstore();
  const authorities = [{ pem: made.root, name: 'ca' }];
  root = trustRootOf({ authorities, logs: [{ pem: sigstore.logPem, name: 'log' }] });
});

function certified(leaf: string, intermediates: string[] = [], at = now): boolean {
  const read = (pem: string): X509Certificate => new X509Certificate(pem);
  return isCertified(read(leaf), intermediates.map(read), root, at);
}

it('takes what the authority issued itself, or through a certificate that came along', () => {
  expect(certified(made.rootsLeaf)).toBe(true);
  expect(certified(made.leaf, [made.intermediate])).toBe(true);
  expect(certified(made.leaf, [made.impostor, made.intermediate])).toBe(true);
});
it('does not take a chain with a part missing', () => {
  expect(certified(made.leaf)).toBe(false);
});
it("does not take a stranger's authority, whatever comes along", () => {
  expect(certified(made.impostorsLeaf, [made.impostor])).toBe(false);
  expect(certified(made.impostorsLeaf, [made.impostor, made.intermediate])).toBe(false);
  expect(certified(made.impostorsLeaf, [made.impostor, made.root])).toBe(false);
});
it('does not take what a signer issued', () => {
  expect(certified(made.leafsLeaf, [made.leaf])).toBe(false);
  expect(certified(made.leafsLeaf, [made.leaf, made.intermediate])).toBe(false);
});
it('does not take certificates for other purposes, an authority as a signer among them', () => {
  expect(certified(made.serverLeaf, [made.intermediate])).toBe(false);
  expect(certified(made.intermediate)).toBe(false);
});
it('does not take what was not valid at the time', () => {
  const year = 365 * 86_400_000;
  expect(certified(made.rootsLeaf, [], new Date(Date.now() - year))).toBe(false);
  expect(certified(made.rootsLeaf, [], new Date(Date.now() + year))).toBe(false);
});
it('reads one name, and none of two', () => {
  expect(nameIn(new X509Certificate(made.leaf))).toEqual({ identity: EMAIL, identityKind: 'email' });
  expect(nameIn(new X509Certificate(made.twoNames))).toBeUndefined();
  expect(nameIn(new X509Certificate(made.root))).toBeUndefined();
});

describe('signatures by such a certificate', () => {
  const raw = Buffer.from('{}');
  const subject: Subject = { digest: digestOf(raw), kind: 'manifest', raw };
  const payload = payloadFor(subject.digest);

  async function outcome(certificate: string, chain?: string, trust: Partial<Trust> = {}): Promise<string> {
    const annotations = { ...(await sigstore.tagged(payload, { keys: made.keys, certificate })), chain };
    const found = { form: 'tag', origin: subject.digest, payload, annotations } as const;
    const wanted: Trust = {
      by: 'certificate',
      root,
      issuer: ISSUER,
      identity: { is: 'exactly', identity: EMAIL, kind: 'email' },
      ...(trust as object),
    };
    const { valid, refused } = await judge([found], subject, { trust: wanted });
    return refused[0]?.reason ?? `signed by ${JSON.stringify(valid[0]?.signer)}`;
  }

  it('hold, with the chain that came along', async () => {
    const signedBy = `signed by ${JSON.stringify({ kind: 'certificate', identity: EMAIL, identityKind: 'email', issuer: ISSUER })}`;
    expect(await outcome(made.leaf, made.intermediate)).toBe(signedBy);
    expect(await outcome(made.rootsLeaf)).toBe(signedBy);
  });
  it('do not without it, nor with a chain of another', async () => {
    expect(await outcome(made.leaf)).toMatch(/no trusted authority/);
    expect(await outcome(made.impostorsLeaf, made.impostor)).toMatch(/no trusted authority/);
    expect(await outcome(made.leaf, 'nonsense')).toMatch(/cannot be read/);
  });
  it('do not by another e-mail address, nor by two', async () => {
    const identity = { is: 'exactly', identity: 'me@example.com', kind: 'email' } as const;
    expect(await outcome(made.rootsLeaf, undefined, { identity })).toBe(`it was made by ${EMAIL}`);
    expect(await outcome(made.twoNames, undefined, { identity })).toMatch(/does not name one/);
  });
  it('do not when another log has them', async () => {
    const other = await mockSigstore();
    const authorities = [{ pem: made.root, name: 'ca' }];
    const elsewhere = trustRootOf({ authorities, logs: [{ pem: other.logPem, name: 'log' }] });
    expect(await outcome(made.rootsLeaf, undefined, { root: elsewhere })).toMatch(/promise/);
  });
});
