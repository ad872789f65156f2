// Where every file of a tar begins and ends, so that blobs are read in place: the headers are read, the data skipped.
// node-tar decodes the headers; it is right for archives of images, whose names are plain (layers have a reader of their own).
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { posix } from 'node:path';
import { Header } from 'tar/header';
import { Pax } from 'tar/pax';
import { fileError, OciError } from '../errors.ts';

const BLOCK = 512;
/** An archive of a thousand images has fewer files than this. */
const MAX_MEMBERS = 200_000;
/** Bytes of one PAX or long-name header. */
const MAX_EXTENSION = 1024 * 1024;
const MAX_PATH = 4096;
/** `docker save` makes a repeated layer a link to its first copy, never a longer chain. */
const MAX_LINKS = 8;

/** A regular file's place in the tar, bytes. */
export interface TarMember {
  offset: number;
  size: number;
}

export interface TarIndex {
  /** The file of this name, through links; undefined when there is none. Throws ARCHIVE_INVALID when links go in circles. */
  find(name: string): TarMember | undefined;
}

type Member = { kind: 'file'; offset: number; size: number } | { kind: 'link'; target: string };

/** Reads every header of `file`, called `label` in errors. Throws ARCHIVE_INVALID, LIMIT_EXCEEDED. */
export function indexTar(file: string, label: string): TarIndex {
  let fd: number | undefined;
  try {
    fd = openSync(file, 'r');
    const members = readMembers(fd, fstatSync(fd).size, label);
    return { find: (name) => find(members, name, label) };
  } catch (error) {
    throw fileError(error, label);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function readMembers(fd: number, end: number, label: string): Map<string, Member> {
  const members = new Map<string, Member>();
  const block = Buffer.alloc(BLOCK);
  let extended: Pax | undefined;
  let longPath: string | undefined;
  let longLink: string | undefined;
  let count = 0;
  for (let position = 0; position < end; ) {
    if (readSync(fd, block, 0, BLOCK, position) < BLOCK)
      throw invalid(label, 'it ends in the middle of a header');
    const header = decode(block, extended, label, position);
    if (header.nullBlock) break;
    position += BLOCK;
    const size = header.size ?? 0;
    const data = position;
    if (header.size === undefined && isFile(header))
      throw invalid(label, `${header.path ?? 'a file'} has no size`);
    if (!Number.isSafeInteger(size) || size > end - data) {
      throw invalid(label, `${header.path ?? 'a file'} says it has ${size} bytes, more than the archive`);
    }
    position += Math.ceil(size / BLOCK) * BLOCK;
    count += 1;
    if (count > MAX_MEMBERS) {
      throw new OciError('LIMIT_EXCEEDED', `${label}: more than ${MAX_MEMBERS} files in the archive`);
    }
    switch (header.type) {
      case 'ExtendedHeader':
        extended = Pax.parse(readExtension(fd, data, size, label), extended);
        continue;
      case 'NextFileHasLongPath':
      case 'OldGnuLongPath':
        longPath = untilNul(readExtension(fd, data, size, label));
        continue;
      case 'NextFileHasLongLinkpath':
        longLink = untilNul(readExtension(fd, data, size, label));
        continue;
      case 'GlobalExtendedHeader':
        continue;
      case 'File':
      case 'OldFile':
      case 'ContiguousFile':
        // A later file of the same name replaces an earlier one, as in an extracted archive.
        members.set(memberPath(longPath ?? extended?.path ?? header.path, label), {
          kind: 'file',
          offset: data,
          size,
        });
        break;
      case 'Link':
      case 'SymbolicLink': {
        const path = memberPath(longPath ?? extended?.path ?? header.path, label);
        const target = longLink ?? extended?.linkpath ?? header.linkpath ?? '';
        const from = header.type === 'SymbolicLink' ? posix.dirname(path) : '';
        members.set(path, { kind: 'link', target: memberPath(posix.join(from, target), label) });
        break;
      }
      default:
    }
    extended = undefined;
    longPath = undefined;
    longLink = undefined;
  }
  return members;
}

function isFile(header: Header): boolean {
  return header.type === 'File' || header.type === 'OldFile' || header.type === 'ContiguousFile';
}

function decode(block: Buffer, extended: Pax | undefined, label: string, position: number): Header {
  let header: Header;
  try {
    header = new Header(block, 0, extended);
  } catch (error) {
    throw invalid(label, `the header at byte ${position} has a bad number`, error);
  }
  if (!header.nullBlock && !header.cksumValid) {
    throw invalid(
      label,
      position === 0 ? 'not a tar archive' : `the header at byte ${position} has a wrong checksum`,
    );
  }
  return header;
}

function readExtension(fd: number, offset: number, size: number, label: string): string {
  if (size > MAX_EXTENSION) throw new OciError('LIMIT_EXCEEDED', `${label}: a tar header of ${size} bytes`);
  const buffer = Buffer.alloc(size);
  const length = readSync(fd, buffer, 0, size, offset);
  return buffer.toString('utf8', 0, length);
}

/** GNU's long names end with a NUL. */
function untilNul(text: string): string {
  return text.split('\0', 1)[0] ?? '';
}

/** `./a//b`, `/a/b` and `a/./b` are all `a/b`; nothing is above the archive's root. */
function memberPath(path: string | undefined, label: string): string {
  if (path !== undefined && path.length > MAX_PATH) {
    throw new OciError('LIMIT_EXCEEDED', `${label}: a path of ${path.length} characters`);
  }
  return posix.normalize(`/${path ?? ''}`).slice(1);
}

function find(members: Map<string, Member>, name: string, label: string): TarMember | undefined {
  let path = memberPath(name, label);
  for (let links = 0; links <= MAX_LINKS; links += 1) {
    const member = members.get(path);
    if (member === undefined || member.kind === 'file') return member;
    path = member.target;
  }
  throw invalid(label, `${name.slice(0, 100)} is a link that goes in circles`);
}

function invalid(label: string, what: string, cause?: unknown): OciError {
  return new OciError('ARCHIVE_INVALID', `${label}: ${what}`, {
    hint: 'the file may be incomplete, or not an image archive',
    cause,
  });
}
