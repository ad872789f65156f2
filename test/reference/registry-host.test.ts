import { expect, it } from 'vitest';
import { apiHost, isLoopbackRegistry, parseRegistry } from '../../src/reference/registry-host.ts';

it('knows where Docker Hub answers', () => {
  expect(apiHost('docker.io')).toBe('registry-1.docker.io');
  expect(apiHost('localhost:5000')).toBe('localhost:5000');
});

it.each([
  ['localhost', true],
  ['localhost:5000', true],
  ['127.0.0.1', true],
  ['127.9.9.9:80', true],
  ['[::1]', true],
  ['[::1]:5000', true],
  ['my127.0.0.1registry.io', false],
  ['127.0.0.1.example.com', false],
  ['localhost.example.com', false],
  ['[::2]:5000', false],
  ['10.0.0.1', false],
])('%s is this machine: %s', (registry, expected) => {
  expect(isLoopbackRegistry(registry)).toBe(expected);
});

it('takes a registry by itself', () => {
  expect(parseRegistry('index.docker.io')).toBe('docker.io');
  expect(parseRegistry('ghcr.io:443')).toBe('ghcr.io:443');
  for (const text of ['', 'https://ghcr.io', 'ghcr.io/a', 'a b', 'host:port', 'host:99999']) {
    expect(() => parseRegistry(text), text).toThrow(/not a registry/);
  }
});
