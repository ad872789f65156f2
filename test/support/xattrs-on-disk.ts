// Extended attributes as the kernel has them. getfattr would be a process per tree: too slow for thousands of trees.
import { getBuiltinModule } from 'node:process';

const SIZE = 65_536;
const names = Buffer.alloc(SIZE);
const value = Buffer.alloc(SIZE);

type Call = (...args: unknown[]) => bigint;
let calls: { llistxattr: Call; lgetxattr: Call } | undefined;

function load(): { llistxattr: Call; lgetxattr: Call } {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    const { functions } = getBuiltinModule('node:ffi').dlopen(null, {
      llistxattr: { return: 'int64', arguments: ['buffer', 'buffer', 'uint64'] },
      lgetxattr: { return: 'int64', arguments: ['buffer', 'buffer', 'buffer', 'uint64'] },
    });
    return functions as unknown as { llistxattr: Call; lgetxattr: Call };
  } finally {
    process.emitWarning = emitWarning;
  }
}

/** `NAME=HEX`, sorted, of what is at `path`; a symlink is not followed. None where the file system has no attributes. */
export function xattrsOnDisk(path: Buffer): string[] {
  calls ??= load();
  const file = Buffer.concat([path, Buffer.alloc(1)]);
  const length = Number(calls.llistxattr(file, names, BigInt(SIZE)));
  if (length <= 0) return [];
  const list = names.toString('latin1', 0, length - 1).split('\0');
  return list
    .map((name) => {
      const size = Number(calls?.lgetxattr(file, Buffer.from(`${name}\0`, 'latin1'), value, BigInt(SIZE)));
      return `${name}=${value.toString('hex', 0, Math.max(size, 0))}`;
    })
    .sort();
}
