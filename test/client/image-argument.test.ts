// A short name with an alias means the same in every command (issue 5).
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { digest } from '../../src/client/documents.ts';
import { gc } from '../../src/client/gc.ts';
import { load } from '../../src/client/load.ts';
import { pull } from '../../src/client/pull.ts';
import { save } from '../../src/client/save.ts';
import { sync } from '../../src/client/sync.ts';
import { clientOf, home, image, name, origin, setUpMirrors, write } from '../support/mirror-setup.ts';

setUpMirrors();

const aliased = (): string => `[aliases]\n"app" = "${origin.address}/team/app"\n"kept" = "quay.io/team/kept"`;

it('load names an image as the alias says', async () => {
  const client = clientOf(aliased());
  await pull(client, 'app:1');
  const archive = `oci-archive:${join(home, 'app.tar')}`;
  await save(client, ['app:1'], archive);
  const [loaded] = await load(client, archive, 'kept:2');
  expect(loaded?.name).toBe('quay.io/team/kept:2');
  expect(await digest(client, 'quay.io/team/kept:2')).toBe(image.digest);
});

it('sync reads and writes what the alias says, in registries and the store', async () => {
  const client = clientOf(aliased());
  const file = write(
    'sync.yaml',
    '- {source: "docker://app:1", target: store}\n- {source: "store:app:1", target: "store:kept:3"}',
  );
  expect(await sync(client, file)).toMatchObject([
    { status: 'copied', from: 'docker://app:1', source: name(), target: `store:${name()}` },
    { status: 'copied', from: 'store:app:1', source: `store:${name()}`, target: 'store:quay.io/team/kept:3' },
  ]);
});

it('gc --keep spares what the pattern means as an alias, and what it says as it stands', async () => {
  const client = clientOf(aliased());
  await pull(client, 'app:1');
  const archive = `oci-archive:${join(home, 'app.tar')}`;
  await save(client, ['app:1'], archive);
  for (const one of ['kept:1', 'kept:2', 'docker.io/library/kept:1']) await load(client, archive, one);
  const { names } = await gc(client, { olderThan: -1000, keep: ['kept:1*'], dryRun: true });
  expect(names.toSorted()).toEqual([name(), 'quay.io/team/kept:2'].toSorted());
});
