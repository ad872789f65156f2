// A verified image for people: what of it is signed, since when, and by whom. A signer's name is never cut.
import type { Signer, ValidSignature } from '../verify/signature.ts';
import { shortDigest } from './format.ts';
import { formatTable } from './table.ts';

export function signatureLines(signatures: readonly ValidSignature[]): string[] {
  return formatTable(
    [{ title: 'SIGNED' }, { title: 'DIGEST' }, { title: 'TIME' }, { title: 'SIGNER' }],
    signatures.map(({ kind, signed, time, signer }) => [
      kind,
      shortDigest(signed),
      time === undefined ? '-' : time.slice(0, 16).replace('T', ' '),
      signerText(signer),
    ]),
    { width: Number.POSITIVE_INFINITY },
  );
}

function signerText(signer: Signer): string {
  if (signer.kind === 'key') return `key ${shortDigest(signer.fingerprint)}`;
  return `${signer.identity} (${signer.issuer})`;
}
