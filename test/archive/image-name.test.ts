// IMAGE on the command line.
import { expect, it } from 'vitest';
import { parseImageSource } from '../../src/archive/image-name.ts';
import { parseReference } from '../../src/reference/reference.ts';

const digest = `sha256:${'a'.repeat(64)}`;

it.each([
  ['alpine', 'alpine'],
  ['localhost:5000/a/b', 'localhost:5000/a/b'],
  // Images of Docker Hub, though they begin like transports.
  ['docker:dind', 'docker:dind'],
  ['oci/image:1', 'oci/image:1'],
])('%s is an image of the store or a registry', (text, name) => {
  expect(parseImageSource(text)).toEqual({ transport: 'store-or-registry', reference: parseReference(name) });
});

it('docker://NAME is a registry', () => {
  expect(parseImageSource('docker://alpine:3')).toEqual({
    transport: 'docker',
    reference: parseReference('alpine:3'),
  });
});

it.each([
  ['oci:dir', 'oci', 'dir', {}],
  ['oci:/a/b:3.20', 'oci', '/a/b', { tag: '3.20' }],
  ['oci:/a/b:', 'oci', '/a/b', {}],
  ['oci:store:docker.io/library/alpine:3.20', 'oci', 'store', { tag: 'docker.io/library/alpine:3.20' }],
  ['oci:store:localhost:5000/a:1', 'oci', 'store', { tag: 'localhost:5000/a:1' }],
  [`oci:dir@${digest}`, 'oci', 'dir', { digest }],
  [`oci-archive:a.tar:1@${digest}`, 'oci-archive', 'a.tar', { tag: '1', digest }],
  ['oci:user@host', 'oci', 'user@host', {}],
  ['docker-archive:a.tar', 'docker-archive', 'a.tar', {}],
  ['docker-archive:./a.tar:alpine:3', 'docker-archive', './a.tar', { tag: 'alpine:3' }],
])('%s is a file', (text, transport, path, selector) => {
  expect(parseImageSource(text)).toEqual({ transport, path, selector });
});

it.each([
  ['oci:', 'USAGE'],
  ['docker-archive::tag', 'USAGE'],
  ['oci:dir@sha256:abc', 'INVALID_DIGEST'],
  ['docker://', 'INVALID_REFERENCE'],
  ['Not A Name', 'INVALID_REFERENCE'],
])('%j is refused', (text, code) => {
  expect(() => parseImageSource(text)).toThrow(expect.objectContaining({ code }));
});
