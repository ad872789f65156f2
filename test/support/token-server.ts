// A token server as the distribution spec has it: GET with Basic, OAuth2 POST with a refresh token, tokens signed so that
// docker-registry believes them.
import { createPrivateKey, randomUUID, sign, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { createAuthority } from './certificates.ts';

/** One request for a token. */
export interface TokenAsked {
  method: string;
  /** Query of a GET, form of a POST. */
  params: URLSearchParams;
  authorization: string | undefined;
}

export interface TokenServer {
  /** URL for a challenge's realm. */
  realm: string;
  service: string;
  issuer: string;
  /** The certificate docker-registry trusts. */
  certFile: string;
  asked: TokenAsked[];
  close(): Promise<void>;
}

export interface TokenServerOptions {
  username: string;
  password: string;
  /** What OAuth2 POST takes; without it POST is answered 404, as GCR does. */
  refreshToken?: string;
  /** Repositories anybody may pull. */
  publicRepositories?: readonly string[];
  /** Seconds; default 300. */
  expiresIn?: number;
}

/** Starts one on loopback. */
export async function startTokenServer(options: TokenServerOptions): Promise<TokenServer> {
  const authority = await createAuthority();
  const key = createPrivateKey(readFileSync(authority.keyFile));
  const chain = [new X509Certificate(authority.pem).raw.toString('base64')];
  const asked: TokenAsked[] = [];
  const service = 'test-registry';
  const issuer = 'test-issuer';

  function token(scopes: readonly string[], known: boolean): string {
    const now = Math.floor(Date.now() / 1000);
    const access = scopes.flatMap((scope) => {
      const [type, name, actions = ''] = scope.split(':');
      if (known) return [{ type, name, actions: actions.split(',') }];
      return options.publicRepositories?.includes(name ?? '') ? [{ type, name, actions: ['pull'] }] : [];
    });
    const claims = {
      iss: issuer,
      sub: known ? options.username : '',
      aud: service,
      exp: now + (options.expiresIn ?? 300),
      nbf: now - 10,
      iat: now,
      jti: randomUUID(),
      access,
    };
    const signed = [{ typ: 'JWT', alg: 'ES256', x5c: chain }, claims]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.');
    const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' });
    return `${signed}.${signature.toString('base64url')}`;
  }

  const basic = `Basic ${Buffer.from(`${options.username}:${options.password}`).toString('base64')}`;

  async function answer(request: IncomingMessage): Promise<[status: number, body: object]> {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const isPost = request.method === 'POST';
    const params = isPost ? new URLSearchParams(await text(request)) : url.searchParams;
    const { authorization } = request.headers;
    asked.push({ method: request.method ?? '', params, authorization });
    const refused = { errors: [{ code: 'UNAUTHORIZED', message: 'wrong user name or password' }] };
    if (isPost) {
      if (options.refreshToken === undefined) return [404, {}];
      if (params.get('refresh_token') !== options.refreshToken) return [401, refused];
      return [
        200,
        { access_token: token((params.get('scope') ?? '').split(' '), true), expires_in: options.expiresIn },
      ];
    }
    if (authorization !== undefined && authorization !== basic) return [401, refused];
    return [
      200,
      { token: token(params.getAll('scope'), authorization !== undefined), expires_in: options.expiresIn },
    ];
  }

  const server = createServer((request, response) => {
    answer(request).then(
      ([status, body]) => {
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      },
      // Who asked has left.
      () => response.destroy(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    realm: `http://127.0.0.1:${port}/token`,
    service,
    issuer,
    certFile: authority.certFile,
    asked,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      authority.remove();
    },
  };
}
