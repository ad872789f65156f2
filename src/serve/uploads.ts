// Blobs on their way in (distribution-spec, pushing blobs): one POST, POST and PUT, or POST, PATCHes and PUT. A session
// lives in this process; its bytes are in a file of the store. What was received before a connection broke counts: the
// client asks how far it got and goes on.
import type { IncomingMessage } from 'node:http';
import type { BlobStore } from '../blobstore/store.ts';
import type { Upload } from '../blobstore/upload.ts';
import { isOciError } from '../errors.ts';
import { type Digest, isDigest } from '../reference/digest.ts';
import { type Answer, emptyAnswer, Refusal } from './answer.ts';

/** Sessions that nobody has touched for so long are dropped, ms. */
const IDLE = 3_600_000;
/** Sessions open at once: each has a descriptor. */
const MOST = 1000;

interface Session {
  name: string;
  upload: Upload;
  touched: number;
  /** A request is writing. */
  busy: boolean;
}

export interface Uploads {
  /** POST: a session, or with a digest the whole blob. */
  begin(name: string, digest: string | null, request: IncomingMessage): Promise<Answer>;
  /** PATCH: the next chunk. */
  append(name: string, id: string, request: IncomingMessage): Promise<Answer>;
  /** PUT: the last chunk, which may be empty, and the digest. */
  finish(name: string, id: string, digest: string | null, request: IncomingMessage): Promise<Answer>;
  /** GET: how far it got. */
  status(name: string, id: string): Answer;
  /** DELETE. */
  cancel(name: string, id: string): Answer;
  /** Drops all sessions. */
  close(): void;
}

/** `arrived` hears of every blob that a repository has now. */
export function createUploads(
  store: BlobStore,
  arrived: (name: string, digest: Digest) => Promise<void>,
): Uploads {
  const sessions = new Map<string, Session>();

  function drop(session: Session): void {
    sessions.delete(session.upload.id);
    session.upload.abort();
  }

  function open(name: string): Session {
    const now = Date.now();
    for (const session of sessions.values()) if (!session.busy && now - session.touched > IDLE) drop(session);
    if (sessions.size >= MOST)
      throw new Refusal(429, 'UNKNOWN', 'too many uploads at once', { 'retry-after': 5 });
    const session = { name, upload: store.upload(), touched: now, busy: false };
    sessions.set(session.upload.id, session);
    return session;
  }

  function find(name: string, id: string): Session {
    const session = sessions.get(id);
    if (session === undefined || session.name !== name) {
      throw new Refusal(404, 'BLOB_UPLOAD_UNKNOWN', 'no such upload');
    }
    return session;
  }

  async function receive(session: Session, request: IncomingMessage): Promise<void> {
    if (session.busy) throw new Refusal(409, 'BLOB_UPLOAD_INVALID', 'another request writes to this upload');
    const { upload } = session;
    const length = chunkLength(request, session);
    session.busy = true;
    try {
      const first = upload.size;
      for await (const chunk of request as AsyncIterable<Buffer>) {
        if (length !== undefined && upload.size - first + chunk.length > length) {
          throw new Refusal(400, 'SIZE_INVALID', 'the body is longer than its Content-Range');
        }
        upload.write(chunk);
      }
    } finally {
      session.busy = false;
      session.touched = Date.now();
    }
  }

  async function commit(session: Session, digest: Digest): Promise<Answer> {
    const { name, upload } = session;
    sessions.delete(upload.id);
    try {
      await upload.commit(digest);
    } catch (error) {
      if (isOciError(error, 'DIGEST_MISMATCH')) throw new Refusal(400, 'DIGEST_INVALID', error.message);
      throw error;
    }
    await arrived(name, digest);
    return emptyAnswer(201, { location: `/v2/${name}/blobs/${digest}`, 'docker-content-digest': digest });
  }

  return {
    async begin(name, digest, request) {
      if (digest === null) {
        const session = open(name);
        return emptyAnswer(202, whereabouts(session));
      }
      const wanted = digestIn(digest);
      const session = open(name);
      try {
        await receive(session, request);
      } catch (error) {
        drop(session);
        throw error;
      }
      return commit(session, wanted);
    },
    async append(name, id, request) {
      const session = find(name, id);
      await receive(session, request);
      return emptyAnswer(202, whereabouts(session));
    },
    async finish(name, id, digest, request) {
      const session = find(name, id);
      const wanted = digestIn(digest);
      await receive(session, request);
      return commit(session, wanted);
    },
    status: (name, id) => emptyAnswer(204, whereabouts(find(name, id))),
    cancel(name, id) {
      drop(find(name, id));
      return emptyAnswer(204);
    },
    close() {
      for (const session of sessions.values()) drop(session);
    },
  };
}

/** Where to go on, and what is there. */
function whereabouts({ name, upload }: Session): Record<string, string> {
  return {
    location: `/v2/${name}/blobs/uploads/${upload.id}`,
    range: `0-${Math.max(0, upload.size - 1)}`,
    'docker-upload-uuid': upload.id,
  };
}

/** The length that Content-Range promises, undefined without one. Throws 416 when the chunk does not begin where we are. */
function chunkLength(request: IncomingMessage, session: Session): number | undefined {
  const header = request.headers['content-range'];
  if (header === undefined) return undefined;
  const [, from = '', to = ''] = /^(?:bytes )?(\d{1,15})-(\d{1,15})(?:\/(?:\d+|\*))?$/.exec(header) ?? [];
  const length = Number(to) - Number(from) + 1;
  const told = request.headers['content-length'];
  const fits = told === undefined || Number(told) === length;
  if (from === '' || length < 1 || !fits) {
    throw new Refusal(400, 'SIZE_INVALID', 'Content-Range and Content-Length do not fit');
  }
  if (Number(from) === session.upload.size) return length;
  const message = `the next chunk begins at ${session.upload.size}`;
  throw new Refusal(416, 'BLOB_UPLOAD_INVALID', message, whereabouts(session));
}

function digestIn(text: string | null): Digest {
  if (text !== null && isDigest(text)) return text;
  throw new Refusal(400, 'DIGEST_INVALID', 'not a digest');
}
