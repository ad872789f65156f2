// Containers as `ps` shows them.
import type { ListedContainer } from '../client/containers.ts';
import { formatAge, formatDuration } from './format.ts';
import { formatTable } from './table.ts';

export function containerTable(containers: ListedContainer[], width: number): string[] {
  return formatTable(
    [
      { title: 'ID' },
      { title: 'NAME', flexible: true },
      { title: 'IMAGE', flexible: true },
      { title: 'COMMAND', flexible: true },
      { title: 'STATUS' },
      { title: 'PORTS', flexible: true },
    ],
    containers.map((container) => [
      container.id.slice(0, 12),
      container.name,
      container.image,
      container.command.join(' '),
      statusText(container),
      container.ports.map(portText).join(', '),
    ]),
    { width },
  );
}

function statusText({ status, exit, started, finished }: ListedContainer): string {
  switch (status) {
    case 'running':
      return `up ${formatDuration((Date.now() - Date.parse(started ?? '')) / 1000)}`;
    case 'exited': {
      const how = exit === undefined ? '' : 'code' in exit ? ` ${exit.code}` : ` ${exit.signal}`;
      return `exited${how}, ${formatAge(finished)}`;
    }
    case 'created':
    case 'unmonitored':
    case 'dead':
      return status;
  }
}

function portText({ address, hostPort, containerPort, protocol }: ListedContainer['ports'][number]): string {
  const host = address.includes(':') ? `[${address}]` : address;
  return `${host}:${hostPort}->${containerPort}${protocol === 'udp' ? '/udp' : ''}`;
}
