// The base of `run` and `exec`: what follows the first name is the container's, flags and all; signals and the terminal
// are its process's; and so is the exit code.
import type { Command } from '@oclif/core';
import type { ExitStatus } from '../runner/driver.ts';
import type { WindowSize } from '../runner/monitor-messages.ts';
import { exitCodeOf } from '../runner/processes.ts';
import { EXIT } from '../ui/failure.ts';
import { OciCommand } from './command.ts';
import { flagsFirst } from './flags-first.ts';
import { passSignals, type SignalPass } from './pass-signals.ts';
import { rawTerminal, windowSize } from './terminal.ts';

/** A process that this command stands for. */
export interface Attended {
  exited: Promise<ExitStatus>;
  signal(signal: NodeJS.Signals): void;
  resize(window: WindowSize): void;
}

const SAID: ReadonlySet<number> = new Set([EXIT.notExecutable, EXIT.commandNotFound, EXIT.interrupted]);

export abstract class ProcessCommand<T extends typeof Command> extends OciCommand<T> {
  /** From the beginning, so that none is lost. */
  readonly #signals: SignalPass = passSignals();

  protected override watchSignals(): SignalPass {
    return this.#signals;
  }

  /** What follows the first argument. */
  protected command: string[] = [];

  static override readonly ownWordsFirst = true;

  override async run(): Promise<void> {
    const line = flagsFirst(this.argv, { ...this.ctor.baseFlags, ...this.ctor.flags });
    // oclif never sees the command: it gives words that occur twice in another order.
    const end = line.indexOf('--') === -1 ? line.length : line.indexOf('--') + 2;
    this.argv = line.slice(0, end);
    this.command = line.slice(end);
    await super.run();
  }

  /** What is not the process's own code is 125, but for 126 and 127, which say why it never was, and an interruption. */
  protected override async catch(error: unknown): Promise<void> {
    await super.catch(error);
    if (!SAID.has(process.exitCode as number)) process.exitCode = EXIT.runtime;
  }

  /** Starts the process and stays with it to its end. `keys`: they go to it one by one. */
  protected async attend(
    { terminal, keys }: { terminal: boolean; keys: boolean },
    start: (window: WindowSize | undefined) => Promise<Attended>,
  ): Promise<void> {
    const restore = keys ? rawTerminal() : () => {};
    try {
      const started = await start(terminal ? windowSize() : undefined);
      this.#signals.to((signal) => {
        const window = terminal && signal === 'SIGWINCH' ? windowSize() : undefined;
        if (window !== undefined) started.resize(window);
        else started.signal(signal);
      });
      process.exitCode = exitCodeOf(await started.exited);
    } finally {
      restore();
    }
  }
}
