// What the parts of the benchmark share: the job that most of them measure, and the broom.
import type { Ground } from './ground.ts';
import type { Contender } from './measure.ts';

/** Registry to root file system; starts with an empty store. */
export function unpackFromRegistry(ground: Ground, name: string): Contender {
  const { at, ocitool } = ground;
  return {
    name,
    role: 'ours',
    prepare: clean(ground),
    command: `${ocitool} unpack --progress none --store ${at('b')} docker://${name} ${at('rootfs')}`,
  };
}

/** Removes what any contender left, so that memory holds one result at a time. */
export function clean({ at }: Ground): string {
  const left = ['a', 'b', 'bundle', 'rootfs', 'floor', 'tar', 'podman', 'containerd'];
  return `rm -rf ${left.map(at).join(' ')}`;
}
