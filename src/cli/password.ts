// Passwords come from a pipe or from a prompt that does not show them; never from the command line, where `ps` reads.
import type { Readable } from 'node:stream';
import { abortError, OciError } from '../errors.ts';

/** A password is short; whatever is longer is the wrong file. Bytes. */
const LIMIT = 64 * 1024;

/** All of a stream, without its last line end. */
export async function readPassword(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > LIMIT) throw new OciError('USAGE', 'more on standard input than a password can be');
  }
  return Buffer.concat(chunks)
    .toString('utf8')
    .replace(/\r?\n$/, '');
}

/** Asks on the terminal, echoing nothing. */
export function askPassword(signal: AbortSignal): Promise<string> {
  const { stdin, stderr } = process;
  return new Promise((resolve, reject) => {
    let typed = '';
    function end(): void {
      stdin.off('data', onData);
      signal.removeEventListener('abort', onAbort);
      stdin.setRawMode(false);
      stdin.pause();
      stderr.write('\n');
    }
    function onAbort(): void {
      end();
      reject(abortError(signal));
    }
    function onData(text: string): void {
      for (const character of text) {
        if (character === '\r' || character === '\n' || character === '\u0004') {
          end();
          resolve(typed);
          return;
        }
        if (character === '\u0003') {
          // Raw mode hands Ctrl-C over as a character.
          end();
          reject(new OciError('ABORTED', 'interrupted'));
          return;
        }
        typed = character === '\u007f' ? [...typed].slice(0, -1).join('') : typed + character;
      }
    }
    stderr.write('Password: ');
    stdin.setRawMode(true);
    stdin.setEncoding('utf8');
    stdin.on('data', onData);
    signal.addEventListener('abort', onAbort, { once: true });
    stdin.resume();
  });
}
