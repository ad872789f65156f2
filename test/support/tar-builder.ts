// Builds layer tars byte by byte, good ones and impossible ones; shares no code with the reader under test.
import { gzipSync } from 'node:zlib';

/** One member. Names may be strings (UTF-8) or bytes. */
export interface Member {
  name: string | Buffer;
  /** The type flag. Default '0', a file. */
  type?: string;
  content?: string | Buffer;
  link?: string | Buffer;
  mode?: number;
  uid?: number;
  gid?: number;
  mtime?: number;
  major?: number;
  minor?: number;
  /** PAX records in front of it. */
  pax?: Record<string, string | Buffer>;
  /** Written over the finished header before its checksum is made: offset and bytes. */
  raw?: Array<[number, Buffer]>;
}

export const file = (
  name: string | Buffer,
  content: string | Buffer = '',
  more: Partial<Member> = {},
): Member => ({
  name,
  content,
  ...more,
});
export const directory = (name: string | Buffer, more: Partial<Member> = {}): Member => ({
  name,
  type: '5',
  mode: 0o755,
  ...more,
});
export const symlink = (
  name: string | Buffer,
  link: string | Buffer,
  more: Partial<Member> = {},
): Member => ({
  name,
  type: '2',
  link,
  mode: 0o777,
  ...more,
});
export const hardlink = (
  name: string | Buffer,
  link: string | Buffer,
  more: Partial<Member> = {},
): Member => ({
  name,
  type: '1',
  link,
  ...more,
});

/** The archive of `members`, with the end mark. */
export function buildTar(members: readonly Member[]): Buffer {
  return Buffer.concat([...members.map(memberBytes), Buffer.alloc(1024)]);
}

export function buildTarGz(members: readonly Member[]): Buffer {
  return gzipSync(buildTar(members), { level: 1 });
}

/** The blocks of one member: PAX header, header, body. */
export function memberBytes(member: Member): Buffer {
  const pax = { ...member.pax };
  const name = Buffer.from(member.name);
  const link = Buffer.from(member.link ?? '');
  if (name.length > 100) pax.path ??= name;
  if (link.length > 100) pax.linkpath ??= link;
  const records = Object.entries(pax).map(([key, value]) => paxRecord(key, Buffer.from(value)));
  const front =
    records.length === 0
      ? []
      : [memberBytes({ name: 'PaxHeader', type: 'x', content: Buffer.concat(records) })];
  const body = Buffer.from(member.content ?? '');
  return Buffer.concat([...front, headerBytes(member, name, link, body.length), pad(body)]);
}

function headerBytes(member: Member, name: Buffer, link: Buffer, size: number): Buffer {
  const block = Buffer.alloc(512);
  name.copy(block, 0, 0, 100);
  link.copy(block, 157, 0, 100);
  const octal = (at: number, digits: number, value: number): number =>
    block.write(value.toString(8).padStart(digits, '0'), at);
  octal(100, 7, member.mode ?? 0o644);
  octal(108, 7, member.uid ?? 0);
  octal(116, 7, member.gid ?? 0);
  octal(124, 11, size);
  octal(136, 11, member.mtime ?? 1_600_000_000);
  block.write(member.type ?? '0', 156);
  block.write('ustar\0', 257);
  block.write('00', 263);
  octal(329, 7, member.major ?? 0);
  octal(337, 7, member.minor ?? 0);
  for (const [at, bytes] of member.raw ?? []) bytes.copy(block, at);
  return withChecksum(block);
}

export function withChecksum(block: Buffer): Buffer {
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

export function paxRecord(key: string, value: Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from('\n')]);
  for (let digits = 1; ; digits++) {
    const length = String(digits + rest.length);
    if (length.length === digits) return Buffer.concat([Buffer.from(length), rest]);
  }
}

export function pad(body: Buffer): Buffer {
  return Buffer.concat([body, Buffer.alloc((512 - (body.length % 512)) % 512)]);
}
