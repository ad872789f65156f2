import { Agent } from 'undici';
import { afterEach, describe, expect, it } from 'vitest';
import { type BodySink, type Received, receive } from '../../src/registry/receive.ts';
import { startHttpServer } from '../support/http-server.ts';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const MEGABYTE = Buffer.alloc(1 << 20, 'x');
const never = new AbortController().signal;

async function get(serve: Parameters<typeof startHttpServer>[0], signal = never): Promise<Received> {
  const server = await startHttpServer(serve);
  const agent = new Agent({ connections: 1 });
  closers.push(server.close, () => agent.destroy());
  return receive(agent, { origin: `http://${server.address}`, path: '/', method: 'GET' }, signal);
}

/** A sink, and everything it heard: bytes are counted, the end or the error resolves. */
function listener(onData: (chunk: Buffer) => void = () => {}): BodySink & { over: Promise<string> } {
  const over = Promise.withResolvers<string>();
  return {
    data: onData,
    end: () => over.resolve('end'),
    error: (error) => over.resolve(String((error as { code?: string }).code ?? error)),
    over: over.promise,
  };
}

describe('a received body', () => {
  it('comes whole, however late it is poured', async () => {
    const { body } = await get((_, response) => response.end(MEGABYTE));
    await new Promise((resolve) => setImmediate(resolve));
    let bytes = 0;
    const sink = listener((chunk) => {
      bytes += chunk.length;
    });
    body.pour(sink);
    expect(await sink.over).toBe('end');
    expect(bytes).toBe(MEGABYTE.length);
  });

  it('gives nothing while it is paused, and everything after', async () => {
    const { body } = await get((_, response) => response.end(MEGABYTE));
    let paused = false;
    const seen: Buffer[] = [];
    const sink = listener((chunk) => {
      expect(paused).toBe(false);
      seen.push(Buffer.from(chunk));
      paused = true;
      body.pause();
      setImmediate(() => {
        paused = false;
        body.resume();
      });
    });
    body.pour(sink);
    expect(await sink.over).toBe('end');
    expect(Buffer.concat(seen).equals(MEGABYTE)).toBe(true);
  });

  it('paused in each chunk and resumed at once comes without empty chunks', async () => {
    const { body } = await get((_, response) => response.end(MEGABYTE));
    let bytes = 0;
    const sink = listener((chunk) => {
      // Thrown, as such a body would go on for ever.
      if (chunk.length === 0) throw new Error('an empty chunk');
      bytes += chunk.length;
      body.pause();
      queueMicrotask(() => body.resume());
    });
    body.pour(sink);
    expect(await sink.over).toBe('end');
    expect(bytes).toBe(MEGABYTE.length);
  });

  it('that is short lets go of its connection though nobody asks for it', async () => {
    const server = await startHttpServer((_, response) => response.end('short'));
    const agent = new Agent({ connections: 1 });
    closers.push(server.close, () => agent.destroy());
    const ask = (): Promise<Received> =>
      receive(agent, { origin: `http://${server.address}`, path: '/', method: 'GET' }, never);
    const answers = [await ask(), await ask(), await ask()];
    for (const { body } of answers) {
      const sink = listener((chunk) => expect(chunk.toString()).toBe('short'));
      body.pour(sink);
      expect(await sink.over).toBe('end');
    }
  });

  it('tells an abort at once, even while it is paused', async () => {
    const stop = new AbortController();
    const { body } = await get((_, response) => response.end(MEGABYTE), stop.signal);
    const sink = listener(() => {
      body.pause();
      setImmediate(() => stop.abort());
    });
    body.pour(sink);
    expect(await sink.over).toBe('ABORTED');
  });

  it('says nothing after it was destroyed', async () => {
    const { body } = await get((_, response) => response.write(MEGABYTE));
    const heard: string[] = [];
    const gone = Promise.withResolvers<void>();
    body.pour({
      data() {
        heard.push('data');
        body.destroy();
        setImmediate(gone.resolve);
      },
      end: () => heard.push('end'),
      error: () => heard.push('error'),
    });
    await gone.promise;
    expect(heard).toEqual(['data']);
  });

  it('that breaks off is an error, after what came', async () => {
    const { body } = await get((_, response) => {
      response.writeHead(200, { 'content-length': 2 * MEGABYTE.length });
      response.write(MEGABYTE, () => response.destroy());
    });
    const sink = listener();
    body.pour(sink);
    expect(await sink.over).toBe('UND_ERR_SOCKET');
  });
});

describe('a request', () => {
  it('that was aborted before is not made', async () => {
    await expect(get((_, response) => response.end(), AbortSignal.abort())).rejects.toMatchObject({
      code: 'ABORTED',
    });
  });

  it('that waits for a connection ends with its signal', async () => {
    const server = await startHttpServer(() => {});
    const agent = new Agent({ connections: 1 });
    closers.push(server.close, () => agent.destroy());
    const stop = new AbortController();
    const ask = (): Promise<Received> =>
      receive(agent, { origin: `http://${server.address}`, path: '/', method: 'GET' }, stop.signal);
    const both = [ask(), ask()];
    setImmediate(() => stop.abort());
    for (const { status } of await Promise.allSettled(both)) expect(status).toBe('rejected');
  });
});
