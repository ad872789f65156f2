// Whether a loopback registry speaks TLS at all, asked without trusting anything: most do not, and setting up trust
// for the question costs 80 ms, which reading the system's certificates takes; node:tls alone costs 10.
import { once } from 'node:events';
import { connect } from 'node:net';

/** How long to wait for an answer, milliseconds. */
const PATIENCE_MS = 5000;

/**
 * TLS's greeting (RFC 8446, 4.1.2), as short as it may be: a record of one ClientHello without extensions, of TLS 1.2 with
 * four common ciphers. A server that wants more says so in TLS; one of HTTP waits for the end of a line before it says
 * anything, so the random bytes are such.
 */
const CLIENT_HELLO = Buffer.from(
  `1603010033 0100002f 0303 ${'0d0a'.repeat(16)} 00 0008c02fc030009c1301 0100`.replaceAll(' ', ''),
  'hex',
);
/** First byte of a record: a handshake goes on, or an alert tells why not. */
const TLS_ANSWERS = new Set([0x16, 0x15]);

/** True when what listens there answers TLS's greeting with something else. Any other outcome is not for this to judge. */
export async function speaksNoTls({ hostname, port }: URL): Promise<boolean> {
  const socket = connect({
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: port === '' ? 443 : Number(port),
  });
  try {
    socket.write(CLIENT_HELLO);
    // At its end, too, when there is nothing to read.
    await once(socket, 'readable', { signal: AbortSignal.timeout(PATIENCE_MS) });
    const answer = socket.read() as Buffer | null;
    return answer !== null && !TLS_ANSWERS.has(answer[0] as number);
  } catch {
    return false;
  } finally {
    socket.on('error', () => {}).destroy();
  }
}
