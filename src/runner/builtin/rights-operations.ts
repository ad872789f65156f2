// Operations on what the process may do: capabilities, user and groups, and the filter of its system calls.
import { bytes, failedWith } from '../kernel.ts';
import type { Context, Handlers } from './context.ts';
import {
  EINVAL,
  PR_CAP_AMBIENT,
  PR_CAP_AMBIENT_CLEAR_ALL,
  PR_CAP_AMBIENT_RAISE,
  PR_CAPBSET_DROP,
  PR_CAPBSET_READ,
  PR_SET_KEEPCAPS,
  PR_SET_NO_NEW_PRIVS,
  SECCOMP_SET_MODE_FILTER,
} from './numbers.ts';

export const rightsOperations: Handlers<
  | 'bounding'
  | 'keep-capabilities'
  | 'groups'
  | 'gid'
  | 'uid'
  | 'capabilities'
  | 'ambient'
  | 'no-new-privileges'
  | 'seccomp'
> = {
  bounding({ call }, { keep }) {
    for (const capability of heldCapabilities(call)) {
      if (!keep.includes(capability)) call('prctl', PR_CAPBSET_DROP, capability, 0, 0, 0);
    }
  },
  'keep-capabilities': ({ call }) => void call('prctl', PR_SET_KEEPCAPS, 1, 0, 0, 0),
  groups({ call }, { gids }) {
    const list = bytes(gids.length * 4);
    for (const [index, gid] of gids.entries()) list.view.setUint32(index * 4, gid, true);
    call('setgroups', gids.length, list);
  },
  gid: ({ call }, { gid }) => void call('setresgid', gid, gid, gid),
  uid: ({ call }, { uid }) => void call('setresuid', uid, uid, uid),
  capabilities({ call }, { effective, permitted, inheritable }) {
    const held = heldCapabilities(call);
    const VERSION_3 = 0x20080522;
    const header = bytes(8);
    header.view.setUint32(0, VERSION_3, true);
    const sets = bytes(24);
    for (const [offset, wanted] of [effective, permitted, inheritable].entries()) {
      const mask = wanted
        .filter((bit) => held.includes(bit))
        .reduce((sum, bit) => sum | (1n << BigInt(bit)), 0n);
      sets.view.setUint32(offset * 4, Number(mask & 0xffffffffn), true);
      sets.view.setUint32(12 + offset * 4, Number(mask >> 32n), true);
    }
    call('capset', header, sets);
  },
  ambient({ call }, { capabilities }) {
    call('prctl', PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    const held = heldCapabilities(call);
    for (const bit of capabilities) {
      if (held.includes(bit)) call('prctl', PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, bit, 0, 0);
    }
  },
  'no-new-privileges': ({ call }) => void call('prctl', PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
  seccomp({ call, kernel }, { filter, flags }) {
    const program = bytes(Buffer.from(filter, 'base64'));
    const INSTRUCTION = 8;
    const header = bytes(16);
    header.view.setUint16(0, program.length / INSTRUCTION, true);
    header.view.setBigUint64(8, kernel.address(program), true);
    call('seccomp', SECCOMP_SET_MODE_FILTER, flags, header);
  },
};

/** Our bounding set, as numbers. */
function heldCapabilities(call: Context['call']): number[] {
  const held: number[] = [];
  for (let capability = 0; ; capability++) {
    try {
      if (call('prctl', PR_CAPBSET_READ, capability, 0, 0, 0) === 1) held.push(capability);
    } catch (error) {
      // The first number that the kernel does not know.
      if (failedWith(error, EINVAL)) return held;
      throw error;
    }
  }
}
