import { readFileSync } from 'node:fs';
import { Flags } from '@oclif/core';
import { OciCommand, type Session } from '../cli/command.ts';
import { durationFlag } from '../cli/duration-flag.ts';
import type { Client } from '../client/client.ts';
import { fileError, OciError } from '../errors.ts';
import { isLoopbackRegistry } from '../reference/registry-host.ts';
import { type ServeOptions, serveStore } from '../serve/serve.ts';
import type { Upstream } from '../serve/upstream.ts';

/** How long transfers may go on after the first Ctrl-C, ms. */
const STOP = 30_000;

export default class Serve extends OciCommand<typeof Serve> {
  static override usage = 'serve [FLAGS]';
  static override summary = 'Serve the store as an OCI registry';
  static override description =
    'On the loopback interface unless --host says otherwise; others may push only with --htpasswd. docker.io/library/alpine:3.20 in the store is served as library/alpine:3.20, and what is pushed as library/alpine:3.20 gets that name. Prints its address on stderr when it is ready. With --proxy it passes another registry on: what the store lacks is fetched there, once, and kept; a tag is asked about with a HEAD, and answered from the store when that registry is down. Ctrl-C finishes the transfers under way, a second one ends them.';
  static override examples = [
    '<%= config.bin %> serve --port 5000',
    'skopeo copy --src-tls-verify=false docker://127.0.0.1:5000/library/alpine:3.20 dir:alpine',
    '<%= config.bin %> serve --proxy docker.io',
    '<%= config.bin %> serve --host 0.0.0.0 --htpasswd users --tls-cert cert.pem --tls-key key.pem',
  ];
  static override flags = {
    port: Flags.integer({
      min: 0,
      max: 65_535,
      default: 5000,
      helpValue: 'PORT',
      summary: 'Where to listen; 0 takes any free port',
    }),
    host: Flags.string({ default: '127.0.0.1', helpValue: 'ADDRESS', summary: 'The address to listen on' }),
    'read-only': Flags.boolean({ summary: 'Refuse pushes and deletions' }),
    proxy: Flags.string({
      helpValue: 'REGISTRY',
      summary: 'Fetch from this registry what the store lacks; refuses pushes',
    }),
    htpasswd: Flags.file({
      helpValue: 'FILE',
      summary: 'Ask for a name and password of this file (htpasswd -B)',
    }),
    'tls-cert': Flags.file({
      helpValue: 'FILE',
      dependsOn: ['tls-key'],
      summary: 'Speak TLS, with this certificate and its chain (PEM)',
    }),
    'tls-key': Flags.file({ helpValue: 'FILE', dependsOn: ['tls-cert'], summary: 'Its key (PEM)' }),
    'stop-after': durationFlag({ summary: 'Cut transfers off this long after Ctrl-C. Default: 30s' }),
  };

  protected async execute({ flags, client, signal, note }: Session<typeof Serve>): Promise<void> {
    const { host, port, htpasswd } = flags;
    const readOnly = flags['read-only'] || flags.proxy !== undefined;
    const isOpen = htpasswd === undefined && !isLoopback(host);
    if (!readOnly && isOpen) {
      throw new OciError('USAGE', `--host ${host}: anybody who reaches it could push`, {
        hint: 'add --htpasswd FILE, or --read-only',
      });
    }
    const authorize = htpasswd === undefined ? undefined : await checkOf(htpasswd);
    const tls = tlsOf(flags['tls-cert'], flags['tls-key']);
    const upstream = flags.proxy === undefined ? undefined : await openUpstream(client, flags, isOpen);
    if (upstream !== undefined && isOpen) {
      note(
        `anybody may use this, so ${upstream.registry} is asked without credentials; --htpasswd uses them`,
      );
    }
    const server = await serveStore(await client.store(), { host, port, readOnly, tls, authorize, upstream });
    try {
      if (upstream?.registry === new URL(server.url).host) {
        throw new OciError('USAGE', `--proxy ${upstream.registry}: that is this server itself`);
      }
      process.stderr.write(`listening on ${server.url}\n`);
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      if (server.busy() > 0) note('finishing what is under way; Ctrl-C again ends it');
      await server.stop(flags['stop-after'] ?? STOP);
    } finally {
      await server.close();
      await upstream?.close();
    }
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

/** The registry of --proxy. */
async function openUpstream(
  client: Client,
  flags: { proxy?: string | undefined; 'plain-http'?: boolean; cert?: string | undefined },
  anonymous: boolean,
): Promise<Upstream> {
  if (anonymous && flags.cert !== undefined) {
    throw new OciError('USAGE', '--cert: anybody who reaches this server would pull with it', {
      hint: 'add --htpasswd FILE',
    });
  }
  const { pullThrough } = await import('../client/pull-through.ts');
  const upstream = await pullThrough(client, flags.proxy ?? '', { anonymous });
  const isPlain = /^http:/i.test(flags.proxy ?? '') && !isLoopbackRegistry(upstream.registry);
  if (isPlain && flags['plain-http'] !== true) {
    throw new OciError('USAGE', `--proxy ${flags.proxy}: plain HTTP`, {
      hint: 'use --plain-http if that host really has no HTTPS',
    });
  }
  // What is wrong with the configuration, or blocked by it, is told now and not to the first client.
  await client.repository({ registry: upstream.registry, repository: 'library/any' });
  return upstream;
}

/** Loaded only when asked for: bcrypt is a package of its own. */
async function checkOf(file: string): Promise<ServeOptions['authorize']> {
  const { readHtpasswd } = await import('../serve/htpasswd.ts');
  return readHtpasswd(file);
}

function tlsOf(cert: string | undefined, key: string | undefined): ServeOptions['tls'] {
  return cert === undefined || key === undefined ? undefined : { cert: read(cert), key: read(key) };
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw fileError(error, file);
  }
}
