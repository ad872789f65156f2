// Classic BPF as seccomp uses it (linux/bpf_common.h): instructions and their bytes.

export interface Instruction {
  code: number;
  /** How many instructions to pass over, when the test holds and when not. */
  jt?: number;
  jf?: number;
  k: number;
}

/** A = the 32-bit word of seccomp_data at `k`. */
export const LOAD = 0x20;
/** A = A & k. */
export const AND = 0x54;
/** Result of the program: `k`. */
export const RETURN = 0x06;

/** Unsigned comparisons of A with `k`; `always` passes over `k` instructions. */
export const JUMP = { always: 0x05, equal: 0x15, above: 0x25, atLeast: 0x35 } as const;

export function ret(k: number): Instruction {
  return { code: RETURN, k };
}

/** An array of struct sock_filter, in this machine's byte order (little-endian on all that Node 26 runs on but s390x). */
export function bytesOf(program: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(program.length * 8);
  program.forEach(({ code, jt = 0, jf = 0, k }, index) => {
    const at = index * 8;
    bytes.writeUInt16LE(code, at);
    bytes.writeUInt8(jt, at + 2);
    bytes.writeUInt8(jf, at + 3);
    bytes.writeUInt32LE(k >>> 0, at + 4);
  });
  return bytes;
}
