// A machine for classic BPF programs as the kernel runs them for seccomp (Documentation/networking/filter.rst): to ask a
// filter about a system call without making it.

export interface SystemCall {
  architecture: number;
  number: number;
  args?: readonly bigint[];
}

/** What the program says about the call; throws where the kernel's checker would have refused the program. */
export function runFilter(program: Buffer, call: SystemCall): { result: number; steps: number } {
  const data = Buffer.alloc(64);
  data.writeUInt32LE(call.number, 0);
  data.writeUInt32LE(call.architecture, 4);
  call.args?.forEach((arg, i) => {
    data.writeBigUInt64LE(BigInt.asUintN(64, arg), 16 + 8 * i);
  });
  let accumulator = 0;
  let steps = 0;
  for (let at = 0; at < program.length / 8; at++) {
    steps += 1;
    const code = program.readUInt16LE(at * 8);
    const jt = program.readUInt8(at * 8 + 2);
    const jf = program.readUInt8(at * 8 + 3);
    const k = program.readUInt32LE(at * 8 + 4);
    switch (code) {
      case 0x20:
        if (k % 4 !== 0 || k > 60) throw new Error(`load at ${k}`);
        accumulator = data.readUInt32LE(k);
        break;
      case 0x54:
        accumulator = (accumulator & k) >>> 0;
        break;
      case 0x05:
        at += k;
        break;
      case 0x15:
        at += accumulator === k ? jt : jf;
        break;
      case 0x25:
        at += accumulator > k ? jt : jf;
        break;
      case 0x35:
        at += accumulator >= k ? jt : jf;
        break;
      case 0x06:
        return { result: k, steps };
      default:
        throw new Error(`instruction ${code.toString(16)} at ${at}`);
    }
  }
  throw new Error('ran past the end');
}
