// Signatures that hold, and every way they do not. The keyless ones are made by sigstore-js' mock authorities.
import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { digestOf } from '../../src/reference/digest.ts';
import { type Demand, judge } from '../../src/verify/judge.ts';
import { parsePublicKey } from '../../src/verify/public-key.ts';
import type { CosignAnnotations, FoundSignature, Subject } from '../../src/verify/signature.ts';
import type { Trust } from '../../src/verify/trust.ts';
import { parseTrustedRoot } from '../../src/verify/trust-root.ts';
import {
  ecKeys,
  encodeDsse,
  IDENTITY,
  ISSUER,
  type KeyPair,
  keyBundle,
  type MockSigstore,
  mockSigstore,
  payloadFor,
  pemOf,
  signWith,
  statementFor,
} from '../support/sigstore.ts';

const raw = Buffer.from('{"schemaVersion":2}');
const subject: Subject = { digest: digestOf(raw), kind: 'manifest', raw };
const other = digestOf('another image');
const origin = digestOf('origin');
const payload = payloadFor(subject.digest, { name: 'localhost:5000/app' });

function tagged(annotations: CosignAnnotations, of: Buffer = payload): FoundSignature {
  return { form: 'tag', origin, payload: of, annotations };
}

function bundled(bundle: Buffer): FoundSignature {
  return { form: 'bundle', origin, bundle };
}

function byKey(keys: KeyPair, trust: Partial<Extract<Trust, { by: 'key' }>> = {}): Demand {
  return { trust: { by: 'key', keys: [parsePublicKey(pemOf(keys), 'key')], ...trust } };
}

async function reasonOf(found: FoundSignature, demand: Demand): Promise<string | undefined> {
  const { valid, refused } = await judge([found], subject, demand);
  expect(valid.length + refused.length).toBe(1);
  return refused[0]?.reason;
}

describe('with a key', () => {
  const keys = ecKeys();
  const good = tagged({ signature: signWith(keys, payload) });

  it('takes a signature of that key over this image', async () => {
    const { valid, refused } = await judge([good], subject, byKey(keys));
    expect(refused).toEqual([]);
    expect(valid).toEqual([
      {
        form: 'tag',
        origin,
        signed: subject.digest,
        kind: 'manifest',
        signer: { kind: 'key', fingerprint: parsePublicKey(pemOf(keys), 'key').fingerprint },
        claimedName: 'localhost:5000/app',
        annotations: {},
      },
    ]);
  });

  it.each([
    ['P-384, the hash of its size', 'P-384', 'sha384'],
    ['P-384, as old cosign has it', 'P-384', 'sha256'],
    ['P-521', 'P-521', 'sha512'],
  ])('takes ECDSA %s', async (_, curve, hash) => {
    const pair = ecKeys(curve);
    expect(await reasonOf(tagged({ signature: signWith(pair, payload, hash) }), byKey(pair))).toBeUndefined();
  });
  it.each([
    ['RSA', generateKeyPairSync('rsa', { modulusLength: 2048 }), 'sha256'],
    ['Ed25519', generateKeyPairSync('ed25519'), null],
  ] as const)('takes %s, in both forms', async (_, pair, hash) => {
    const statement = statementFor(subject.digest);
    const bundle = JSON.parse(keyBundle(keys, statement).toString()) as {
      dsseEnvelope: { signatures: object[] };
    };
    bundle.dsseEnvelope.signatures = [{ sig: signWith(pair, encodeDsse(statement), hash) }];
    const forms = [
      tagged({ signature: signWith(pair, payload, hash) }),
      bundled(Buffer.from(JSON.stringify(bundle))),
    ];
    for (const found of forms) expect(await reasonOf(found, byKey(pair))).toBeUndefined();
  });

  it('takes a bundle', async () => {
    const found = bundled(keyBundle(keys, statementFor(subject.digest)));
    const { valid } = await judge([found], subject, byKey(keys));
    expect(valid).toMatchObject([{ form: 'bundle', signer: { kind: 'key' } }]);
  });
  it('takes a bundle whose signature is over the manifest itself', async () => {
    const bundle = {
      mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
      verificationMaterial: { publicKey: { hint: '' } },
      messageSignature: {
        messageDigest: {
          algorithm: 'SHA2_256',
          digest: Buffer.from(subject.digest.slice(7), 'hex').toString('base64'),
        },
        signature: signWith(keys, raw),
      },
    };
    expect(await reasonOf(bundled(Buffer.from(JSON.stringify(bundle))), byKey(keys))).toBeUndefined();
    bundle.messageSignature.messageDigest.digest = Buffer.alloc(32).toString('base64');
    expect(await reasonOf(bundled(Buffer.from(JSON.stringify(bundle))), byKey(keys))).toMatch(/other bytes/);
  });
  it('takes the one of several keys', async () => {
    const both = [ecKeys(), keys].map((pair) => parsePublicKey(pemOf(pair), 'key'));
    expect(await reasonOf(good, { trust: { by: 'key', keys: both } })).toBeUndefined();
  });
  it('takes the good one among bad ones', async () => {
    const bad = tagged({ signature: 'AAAA' });
    const verdict = await judge([bad, good, bundled(Buffer.from('{'))], subject, byKey(keys));
    expect([verdict.valid.length, verdict.refused.length]).toEqual([1, 2]);
  });

  it('refuses another key', async () => {
    expect(await reasonOf(good, byKey(ecKeys()))).toBe('it was not made with the key');
    expect(await reasonOf(bundled(keyBundle(keys, statementFor(subject.digest))), byKey(ecKeys()))).toBe(
      'it was not made with the key',
    );
  });
  it("refuses another payload's signature", async () => {
    const swapped = signWith(keys, payloadFor(other));
    expect(await reasonOf(tagged({ signature: swapped }), byKey(keys))).toBe('it was not made with the key');
  });
  it('refuses a signature for another image', async () => {
    const wrong = payloadFor(other);
    expect(await reasonOf(tagged({ signature: signWith(keys, wrong) }, wrong), byKey(keys))).toBe(
      `it is for another image: ${other}`,
    );
    expect(await reasonOf(bundled(keyBundle(keys, statementFor(other))), byKey(keys))).toBe(
      `it is for another image: ${other.slice(7)}`,
    );
  });
  it('refuses what the key signed for another purpose', async () => {
    const wrong = payloadFor(subject.digest, { type: 'atomic container signature' });
    expect(await reasonOf(tagged({ signature: signWith(keys, wrong) }, wrong), byKey(keys))).toMatch(
      /critical.type is atomic/,
    );
    const scan = statementFor(subject.digest, { predicateType: 'https://slsa.dev/provenance/v1' });
    expect(await reasonOf(bundled(keyBundle(keys, scan)), byKey(keys))).toBe(
      'an attestation (https://slsa.dev/provenance/v1), not a signature',
    );
    const typed = keyBundle(keys, statementFor(subject.digest), 'text/plain');
    expect(await reasonOf(bundled(typed), byKey(keys))).toBe('it is no in-toto statement, but text/plain');
  });
  it('asks for annotations', async () => {
    const noted = payloadFor(subject.digest, { optional: { env: 'prod', count: 1 } });
    const found = tagged({ signature: signWith(keys, noted) }, noted);
    expect(await reasonOf(found, { ...byKey(keys), annotations: { env: 'prod' } })).toBeUndefined();
    expect(await reasonOf(found, { ...byKey(keys), annotations: { env: 'test' } })).toBe(
      'its annotation env is prod, not test',
    );
    expect(await reasonOf(found, { ...byKey(keys), annotations: { toString: 'x' } })).toMatch(/missing/);
    const bundle = bundled(keyBundle(keys, statementFor(subject.digest, { annotations: { env: 'prod' } })));
    expect(await reasonOf(bundle, { ...byKey(keys), annotations: { env: 'prod' } })).toBeUndefined();
    expect(await reasonOf(bundle, { ...byKey(keys), annotations: { env: 'x' } })).toMatch(/prod, not x/);
  });
});

describe('documents of strangers', () => {
  const keys = ecKeys();
  const bundle = keyBundle(keys, statementFor(subject.digest));

  it('refuses a bundle cut anywhere', async () => {
    for (let size = 0; size < bundle.length - 1; size += 37) {
      expect(await reasonOf(bundled(bundle.subarray(0, size)), byKey(keys))).toBeDefined();
    }
  });
  it.each(['null', '[]', '{}', '"x"', '{"mediaType":3}', '{"dsseEnvelope":null}', '{"__proto__":{}}'])(
    'refuses %s',
    async (text) => {
      expect(await reasonOf(bundled(Buffer.from(text)), byKey(keys))).toBeDefined();
      const found = tagged({ signature: signWith(keys, Buffer.from(text)) }, Buffer.from(text));
      expect(await reasonOf(found, byKey(keys))).toBeDefined();
    },
  );
  it('refuses a signature that is no base64, where Node would read what it can', async () => {
    const signature = signWith(keys, payload);
    expect(await reasonOf(tagged({ signature: `*${signature}` }), byKey(keys))).toMatch(/not base64/);
  });
});

describe('keyless', () => {
  let sigstore: MockSigstore;
  let keyless: Trust;

  function as(changes: Partial<Extract<Trust, { by: 'certificate' }>>): Demand {
    return { trust: { ...keyless, ...changes } as Trust };
  }
  beforeAll(async () => {
    sigstore = await mockSigstore();
    keyless = {
      by: 'certificate',
      root: parseTrustedRoot(sigstore.trustedRoot, 'root'),
      issuer: ISSUER,
      identity: { is: 'exactly', identity: IDENTITY },
    };
  });

  it('takes the tag form, and tells when it was logged', async () => {
    const found = tagged(await sigstore.tagged(payload));
    const { valid, refused } = await judge([found], subject, { trust: keyless });
    expect(refused).toEqual([]);
    expect(valid).toMatchObject([
      {
        form: 'tag',
        signer: { kind: 'certificate', identity: IDENTITY, issuer: ISSUER },
        time: expect.stringMatching(/^20\d\d-.*Z$/) as unknown,
        logIndex: expect.any(Number) as unknown,
      },
    ]);
  });
  it.each([false, true])('takes a bundle; timestamped: %s', async (stamped) => {
    const found = bundled(await sigstore.bundle(statementFor(subject.digest), { stamped }));
    const { valid, refused } = await judge([found], subject, { trust: keyless });
    expect(refused).toEqual([]);
    expect(valid).toMatchObject([
      {
        form: 'bundle',
        signer: { identity: IDENTITY },
        time: expect.stringMatching(/Z$/) as unknown,
        ...(!stamped && { logIndex: expect.any(Number) as unknown }),
      },
    ]);
  });
  it('takes an identity by a pattern', async () => {
    const found = tagged(await sigstore.tagged(payload));
    const like = as({ identity: { is: 'like', pattern: /^https:\/\/github\.com\/acme\// } });
    expect(await reasonOf(found, like)).toBeUndefined();
    const unlike = as({ identity: { is: 'like', pattern: /^https:\/\/github\.com\/evil\// } });
    expect(await reasonOf(found, unlike)).toBe(`it was made by ${IDENTITY}`);
  });
  it('refuses another identity, a part of it, and another issuer', async () => {
    const found = tagged(await sigstore.tagged(payload));
    for (const identity of ['me@example.com', IDENTITY.slice(0, -1), `${IDENTITY}x`, '.*']) {
      expect(await reasonOf(found, as({ identity: { is: 'exactly', identity } }))).toBe(
        `it was made by ${IDENTITY}`,
      );
    }
    expect(await reasonOf(found, as({ issuer: 'https://evil.example.com' }))).toBe(`its issuer is ${ISSUER}`);
  });
  it('refuses a URI where an e-mail address is asked for', async () => {
    const found = tagged(await sigstore.tagged(payload));
    expect(
      await reasonOf(found, as({ identity: { is: 'exactly', identity: IDENTITY, kind: 'email' } })),
    ).toBeDefined();
  });
  it('reads an identity with commas and quotes as one', async () => {
    const identity = 'https://example.com/a,URI:https://github.com/acme';
    const found = tagged(await sigstore.tagged(payload, { identity }));
    expect(await reasonOf(found, as({ identity: { is: 'exactly', identity } }))).toBeUndefined();
  });
  it('refuses the certificates of another authority', async () => {
    const stranger = await mockSigstore();
    expect(await reasonOf(tagged(await stranger.tagged(payload)), { trust: keyless })).toBeDefined();
    const bundle = bundled(await stranger.bundle(statementFor(subject.digest)));
    expect(await reasonOf(bundle, { trust: keyless })).toBeDefined();
  });
  it('refuses a certificate that had expired when the signature was logged', async () => {
    const late = await mockSigstore({ issuedAt: new Date(Date.now() - 3_600_000) });
    const root = parseTrustedRoot(late.trustedRoot, 'root');
    const reason = await reasonOf(tagged(await late.tagged(payload)), as({ root }));
    expect(reason).toMatch(/expired/);
  });
  it('refuses what is in no log', async () => {
    const { log: _, ...unlogged } = await sigstore.tagged(payload);
    expect(await reasonOf(tagged(unlogged), { trust: keyless })).toMatch(/timestamp/);
  });
  it("refuses another signature's log entry, and a changed one", async () => {
    const mine = await sigstore.tagged(payload);
    const { log } = await sigstore.tagged(payload);
    expect(await reasonOf(tagged({ ...mine, log }), { trust: keyless })).toMatch(/mismatch/);
    const entry = JSON.parse(mine.log ?? '') as { Payload: { integratedTime: number } };
    entry.Payload.integratedTime += 1;
    expect(await reasonOf(tagged({ ...mine, log: JSON.stringify(entry) }), { trust: keyless })).toMatch(
      /promise/,
    );
  });
  it("refuses another payload under the certificate's signature", async () => {
    const found = tagged(await sigstore.tagged(payload), payloadFor(other));
    expect(await reasonOf(found, { trust: keyless })).toBeDefined();
  });
  it('refuses a bundle about another image, and an attestation', async () => {
    const wrong = await sigstore.bundle(statementFor(other));
    expect(await reasonOf(bundled(wrong), { trust: keyless })).toMatch(/another image/);
    const attestation = await sigstore.bundle(
      statementFor(subject.digest, { predicateType: 'https://spdx.dev/Document' }),
    );
    expect(await reasonOf(bundled(attestation), { trust: keyless })).toMatch(/attestation/);
  });
  it('refuses a bundle changed anywhere', async () => {
    const bundle = await sigstore.bundle(statementFor(subject.digest));
    const text = bundle.toString();
    for (const member of ['payload', 'sig', 'rawBytes', 'signedEntryTimestamp', 'canonicalizedBody']) {
      const at = text.indexOf(`"${member}":"`) + member.length + 4 + 20;
      const changed = `${text.slice(0, at)}${text[at] === 'A' ? 'B' : 'A'}${text.slice(at + 1)}`;
      expect([member, await reasonOf(bundled(Buffer.from(changed)), { trust: keyless })]).not.toContain(
        undefined,
      );
    }
  });
  it('refuses a signature made with a key', async () => {
    const keys = ecKeys();
    const found = tagged(await sigstore.tagged(payload, { keys }));
    expect(await reasonOf(found, { trust: keyless })).toMatch(/with a key/);
  });
  it('with a key and a trusted root asks for the log entry', async () => {
    const keys = ecKeys();
    const root = parseTrustedRoot(sigstore.trustedRoot, 'root');
    const annotations = await sigstore.tagged(payload, { keys });
    const { valid } = await judge([tagged(annotations)], subject, byKey(keys, { root }));
    expect(valid).toMatchObject([{ signer: { kind: 'key' }, time: expect.any(String) as unknown }]);
    const { signature } = annotations;
    expect(await reasonOf(tagged({ signature }), byKey(keys, { root }))).toMatch(/tlog entries/);
  });
  it('refuses documents with any member replaced by anything, and fails at none', async () => {
    const bundle = JSON.parse((await sigstore.bundle(statementFor(subject.digest))).toString()) as object;
    const { log = '', ...rest } = await sigstore.tagged(payload);
    const entry = JSON.parse(log) as object;
    const anything = fc.oneof(fc.jsonValue(), fc.constantFrom('', 'AAAA', '-1', {}, [], [null], null));
    const change = (document: object, path: number[], value: unknown): Buffer => {
      const copy = structuredClone(document);
      let at = copy as Record<string, unknown>;
      for (const [depth, pick] of path.entries()) {
        const names = Object.keys(at);
        const name = names[pick % names.length] ?? '';
        const next = at[name];
        if (depth === path.length - 1 || typeof next !== 'object' || next === null) {
          at[name] = value;
          break;
        }
        at = next as Record<string, unknown>;
      }
      return Buffer.from(JSON.stringify(copy));
    };
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(20), { minLength: 1, maxLength: 6 }),
        anything,
        async (path, value) => {
          const documents = [
            bundled(change(bundle, path, value)),
            tagged({ ...rest, log: change(entry, path, value).toString() }),
            tagged({ ...rest, log, certificate: JSON.stringify(value) }),
          ];
          const { valid, refused } = await judge(documents, subject, { trust: keyless });
          expect(valid.length + refused.length).toBe(3);
        },
      ),
      { numRuns: 300 },
    );
  }, 60_000);
});
