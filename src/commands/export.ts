import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { Flags } from '@oclif/core';
import { OciCommand, type Session } from '../cli/command.ts';
import { imageArg, limitFlags } from '../cli/flags.ts';
import { openTree } from '../client/open-tree.ts';
import { fileError, OciError } from '../errors.ts';
import { exportTree } from '../rootfs/export.ts';

export default class Export extends OciCommand<typeof Export> {
  static override usage = 'export IMAGE [FLAGS]';
  static override summary = "Write an image's flattened root file system as one tar";
  static override description = 'Reproducible: the same image gives the same bytes.';
  static override examples = [
    '<%= config.bin %> export alpine:3.20 -o rootfs.tar',
    '<%= config.bin %> export alpine:3.20 | tar -tv | head',
  ];
  static override args = { image: imageArg };
  static override flags = {
    ...limitFlags,
    output: Flags.string({
      char: 'o',
      default: '-',
      helpValue: 'FILE',
      summary: 'Where to write; - is stdout',
    }),
  };

  protected async execute({
    args,
    flags,
    client,
    signal,
    answer,
    write,
  }: Session<typeof Export>): Promise<void> {
    const { output } = flags;
    if (output === '-' && process.stdout.isTTY) {
      throw new OciError('USAGE', 'a tar archive is no sight for a terminal', {
        hint: 'write it to a file with -o FILE, or pipe it',
      });
    }
    const opened = await openTree(client, args.image);
    try {
      const tar = exportTree(opened.tree, opened.image.layers, { signal });
      if (output === '-') await write(tar);
      else {
        await writeWhole(output, tar);
        answer({ name: opened.image.name, digest: opened.image.descriptor.digest, file: output }, () => []);
      }
    } finally {
      await opened.close();
    }
  }
}

/** The file appears whole or not at all. */
async function writeWhole(file: string, source: NodeJS.ReadableStream): Promise<void> {
  const partial = `${file}.partial-${process.pid}`;
  try {
    await pipeline(source, createWriteStream(partial, { flags: 'wx' }));
    await rename(partial, file);
  } catch (error) {
    await rm(partial, { force: true });
    throw fileError(error, file);
  }
}
