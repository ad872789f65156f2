// Which of an index's entries runs on a platform: best match, not exact match.
import { OciError } from '../errors.ts';
import type { Descriptor, Platform } from './descriptor.ts';

export function matchesPlatform(_wanted: Platform, _candidate: Platform): boolean {
  throw new OciError('UNSUPPORTED', 'not yet');
}

export function selectPlatform(_descriptors: readonly Descriptor[], _wanted: Platform): Descriptor {
  throw new OciError('UNSUPPORTED', 'not yet');
}
