// The few things a listing tells of an image's config, read without a schema.
import { isRecord, parseJson } from '../json.ts';
import type { Descriptor, Platform } from '../manifest/descriptor.ts';
import { MANIFEST_LIMIT } from '../manifest/limits.ts';
import { isImageConfigType } from '../manifest/media-types.ts';
import { readBlobText } from './documents.ts';
import type { StorePaths } from './paths.ts';

export interface ConfigFacts {
  /** RFC 3339, as written. */
  created?: string | undefined;
  platform?: Platform | undefined;
}

/** Nothing of an artifact's config. Undefined when it should say something and is too large, absent or no JSON object. */
export function readConfigFacts(paths: StorePaths, config: Descriptor): ConfigFacts | undefined {
  if (!isImageConfigType(config.mediaType)) return {};
  if (config.size > MANIFEST_LIMIT) return undefined;
  const text = readBlobText(paths, config.digest);
  return text === undefined ? undefined : configFacts(text);
}

/** What the text of a config says; undefined when it is no JSON object. */
export function configFacts(text: string): ConfigFacts | undefined {
  const json = parseJson(text);
  if (!isRecord(json)) return undefined;
  const { created, os, architecture, variant } = json;
  const platform: Platform | undefined =
    typeof os === 'string' && typeof architecture === 'string' && os !== ''
      ? { os, architecture }
      : undefined;
  if (platform !== undefined && typeof variant === 'string' && variant !== '') platform.variant = variant;
  const version = json['os.version'];
  if (platform !== undefined && typeof version === 'string' && version !== '')
    platform['os.version'] = version;
  return { created: typeof created === 'string' ? created : undefined, platform };
}
