// Statements as BuildKit, GitHub and SBOM scanners write them, and as nobody should.
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { decodeStatement } from '../../src/manifest/attestation.ts';
import { digestOf } from '../../src/reference/digest.ts';

const image = digestOf('the image');
const subject = [{ name: 'pkg:docker/app@1', digest: { sha256: image.slice('sha256:'.length) } }];

function decode(predicateType: string, predicate: unknown, more: object = { subject }) {
  const statement = { _type: 'https://in-toto.io/Statement/v0.1', predicateType, predicate, ...more };
  return decodeStatement(Buffer.from(JSON.stringify(statement)), image);
}

describe('an SBOM', () => {
  it('in SPDX: its packages, files and what made it', () => {
    const creationInfo = { creators: ['Organization: Anchore', 'Tool: syft-1.2', 'Tool: buildkit-v0.12'] };
    const packages = [{ name: 'a' }, { name: 'b' }];
    const spdx = { spdxVersion: 'SPDX-2.3', creationInfo, packages, files: [{}, {}, {}] };
    expect(decode('https://spdx.dev/Document', spdx)).toEqual({
      predicateType: 'https://spdx.dev/Document',
      matches: true,
      sbom: {
        format: 'SPDX',
        version: 'SPDX-2.3',
        packages: 2,
        files: 3,
        tools: ['syft-1.2', 'buildkit-v0.12'],
      },
    });
  });
  it.each([
    ['1.4', [{ vendor: 'x', name: 'trivy' }]],
    ['1.5', { components: [{ type: 'application', name: 'trivy' }] }],
  ])('in CycloneDX %s: its components, with those inside others', (specVersion, tools) => {
    const components = [
      { name: 'a', components: [{ name: 'b', components: [{ name: 'c' }] }] },
      { name: 'd' },
    ];
    const bom = { specVersion, metadata: { tools }, components };
    expect(decode('https://cyclonedx.org/bom', bom)?.sbom).toEqual({
      format: 'CycloneDX',
      version: specVersion,
      packages: 4,
      tools: ['trivy'],
    });
  });
});

describe('provenance', () => {
  const materials = [{ uri: 'pkg:docker/alpine@3.17' }, { uri: 'https://github.com/org/app.git' }];

  it('of BuildKit in SLSA 0.2, from a repository', () => {
    const predicate = {
      builder: { id: 'https://github.com/org/app/actions/runs/1' },
      buildType: 'https://mobyproject.org/buildkit@v1',
      materials,
      invocation: {
        configSource: {
          uri: 'https://me:secret@github.com/org/app.git#refs/tags/v1',
          digest: { sha1: '4b220de5' },
          entryPoint: 'Dockerfile',
        },
      },
      metadata: { buildStartedOn: '2024-01-01T00:00:00Z', buildFinishedOn: '2024-01-01T00:01:00Z' },
    };
    expect(decode('https://slsa.dev/provenance/v0.2', predicate)?.provenance).toEqual({
      slsa: '0.2',
      builder: 'https://github.com/org/app/actions/runs/1',
      buildType: 'https://mobyproject.org/buildkit@v1',
      source: 'https://***@github.com/org/app.git#refs/tags/v1',
      revision: '4b220de5',
      entryPoint: 'Dockerfile',
      materials: 2,
      started: '2024-01-01T00:00:00Z',
      finished: '2024-01-01T00:01:00Z',
    });
  });
  it('of BuildKit in SLSA 0.2, from a local directory', () => {
    const vcs = { source: 'https://github.com/org/app', revision: 'abc' };
    const predicate = {
      builder: { id: '' },
      invocation: { configSource: { entryPoint: 'Dockerfile' } },
      metadata: { 'https://mobyproject.org/buildkit@v1#metadata': { vcs } },
    };
    expect(decode('https://slsa.dev/provenance/v0.2', predicate)?.provenance).toEqual({
      slsa: '0.2',
      ...vcs,
      entryPoint: 'Dockerfile',
      materials: 0,
    });
  });
  it('of BuildKit in SLSA 1', () => {
    const predicate = {
      buildDefinition: {
        buildType: 'https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md',
        externalParameters: { configSource: { path: 'Dockerfile' } },
        resolvedDependencies: materials,
      },
      runDetails: {
        builder: { id: 'https://example.com/build/7' },
        metadata: {
          startedOn: '2024-01-01T00:00:00Z',
          finishedOn: '2024-01-01T00:01:00Z',
          buildkit_metadata: { vcs: { source: 'https://github.com/org/app', revision: 'abc' } },
        },
      },
    };
    expect(decode('https://slsa.dev/provenance/v1', predicate)?.provenance).toMatchObject({
      slsa: '1',
      builder: 'https://example.com/build/7',
      source: 'https://github.com/org/app',
      revision: 'abc',
      entryPoint: 'Dockerfile',
      materials: 2,
      finished: '2024-01-01T00:01:00Z',
    });
  });
  it('of GitHub’s own attestations', () => {
    const workflow = { repository: 'https://github.com/org/app', path: '.github/workflows/build.yml' };
    const predicate = {
      buildDefinition: {
        externalParameters: { workflow },
        resolvedDependencies: [{ uri: 'git+https://github.com/org/app', digest: { gitCommit: 'abc' } }],
      },
    };
    expect(decode('https://slsa.dev/provenance/v1', predicate)?.provenance).toEqual({
      slsa: '1',
      source: workflow.repository,
      revision: 'abc',
      entryPoint: workflow.path,
      materials: 1,
    });
  });
});

test('a statement of another image is told from one of nothing', () => {
  const other = [{ name: 'x', digest: { sha256: 'f'.repeat(64) } }];
  expect(decode('https://example.com/x', {}, { subject: other })?.matches).toBe(false);
  expect(decode('https://example.com/x', {}, { subject: null })).not.toHaveProperty('matches');
});

describe('what is hostile', () => {
  it.each(['', 'not JSON', '[]', 'null', '{}', '{"predicateType":7}'])('%j is no statement', (text) => {
    expect(decodeStatement(Buffer.from(text), image)).toBeUndefined();
  });
  it('components within components without end are counted', () => {
    const depth = 100_000;
    const text = `{"predicateType":"https://cyclonedx.org/bom","predicate":{"components":${'[{"components":'.repeat(depth)}[]${'}]'.repeat(depth)}}}`;
    expect(decodeStatement(Buffer.from(text), image)?.sbom?.packages).toBe(depth);
  });
  it('a text without end is cut', () => {
    const long = 'x'.repeat(1_000_000);
    const { provenance } = decode('https://slsa.dev/provenance/v0.2', { builder: { id: long } })!;
    expect(provenance?.builder).toHaveLength(1000);
  });
  it('any JSON in any place is survived', () => {
    const types = [
      'https://spdx.dev/Document',
      'https://cyclonedx.org/bom',
      'https://slsa.dev/provenance/v0.2',
    ];
    fc.assert(
      fc.property(
        fc.constantFrom(...types, 'https://slsa.dev/provenance/v1'),
        fc.jsonValue(),
        fc.jsonValue(),
        (type, predicate, about) => {
          expect(decode(type, predicate, { subject: about })?.predicateType).toBe(type);
        },
      ),
    );
  });
});
