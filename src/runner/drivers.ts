// From a choice that was written down to the driver itself; the one that is not used is not loaded.
import type { RuntimeChoice } from './container.ts';
import type { Driver } from './driver.ts';

export async function loadDriver({ name, path, missing }: RuntimeChoice): Promise<Driver> {
  if (path !== undefined) {
    const { createOciDriver } = await import('./oci-runtime.ts');
    return createOciDriver({ name, path, missing });
  }
  const { builtinDriver } = await import('./builtin/driver.ts');
  return builtinDriver({ available: true, missing });
}
