import { Args, Flags } from '@oclif/core';
import { OciCommand, type Session } from '../../cli/command.ts';
import { createNetwork } from '../../client/networks.ts';

export default class NetworkCreate extends OciCommand<typeof NetworkCreate> {
  static override usage = 'network create NAME [FLAGS]';
  static override summary = 'Make a network, by which containers reach each other by name';
  static override description =
    'Containers started with --network NAME find each other by name and are cut off from all others. With --internal they reach nothing else; without it they reach what this host reaches, but not the host itself.';
  static override examples = [
    '<%= config.bin %> network create --internal backend',
    '<%= config.bin %> network create --subnet 10.20.30.0/24 frontend',
  ];
  static override args = {
    name: Args.string({ name: 'NAME', required: true, description: 'the name to give with --network' }),
  };
  static override flags = {
    internal: Flags.boolean({ default: false, summary: 'No way out' }),
    subnet: Flags.string({
      helpValue: 'CIDR',
      summary: 'IPv4 addresses to use. Default: a /24 this host has no route to',
    }),
  };

  protected async execute({ args, flags, client, answer }: Session<typeof NetworkCreate>): Promise<void> {
    const { name } = args;
    const network = await createNetwork(client, { name, internal: flags.internal, subnet: flags.subnet });
    answer(network, () => [network.name]);
  }
}
