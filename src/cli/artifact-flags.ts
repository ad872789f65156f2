// What the commands that make artifacts share: what is said of one, and how it is told.
import { Flags } from '@oclif/core';
import type { ArtifactFile } from '../client/artifact-source.ts';
import type { CopyResult } from '../copy/copier.ts';
import { OciError } from '../errors.ts';
import { TITLE } from '../manifest/artifact.ts';

export const artifactTypeFlag = { helpValue: 'TYPE', summary: 'What the artifact is, as a media type' };

export const annotationFlag = Flags.string({
  multiple: true,
  multipleNonGreedy: true,
  helpValue: 'KEY=VALUE',
  summary: 'A remark on the artifact; may be given several times',
});

/** `--annotation KEY=VALUE` as pairs. Throws USAGE for a key without a value. */
export function parseAnnotations(texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const [, key, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
      if (key !== undefined && value !== undefined) return [key, value];
      throw new OciError('USAGE', `--annotation ${text}: no value`, { hint: 'write it as KEY=VALUE' });
    }),
  );
}

/** The artifact in an answer with --json. */
export function artifactJson(
  { root, files, transferred, reused }: CopyResult & { files: readonly ArtifactFile[] },
  artifactType: string,
): object {
  return {
    digest: root.digest,
    mediaType: root.mediaType,
    artifactType,
    files: files.map(({ descriptor: { mediaType, digest, size, annotations } }) => ({
      title: annotations?.[TITLE],
      mediaType,
      digest,
      size,
    })),
    transferredBytes: transferred,
    reusedBytes: reused,
  };
}
