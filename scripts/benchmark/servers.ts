// Registries that run beside the benchmark, whose own CPU and memory count: read from /proc, as a client's clock does not
// tell them.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Ground, sh } from './ground.ts';
import { quote } from './measure.ts';

export interface Server {
  /** `127.0.0.1:40123` */
  address: string;
  /** CPU so far, all threads; seconds. */
  cpu(): number;
  /** The most it ever had in memory, bytes. */
  peakRss(): number;
  stop(): void;
}

/** The kernel counts CPU in these. */
const TICKS = 100;

/** A docker-registry with its blobs in `folder` of the scratch folder. */
export function startRegistry({ scratch, at }: Ground, folder: string): Server {
  const configuration = {
    version: '0.1',
    log: { level: 'info', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(scratch, folder) } },
    http: { addr: '127.0.0.1:0' },
  };
  writeFileSync(join(scratch, `${folder}.json`), JSON.stringify(configuration));
  return start(`docker-registry serve ${at(`${folder}.json`)}`, at(`${folder}.log`));
}

/** `ocitool serve` of a store in the scratch folder. */
export function startServe({ at, ocitool }: Ground, store: string): Server {
  return start(`${ocitool} serve --port 0 --read-only --store ${at(store)}`, at(`${store}.log`));
}

/** Both write where they listen to stderr. */
function start(command: string, log: string): Server {
  const pid = sh(`${command} </dev/null >/dev/null 2>${log} & echo $!`).trim();
  const stop = (): void => void sh(`kill ${pid}`);
  try {
    const found = `n=0; until grep -q '127.0.0.1:' ${log}; do n=$((n+1)); [ $n -lt 200 ] || exit 1; sleep 0.05; done`;
    const address = sh(`${found}; grep -o '127.0.0.1:[0-9]*' ${log} | head -1`).trim();
    return {
      address,
      cpu() {
        const [, fields = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ');
        const [user = '', system = ''] = fields.split(' ').slice(11, 13);
        return (Number(user) + Number(system)) / TICKS;
      },
      peakRss() {
        const status = readFileSync(`/proc/${pid}/status`, 'utf8');
        return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
      },
      stop,
    };
  } catch (error) {
    stop();
    throw error;
  }
}

/** A command line that gets these blobs into nowhere, side by side. */
export function fetchBlobs(repository: string, digests: string[]): string {
  const each = digests.map((digest) => `-o /dev/null ${quote(`http://${repository}/blobs/${digest}`)}`);
  return `curl -sfZ --no-progress-meter --parallel-immediate ${each.join(' ')}`;
}
