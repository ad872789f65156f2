// The reference registry (Debian's docker-registry) on a free loopback port, in the forms people run it in.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Certificate } from './certificates.ts';
import { logged } from './log-line.ts';
import type { TokenServer } from './token-server.ts';
import { tool } from './tools.ts';

export interface DockerRegistry {
  /** `127.0.0.1:40123` */
  address: string;
  /** Where its blobs are. */
  storage: string;
  /** Stops it; removes the storage unless it was given. */
  close(): Promise<void>;
}

export interface DockerRegistryOptions {
  /** An existing storage directory, kept; several registries may share one. */
  storage?: string;
  htpasswd?: { username: string; password: string };
  token?: TokenServer;
  tls?: Certificate;
  /** URL of a registry this one is a pull-through cache of. */
  proxyOf?: string;
}

/** Starts one; resolves when it listens. */
export async function startDockerRegistry(options: DockerRegistryOptions = {}): Promise<DockerRegistry> {
  const folder = mkdtempSync(join(tmpdir(), 'docker-registry-'));
  const storage = options.storage ?? join(folder, 'storage');
  const configuration = {
    version: '0.1',
    log: { level: 'info', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: storage }, delete: { enabled: true } },
    http: {
      addr: '127.0.0.1:0',
      ...(options.tls && { tls: { certificate: options.tls.certFile, key: options.tls.keyFile } }),
    },
    ...(options.proxyOf && { proxy: { remoteurl: options.proxyOf } }),
    ...(await authOf(options, folder)),
  };
  const file = join(folder, 'config.yml');
  // JSON is YAML.
  writeFileSync(file, JSON.stringify(configuration));
  // To a file: a pipe that nobody empties (the benchmark runs its tools synchronously) stops the registry when it is full.
  const log = join(folder, 'log');
  const logFile = openSync(log, 'w');
  const child = spawn('docker-registry', ['serve', file], { stdio: ['ignore', 'ignore', logFile] });
  closeSync(logFile);
  const close = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill();
      await once(child, 'exit');
    }
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    // It chooses the port itself, so that no two tests meet.
    const [, address = ''] = await logged(child, log, /listening on (127\.0\.0\.1:\d+)/);
    return { address, storage, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function authOf(options: DockerRegistryOptions, folder: string): Promise<object> {
  if (options.htpasswd !== undefined) {
    const path = join(folder, 'htpasswd');
    const { username, password } = options.htpasswd;
    writeFileSync(path, await tool('htpasswd', '-Bbn', username, password));
    return { auth: { htpasswd: { realm: 'test', path } } };
  }
  if (options.token !== undefined) {
    const { realm, service, issuer, certFile } = options.token;
    return { auth: { token: { realm, service, issuer, rootcertbundle: certFile } } };
  }
  return {};
}
