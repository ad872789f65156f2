// What every command shares: global flags, one session with its signal, progress, answers on stdout, failures on stderr.
import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Command, type Interfaces } from '@oclif/core';
import { type Client, createClient } from '../client/client.ts';
import { fileError, OciError } from '../errors.ts';
import type { LimitOptions } from '../layer/limits.ts';
import { createRateLimiter } from '../registry/rate-limiter.ts';
import { createReporter, type ProgressMode, type Reporter } from '../ui/reporter.ts';
import { reportFailure } from './failure-output.ts';
import { globalFlags, type limitFlags, type networkFlags } from './flags.ts';
import { type SignalWatch, watchSignals } from './signals.ts';

/** What `execute` works with. */
export interface Session<T extends typeof Command> {
  args: Interfaces.InferredArgs<T['args']>;
  /** The arguments as given, where a command takes any number (`strict = false`). */
  argv: string[];
  flags: Interfaces.InferredFlags<T['flags'] & typeof globalFlags>;
  client: Client;
  signal: AbortSignal;
  onProgress: Reporter['onProgress'];
  /** The answer: `json` with --json, else the lines, or bytes that end in a line's end. Ends the progress display first. */
  answer(json: unknown, lines: () => string[] | Uint8Array): void;
  /** Bytes for stdout as they are; returns when they are written. A reader that leaves early (`| head`) is no failure. */
  write(bytes: Uint8Array | Readable): Promise<void>;
  /** Ends the progress display: what is written from now on is somebody else's. */
  endProgress(): void;
  /** A remark on stderr that is not progress; silent with -q. */
  note(line: string): void;
  /** Columns a table may use. */
  width: number;
}

/** The base of all commands. A command is its flags, its help, and `execute`. */
export abstract class OciCommand<T extends typeof Command> extends Command {
  static override baseFlags = globalFlags;

  /** Its first argument ends what is its own: flags that follow are somebody else's. */
  static readonly ownWordsFirst: boolean = false;

  /** Runs it, found by somebody other than oclif. What fails is reported. */
  async start(): Promise<void> {
    await this._run();
  }

  protected abstract execute(session: Session<T>): Promise<void>;

  /** oclif's would look through all commands for one that is deprecated. */
  protected override async init(): Promise<void> {}

  /** What signals do to the command; called once. */
  protected watchSignals(): SignalWatch {
    return watchSignals();
  }

  async run(): Promise<void> {
    // oclif would take an argument that is left out from a pipe: the archive of `load -`, a line of a `while read` loop.
    for (const arg of Object.values(this.ctor.args)) arg.ignoreStdin = true;
    const { args, raw, flags } = await this.parse<Session<T>['flags'], object, Session<T>['args']>(
      this.ctor as unknown as Interfaces.Input<Session<T>['flags'], object, Session<T>['args']>,
    );
    const common = flags as Interfaces.InferredFlags<typeof globalFlags>;
    const mode: ProgressMode = common.quiet ? 'none' : common.progress;
    const reporter = createReporter(mode, process.stderr, process.env);
    const signals = this.watchSignals();
    const client = createClient({
      ...clientOptions(common, flags),
      limits: limitsOf(flags),
      onProgress: reporter.onProgress,
      signal: signals.signal,
    });
    try {
      await this.execute({
        args,
        // Not oclif's `argv`, which it sorts: of `cp a b a` it makes `cp a a b`.
        argv: raw.flatMap((token) => (token.type === 'arg' ? [token.input] : [])),
        flags,
        client,
        signal: signals.signal,
        onProgress: reporter.onProgress,
        answer: (json, lines) => {
          reporter.close();
          const said = common.json ? [JSON.stringify(json, undefined, 2)] : lines();
          const text = Array.isArray(said) ? said.join('\n') : said;
          if (text.length > 0) process.stdout.write(typeof text === 'string' ? `${text}\n` : text);
        },
        write: (bytes) => {
          reporter.close();
          return writeToStdout(bytes);
        },
        endProgress: () => reporter.close(),
        note: (line) => {
          if (!common.quiet) reporter.onProgress({ type: 'warning', message: line });
        },
        width: process.stdout.isTTY ? process.stdout.columns : 80,
      });
    } finally {
      reporter.close();
      await client.close();
      signals.close();
    }
  }

  protected override async catch(error: unknown): Promise<void> {
    const flags = Object.keys({ ...this.ctor.baseFlags, ...this.ctor.flags }).map((name) => `--${name}`);
    reportFailure(error, this.argv, { command: this.id?.replaceAll(':', ' '), flags });
  }
}

/** `end: false`: stdout outlives the command. */
async function writeToStdout(bytes: Uint8Array | Readable): Promise<void> {
  await pipeline(bytes instanceof Readable ? bytes : Readable.from([bytes]), process.stdout, { end: false });
}

/** The client options the global flags stand for. */
function clientOptions(
  flags: Interfaces.InferredFlags<typeof globalFlags>,
  { 'limit-rate': limitRate }: Partial<Interfaces.InferredFlags<typeof networkFlags>>,
): Parameters<typeof createClient>[0] {
  return {
    store: flags.store,
    platform: flags.platform,
    authFile: flags.authfile,
    policy: flags.policy || undefined,
    transport: {
      plainHttp: flags['plain-http'],
      insecure: flags.insecure,
      ca: readPem(flags.ca, '--ca'),
      cert: readPem(flags.cert, '--cert'),
      key: readPem(flags.key, '--key'),
      limiter: limitRate === undefined ? undefined : createRateLimiter(limitRate),
      timeoutMs: flags.timeout === undefined ? undefined : flags.timeout * 1000,
    },
  };
}

/** The limits of a command that has `limitFlags`; none of others. */
function limitsOf(flags: Partial<Interfaces.InferredFlags<typeof limitFlags>>): LimitOptions {
  return { bytes: flags['max-bytes'], entries: flags['max-entries'] };
}

function readPem(file: string | undefined, flag: string): string | undefined {
  if (file === undefined) return undefined;
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw fileError(error, `${flag} ${file}`);
  }
  if (!text.includes('-----BEGIN')) {
    throw new OciError('USAGE', `${flag} ${file}: not a PEM file`, {
      hint: 'it should hold a -----BEGIN …----- block',
    });
  }
  return text;
}
