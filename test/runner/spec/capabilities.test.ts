// --cap-add and --cap-drop, as Docker combines them.
import { describe, expect, it } from 'vitest';
import {
  CAPABILITIES,
  capabilitiesOfMask,
  chooseCapabilities,
  DEFAULT_CAPABILITIES,
} from '../../../src/runner/spec/capabilities.ts';

const choose = (capAdd: string[], capDrop: string[], bounding: readonly string[] = CAPABILITIES) =>
  chooseCapabilities({ capAdd, capDrop }, bounding);

describe('chooseCapabilities', () => {
  it('starts from a set without raw sockets, devices and the audit log', () => {
    expect(choose([], [])).toEqual(DEFAULT_CAPABILITIES);
    for (const name of ['CAP_NET_RAW', 'CAP_MKNOD', 'CAP_AUDIT_WRITE', 'CAP_SYS_ADMIN']) {
      expect(DEFAULT_CAPABILITIES).not.toContain(name);
    }
  });

  it('knows names with and without CAP_, in either case', () => {
    for (const name of ['NET_RAW', 'cap_net_raw', 'CAP_NET_RAW'])
      expect(choose([name], ['ALL'])).toEqual(['CAP_NET_RAW']);
  });

  it('reads ALL first, single names after it', () => {
    expect(choose(['ALL'], [])).toEqual(CAPABILITIES);
    expect(choose([], ['ALL'])).toEqual([]);
    expect(choose(['ALL'], ['SYS_ADMIN'])).toEqual(CAPABILITIES.filter((name) => name !== 'CAP_SYS_ADMIN'));
    expect(choose(['CHOWN', 'KILL'], ['all'])).toEqual(['CAP_CHOWN', 'CAP_KILL']);
    expect(choose(['NET_RAW'], ['CHOWN'])).toEqual(
      CAPABILITIES.filter(
        (name) => name === 'CAP_NET_RAW' || (DEFAULT_CAPABILITIES.includes(name) && name !== 'CAP_CHOWN'),
      ),
    );
  });

  it('never goes beyond this process’s bounding set: silently for defaults and ALL, loudly for a name', () => {
    const ours = ['CAP_CHOWN', 'CAP_NET_RAW'];
    expect(choose([], [], ours)).toEqual(['CAP_CHOWN']);
    expect(choose(['ALL'], [], ours)).toEqual(['CAP_CHOWN', 'CAP_NET_RAW']);
    expect(() => choose(['SYS_ADMIN'], [], ours)).toThrow(
      expect.objectContaining({
        code: 'PERMISSION',
        message: expect.stringContaining('--cap-add CAP_SYS_ADMIN'),
      }),
    );
    expect(choose(['SYS_ADMIN'], ['SYS_ADMIN'], ours)).toEqual(['CAP_CHOWN']);
  });

  it.each([
    [['NET_ADMINN'], [], '--cap-add NET_ADMINN', 'CAP_NET_ADMIN'],
    [[], ['CHWN'], '--cap-drop CHWN', 'CAP_CHOWN'],
    [['x'], [], '--cap-add x', 'capabilities(7)'],
  ])('tells which flag has a name wrong: %j %j', (add, drop, message, hint) => {
    expect(() => choose(add, drop)).toThrow(
      expect.objectContaining({
        code: 'USAGE',
        message: expect.stringContaining(message),
        hint: expect.stringContaining(hint),
      }),
    );
  });
});

it('reads the masks of /proc/PID/status', () => {
  expect(capabilitiesOfMask('0000000000000000')).toEqual([]);
  expect(capabilitiesOfMask('0000000000000001')).toEqual(['CAP_CHOWN']);
  expect(capabilitiesOfMask('000001ffffffffff')).toEqual(CAPABILITIES);
  // Docker's default set.
  expect(capabilitiesOfMask('00000000a80425fb')).toEqual(
    CAPABILITIES.filter(
      (name) =>
        DEFAULT_CAPABILITIES.includes(name) || ['CAP_NET_RAW', 'CAP_MKNOD', 'CAP_AUDIT_WRITE'].includes(name),
    ),
  );
});
