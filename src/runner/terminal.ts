// Carries bytes between a container's terminal and ours, in the monitor: the container's side is a master device,
// whose end is an error (EIO) and which must be read until then, or the container's last words are lost.
import { read, write } from 'node:fs';

const SIZE = 64 * 1024;

/** From the terminal to descriptor 1, and with `input` from stdin to it. Done when the container has closed its side. */
export function relayTerminal(terminal: number, { input }: { input: boolean }): Promise<void> {
  if (input) {
    process.stdin.on('data', (chunk: Buffer) => {
      process.stdin.pause();
      writeAll(terminal, chunk, () => process.stdin.resume());
    });
  }
  const buffer = Buffer.allocUnsafe(SIZE);
  return new Promise((resolve) => {
    const next = (): void => {
      read(terminal, buffer, 0, SIZE, null, (error, count) => {
        if (error !== null || count === 0) resolve();
        else writeAll(1, buffer.subarray(0, count), next);
      });
    };
    next();
  });
}

/** A reader that has gone does not stop the container. */
function writeAll(descriptor: number, bytes: Buffer, done: () => void): void {
  write(descriptor, bytes, 0, bytes.length, null, (error, count) => {
    if (error !== null || count === bytes.length) done();
    else writeAll(descriptor, bytes.subarray(count), done);
  });
}
