import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { LendingStream, takeAll } from '../../src/place/lending.ts';

/** A source that gives the same memory again and again, as a connection does. */
function reusing(words: string[], end?: Error): LendingStream {
  const memory = Buffer.alloc(16);
  let next = 0;
  let waiting = false;
  const stream = new LendingStream({
    highWaterMark: 1,
    read() {
      if (!waiting) step();
    },
  });
  function step(): void {
    waiting = true;
    setImmediate(() => {
      waiting = false;
      const word = words[next++];
      if (stream.destroyed) return;
      if (word !== undefined) {
        if (stream.give(memory.subarray(0, memory.write(word)))) step();
      } else if (end === undefined) stream.push(null);
      else stream.destroy(end);
    });
  }
  return stream;
}

describe('a lending stream', () => {
  it('read as any other gives chunks that stay', async () => {
    expect((await buffer(reusing(['one', 'two', 'three']))).toString()).toBe('onetwothree');
  });

  it('lends its chunks in order, what came early first', async () => {
    const stream = reusing(['one', 'two', 'three']);
    stream.read(0);
    await new Promise((resolve) => stream.once('readable', resolve));
    const seen: string[] = [];
    await takeAll(stream, (chunk) => void seen.push(chunk.toString()));
    expect(seen).toEqual(['one', 'two', 'three']);
    expect(stream.destroyed).toBe(true);
  });

  it('lends the same memory', async () => {
    const seen: Buffer[] = [];
    await takeAll(reusing(['one', 'two']), (chunk) => void seen.push(chunk));
    expect(seen.map(String)).toEqual(['two', 'two']);
  });

  it('lends nothing else, and does not end, before its taker is done with a chunk', async () => {
    const seen: string[] = [];
    let lent = 0;
    await takeAll(reusing(['one', 'two', 'three']), async (chunk) => {
      lent += 1;
      expect(lent).toBe(1);
      const before = chunk.toString();
      await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
      expect(chunk.toString()).toBe(before);
      seen.push(before);
      lent -= 1;
    });
    expect(seen).toEqual(['one', 'two', 'three']);
  });

  it('fails as its taker does, late too', async () => {
    const failure = new Error('full');
    const stream = reusing(['one', 'two']);
    await expect(takeAll(stream, () => Promise.reject(failure))).rejects.toBe(failure);
    expect(stream.destroyed).toBe(true);
  });

  it('ends with its source’s failure', async () => {
    const failure = new Error('cut');
    await expect(takeAll(reusing(['one'], failure), () => {})).rejects.toBe(failure);
  });
});

describe.each([
  ['a lending stream', () => reusing(['one', 'two', 'three'])],
  ['any other', () => Readable.from([Buffer.from('one'), Buffer.from('two'), Buffer.from('three')])],
])('%s', (_, open) => {
  it('ends with the failure of who takes', async () => {
    const failure = new Error('full');
    const stream = open();
    await expect(
      takeAll(stream, () => {
        throw failure;
      }),
    ).rejects.toBe(failure);
    expect(stream.destroyed).toBe(true);
  });

  it('ends early when who takes destroys it', async () => {
    const stream = open();
    const seen: string[] = [];
    await takeAll(stream, (chunk) => {
      seen.push(chunk.toString());
      if (seen.length === 2) stream.destroy();
    });
    expect(seen).toEqual(['one', 'two']);
  });

  it('that was destroyed before is over at once', async () => {
    const stream = open();
    stream.destroy();
    await takeAll(stream, () => expect.unreachable()).catch((error) => {
      expect(error.code).toBe('ERR_STREAM_PREMATURE_CLOSE');
    });
  });
});
