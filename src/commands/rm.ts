import { Args, Flags } from '@oclif/core';
import { OciCommand, type Session } from '../cli/command.ts';
import { enterHolder } from '../cli/enter-holder.ts';
import type { Client } from '../client/client.ts';
import { OciError } from '../errors.ts';

const REGISTRY = 'docker://';

export default class Rm extends OciCommand<typeof Rm> {
  static override usage = 'rm CONTAINER... | docker://NAME... [FLAGS]';
  static override summary = 'Remove containers, or manifests and tags at a registry';
  static override description =
    'CONTAINER is a name, an id or its beginning; one that is running only goes with --force, which also tidies up after a monitor that was killed. docker://NAME@DIGEST deletes the manifest, and so every tag of it; docker://NAME:TAG deletes the tag alone, which not every registry does. There is no way back from either. Names of images in the store are taken away with `untag`.';
  static override examples = [
    '<%= config.bin %> rm web',
    '<%= config.bin %> rm --force web',
    '<%= config.bin %> rm docker://localhost:5000/app:old',
  ];
  static override strict = false;
  static override args = {
    name: Args.string({
      name: 'NAME',
      required: true,
      description: 'a container, or docker://NAME:TAG or docker://NAME@DIGEST',
    }),
  };
  static override flags = {
    force: Flags.boolean({ char: 'f', summary: 'Kill containers that are running' }),
  };

  protected async execute({ argv, flags, client, answer }: Session<typeof Rm>): Promise<void> {
    const remote = argv.filter((name) => name.startsWith(REGISTRY));
    if (remote.length > 0 && remote.length < argv.length) {
      throw new OciError('USAGE', 'containers and names at a registry cannot go together');
    }
    // Files of a container may belong to a subordinate id: only inside can they be removed.
    if (remote.length === 0 && (await enterHolder({ store: flags.store, start: true }))) return;
    const removed = remote.length > 0 ? await atRegistry(client, argv) : await here(client, argv, flags);
    answer(
      removed.map((name) => ({ name })),
      () => removed,
    );
  }
}

async function atRegistry(client: Client, names: string[]): Promise<string[]> {
  const { remove } = await import('../client/remove.ts');
  const { familiarReference } = await import('../reference/reference.ts');
  const removed: string[] = [];
  for (const name of names) removed.push(familiarReference(await remove(client, name)));
  return removed;
}

async function here(client: Client, names: string[], options: { force: boolean }): Promise<string[]> {
  const image = names.find((name) => /[/:@]/.test(name));
  if (image !== undefined) {
    throw new OciError('USAGE', `${image}: not a container`, {
      hint: `in a registry: ocitool rm ${REGISTRY}${image}; in the store: ocitool untag ${image}`,
    });
  }
  const { removeOne } = await import('../client/containers.ts');
  for (const name of names) await removeOne(client, name, options);
  return names;
}
