// The shapes of image documents, checked with zod. Only document.ts and config.ts come here: nobody else pays for it.
// `zod/mini` because it loads in half the time of the whole (image-spec descriptor.md, image-index.md, manifest.md, config.md).
import * as z from 'zod/mini';
import { isDigest } from '../reference/digest.ts';

// RFC 6838, 4.2; image-spec descriptor.md#properties. Parameters do not belong in a descriptor.
const MEDIA_TYPE = /^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}\/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}$/;

const mediaType = z.string().check(z.regex(MEDIA_TYPE, 'not a media type'));
const digest = z.string().check(z.refine(isDigest, 'not a digest we can verify (sha256, sha384 or sha512)'));
const strings = z.array(z.string());
const annotations = z.record(z.string(), z.string());

const platform = z.object({
  os: z.string(),
  architecture: z.string(),
  variant: z.optional(z.string()),
  'os.version': z.optional(z.string()),
  'os.features': z.optional(strings),
});

export const descriptorSchema = z.object({
  mediaType,
  digest,
  size: z.int().check(z.nonnegative()),
  urls: z.optional(z.array(z.string().check(z.refine((text) => URL.canParse(text), 'not a URL')))),
  annotations: z.optional(annotations),
  data: z.optional(z.base64()),
  artifactType: z.optional(z.string()),
  platform: z.optional(platform),
});

const common = {
  schemaVersion: z.literal(2),
  mediaType: z.optional(mediaType),
  artifactType: z.optional(z.string()),
  subject: z.optional(descriptorSchema),
  annotations: z.optional(annotations),
};

export const indexSchema = z.object({ ...common, manifests: z.array(descriptorSchema) });

export const manifestSchema = z.object({
  ...common,
  config: descriptorSchema,
  layers: z.array(descriptorSchema),
});

const runConfig = z.object({
  User: z.optional(z.string()),
  Env: z.optional(strings),
  Entrypoint: z.optional(strings),
  Cmd: z.optional(strings),
  WorkingDir: z.optional(z.string()),
  ExposedPorts: z.optional(z.record(z.string(), z.unknown())),
  Volumes: z.optional(z.record(z.string(), z.unknown())),
  Labels: z.optional(z.record(z.string(), z.string())),
  StopSignal: z.optional(z.string()),
});

const historyEntry = z.object({
  created: z.optional(z.string()),
  created_by: z.optional(z.string()),
  author: z.optional(z.string()),
  comment: z.optional(z.string()),
  empty_layer: z.optional(z.boolean()),
});

export const configSchema = z.object({
  architecture: z.string(),
  os: z.string(),
  variant: z.optional(z.string()),
  'os.version': z.optional(z.string()),
  'os.features': z.optional(strings),
  created: z.optional(z.string()),
  author: z.optional(z.string()),
  config: z._default(runConfig, {}),
  rootfs: z.object({ type: z.literal('layers'), diff_ids: z._default(z.array(digest), []) }),
  history: z._default(z.array(historyEntry), []),
});

/** A schema's first complaint as `layers[2].digest: not a digest`; or the value, typed by the caller. */
export function validate<T>(
  schema: z.ZodMiniType<T>,
  value: unknown,
): { ok: true; value: T } | { ok: false; problem: string } {
  const result = schema.safeParse(value);
  if (result.success) return { ok: true, value: result.data };
  const [issue] = result.error.issues;
  const path = (issue?.path ?? []).reduce<string>(
    (text, key) =>
      typeof key === 'number' ? `${text}[${key}]` : `${text}${text === '' ? '' : '.'}${String(key)}`,
    '',
  );
  return { ok: false, problem: `${path === '' ? 'the document' : path}: ${issue?.message ?? 'invalid'}` };
}
