// Talks to `docker-credential-NAME` programs: the verb as argument, one document on stdin, one on stdout.
import { spawn } from 'node:child_process';
import { OciError, systemCode } from '../errors.ts';
import { parseJson } from '../json.ts';
import type { Credential } from './credentials.ts';
import { asRecord, asText } from './json.ts';

/** What a helper calls a refresh token's user. */
const TOKEN_USER = '<token>';
/** A helper may ask the user to unlock a keychain. Milliseconds. */
const TIMEOUT_MS = 120_000;
const MAX_ANSWER_BYTES = 1 << 20;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
/** Every helper says this, on stdout, when it has nothing (docker-credential-helpers). */
const NOT_FOUND = /credentials not found/i;

/** The credential the helper keeps for a server; undefined when it has none. Throws CREDENTIALS. */
export async function getFromHelper(name: string, server: string): Promise<Credential | undefined> {
  const { status, stdout, stderr } = await run(name, 'get', server);
  if (status !== 0) {
    if (NOT_FOUND.test(stdout) || NOT_FOUND.test(stderr)) return undefined;
    throw helperFailed(name, 'get', status, stderr || stdout);
  }
  const answer = asRecord(parseJson(stdout));
  if (answer === undefined) throw helperFailed(name, 'get', status, 'its answer is no JSON object');
  const username = asText(answer.Username);
  const secret = asText(answer.Secret);
  if (secret === undefined) return undefined;
  return username === TOKEN_USER
    ? { type: 'refresh', refreshToken: secret }
    : { type: 'basic', username: username ?? '', password: secret };
}

/** Has the helper keep a credential. Throws CREDENTIALS. */
export async function storeWithHelper(name: string, server: string, credential: Credential): Promise<void> {
  if (credential.type === 'bearer')
    throw new OciError('CREDENTIALS', 'a credential helper cannot keep a bearer token');
  const [username, secret] =
    credential.type === 'basic'
      ? [credential.username, credential.password]
      : [TOKEN_USER, credential.refreshToken];
  const document = JSON.stringify({ ServerURL: server, Username: username, Secret: secret });
  const { status, stdout, stderr } = await run(name, 'store', document);
  if (status !== 0) throw helperFailed(name, 'store', status, stderr || stdout);
}

/** Has the helper forget a server. Throws CREDENTIALS. */
export async function eraseFromHelper(name: string, server: string): Promise<void> {
  const { status, stdout, stderr } = await run(name, 'erase', server);
  if (status !== 0 && !NOT_FOUND.test(stdout + stderr))
    throw helperFailed(name, 'erase', status, stderr || stdout);
}

/** True for the error of a helper that is configured but not installed. */
export function isHelperMissing(error: unknown): boolean {
  return error instanceof OciError && systemCode(error.cause) === 'ENOENT';
}

interface HelperResult {
  status: number | null;
  stdout: string;
  stderr: string;
}

async function run(name: string, verb: 'get' | 'store' | 'erase', input: string): Promise<HelperResult> {
  if (!NAME.test(name)) {
    throw new OciError('CREDENTIALS', `not a name of a credential helper: ${JSON.stringify(name)}`, {
      hint: 'check credsStore and credHelpers in the credential file',
    });
  }
  const program = `docker-credential-${name}`;
  return await new Promise((resolve, reject) => {
    const child = spawn(program, [verb], { stdio: 'pipe', timeout: TIMEOUT_MS, windowsHide: true });
    const output = { stdout: '', stderr: '' };
    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream].setEncoding('utf8').on('data', (text: string) => {
        output[stream] += text;
        if (output[stream].length > MAX_ANSWER_BYTES) child.kill();
      });
    }
    child.once('error', (error) => {
      const missing = systemCode(error) === 'ENOENT';
      reject(
        new OciError('CREDENTIALS', `${program}: ${missing ? 'not found on the PATH' : error.message}`, {
          hint: 'install it, or take it out of credsStore and credHelpers in the credential file',
          cause: error,
        }),
      );
    });
    child.once('close', (status) => resolve({ status, ...output }));
    // A helper that ends without reading its input is judged by its exit status.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}

function helperFailed(name: string, verb: string, status: number | null, said: string): OciError {
  const line = said.trim().split('\n', 1)[0]?.slice(0, 200) || 'without a word';
  const how = status === null ? 'was stopped' : `failed (${status})`;
  return new OciError('CREDENTIALS', `docker-credential-${name} ${verb} ${how}: ${line}`, {
    hint: `try it by hand: echo SERVER | docker-credential-${name} get`,
  });
}
