// Who may use `serve`: Apache's htpasswd file, with bcrypt (htpasswd -B) only; MD5 and SHA-1 are guessed too fast.
import { createHmac, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { compare } from 'bcryptjs';
import pLimit from 'p-limit';
import { fileError, OciError } from '../errors.ts';

/** bcrypt at cost 5, of nothing: compared with when a name is unknown, so that the time does not tell. */
const NOBODY = '$2b$05$abcdefghijklmnopqrstuuX8SGBpSGDW/a2RkVx0FQAyeXkWKvRO2';
/** Logins remembered, at most. */
const REMEMBERED = 1000;
/** Comparisons at once: bcrypt keeps the processor, and attackers send many. */
const AT_ONCE = 4;

/**
 * A check of `Authorization` headers against the file, which is read once.
 * Throws IO, PERMISSION, and USAGE with the line that cannot be used.
 */
export function readHtpasswd(file: string): (header: string | undefined) => Promise<boolean> {
  const users = parse(file);
  // bcrypt is slow on purpose and clients send the header with every request: a keyed hash remembers who was let in.
  const key = randomBytes(32);
  const known = new Set<string>();
  const asked = new Map<string, Promise<boolean>>();
  const limit = pLimit(AT_ONCE);

  async function isRight(name: string, password: string): Promise<boolean> {
    const hash = users.get(name);
    return (await compare(password, hash ?? NOBODY)) && hash !== undefined;
  }

  return async (header) => {
    const credentials = decode(header);
    if (credentials === undefined) return false;
    const { name, password } = credentials;
    const seen = createHmac('sha256', key).update(`${name}:${password}`).digest('hex');
    if (known.has(seen)) return true;
    // A push begins with several requests at once: they wait for one comparison.
    const answer = asked.get(seen) ?? limit(() => isRight(name, password)).finally(() => asked.delete(seen));
    asked.set(seen, answer);
    if (!(await answer)) return false;
    if (known.size >= REMEMBERED) known.clear();
    known.add(seen);
    return true;
  };
}

function parse(file: string): Map<string, string> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw fileError(error, file);
  }
  const users = new Map<string, string>();
  for (const [i, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const [, name, hash] = /^([^:]+):(\$2[aby]\$\d\d\$[./A-Za-z0-9]{53})$/.exec(line.trim()) ?? [];
    if (name === undefined || hash === undefined) {
      throw new OciError('USAGE', `${file}:${i + 1}: not a name and a bcrypt hash`, {
        hint: 'make the line with: htpasswd -B FILE NAME',
      });
    }
    users.set(name, hash);
  }
  if (users.size === 0) throw new OciError('USAGE', `${file}: nobody is in it`);
  return users;
}

function decode(header: string | undefined): { name: string; password: string } | undefined {
  const [, encoded] = /^basic ([A-Za-z0-9+/=]{1,2000})$/i.exec(header ?? '') ?? [];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon < 1 ? undefined : { name: text.slice(0, colon), password: text.slice(colon + 1) };
}
