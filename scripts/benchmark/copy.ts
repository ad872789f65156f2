// Registry to registry: all of an image, and again when everything is there.
import { type Ground, sh } from './ground.ts';
import { type Contender, measure } from './measure.ts';
import type { Row } from './rows.ts';
import { startRegistry } from './servers.ts';
import { comparison } from './table.ts';

const TARGET = 'copy-registry';
const MOST_MEGABYTES = 120;
const SECOND_SECONDS = 1;

/** Both registries are docker-registry; the target is emptied before each first copy. */
export const copy: Row = (ground, runs) => {
  const { at, scratch } = ground;
  const target = startRegistry(ground, TARGET);
  try {
    const contenders = contendersTo(ground, `${target.address}/bench/copy:1`);
    const empty = `rm -rf ${at(`${TARGET}/docker`)}`;
    const first = measure(
      contenders.map((contender) => ({ ...contender, prepare: empty, ...goalFor(contender) })),
      runs,
      scratch,
    );
    const second = measure(contenders, runs, scratch);
    const [all, again] = [
      comparison('Registry to registry', first),
      comparison('The same again, with everything there', second),
    ];
    const megabytes = Math.round((first.at(-1)?.peakRss ?? Number.NaN) / 1e6);
    const wall = second.at(-1)?.wall ?? Number.NaN;
    return {
      text: `${all.text}\n\n${again.text}`,
      verdicts: [
        ...all.verdicts,
        {
          job: 'Registry to registry, peak RSS',
          against: '',
          measured: `${megabytes} MB`,
          toReach: `≤ ${MOST_MEGABYTES} MB`,
          reached: megabytes <= MOST_MEGABYTES,
        },
        {
          job: 'Registry to registry, everything there',
          against: '',
          measured: `${wall.toFixed(2)} s`,
          toReach: `< ${SECOND_SECONDS} s`,
          reached: wall < SECOND_SECONDS,
        },
      ],
    };
  } finally {
    target.stop();
    sh(`rm -rf ${at(TARGET)}`);
  }
};

/** Only the first copy has one. */
function goalFor({ role }: Contender): { goal?: number } {
  return role === 'peer' ? { goal: 0.9 } : {};
}

function contendersTo({ name, skopeo, ocitool }: Ground, target: string): Contender[] {
  return [
    {
      name: 'skopeo copy',
      role: 'peer',
      command: `${skopeo} --src-tls-verify=false --dest-tls-verify=false docker://${name} docker://${target}`,
    },
    { name: 'ocitool copy', role: 'ours', command: `${ocitool} copy --progress none ${name} ${target}` },
  ];
}
