// Whether a container holds: every probe of isolation-probes.c inside, as root and as USER, rootful and rootless, through
// each driver. What may be open is in docs/security.md, with the reason.
import { spawnSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type ContainerHost,
  canRunAs,
  canRunContainers,
  openHost,
  type Who,
} from '../support/container-host.ts';
import {
  buildProbes,
  openProbes,
  PROBES,
  type ProbedHost,
  type ProbeProgram,
  readVerdicts,
  startProbedHost,
} from '../support/isolation-probes.ts';
import { hasTools } from '../support/tools.ts';

const program: ProbeProgram | undefined = canRunContainers() ? buildProbes() : undefined;
afterAll(() => program?.remove());

interface Probed {
  host: ContainerHost;
  outside: ProbedHost;
  /** `run` with the facts the probes need, ending in the image. */
  words(...flags: string[]): string[];
  close(): Promise<void>;
}

async function openProbed(who: Who): Promise<Probed> {
  const host = await openHost(who);
  const { path, layer } = program as ProbeProgram;
  await host.addImage('probes:1', { layers: [layer], config: { Cmd: ['/probe'] } });
  const outside = await startProbedHost(path, host.prefix);
  const canary = join(host.folder, 'canary');
  writeFileSync(canary, 'of the host');
  chmodSync(canary, 0o666);
  const facts = [...outside.facts, `PROBE_CANARY=${canary}`].flatMap((fact) => ['-e', fact]);
  return {
    host,
    outside,
    words: (...flags) => ['run', '--rm', '-q', ...facts, ...flags, 'probes:1'],
    async close() {
      await outside.close();
      await host.close();
    },
  };
}

it('the battery is large enough, and knows itself', () => {
  expect(PROBES.length).toBeGreaterThan(100);
  expect(new Set(PROBES).size).toBe(PROBES.length);
});

const RUNTIMES: [who: Who, runtimes: string[]][] = [
  ['root', ['builtin', 'crun', 'runc']],
  ['user', ['builtin', 'crun', 'runc']],
  ['user without ids', ['builtin']],
];

describe.each(RUNTIMES)('containers of %s', (who, runtimes) => {
  const can = program !== undefined && canRunAs(who);
  let probed: Probed;
  beforeAll(async () => {
    if (can) probed = await openProbed(who);
  });
  afterAll(() => probed?.close());

  it.runIf(can).each(runtimes)('through %s are shut, as root inside and as USER', async (runtime) => {
    if (runtime !== 'builtin' && !hasTools(runtime)) return;
    for (const user of ['root', 'app']) {
      const { code, stdout, stderr } = await probed.host.run(
        ...probed.words('--runtime', runtime, '--network', 'none', '-u', user),
      );
      // crun 1.8 refuses a rootless container where versions of cgroups are mixed.
      if (code === 125 && /hybrid mode not supported/.test(stderr)) {
        console.log(`SKIPPED ${runtime} of ${who}: ${stderr.split('\n')[0]}`);
        return;
      }
      if (who === 'user without ids' && user !== 'root') {
        expect({ code, stderr }).toEqual({
          code: 125,
          stderr: expect.stringContaining('you have no subordinate ids'),
        });
        return;
      }
      expect({ user, code, stderr }).toEqual({ user, code: 0, stderr: '' });
      expect({ user, open: openProbes(stdout) }).toEqual({ user, open: [] });
      expect([...readVerdicts(stdout).keys()].sort()).toEqual([...PROBES].sort());
    }
  });
});

describe.each(['root', 'user'] as const)('containers of %s', (who) => {
  const can = canRunContainers() && canRunAs(who);
  let host: ContainerHost;
  beforeAll(async () => {
    if (can) host = await openHost(who);
  });
  afterAll(() => host?.close());

  it.runIf(can)('let USER take low ports and ping, without any capability', async () => {
    const script =
      'cat /proc/sys/net/ipv4/ping_group_range; nc -l -p 80 127.0.0.1 </dev/null & until netstat -ltn | grep :80; do kill -0 $! || exit 1; done';
    const flags = ['--runtime', 'builtin', '--network', 'none', '-u', 'app', '--cap-drop', 'ALL'];
    const { stdout } = await host.run('run', '--rm', ...flags, 'busybox:1', 'sh', '-c', script);
    expect(stdout).toMatch(/^0\t\d{5,}\n/);
    expect(stdout).toMatch(/:80\s/);
  });
});

describe('the probes themselves', () => {
  let probed: Probed;
  beforeAll(async () => {
    if (program !== undefined) probed = await openProbed('root');
  });
  afterAll(() => probed?.close());

  it.runIf(program !== undefined)('reach the host from the host', () => {
    const names = [
      ...[
        'host_file',
        'host_file_dotdot',
        'host_pid_kill',
        'host_pid_descriptor',
        'host_pid_affinity',
        'host_name',
      ],
      ...['host_port', 'host_abstract_socket', 'host_shared_memory', 'host_message_queue', 'host_shm_file'],
      ...['host_processes', 'filter_there', 'new_privileges', 'capability_bounds', 'setuid_program'],
    ];
    const env = Object.fromEntries(probed.outside.facts.map((fact) => fact.split('=') as [string, string]));
    const { stdout } = spawnSync('env', [...probed.host.prefix, program?.path as string], {
      encoding: 'utf8',
      env: { ...env, PROBE_CANARY: join(probed.host.folder, 'canary'), PROBE_ONLY: `,${names.join(',')},` },
    });
    const open = [...readVerdicts(stdout)].filter(([, verdict]) => verdict.open).map(([name]) => name);
    // The setuid program is in the image only.
    expect(open.sort()).toEqual(names.filter((name) => name !== 'setuid_program').sort());
  });

  it.runIf(program !== undefined)(
    'are stopped by the limit of processes where there are cgroups',
    async () => {
      const bomb = 'i=0; while [ $i -lt 40 ]; do sleep 20 & i=$((i+1)); done; echo all';
      const flags = ['--runtime', 'builtin', '--network', 'none', '--pids-limit', '16'];
      const { stdout, stderr } = await probed.host.run(
        'run',
        '--rm',
        ...flags,
        'busybox:1',
        'sh',
        '-c',
        bomb,
      );
      if (/cgroup/.test(stderr)) console.log(`SKIPPED fork bomb: ${stderr.split('\n')[0]}`);
      else expect(stdout).not.toContain('all');
    },
  );

  it.runIf(program !== undefined && hasTools('chattr'))(
    'end also when they made a file that nobody can remove',
    async () => {
      const flags = ['--cap-add', 'LINUX_IMMUTABLE', '-e', 'PROBE_ONLY=,effective_root,'];
      const { code, stdout } = await probed.host.run(
        ...probed.words('--runtime', 'builtin', '--network', 'none', ...flags),
      );
      spawnSync('chattr', ['-R', '-i', probed.host.store]);
      expect({ code, open: openProbes(stdout) }).toEqual({ code: 0, open: ['effective_root: succeeded'] });
    },
  );

  it.runIf(program !== undefined)('see what flags open: a container with nearly everything', async () => {
    const flags = [
      ...[
        '--cap-add',
        'ALL',
        ...['SYS_BOOT', 'SYS_MODULE', 'SYS_TIME', 'SYS_PACCT', 'SYS_RAWIO', 'LINUX_IMMUTABLE'].flatMap(
          (name) => ['--cap-drop', name],
        ),
      ],
      ...['--security-opt', 'seccomp=unconfined', '--security-opt', 'no-new-privileges=false'],
      ...['--security-opt', 'systempaths=unconfined', '--network', 'host', '--runtime', 'builtin'],
    ];
    const { stdout } = await probed.host.run(...probed.words(...flags));
    const open = [...readVerdicts(stdout)].filter(([, verdict]) => verdict.open).map(([name]) => name);
    expect(open).toEqual(
      expect.arrayContaining([
        ...['unshare_user', 'unshare_mount', 'clone_user', 'clone3_user', 'setns_network', 'set_host_name'],
        ...['mount_tmpfs', 'mount_bind', 'new_mount_tree', 'new_mount_fs', 'w_hostname'],
        ...['w_core_pattern', 'r_timers', 'r_interrupts', 'mknod_memory', 'keyring', 'bpf_map', 'priority'],
        ...[
          'capability_bounds',
          'new_privileges',
          'setuid_program',
          'filter_there',
          'raw_socket',
          'packet_socket',
        ],
        ...['network_down', 'host_port', 'host_abstract_socket'],
      ]),
    );
    expect(open).not.toContain('host_file');
  });
});
