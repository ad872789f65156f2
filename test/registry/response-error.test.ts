import { describe, expect, it } from 'vitest';
import type { ErrorCode, OciError } from '../../src/errors.ts';
import type { HttpResponse } from '../../src/registry/http.ts';
import { explainBody, responseError } from '../../src/registry/response-error.ts';
import { corpusJson } from '../support/corpora.ts';

function answer(status: number, body: string, headers: Record<string, string> = {}): HttpResponse {
  const received: HttpResponse['body'] = {
    pour(sink) {
      sink.data(Buffer.from(body));
      sink.end();
    },
    pause() {},
    resume() {},
    destroy() {},
  };
  return { status, headers, body: received, url: new URL('https://registry.example.com/v2/') };
}

function errorOf(response: HttpResponse, kind: 'manifest' | 'blob' | 'tags' = 'manifest'): Promise<OciError> {
  return responseError(response, { what: 'example.com/app:1', registry: 'example.com', kind });
}

/** Status, headers and body of a response as it went over the wire. */
function parseRaw(raw: string): HttpResponse {
  const [head = '', ...rest] = raw.split('\r\n\r\n');
  const [statusLine = '', ...lines] = head.split('\r\n');
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]),
  );
  return answer(Number(statusLine.split(' ')[1]), rest.join('\r\n\r\n'), headers);
}

interface ResponseCase {
  id: string;
  response?: string;
  expect: { errorCode?: string | null; manifestUnknown?: boolean };
}

const cases = (corpusJson<{ cases: ResponseCase[] }>('auth/http-response-cases.json')?.cases ?? []).filter(
  ({ response }) => response !== undefined,
);

describe('captured answers', () => {
  it('Docker Hub says insufficient_scope of what does not exist or is private', async () => {
    const challenge = 'Bearer realm="r",scope="repository:library/nope:pull",error="insufficient_scope"';
    const error = await errorOf(answer(401, '', { 'www-authenticate': challenge }));
    expect(error).toMatchObject({
      code: 'UNAUTHORIZED',
      message: 'example.com/app:1: does not exist or is private',
      hint: expect.stringContaining('ocitool login example.com'),
    });
  });

  it.each(cases.map((entry) => [entry.id, entry] as const))(
    'corpus %s',
    async (_id, { response, expect: expected }) => {
      const error = await errorOf(parseRaw(response!));
      if (expected.errorCode === 'ErrorCodeDenied') {
        // Docker Hub's word for what does not exist or is private.
        expect(error.code).toBe('UNAUTHORIZED');
        expect(error.hint).toContain('ocitool login');
      } else {
        expect(error.code).toBe('IMAGE_NOT_FOUND');
      }
    },
  );
});

describe('a status', () => {
  it.each<[number, string, ErrorCode]>([
    [401, '', 'UNAUTHORIZED'],
    [403, '', 'DENIED'],
    [404, '', 'IMAGE_NOT_FOUND'],
    [400, '{"errors":[{"code":"MANIFEST_UNKNOWN"}]}', 'IMAGE_NOT_FOUND'],
    [429, '', 'RATE_LIMITED'],
    [400, '{"errors":[{"code":"TOOMANYREQUESTS"}]}', 'RATE_LIMITED'],
    [500, '', 'REGISTRY_ERROR'],
    [418, '', 'REGISTRY_ERROR'],
  ])('%i %s is %s', async (status, body, code) => {
    const error = await errorOf(answer(status, body));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(/^example\.com\/app:1: /);
  });

  it('404 of a blob is BLOB_NOT_FOUND', async () => {
    expect((await errorOf(answer(404, ''), 'blob')).code).toBe('BLOB_NOT_FOUND');
  });

  it('400 of a server that speaks HTTPS says so', async () => {
    const error = await errorOf(answer(400, 'Client sent an HTTP request to an HTTPS server.\n'));
    expect(error).toMatchObject({ code: 'TLS', hint: expect.stringContaining('--plain-http') });
  });
});

describe('explainBody', () => {
  it.each([
    ['{"errors":[{"code":"denied","message":"no"}]}', { code: 'DENIED', message: 'no' }],
    ['{"errors":["plain words"]}', { code: undefined, message: 'plain words' }],
    ['{"message":"m"}', { code: undefined, message: 'm' }],
    [
      '{"details":"incorrect username or password"}',
      { code: undefined, message: 'incorrect username or password' },
    ],
    ['{"error":"invalid_grant","error_description":"expired"}', { code: undefined, message: 'expired' }],
    ['{"error":{"code":"X","message":"y"}}', { code: 'X', message: 'y' }],
    ['{"errors":[]}', { code: undefined, message: undefined }],
    ['{"errors":[null]}', { code: undefined, message: undefined }],
    ['{"errors":[{"code":5,"message":{}}]}', { code: undefined, message: undefined }],
    ['Not found\r\n', { code: undefined, message: 'Not found' }],
    ['<html><body>502</body></html>', { code: undefined, message: undefined }],
    ['', { code: undefined, message: undefined }],
    ['[1,2]', { code: undefined, message: '[1,2]' }],
  ])('%s', (body, expected) => {
    expect(explainBody(body)).toEqual(expected);
  });

  it('takes terminal escapes and length out of a server’s words', () => {
    const { message } = explainBody(JSON.stringify({ message: `a\u001b[31mred\nline${'x'.repeat(1000)}` }));
    expect(message).toMatch(/^a \[31mred line/);
    expect(message).toHaveLength(200);
  });

  it('never shows a secret', async () => {
    const body = '{"message":"bad token at https://s3/x?X-Amz-Signature=abcdef0123456789"}';
    expect((await errorOf(answer(500, body))).message).not.toContain('abcdef0123456789');
  });
});
