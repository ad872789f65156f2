import { expect, test } from 'vitest';
import { OciError } from '../src/errors.ts';
import { redact } from '../src/redact.ts';

test.each([
  ['https://user:secret@example.com/v2/', 'https://***@example.com/v2/'],
  ['Authorization: Bearer eyJhbGciOiJSUzI1NiJ9.e30.abc', 'Authorization: Bearer ***'],
  ['Authorization: Basic dXNlcjpzZWNyZXQ=', 'Authorization: Basic ***'],
  [
    'https://s3.example/x?X-Amz-Signature=abc&X-Amz-Date=1',
    'https://s3.example/x?X-Amz-Signature=***&X-Amz-Date=1',
  ],
  ['https://blob.example/x?se=2026&sig=abc%3D&sv=1', 'https://blob.example/x?se=***&sig=***&sv=***'],
  ['{"access_token":"abc","expires_in":300}', '{"access_token":"***","expires_in":300}'],
  ['{"identitytoken": "abc"}', '{"identitytoken": "***"}'],
])('%s', (text, expected) => {
  expect(redact(text)).toBe(expected);
});

test('a challenge is no secret', () => {
  const challenge = 'Bearer realm="https://auth.docker.io/token",service="registry.docker.io"';
  expect(redact(challenge)).toBe(challenge);
});

test('messages and hints of errors pass through it', () => {
  const error = new OciError('NETWORK', 'GET https://a:b@c/', { hint: 'not https://a:b@c/' });
  expect([error.message, error.hint]).toEqual(['GET https://***@c/', 'not https://***@c/']);
});

test('text without end is cut before the patterns see it', () => {
  expect(redact('a'.repeat(1_000_000)).length).toBeLessThan(20_000);
});
