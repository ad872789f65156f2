// What an executable file asks for: the ELF header's machine, the loader it names, or the interpreter of a script.

/** e_machine by Go's names, with little-endian 64 bits unless the entry says otherwise (elf(5)). */
const MACHINES: ReadonlyArray<readonly [machine: number, bits: 32 | 64, name: string]> = [
  [3, 32, '386'],
  [8, 32, 'mips'],
  [8, 64, 'mips64'],
  [21, 64, 'ppc64le'],
  [22, 64, 's390x'],
  [40, 32, 'arm'],
  [62, 32, 'x32'],
  [62, 64, 'amd64'],
  [183, 64, 'arm64'],
  [243, 32, 'riscv32'],
  [243, 64, 'riscv64'],
  [258, 64, 'loong64'],
];

const PT_INTERP = 3;

export type Executable =
  | { kind: 'elf'; architecture: string; loader: string | undefined }
  | { kind: 'script'; interpreter: string }
  | { kind: 'unknown' };

/** How many bytes of a file `readExecutable` wants: program headers and the loader's name are near the start. */
export const EXECUTABLE_HEAD = 4096;

/** Reads the first bytes of a program. What is cut short or makes no sense is `unknown`. */
export function readExecutable(head: Buffer): Executable {
  if (head.length >= 64 && head.readUInt32BE(0) === 0x7f454c46) return readElf(head);
  if (head.length > 2 && head.toString('latin1', 0, 2) === '#!') {
    const line = head.toString('latin1', 2, 256).split('\n')[0] ?? '';
    const interpreter = /[^ \t]+/.exec(line)?.[0];
    return interpreter === undefined ? { kind: 'unknown' } : { kind: 'script', interpreter };
  }
  return { kind: 'unknown' };
}

function readElf(head: Buffer): Executable {
  const bits = head[4] === 2 ? 64 : 32;
  const little = head[5] === 1;
  const u16 = (at: number): number => (little ? head.readUInt16LE(at) : head.readUInt16BE(at));
  const u32 = (at: number): number => (little ? head.readUInt32LE(at) : head.readUInt32BE(at));
  // Upper halves are zero in any file whose headers are near its start.
  const word = (at: number): number => u32(bits === 64 && !little ? at + 4 : at);
  const machine = u16(18);
  const architecture =
    MACHINES.find(([number, size]) => number === machine && size === bits)?.[2] ?? `machine ${machine}`;
  const [table, size, count] = bits === 64 ? [word(32), u16(54), u16(56)] : [word(28), u16(42), u16(44)];
  for (let index = 0; index < count; index++) {
    const at = table + index * size;
    if (size < 32 || at + size > head.length) break;
    if (u32(at) !== PT_INTERP) continue;
    const [offset, length] = bits === 64 ? [word(at + 8), word(at + 32)] : [word(at + 4), word(at + 16)];
    if (length < 2 || offset + length > head.length) break;
    return { kind: 'elf', architecture, loader: head.toString('latin1', offset, offset + length - 1) };
  }
  return { kind: 'elf', architecture, loader: undefined };
}
