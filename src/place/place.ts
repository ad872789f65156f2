// What every place an image can live in (registry repository, blob store, archive) has in common.
// Copy is the only verb between them; further powers are small extra interfaces, asked for with the guards below.
import type { Readable } from 'node:stream';
import type { OciError } from '../errors.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import type { Digest } from '../reference/digest.ts';
import type { Reference } from '../reference/reference.ts';

/** Options of every read. */
export interface FetchOptions {
  /** First byte wanted; the answer starts exactly there. Default 0. */
  offset?: number;
  /**
   * The byte after the last one wanted, for `SplitSource`s: no more comes. Default: the blob's end. Throws UNSUPPORTED
   * when the place has no part that ends there to give.
   */
  end?: number | undefined;
  /** Hears that something went wrong before it is tried again; `status` is what a registry answered. */
  onSetback?: ((status: number | undefined) => void) | undefined;
  signal?: AbortSignal | undefined;
}

/** Options of `resolve`. */
export interface ResolveOptions {
  signal?: AbortSignal | undefined;
  /**
   * Only the digest matters: a registry is asked with HEAD, which counts against no pull limit, but whose size may be
   * another than the document's (Harbor). Default false: the document itself is read, and kept for the next `fetch`.
   */
  cheap?: boolean | undefined;
}

/** A place an image graph can be read from. */
export interface ImageSource {
  /** The descriptor a name stands for now. Throws IMAGE_NOT_FOUND. */
  resolve(name: Reference, options?: ResolveOptions): Promise<Descriptor>;
  /** Bytes as they come: not yet trusted. Throws BLOB_NOT_FOUND. */
  fetch(descriptor: Descriptor, options?: FetchOptions): Promise<Readable>;
}

/** One blob on its way in. Exactly one of `commit` or `abort`/`suspend` ends it. */
export interface Ingest {
  /** Bytes already held from an earlier attempt; writing goes on from here. */
  readonly offset: number;
  /** The file being filled, for places that have one: there under this name until `commit`. */
  readonly file?: string | undefined;
  /** True when `write` is done with a chunk once it returns, or what it returned settles: chunks may be lent (lending.ts). */
  readonly takesAtOnce?: boolean | undefined;
  /** Appends. Throws SIZE_MISMATCH as soon as more than the descriptor's size arrives. */
  write(chunk: Uint8Array): void | Promise<void>;
  /**
   * For places that take bytes out of order: writes at `position`, beyond the bytes there are without a gap. Lost when
   * the ingest is suspended.
   */
  ahead?(chunk: Uint8Array, position: number): void;
  /** All bytes before `position` are there now, those written ahead included; `write` goes on from it. */
  join?(position: number): void;
  /** Verifies size and digest, then makes the blob visible. Throws SIZE_MISMATCH or DIGEST_MISMATCH and drops the bytes. */
  commit(): Promise<void>;
  /** Stops, keeping the bytes for a later attempt. */
  suspend(): Promise<void>;
  /** Drops the bytes held so far and starts over from zero: `offset` counts as 0 afterwards. */
  restart(): Promise<void>;
  /** Stops and drops the bytes. */
  abort(): Promise<void>;
  /**
   * For places that can lose sight of bytes on their way: after `write` or `commit` failed with `error`, and `suspend`,
   * waits a while and resolves to true when another `ingest` may go on from what arrived.
   */
  recover?(error: unknown): Promise<boolean>;
}

/** A place that gives any part of a blob (`FetchOptions.end`), and several at once. */
export interface SplitSource {
  /** The host, or what else its connections share. */
  readonly registry: string;
  /** Parts it is read in at once, at most. */
  readonly connections: number;
  /** All that it is allowed to give. Default: what it can. */
  readonly bytesPerSecond?: number | undefined;
}

/** Options of `ingest`. */
export interface IngestOptions {
  signal?: AbortSignal | undefined;
  /** Where the bytes will come from: a place that can take them over from there by itself does so (mount). */
  from?: ImageSource | undefined;
}

/** A place an image graph can be written to. */
export interface ImageTarget extends ImageSource {
  has(descriptor: Descriptor): Promise<boolean>;
  /** Starts or resumes one blob, named by its digest. Resolves to undefined when the blob is already there. */
  ingest(descriptor: Descriptor, options?: IngestOptions): Promise<Ingest | undefined>;
  /** Lets `name` stand for the descriptor; the last call wins, no other name is touched. */
  tag(descriptor: Descriptor, name: Reference): Promise<void>;
}

/** A place whose blobs are plain files; workers read them by path. */
export interface LocalBlobs {
  /** Where the blob's bytes are: a file, from `offset`, `size` bytes long. Throws BLOB_NOT_FOUND. */
  locate(descriptor: Descriptor): Promise<BlobLocation>;
}

/** A range of a file. Bytes; the whole file when it starts at 0 and is `size` long. */
export interface BlobLocation {
  path: string;
  offset: number;
  size: number;
}

/** A place that can list the names it holds. */
export interface Listing {
  list(options?: { signal?: AbortSignal | undefined }): Promise<NamedDescriptor[]>;
}

/** A name as the place writes it (`docker.io/library/alpine:3.20`), undefined for an unnamed image. */
export interface NamedDescriptor {
  name: string | undefined;
  descriptor: Descriptor;
  /** Of a document that is listed only because it refers to another one: that. */
  subject?: Digest;
}

/** A place that can be asked what a name stands for more cheaply than by naming it again. */
export interface NameCheck {
  /** True when `name` stands for the descriptor already. */
  names(
    name: Reference,
    descriptor: Descriptor,
    options?: { signal?: AbortSignal | undefined },
  ): Promise<boolean>;
}

/** Options of `referrers`. */
export interface ReferrersOptions {
  /** Only those of this type. */
  artifactType?: string | undefined;
  signal?: AbortSignal | undefined;
}

/** A place that knows which documents refer to one: signatures, SBOMs (distribution-spec, listing referrers). */
export interface Referring {
  /** Manifests and indexes whose `subject` has this digest, with `artifactType` and `annotations` as far as they have them. */
  referrers(subject: Digest, options?: ReferrersOptions): Promise<Descriptor[]>;
}

/** A place where a document that refers to another is kept for that, without a name of its own. */
export interface ReferrerTarget {
  /** Lets the document, which is there already, be found by its subject. `name`: the repository it is meant for. */
  refer(descriptor: Descriptor, name: Reference): Promise<void>;
}

export function hasReferrers(place: object): place is Referring {
  return 'referrers' in place;
}

export function takesReferrers(place: object): place is ReferrerTarget {
  return 'refer' in place;
}

/** A place whose bytes may come from several others, such as a registry behind mirrors. */
export interface Alternatives {
  /** Its bytes for the descriptor were not what they should be: true when the next `fetch` asks somebody else. */
  distrust(descriptor: Descriptor, error: OciError): boolean;
}

export function hasNameCheck(place: object): place is NameCheck {
  return 'names' in place;
}

/** True for a place that is worth reading in several parts. */
export function isSplit(place: object): place is SplitSource {
  return 'connections' in place && Number(place.connections) > 1;
}

export function hasLocalBlobs(place: object): place is LocalBlobs {
  return 'locate' in place;
}

export function hasAlternatives(place: object): place is Alternatives {
  return 'distrust' in place;
}

/** True for a place across a network, where bytes may be changed on their way: worth asking once more. */
export function isRemote(place: object): boolean {
  return 'registry' in place;
}
