// Whether a loopback registry speaks TLS at all, asked without trusting anything: most do not, and setting up trust
// for the question costs 80 ms, which reading the system's certificates takes.
import { once } from 'node:events';
import { connect, createSecureContext } from 'node:tls';
import { saysNoTls } from './network-error.ts';

/** How long to wait for an answer, milliseconds. */
const PATIENCE_MS = 5000;

/** True when what listens there answers TLS's greeting with something else. Any other outcome is not for this to judge. */
export async function speaksNoTls({ hostname, port }: URL): Promise<boolean> {
  const socket = connect({
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: port === '' ? 443 : Number(port),
    secureContext: createSecureContext({ ca: [] }),
    // Nothing is sent over it, and what it is found to be is asked again with trust.
    rejectUnauthorized: false,
  });
  try {
    await once(socket, 'secureConnect', { signal: AbortSignal.timeout(PATIENCE_MS) });
    return false;
  } catch (error) {
    return saysNoTls(error);
  } finally {
    socket.on('error', () => {}).destroy();
  }
}
