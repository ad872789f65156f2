import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../src/manifest/config.ts';
import type { ImageManifest } from '../../src/manifest/document.ts';
import { cleanInstruction, layerHistory } from '../../src/manifest/history.ts';
import { digestOf } from '../../src/reference/digest.ts';

describe('cleanInstruction', () => {
  test.each([
    ['/bin/sh -c #(nop)  CMD ["/bin/sh"]', 'CMD ["/bin/sh"]'],
    ['/bin/sh -c #(nop) ADD file:abc in / ', 'ADD file:abc in /'],
    ['/bin/sh -c apk add --no-cache         ca-certificates', 'RUN apk add --no-cache ca-certificates'],
    ['RUN /bin/sh -c apt-get update # buildkit', 'RUN apt-get update'],
    ['COPY . /app # buildkit', 'COPY . /app'],
    ['|1 VERSION=2 /bin/sh -c make install', 'RUN make install'],
    ['RUN |2 VERSION=2 NAME=a b /bin/sh -c make install # buildkit', 'RUN make install'],
    ['RUN /bin/bash -o pipefail -c curl | sh # buildkit', 'RUN curl | sh'],
    ['RUN echo /bin/sh -c x', 'RUN echo /bin/sh -c x'],
    ['exec /bin/sh -c x', 'exec /bin/sh -c x'],
    ['cmd /S /C #(nop)  CMD ["cmd"]', 'CMD ["cmd"]'],
    ['/bin/sh -c #(nop)', ''],
    ['RUN', 'RUN'],
    ['bazel build ...', 'bazel build ...'],
  ])('%s', (createdBy, expected) => {
    expect(cleanInstruction(createdBy)).toBe(expected);
  });
});

const layer = (text: string) => ({
  mediaType: 'application/vnd.oci.image.layer.v1.tar',
  digest: digestOf(text),
  size: 1,
});
const manifest: ImageManifest = {
  schemaVersion: 2,
  config: layer('config'),
  layers: [layer('a'), layer('b')],
};
const config = (history: object[]) =>
  parseConfig(
    Buffer.from(
      JSON.stringify({
        os: 'linux',
        architecture: 'amd64',
        rootfs: { type: 'layers', diff_ids: [digestOf('a'), digestOf('b')] },
        history,
      }),
    ),
  );

test('empty steps belong to no layer', () => {
  const history = [
    { created_by: 'COPY a /' },
    { created_by: 'ENV A=1', empty_layer: true },
    { created_by: 'COPY b /' },
  ];
  expect(layerHistory(manifest, config(history)).map(({ instruction }) => instruction)).toEqual([
    'COPY a /',
    'COPY b /',
  ]);
});

test('a history that does not fit the layers says nothing rather than something wrong', () => {
  expect(layerHistory(manifest, config([{ created_by: 'COPY a /' }]))).toEqual([
    { instruction: undefined, created: undefined },
    { instruction: undefined, created: undefined },
  ]);
});
