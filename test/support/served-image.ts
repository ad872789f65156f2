// The stand-in of microsoft/dotnet in small, served from a store on loopback by our own `serve`: a registry for tests
// that need no other.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildStandIn } from '../../scripts/stand-in.ts';
import { openStore } from '../../src/blobstore/store.ts';
import { serveStore } from '../../src/serve/serve.ts';

export interface ServedImage {
  /** A folder for the test's own files. */
  dir: string;
  /** `127.0.0.1:PORT/microsoft/dotnet:2.1-aspnetcore-runtime-alpine` */
  name: string;
  close(): Promise<void>;
}

export async function serveImage(): Promise<ServedImage> {
  const dir = mkdtempSync(join(tmpdir(), 'ocitool-served-'));
  const seed = join(dir, 'seed');
  buildStandIn(seed, { small: true });
  const server = await serveStore(await openStore(seed));
  return {
    dir,
    name: `${new URL(server.url).host}/microsoft/dotnet:2.1-aspnetcore-runtime-alpine`,
    close: async () => {
      await server.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
