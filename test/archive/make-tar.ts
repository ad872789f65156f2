// Archives written block by block, the wrong ones too.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Header } from 'tar/header';
import { Pax } from 'tar/pax';
import { onTestFinished } from 'vitest';
import { digestOf } from '../../src/reference/digest.ts';
import type { MemoryPlace } from '../support/image-builder.ts';

export interface TarEntry {
  path: string;
  content?: Uint8Array | string;
  /** A link to this. */
  symlink?: string;
  hardlink?: string;
  /** Instead of the content's real size. */
  size?: number;
}

/** A folder that is gone after the test. */
export function scratch(): string {
  const dir = mkdtempSync(join(tmpdir(), 'ocitool-test-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

export function makeTar(entries: TarEntry[]): Buffer {
  return Buffer.concat([...entries.map(entryBlocks), Buffer.alloc(1024)]);
}

/** The entries as a tar file. */
export function writeTar(entries: TarEntry[], name = 'image.tar'): string {
  return writeScratch(makeTar(entries), name);
}

export function writeScratch(bytes: Uint8Array, name = 'image.tar'): string {
  const file = join(scratch(), name);
  writeFileSync(file, bytes);
  return file;
}

function entryBlocks(entry: TarEntry): Buffer {
  const content = Buffer.from(entry.content ?? '');
  const link = entry.symlink ?? entry.hardlink;
  const needsPax = entry.path.length > 100;
  const header = new Header({
    // What a reader without PAX would see.
    path: needsPax ? entry.path.slice(0, 90) : entry.path,
    mode: 0o644,
    size: entry.size ?? content.length,
    type: entry.symlink !== undefined ? 'SymbolicLink' : entry.hardlink !== undefined ? 'Link' : 'File',
    mtime: new Date(0),
    ...(link !== undefined && { linkpath: link }),
  });
  const block = Buffer.alloc(512);
  header.encode(block);
  const pax = needsPax ? new Pax({ path: entry.path }).encode() : Buffer.alloc(0);
  return Buffer.concat([pax, block, content, padding(content.length)]);
}

function padding(length: number): Buffer {
  return Buffer.alloc((512 - (length % 512)) % 512);
}

/** The files of an OCI layout with every blob of `place`. */
export function layoutEntries(place: MemoryPlace, manifests: object[]): TarEntry[] {
  return [
    { path: 'oci-layout', content: '{"imageLayoutVersion":"1.0.0"}' },
    { path: 'index.json', content: JSON.stringify({ schemaVersion: 2, manifests }) },
    ...[...place.blobs].map(([digest, content]) => ({ path: `blobs/${digest.replace(':', '/')}`, content })),
  ];
}

export interface DockerItem {
  tags?: string[] | null;
  /** The layers' diff IDs. */
  diffIds: string[];
  /** Paths in the archive, as manifest.json has them. */
  paths: string[] | null;
}

/** manifest.json and the configs of a docker-archive. */
export function dockerEntries(items: DockerItem[]): TarEntry[] {
  const configs = items.map(({ diffIds }, i) => {
    const rootfs = { type: 'layers', diff_ids: diffIds };
    return JSON.stringify({ os: 'linux', architecture: 'amd64', author: String(i), config: {}, rootfs });
  });
  const list = items.map(({ tags, paths }, i) => ({
    Config: `${digestOf(configs[i]!).slice(7)}.json`,
    RepoTags: tags ?? null,
    Layers: paths,
  }));
  return [
    ...configs.map((content) => ({ path: `${digestOf(content).slice(7)}.json`, content })),
    { path: 'manifest.json', content: JSON.stringify(list) },
  ];
}
