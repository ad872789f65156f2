// One question to what listens on loopback, asked without node:tls: is it TLS that you speak?
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { expect, it, onTestFinished } from 'vitest';
import { speaksNoTls } from '../../src/registry/tls-peek.ts';
import { createAuthority } from '../support/certificates.ts';
import { startDockerRegistry } from '../support/docker-registry.ts';
import { hasTools } from '../support/tools.ts';

async function urlOf(server: Server): Promise<URL> {
  server.listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  return new URL(`https://127.0.0.1:${(server.address() as AddressInfo).port}`);
}

it.each<[string, TlsOptions]>([
  ['of any version', {}],
  ['1.3 and nothing older', { minVersion: 'TLSv1.3' }],
  ['1.2 with a cipher we do not offer', { maxVersion: 'TLSv1.2', ciphers: 'AES256-SHA' }],
  ['that asks for a certificate', { requestCert: true }],
])('TLS %s is recognized', async (_, options) => {
  const authority = await createAuthority();
  onTestFinished(() => authority.remove());
  const { certFile, keyFile } = await authority.server();
  const server = createTlsServer({
    cert: readFileSync(certFile),
    key: readFileSync(keyFile),
    ...options,
  });
  server.on('tlsClientError', () => {});
  expect(await speaksNoTls(await urlOf(server))).toBe(false);
});

it('HTTP is recognized', async () => {
  expect(await speaksNoTls(await urlOf(createHttpServer()))).toBe(true);
});

it('one that hangs up, and none at all, are left to others to judge', async () => {
  const rude = await urlOf(createServer((socket) => socket.destroy()));
  expect(await speaksNoTls(rude)).toBe(false);
  const silent = await urlOf(createServer((socket) => socket.on('error', () => {}).end()));
  expect(await speaksNoTls(silent)).toBe(false);
  expect(await speaksNoTls(new URL('https://127.0.0.1:1'))).toBe(false);
});

it.skipIf(!hasTools('docker-registry'))('docker-registry answers at once', async () => {
  const registry = await startDockerRegistry();
  onTestFinished(() => registry.close());
  expect(await speaksNoTls(new URL(`https://${registry.address}`))).toBe(true);
});
