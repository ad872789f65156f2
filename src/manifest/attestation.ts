// What the statements attached to an image say in a few words: SBOMs (SPDX, CycloneDX) and where it was built from (SLSA
// provenance 0.2 and 1, as BuildKit and others write them). They are claims of whoever pushed the image, and hostile JSON.
import { isRecord, parseJson } from '../json.ts';
import { redact } from '../redact.ts';
import { type Digest, hexOf } from '../reference/digest.ts';

/** Set by BuildKit on the layers of an attestation manifest. */
export const PREDICATE_TYPE = 'in-toto.io/predicate-type';

/** What one in-toto statement says. */
export interface Statement {
  predicateType: string;
  /** Whether it is about the image it hangs on; undefined when it names nothing. */
  matches?: boolean;
  sbom?: Sbom;
  provenance?: Provenance;
}

export interface Sbom {
  format: 'SPDX' | 'CycloneDX';
  version?: string;
  /** Packages of SPDX, components of CycloneDX with those inside others. */
  packages: number;
  /** SPDX only. */
  files?: number;
  /** What made it. */
  tools: string[];
}

export interface Provenance {
  slsa: '0.2' | '1';
  /** The URL of the build, or of the builder. */
  builder?: string;
  buildType?: string;
  /** Where the source came from, and at which revision. */
  source?: string;
  revision?: string;
  /** The Dockerfile or workflow. */
  entryPoint?: string;
  /** Images, repositories and files that went in. */
  materials: number;
  started?: string;
  finished?: string;
}

/** Characters of a text kept. */
const MAX_TEXT = 1000;
const MAX_TOOLS = 20;

/** What the statement in `bytes` says about `image`; undefined when it is no statement. */
export function decodeStatement(bytes: Buffer, image: Digest): Statement | undefined {
  const json = parseJson(bytes.toString('utf8'));
  if (!isRecord(json)) return undefined;
  const predicateType = asText(json.predicateType);
  if (predicateType === undefined) return undefined;
  const predicate = record(json.predicate);
  return given({
    predicateType,
    matches: aboutImage(json.subject, image),
    sbom: sbomOf(predicateType, predicate),
    provenance: provenanceOf(predicateType, predicate),
  });
}

function aboutImage(subject: unknown, image: Digest): boolean | undefined {
  const digests = list(subject).flatMap((one) => Object.values(record(record(one).digest)));
  return digests.length === 0 ? undefined : digests.includes(hexOf(image));
}

function sbomOf(type: string, predicate: Fields): Sbom | undefined {
  if (type.startsWith('https://spdx.dev/')) {
    const creators = list(record(predicate.creationInfo).creators).map(asText);
    return given({
      format: 'SPDX' as const,
      version: asText(predicate.spdxVersion),
      packages: list(predicate.packages).length,
      files: list(predicate.files).length,
      tools: toolsOf(creators.map((creator) => /^Tool: (.+)$/.exec(creator ?? '')?.[1])),
    });
  }
  if (type.startsWith('https://cyclonedx.org/')) {
    // CycloneDX 1.4 lists tools, 1.5 puts them into components.
    const { tools } = record(predicate.metadata);
    const names = [...list(tools), ...list(record(tools).components)].map((tool) =>
      asText(record(tool).name),
    );
    return given({
      format: 'CycloneDX' as const,
      version: asText(predicate.specVersion),
      packages: countComponents(predicate.components),
      tools: toolsOf(names),
    });
  }
  return undefined;
}

/** Not by recursion: how deep they go is up to whoever wrote them. */
function countComponents(components: unknown): number {
  let count = 0;
  const waiting = [...list(components)];
  for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
    count += 1;
    for (const inner of list(record(one).components)) waiting.push(inner);
  }
  return count;
}

function provenanceOf(type: string, predicate: Fields): Provenance | undefined {
  if (type === 'https://slsa.dev/provenance/v0.2') {
    const invocation = record(predicate.invocation);
    const metadata = record(predicate.metadata);
    const vcs = record(record(metadata['https://mobyproject.org/buildkit@v1#metadata']).vcs);
    const configSource = record(invocation.configSource);
    return given({
      slsa: '0.2' as const,
      builder: asText(record(predicate.builder).id),
      buildType: asText(predicate.buildType),
      ...sourceOf(configSource, vcs),
      entryPoint: asText(configSource.entryPoint),
      materials: list(predicate.materials).length,
      started: asText(metadata.buildStartedOn),
      finished: asText(metadata.buildFinishedOn),
    });
  }
  if (type === 'https://slsa.dev/provenance/v1') {
    const definition = record(predicate.buildDefinition);
    const run = record(predicate.runDetails);
    const parameters = record(definition.externalParameters);
    const metadata = record(run.metadata);
    const vcs = record(record(metadata.buildkit_metadata).vcs);
    // GitHub's own attestations name the workflow, and the repository as the first dependency.
    const workflow = record(parameters.workflow);
    const configSource = record(parameters.configSource ?? parameters.source);
    const dependencies = list(definition.resolvedDependencies);
    const first = record(dependencies[0]);
    const isWorkflow = asText(workflow.repository) !== undefined;
    return given({
      slsa: '1' as const,
      builder: asText(record(run.builder).id),
      buildType: asText(definition.buildType),
      ...(isWorkflow
        ? { source: asText(workflow.repository), revision: revisionOf(first.digest) }
        : sourceOf(configSource, vcs)),
      entryPoint: asText(configSource.path) ?? asText(workflow.path),
      materials: dependencies.length,
      started: asText(metadata.startedOn),
      finished: asText(metadata.finishedOn),
    });
  }
  return undefined;
}

/** What the build was begun from; for a local directory what the client said of its repository. */
function sourceOf(configSource: Fields, vcs: Fields): { source?: string; revision?: string } {
  const uri = asText(configSource.uri);
  return uri === undefined
    ? given({ source: asText(vcs.source), revision: asText(vcs.revision) })
    : given({ source: uri, revision: revisionOf(configSource.digest) });
}

function revisionOf(digest: unknown): string | undefined {
  const digests = record(digest);
  return asText(digests.gitCommit) ?? asText(digests.sha1) ?? asText(digests.sha256);
}

type Fields = Record<string, unknown>;

function record(value: unknown): Fields {
  return isRecord(value) ? value : {};
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

/** One that says something, without the passwords that people leave in URLs. */
function asText(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? redact(value.slice(0, MAX_TEXT)) : undefined;
}

function toolsOf(names: (string | undefined)[]): string[] {
  return names.filter((name) => name !== undefined).slice(0, MAX_TOOLS);
}

/** The members that have a value. */
function given<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(members) as { [K in keyof T]: Exclude<T[K], undefined> };
}
