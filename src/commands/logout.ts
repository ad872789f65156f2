import { Args } from '@oclif/core';
import { OciCommand, type Session } from '../cli/command.ts';
import { DOCKER_HUB, parseRegistry } from '../reference/registry-host.ts';
import { eraseCredential } from '../registry/credentials.ts';

export default class Logout extends OciCommand<typeof Logout> {
  static override usage = 'logout [REGISTRY] [FLAGS]';
  static override summary = 'Forget the credential of a registry';
  static override examples = ['<%= config.bin %> logout ghcr.io'];
  static override args = {
    registry: Args.string({ name: 'REGISTRY', default: DOCKER_HUB, description: 'host and optional port' }),
  };

  protected async execute({ args, flags, answer, onProgress }: Session<typeof Logout>): Promise<void> {
    const registry = parseRegistry(args.registry);
    const removed = await eraseCredential(registry, { authFile: flags.authfile, onProgress });
    answer({ registry, removed }, () => [
      removed ? `logged out of ${registry}` : `was not logged in to ${registry}`,
    ]);
  }
}
