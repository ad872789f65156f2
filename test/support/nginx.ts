// nginx in front of a registry: one that sends blobs to another origin, as cloud registries send them to their storage,
// and one that adds TLS and Basic authentication.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Certificate } from './certificates.ts';
import { tool } from './tools.ts';

export interface RedirectingNginx {
  /** Where clients find the registry. */
  address: string;
  /** Where blobs are redirected to. */
  storageAddress: string;
  /** What the storage was asked: one line a request, `METHOD URI AUTHORIZATION RANGE`, `-` for no header. */
  storageLog(): string[];
  close(): Promise<void>;
}

/** `registry` answers everything but blobs; blobs are redirected to a server that gets them from `storage`. */
export async function startRedirectingNginx(registry: string, storage: string): Promise<RedirectingNginx> {
  const folder = mkdtempSync(join(tmpdir(), 'nginx-'));
  const [front, back] = [await freePort(), await freePort()];
  const log = join(folder, 'storage.log');
  const configuration = `
    daemon off; pid ${folder}/pid; error_log stderr notice; worker_processes 1;
    events { worker_connections 64; }
    http {
      client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fastcgi;
      uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
      log_format asked '$request_method $request_uri $http_authorization $http_range';
      proxy_set_header Host $http_host; proxy_http_version 1.1; client_max_body_size 0;
      server {
        listen 127.0.0.1:${front}; access_log off;
        location ~ ^/v2/.+/blobs/sha256: {
          limit_except GET { proxy_pass http://${registry}; }
          return 307 http://127.0.0.1:${back}$uri?X-Signature=fresh;
        }
        location / { proxy_pass http://${registry}; }
      }
      server {
        listen 127.0.0.1:${back}; access_log ${log} asked;
        location / { proxy_pass http://${storage}; }
      }
    }`;
  writeFileSync(log, '');
  const close = await startNginx(folder, configuration);
  return {
    address: `127.0.0.1:${front}`,
    storageAddress: `127.0.0.1:${back}`,
    storageLog: () => readFileSync(log, 'utf8').trim().split('\n'),
    close,
  };
}

export interface TlsNginx {
  /** Where clients find the registry, by TLS. */
  address: string;
  /** `METHOD URI STATUS`, one line a request. */
  log(): string[];
  close(): Promise<void>;
}

/** TLS and Basic authentication in front of a registry that has neither, as many set it up at home. */
export async function startTlsNginx(
  registry: string,
  options: { certificate: Certificate; username: string; password: string; maxBody?: string },
): Promise<TlsNginx> {
  const folder = mkdtempSync(join(tmpdir(), 'nginx-'));
  const port = await freePort();
  const log = join(folder, 'access.log');
  const users = join(folder, 'htpasswd');
  writeFileSync(users, await tool('htpasswd', '-Bbn', options.username, options.password));
  // nginx's workers are another user than root, and read this for each request.
  chmodSync(folder, 0o755);
  const { certFile, keyFile } = options.certificate;
  const configuration = `
    daemon off; pid ${folder}/pid; error_log stderr notice; worker_processes 1;
    events { worker_connections 64; }
    http {
      client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fastcgi;
      uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
      log_format asked '$request_method $request_uri $status';
      server {
        listen 127.0.0.1:${port} ssl; access_log ${log} asked;
        ssl_certificate ${certFile}; ssl_certificate_key ${keyFile};
        client_max_body_size ${options.maxBody ?? '0'};
        auth_basic registry; auth_basic_user_file ${users};
        proxy_set_header Host $http_host; proxy_set_header Authorization ''; proxy_http_version 1.1;
        location / { proxy_pass http://${registry}; }
      }
    }`;
  writeFileSync(log, '');
  const close = await startNginx(folder, configuration);
  return {
    address: `127.0.0.1:${port}`,
    log: () => readFileSync(log, 'utf8').trim().split('\n'),
    close,
  };
}

/** Starts nginx with files in `folder`; what is given back stops it and removes the folder. */
async function startNginx(folder: string, configuration: string): Promise<() => Promise<void>> {
  const file = join(folder, 'nginx.conf');
  writeFileSync(file, configuration);
  const child = spawn('nginx', ['-p', folder, '-e', 'stderr', '-c', file], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, PATH: `${process.env.PATH}${delimiter}/usr/sbin` },
  });
  const close = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await new Promise<void>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (status) => reject(new Error(`nginx ended with ${status}`)));
      createInterface({ input: child.stderr }).on('line', (line) => {
        if (line.includes('start worker process ')) resolve();
      });
    });
  } catch (error) {
    await close();
    throw error;
  }
  return close;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
