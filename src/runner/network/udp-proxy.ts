// One published UDP port: each sender gets a socket of its own towards the container, so that answers find their way,
// for as long as datagrams pass.
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';

/** Milliseconds after which a sender that is silent, and is sent nothing, is forgotten. */
const IDLE = 60_000;

/** Senders remembered at once; a new one takes the place of whoever has been silent longest. */
export const MOST_SENDERS = 1024;

interface Session {
  socket: Socket;
  used: number;
}

/** Receives on an inherited bound descriptor until closed. `address` and `port` are the container's. */
export async function proxyUdp(
  descriptor: number,
  from: string,
  address: string,
  port: number,
): Promise<{ close(): Promise<void> }> {
  const sessions = new Map<string, Session>();
  const outer = createSocket(isIPv6(from) ? 'udp6' : 'udp4');
  outer.on('error', () => {}); // a datagram that could not be sent is lost, as datagrams are

  outer.on('message', (message, sender) => {
    const key = `${sender.address} ${sender.port}`;
    const session = sessions.get(key) ?? begin(sender);
    sessions.delete(key);
    sessions.set(key, session); // the longest silent one stands first
    session.used = Date.now();
    session.socket.send(message, port, address, () => {});
  });

  function begin(sender: RemoteInfo): Session {
    if (sessions.size >= MOST_SENDERS) forget(sessions.keys().next().value);
    const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
    const session: Session = { socket, used: Date.now() };
    socket.on('error', () => {}); // the container's port is closed
    socket.on('message', (answer, { port: source }) => {
      if (source !== port) return;
      session.used = Date.now();
      outer.send(answer, sender.port, sender.address, () => {});
    });
    return session;
  }

  function forget(key: string | undefined): void {
    if (key === undefined) return;
    sessions.get(key)?.socket.close();
    sessions.delete(key);
  }

  const sweep = setInterval(() => {
    const before = Date.now() - IDLE;
    for (const [key, { used }] of sessions) if (used < before) forget(key);
  }, IDLE / 4);
  sweep.unref();

  await new Promise<void>((resolve, reject) => {
    outer.once('error', reject);
    outer.bind({ fd: descriptor }, () => {
      outer.off('error', reject);
      resolve();
    });
  });
  return {
    close: () =>
      new Promise((resolve) => {
        clearInterval(sweep);
        for (const key of [...sessions.keys()]) forget(key);
        outer.close(() => resolve());
      }),
  };
}
