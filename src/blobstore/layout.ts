// What makes a directory a store: recognised when opened, made at the first write, never mixed with a newer version.
import { mkdirSync } from 'node:fs';
import { fileError, OciError } from '../errors.ts';
import { namesIfThere, textIfThere } from '../if-there.ts';
import { STORE_VERSION, type StorePaths } from './paths.ts';
import { replaceFile } from './write-file.ts';

const LAYOUT = '{"imageLayoutVersion":"1.0.0"}';

/**
 * True when a layout is there, false when the directory is missing or empty.
 * Throws STORE_VERSION for a store that a newer ocitool wrote, STORE_INVALID for a directory of something else.
 */
export function inspectLayout(paths: StorePaths): boolean {
  const layout = textIfThere(paths.layoutFile);
  if (layout === undefined) {
    if (namesIfThere(paths.root).every(isStarted)) return false;
    throw new OciError('STORE_INVALID', `${paths.root}: not a store and not empty`, {
      hint: 'choose another directory with --store or $OCITOOL_STORE',
    });
  }
  const version = layoutVersion(layout);
  if (version === undefined || !version.startsWith('1.')) {
    throw new OciError('STORE_INVALID', `${paths.layoutFile}: not an OCI image layout of version 1`, {
      hint: version === undefined ? `it should hold ${LAYOUT}` : `it says version ${version.slice(0, 40)}`,
    });
  }
  for (const name of namesIfThere(paths.versions)) {
    const found = Number(/^v(\d+)$/.exec(name)?.[1] ?? 0);
    if (found > STORE_VERSION) {
      throw new OciError(
        'STORE_VERSION',
        `${paths.root}: a store of version ${found}, this ocitool knows ${STORE_VERSION}`,
        {
          hint: 'update ocitool, or use another store with --store',
        },
      );
    }
  }
  return true;
}

/** Makes what is missing; many processes may do this at once. Throws PERMISSION, DISK_FULL, STORE_VERSION. */
export function ensureLayout(paths: StorePaths): void {
  const there = inspectLayout(paths);
  try {
    mkdirSync(paths.ingest, { recursive: true });
    mkdirSync(paths.layers, { recursive: true });
    mkdirSync(paths.blobs, { recursive: true });
    if (!there) replaceFile(paths.layoutFile, LAYOUT);
  } catch (error) {
    throw fileError(error, paths.root);
  }
}

/** Names that a process making a store at this moment has already put there, the layout file since we looked for it. */
function isStarted(name: string): boolean {
  return name === 'ocitool' || name === 'blobs' || name === 'index.json' || name.startsWith('oci-layout');
}

function layoutVersion(text: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && 'imageLayoutVersion' in value) {
      return typeof value.imageLayoutVersion === 'string' ? value.imageLayoutVersion : undefined;
    }
  } catch {
    // Not JSON: not a layout.
  }
  return undefined;
}
