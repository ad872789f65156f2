// What can go wrong with one answer of a registry, and how each fault is played over a real socket.
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';

/** One request, as an upstream sees it. */
export interface Asked {
  method: string;
  /** With its query. */
  path: string;
  headers: IncomingHttpHeaders;
  /** What a PUT, POST or PATCH sends. */
  body?: Readable;
  /** True at the host that redirects lead to. */
  storage?: boolean;
}

export interface Answer {
  status: number;
  headers: Record<string, string | number>;
  body: Buffer;
}

/** Whoever has the content: a registry in memory, or a real one. */
export type Upstream = (asked: Asked) => Answer | Promise<Answer>;

export type Fault =
  | { type: 'none' }
  /** The connection is reset after `at` bytes of the body, which may be before the first; before any answer without `at`. */
  | { type: 'reset'; at?: number }
  /** What was asked for is done, and the connection reset in place of the answer. */
  | { type: 'lost-answer' }
  /** A right Content-Length, and a connection that ends in good order after `at` bytes. */
  | { type: 'cut'; at: number }
  /** No Content-Length, and a clean end after `at` bytes. */
  | { type: 'short'; at: number }
  /** A Content-Length of `at`, kept: an honest answer that is too short. */
  | { type: 'truncated'; at: number }
  /** The server goes silent after `at` bytes; before any answer without `at`. */
  | { type: 'stall'; at?: number }
  /** The first bytes come one portion every few milliseconds. */
  | { type: 'slow-start'; portion: number }
  /** More bytes than there are, for ever. */
  | { type: 'endless' }
  /** 200 and the whole blob, whatever range was asked for. */
  | { type: 'ignore-range' }
  /** 206 with this Content-Range, or none. */
  | { type: 'wrong-range'; contentRange: string | undefined }
  /** One bit is another. */
  | { type: 'corrupt'; at: number }
  | { type: 'status'; status: number; headers?: Record<string, string>; body?: string }
  /** 307 to another host, which answers with `storage`. */
  | { type: 'redirect'; storage: Fault }
  /** The headers of a HEAD are changed, or its status; without the header where the value is undefined. */
  | { type: 'head-lies'; status?: number; headers?: Record<string, string | undefined> };

/** Portions of a slow start, and the pause after each. */
const SLOW_PORTIONS = 4;
const SLOW_PAUSE_MS = 5;

/** Answers in the way the fault has it. `elsewhere` is the address a redirect leads to. */
export async function answerWith(
  fault: Fault,
  asked: Asked,
  response: ServerResponse,
  upstream: Upstream,
  elsewhere: (storage: Fault) => string,
): Promise<void> {
  const { socket } = response;
  if (fault.type === 'status') {
    response.writeHead(fault.status, fault.headers).end(asked.method === 'HEAD' ? '' : (fault.body ?? ''));
    return;
  }
  if (fault.type === 'redirect') {
    response.writeHead(307, { location: elsewhere(fault.storage) }).end();
    return;
  }
  if (fault.type === 'reset' && fault.at === undefined) {
    socket?.resetAndDestroy();
    return;
  }
  if (fault.type === 'stall' && fault.at === undefined) return;
  const rangeless = fault.type === 'ignore-range';
  const { range: _range, ...headersWithout } = asked.headers;
  const answer = await upstream(rangeless ? { ...asked, headers: headersWithout } : asked);
  if (fault.type === 'lost-answer') {
    socket?.resetAndDestroy();
    return;
  }
  const { body } = answer;
  const headers: Answer['headers'] = { ...answer.headers };
  if (asked.method === 'HEAD') {
    if (fault.type !== 'head-lies') {
      response.writeHead(answer.status, headers).end();
      return;
    }
    for (const [name, value] of Object.entries(fault.headers ?? {})) {
      if (value === undefined) delete headers[name];
      else headers[name] = value;
    }
    response.writeHead(fault.status ?? answer.status, headers).end();
    return;
  }
  const { status } = answer;
  const unsized = (): void => {
    delete headers['content-length'];
  };
  switch (fault.type) {
    case 'reset':
      response.writeHead(status, headers);
      response.write(body.subarray(0, fault.at), () => socket?.resetAndDestroy());
      return;
    case 'cut':
      response.writeHead(status, headers);
      response.write(body.subarray(0, fault.at), () => socket?.end());
      return;
    case 'short':
      unsized();
      response.useChunkedEncodingByDefault = false;
      response.writeHead(status, { ...headers, connection: 'close' }).end(body.subarray(0, fault.at));
      return;
    case 'truncated': {
      const part = body.subarray(0, fault.at);
      response.writeHead(status, { ...headers, 'content-length': part.length }).end(part);
      return;
    }
    case 'stall':
      response.writeHead(status, headers).write(body.subarray(0, fault.at));
      return;
    case 'slow-start': {
      response.writeHead(status, headers);
      response.flushHeaders();
      let portions = 0;
      const timer = setInterval(() => {
        const from = portions * fault.portion;
        portions += 1;
        if (portions <= SLOW_PORTIONS) {
          response.write(body.subarray(from, from + fault.portion));
        } else {
          clearInterval(timer);
          response.end(body.subarray(from));
        }
      }, SLOW_PAUSE_MS);
      response.once('close', () => clearInterval(timer));
      return;
    }
    case 'endless': {
      unsized();
      response.writeHead(status, headers).write(body);
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536)));
      };
      response.on('drain', more);
      more();
      return;
    }
    case 'wrong-range':
      delete headers['content-range'];
      if (fault.contentRange !== undefined) headers['content-range'] = fault.contentRange;
      response.writeHead(206, headers).end(body);
      return;
    case 'corrupt': {
      const changed = Buffer.from(body);
      const at = fault.at % Math.max(1, changed.length);
      if (changed.length > 0) changed[at] = (changed[at] as number) ^ 0x10;
      response.writeHead(status, headers).end(changed);
      return;
    }
    default:
      response.writeHead(status, headers).end(body);
  }
}
