import { Args, Flags } from '@oclif/core';
import { OciCommand, type Session } from '../cli/command.ts';
import { askPassword, readPassword } from '../cli/password.ts';
import { OciError } from '../errors.ts';
import { DOCKER_HUB, parseRegistry } from '../reference/registry-host.ts';
import { saveCredential } from '../registry/credentials.ts';
import { checkLogin } from '../registry/login.ts';

export default class Login extends OciCommand<typeof Login> {
  static override usage = 'login [REGISTRY] --username NAME [FLAGS]';
  static override summary = 'Log in to a registry';
  static override description =
    'Asks the registry first, then keeps the credential where docker keeps it: in the configured credential helper, else in config.json.';
  static override examples = [
    'echo "$TOKEN" | <%= config.bin %> login ghcr.io --username me --password-stdin',
    '<%= config.bin %> login localhost:5000 --username me',
  ];
  static override args = {
    registry: Args.string({ name: 'REGISTRY', default: DOCKER_HUB, description: 'host and optional port' }),
  };
  static override flags = {
    username: Flags.string({ char: 'u', required: true, helpValue: 'NAME', summary: 'Who you are there' }),
    'password-stdin': Flags.boolean({ summary: 'Read the password or token from standard input' }),
  };

  protected async execute({
    args,
    flags,
    client,
    signal,
    answer,
    onProgress,
  }: Session<typeof Login>): Promise<void> {
    const registry = parseRegistry(args.registry);
    const { username } = flags;
    if (!flags['password-stdin'] && !process.stdin.isTTY) {
      throw new OciError('USAGE', 'no terminal to ask for the password on', {
        hint: 'pipe it in with --password-stdin',
      });
    }
    const password = flags['password-stdin'] ? await readPassword(process.stdin) : await askPassword(signal);
    if (password === '') throw new OciError('USAGE', 'the password is empty');
    const credential = { type: 'basic', username, password } as const;
    await checkLogin(await client.transport(), registry, credential, { signal });
    const where = await saveCredential(registry, credential, { authFile: flags.authfile, onProgress });
    answer({ registry, username, savedIn: where }, () => [
      `logged in to ${registry} as ${username}; kept in ${where}`,
    ]);
  }
}
