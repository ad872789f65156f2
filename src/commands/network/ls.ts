import { OciCommand, type Session } from '../../cli/command.ts';
import { enterHolder } from '../../cli/enter-holder.ts';
import { listNetworks } from '../../client/networks.ts';
import { formatAge } from '../../ui/format.ts';
import { formatTable } from '../../ui/table.ts';

export default class NetworkLs extends OciCommand<typeof NetworkLs> {
  static override usage = 'network ls [FLAGS]';
  static override summary = 'List the networks, and the containers on them';
  static override description =
    'The network of containers that ask for none is bridge; it is there once one needed it.';
  static override examples = ['<%= config.bin %> network ls', '<%= config.bin %> network ls --json'];

  protected async execute({ client, flags, answer, width }: Session<typeof NetworkLs>): Promise<void> {
    if (await enterHolder({ store: flags.store, start: false })) return;
    const networks = await listNetworks(client);
    answer(networks, () =>
      formatTable(
        [
          { title: 'NAME', flexible: true },
          { title: 'KIND' },
          { title: 'SUBNET' },
          { title: 'CREATED' },
          { title: 'CONTAINERS', flexible: true },
        ],
        networks.map(({ name, internal, subnet, created, containers }) => [
          name,
          internal ? 'internal' : 'bridge',
          subnet,
          formatAge(created),
          containers.map((container) => container.name).join(', '),
        ]),
        { width },
      ),
    );
  }
}
