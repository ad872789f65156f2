// Certificates for tests, made by openssl: an authority of our own and servers on loopback.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tool } from './tools.ts';

/** A certificate and its key, in files. */
export interface Certificate {
  certFile: string;
  keyFile: string;
}

export interface Authority extends Certificate {
  /** PEM, for `ca`. */
  pem: string;
  /** Signs a certificate for 127.0.0.1 and localhost; `days` may be negative: expired. */
  server(options?: { days?: number; names?: string }): Promise<Certificate>;
  remove(): void;
}

/** An authority in a folder of its own; remove it when done. */
export async function createAuthority(): Promise<Authority> {
  const folder = mkdtempSync(join(tmpdir(), 'certificates-'));
  const certFile = join(folder, 'ca.pem');
  const keyFile = join(folder, 'ca.key');
  await tool(
    'openssl',
    ...'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2'.split(' '),
    ...['-subj', '/CN=ocitool test authority', '-keyout', keyFile, '-out', certFile],
  );
  let count = 0;
  return {
    certFile,
    keyFile,
    pem: readFileSync(certFile, 'utf8'),
    async server({ days = 2, names = 'IP:127.0.0.1,DNS:localhost' } = {}) {
      count += 1;
      const base = join(folder, `server-${count}`);
      writeFileSync(`${base}.ext`, `subjectAltName=${names}\n`);
      await tool(
        'openssl',
        ...'req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=server'.split(' '),
        ...['-keyout', `${base}.key`, '-out', `${base}.csr`],
      );
      await tool(
        'openssl',
        ...['x509', '-req', '-in', `${base}.csr`, '-CA', certFile, '-CAkey', keyFile, '-CAcreateserial'],
        ...['-days', String(days), '-extfile', `${base}.ext`, '-out', `${base}.pem`],
      );
      return { certFile: `${base}.pem`, keyFile: `${base}.key` };
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
