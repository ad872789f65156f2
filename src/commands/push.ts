import { statSync } from 'node:fs';
import { Args, Flags } from '@oclif/core';
import { annotationFlag, artifactJson, artifactTypeFlag, parseAnnotations } from '../cli/artifact-flags.ts';
import { OciCommand, type Session } from '../cli/command.ts';
import { copiedJson, copiedLine, transferFlags, transferOptions } from '../cli/transfer-flags.ts';
import { pushFiles } from '../client/artifact-push.ts';
import { parseFileArgument } from '../client/artifact-source.ts';
import { push } from '../client/push.ts';
import { isOciError, OciError } from '../errors.ts';
import { familiarReference, withDigest } from '../reference/reference.ts';

/** Flags that choose among what an image has: files are taken as they are. */
const OF_IMAGES = ['platform', 'all-platforms', 'referrers'] as const;

export default class Push extends OciCommand<typeof Push> {
  static override usage = [
    'push IMAGE [NAME] [FLAGS]',
    'push --artifact-type TYPE NAME FILE[:MEDIATYPE]... [FLAGS]',
  ];
  static override summary = 'Push an image of the store or an archive, or files, to a registry';
  static override description =
    'To the registry the image names, or as NAME. What the registry has is not sent again, and a broken upload goes on where it stopped. Of a multi-platform image everything that the store has is pushed; --platform (several with commas) writes its index anew for those, attestations included. With --artifact-type, files are pushed as an artifact of their own; `pull --output` writes them to files again. Prints NAME@DIGEST.';
  static override examples = [
    '<%= config.bin %> push localhost:5000/app:1',
    '<%= config.bin %> push alpine:3.20 ghcr.io/me/alpine:3.20',
    '<%= config.bin %> push oci-archive:app.tar registry.example.com/app:1',
    '<%= config.bin %> push --artifact-type application/vnd.me.config ghcr.io/me/config:1 app.json:application/json',
  ];
  static override strict = false;
  static override args = {
    image: Args.string({
      name: 'IMAGE',
      required: true,
      description: 'NAME in the store, oci:DIR[:TAG], oci-archive:FILE[:TAG] or docker-archive:FILE[:NAME]',
    }),
    name: Args.string({
      name: 'NAME',
      description: 'the name at the registry; or the files, after the name for them',
    }),
  };
  static override flags = {
    ...transferFlags,
    'artifact-type': Flags.string(artifactTypeFlag),
    annotation: annotationFlag,
  };

  protected async execute(session: Session<typeof Push>): Promise<void> {
    const { argv, flags, client, answer } = session;
    const artifactType = flags['artifact-type'];
    if (artifactType !== undefined) return await pushArtifact(session, artifactType);
    const [image = '', name, unexpected] = argv;
    if (unexpected !== undefined) throw new OciError('USAGE', `unexpected: ${unexpected}`, { hint: FILES });
    if (flags.annotation !== undefined) {
      throw new OciError('USAGE', '--annotation is for files', { hint: FILES });
    }
    try {
      const pushed = await push(client, image, name, transferOptions(flags));
      answer(copiedJson(pushed), () => [copiedLine(pushed)]);
    } catch (error) {
      if (name === undefined || !isOciError(error) || !isFile(name)) throw error;
      if (error.code !== 'IMAGE_NOT_FOUND' && error.code !== 'INVALID_REFERENCE') throw error;
      throw new OciError(error.code, error.message, { hint: FILES, cause: error });
    }
  }
}

const FILES = 'to push files: ocitool push --artifact-type TYPE NAME FILE...';

async function pushArtifact(
  { argv, flags, client, answer }: Session<typeof Push>,
  artifactType: string,
): Promise<void> {
  const [name = '', ...files] = argv;
  if (files.length === 0) throw new OciError('USAGE', `${name}: push which files?`, { hint: FILES });
  const wrong = OF_IMAGES.find((flag) => flags[flag] !== undefined && flags[flag] !== false);
  if (wrong !== undefined) throw new OciError('USAGE', `--${wrong} is for images, not for files`);
  const pushed = await pushFiles(client, name, files, {
    artifactType,
    annotations: parseAnnotations(flags.annotation ?? []),
    concurrency: flags.concurrency,
  });
  answer({ name: pushed.name, ...artifactJson(pushed, artifactType) }, () => [
    familiarReference(withDigest(pushed.reference, pushed.root.digest)),
  ]);
}

/** What somebody who is used to `oras push NAME FILE` may have written. */
function isFile(text: string): boolean {
  return statSync(parseFileArgument(text).path, { throwIfNoEntry: false })?.isFile() === true;
}
