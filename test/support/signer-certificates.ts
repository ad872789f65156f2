// A certificate authority for signers, made with openssl: a root, an intermediate certificate, and a signer's with what
// Fulcio puts into it, or one thing different.
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ISSUER, type KeyPair } from './sigstore.ts';
import { tool } from './tools.ts';

export interface SignerCertificates {
  root: string;
  intermediate: string;
  /** A certificate that calls itself an authority, issued by nobody but itself, and a signer's of it. */
  impostor: string;
  impostorsLeaf: string;
  /** Issued by `intermediate`. */
  leaf: string;
  /** Issued by `root`. */
  rootsLeaf: string;
  /** The same without the right to sign code. */
  serverLeaf: string;
  /** Issued by `leaf`, which is no authority. */
  leafsLeaf: string;
  /** With two names. */
  twoNames: string;
  /** The keys of all of them. */
  keys: KeyPair;
}

export const EMAIL = 'dev@example.com';

const AUTHORITY = ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign'];

function signer({ name = `email:${EMAIL}`, usage = 'codeSigning' } = {}): string[] {
  return [
    'basicConstraints=critical,CA:FALSE',
    'keyUsage=critical,digitalSignature',
    `extendedKeyUsage=${usage}`,
    `subjectAltName=critical,${name}`,
    `1.3.6.1.4.1.57264.1.8=ASN1:UTF8String:${ISSUER}`,
  ];
}

export async function signerCertificates(): Promise<SignerCertificates> {
  const dir = mkdtempSync(join(tmpdir(), 'signer-certificates-'));
  const path = (name: string): string => join(dir, name);
  try {
    const key = path('key.pem');
    await tool('openssl', 'ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', key);

    /** One key serves for all: what tells certificates apart is their names and who signed them. */
    async function issue(name: string, extensions: string[], issuer?: string): Promise<string> {
      const file = path(`${name}.pem`);
      const config = path(`${name}.ext`);
      writeFileSync(config, extensions.join('\n'));
      const ownKey = issuer === undefined || name === 'intermediate' ? path(`${name}.key`) : key;
      if (ownKey !== key) {
        await tool('openssl', 'ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', ownKey);
      }
      const request = path(`${name}.csr`);
      await tool('openssl', 'req', '-new', '-key', ownKey, '-subj', `/CN=${name}`, '-out', request);
      const by =
        issuer === undefined
          ? ['-signkey', ownKey]
          : ['-CA', path(`${issuer}.pem`), '-CAkey', issuer === 'leaf' ? key : path(`${issuer}.key`)];
      const serial = ['-set_serial', String(1 + Math.floor(Math.random() * 1e9))];
      const lasting = ['-days', '2', '-extfile', config];
      await tool('openssl', 'x509', '-req', '-in', request, ...by, ...serial, ...lasting, '-out', file);
      return readFileSync(file, 'utf8');
    }

    const privateKey = createPrivateKey(readFileSync(key));
    return {
      root: await issue('root', AUTHORITY),
      intermediate: await issue('intermediate', AUTHORITY, 'root'),
      impostor: await issue('impostor', AUTHORITY),
      impostorsLeaf: await issue('impostors-leaf', signer(), 'impostor'),
      leaf: await issue('leaf', signer(), 'intermediate'),
      rootsLeaf: await issue('roots-leaf', signer(), 'root'),
      serverLeaf: await issue('server-leaf', signer({ usage: 'serverAuth' }), 'intermediate'),
      leafsLeaf: await issue('leafs-leaf', signer(), 'leaf'),
      twoNames: await issue('two-names', signer({ name: `email:${EMAIL},email:me@example.com` }), 'root'),
      keys: { privateKey, publicKey: createPublicKey(privateKey) },
    };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
