import { createReadStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Args } from '@oclif/core';
import { OciCommand, type Session } from '../cli/command.ts';
import { copiedJson, copiedLine, transferFlags, transferOptions } from '../cli/transfer-flags.ts';
import { save } from '../client/save.ts';
import { OciError } from '../errors.ts';

const TO_STDOUT = /^(oci-archive|docker-archive):-$/;

export default class Save extends OciCommand<typeof Save> {
  static override usage = 'save IMAGE... DEST [FLAGS]';
  static override summary = 'Write images to an archive or an OCI layout';
  static override description =
    'docker-archive:FILE is what `docker load` takes, one platform of each image; oci-archive:FILE and oci:DIR hold everything. Layers stay compressed as they are, so images keep their digests, and the same images give the same bytes. A FILE appears whole at the end and replaces an older one; `-` is stdout.';
  static override examples = [
    '<%= config.bin %> save alpine:3.20 docker-archive:alpine.tar',
    '<%= config.bin %> save alpine:3.20 busybox:1 oci-archive:both.tar',
    '<%= config.bin %> save alpine:3.20 docker-archive:- | docker load',
  ];
  static override strict = false;
  static override args = {
    image: Args.string({ name: 'IMAGE', required: true, description: 'one or more images, then DEST' }),
  };
  static override flags = transferFlags;

  protected async execute({ argv, flags, client, answer, write }: Session<typeof Save>): Promise<void> {
    const images = argv.slice(0, -1);
    const destination = argv.at(-1) ?? '';
    if (images.length === 0) {
      throw new OciError('USAGE', 'save where to?', {
        hint: `write: ocitool save ${destination} docker-archive:FILE`,
      });
    }
    const options = transferOptions(flags);
    const [, kind] = TO_STDOUT.exec(destination) ?? [];
    if (kind === undefined) {
      const saved = await save(client, images, destination, options);
      answer(saved.map(copiedJson), () => saved.map(copiedLine));
      return;
    }
    if (flags.json) throw new OciError('USAGE', '--json and an archive on stdout exclude each other');
    const folder = mkdtempSync(join(tmpdir(), 'ocitool-save-'));
    try {
      const file = join(folder, 'archive.tar');
      await save(client, images, `${kind}:${file}`, options);
      await write(createReadStream(file));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
}
