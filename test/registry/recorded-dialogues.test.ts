// Captured traffic, replayed.
import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { readVerified } from '../../src/place/verify.ts';
import type { Digest } from '../../src/reference/digest.ts';
import { parseReference } from '../../src/reference/reference.ts';
import { createAuth } from '../../src/registry/authorizer.ts';
import { discard } from '../../src/registry/body.ts';
import { corpusJson } from '../support/corpora.ts';
import { anonymous, authorized, MANIFEST_TYPE, setUpDialogues } from '../support/dialogue.ts';

const dialogue = setUpDialogues();

interface Exchange {
  request: { method: string; url: string; body?: string };
  response: { status: number; headers: Record<string, string>; body?: string };
}

const dialogues = corpusJson<{ dialogues: Record<string, { exchanges: Exchange[] }> }>(
  'auth/dialogues.json',
)?.dialogues;

describe.skipIf(dialogues === undefined)('recorded dialogues', () => {
  it('Docker Hub: alpine as docker pulled it in 2020', async () => {
    const [ping, token, list, child, blob, cdn] = dialogues!['dockerhub-alpine-20200820']!.exchanges;
    const hub = 'https://registry-1.docker.io';
    const at = ({ request }: Exchange): string => new URL(request.url).pathname + new URL(request.url).search;
    // docker asks /v2/ first; the challenge it gets there, without a scope, is what our first request gets.
    anonymous(hub).get(at(list!)).reply(401, ping!.response.body, ping!.response.headers);
    anonymous('https://auth.docker.io')
      .get('/token')
      .query(Object.fromEntries(new URL(token!.request.url).searchParams))
      .reply(200, token!.response.body?.replaceAll('{TOKEN}', 'recorded'), token!.response.headers);
    for (const exchange of [list!, child!]) {
      authorized(hub, 'Bearer recorded')
        .get(at(exchange))
        .reply(200, exchange.response.body, exchange.response.headers);
    }
    const alpine = dialogue.repository('alpine');
    const index = await alpine.resolve(parseReference('alpine:latest'));
    expect(index).toEqual({
      mediaType: list!.response.headers['Content-Type'],
      digest: list!.response.headers['Docker-Content-Digest'],
      size: 1638,
    });
    const digest = child!.response.headers['Docker-Content-Digest'] as Digest;
    const amd64 = { mediaType: MANIFEST_TYPE, digest, size: 528 };
    const document = JSON.parse((await readVerified(await alpine.fetch(amd64), amd64)).toString());

    const signed = (text: string): string => text.replace('{SIGNED}', 'signed');
    const location = signed(blob!.response.headers.Location!);
    authorized(hub, 'Bearer recorded')
      .get(at(blob!))
      .reply(307, '', { ...blob!.response.headers, Location: location });
    anonymous('https://production.cloudflare.docker.com')
      .get(signed(decodeURIComponent(at(cdn!))))
      .reply(200, Buffer.alloc(1509), cdn!.response.headers);
    const config = { ...document.config, digest: document.config.digest as Digest };
    expect(await buffer(await alpine.fetch(config))).toHaveLength(1509);
  });

  it('ACR: the Azure SDK’s exchange of a refresh token', async () => {
    const exchanges = dialogues!['acr-recorded-20210611']!.exchanges;
    const [challenge, , token, answer] = exchanges as [Exchange, Exchange, Exchange, Exchange];
    const acr = 'https://myregistry.azurecr.io';
    const path = new URL(challenge.request.url).pathname;
    const filled = (text = ''): string => text.replaceAll(/\{([A-Z_]+)\}/g, '$1');
    // Its authors shortened the body, not its length.
    const { 'Content-Length': _length, ...headers } = challenge.response.headers;
    anonymous(acr).get(path).reply(401, challenge.response.body, headers);
    const form = Object.fromEntries(new URLSearchParams(filled(token.request.body)));
    anonymous(acr)
      .post('/oauth2/token', { ...form, client_id: 'ocitool' })
      .reply(200, filled(token.response.body), token.response.headers);
    authorized(acr, 'Bearer TOKEN').get(path).reply(200, '{}', { Link: answer.response.headers.Link! });
    const auth = createAuth(dialogue.transport, {
      registry: 'myregistry.azurecr.io',
      credentials: async () => ({ type: 'refresh', refreshToken: 'REFRESH_TOKEN' }),
    });
    const response = await dialogue.transport.request({
      method: 'GET',
      url: challenge.request.url,
      what: 'recorded',
      authorizer: auth.for(['repository:library/hello-world:metadata_read']),
    });
    expect(response.status).toBe(200);
    await discard(response);
  });
});
