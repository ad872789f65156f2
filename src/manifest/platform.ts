// Platforms as people write them: `linux/arm64`, `arm/v7`, `x86_64`, `windows/amd64:10.0.17763`.
import { OciError } from '../errors.ts';
import type { Platform } from './descriptor.ts';

export function parsePlatform(_text: string): Platform {
  throw new OciError('UNSUPPORTED', 'not yet');
}

/** `linux/arm/v7`, with `:os.version` at the end when there is one. */
export function formatPlatform(platform: Partial<Platform>): string {
  return [platform.os, platform.architecture, platform.variant].filter(Boolean).join('/');
}

export function hostPlatform(): Platform {
  throw new OciError('UNSUPPORTED', 'not yet');
}
