// The shapes of image documents, and the one place that checks JSON against them. Only this file imports zod, and zod/mini
// at that: bundled and minified it is 19 kB and loads in 6 ms, where zod itself is 88 kB and 16 ms.
import * as z from 'zod/mini';
import { type ErrorCode, OciError } from '../errors.ts';
import { type Digest, isDigest } from '../reference/digest.ts';
import type { ImageConfig } from './config.ts';
import type { Descriptor } from './descriptor.ts';
import type { ImageIndex, ImageManifest } from './document.ts';
import { isMediaType } from './media-types.ts';

// image-spec descriptor.md, digests. Registered algorithms must match `isDigest`; others are well formed, but not for us.
const DIGEST_GRAMMAR = /^[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$/;
const REGISTERED = /^sha(?:256|384|512):/;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

const text = z.string();
const texts = z.array(text);
const textMap = z.record(text, text);
const optional = z.exactOptional;

const digest = z.custom<Digest>((value) => typeof value === 'string' && isDigest(value), 'is not a digest');
const size = z.int().check(z.minimum(0, 'is negative'));
const mediaType = text.check(z.refine(isMediaType, 'is not a media type'));

const platform = object({
  os: text,
  architecture: text,
  variant: optional(text),
  'os.version': optional(text),
  'os.features': optional(texts),
});

const descriptor = object({
  mediaType,
  digest,
  size,
  urls: optional(z.array(text.check(z.refine((url) => URL.canParse(url), 'is not a URL')))),
  annotations: optional(textMap),
  data: optional(text.check(z.regex(BASE64, 'is not base64'))),
  artifactType: optional(text),
  platform: optional(platform),
}) satisfies z.ZodMiniType<Descriptor>;

const common = {
  schemaVersion: z.literal(2, 'is not 2'),
  mediaType: optional(text),
  artifactType: optional(text),
  subject: optional(descriptor),
  annotations: optional(textMap),
};

/** image-spec image-index.md. Go writes an empty list as null. */
export const indexSchema = object({
  ...common,
  manifests: z._default(z.array(descriptor), []),
}) satisfies z.ZodMiniType<ImageIndex>;

/** image-spec manifest.md and Docker's schema 2, which has the same shape. */
export const manifestSchema = object({
  ...common,
  config: descriptor,
  layers: z._default(z.array(descriptor), []),
}) satisfies z.ZodMiniType<ImageManifest>;

// Old Dockerfiles left one string where a list belongs (moby api/types/strslice).
const words = z.union(
  [
    texts,
    z.pipe(
      text,
      z.transform((word: string): string[] => [word]),
    ),
  ],
  'is not a list of strings',
);

const runConfig = object({
  User: optional(text),
  Env: optional(texts),
  Entrypoint: optional(words),
  Cmd: optional(words),
  WorkingDir: optional(text),
  ExposedPorts: optional(z.record(text, z.unknown())),
  Volumes: optional(z.record(text, z.unknown())),
  Labels: optional(textMap),
  StopSignal: optional(text),
});

const historyEntry = object({
  created: optional(text),
  created_by: optional(text),
  author: optional(text),
  comment: optional(text),
  empty_layer: optional(z.boolean()),
});

/** image-spec config.md, with the nulls Docker writes read as absent. */
export const configSchema = object({
  architecture: text,
  os: text,
  variant: optional(text),
  'os.version': optional(text),
  'os.features': optional(texts),
  created: optional(text),
  author: optional(text),
  config: z._default(runConfig, {}),
  rootfs: object({ type: z._default(text, 'layers'), diff_ids: z._default(z.array(digest), []) }),
  history: z._default(z.array(historyEntry), []),
}) satisfies z.ZodMiniType<ImageConfig>;

/** Members that are null are absent: Docker and Go write them for empty lists and missing values. Others unknown to us are dropped. */
function object<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  return z.pipe(z.transform(withoutNulls), z.object(shape));
}

function withoutNulls(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== null));
}

/**
 * `json` as `schema` has it. Throws `code` with a message such as `NAME: layers[2].digest is missing`,
 * or UNSUPPORTED when all that is wrong is a digest algorithm we cannot verify.
 */
export function checkShape<T>(
  schema: z.ZodMiniType<T>,
  json: unknown,
  name: string,
  code: ErrorCode & ('MANIFEST_INVALID' | 'CONFIG_INVALID'),
): T {
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => problemOf(issue, json));
  const problem = problems.find(({ unsupported }) => !unsupported) ?? problems[0]!;
  if (problem.unsupported) {
    throw new OciError('UNSUPPORTED', `${name}: ${problem.text}`, {
      hint: 'only sha256, sha384 and sha512 can be verified',
    });
  }
  throw new OciError(code, `${name}: ${problem.text}`, {
    hint: 'whatever made this image wrote a broken document; it has to be built or pushed again',
  });
}

interface Problem {
  text: string;
  unsupported: boolean;
}

function problemOf(issue: z.core.$ZodIssue, json: unknown): Problem {
  const value = issue.path.reduce<unknown>(memberOf, json);
  const where = pathText(issue.path) || 'the document';
  if (value === undefined || value === null) return { text: `${where} is missing`, unsupported: false };
  if (issue.code === 'custom' && typeof value === 'string' && isForeignDigest(value)) {
    return { text: `${where} has an algorithm we cannot verify: ${value.slice(0, 100)}`, unsupported: true };
  }
  const what = issue.code === 'invalid_type' ? `is not ${expectedText(issue.expected)}` : issue.message;
  const shown = typeof value === 'object' ? '' : `: ${JSON.stringify(value).slice(0, 100)}`;
  return { text: `${where} ${what}${shown}`, unsupported: false };
}

function isForeignDigest(value: string): boolean {
  return DIGEST_GRAMMAR.test(value) && !REGISTERED.test(value);
}

function expectedText(expected: string): string {
  return /^[aeio]/.test(expected) ? `an ${expected}` : `a ${expected}`;
}

function memberOf(value: unknown, key: PropertyKey): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
  return value[key as keyof typeof value];
}

function pathText(path: PropertyKey[]): string {
  return path
    .map((key, i) => (typeof key === 'number' ? `[${key}]` : `${i === 0 ? '' : '.'}${String(key)}`))
    .join('')
    .slice(0, 200);
}
